"""The recorder on a real store, fed by a camera that does what a line of letters says, one a second.

f is a new picture, s the same picture again, . nothing, E the camera fails, D the disk fills up and then a picture.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from device.film import Film
from device.frame import SAMPLE_RATE_HZ, AudioBlock, Frame
from device.recorder import record
from device.state import Recorded
from store.config import Capture, Sound
from store.episodic import EpisodicStore
from store.errors import CameraError, DiskFull, MemoryBusy, UserError
from store.records import Keyframe
from store.upkeep.check import check

START_AT = 1_760_000_000.0
ZONE_OFFSET_S = 7200
SETTINGS = Capture(fps=1.0)


class ScriptedCamera:
    """A camera after `script`; picture number n is a grey that differs from its neighbours'."""

    def __init__(self, script: str, started_at: float = START_AT) -> None:
        self.source = "scripted"
        self.length_s: float | None = None
        self._script, self._started_at = script, started_at

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        image = picture(0)
        for second, act in enumerate(self._script):
            if act == "E":
                raise CameraError("The camera was unplugged.", "Plug it in.")
            if act == "D":
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
            if act == "f":
                image = picture(second)
            if act != ".":
                yield Frame(image, self._started_at + second, ZONE_OFFSET_S)

    def close(self) -> None:
        pass


def picture(number: int) -> np.ndarray:
    image = np.full((96, 160, 3), 40 + 50 * (number % 4), np.uint8)
    image[:48] = (200, 30, 10)
    return image


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


def captured_s(store: EpisodicStore) -> list[float]:
    return [keyframe.captured_at - START_AT for keyframe in store.keyframes()]


def test_new_pictures_are_kept_and_repeated_ones_only_every_ten_seconds(store: EpisodicStore) -> None:
    recorded = record(store, ScriptedCamera("ffff" + "s" * 12 + "f"), SETTINGS)
    assert captured_s(store) == [0, 1, 2, 3, 13, 16]
    assert (recorded.frames, recorded.kept, recorded.gaps, recorded.duration_s) == (17, 6, 0, 16)


def test_the_session_begins_at_the_first_frame_and_ends_at_the_last(store: EpisodicStore) -> None:
    recorded = record(store, ScriptedCamera("...ffff"), SETTINGS)
    [session] = store.sessions()
    assert recorded.session is not None and recorded.session.id == session.id
    assert (session.source, session.started_at - START_AT, session.zone_offset_s) == ("scripted", 3, ZONE_OFFSET_S)
    assert session.ended_at == START_AT + 6
    assert session.ended_because == recorded.ended_because == "camera ended"


