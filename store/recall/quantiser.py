"""How rows become codes of a hundred bytes, which fit into memory and tell nearly how near a row is to a query.

    row -> turned: the main axes of all rows (PCA), at most 384 -> list: the nearest of some centres
        -> code: a byte for every 4 axes of what is left (product quantisation)

Rows are centred before they are turned and queries are not, so that inner products keep their order; FAISS's own PCA
would centre both. Axes stand for a whole life, but centres are trained anew for every file, from its own rows: those
of other days miss the places that are new. The centres are compared with a query one by one; a graph over them would
miss a fifth of the near ones. FAISS is imported when it is needed. This file does not know files, days or keyframes.
"""

import io
from typing import Any, Self

import numpy as np

AXES = 384
AXES_A_BYTE = 4
ROWS_A_LIST, MOST_LISTS = 256, 1024
TRAINED_ROWS = 16_384  # no more are looked at to train
CENTRES_A_BYTE, ROWS_A_CENTRE, ROUNDS = 256, 16, 6  # their training is most of what a day costs; more gains little


class Axes:
    """A mean (D,) and orthonormal axes (axes, D)."""

    def __init__(self, mean: np.ndarray, axes: np.ndarray) -> None:
        self._mean, self._axes = mean, axes

    @classmethod
    def train(cls, rows: np.ndarray) -> Self:
        """The directions in which (n, D) rows differ most; n may be less than D."""
        rows = np.asarray(rows, np.float32)
        mean = rows.mean(axis=0)
        _, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean))
        count = min(AXES, rows.shape[1])
        count -= count % AXES_A_BYTE if count > AXES_A_BYTE else 0
        return cls(mean, np.ascontiguousarray(vectors[:, ::-1][:, :count].T))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            return cls(parts["mean"], parts["axes"])

    def to_bytes(self) -> bytes:
        content = io.BytesIO()
        np.savez(content, mean=self._mean, axes=self._axes)
        return content.getvalue()

    def turned(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) rows -> (n, axes) float32, centred."""
        return (np.asarray(rows, np.float32) - self._mean) @ self._axes.T

    def of_query(self, query: np.ndarray) -> tuple[float, np.ndarray]:
        """A query (D,) -> its inner product with the mean, and the query (axes,): with a row's, they add up."""
        return float(query @ self._mean), self._axes @ query


def trained(turned: np.ndarray, rows: int) -> Any:
    """A FAISS IndexIVFPQ for so many rows, from a sample (n, axes) of them; the same sample makes the same one."""
    import faiss

    width, lists = turned.shape[1], max(1, min(rows // ROWS_A_LIST, MOST_LISTS, len(turned)))
    bytes_a_row = max(1, width // AXES_A_BYTE)
    # A row goes to the centre that is nearest by distance; it is then compared with queries by inner product.
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(width), width, lists, bytes_a_row, 8, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical = False
    index.use_precomputed_table = -1  # it would be larger than all codes, and is of use to distances only
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    index.pq.cp.max_points_per_centroid, index.pq.cp.niter = ROWS_A_CENTRE, ROUNDS
    index.train(np.resize(turned, (max(len(turned), CENTRES_A_BYTE), width)))
    return index


def coded(index: Any, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, axes) rows -> the numbers of their lists (n,) int32 and their codes (n, bytes) uint8."""
    content = index.sa_encode(turned)
    list_bytes = content.shape[1] - index.code_size
    lists = np.zeros(len(turned), np.int32)
    for i in range(list_bytes):
        lists |= content[:, i].astype(np.int32) << 8 * i
    return lists, np.ascontiguousarray(content[:, list_bytes:])
