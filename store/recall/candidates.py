"""Candidates: coded rows in memory, among which those are found that are worth to be read and compared.

The codes lie in memory decrypted, a hundred bytes a row, and nowhere else. Every file is loaded once; what comes and
goes in the folder is followed. This file does not know the rows themselves.
"""

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from store.errors import MemoryDamaged
from store.recall.indexes import Index, Indexes
from store.recall.lists import ROW_BITS
from store.recall.quantiser import Axes

PROBED = 64  # lists, where all of their days are asked for


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as it is searched: a FAISS IndexIVFPQ, and the centres (lists, axes) of its lists."""

    axes: int
    searched: Any
    centres: np.ndarray
    rows_a_day: dict[int, int]


class Candidates:
    """The lists of one checkpoint, as far as they can be read."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._axes: dict[int, Axes] = {}
        self._loaded: dict[int, Loaded] = {}
        self._unreadable: set[int] = set()

    def forget_all_but(self, present: Collection[int | None]) -> None:
        """Keep nothing of indexes that are gone."""
        self._unreadable &= set(present)
        self._loaded = {number: loaded for number, loaded in self._loaded.items() if number in present}

    def load(self, wanted: Iterable[int | None]) -> bool:
        """Have these indexes in memory; returns whether there were any to be read."""
        missing = set(wanted) - {None} - self._loaded.keys() - self._unreadable
        for index in self._indexes.lists() if missing else ():
            if index.id in missing:
                try:
                    self._loaded[index.id] = self._loaded_from(index)
                except MemoryDamaged:
                    self._unreadable.add(index.id)
        return bool(missing)

    def rows(self, index: int | None, day: int) -> int | None:
        """How many first rows of a day can be found in an index; None as long as it is not loaded."""
        if index is None or index in self._unreadable:
            return 0
        return self._loaded[index].rows_a_day.get(day, 0) if index in self._loaded else None

    def find(self, query: np.ndarray, count: int, first_day: int, behind_day: int) -> tuple[np.ndarray, np.ndarray]:
        """The places (n,) of at most so many rows of a range of days, and about their inner products with query (D,).

        The best first, of the lists whose centres are nearest to the query.
        """
        days = range(first_day, behind_day)
        files = [each for each in self._loaded.values() if any(day in days for day in each.rows_a_day)]
        queries = {number: axes.of_query(query) for number, axes in self._axes.items()}
        near = [each.centres @ queries[each.axes][1] + queries[each.axes][0] for each in files]
        centres = np.concatenate(near)
        least = centres[_best(centres, round(PROBED / _share(files, days)))[-1]]
        found = [(np.empty(0, np.int64), np.empty(0, np.float32))]
        for each, scores in zip(files, near, strict=True):
            lists = np.flatnonzero(scores >= least)
            if len(lists):
                found.append(_scanned(each.searched, queries[each.axes][1], lists, scores[lists]))
        places, scores = (np.concatenate(column) for column in zip(*found, strict=True))
        inside = (places >= first_day << ROW_BITS) & (places < behind_day << ROW_BITS)
        places, scores = places[inside], scores[inside]
        best = _best(scores, count)
        return places[best], scores[best]

    def _loaded_from(self, index: Index) -> Loaded:
        assert index.quantiser is not None
        if index.quantiser not in self._axes:
            self._axes[index.quantiser] = self._indexes.read_axes(index.quantiser)
        lists = self._indexes.read_lists(index.id)
        searched = lists.to_search()
        centres = searched.quantizer.reconstruct_n(0, searched.nlist)
        return Loaded(index.quantiser, searched, centres, lists.rows_a_day())


def _share(files: Sequence[Loaded], days: Container[int]) -> float:
    """The part of the rows of some files that lies in some days."""
    rows = [(day in days, rows) for each in files for day, rows in each.rows_a_day.items()]
    return sum(rows for is_inside, rows in rows if is_inside) / sum(rows for _, rows in rows)


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Where the highest of scores (n,) are, the best first."""
    best = np.argpartition(-scores, count)[:count] if count < len(scores) else np.arange(len(scores))
    return best[np.argsort(-scores[best])]


def _scanned(searched: Any, turned: np.ndarray, lists: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All rows of some lists, and their scores by their codes."""
    searched.nprobe = len(lists)
    _, found, places = searched.range_search_preassigned(turned[None], -np.inf, lists[None], scores[None])
    return places, found
