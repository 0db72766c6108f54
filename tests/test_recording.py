"""One session while it is recorded: every second of it is seen, or in a gap that says why it is not."""

import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.account import Account
from device.frame import SAMPLE_RATE_HZ, AudioBlock, Frame
from device.recording import Recording
from device.room import Room
from store.config import Capture, Disk, Sound
from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryDamaged
from tests.accounting import unaccounted

START_AT = 1_760_000_000.0
SETTINGS = Capture(fps=1.0)
GIB = 2**30
DISK = Disk(reserve_bytes=2 * GIB, warn_bytes=10 * GIB)

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk says is free: set its only element."""
    free_bytes = [100 * GIB]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(200 * GIB, 0, free_bytes[0]))
    return free_bytes


def scene(second: float) -> Frame:
    """A picture unlike those of the seconds beside it."""
    image = np.full((48, 64, 3), 60 + 50 * (int(second) % 4), np.uint8)
    image[:24] = (200, 30, 10)
    return Frame(image, START_AT + second, 3600)


def dark(second: float) -> Frame:
    noise = np.random.default_rng(int(second)).integers(0, 6, (48, 64, 3), dtype=np.uint8)
    return Frame(noise, START_AT + second, 3600)


def gaps(store: EpisodicStore) -> list[tuple[float, float, str]]:
    return [(gap.started_at - START_AT, gap.ended_at - START_AT, gap.reason) for gap in store.gaps()]


def captured_s(store: EpisodicStore) -> list[float]:
    return [keyframe.captured_at - START_AT for keyframe in store.keyframes()]


def test_a_lapse_is_on_disk_while_it_lasts_and_ends_with_the_next_frame(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.take(scene(0))
        for second in range(1, 30):
            recording.lapse("camera unplugged", START_AT + second)
            [(started_s, ended_s, reason)] = gaps(store)
            assert (started_s, reason) == (0, "camera unplugged") and second - ended_s < 5
            assert START_AT + second - store.sessions()[0].heartbeat_at < 5
        assert (recording.lapsed, recording.so_far.gaps) == ("camera unplugged", 1)
        recording.take(scene(30))
        assert (recording.lapsed, gaps(store)) == ("", [(0, 30, "camera unplugged")])
        recording.take(scene(31))
        recording.end("stopped")
    assert captured_s(store) == [0, 30, 31]
    assert gaps(store) == [(0, 30, "camera unplugged")]


def test_a_lapse_for_another_reason_is_another_gap_and_they_adjoin(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.take(scene(0))
        for second, reason in [(3, "camera unplugged"), (4, "camera unplugged"), (7, "private"), (9, "private")]:
            recording.lapse(reason, START_AT + second)
        recording.end("stopped")
    assert gaps(store) == [(0, 4, "camera unplugged"), (4, 9, "private")]
    assert store.sessions()[0].ended_at == START_AT + 9


def test_before_the_first_frame_there_is_nothing_to_account_for(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.lapse("camera unplugged", START_AT)
        recording.end("stopped")
    assert (store.sessions(), store.gaps()) == ([], [])


def test_the_first_picture_after_a_lapse_is_kept_whatever_it_shows(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.take(scene(0))
        recording.lapse("paused", START_AT + 2)
        recording.take(Frame(scene(0).image, START_AT + 3, 3600))
    assert captured_s(store) == [0, 3]


def test_a_covered_lens_is_a_gap_from_its_first_dark_picture_and_keeps_none_of_them(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        for second in range(4):
            recording.take(scene(second))
        for second in range(4, 12):
            recording.take(dark(second))
            assert recording.lapsed == ("lens covered" if second >= 9 else "")
        for second in range(12, 14):
            recording.take(scene(second))
    assert captured_s(store) == [0, 1, 2, 3, 12, 13]
    assert gaps(store) == [(4, 12, "lens covered")]


def test_a_moment_of_darkness_is_no_gap(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        for second in range(12):
            recording.take(dark(second) if second in (3, 4, 5, 6) else scene(second))
    assert gaps(store) == []
    assert captured_s(store) == [0, 1, 2, 7, 8, 9, 10, 11]


def test_a_dim_room_is_no_covered_lens(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        for second in range(12):
            frame = scene(second)
            recording.take(Frame((frame.image * 0.15).astype(np.uint8), frame.captured_at, 0))
    assert gaps(store) == [] and len(captured_s(store)) > 1


def test_below_the_reserve_nothing_is_written_and_above_it_recording_goes_on(
    store: EpisodicStore, free: list[int]
) -> None:
    room = Room(store.directory, DISK)
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, room=room)
        for second in range(30):
            if second == 6:
                free[0] = 2 * GIB - 1
            if second == 15:
                free[0] = 2 * GIB + 1  # not yet a little more than the reserve
            if second == 21:
                free[0] = 3 * GIB
            recording.take(scene(second))
            assert recording.lapsed == ("disk full" if 6 <= second < 21 else "")
            assert bool(room.shortage) == (second >= 6)
    assert captured_s(store) == [*range(6), *range(21, 30)]
    assert gaps(store) == [(5, 21, "disk full")]


def test_a_disk_that_takes_nothing_at_all_is_remembered_and_written_down_later(store: EpisodicStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = Room(store.directory, Disk(reserve_bytes=1, warn_bytes=1))
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, room=room)
        try:
            for second in range(40):
                if second == 10:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
                if second == 30:
                    resource.setrlimit(resource.RLIMIT_FSIZE, before)
                recording.take(scene(second))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        recording.end("stopped")
    kept = captured_s(store)
    [(started_s, ended_s, reason)] = gaps(store)
    assert reason == "disk full" and started_s <= 10 and 30 <= ended_s <= 34
    assert [second for second in kept if started_s < second < ended_s] == []
    assert kept[-1] == 39


def test_without_a_room_a_full_disk_is_raised(store: EpisodicStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.take(scene(0))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
            with pytest.raises(DiskFull):
                recording.take(scene(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.geteuid() != 0, reason="mount needs root")
def test_a_really_full_disk_is_a_gap_and_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    try:
        with EpisodicStore.open(disk / "memory") as store, store.hold_for_recording():
            recording = Recording(store, "camera", SETTINGS, room=Room(disk, Disk(reserve_bytes=1, warn_bytes=1)))
            for second in range(60):
                if second == 20:
                    filler = disk / "filler"
                    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 4096)))
                if second == 40:
                    filler.unlink()
                recording.take(noisy(second))
            recording.end("stopped")
            kept = captured_s(store)
            assert kept[-1] == 59 and set(range(19)) < set(kept)
            assert {reason for *_, reason in gaps(store)} == {"disk full"}
            assert not unaccounted(store)
            assert all(store.jpeg(keyframe) for keyframe in store.keyframes())
    finally:
        subprocess.run(["umount", disk], check=True)


def noisy(second: float) -> Frame:
    """A picture that takes room."""
    noise = np.random.default_rng(int(second)).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Frame(noise, START_AT + second, 3600)


def killed_after(store: EpisodicStore, seconds: int) -> None:
    """A recorder that recorded so many seconds and was killed."""
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        for second in range(seconds):
            recording.take(scene(second))


def test_a_session_whose_recorder_was_killed_goes_on_and_what_was_missed_is_a_gap(store: EpisodicStore) -> None:
    killed_after(store, 3)
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, reopen_within_s=900)
        recording.take(scene(60))
        recording.take(scene(61))
        recording.end("stopped")
    [session] = store.sessions()
    assert (session.ended_at, session.ended_because) == (START_AT + 61, "stopped")
    assert gaps(store) == [(2, 60, "process killed")]
    assert (recording.so_far.duration_s, recording.so_far.kept) == (1, 2)  # of this recorder alone
    assert not unaccounted(store)


@pytest.mark.parametrize("gone", ["the memory", "its packs"])
def test_a_memory_that_is_gone_is_said_and_not_made_again(store: EpisodicStore, gone: str) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, Sound(keep=True))
        recording.take(scene(0))
        recording.take(scene(1))
        recording.hear(tone(1))
        shutil.rmtree(store.directory if gone == "the memory" else store.directory / "packs")
        with pytest.raises(MemoryDamaged, match=f"{store.directory}.* is gone"):
            recording.take(scene(2))
        if gone == "the memory":
            with pytest.raises(MemoryDamaged):
                recording.end("stopped")
            assert not store.directory.exists()


def test_it_goes_on_at_once_even_where_the_camera_does_not_answer(store: EpisodicStore) -> None:
    killed_after(store, 3)
    with store.hold_for_recording():
        recording = Recording(store, "", SETTINGS, reopen_within_s=900)
        for second in range(60, 2000, 10):
            recording.lapse("camera unplugged", START_AT + second)
        recording.source = "camera"
        recording.take(scene(2000))
        recording.end("stopped")
    assert len(store.sessions()) == 1
    assert gaps(store) == [(2, 60, "process killed"), (60, 2000, "camera unplugged")]


@pytest.mark.parametrize(
    ("source", "at_s", "because"), [("camera", 1000, "process killed"), ("other", 60, "another camera")]
)
def test_after_long_or_with_another_camera_a_session_of_its_own_begins(
    store: EpisodicStore, source: str, at_s: int, because: str
) -> None:
    killed_after(store, 3)
    with store.hold_for_recording():
        recording = Recording(store, source, SETTINGS, reopen_within_s=900)
        recording.take(scene(at_s))
        recording.end("stopped")
    first, second = store.sessions()
    assert (first.ended_because, second.source, second.started_at - START_AT) == (because, source, at_s)
    assert store.keyframes()[-1].session_id == second.id


def test_a_session_that_was_stopped_is_over(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.take(scene(0))
        recording.end("stopped")
        again = Recording(store, "camera", SETTINGS, reopen_within_s=900)
        again.take(scene(60))
    assert len(store.sessions()) == 2


def tone(second: float, length_s: float = 0.5) -> AudioBlock:
    at_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return AudioBlock((8000 * np.sin(2 * np.pi * 440 * at_s)).astype(np.int16), START_AT + second)


def test_sound_is_kept_in_chunks_and_a_covered_lens_still_hears(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, Sound(keep=True))
        for half in range(60):
            if half % 2 == 0:
                recording.take(dark(half / 2) if half > 10 else scene(half / 2))
            recording.hear(tone(half / 2))
        recording.end("stopped")
    sounds = store.sounds()
    assert [(sound.started_at - START_AT, sound.ended_at - START_AT) for sound in sounds] == [
        (0, 10),
        (10, 20),
        (20, 30),
    ]
    assert all(store.sound_bytes(sound).startswith(b"OggS") for sound in sounds)
    assert {sound.zone_offset_s for sound in sounds} == {3600}
    assert recording.kept_bytes == sum(k.length_bytes for k in [*store.keyframes(), *sounds])


def test_what_was_heard_before_the_end_is_kept(store: EpisodicStore) -> None:
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS)
        recording.hear(tone(-1))  # of no session yet
        recording.take(scene(0))
        recording.hear(tone(0))
        recording.end("stopped")
    assert [(s.started_at - START_AT, s.ended_at - START_AT) for s in store.sounds()] == [(0, 0.5)]


def test_signs_of_life_are_commits_of_pictures_or_of_why_there_are_none(store: EpisodicStore) -> None:
    signs: list[str] = []
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, on_commit=lambda: signs.append("sign"))
        recording.take(scene(0))
        assert len(signs) == 1
        for second in range(1, 20):
            recording.lapse("paused", START_AT + second)
        assert 4 <= len(signs) <= 6


def test_a_loop_that_takes_frames_and_keeps_none_gives_no_sign_of_life(
    store: EpisodicStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault that systemd's watchdog is there for."""
    signs: list[str] = []
    with store.hold_for_recording():
        recording = Recording(store, "camera", SETTINGS, on_commit=lambda: signs.append("sign"))
        recording.take(scene(0))
        monkeypatch.setattr(recording, "_judge", lambda *_: None)
        for second in range(1, 120):
            recording.take(scene(second))
    assert len(signs) <= 4


