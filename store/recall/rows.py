"""A row file: rows of float16 numbers, each with the keyframe it belongs to and each sealed on its own.

A row is sealed with its number as the context, so that none can be taken for another; all have the same size, so that
a few are read without the rest. What lies behind the committed rows is torn or unclaimed, and is written over.
This file does not know how many rows are committed, nor SQLite.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from store.disk import open_private, write_whole
from store.sealing import BrokenSeal, Seal

GAP_ROWS = 8  # reading over so few unwanted rows costs less than reading again
READ_ROWS = 4096  # at once: some MiB


class RowFile:
    """Rows of `width` numbers in one file; an opened row is a record of `id` and `numbers`."""

    def __init__(self, path: Path, seal: Seal, width: int) -> None:
        self.path = path
        self._form = record(width)
        self._seal = seal
        self._row_bytes = self._form.itemsize + seal.overhead_bytes

    def write(self, behind: int, ids: np.ndarray, numbers: np.ndarray) -> None:
        """Put n rows, ids (n,) and numbers (n, width), behind the first ones; on disk on return.

        OSError if not all of them went in; the first ones stay as they were.
        """
        rows = np.empty(len(ids), self._form)
        rows["id"], rows["numbers"] = ids, numbers
        plain, size, close = rows.tobytes(), self._form.itemsize, self._seal.close
        sealed = [close(plain[i * size : (i + 1) * size], (behind + i).to_bytes(8, "little")) for i in range(len(rows))]
        descriptor = open_private(self.path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, behind * self._row_bytes)
            os.lseek(descriptor, 0, os.SEEK_END)
            write_whole(descriptor, b"".join(sealed))
        finally:
            os.close(descriptor)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The records (n,) of some rows, ascending numbers (n,). BrokenSeal if one is not what was written.

        FileNotFoundError if there is no such file.
        """
        open_row, size, opened = self._seal.open, self._row_bytes, []
        for first, run, block in self._blocks(rows):
            for row in run:  # a thousand times a question
                start = (row - first) * size
                opened.append(open_row(block[start : start + size], row.to_bytes(8, "little")))
        return np.frombuffer(b"".join(opened), self._form)

    def broken(self, rows: np.ndarray) -> list[int]:
        """Which of some rows, ascending numbers (n,), are not what was written there."""
        return [row for row in rows.tolist() if not self._is_whole(row)]

    def _is_whole(self, row: int) -> bool:
        try:
            self.read(np.array([row]))
        except BrokenSeal:
            return False
        return True

    def _blocks(self, rows: np.ndarray) -> Iterator[tuple[int, list[int], bytes]]:
        """Rows that lie together: the first of them, all of them, and the bytes from the first to the last."""
        size = self._row_bytes
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            for run in _runs(rows.tolist()):
                first = run[0]
                yield first, run, os.pread(descriptor, (run[-1] - first + 1) * size, first * size)
        finally:
            os.close(descriptor)


def record(width: int) -> np.dtype:
    """An opened row."""
    return np.dtype([("id", "<i8"), ("numbers", "<f2", (width,))])


def _runs(rows: list[int]) -> Iterator[list[int]]:
    """Ascending numbers in groups that are read at once."""
    start = 0
    for i in range(1, len(rows)):
        if rows[i] - rows[i - 1] > GAP_ROWS or i - start == READ_ROWS:
            yield rows[start:i]
            start = i
    if rows:
        yield rows[start:]
