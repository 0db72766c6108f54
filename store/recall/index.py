"""Recall: the keyframes nearest to a query, of all of time or of a span.

Rows that are not coded yet are compared one by one, and so are spans of few days. Elsewhere the codes propose rows, and
only those that may be among the best are read, opened and compared. So scores are always exact; what codes cost is
that now and then a near row is not proposed. An index that is lost costs time, never an answer.
FAISS is imported at the first search. This file does not know keyframes, nor how rows lie in files.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from store.recall.candidates import Candidates
from store.recall.indexes import Indexes
from store.recall.lists import by_day, place
from store.recall.rows import READ_ROWS
from store.recall.sealed import ALL_COMPARED
from store.recall.shards import DAY_IDS, Shard, Shards
from store.records import Span
from store.spans import id_range

EXACT_DAYS, EXACT_ROWS = 7, 400_000  # a span of no more is compared row by row
SURELY_READ, AT_MOST_READ = 1.3, 20  # of what is asked for
FEW = 100  # who asks for less has as many read, so that there is something to go by
DOUBT = 0.98  # the part of codes that are not off by more than is allowed for


class Found(NamedTuple):
    """n rows that were compared: their keyframes (n,) int64 and their inner products with the query (n,) float32."""

    ids: np.ndarray
    scores: np.ndarray


NOTHING = Found(np.empty(0, np.int64), np.empty(0, np.float32))


class Kept(NamedTuple):
    """Rows of a shard in memory, from one on up to another, as a FAISS index."""

    first_row: int
    behind_row: int
    index: Any


class RecallIndex:
    """Follows the shards of one checkpoint and searches them."""

    def __init__(self, shards: Shards, indexes: Indexes) -> None:
        self._shards, self._candidates = shards, Candidates(indexes)
        self._turn = threading.Lock()
        self._kept: dict[int, Kept] = {}  # by shard

    def search(self, query: np.ndarray, limit: int, span: Span | None = None) -> list[tuple[int, float]]:
        """The `limit` keyframes of a span with the highest inner product with `query` (D,), best first.

        ValueError if the query is not of the embeddings' width.
        """
        query = np.asarray(query, np.float32).reshape(-1)
        with self._turn:
            shards = self._shards.of_ids()
            if not shards or limit < 1:
                return []
            if len(query) != shards[0].recall_width:
                raise ValueError(f"a query of {len(query)} numbers for embeddings of {shards[0].recall_width}")
            found = joined(self._found(shards, query, limit, *id_range(span)))
        best = np.lexsort((found.ids, -found.scores))[:limit]
        return list(zip(found.ids[best].tolist(), found.scores[best].tolist(), strict=True))

    def _found(
        self, shards: list[Shard], query: np.ndarray, limit: int, first_id: int, behind_id: int
    ) -> Iterator[Found]:
        days = range(first_id // DAY_IDS, (behind_id - 1) // DAY_IDS + 1)
        asked = [shard for shard in shards if shard.day in days]
        is_long = len(days) > EXACT_DAYS and sum(shard.rows for shard in asked) > EXACT_ROWS
        while is_long and self._candidates.load(shard.sealed_in for shard in asked):
            shards = self._shards.of_ids()  # whoever has read for seconds looks again
            asked = [shard for shard in shards if shard.day in days]
        self._candidates.forget_all_but({shard.sealed_in for shard in shards})
        self._keep_newest(shards)
        proposed = {shard.day: shard for shard in asked if is_long and self._coded(shard)}
        for shard in asked:
            first_row = self._coded(shard) if shard.day in proposed else 0
            yield from self._compared(shard, first_row, query, limit, first_id, behind_id)
        if proposed:
            ids, scores = joined(self._promising(proposed, query, limit))
            inside = (ids >= first_id) & (ids < behind_id)
            yield Found(ids[inside], scores[inside])

    def _compared(
        self, shard: Shard, first_row: int, query: np.ndarray, limit: int, first_id: int, behind_id: int
    ) -> Iterator[Found]:
        """The nearest of the rows of a day from one on, all of them compared."""
        kept = self._kept.get(shard.id)
        if kept is not None and kept.first_row == first_row:
            yield _nearest_kept(kept, query, limit, first_id, behind_id)
        elif first_row < shard.rows:
            rows = self._shards.rows_of(shard, first_id, behind_id)
            for block in _blocks(rows[rows >= first_row]):
                yield _nearest(self._shards.readable(shard, block)[1], query, limit)

    def _promising(self, shards: dict[int, Shard], query: np.ndarray, limit: int) -> Iterator[Found]:
        """The coded rows, of some days, that may be among the nearest; compared.

        The most promising are read first. They show how far codes are off, and so which others are worth reading.
        """
        wanted = max(limit, FEW)
        places, promised = self._candidates.find(query, AT_MOST_READ * wanted, min(shards), max(shards) + 1)
        surely = round(SURELY_READ * wanted)
        yield (found := self._read(shards, places[:surely], query))
        is_read = np.isfinite(found.scores)
        if is_read.sum() > limit:
            margin = np.quantile((found.scores - promised[:surely])[is_read], DOUBT)
            least = np.partition(found.scores, -limit)[-limit]
            yield self._read(shards, places[surely : np.count_nonzero(promised + margin > least)], query)

    def _read(self, shards: dict[int, Shard], places: np.ndarray, query: np.ndarray) -> Found:
        """The rows at places (n,), compared; one that cannot be read scores -inf."""
        order = np.argsort(places)
        known, opened = [], []
        for day, rows in by_day(places[order]):
            if day in shards:
                rows, records = self._shards.readable(shards[day], rows[rows < shards[day].rows])
                known.append(place(day, rows))
                opened.append(records)
        ids, scores = np.zeros(len(places), np.int64), np.full(len(places), -np.inf, np.float32)
        if opened:
            own = order[np.searchsorted(places, np.concatenate(known), sorter=order)]
            records = np.concatenate(opened)
            ids[own], scores[own] = records["id"], _scores(records, query)
        return Found(ids, scores)

    def _coded(self, shard: Shard) -> int:
        """How many of the first rows of a day can be proposed; of an index that was not needed yet, all."""
        coded = self._candidates.rows(shard.sealed_in, shard.day)
        return shard.rows if coded is None else min(shard.rows, coded)

    def _keep_newest(self, shards: Sequence[Shard]) -> None:
        """Have the rows that are not coded in memory: of the newest days, and as many as there is room for."""
        kept, room = {}, ALL_COMPARED
        for shard in reversed(shards):
            waiting = shard.rows - self._coded(shard)
            if 0 < waiting <= room:
                kept[shard.id] = self._caught_up(shard)
                room -= waiting
        self._kept = kept

    def _caught_up(self, shard: Shard) -> Kept:
        import faiss

        first_row, kept = self._coded(shard), self._kept.get(shard.id)
        if kept is None or kept.first_row != first_row:
            kept = Kept(first_row, first_row, faiss.IndexIDMap(_index(shard.recall_width)))
        if kept.behind_row < shard.rows:
            blocks = _blocks(np.arange(kept.behind_row, shard.rows))
            records = np.concatenate([self._shards.readable(shard, block)[1] for block in blocks])
            kept.index.add_sa_codes(_codes(records), records["id"].copy())
        return kept._replace(behind_row=shard.rows)


def joined(parts: Iterable[Found]) -> Found:
    """All that could be read."""
    ids, scores = (np.concatenate(column) for column in zip(NOTHING, *parts, strict=True))
    return Found(ids[np.isfinite(scores)], scores[np.isfinite(scores)])


def _nearest(records: np.ndarray, query: np.ndarray, limit: int) -> Found:
    scores = _scores(records, query)
    best = np.argsort(-scores)[:limit]
    return Found(records["id"][best], scores[best])


def _scores(records: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The inner products (n,) of some rows with a query (D,)."""
    scores = np.empty(len(records), np.float32)
    if len(records):
        index = _index(len(query))
        index.add_sa_codes(_codes(records))
        found, places = index.search(query[None], len(records))
        scores[places[0]] = found[0]
    return scores


def _nearest_kept(kept: Kept, query: np.ndarray, limit: int, first_id: int, behind_id: int) -> Found:
    import faiss

    if kept.index.ntotal == 0:  # none of its rows can be read
        return NOTHING
    within = faiss.SearchParameters(sel=faiss.IDSelectorRange(first_id, behind_id))  # type: ignore[call-arg]
    scores, ids = kept.index.search(query[None], min(limit, kept.index.ntotal), params=within)
    return Found(ids[ids != -1], scores[ids != -1])


def _index(width: int) -> Any:
    import faiss

    return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _codes(records: np.ndarray) -> np.ndarray:
    """A row of float16 is its own code: nothing is converted."""
    return np.ascontiguousarray(records["numbers"]).view(np.uint8)


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    """As many rows at once as can be held in memory."""
    return np.array_split(rows, -(-len(rows) // READ_ROWS)) if len(rows) else []
