"""NoveltyGate: is this picture worth remembering? Pure: no clock of its own, no file, no model.

Each picture is reduced to 64 x 36 cells of colour and compared with the last one kept. Novelty is the largest change
of red, green or blue in any window of 4 x 4 cells, measured in the contrast (standard deviation) of the last one kept:
a mug put down in a corner counts as much as a turned head and a dim room as much as a bright one, while the noise of
the sensor averages out. A gate that is in doubt keeps: while the wearer walks it keeps every frame.

This file does not know where pictures come from or how they are stored.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from device.frame import Frame

GRID = (64, 36)  # cells across and down
WINDOW = (4, 4)
SAMPLES_A_CELL = 4  # pixels read across one cell, enough to average the noise of the sensor
LEAST_CONTRAST = 16.0  # levels of 255; below it, in the dark, noise would count as news
COVERED_SPREAD, COVERED_LEVEL = 5.0, 40.0  # levels of 255: a hand on the lens, or a night without a light
CLOCK_SLACK_S = 0.001  # UTC seconds since 1970 hold a float's microseconds only just


@dataclass(frozen=True, slots=True)
class Verdict:
    """`novelty` is 0 for the same picture and 1 for the first one or a change as large as the picture's contrast."""

    novelty: float
    keep: bool


class NoveltyGate:
    """Keeps the first frame, what is new by `threshold`, and a frame at least every `keyframe_every_s`."""

    def __init__(self, threshold: float = 0.15, keyframe_every_s: float = 10.0) -> None:
        self._threshold, self._every_s = threshold, keyframe_every_s
        self._kept: np.ndarray | None = None
        self._kept_at = 0.0

    def worth(self, frame: Frame) -> Verdict:
        """Judge this frame against the last one kept; frames come in time order."""
        cells = reduce(frame.image)
        novelty = 1.0 if self._kept is None else difference(cells, self._kept)
        # a clock set back must not silence the gate until it has caught up, hence the absolute value
        due = abs(frame.captured_at - self._kept_at) >= self._every_s - CLOCK_SLACK_S
        keep = self._kept is None or novelty >= self._threshold or due
        if keep:
            self._kept, self._kept_at = cells, frame.captured_at
        return Verdict(novelty, keep)


def reduce(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (36, 64, 3) uint8."""
    stride = max(1, min(image.shape[0] // GRID[1], image.shape[1] // GRID[0]) // SAMPLES_A_CELL)
    return cv2.resize(image[::stride, ::stride], GRID, interpolation=cv2.INTER_AREA)


def is_covered(image: np.ndarray) -> bool:
    """Whether an (H, W, 3) uint8 picture shows nothing at all: dark, and the same everywhere."""
    cells = reduce(image)
    return bool(cells.mean() < COVERED_LEVEL and cells.std(axis=(0, 1)).max() < COVERED_SPREAD)


def difference(cells: np.ndarray, kept: np.ndarray) -> float:
    """The largest windowed change between two reduced pictures, in the contrast of the second; 0 and up."""
    change = cv2.blur(cv2.absdiff(cells, kept).astype(np.float32), WINDOW)
    return float(change.max()) / max(float(kept.std()), LEAST_CONTRAST)