def test_an_account_that_could_not_be_written_is_written_whole_later(store: EpisodicStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    session = store.begin_session("camera", START_AT, 0, 1.0)
    account = Account(store, session.id, START_AT)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        for second, reason in [(10, "disk full"), (20, "paused"), (30, "disk full")]:
            with pytest.raises(DiskFull):
                account.lapse(reason, START_AT + second)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert gaps(store) == []
    assert account.write() and not account.write()
    assert gaps(store) == [(0, 10, "disk full"), (10, 20, "paused"), (20, 30, "disk full")]


DAY = """
import sys, time
from pathlib import Path
import numpy as np
from device.frame import Frame
from device.recording import Recording
from device.room import Room
from store.config import Capture, Disk
from store.episodic import EpisodicStore

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

scenes = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), dtype=np.uint8)
marks = []
with EpisodicStore.open(Path(sys.argv[1])) as store, store.hold_for_recording():
    recording = Recording(store, "camera", Capture(fps=0.2), room=Room(store.directory, Disk(1, 1)))
    for tick in range(24 * 720 + 1):
        recording.take(Frame(scenes[tick // 12 % 8], 1.76e9 + 5 * tick, 0))
        if tick in (2 * 720, 24 * 720):
            marks.append(resident())
    recording.end("stopped")
print(*marks, recording.so_far.kept)
"""


@pytest.mark.slow
def test_a_day_of_recording_takes_no_more_memory_than_two_hours(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", DAY, tmp_path], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    early, late, kept = map(int, ran.stdout.split())
    assert kept > 8000
    assert late < 1.02 * early, (early, late)
