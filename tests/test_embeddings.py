"""Embeddings: rows that come back as they went in, whatever was torn off, added or taken out meanwhile."""

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.database import Database
from store.embedded import EmbeddedLedger
from store.errors import DiskFull, MemoryDamaged, UserError
from store.recall.shards import DAY_IDS
from store.sealing import FileKeys

RECALL, COMPRESSED = 5, 3


def opened(folder: Path, encrypted: bool = True) -> EmbeddedLedger:
    database = Database(folder / "memory.db")
    return EmbeddedLedger(database, folder / "embeddings", FileKeys(database, encrypted))


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedLedger]:
    ledger = opened(tmp_path, request.param)
    yield ledger
    ledger.database.close()


def rows_of(ids: Sequence[int], width: int) -> np.ndarray:
    """Numbers that follow from the id, so that a row can be told from every other; exact in float16."""
    return np.array([[each % 500 + column / 4 for column in range(width)] for each in ids], np.float32)


def embed(ledger: EmbeddedLedger, ids: Sequence[int]) -> None:
    ledger.add_embeddings("nano", ids, rows_of(ids, RECALL), rows_of(ids, COMPRESSED))


def is_whole(ledger: EmbeddedLedger, ids: Sequence[int]) -> bool:
    """Has it the embeddings of these keyframes and of no others, as they went in?"""
    return (
        ledger.indexed_ids("nano") == sorted(ids)
        and np.array_equal(ledger.compressed("nano", ids), rows_of(ids, COMPRESSED))
        and np.array_equal(ledger.recall_of("nano", ids), rows_of(ids, RECALL))
        and not ledger.damaged_shards("nano")
    )


def files(ledger: EmbeddedLedger, tmp_path: Path, column: str) -> list[Path]:
    """The row files of one column, those of older days first."""
    shards = ledger.database.rows("SELECT id FROM shards ORDER BY day")
    return [tmp_path / "embeddings" / "nano" / f"{row['id']:06d}.{column}" for row in shards]


batches = st.lists(st.integers(0, 5 * DAY_IDS), unique=True, min_size=1, max_size=30).map(
    lambda ids: [ids[start : start + 7] for start in range(0, len(ids), 7)]
)


@settings(max_examples=20, deadline=None)
@given(batches, st.booleans())
def test_rows_in_any_order_of_time_come_back_in_the_order_asked(id_batches: list[list[int]], encrypted: bool):
    with tempfile.TemporaryDirectory() as folder:
        reader, writer = opened(Path(folder), encrypted), opened(Path(folder), encrypted)
        for ids in id_batches:
            embed(writer, ids)
            assert np.isin(ids, reader.indexed_ids("nano")).all()
        assert is_whole(reader, [each for ids in id_batches[::-1] for each in ids])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["recall", "compressed"]), st.integers(0, 39))
def test_what_lies_behind_the_committed_rows_is_written_over(column: str, torn_bytes: int):
    with tempfile.TemporaryDirectory() as folder:
        ledger = opened(Path(folder))
        embed(ledger, [10, 20, 30])
        (path,) = files(ledger, Path(folder), column)
        path.write_bytes(path.read_bytes() + bytes(torn_bytes))
        assert is_whole(ledger, [30, 10, 20])
        embed(ledger, [40, 50])
        assert is_whole(opened(Path(folder)), [10, 20, 30, 40, 50])


def test_a_keyframe_embedded_twice_has_one_row(ledger: EmbeddedLedger):
    embed(ledger, [1, 2, 2])
    embed(ledger, [2, 3])
    assert is_whole(ledger, [1, 2, 3])
    assert ledger.embedded_count("nano") == 3


def test_rows_that_do_not_fit_are_refused(ledger: EmbeddedLedger):
    embed(ledger, [1])
    with pytest.raises(ValueError, match="2 ids"):
        ledger.add_embeddings("nano", [2, 3], rows_of([2], RECALL), rows_of([2], COMPRESSED))
    with pytest.raises(ValueError, match="widths"):
        ledger.add_embeddings("nano", [2], rows_of([2], RECALL + 1), rows_of([2], COMPRESSED))
    for wrong in (np.nan, 1e9):
        with pytest.raises(ValueError, match="finite"):
            ledger.add_embeddings("nano", [2], np.full((1, RECALL), wrong), rows_of([2], COMPRESSED))
    assert is_whole(ledger, [1])


def test_a_keyframe_without_an_embedding_is_named(ledger: EmbeddedLedger):
    with pytest.raises(UserError, match="nano has no embeddings"):
        ledger.compressed("nano", [1])
    embed(ledger, [1, 5])
    for missing in (0, 3, 9, 9 * DAY_IDS):
        with pytest.raises(UserError, match=f"Keyframe {missing} has no embedding of nano"):
            ledger.compressed("nano", [1, missing, 5])


