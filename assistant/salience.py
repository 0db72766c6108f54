"""Salience: which keyframes deserve their full picture, once a model has seen them.

While the wearer walks, every second looks new and nothing happens, so a gate on pixels keeps everything. The compressed
embedding of a frame tells whether something is going on in it: a linear reading of it, learned from narrations, finds
the frames of an act. A salient frame is kept in full unless it is nearly the one kept before it; of the others, one a
minute is. A checkpoint without a reading, or one that is shown pictures unlike those it was trained on, keeps what
differs from the last frame kept.

Numpy only: this file does not know models, stores or pictures. n frames, C numbers of an embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FILE = "salience.safetensors"
RIDGE = 1.0
SAME, SAME_WITHIN_S = 0.96, 3.0  # cosine to the frame kept last, and for how long that counts
ALWAYS_AFTER_S = 60.0
UNREAD_SAME, UNREAD_ALWAYS_AFTER_S = 0.97, 10.0


@dataclass(frozen=True, slots=True)
class Salience:
    """A frame is salient where `weight` (C,) . embedding + `bias` is above zero."""

    weight: np.ndarray
    bias: float

    @classmethod
    def fit(cls, compressed: np.ndarray, is_key: np.ndarray, share: float) -> "Salience":
        """Embeddings (n, C) and which of them show an act (n,) -> a reading by which `share` of them are salient."""
        ones = np.ones((len(compressed), 1))
        inputs = np.hstack([compressed, ones]).astype(np.float64)
        gram = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
        solved = np.linalg.solve(gram, inputs.T @ (2.0 * is_key - 1.0))
        threshold = np.quantile(inputs @ solved, 1 - share)
        return cls(solved[:-1].astype(np.float32), float(solved[-1] - threshold))

    def is_salient(self, compressed: np.ndarray) -> np.ndarray:
        """Embeddings (n, C) -> (n,) bool."""
        return np.asarray(compressed @ self.weight + self.bias > 0)

    def save(self, folder: Path) -> None:
        """Write `folder`/salience.safetensors."""
        save_file({"weight": self.weight, "bias": np.array([self.bias], np.float32)}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Salience":
        """Read what `save` wrote. Raises KeyError, OSError or SafetensorError where it is not that."""
        tensors = load_file(folder / FILE)
        return cls(tensors["weight"], float(tensors["bias"][0]))


@dataclass(frozen=True, slots=True)
class Kept:
    """The frame that was kept last: when it was seen, and its embedding (C,)."""

    captured_at: float
    embedding: np.ndarray


def worth_keeping(
    captured_at: Sequence[float], embeddings: np.ndarray, salience: Salience | None, last: Kept | None
) -> list[int]:
    """Which of n frames in time order, with embeddings (n, C), deserve their full picture; `last` was kept before."""
    salient = salience.is_salient(embeddings) if salience else np.ones(len(embeddings), bool)
    same, within_s = (SAME, SAME_WITHIN_S) if salience else (UNREAD_SAME, np.inf)
    always_after_s = ALWAYS_AFTER_S if salience else UNREAD_ALWAYS_AFTER_S
    kept = []
    for i, (at, embedding) in enumerate(zip(captured_at, embeddings, strict=True)):
        if last is not None and abs(at - last.captured_at) < always_after_s:
            is_near = abs(at - last.captured_at) <= within_s
            if not salient[i] or (is_near and cosine(embedding, last.embedding) >= same):
                continue
        kept.append(i)
        last = Kept(at, embedding)
    return kept


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))
