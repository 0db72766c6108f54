"""From the model's own probability of an answer to the chance that it is right: Platt scaling, two numbers.

The two numbers come with the checkpoint (`config.calibration`) and were fitted on homes that nothing else was learned
from; (1, 0) changes nothing. The answer path and the examination both go through here. This file does not know how the
numbers are fitted; see evaluation/calibration.py.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

EDGE = 1e-6  # confidences nearer to 0 or 1 than this are taken as this near: their logit is not finite


def calibrated(confidence: ArrayLike, a: float, b: float) -> np.ndarray:
    """Raw confidences of any shape -> sigmoid(a * logit + b), the chance of being right; a >= 0 keeps their order."""
    return sigmoid(a * logit(confidence) + b)


def logit(chance: ArrayLike) -> np.ndarray:
    """Finite for every chance in [0, 1]."""
    within = np.clip(np.asarray(chance, float), EDGE, 1 - EDGE)
    return np.log(within) - np.log1p(-within)


def sigmoid(score: np.ndarray) -> np.ndarray:
    """The inverse of `logit`."""
    return np.exp(-np.logaddexp(0, -score))


def save_calibration(folder: Path, a: float, b: float) -> None:
    """Write both numbers into a checkpoint's config.json, which gives it another fingerprint."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "calibration": [a, b]}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
