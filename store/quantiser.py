"""The quantiser: how a row of float16 numbers becomes a code of some bytes, by which near rows are found in memory.

    row -> turned: the main axes of the rows (PCA), at most 384 -> list: the nearest of at most 4096 directions
        -> code: a byte for every 4 of what is left (product quantisation)

Rows are centred before they are turned and queries are not, so that inner products keep their order; FAISS's own PCA
would centre both. The lists are compared with a query one by one: a graph over them misses a fifth of the near ones.
FAISS is imported when a quantiser is trained or read. This file does not know files, days or keyframes.
"""

import io
from typing import Any, Self

import numpy as np

AXES = 384
AXES_A_BYTE = 4
LISTS = 4096
ROWS_A_LIST = 16  # to train with, at least
TRAINED_ROWS = LISTS * ROWS_A_LIST


class Quantiser:
    """Trained once and then only read; `index` is a FAISS IndexIVFPQ whose lists are whatever is searched."""

    def __init__(self, mean: np.ndarray, axes: np.ndarray, index: Any) -> None:
        self.index = index
        self._mean, self._axes = mean, axes

    @classmethod
    def train(cls, rows: np.ndarray) -> Self:
        """From (n, D) rows, a sample of at least 256 that stands for all; the same rows make the same quantiser."""
        import faiss

        rows = np.asarray(rows, np.float32)
        mean = rows.mean(axis=0)
        bytes_a_row = max(1, min(AXES, rows.shape[1]) // AXES_A_BYTE)
        axes = _main_axes(rows - mean, min(rows.shape[1], bytes_a_row * AXES_A_BYTE))
        lists = min(LISTS, max(1, len(rows) // ROWS_A_LIST))
        nearest = faiss.IndexFlatIP(len(axes))
        index = faiss.IndexIVFPQ(nearest, len(axes), lists, bytes_a_row, 8, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
        index.train((rows - mean) @ axes.T)
        return cls(mean, axes, index)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """ValueError or KeyError if these are not the bytes of one."""
        import faiss

        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            return cls(parts["mean"], parts["axes"], faiss.deserialize_index(parts["index"]))

    def to_bytes(self) -> bytes:
        import faiss

        content = io.BytesIO()
        np.savez(content, mean=self._mean, axes=self._axes, index=faiss.serialize_index(self.index))
        return content.getvalue()

    def code(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, D) rows -> the numbers of their lists (n,) and their codes (n, bytes)."""
        turned = (np.asarray(rows, np.float32) - self._mean) @ self._axes.T
        coded = self.index.sa_encode(turned)
        list_bytes = coded.shape[1] - self.index.code_size
        lists = sum((coded[:, i].astype(np.int32) << 8 * i for i in range(list_bytes)), np.zeros(len(rows), np.int32))
        return lists, coded[:, list_bytes:]

    def turned(self, query: np.ndarray) -> np.ndarray:
        """A query (D,) -> (1, axes), to be compared with what the codes stand for."""
        return (self._axes @ query)[None]


def _main_axes(centred: np.ndarray, count: int) -> np.ndarray:
    """(count, D) orthonormal rows: the directions in which (n, D) rows differ most."""
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].T, np.float32)
