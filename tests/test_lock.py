"""Who may do what at the same time: one recorder, and any number who read beside it."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.episodic import EpisodicStore
from store.errors import MemoryBusy
from store.lock import RecordingLock

START = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


def add(store: EpisodicStore, session_id: int, at: float) -> int:
    return store.add_keyframe(session_id, START + at, 3600, f"picture {at}".encode(), 640, 480, 0.5).id


def test_a_second_recorder_is_turned_away_by_process_and_the_first_does_not_notice(store: EpisodicStore):
    with store.hold_for_recording():
        session = store.begin_session("camera", START, 0, 2)
        with EpisodicStore.open(store.directory) as other:
            with pytest.raises(MemoryBusy, match=r"pid \d+"), other.hold_for_recording():
                raise AssertionError("two recorders")
            with pytest.raises(MemoryBusy):
                add(other, session.id, 1)
            assert other.status()["recording"] is True
        add(store, session.id, 1)
        assert store.sessions()[0].ended_at is None
    assert store.status()["recording"] is False
    with store.hold_for_recording():
        assert store.sessions()[0].ended_because == "process killed"


def test_many_who_look_at_once_see_no_recorder_in_each_other(store: EpisodicStore):
    seen: list[int | None] = []
    looking = [threading.Thread(target=lambda: seen.extend(store.recorder_pid() for _ in range(300))) for _ in range(4)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    assert set(seen) == {None}


def test_who_opens_a_memory_or_adds_one_picture_is_not_taken_for_a_recorder(store: EpisodicStore):
    session, seen, done = store.begin_session("camera", START, 0, 2), set[int | None](), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(store.recorder_pid())

    thread = threading.Thread(target=look)
    thread.start()
    for second in range(20):
        with EpisodicStore.open(store.directory) as other:
            add(other, session.id, second)
    done.set()
    thread.join()
    assert seen == {None}


def test_a_recorder_is_named_to_those_who_look_also_when_one_was_killed_before(store: EpisodicStore):
    (store.directory / "recording.lock").write_text("4194304   ")
    assert store.recorder_pid() is None
    with store.hold_for_recording(), EpisodicStore.open(store.directory) as other:
        assert other.recorder_pid() == store.recorder_pid() == os.getpid()
    assert store.recorder_pid() is None


def test_a_recorder_waits_out_the_moment_in_which_a_reader_mends(store: EpisodicStore):
    mending = threading.Event()

    def mend() -> None:
        with RecordingLock(store.directory / "recording.lock").held():
            mending.set()
            time.sleep(0.1)

    thread = threading.Thread(target=mend)
    thread.start()
    mending.wait()
    with store.hold_for_recording():
        assert store.status()["recording"] is True
    thread.join()


def test_a_reader_beside_a_live_recorder_neither_ends_its_session_nor_cuts_its_pack(store: EpisodicStore):
    with store.hold_for_recording():
        session = store.begin_session("camera", START, 0, 2)
        add(store, session.id, 0)
        pack = store.packs.path(1)
        with pack.open("ab") as half_written:
            half_written.write(b"WKF1")
        before = pack.stat().st_size
        with EpisodicStore.open(store.directory) as reader:
            assert reader.sessions()[0].ended_at is None
            assert reader.count() == 1
        assert pack.stat().st_size == before
    with EpisodicStore.open(store.directory) as reader:
        assert pack.stat().st_size == before - 4
        assert reader.sessions()[0].ended_at == START
