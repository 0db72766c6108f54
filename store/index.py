"""Recall: the keyframes nearest to a query, of all of time or of a span.

Days that no index has are compared row by row, and so are spans of few days. Elsewhere the codes of the sealed days
propose candidates, and only those rows are read, opened and compared. So scores are always exact; what an index costs
is that now and then a near row is not proposed. An index that is lost costs time, never an answer.
FAISS is imported at the first search. This file does not know keyframes, nor how rows lie in files.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from store.candidates import Candidates
from store.indexes import Indexes
from store.lists import rows_by_day
from store.records import Span
from store.rows import READ_ROWS
from store.sealed import ALL_COMPARED
from store.shards import DAY_IDS, Shard, Shards
from store.spans import id_range

EXACT_DAYS, EXACT_ROWS = 7, 400_000  # a span of no more is compared row by row
Found = tuple[np.ndarray, np.ndarray]  # keyframe ids (n,) and their scores (n,)
FEWEST = 100  # a small limit is no reason to look less closely
NOTHING = (np.empty(0, np.int64), np.empty(0, np.float32))


class RecallIndex:
    """Follows the shards of one checkpoint and searches them."""

    def __init__(self, shards: Shards, indexes: Indexes) -> None:
        self._shards, self._candidates = shards, Candidates(indexes)
        self._turn = threading.Lock()
        self._kept: dict[int, tuple[int, Any]] = {}  # by shard: how many of its rows are in memory, and as what

    def search(self, query: np.ndarray, limit: int, span: Span | None = None) -> list[tuple[int, float]]:
        """The `limit` keyframes of a span with the highest inner product with `query` (D,), best first.

        ValueError if the query is not of the embeddings' width.
        """
        query = np.asarray(query, np.float32).reshape(-1)
        with self._turn:
            shards = self._followed()
            if not shards or limit < 1:
                return []
            if len(query) != shards[0].recall_width:
                raise ValueError(f"a query of {len(query)} numbers for embeddings of {shards[0].recall_width}")
            ids, scores = self._found(shards, query, limit, *id_range(span))
        best = np.lexsort((ids, -scores))[:limit]
        return list(zip(ids[best].tolist(), scores[best].tolist(), strict=True))

    def _followed(self) -> list[Shard]:
        """All shards as they are now, their indexes loaded; whoever has read for seconds looks again."""
        shards = self._shards.of_ids()
        while self._candidates.follow(shard.sealed_in for shard in shards if shard.sealed_in is not None):
            shards = self._shards.of_ids()
        self._keep_newest([shard for shard in shards if shard.sealed_in not in self._candidates])
        return shards

    def _found(self, shards: list[Shard], query: np.ndarray, limit: int, first_id: int, behind_id: int) -> Found:
        days = range(first_id // DAY_IDS, (behind_id - 1) // DAY_IDS + 1)
        asked = [shard for shard in shards if shard.day in days]
        is_long = len(days) > EXACT_DAYS and _rows(asked) > EXACT_ROWS
        proposed = [shard for shard in asked if is_long and shard.sealed_in in self._candidates]
        found = [NOTHING]
        for shard in asked:
            if not is_long or shard.sealed_in not in self._candidates:
                found += self._compared(shard, query, limit, first_id, behind_id)
        if proposed:
            records = self._candidates_of(proposed, query, limit, _rows(proposed) / _rows(shards))
            inside = (records["id"] >= first_id) & (records["id"] < behind_id)
            found.append(nearest(records[inside], query, limit))
        ids, scores = zip(*found, strict=True)
        return np.concatenate(ids), np.concatenate(scores)

    def _compared(self, shard: Shard, query: np.ndarray, limit: int, first_id: int, behind_id: int) -> list[Found]:
        """The nearest rows of a day, all of them compared."""
        import faiss

        if shard.id in self._kept:
            _, rows = self._kept[shard.id]
            within = faiss.SearchParameters(sel=faiss.IDSelectorRange(first_id, behind_id))  # type: ignore[call-arg]
            scores, ids = rows.search(query[None], min(limit, rows.ntotal), params=within)
            return [(ids[ids != -1], scores[ids != -1])]
        wanted = self._shards.rows_of(shard, first_id, behind_id)
        blocks = np.array_split(wanted, -(-len(wanted) // READ_ROWS)) if len(wanted) else []
        return [nearest(self._shards.whole_rows(shard, block), query, limit) for block in blocks]

    def _candidates_of(self, shards: Sequence[Shard], query: np.ndarray, limit: int, share: float) -> np.ndarray:
        """The records of those rows of sealed days that may be near."""
        count = candidates_for(limit, round(_rows(shards) / share))
        places = self._candidates.find(query, count, share, shards[0].day, shards[-1].day + 1)
        by_day = {shard.day: shard for shard in shards}
        return np.concatenate(
            [
                self._shards.whole_rows(by_day[day], rows[rows < by_day[day].rows])
                for day, rows in rows_by_day(places)
                if day in by_day
            ]
            or [self._shards.whole_rows(shards[0], NOTHING[0])]
        )

    def _keep_newest(self, shards: Sequence[Shard]) -> None:
        """Have as many of some days in memory as may be, the newest, with all rows that they have now."""
        kept, room = {}, ALL_COMPARED
        for shard in reversed(shards):
            if shard.rows <= room:
                room -= shard.rows
                kept[shard.id] = self._caught_up(shard)
        self._kept = kept

    def _caught_up(self, shard: Shard) -> tuple[int, Any]:
        import faiss

        known, rows = self._kept.get(shard.id) or (0, faiss.IndexIDMap(_exact(shard.recall_width)))
        if known < shard.rows:
            records = self._shards.whole_rows(shard, np.arange(known, shard.rows))
            rows.add_sa_codes(_codes(records), records["id"].copy())
        return shard.rows, rows


def nearest(records: np.ndarray, query: np.ndarray, limit: int) -> Found:
    """Those of some rows with the highest inner products with a query (D,)."""
    if len(records) == 0:
        return NOTHING
    rows = _exact(len(query))
    rows.add_sa_codes(_codes(records))
    scores, places = rows.search(query[None], min(limit, len(records)))
    return records["id"][places[0]], scores[0]


def candidates_for(limit: int, rows: int) -> int:
    """How many rows must be proposed so that the nearest are among them: the more there are, the less a code tells."""
    return round(max(limit, FEWEST) * min(max(4 * (rows / 1e6) ** 0.5, 4), 20))


def _exact(width: int) -> Any:
    import faiss

    return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _codes(records: np.ndarray) -> np.ndarray:
    """A row of float16 is its own code: nothing is converted."""
    return np.ascontiguousarray(records["numbers"]).view(np.uint8)


def _rows(shards: Sequence[Shard]) -> int:
    return sum(shard.rows for shard in shards)
