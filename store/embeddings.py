"""The embeddings of one checkpoint: three append-only files with one fixed-size row a keyframe.

ids.int64 names the keyframes; recall.float16 (n, D) and compressed.float16 (n, C) hold their embeddings. The ids are
written last and a row counts once all three files have it whole, so a crash or a full disk leaves a torn row that
the next append cuts. Rows lie in the order of embedding, not of time: an old film may be embedded after a new one.
All of it can be rebuilt from the keyframes. This file does not know what made the numbers, nor SQLite.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from store.disk import make_private_directory, open_private, write_whole, writing
from store.errors import MemoryDamaged, UserError


class Column:
    """One append-only file of rows of `width` numbers."""

    def __init__(self, path: Path, dtype: str, width: int) -> None:
        self.path = path
        self._dtype = np.dtype(dtype)
        self._width = width
        self._row_bytes = self._dtype.itemsize * width

    def count(self) -> int:
        """Whole rows."""
        return self.path.stat().st_size // self._row_bytes if self.path.exists() else 0

    def append(self, rows: np.ndarray) -> None:
        """Add (n, width) rows, on disk on return. OSError if not all of them went in."""
        descriptor = open_private(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            write_whole(descriptor, np.ascontiguousarray(rows, self._dtype).tobytes())
        finally:
            os.close(descriptor)

    def cut(self, count: int) -> None:
        """Leave the first `count` rows."""
        if self.path.exists():
            os.truncate(self.path, count * self._row_bytes)

    def map(self, count: int) -> np.ndarray:
        """The first `count` rows, (count, width), read from the file as they are touched."""
        if count == 0:
            return np.empty((0, self._width), self._dtype)
        return np.memmap(self.path, self._dtype, "r", shape=(count, self._width))


class Embeddings:
    """The rows of one checkpoint's folder, as far as they are committed; other processes may add meanwhile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._turn = threading.RLock()
        self._columns: tuple[Column, ...] = ()
        self._ids = np.empty(0, np.int64)
        self._forget_rows()

    def __len__(self) -> int:
        """Committed rows now."""
        with self._turn:
            self._refresh()
            return len(self._ids)

    def append(self, ids: Sequence[int], recall: np.ndarray, compressed: np.ndarray) -> None:
        """Add recall (n, D) and compressed (n, C) of n keyframes; those already there are left as they are.

        ValueError: the shapes disagree with each other or with the rows before, or a number does not fit float16.
        DiskFull: some whole rows may have gone in, and appending all again later is right.
        """
        recall, compressed = _as_float16(recall), _as_float16(compressed)
        if not len(ids) == len(recall) == len(compressed):
            raise ValueError(f"{len(ids)} ids, {recall.shape} recall and {compressed.shape} compressed embeddings")
        with self._turn, writing(self.directory), self._held():
            self._agree_on_widths(recall.shape[1], compressed.shape[1])
            self._settle()
            new = ~np.isin(np.asarray(ids, np.int64), self.ids())
            try:
                self._columns[2].append(compressed[new])
                self._columns[1].append(recall[new])
                self._columns[0].append(np.asarray(ids, np.int64)[new])
            except OSError:
                self._settle()
                raise

    def ids(self) -> np.ndarray:
        """(n,) int64 in row order."""
        with self._turn:
            self._refresh()
            return self._ids

    def sorted_ids(self) -> np.ndarray:
        """(n,) int64 in time order."""
        with self._turn:
            self._refresh()
            return self._ids[self._order]

    def recall_from(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids (m,) int64 and recall embeddings (m, D) float16 of all rows from one on."""
        with self._turn:
            self._refresh()
            return self._ids[row:], self._recall[row:]

    def compressed(self, ids: Sequence[int]) -> np.ndarray:
        """(n, C) float32 in the order asked. UserError for a keyframe without an embedding."""
        with self._turn:
            self._refresh()
            rows = self._rows_of(np.asarray(ids, np.int64))
            return np.asarray(self._compressed[rows], np.float32)

    def recall(self, ids: Sequence[int]) -> np.ndarray:
        """(n, D) float32 in the order asked. UserError for a keyframe without an embedding."""
        with self._turn:
            self._refresh()
            return np.asarray(self._recall[self._rows_of(np.asarray(ids, np.int64))], np.float32)

    def _rows_of(self, ids: np.ndarray) -> np.ndarray:
        if len(self._ids) == 0:
            raise UserError(f"{self.directory.name} has no embeddings yet.", "Run: whereabouts index")
        places = np.searchsorted(self._ids, ids, sorter=self._order)
        rows = self._order[np.minimum(places, len(self._ids) - 1)]
        missing = ids[self._ids[rows] != ids]
        if len(missing):
            raise UserError(
                f"Keyframe {missing[0]} has no embedding of {self.directory.name}.", "Run: whereabouts index"
            )
        return rows

    def _refresh(self) -> None:
        """Map what has been committed since the last look."""
        if not self._columns:
            self._columns = self._open_columns()
        count = min((column.count() for column in self._columns), default=0)
        if count == 0:
            self._forget_rows()
        elif count != len(self._ids):
            ids, recall, compressed = self._columns
            self._ids = np.array(ids.map(count)[:, 0])
            self._order = np.argsort(self._ids, kind="stable")
            self._recall, self._compressed = recall.map(count), compressed.map(count)

    def _forget_rows(self) -> None:
        self._ids = np.empty(0, np.int64)
        self._order = np.empty(0, np.intp)
        self._recall = self._compressed = np.empty((0, 0), np.float16)

    def _settle(self) -> None:
        """Cut all columns to the whole rows that every one of them has."""
        count = min(column.count() for column in self._columns)
        for column in self._columns:
            column.cut(count)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One appender at a time, in any process."""
        make_private_directory(self.directory)
        descriptor = open_private(self.directory / "appending.lock", os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @property
    def _widths_path(self) -> Path:
        return self.directory / "widths.json"

    def _agree_on_widths(self, recall: int, compressed: int) -> None:
        """Write the widths beside the first rows; ValueError if later rows have others."""
        wanted = {"recall": recall, "compressed": compressed}
        if not self._widths_path.exists():
            draft = self._widths_path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            descriptor = open_private(draft, os.O_WRONLY)
            try:
                write_whole(descriptor, json.dumps(wanted).encode())
            finally:
                os.close(descriptor)
            draft.rename(self._widths_path)
        if (known := self._widths()) != wanted:
            raise ValueError(f"{self.directory.name} has embeddings of widths {known}, not {wanted}")
        self._columns = self._open_columns()

    def _widths(self) -> dict[str, int]:
        try:
            widths = json.loads(self._widths_path.read_text())
            return {"recall": int(widths["recall"]), "compressed": int(widths["compressed"])}
        except (ValueError, KeyError, TypeError) as error:
            raise MemoryDamaged(
                f"{self._widths_path} is damaged.", f"Remove {self.directory} and index the memory again."
            ) from error

    def _open_columns(self) -> tuple[Column, ...]:
        """None as long as nothing was embedded."""
        if not self._widths_path.exists():
            return ()
        widths = self._widths()
        return (
            Column(self.directory / "ids.int64", "<i8", 1),
            Column(self.directory / "recall.float16", "<f2", widths["recall"]),
            Column(self.directory / "compressed.float16", "<f2", widths["compressed"]),
        )


def _as_float16(rows: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrowed = np.asarray(rows).astype(np.float16)
    if narrowed.ndim != 2 or not np.isfinite(narrowed).all():
        raise ValueError(f"embeddings of shape {narrowed.shape} are not rows of finite float16 numbers")
    return narrowed
