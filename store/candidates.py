"""Candidates: the sealed days in memory, where those rows are found that are worth to be compared exactly.

The codes lie in memory decrypted, a hundred bytes a row, and nowhere else. Every file is loaded once; what comes and
goes in the folder is followed. This file does not know the rows themselves.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from store.errors import MemoryDamaged
from store.indexes import Indexes
from store.lists import ROW_BITS
from store.quantiser import Quantiser

PROBED = 32  # lists, where all of time is asked


class Candidates:
    """The lists of one checkpoint, as far as they can be read."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._quantisers: dict[int, Quantiser] = {}
        self._lists: dict[int, tuple[int, Any]] = {}  # by index: its quantiser, and what FAISS searches
        self._unreadable: set[int] = set()

    def follow(self, wanted: Iterable[int]) -> bool:
        """Have these indexes in memory and no others; returns whether there were any to be read."""
        wanted = set(wanted)
        self._unreadable &= wanted
        self._lists = {number: loaded for number, loaded in self._lists.items() if number in wanted}
        missing = wanted - self._lists.keys() - self._unreadable
        for index in self._indexes.lists() if missing else ():
            if index.id in missing:
                try:
                    self._load(index.id, index.quantiser)
                except MemoryDamaged:
                    self._unreadable.add(index.id)
        used = {quantiser for quantiser, _ in self._lists.values()}
        self._quantisers = {number: each for number, each in self._quantisers.items() if number in used}
        return bool(missing)

    def __contains__(self, number: int | None) -> bool:
        """Can an index be searched?"""
        return number in self._lists

    def find(self, query: np.ndarray, count: int, share: float, first_day: int, behind_day: int) -> np.ndarray:
        """The places (n,) of about `count` rows that may be near to query (D,), ascending.

        Only of days in a range, in which lies this share of all rows: where fewer are asked for, more lists are read.
        """
        import faiss

        found = []
        for number, quantiser in self._quantisers.items():
            index, parts = quantiser.index, faiss.InvertedListsPtrVector()  # type: ignore[attr-defined]
            for own, lists in self._lists.values():
                if own == number:
                    parts.push_back(lists)
            together = faiss.HStackInvertedLists(parts.size(), parts.data())  # FAISS does not keep it alive
            index.replace_invlists(together)
            days = faiss.IDSelectorRange(first_day << ROW_BITS, behind_day << ROW_BITS)
            probed = min(index.nlist, round(PROBED / share))
            within = faiss.SearchParametersIVF(sel=days, nprobe=probed)  # type: ignore[call-arg]
            _, places = index.search(quantiser.turned(query), count, params=within)
            found.append(places[places != -1])
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def _load(self, number: int, quantiser: int | None) -> None:
        assert quantiser is not None
        if quantiser not in self._quantisers:
            self._quantisers[quantiser] = self._indexes.read_quantiser(quantiser)
        index = self._quantisers[quantiser].index
        lists = self._indexes.read_lists(number).to_search(index.nlist, index.code_size)
        self._lists[number] = (quantiser, lists)
