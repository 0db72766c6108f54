"""The contract of every camera, the same assertions for each; and addresses that lead nowhere."""

import http.server
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

import device.decoder
import device.stream
from device.camera import Camera, is_live, open_camera
from device.frame import SAMPLE_RATE_HZ, AudioBlock, Frame
from store.errors import CameraError, UserError

LENGTH_S = 6
FILMS = {"film.mp4": "libx264", "film.mkv": "libx264", "film.webm": "libvpx-vp9", "film.avi": "mjpeg"}
CAMERAS = [*FILMS, "file://", "http://", "sim://"]

Open = Callable[[float], Camera]


def shoot(path: Path, fps: int = 8) -> Path:
    """A white square that moves over grey."""
    codec = FILMS[path.name]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps, width=160, height=96)
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.options = {"deadline": "realtime"} if codec == "libvpx-vp9" else {}
        for number in range(LENGTH_S * fps):
            image = np.full((96, 160, 3), 90, np.uint8)
            image[30:60, 2 * number : 2 * number + 30] = 255
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(video.encode(picture))
        container.mux(video.encode())
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server of `tmp_path`."""
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=CAMERAS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the camera of this name at a wanted rate; each lasts LENGTH_S."""
    kind = request.param
    if kind in FILMS:
        return partial(open_camera, str(shoot(tmp_path / kind)))
    if kind == "file://":
        return partial(open_camera, shoot(tmp_path / "film.mp4").as_uri())
    if kind == "http://":
        shoot(tmp_path / "film.mkv")
        return partial(open_camera, f"http://{request.getfixturevalue('served')}/film.mkv")
    pytest.importorskip("device.simulated.camera", reason="the simulated camera is not here")
    return partial(open_camera, f"sim://home?seed=7&minutes={LENGTH_S / 60}&width=160&height=120")


@dataclass
class Walk:
    """All that a camera gave; `late_s` is how long after its own time each picture came."""

    live: bool
    shape: str = ""
    frames: list[Frame] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    blocks: list[AudioBlock] = field(default_factory=list)


def walk(camera: Camera) -> Walk:
    """To the end, which a live camera may not know from breaking off."""
    walked = Walk(camera.live)
    with suppress(CameraError) if camera.live else nullcontext():
        for frame in camera.frames(walked.blocks.append):
            walked.late_s.append(time.time() - frame.captured_at)
            walked.frames.append(frame)
            walked.shape = camera.shape
    return walked


def assert_contract(walked: Walk, wanted_fps: float, length_s: float, sound_s: float) -> None:
    """What every camera promises. A live one may be joined late, and counts seconds by two clocks."""
    assert_pictures(walked.frames)
    steps_s = np.diff([frame.captured_at for frame in walked.frames])
    if walked.live:
        assert (length_s - 2) * wanted_fps <= len(walked.frames) <= length_s * wanted_fps + 1
        assert (steps_s >= 0).all()
        assert min(walked.late_s) >= 0 and max(walked.late_s) < device.stream.DRIFT_S + 1
    else:
        assert len(walked.frames) == length_s * wanted_fps
        assert np.allclose(steps_s, 1 / wanted_fps, atol=0.01)
    height_px, width_px = walked.frames[0].image.shape[:2]
    assert re.fullmatch(rf"{width_px} x {height_px}( at [\d.]+ fps)?, \w+", walked.shape)
    assert_sound(walked.blocks, sound_s, 2.0 if walked.live else 0.2)


def assert_pictures(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.image.dtype == np.uint8 and frame.image.shape[2:] == (3,)
        assert frame.image.flags.c_contiguous
        assert abs(frame.zone_offset_s) <= 14 * 3600
        assert frame.captured_at > 1_000_000_000


def assert_sound(blocks: list[AudioBlock], sound_s: float, slack_s: float) -> None:
    assert sum(block.samples.size for block in blocks) / SAMPLE_RATE_HZ == pytest.approx(sound_s, abs=slack_s)
    assert (np.diff([block.captured_at for block in blocks]) >= 0).all()
    for block in blocks:
        assert block.samples.dtype == np.int16
        assert 0 < block.samples.size <= SAMPLE_RATE_HZ


def wait_until(done: Callable[[], bool], patience_s: float = 20.0) -> None:
    until_s = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def test_a_camera_says_where_it_is_and_how_long_it_lasts(opened: Open) -> None:
    camera = opened(1.0)
    assert camera.source and not camera.live
    assert camera.length_s == pytest.approx(LENGTH_S, abs=0.2)
    camera.close()


@pytest.mark.parametrize("wanted_fps", [1.0, 2.0])
def test_a_camera_keeps_the_contract(opened: Open, wanted_fps: float) -> None:
    with closing(opened(wanted_fps)) as camera:
        walked = walk(camera)
    assert_contract(walked, wanted_fps, LENGTH_S, sound_s=0.0)
    assert all(frame.image.shape[1] == 160 for frame in walked.frames)


def test_the_same_source_gives_the_same_pictures_and_they_change(opened: Open) -> None:
    once, again = opened(1.0), opened(1.0)
    first = [frame.image for frame in once.frames()]
    once.close()
    second = [frame.image for frame in again.frames()]
    again.close()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], first[-1])


