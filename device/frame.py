"""Frame: what a camera hands over. This file does not know where frames come from or where they go."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `image` is (H, W, 3) uint8 RGB; `captured_at` is UTC seconds since 1970."""

    image: np.ndarray
    captured_at: float
    zone_offset_s: int
