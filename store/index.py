"""FAISS over the recall embeddings of one checkpoint: a cache in memory, built from the rows and never the truth.

The scan is exact (float16 codes, inner product), and because ids are time, a span of time is a range of ids.
FAISS is imported at the first search. This file does not know keyframes or files.
"""

import threading
from typing import TYPE_CHECKING

import numpy as np

from store.embeddings import Embeddings
from store.records import Span
from store.spans import id_range

if TYPE_CHECKING:
    import faiss


class RecallIndex:
    """Follows the rows of `embeddings` and searches them."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._turn = threading.Lock()
        self._index: faiss.IndexIDMap | None = None

    def search(self, query: np.ndarray, limit: int, span: Span | None = None) -> list[tuple[int, float]]:
        """The `limit` keyframes of a span with the highest inner product with `query` (D,), best first.

        ValueError if the query is not of the embeddings' width.
        """
        import faiss

        with self._turn:
            self._catch_up()
            if self._index is None or limit < 1:
                return []
            query = np.asarray(query, np.float32).reshape(1, -1)
            if query.shape[1] != self._index.d:
                raise ValueError(f"a query of {query.shape[1]} numbers for embeddings of {self._index.d}")
            first, behind = id_range(span)
            within = faiss.SearchParameters(sel=faiss.IDSelectorRange(first, behind))  # type: ignore[call-arg]
            scores, ids = self._index.search(query, min(limit, self._index.ntotal), params=within)
        found = [(int(each), float(score)) for each, score in zip(ids[0], scores[0], strict=True) if each != -1]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _catch_up(self) -> None:
        """Add the rows that came since the last search; start over if there are fewer, as after a rebuild."""
        import faiss

        if self._index is not None and len(self._embeddings) < self._index.ntotal:
            self._index = None
        ids, recall = self._embeddings.recall_from(0 if self._index is None else self._index.ntotal)
        if len(ids) == 0:
            return
        if self._index is None:
            codes = faiss.IndexScalarQuantizer(
                recall.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
            self._index = faiss.IndexIDMap(codes)
        # A row of float16 is its own code: nothing is converted.
        self._index.add_sa_codes(np.ascontiguousarray(recall).view(np.uint8), ids)
