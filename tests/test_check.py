"""The check finds what is broken, names it, and leaves what is merely unclaimed alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.check import check
from store.episodic import EpisodicStore
from store.packs import HEADER_BYTES


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 1000.0, 0, 2)
        ids = [store.add_keyframe(session.id, 1000.0 + at, 0, bytes(100), 4, 3, 0.5).id for at in range(3)]
        store.end_session(session.id, 1003.0, "film ended")
        store.add_embeddings("nano", ids, np.ones((3, 4)), np.ones((3, 2)))
        yield store


def kinds(store: EpisodicStore) -> list[str]:
    return [problem.kind for problem in check(store).problems]


def test_a_whole_memory_is_clean_and_counted(store: EpisodicStore):
    report = check(store)
    assert report.clean
    assert (report.sessions, report.keyframes, report.packs, report.embeddings) == (1, 3, 1, {"nano": 3})
    assert (report.pack_bytes, report.orphan_bytes) == (3 * (100 + HEADER_BYTES), 0)


def test_an_empty_memory_is_clean(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "empty") as store:
        assert check(store).clean


def test_bytes_without_a_row_are_counted_and_no_problem(store: EpisodicStore):
    store.packs.append(7, bytes(50))
    report = check(store)
    assert report.clean
    assert report.orphan_bytes == 50 + HEADER_BYTES


def test_every_damaged_picture_is_a_problem_of_its_own(store: EpisodicStore):
    pack = store.packs.path(1)
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    content[HEADER_BYTES] ^= 1
    pack.write_bytes(content)
    assert kinds(store) == ["keyframe", "keyframe"]
    assert "1000000000" in check(store).problems[0].detail


def test_a_missing_pack_is_a_problem_of_every_keyframe_in_it(store: EpisodicStore):
    store.packs.path(1).unlink()
    assert kinds(store) == ["keyframe"] * 3


def test_embeddings_of_nothing_twice_or_not_finite_are_problems(store: EpisodicStore):
    store.add_embeddings("nano", [5, 6, 6], np.ones((3, 4)), np.ones((3, 2)))
    assert kinds(store) == ["embedding"] * 3
    recall = store.directory / "embeddings" / "nano" / "recall.float16"
    recall.write_bytes(np.full(4, np.nan, "<f2").tobytes() + recall.read_bytes()[8:])
    assert "no finite one of keyframe 1000000000" in check(store).problems[-1].detail


def test_a_row_of_a_missing_session_is_a_problem(store: EpisodicStore):
    store.database.execute("PRAGMA foreign_keys = OFF")
    store.database.execute("DELETE FROM sessions")
    assert kinds(store) == ["database"] * 3
