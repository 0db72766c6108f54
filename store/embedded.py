"""What a checkpoint has made of the keyframes: their embeddings, recall over them, and how much of a span they cover.

All of it is derived and can be made again from the keyframes. This file does not know what made the numbers, nor
packs and locks.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from store.database import Database
from store.embeddings import Embeddings
from store.errors import UserError
from store.index import RecallIndex
from store.ledger import Ledger
from store.records import Coverage, Keyframe, Span
from store.spans import FIRST_ID, id_range, recorded, total_s, worn

CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class EmbeddedLedger(Ledger):
    """The rows of a memory with the embeddings that lie in `folder`, a folder of each checkpoint."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database)
        self._folder = folder
        self._embeddings: dict[str, Embeddings] = {}
        self._indexes: dict[str, RecallIndex] = {}

    def coverage(self, checkpoint: str, span: Span | None = None) -> Coverage:
        """How much of a span (all that is known, if None) was worn, seen, and embedded with this checkpoint."""
        span = span or self.span() or Span(0.0, 0.0)
        sessions, gaps = self.sessions(), self.gaps(span)
        return Coverage(
            span=span,
            worn_s=total_s(worn(sessions, span)),
            recorded_s=total_s(recorded(sessions, gaps, span)),
            keyframes=self.count(span),
            indexed=len(self.indexed_ids(checkpoint, span)),
            gaps=tuple(gaps),
        )

    def unindexed(self, checkpoint: str, limit: int = 64) -> list[Keyframe]:
        """Keyframes without an embedding: first those newer than every embedded one, then what was left out."""
        indexed = self.embeddings(checkpoint).sorted_ids()
        newest = int(indexed[-1]) if len(indexed) else FIRST_ID
        missing = self.keyframe_ids(newest, limit)
        if not missing and len(indexed) != self.count():
            everything = np.array(self.keyframe_ids(), np.int64)
            missing = np.setdiff1d(everything, indexed)[:limit].tolist()
        return self.keyframes_by_id(missing)

    def add_embeddings(self, checkpoint: str, ids: Sequence[int], recall: np.ndarray, compressed: np.ndarray) -> None:
        """Keep recall (n, D) and compressed (n, C) of n keyframes as float16; ones already kept stay as they are.

        ValueError: the shapes disagree with each other or with earlier ones, or a number does not fit.
        """
        self.embeddings(checkpoint).append(ids, recall, compressed)

    def compressed(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, C) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self.embeddings(checkpoint).compressed(ids)

    def recall_of(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, D) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self.embeddings(checkpoint).recall(ids)

    def recall(
        self, checkpoint: str, query: np.ndarray, limit: int, span: Span | None = None
    ) -> list[tuple[int, float]]:
        """Keyframe ids and their inner product with query (D,), best first."""
        index = self._indexes.setdefault(checkpoint, RecallIndex(self.embeddings(checkpoint)))
        return index.search(query, limit, span)

    def indexed_ids(self, checkpoint: str, span: Span | None = None) -> list[int]:
        """Keyframes with an embedding, in time order."""
        ids = self.embeddings(checkpoint).sorted_ids()
        first, behind = np.searchsorted(ids, id_range(span))
        return [int(each) for each in ids[first:behind]]

    def checkpoints(self) -> list[str]:
        """The checkpoints that embeddings are kept of."""
        return sorted(path.name for path in self._folder.glob("*") if path.is_dir())

    def embeddings(self, checkpoint: str) -> Embeddings:
        """The rows of one checkpoint. UserError if the name cannot be a folder's."""
        if CHECKPOINT_NAME.fullmatch(checkpoint) is None:
            raise UserError(f"{checkpoint!r} cannot name a checkpoint.", "Use letters, digits, dots and dashes.")
        return self._embeddings.setdefault(checkpoint, Embeddings(self._folder / checkpoint))
