"""The one door: what is remembered, what is found, and what is said where nothing is."""

import json
import math
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, NothingRecorded, UserError
from store.records import Hold, Span
from store.upkeep.check import check
from tests.small_disk import fill, make_read_only, small_disk

START = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


def record(store: EpisodicStore, times_s: list[float], source: str = "film") -> list[int]:
    """One session with a keyframe at every time, in seconds after START; returns their ids."""
    session = store.begin_session(source, START + times_s[0], 3600, 2.0)
    ids = [add(store, session.id, at) for at in times_s]
    store.end_session(session.id, START + times_s[-1] + 1, "film ended")
    return ids


def add(store: EpisodicStore, session_id: int, at: float) -> int:
    return store.add_keyframe(session_id, START + at, 3600, f"picture {at}".encode(), 640, 480, 0.5).id


def embed(store: EpisodicStore, ids: list[int]) -> None:
    store.add_embeddings("nano", ids, np.eye(len(ids), 8), np.arange(len(ids) * 3).reshape(-1, 3))


def test_a_memory_is_private(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "deep" / "memory") as store:
        embed(store, record(store, [0, 1]))
        modes = {path.is_dir(): set[int]() for path in (tmp_path / "deep").rglob("*")}
        for path in (tmp_path / "deep").rglob("*"):
            modes[path.is_dir()].add(stat.S_IMODE(path.stat().st_mode))
    assert modes == {True: {0o700}, False: {0o600}}


def test_opening_what_is_not_there_says_so_and_makes_nothing(tmp_path: Path):
    with pytest.raises(NothingRecorded, match="no memory in"):
        EpisodicStore.open(tmp_path / "memory", create=False)
    assert not (tmp_path / "memory").exists()
    (tmp_path / "film.mp4").touch()
    with pytest.raises(UserError, match="is not a folder"):
        EpisodicStore.open(tmp_path / "film.mp4")


times = st.lists(st.floats(0, 200).map(lambda at: round(at, 1)), min_size=1, max_size=8)


