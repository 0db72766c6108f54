"""Framing: the picture of a camera that is worn or mounted turned, or that sees more than it should.

This file does not know which camera it frames, nor where rotation and crop are configured.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from device.camera import Camera
from device.frame import AudioBlock, Frame
from store.errors import UserError

WHOLE = (0.0, 0.0, 1.0, 1.0)
QUARTERS = (0, 90, 180, 270)

Crop = tuple[float, float, float, float]


class Framed:
    """Any camera, its pictures turned clockwise by `rotation` degrees and then cut to `crop`.

    `crop` is where the left, top, right and bottom edges lie, as fractions of the upright picture.
    Implements device.camera.Camera.
    """

    def __init__(self, camera: Camera, rotation: int = 0, crop: Crop = WHOLE) -> None:
        """Raises UserError for another angle than a quarter turn, or a crop that leaves nothing."""
        if rotation not in QUARTERS:
            raise UserError(f"A picture cannot be rotated by {rotation} degrees.", "Give 0, 90, 180 or 270.")
        left, top, right, bottom = crop
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise UserError(
                f"A picture cannot be cropped to {list(crop)}.",
                "Give left, top, right, bottom as fractions, such as [0.1, 0.0, 0.9, 1.0].",
            )
        self.source, self.length_s, self.live = camera.source, camera.length_s, camera.live
        self._camera, self._quarters, self._crop = camera, rotation // 90, crop

    @property
    def shape(self) -> str:
        return self._camera.shape

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        for frame in self._camera.frames(on_sound):
            yield replace(frame, image=_cut(np.rot90(frame.image, -self._quarters), self._crop))

    def close(self) -> None:
        self._camera.close()


def _cut(image: np.ndarray, crop: Crop) -> np.ndarray:
    """The part of an (H, W, 3) image between the edges, at least one pixel of it."""
    height_px, width_px = image.shape[:2]
    left_px, right_px = _edges_px(crop[0], crop[2], width_px)
    top_px, bottom_px = _edges_px(crop[1], crop[3], height_px)
    return np.ascontiguousarray(image[top_px:bottom_px, left_px:right_px])


def _edges_px(low: float, high: float, length_px: int) -> tuple[int, int]:
    low_px = min(round(low * length_px), length_px - 1)
    return low_px, max(round(high * length_px), low_px + 1)
