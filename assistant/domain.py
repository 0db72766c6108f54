"""Domain: how unlike its training pictures is what a checkpoint is shown?

A small tower maps any picture onto the few things it was taught, so its embeddings do not tell a real kitchen from a
drawn one. The grain of the full picture does: how its brightness changes from pixel to pixel at three scales. A
Gaussian over the grain of training pictures gives a distance; beyond a threshold that nearly all of them keep,
pictures are "unlike anything this checkpoint was trained on".

Numpy and OpenCV only: this file does not know models or files of pictures. n pictures, D numbers of grain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file, save_file

FILE = "domain.safetensors"
SHRINKAGE = 0.05
SCALES = (1, 2, 4)
QUANTILES = (0.25, 0.5, 0.75, 0.95)
SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Domain:
    """`mean` (D,) and `precision` (D, D) of training pictures' grain, and the distance `threshold` they keep below."""

    mean: np.ndarray
    precision: np.ndarray
    threshold: float

    @classmethod
    def fit(cls, grain: np.ndarray, quantile: float = 0.98) -> "Domain":
        """Grain of training pictures (n, D) -> Domain; `quantile` of them lie within the threshold.

        The covariance is shrunk towards a sphere, so that it can be inverted even where n < D.
        """
        vectors = grain.astype(np.float64)
        mean = vectors.mean(axis=0)
        covariance = np.cov(vectors, rowvar=False, bias=True)
        sphere = np.eye(len(mean)) * max(covariance.trace() / len(mean), SMALLEST_VARIANCE)
        precision = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)
        threshold = np.quantile(cls(mean, precision, np.inf).distance(vectors), quantile)
        return cls(mean.astype(np.float32), precision.astype(np.float32), float(threshold))

    def distance(self, grain: np.ndarray) -> np.ndarray:
        """Grain (n, D) -> Mahalanobis distances (n,)."""
        offset = grain.astype(np.float64) - self.mean
        return np.sqrt(np.einsum("nd,de,ne->n", offset, self.precision.astype(np.float64), offset).clip(min=0))

    def is_foreign(self, grain: np.ndarray) -> bool:
        """Whether most of these pictures' grain (n, D) lies beyond the threshold; no pictures are never foreign."""
        return len(grain) > 0 and float(np.median(self.distance(grain))) > self.threshold

    def save(self, folder: Path) -> None:
        """Write `folder`/domain.safetensors."""
        threshold = np.array([self.threshold], dtype=np.float32)
        save_file({"mean": self.mean, "precision": self.precision, "threshold": threshold}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Domain":
        """Read what `save` wrote. Raises KeyError, OSError or SafetensorError where it is not that."""
        tensors = load_file(folder / FILE)
        return cls(tensors["mean"], tensors["precision"], float(tensors["threshold"][0]))


def grain_of(images: Sequence[np.ndarray]) -> np.ndarray:
    """RGB pictures (H, W, 3) uint8 as they were stored -> (n, D): log quantiles of their gradients at three scales."""
    return np.array([_grain(image) for image in images], dtype=np.float32)


def _grain(image: np.ndarray) -> list[float]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    found: list[float] = []
    for scale in SCALES:
        height, width = (max(3, side // scale) for side in grey.shape)
        smaller = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        for change in (np.diff(smaller, axis=1), np.diff(smaller, axis=0), cv2.Laplacian(smaller, cv2.CV_32F)):
            found += np.log(np.quantile(np.abs(change), QUANTILES) + 1e-3).tolist()
    return found
