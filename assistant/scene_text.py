"""Scene text: the lines that are written in a picture, by rapidocr with the models inside its package.

Half a second of one core for a picture of 640 x 480, so nobody should wait for it. This file does not know keyframes
or times.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

LONGEST_SIDE_PX = 1280
LEAST_CONFIDENCE = 0.85  # below it, patterns of cloth and wood are read as "00:0000"
LEAST_CHARACTERS = 2  # different letters or digits: a lone stroke is rarely a letter
ONE_THREAD = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; `height_px` is how tall it stands in the picture."""

    text: str
    confidence: float
    height_px: float


class SceneReader:
    """Reads upright pictures: lines of text are expected to run from left to right."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._read = RapidOCR(params={"Global.log_level": "critical", "Global.use_cls": False, **ONE_THREAD})

    def read(self, image: np.ndarray) -> list[Line]:
        """A picture (H, W, 3) uint8 RGB -> its lines, from top to bottom, those on one height from left to right."""
        scale = min(1.0, LONGEST_SIDE_PX / max(image.shape[:2]))
        if scale < 1.0:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found: Any = self._read(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if not found.txts:
            return []
        heights = found.boxes[:, :, 1].max(axis=1) - found.boxes[:, :, 1].min(axis=1)  # (n, 4 corners, x y)
        lines = [
            Line(" ".join(text.split()), float(confidence), float(height) / scale)
            for text, confidence, height in zip(found.txts, found.scores, heights, strict=True)
        ]
        return [line for line in lines if _is_text(line)]


def _is_text(line: Line) -> bool:
    return line.confidence >= LEAST_CONFIDENCE and len(set(filter(str.isalnum, line.text))) >= LEAST_CHARACTERS
