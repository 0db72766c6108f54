"""What the line at the top says of recorder and disk, in words and marks."""

from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Thread

import pytest

from device.service import Service
from device.state import State
from store.config import CameraSettings, Capture, Config, Disk
from store.episodic import EpisodicStore
from store.records import Hold
from tui.standing import Standing, look

STATE = State(
    state="recording", since=0.0, until=None, source="usb:0", shape="640x480", session=1, last_keyframe_at=None,
    keyframes=312, fps_wanted=1.0, fps_got=1.0, drops={"recorder was late": 2}, lag_s=0.0, gaps=0,
    sound={"source": "camera", "problem": ""}, disk_free_bytes=10**10, days_left=12.5, warnings=(), pid=1,
    started_at=0.0,
)  # fmt: skip
NOBODY = Standing(None, False, None, 41_200_000_000)


def of(**changed: object) -> Standing:
    return replace(NOBODY, recorder={**asdict(replace(STATE, **changed)), "running": True}, is_recording=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("standing", "mark", "state"),
    [
        (NOBODY, "○", "not recording"),
        (replace(NOBODY, hold=Hold("private", 0.0, None)), "○", "not recording, private"),
        (replace(NOBODY, is_recording=True), "●", "recording a film"),
        (of(), "●", "recording"),
        (of(state="paused"), "‖", "paused"),
        (of(state="private"), "‖", "private"),
        (of(state="camera unplugged"), "▲", "camera unplugged"),
        (of(state="disk full"), "▲", "disk full"),
    ],
)
def test_every_state_has_its_words_and_its_mark(standing: Standing, mark: str, state: str) -> None:
    assert (standing.mark, standing.state) == (mark, state)


def test_what_is_urgent_comes_first() -> None:
    facts = of(warnings=("Only 1.0 GB are free.",)).facts
    assert facts == ["Only 1.0 GB are free.", "2 dropped", "312 keyframes", "room for 12.5 days", "41.2 GB free"]


def test_it_is_held_whether_a_recorder_runs_or_not() -> None:
    assert of(state="private").is_held and replace(NOBODY, hold=Hold("paused", 0.0, None)).is_held
    assert not of().is_held and not NOBODY.is_held


def test_a_real_recorder_is_looked_at(tmp_path: Path) -> None:
    stop = Event()
    config = Config(capture=Capture(fps=5.0), disk=Disk(reserve_bytes=64 * 2**20))
    with EpisodicStore.open(tmp_path / "memory") as recorded, EpisodicStore.open(tmp_path / "memory") as looked_at:
        assert look(looked_at).state == "not recording"
        recorder = Thread(target=Service(recorded, CameraSettings(uri="usb:99"), config, stop).run)
        recorder.start()
        try:
            while not (standing := look(looked_at)).recorder:
                assert recorder.is_alive()
        finally:
            stop.set()
            recorder.join()
        assert standing.state == "waiting for camera" and standing.mark == "▲"
        assert look(looked_at) == replace(look(looked_at), recorder=None, is_recording=False)
