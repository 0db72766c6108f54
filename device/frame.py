"""Frame and AudioBlock: what a device hands over. This file does not know where they come from or where they go."""

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `image` is (H, W, 3) uint8 RGB; `captured_at` is UTC seconds since 1970."""

    image: np.ndarray
    captured_at: float
    zone_offset_s: int


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Sound. `samples` is (n,) int16, mono, SAMPLE_RATE_HZ; `captured_at` is UTC of its first sample."""

    samples: np.ndarray
    captured_at: float
