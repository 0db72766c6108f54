"""Embeddings: rows that come back as they went in, whatever was torn off or added meanwhile."""

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.embeddings import Embeddings
from store.errors import DiskFull, MemoryDamaged, UserError

RECALL, COMPRESSED = 5, 3


def rows_of(ids: list[int], width: int) -> np.ndarray:
    """Numbers that follow from the id, so that a row can be told from every other; exact in float16."""
    return np.array([[each % 500 + column / 4 for column in range(width)] for each in ids], np.float32)


def appended(embeddings: Embeddings, ids: list[int]) -> None:
    embeddings.append(ids, rows_of(ids, RECALL), rows_of(ids, COMPRESSED))


batches = st.lists(st.integers(0, 2**50), unique=True, min_size=1, max_size=30).map(
    lambda ids: [ids[start : start + 7] for start in range(0, len(ids), 7)]
)


@settings(max_examples=20, deadline=None)
@given(batches)
def test_rows_in_any_order_of_time_come_back_in_the_order_asked(id_batches: list[list[int]]):
    with tempfile.TemporaryDirectory() as folder:
        reader = Embeddings(Path(folder) / "nano")
        for ids in id_batches:
            appended(Embeddings(Path(folder) / "nano"), ids)
            assert np.isin(ids, reader.ids()).all()
        everything = sorted(each for ids in id_batches for each in ids)
        assert reader.sorted_ids().tolist() == everything
        assert np.array_equal(reader.compressed(everything[::-1]), rows_of(everything[::-1], COMPRESSED))
        row_ids, recall = reader.recall_from(0)
        assert np.array_equal(recall, rows_of(row_ids.tolist(), RECALL).astype(np.float16))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["ids.int64", "recall.float16", "compressed.float16"]), st.integers(0, 39))
def test_a_file_torn_at_any_byte_costs_only_the_rows_it_no_longer_has(name: str, torn_at: int):
    with tempfile.TemporaryDirectory() as folder:
        appended(Embeddings(Path(folder)), [10, 20, 30, 40, 50])
        path = Path(folder) / name
        left = path.stat().st_size * torn_at // 40
        whole = left // (path.stat().st_size // 5)
        os.truncate(path, left)
        embeddings = Embeddings(Path(folder))
        assert embeddings.ids().tolist() == [10, 20, 30, 40, 50][:whole]
        appended(embeddings, [10, 20, 30, 40, 50, 60])
        assert embeddings.ids().tolist() == [10, 20, 30, 40, 50, 60]
        assert np.array_equal(embeddings.compressed([60, 50, 10]), rows_of([60, 50, 10], COMPRESSED))


def test_a_keyframe_embedded_twice_has_one_row(tmp_path: Path):
    embeddings = Embeddings(tmp_path)
    appended(embeddings, [1, 2])
    appended(embeddings, [2, 3])
    assert embeddings.ids().tolist() == [1, 2, 3]


def test_rows_that_do_not_fit_are_refused(tmp_path: Path):
    embeddings = Embeddings(tmp_path)
    appended(embeddings, [1])
    with pytest.raises(ValueError, match="2 ids"):
        embeddings.append([2, 3], rows_of([2], RECALL), rows_of([2], COMPRESSED))
    with pytest.raises(ValueError, match="widths"):
        embeddings.append([2], rows_of([2], RECALL + 1), rows_of([2], COMPRESSED))
    for wrong in (np.nan, 1e9):
        with pytest.raises(ValueError, match="finite"):
            embeddings.append([2], np.full((1, RECALL), wrong), rows_of([2], COMPRESSED))
    assert embeddings.ids().tolist() == [1]


def test_a_keyframe_without_an_embedding_is_named(tmp_path: Path):
    embeddings = Embeddings(tmp_path / "nano")
    with pytest.raises(UserError, match="nano has no embeddings"):
        embeddings.compressed([1])
    appended(embeddings, [1, 5])
    for missing in (0, 3, 9):
        with pytest.raises(UserError, match=f"Keyframe {missing} has no embedding of nano"):
            embeddings.compressed([1, missing, 5])


@pytest.mark.parametrize("writes_before", [0, 1, 2])
def test_a_full_disk_tears_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_before: int):
    embeddings = Embeddings(tmp_path)
    appended(embeddings, [1, 2])
    real_write, done = os.write, []

    def write(descriptor: int, content: bytes) -> int:
        done.append(content)
        return real_write(descriptor, content if len(done) <= writes_before else content[: len(content) // 2 + 1])

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", write)
        with pytest.raises(DiskFull):
            appended(embeddings, [3, 4])
    whole = len(embeddings)
    assert {path.stat().st_size // whole for path in tmp_path.glob("*.float16")} == {RECALL * 2, COMPRESSED * 2}
    appended(embeddings, [3, 4])
    assert embeddings.ids().tolist() == [1, 2, 3, 4]
    assert np.array_equal(embeddings.compressed([4, 3]), rows_of([4, 3], COMPRESSED))


def test_unreadable_widths_are_damage_that_says_how_to_rebuild(tmp_path: Path):
    appended(Embeddings(tmp_path), [1])
    (tmp_path / "widths.json").write_text("{")
    with pytest.raises(MemoryDamaged) as raised:
        Embeddings(tmp_path).ids()
    assert "index the memory again" in raised.value.hint


def test_only_the_wearer_may_read_the_rows(tmp_path: Path):
    appended(Embeddings(tmp_path / "nano"), [1])
    assert stat.S_IMODE((tmp_path / "nano").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "nano").iterdir()} == {0o600}