@settings(max_examples=12, deadline=None)
@given(times, st.floats(-10, 210), st.floats(-10, 210))
def test_whatever_was_captured_is_there_after_reopening_and_a_span_finds_its_own(
    times_s: list[float], first: float, last: float
):
    with tempfile.TemporaryDirectory() as folder:
        with EpisodicStore.open(Path(folder)) as store:
            ids = record(store, times_s)
            added = sorted(store.keyframes_by_id(ids), key=lambda keyframe: keyframe.id)
        with EpisodicStore.open(Path(folder), create=False) as store:
            assert store.keyframes() == added
            assert sorted(map(store.jpeg, added)) == sorted(f"picture {at}".encode() for at in times_s)
            span = Span(START + first, START + last)
            inside = [each for each in added if span.started_at * 1e6 // 1 <= each.id < span.ended_at * 1e6 // 1]
            assert store.keyframes(span) == inside
            assert store.count(span) == len(inside)
            assert store.count() == len(store.keyframes(store.span())) == len(times_s)
            assert store.count(Span(-math.inf, math.inf)) == len(times_s)


def test_a_keyframe_s_id_is_its_time_in_microseconds_raised_until_free(store: EpisodicStore):
    assert record(store, [0.0, 0.0, 0.0]) == [1_700_000_000_000_000 + each for each in range(3)]


def test_an_unknown_keyframe_is_answered_with_the_nearest(store: EpisodicStore):
    with pytest.raises(NothingRecorded):
        store.keyframe(5)
    first, second = record(store, [0, 10])
    with pytest.raises(UserError, match=f"no keyframe {second - 3}") as raised:
        store.keyframe(second - 3)
    assert str(second) in raised.value.hint
    assert [each.id for each in store.keyframes_by_id([second, first, second])] == [second, first, second]


def test_a_damaged_picture_is_named(store: EpisodicStore):
    (keyframe_id,) = record(store, [0])
    keyframe = store.keyframe(keyframe_id)
    pack = store.packs.path(keyframe.pack)
    content = bytearray(pack.read_bytes())
    content[keyframe.offset_bytes] ^= 1
    pack.write_bytes(content)
    with pytest.raises(MemoryDamaged, match=str(keyframe_id)):
        store.jpeg(keyframe)


def test_a_memory_on_a_disk_that_is_not_there_is_not_begun_anew(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "memory")
    with pytest.raises(UserError, match="where nothing is") as refused:
        EpisodicStore.open(tmp_path / "link")
    assert "mounted" in refused.value.hint
    with EpisodicStore.open(tmp_path / "memory") as vanishing:
        session = vanishing.begin_session("camera", START, 0, 1.0)
        shutil.rmtree(tmp_path / "memory")
        with pytest.raises(MemoryDamaged, match="is gone"):
            vanishing.add_keyframe(session.id, START, 0, b"jpeg", 64, 48, 1.0)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize("spoil", [fill, make_read_only])
@pytest.mark.parametrize("was_closed", [True, False], ids=["closed", "killed"])
def test_all_can_be_looked_at_where_nothing_can_be_written(
    store: EpisodicStore, tmp_path: Path, spoil: Callable[[Path], None], was_closed: bool
):
    embed(store, ids := record(store, [0, 1]))
    session = store.begin_session("camera", START + 2, 3600, 2.0)
    ids.append(add(store, session.id, 3))
    if was_closed:
        store.close()
    with small_disk(tmp_path / "disk") as disk:
        shutil.copytree(store.directory, disk / "memory")
        spoil(disk)
        with EpisodicStore.open(disk / "memory", create=False) as there:
            assert [there.jpeg(each) for each in there.keyframes()] == [b"picture 0", b"picture 1", b"picture 3"]
            assert sum(moment.keyframes for moment in there.moments()) == 3
            assert [keyframe_id for keyframe_id, _ in there.recall("nano", np.arange(8), 1)] == [ids[1]]
            assert there.sessions()[1].ended_at is None  # to be mended where there is room
            assert check(there).clean
            with pytest.raises(DiskFull):
                there.add_turn(START, "where?", "there", True, 0.5, "nano", ids)
            with pytest.raises(DiskFull):
                there.add_keyframe(session.id, START + 4, 3600, bytes(5000), 640, 480, 0.5)


def test_a_memory_is_not_changed_under_a_recorder_of_an_older_version(tmp_path: Path):
    EpisodicStore.open(tmp_path).close()
    old = EpisodicStore.open(tmp_path)
    old.database.execute("PRAGMA user_version = 1")
    with old.hold_for_recording(), pytest.raises(MemoryBusy, match="is being recorded"):
        EpisodicStore.open(tmp_path)
    assert old.database.version == 1
    old.close()


def test_every_row_comes_back_as_it_was_given(store: EpisodicStore):
    session = store.begin_session("/dev/video0", START, -18000, 2)
    gap = store.add_gap(session.id, START + 5, START + 9, "covered")
    hold = Hold("private", START, None)
    store.set_hold(hold)
    turns = [store.add_turn(START + at, "where?", "there", at > 0, 0.25, "nano", [3, 1]) for at in range(3)]
    store.beat(session.id, START + 12)
    assert store.gaps() == [gap]
    assert store.hold() == hold
    assert store.turns() == turns
    assert store.turns(limit=2) == turns[1:]
    (known,) = store.sessions()
    assert (known.source, known.heartbeat_at, known.ended_at) == ("/dev/video0", START + 12, None)
    store.end_session(session.id, START + 20, "stopped")
    (known,) = store.sessions()
    assert (known.ended_at, known.ended_because) == (START + 20, "stopped")
    assert store.span() == Span(START, START + 20)


def test_a_span_finds_what_overlaps_it_and_an_instant_only_where_it_lies(store: EpisodicStore):
    session = store.begin_session("film", 0, 0, 2)
    for started_at, ended_at in [(0, 10), (10, 10), (10, 20), (30, 40)]:
        store.add_gap(session.id, started_at, ended_at, "covered")
    assert [(gap.started_at, gap.ended_at) for gap in store.gaps(Span(5, 10))] == [(0, 10)]
    assert [(gap.started_at, gap.ended_at) for gap in store.gaps(Span(10, 31))] == [(10, 10), (10, 20), (30, 40)]


def test_coverage_counts_worn_seen_and_embedded_time_once(store: EpisodicStore):
    assert store.coverage("nano").worn_s == 0
    embed(store, record(store, [0, 10, 20, 59])[:3])
    overlapping = record(store, [50, 99], "other film")
    first, second = store.sessions()
    store.add_gap(first.id, START + 30, START + 45, "covered")
    store.add_gap(first.id, START + 40, START + 70, "covered")
    whole = store.coverage("nano")
    assert (whole.worn_s, whole.recorded_s, whole.keyframes, whole.indexed, len(whole.gaps)) == (100, 80, 6, 3, 2)
    part = store.coverage("nano", Span(START + 15, START + 35))
    assert (part.worn_s, part.recorded_s, part.keyframes, part.indexed, len(part.gaps)) == (20, 15, 1, 1, 1)
    assert store.keyframe(overlapping[0]).session_id == second.id


def test_what_is_not_embedded_yet_is_named_the_newest_first_then_what_was_imported_later(store: EpisodicStore):
    ids = record(store, [100, 101, 102])
    assert [each.id for each in store.unindexed("nano")] == ids
    assert [each.id for each in store.unindexed("nano", limit=2)] == ids[:2]
    embed(store, ids)
    assert store.unindexed("nano") == []
    old = record(store, [0, 1])
    new = record(store, [200])
    assert [each.id for each in store.unindexed("nano")] == new
    embed(store, new)
    assert [each.id for each in store.unindexed("nano")] == old
    embed(store, old)
    assert store.unindexed("nano") == []
    assert store.indexed_ids("nano") == [*old, *ids, *new]
    assert store.indexed_ids("nano", Span(START + 1, START + 101)) == [old[1], ids[0]]
    assert len(store.unindexed("7b")) == 6


def test_recall_finds_within_a_span_and_compressed_follows_the_order_asked(store: EpisodicStore):
    ids = record(store, [0, 1, 2])
    embed(store, ids)
    query = np.array([1, 3, 2, 0, 0, 0, 0, 0])
    assert store.recall("nano", query, 2) == [(ids[1], 3.0), (ids[2], 2.0)]
    assert store.recall("nano", query, 9, Span(START, START + 1)) == [(ids[0], 1.0)]
    assert store.recall("7b", query, 9) == []
    assert store.compressed("nano", [ids[2], ids[0]]).tolist() == [[6, 7, 8], [0, 1, 2]]
    with pytest.raises(UserError, match="cannot name a checkpoint"):
        store.recall("../packs", query, 9)


def test_a_session_left_open_ends_at_the_last_thing_known_of_it(store: EpisodicStore):
    by_heartbeat, by_keyframe, by_gap = (store.begin_session("camera", START, 0, 2).id for _ in range(3))
    add(store, by_heartbeat, 3)
    store.beat(by_heartbeat, START + 5)
    store.beat(by_keyframe, START + 5)
    add(store, by_keyframe, 7)
    store.add_gap(by_gap, START + 1, START + 9, "unplugged")
    with EpisodicStore.open(store.directory):
        ends = {session.id: session.ended_at for session in store.sessions()}
    assert ends == {by_heartbeat: START + 5, by_keyframe: START + 7, by_gap: START + 9}


def test_status_is_plain_values(store: EpisodicStore):
    assert store.status()["first_captured_at"] is None
    embed(store, record(store, [0, 1]))
    status = json.loads(json.dumps(store.status()))
    assert (status["keyframes"], status["sessions"], status["indexed"]) == (2, 1, {"nano": 2})
    assert (status["first_captured_at"], status["last_captured_at"]) == (START, START + 1)
    assert all(status["bytes"][kind] > 0 for kind in ("database", "packs", "embeddings"))
    assert status["disk_free_bytes"] > 0


def test_the_door_opens_without_the_heavy_libraries():
    code = "import sys, store.episodic; print([name for name in ('faiss', 'torch') if name in sys.modules])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
