"""Coded rows of some days as they are kept in a file and searched: sorted by list, and within a list by place.

A place tells where a row lies: its day in the upper bits, its number in the day's row file in the lower 32.
This file does not know how rows are coded, nor keys.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

ROW_BITS = 32
ROW_MASK = 2**ROW_BITS - 1


@dataclass(frozen=True, slots=True)
class Lists:
    """n coded rows: the numbers of their lists (n,) int32, their places (n,) int64, their codes (n, bytes) uint8.

    `quantiser` is the FAISS index that coded them, without rows.
    """

    quantiser: Any
    lists: np.ndarray
    places: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def of(cls, quantiser: Any, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Self:
        """From lists, places and codes of one part of the rows after another."""
        lists, places, codes = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((places, lists))
        return cls(quantiser, lists[order], places[order], codes[order])

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        import faiss

        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            quantiser = faiss.deserialize_index(parts["quantiser"], faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
            return cls(quantiser, parts["lists"], parts["places"], parts["codes"])

    def to_bytes(self) -> bytes:
        import faiss

        content, quantiser = io.BytesIO(), faiss.serialize_index(self.quantiser)
        np.savez(content, quantiser=quantiser, lists=self.lists, places=self.places, codes=self.codes)
        return content.getvalue()

    def rows_a_day(self) -> dict[int, int]:
        """By day, one more than its last row."""
        last = np.sort(self.places)
        days = last >> ROW_BITS
        ends = np.flatnonzero(np.diff(days, append=-1))
        return dict(zip(days[ends].tolist(), ((last[ends] & ROW_MASK) + 1).tolist(), strict=True))

    def renumbered(self, day: int, kept: np.ndarray) -> Self:
        """Without the rows of a day that were not kept; those that were, ascending (m,), are now numbered from 0."""
        of_day, rows = self.places >> ROW_BITS == day, self.places & ROW_MASK
        places = np.where(of_day, place(day, np.searchsorted(kept, rows)), self.places)
        return type(self)(self.quantiser, self.lists, places, self.codes)._only(~of_day | np.isin(rows, kept))

    def to_search(self) -> Any:
        """The FAISS index with these rows, in memory of exactly their size."""
        import faiss

        index: Any = faiss.clone_index(self.quantiser)
        ends = np.searchsorted(self.lists, np.arange(index.nlist + 1))
        for number, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            if start < end:
                places, codes = self.places[start:end], self.codes[start:end]
                index.invlists.add_entries(number, end - start, faiss.swig_ptr(places), faiss.swig_ptr(codes))
        return index

    def _only(self, wanted: np.ndarray) -> Self:
        return type(self)(self.quantiser, self.lists[wanted], self.places[wanted], self.codes[wanted])


def place(day: int, rows: np.ndarray) -> np.ndarray:
    """The places (n,) of some rows of a day."""
    return np.asarray(rows, np.int64) + (day << ROW_BITS)


def by_day(places: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Ascending places (n,) as days and the ascending numbers of their rows."""
    days, rows = places >> ROW_BITS, places & ROW_MASK
    ends = np.flatnonzero(np.diff(days)) + 1
    for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(places)], strict=True):
        if start < end:
            yield int(days[start]), rows[start:end]