def test_a_camera_may_be_closed_midway_and_twice(opened: Open) -> None:
    camera = opened(1.0)
    frames = camera.frames()
    next(frames)
    camera.close()
    camera.close()
    again = opened(1.0)
    assert next(again.frames()).image.any()
    again.close()


@pytest.mark.parametrize(
    "uri, names",
    [
        ("sin://home?seed=7", "sim"),
        ("rtps://192.168.1.20/live", "rtsp"),
        ("sim://home?sed=7", "seed"),
        ("sim://home?minute=3", "minutes"),
    ],
)
def test_a_misspelt_address_is_answered_with_the_nearest_known_one(uri: str, names: str) -> None:
    with pytest.raises(UserError) as refused:
        open_camera(uri)
    assert uri in refused.value.message
    assert names in refused.value.hint
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "uri", ["sim://home?seed=x", "sim://home?minutes=0", "sim://home?speed=-1", "sim://home?width=nan", "sim://moon"]
)
def test_a_value_that_cannot_be_meant_is_refused(uri: str) -> None:
    with pytest.raises(UserError) as refused:
        open_camera(uri)
    assert uri in refused.value.message and refused.value.hint


@pytest.mark.parametrize("wanted_fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(wanted_fps: float) -> None:
    with pytest.raises(UserError, match="frames a second"):
        open_camera("sim://home", wanted_fps)


@pytest.mark.parametrize("uri", ["usb:97", "/dev/video97"])
def test_a_camera_that_is_not_plugged_in_is_named(uri: str) -> None:
    with pytest.raises(CameraError, match="^No camera at /dev/video97.$") as refused:
        open_camera(uri)
    assert "sim://home" in refused.value.hint


def test_a_film_whose_name_looks_like_an_address_is_still_a_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shoot(tmp_path / "film.mp4").rename(tmp_path / "10:30 walk?.mp4")
    monkeypatch.chdir(tmp_path)
    camera = open_camera("10:30 walk?.mp4")
    assert camera.source == str(tmp_path / "10:30 walk?.mp4")
    assert len(list(camera.frames())) == LENGTH_S


def test_a_password_is_used_but_never_handed_on(tmp_path: Path, served: str) -> None:
    shoot(tmp_path / "film.mkv")
    assert open_camera(f"http://me:secret@{served}/film.mkv").source == f"http://{served}/film.mkv"
    with pytest.raises(CameraError) as refused:
        open_camera(f"http://me:secret@{served}/missing.mkv")
    assert "missing.mkv" in refused.value.message and "secret" not in refused.value.message


def test_a_network_camera_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.decoder, "READ_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(CameraError, match="no answer for 0.3 s"):
            open_camera(uri)


@pytest.mark.parametrize(
    ("uri", "live"),
    [
        *((uri, True) for uri in ("usb:97", "/dev/v4l/by-id/glasses", "rtsp://127.0.0.1:9/live", "srt://127.0.0.1:9")),
        ("rtmp+listen://127.0.0.1:9/live", True),  # nobody is waited for to find out
        ("http://127.0.0.1:9/live", True),  # does not answer now, and may later
        ("sim://home?minutes=1&speed=1", True),
        ("sim://home?minutes=1", False),
        ("film.mp4", False),
        ("file:///film.mp4", False),
    ],
)
def test_it_is_told_from_the_address_what_must_be_read_at_once(uri: str, live: bool) -> None:
    assert is_live(uri) == live


def test_a_film_on_a_server_is_not_live(tmp_path: Path, served: str) -> None:
    shoot(tmp_path / "film.mkv")
    assert not is_live(f"http://{served}/film.mkv")
