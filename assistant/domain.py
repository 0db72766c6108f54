"""Domain: how unlike its training pictures is what a checkpoint is shown?

A Gaussian over the recall embeddings of the training pictures; the Mahalanobis distance of a new embedding to it says
"unlike anything this checkpoint was trained on" once it passes a threshold that nearly all training pictures keep.
Numpy only: this file does not know models or pictures. n pictures, D width of the recall space.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FILE = "domain.safetensors"
SHRINKAGE = 0.05
SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Domain:
    """`mean` (D,) and `precision` (D, D) of the training pictures, and the distance `threshold` they keep below."""

    mean: np.ndarray
    precision: np.ndarray
    threshold: float

    @classmethod
    def fit(cls, embeddings: np.ndarray, quantile: float = 0.995) -> "Domain":
        """Training embeddings (n, D) -> Domain; `quantile` of them lie within the threshold.

        The covariance is shrunk towards a sphere, so that it can be inverted even where n < D.
        """
        vectors = embeddings.astype(np.float64)
        mean = vectors.mean(axis=0)
        covariance = np.cov(vectors, rowvar=False, bias=True)
        sphere = np.eye(len(mean)) * max(covariance.trace() / len(mean), SMALLEST_VARIANCE)
        precision = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)
        threshold = np.quantile(cls(mean, precision, np.inf).distance(vectors), quantile)
        return cls(mean.astype(np.float32), precision.astype(np.float32), float(threshold))

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) -> Mahalanobis distances (n,)."""
        offset = embeddings.astype(np.float64) - self.mean
        return np.sqrt(np.einsum("nd,de,ne->n", offset, self.precision.astype(np.float64), offset).clip(min=0))

    def is_foreign(self, embeddings: np.ndarray) -> bool:
        """Whether most of these pictures (n, D) lie beyond the threshold; no pictures are never foreign."""
        return len(embeddings) > 0 and float(np.median(self.distance(embeddings))) > self.threshold

    def save(self, folder: Path) -> None:
        """Write `folder`/domain.safetensors."""
        threshold = np.array([self.threshold], dtype=np.float32)
        save_file({"mean": self.mean, "precision": self.precision, "threshold": threshold}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Domain":
        """Read what `save` wrote. Raises KeyError, OSError or SafetensorError where it is not that."""
        tensors = load_file(folder / FILE)
        return cls(tensors["mean"], tensors["precision"], float(tensors["threshold"][0]))