@pytest.mark.parametrize("writes_before", [0, 1, 2, 3])
def test_a_full_disk_lets_none_of_a_batch_in(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch, writes_before: int
):
    embed(ledger, [1, 2])
    real_write, done = os.writev, []

    def write(descriptor: int, parts: Sequence[bytes]) -> int:
        done.append(parts)
        content = b"".join(parts)
        return real_write(descriptor, [content if len(done) <= writes_before else content[: len(content) // 2]])

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "writev", write)
        with pytest.raises(DiskFull):
            embed(ledger, [3, 4, DAY_IDS])
    assert is_whole(ledger, [1, 2])
    embed(ledger, [3, 4, DAY_IDS])
    assert is_whole(ledger, [DAY_IDS, 4, 3, 2, 1])


def test_only_the_wearer_may_read_the_rows_and_only_with_the_key(ledger: EmbeddedLedger, tmp_path: Path):
    ledger.add_embeddings("nano", [1], np.full((1, RECALL), 2.0), np.full((1, COMPRESSED), 2.0))
    folder = tmp_path / "embeddings" / "nano"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    is_plain = np.full(COMPRESSED, 2.0, "<f2").tobytes() in b"".join(path.read_bytes() for path in folder.iterdir())
    assert is_plain != ledger._keys.encrypted


def test_what_is_removed_can_be_read_by_nobody_and_the_rest_stays(ledger: EmbeddedLedger, tmp_path: Path):
    embed(ledger, [1, 2, 3, DAY_IDS, 2 * DAY_IDS])
    before = {path.name for path in (tmp_path / "embeddings" / "nano").iterdir()}
    keys = {row["file"]: row["key"] for row in ledger.database.rows("SELECT * FROM keys")}
    ledger.remove_embeddings([2, DAY_IDS, 77])
    assert is_whole(ledger, [3, 1, 2 * DAY_IDS])
    left = {path.name for path in (tmp_path / "embeddings" / "nano").iterdir()}
    assert len(before - left) == 4, "both files of both days that had some are gone"
    kept = {row["file"]: row["key"] for row in ledger.database.rows("SELECT * FROM keys")}
    assert {Path(file).name for file in keys.keys() - kept.keys()} == (before - left if keys else set())
    embed(ledger, [2, DAY_IDS])
    assert is_whole(ledger, [1, 2, 3, DAY_IDS, 2 * DAY_IDS])


def test_a_crash_before_the_commit_leaves_what_the_next_one_sweeps(
    ledger: EmbeddedLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    embed(ledger, [1, 2, DAY_IDS])
    with monkeypatch.context() as crash, pytest.raises(KeyboardInterrupt):
        crash.setattr(Database, "transaction", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        ledger.remove_embeddings([2])
    folder = tmp_path / "embeddings" / "nano"
    (folder / "recall.float16").write_bytes(b"of an older version")
    assert is_whole(ledger, [1, 2, DAY_IDS])
    after = opened(tmp_path, ledger._keys.encrypted)
    embed(after, [3])
    assert is_whole(after, [1, 2, 3, DAY_IDS])
    assert len(list(folder.iterdir())) == 2 * 2 + 1, "two files a day and the lock"
    assert after.database.value("SELECT count(*) FROM keys") == (4 if ledger._keys.encrypted else 0)


@pytest.mark.parametrize("column", ["recall", "compressed"])
def test_a_damaged_day_is_named_its_other_rows_are_found_and_it_can_be_dropped(
    ledger: EmbeddedLedger, tmp_path: Path, column: str
):
    embed(ledger, [1, 2, 3, DAY_IDS])
    path = files(ledger, tmp_path, column)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    ((shard, damage),) = ledger.damaged_shards("nano").items()
    assert damage == f"{column} has a broken row"
    with pytest.raises(MemoryDamaged):
        (ledger.recall_of if column == "recall" else ledger.compressed)("nano", [1, 2, 3])
    found = {each for each, _ in ledger.recall("nano", np.ones(RECALL), 9)}
    assert found == ({1, 3, DAY_IDS} if column == "recall" else {1, 2, 3, DAY_IDS})
    ledger.drop_shard(shard)
    assert is_whole(ledger, [DAY_IDS])
    embed(ledger, [1, 2, 3])
    assert is_whole(ledger, [1, 2, 3, DAY_IDS])


def test_a_lost_file_a_lost_key_and_rows_of_others_are_damage(ledger: EmbeddedLedger, tmp_path: Path):
    embed(ledger, [1, 2])
    embed(ledger, [DAY_IDS])
    ledger.database.execute("UPDATE embedded SET keyframe_id = 7 WHERE keyframe_id = 2")
    files(ledger, tmp_path, "compressed")[1].unlink()
    damage = ledger.damaged_shards("nano").values()
    assert sorted(damage) == ["compressed has no file", "recall has rows of other keyframes"]
    assert {each for each, _ in ledger.recall("nano", np.ones(RECALL), 9)} == {1, 2, DAY_IDS}


def test_removing_from_a_damaged_day_keeps_what_can_be_read(ledger: EmbeddedLedger, tmp_path: Path):
    embed(ledger, [1, 2, 3])
    path = files(ledger, tmp_path, "compressed")[0]
    path.write_bytes(path.read_bytes()[:-1])
    ledger.remove_embeddings([1])
    assert is_whole(ledger, [2])