def test_a_keyframe_holds_the_picture_that_was_seen(store: EpisodicStore) -> None:
    record(store, ScriptedCamera("f"), SETTINGS)
    [keyframe] = store.keyframes()
    seen = cv2.imdecode(np.frombuffer(store.jpeg(keyframe), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert seen is not None and np.abs(seen.astype(int) - picture(0)).mean() < 3
    assert (keyframe.width_px, keyframe.height_px, keyframe.zone_offset_s) == (160, 96, ZONE_OFFSET_S)
    assert keyframe.novelty == 1.0


@pytest.mark.parametrize(
    "script, fps, gaps",
    [
        ("ff....ff", 1.0, []),
        ("ff.....ff", 1.0, [(1, 7)]),
        ("f......s.......f", 1.0, [(0, 7), (7, 15)]),
        ("f......f...........f", 0.3, [(7, 19)]),
    ],
)
def test_a_silence_of_more_than_five_seconds_and_three_ticks_is_a_gap(
    store: EpisodicStore, script: str, fps: float, gaps: list[tuple[int, int]]
) -> None:
    recorded = record(store, ScriptedCamera(script), replace(SETTINGS, fps=fps))
    assert [(gap.started_at - START_AT, gap.ended_at - START_AT) for gap in store.gaps()] == gaps
    assert recorded.gaps == len(gaps)
    assert all(gap.reason == "no picture from the camera" for gap in store.gaps())


@pytest.mark.parametrize("script", ["ffffE", "ff......fE", "ffffssEff", "fE"])
def test_a_camera_that_fails_takes_nothing_with_it(store: EpisodicStore, script: str) -> None:
    with pytest.raises(CameraError, match="unplugged"):
        record(store, ScriptedCamera(script), SETTINGS)
    assert len(store.keyframes()) == script.partition("E")[0].count("f")
    assert all(store.jpeg(keyframe) for keyframe in store.keyframes())
    assert store.sessions()[0].ended_because == "camera failed: The camera was unplugged."
    assert check(store).clean


@pytest.mark.parametrize("script", ["E", "...E"])
def test_a_camera_that_fails_before_its_first_frame_leaves_no_session(store: EpisodicStore, script: str) -> None:
    with pytest.raises(CameraError):
        record(store, ScriptedCamera(script), SETTINGS)
    assert store.sessions() == []


def test_after_a_failure_the_next_session_goes_on_beside_the_first(store: EpisodicStore) -> None:
    with pytest.raises(CameraError):
        record(store, ScriptedCamera("ffE"), SETTINGS)
    record(store, ScriptedCamera("ff", START_AT + 60), SETTINGS)
    assert captured_s(store) == [0, 1, 60, 61]
    assert len(store.sessions()) == 2


def test_a_full_disk_is_said_and_what_was_committed_stays(store: EpisodicStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(DiskFull):
            record(store, ScriptedCamera("fffDfff"), SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    with EpisodicStore.open(store.directory) as again:
        assert captured_s(again)[:3] == [0, 1, 2]
        assert all(again.jpeg(keyframe) for keyframe in again.keyframes())
        assert again.sessions()[0].ended_at is not None
        assert check(again).clean
        record(again, ScriptedCamera("ff", START_AT + 60), SETTINGS)
        assert captured_s(again)[-2:] == [60, 61]


def test_a_recorder_that_is_asked_to_stop_stops_before_the_next_frame(store: EpisodicStore) -> None:
    stop = Event()

    def stop_after_three(recorded: Recorded) -> None:
        if recorded.frames == 3:
            stop.set()

    recorded = record(store, ScriptedCamera("f" * 9), SETTINGS, progress=stop_after_three, stop=stop)
    assert captured_s(store) == [0, 1, 2]
    assert recorded.ended_because == store.sessions()[0].ended_because == "stopped"


def test_a_keyframe_is_announced_only_once_it_can_be_read(store: EpisodicStore) -> None:
    announced: list[int] = []

    def read_back(keyframe: Keyframe) -> None:
        assert store.jpeg(store.keyframe(keyframe.id))
        announced.append(keyframe.id)

    record(store, ScriptedCamera("ffsf"), SETTINGS, on_keyframe=read_back)
    assert announced == [keyframe.id for keyframe in store.keyframes()]


@pytest.mark.parametrize("fps", [1.0, 0.25])
def test_the_heartbeat_is_never_older_than_five_seconds(store: EpisodicStore, fps: float) -> None:
    step_s = int(1 / fps)
    ages_s: list[float] = []

    def listen(recorded: Recorded) -> None:
        ages_s.append(recorded.last_at - store.sessions()[0].heartbeat_at)

    script = "f" + ("." * (step_s - 1) + "s") * 30
    record(store, ScriptedCamera(script), replace(SETTINGS, fps=fps, keyframe_every_s=1000), progress=listen)
    assert len(ages_s) == 31
    assert max(ages_s) + step_s <= 5


def test_a_second_recorder_is_refused_and_the_first_goes_on(store: EpisodicStore) -> None:
    refusals: list[str] = []

    def record_as_well(keyframe: Keyframe) -> None:
        with EpisodicStore.open(store.directory) as other, pytest.raises(MemoryBusy) as refused:
            record(other, ScriptedCamera("ff", START_AT + 60), SETTINGS)
        refusals.append(refused.value.message)

    recorded = record(store, ScriptedCamera("fss"), SETTINGS, on_keyframe=record_as_well)
    assert len(refusals) == 1
    assert (recorded.frames, len(store.sessions())) == (3, 1)


def film_of_moving_squares(path: Path, seconds: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1, (160, 96))
    for second in range(seconds):
        writer.write(np.roll(picture(second), second * 7, axis=1))
    writer.release()
    return path


def test_a_film_is_imported_once_unless_another_start_is_given(store: EpisodicStore, tmp_path: Path) -> None:
    path = film_of_moving_squares(tmp_path / "film.avi", 4)
    recorded = record(store, Film(path), SETTINGS)
    assert recorded.ended_because == "end of film" and recorded.session is not None
    with pytest.raises(UserError, match=f"already in this memory: session {recorded.session.id} of"):
        record(store, Film(path), SETTINGS)
    assert (len(store.sessions()), len(store.keyframes())) == (1, 4)
    later = Film(path).started_at.replace(year=2027)
    record(store, Film(path, recorded_at=later), SETTINGS)
    assert (len(store.sessions()), len(store.keyframes())) == (2, 8)


def test_a_film_cut_off_is_kept_as_far_as_it_goes(store: EpisodicStore, tmp_path: Path) -> None:
    path = film_of_moving_squares(tmp_path / "film.avi", 100)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(CameraError, match="ends early"):
        record(store, Film(path), SETTINGS)
    assert 40 < len(store.keyframes()) < 60
    assert "ends early" in (store.sessions()[0].ended_because or "")


class SpokenCamera(ScriptedCamera):
    """Scripted, with a second of sound beside every picture."""

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        for frame in super().frames():
            yield frame
            if on_sound:
                on_sound(AudioBlock(np.full(SAMPLE_RATE_HZ, 100, np.int16), frame.captured_at))


@pytest.mark.parametrize(("sound", "heard_s"), [(None, []), (Sound("off"), []), (Sound("camera"), [(0, 10), (10, 12)])])
def test_a_cameras_own_sound_is_kept_where_it_is_wanted(
    store: EpisodicStore, sound: Sound | None, heard_s: list[tuple[int, int]]
) -> None:
    record(store, SpokenCamera("f" * 12), SETTINGS, sound=sound)
    assert [(each.started_at - START_AT, each.ended_at - START_AT) for each in store.sounds()] == heard_s


RECORD_UNTIL_KILLED = """
import sys
from pathlib import Path
from device.film import Film
from device.recorder import record
from store.config import Capture
from store.episodic import EpisodicStore
with EpisodicStore.open(Path(sys.argv[1])) as store:
    film, settings = Film(Path(sys.argv[2])), Capture(fps=1.0)
    record(store, film, settings, on_keyframe=lambda keyframe: print(keyframe.id, flush=True))
"""


def test_a_recorder_killed_midway_loses_nothing_it_had_announced(tmp_path: Path) -> None:
    film, directory = film_of_moving_squares(tmp_path / "film.avi", 3000), tmp_path / "memory"
    command = [sys.executable, "-c", RECORD_UNTIL_KILLED, str(directory), str(film)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        announced = [int(recorder.stdout.readline()) for _ in range(20)]
        recorder.kill()
        announced += [int(line) for line in recorder.stdout.read().split()]
    with EpisodicStore.open(directory) as store:
        kept = store.keyframes_by_id(announced)
        assert all(store.jpeg(keyframe) for keyframe in kept)
        assert store.count() < 3000
        [session] = store.sessions()
        assert session.ended_because == "process killed"
        assert check(store).clean
