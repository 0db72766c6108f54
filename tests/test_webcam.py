"""A camera on this machine. Here there is none, so a film is opened by the code that opens a camera."""

import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import device.webcam
from device.frame import Frame
from device.webcam import Webcam
from store.errors import CameraError

FILM_FRAMES = 20


def picture(number: int) -> np.ndarray:
    """BGR; red above, a grey below that tells the number."""
    image = np.full((96, 160, 3), 50 + 8 * number, np.uint8)
    image[:32] = (0, 0, 200)
    return image


def shoot(path: Path, frames: int) -> str:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 96))
    for number in range(frames):
        writer.write(picture(number % FILM_FRAMES))
    writer.release()
    return str(path)


@pytest.fixture
def film(tmp_path: Path) -> str:
    return shoot(tmp_path / "film.avi", FILM_FRAMES)


def walk(camera: Webcam) -> list[Frame]:
    """All frames up to the end, which for a camera is a failure."""
    frames: list[Frame] = []
    with pytest.raises(CameraError, match="no picture any more") as failed:
        frames.extend(camera.frames())
    assert camera.source in failed.value.message and failed.value.hint
    camera.close()
    return frames


def test_a_webcam_says_what_it_really_gives(film: str) -> None:
    camera = Webcam(film, 1.0, cv2.CAP_FFMPEG)
    assert camera.shape == "160 x 96 at 10 fps, MJPG"
    assert (camera.source, camera.live, camera.length_s) == (film, True, None)
    camera.close()


def test_pictures_are_rgb_and_carry_this_machines_clock(film: str) -> None:
    before = time.time()
    frames = walk(Webcam(film, 1e6, cv2.CAP_FFMPEG))
    assert len(frames) == FILM_FRAMES
    for number, frame in enumerate(frames):
        assert (frame.image.shape, frame.image.dtype) == ((96, 160, 3), np.uint8)
        red, green, blue = (int(part) for part in frame.image[8, 8])
        assert red > 180 and green < 30 and blue < 30
        assert abs(frame.image[60:].mean() - (50 + 8 * number)) < 3
    times = [before, *(frame.captured_at for frame in frames), time.time()]
    assert times == sorted(times)
    assert frames[0].zone_offset_s == time.localtime().tm_gmtoff


def test_pictures_that_are_not_due_are_passed_over(film: str) -> None:
    assert len(walk(Webcam(film, 0.1, cv2.CAP_FFMPEG))) == 1


def test_a_camera_much_faster_than_wanted_is_slowed_to_the_wanted_rate(tmp_path: Path) -> None:
    camera = Webcam(shoot(tmp_path / "fast.avi", 4000), 500.0, cv2.CAP_FFMPEG)
    frames = list(islice(camera.frames(), 6))
    camera.close()
    elapsed_s = frames[-1].captured_at - frames[0].captured_at
    assert elapsed_s > 5 / 1000  # a twentieth of a millisecond suffices for one; a busy machine may take more


class Faltering:
    """An opened camera whose cable is loose: of every five grabs one fails, and one gives a picture without pixels."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture, self._grabs = capture, 0

    def grab(self) -> bool:
        self._grabs += 1
        return self._grabs % 5 != 2 and self._capture.grab()

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return (True, np.empty((0, 0, 3), np.uint8)) if self._grabs % 5 == 4 else self._capture.retrieve()

    def release(self) -> None:
        self._capture.release()


def test_a_camera_that_falters_goes_on(film: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.webcam, "BETWEEN_FAILURES_S", 0.001)
    camera = Webcam(film, 1e6, cv2.CAP_FFMPEG)
    monkeypatch.setattr(camera, "_capture", Faltering(camera._capture))
    frames = walk(camera)
    assert len(frames) == FILM_FRAMES * 3 // 4  # of four pictures that were grabbed, one was empty
    assert all(frame.image.any() for frame in frames)


def test_a_camera_may_be_closed_midway_and_twice(film: str) -> None:
    camera = Webcam(film, 1.0, cv2.CAP_FFMPEG)
    assert next(camera.frames()).image.any()
    camera.close()
    camera.close()


def test_a_camera_that_is_not_plugged_in_is_named() -> None:
    with pytest.raises(CameraError, match="^No camera at /dev/video97.$") as refused:
        Webcam("/dev/video97")
    assert "whereabouts cameras" in refused.value.hint and "sim://home" in refused.value.hint


def test_what_is_no_camera_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_text("no camera")
    with pytest.raises(CameraError, match="cannot be opened as a camera") as refused:
        Webcam(str(path))
    assert str(path) in refused.value.message and refused.value.hint
