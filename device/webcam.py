"""Webcam: a camera plugged into this machine, read with OpenCV through V4L2.

It is asked for the largest sensible picture and says what it really gives. Every picture is grabbed, because a driver
hands out old ones first; only those that are due are decoded. The clock is this machine's at the grab.

This file does not know how cameras are found, nor what becomes of the pictures.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from device.frame import AudioBlock, Frame
from store.errors import CameraError

# in this order: the size a driver offers depends on the format, and the rate on both
WISHES = (
    (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
    (cv2.CAP_PROP_FRAME_WIDTH, 1920),
    (cv2.CAP_PROP_FRAME_HEIGHT, 1080),
    (cv2.CAP_PROP_FPS, 30),
)
FAILURES = 5  # so many in a row, and the camera is gone
BETWEEN_FAILURES_S = 0.1
HINT = "Run: whereabouts cameras, or without a camera: whereabouts record 'sim://home?seed=7&minutes=3'"


class Webcam:
    """Implements device.camera.Camera; a webcam's own microphone is heard by device.microphone."""

    live = True
    length_s: float | None = None

    def __init__(self, path: str, wanted_fps: float = 1.0, interface: int = cv2.CAP_V4L2) -> None:
        """`interface` is how OpenCV reads `path`. Raises CameraError where there is no camera or it does not open."""
        if not Path(path).exists():
            raise CameraError(f"No camera at {path}.", HINT)
        self.source, self._step_s = path, 1 / wanted_fps
        self._capture = cv2.VideoCapture(path, interface)
        if not self._capture.isOpened():
            raise CameraError(
                f"{path} cannot be opened as a camera.",
                "Another program may hold it, or you may not use it: sudo usermod -aG video $USER, then log in again.",
            )
        for wish, value in WISHES:
            self._capture.set(wish, value)
        self.shape = self._obtained()

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        """Walked once, without end. Raises CameraError where the camera gives no picture any more."""
        due_s, failures = 0.0, 0
        while failures < FAILURES:
            grabbed = self._capture.grab()
            captured_at, now_s = time.time(), time.monotonic()
            if grabbed and now_s < due_s:
                continue
            whole, image = self._capture.retrieve() if grabbed else (False, None)
            if not whole or image is None or not image.size:  # a pulled plug may give "whole" and nothing
                failures += 1
                time.sleep(BETWEEN_FAILURES_S)
                continue
            failures = 0
            due_s = max(due_s + self._step_s, now_s + self._step_s / 2)  # a late picture delays no other
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield Frame(rgb, captured_at, time.localtime(captured_at).tm_gmtoff)
        raise CameraError(f"{self.source} gives no picture any more.", "Plug the camera in again.")

    def close(self) -> None:
        self._capture.release()

    def _obtained(self) -> str:
        """ "1280 x 720 at 30 fps, MJPG"."""
        width_px, height_px, fps, code = (
            self._capture.get(what)
            for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC)
        )
        name = int(code).to_bytes(4, "little").decode("ascii", "replace").strip()
        return f"{width_px:.0f} x {height_px:.0f} at {fps:.4g} fps, {name}"
