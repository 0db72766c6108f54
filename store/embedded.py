"""What checkpoints have made of the keyframes: their embeddings, recall over them, and how much of a span they cover.

All of it is derived and can be made again from the keyframes. This file does not know what made the numbers, nor
packs and locks.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from store.database import Database
from store.errors import UserError
from store.ledger import Ledger
from store.recall.embeddings import Embeddings, Replacement
from store.recall.index import RecallIndex
from store.recall.indexes import Indexes
from store.recall.sealed import SealedDays
from store.recall.shards import COMPRESSED, RECALL, Shards
from store.recall.waiting import Waiting
from store.records import Coverage, Keyframe, Span
from store.sealing import FileKeys
from store.spans import id_range, recorded, total_s, worn

CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Embedded:
    """All that is kept of one checkpoint."""

    def __init__(self, database: Database, keys: FileKeys, folder: Path, checkpoint: str) -> None:
        if CHECKPOINT_NAME.fullmatch(checkpoint) is None:
            raise UserError(f"{checkpoint!r} cannot name a checkpoint.", "Use letters, digits, dots and dashes.")
        self.shards = Shards(database, keys, folder, checkpoint)
        self.embeddings = Embeddings(self.shards)
        self.indexes = Indexes(self.shards)
        self.days = SealedDays(self.shards, self.indexes)
        self.recall = RecallIndex(self.shards, self.indexes)
        self.waiting = Waiting(self.shards, self.embeddings)

    def remove(self, ids: np.ndarray) -> None:
        """Take keyframes (n,) out of the row files and of the indexes, whose old keys are destroyed."""
        with self.shards.held():
            self.replace(self.embeddings.rewrite_without(ids))

    def replace(self, replacements: Sequence[Replacement]) -> None:
        """While held: let shards take the place of others, in the indexes as well."""
        changed = self.days.rewrite(replacements)
        with self.shards.database.transaction():
            self.embeddings.replace(replacements)
            self.indexes.replace(changed)
        self.shards.sweep()


class EmbeddedLedger(Ledger):
    """The rows of a memory with the embeddings that lie in `folder`, a folder of each checkpoint."""

    def __init__(self, database: Database, folder: Path, keys: FileKeys) -> None:
        super().__init__(database)
        self._folder, self._keys = folder, keys
        self._embedded: dict[str, Embedded] = {}

    def coverage(self, checkpoint: str, span: Span | None = None) -> Coverage:
        """How much of a span (all that is known, if None) was worn, seen, and embedded with this checkpoint."""
        span = span or self.span() or Span(0.0, 0.0)
        sessions, gaps = self.sessions(), self.gaps(span)
        return Coverage(
            span=span,
            worn_s=total_s(worn(sessions, span)),
            recorded_s=total_s(recorded(sessions, gaps, span)),
            keyframes=self.count(span),
            indexed=self.embedded_count(checkpoint, span),
            gaps=tuple(gaps),
        )

    def unindexed(self, checkpoint: str, limit: int = 64) -> list[Keyframe]:
        """Keyframes without an embedding: first those newer than every embedded one, then what was left out."""
        return self.keyframes_by_id(self._of(checkpoint).waiting.ids(limit))

    def add_embeddings(self, checkpoint: str, ids: Sequence[int], recall: np.ndarray, compressed: np.ndarray) -> None:
        """Keep recall (n, D) and compressed (n, C) of n keyframes as float16; ones already kept stay as they are.

        ValueError: the shapes disagree with each other or with earlier ones, or a number does not fit.
        """
        self._of(checkpoint).embeddings.append(ids, recall, compressed)

    def remove_embeddings(self, ids: Sequence[int]) -> None:
        """Let nothing that any checkpoint made of these keyframes be read again, in this memory or a copy of its files.

        Not within a transaction.
        """
        for checkpoint in self.checkpoints():
            self._of(checkpoint).remove(np.asarray(ids, np.int64))

    def seal(self, checkpoint: str) -> int:
        """Put whole days into the index, where there are too many rows to compare them all; returns how many days.

        It may take minutes, others go on meanwhile, and it can be interrupted at any time. After every batch of
        embeddings is often enough, and never is too seldom only for speed.
        """
        return self._of(checkpoint).days.seal()

    def compressed(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, C) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self._of(checkpoint).embeddings.read(ids, COMPRESSED)

    def recall_of(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, D) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self._of(checkpoint).embeddings.read(ids, RECALL)

    def recall(
        self, checkpoint: str, query: np.ndarray, limit: int, span: Span | None = None
    ) -> list[tuple[int, float]]:
        """Keyframe ids and their inner product with query (D,), best first."""
        return self._of(checkpoint).recall.search(query, limit, span)

    def embedded_count(self, checkpoint: str, span: Span | None = None) -> int:
        """How many keyframes have an embedding."""
        return self._of(checkpoint).embeddings.count(*id_range(span))

    def embedded_ids(self, checkpoint: str, span: Span | None = None) -> np.ndarray:
        """Keyframes (n,) int64 with an embedding, in time order."""
        return self._of(checkpoint).embeddings.ids(*id_range(span))

    def indexed_ids(self, checkpoint: str, span: Span | None = None) -> list[int]:
        """Keyframes with an embedding, in time order."""
        return [int(each) for each in self.embedded_ids(checkpoint, span)]

    def checkpoints(self) -> list[str]:
        """The checkpoints that embeddings are kept of."""
        rows = self.database.rows("SELECT DISTINCT checkpoint FROM shards ORDER BY checkpoint")
        return [row["checkpoint"] for row in rows]

    def damaged_shards(self, checkpoint: str) -> dict[int, str]:
        """What is wrong with days of embeddings, by the number of their shard; every row is read."""
        return self._of(checkpoint).embeddings.damage()

    def drop_shard(self, shard_id: int) -> None:
        """Forget a day of embeddings, if it is still there; its keyframes wait to be embedded again."""
        for holder in self._holders("shards", shard_id):
            with holder.shards.held():
                holder.replace(holder.embeddings.without(shard_id))

    def damaged_indexes(self, checkpoint: str) -> dict[int, str]:
        """What is wrong with the index, by the number of its parts; all of them are read."""
        return self._of(checkpoint).days.damage()

    def drop_index(self, index_id: int) -> None:
        """Forget a part of the index, if it is still there, and what is of no use without it.

        `seal` makes it again, and meanwhile its days are compared row by row.
        """
        for holder in self._holders("indexes", index_id):
            holder.indexes.drop([index_id])

    def _holders(self, table: str, number: int) -> list[Embedded]:
        """The checkpoint that a shard or an index belongs to."""
        rows = self.database.rows(f"SELECT checkpoint FROM {table} WHERE id = ?", (number,))
        return [self._of(row["checkpoint"]) for row in rows]

    def _of(self, checkpoint: str) -> Embedded:
        """UserError if the name cannot be a folder's."""
        if checkpoint not in self._embedded:
            self._embedded[checkpoint] = Embedded(self.database, self._keys, self._folder, checkpoint)
        return self._embedded[checkpoint]
