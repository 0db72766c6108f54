"""Coded rows as they are kept in a file and searched: sorted by list, and within a list by place.

A place tells where a row lies: its day in the upper bits, its number in the day's row file in the lower 32. So places
are in the order of time, as far as days go, and a range of days is a range of places.
This file does not know how rows are coded, nor keys.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    import faiss

ROW_BITS = 32


@dataclass(frozen=True, slots=True)
class Lists:
    """n coded rows: the numbers of their lists (n,) int32, their places (n,) int64, their codes (n, bytes) uint8."""

    lists: np.ndarray
    places: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """All rows of one or more parts."""
        columns = zip(*((part.lists, part.places, part.codes) for part in parts), strict=True)
        lists, places, codes = (np.concatenate(column) for column in columns)
        order = np.lexsort((places, lists))
        return cls(lists[order], places[order], codes[order])

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """ValueError or KeyError if these are not the bytes of one."""
        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            return cls(parts["lists"], parts["places"], parts["codes"])

    def to_bytes(self) -> bytes:
        content = io.BytesIO()
        np.savez(content, lists=self.lists, places=self.places, codes=self.codes)
        return content.getvalue()

    def days(self) -> np.ndarray:
        """Of every row, (n,)."""
        return self.places >> ROW_BITS

    def of_days(self, days: Sequence[int]) -> Self:
        """The rows of some days."""
        return self._only(np.isin(self.days(), days))

    def renumbered(self, day: int, kept: np.ndarray) -> Self:
        """Without the rows of a day that were not kept; those that were, ascending (m,), are now numbered from 0."""
        of_day, rows = self.days() == day, self.places & (2**ROW_BITS - 1)
        places = np.where(of_day, place(day, np.searchsorted(kept, rows)), self.places)
        return type(self)(self.lists, places, self.codes)._only(~of_day | np.isin(rows, kept))

    def _only(self, wanted: np.ndarray) -> Self:
        return type(self)(self.lists[wanted], self.places[wanted], self.codes[wanted])

    def to_search(self, lists: int, code_bytes: int) -> "faiss.ArrayInvertedLists":
        """As FAISS searches them, in memory of exactly the size."""
        import faiss

        inverted = faiss.ArrayInvertedLists(lists, code_bytes)
        ends = np.searchsorted(self.lists, np.arange(lists + 1))
        for number, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            if start < end:
                places, codes = self.places[start:end], self.codes[start:end]
                inverted.add_entries(number, end - start, faiss.swig_ptr(places), faiss.swig_ptr(codes))
        return inverted


def place(day: int, rows: np.ndarray) -> np.ndarray:
    """The places (n,) of some rows of a day."""
    return np.asarray(rows, np.int64) + (day << ROW_BITS)


def rows_by_day(places: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Ascending places (n,) as days and the ascending numbers of their rows."""
    days, rows = places >> ROW_BITS, places & (2**ROW_BITS - 1)
    ends = np.flatnonzero(np.diff(days)) + 1
    for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(places)], strict=True):
        if start < end:
            yield int(days[start]), rows[start:end]
