"""The folder of one checkpoint and its shards: which files there are, who may write, and what nobody claims any more.

    embeddings/<checkpoint>/000012.recall, 000012.compressed     the rows of shard 12: of one day in UTC
    embeddings/<checkpoint>/000034.axes, 000056.lists       of the indexes 34 and 56

Names tell no day, and a number is drawn by lot, so that it never comes again and what others have read of a file stays
true. A file counts from the transaction on that names it, and after the one that drops it nobody has its key.
This file does not know what the numbers in the rows mean, nor how an index finds them.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from store.database import Database
from store.disk import make_private_directory, open_private, sync_directory, writing
from store.errors import MemoryDamaged
from store.recall.rows import READ_ROWS, RowFile, record
from store.sealing import BrokenSeal, FileKeys
from store.spans import FIRST_ID, LAST_ID

DAY_IDS = 86_400_000_000  # a keyframe's id counts microseconds
COLUMNS = RECALL, COMPRESSED = "recall", "compressed"
LOCKS = APPENDING, SEALING = "appending.lock", "sealing.lock"
NUMBERS = 2**31
INSERT_SHARD = "INSERT INTO shards VALUES (?, ?, ?, 0, ?, ?, ?)"
INSERT_EMBEDDED = "INSERT INTO embedded SELECT ?, value, ? + key FROM json_each(?)"
CLAIMED = """
    SELECT id, 'recall' AS suffix FROM shards WHERE checkpoint = ?1
    UNION ALL SELECT id, 'compressed' FROM shards WHERE checkpoint = ?1
    UNION ALL SELECT id, kind FROM indexes WHERE checkpoint = ?1
"""


@dataclass(frozen=True, slots=True)
class Shard:
    """The embeddings of one day: `rows` are committed, and the index `sealed_in`, if any, has the first of them."""

    id: int
    checkpoint: str
    day: int
    rows: int
    recall_width: int
    compressed_width: int
    sealed_in: int | None

    def is_within(self, first_id: int, behind_id: int) -> bool:
        """Can no keyframe of its day lie outside of a range of ids?"""
        return first_id <= self.day * DAY_IDS and (self.day + 1) * DAY_IDS <= behind_id

    def blocks(self) -> Iterator[np.ndarray]:
        """The numbers of all its rows, as many at once as can be held in memory."""
        for start in range(0, self.rows, READ_ROWS):
            yield np.arange(start, min(start + READ_ROWS, self.rows))


class Shards:
    """The shards of one checkpoint; other processes may add some meanwhile."""

    def __init__(self, database: Database, keys: FileKeys, folder: Path, checkpoint: str) -> None:
        self.database, self.keys, self.checkpoint = database, keys, checkpoint
        self.directory = folder / checkpoint
        self._is_swept = False

    def of_ids(self, first_id: int = FIRST_ID, behind_id: int = LAST_ID) -> list[Shard]:
        """Those of the days that a range of keyframe ids touches, in time order."""
        sql = "SELECT * FROM shards WHERE checkpoint = ? AND day >= ? AND day <= ? ORDER BY day"
        days = (first_id // DAY_IDS, (behind_id - 1) // DAY_IDS)
        return [Shard(**row) for row in self.database.rows(sql, (self.checkpoint, *days))]

    def file(self, shard: Shard, column: str) -> RowFile:
        """One of the two files of a shard. MemoryDamaged if its key is gone."""
        name, width = file_name(shard.id, column), getattr(shard, f"{column}_width")
        return RowFile(self.directory / name, self.keys.find(self.key_name(name)), width)

    def rows_of(self, shard: Shard, first_id: int = FIRST_ID, behind_id: int = LAST_ID) -> np.ndarray:
        """The numbers (n,) of a shard's rows that belong to a range of keyframe ids, ascending."""
        if shard.is_within(first_id, behind_id):
            return np.arange(shard.rows)
        sql = "SELECT row FROM embedded WHERE shard = ? AND keyframe_id >= ? AND keyframe_id < ? AND row < ?"
        rows = self.database.rows(sql, (shard.id, first_id, behind_id, shard.rows))
        return np.sort(np.array([row["row"] for row in rows], np.int64))

    def readable(self, shard: Shard, rows: np.ndarray, column: str = RECALL) -> tuple[np.ndarray, np.ndarray]:
        """Of some rows (n,), ascending, those that are whole, and their records."""
        try:
            file = self.file(shard, column)
            try:
                return rows, file.read(rows)
            except BrokenSeal:
                rows = np.setdiff1d(rows, file.broken(rows))
                return rows, file.read(rows)
        except (MemoryDamaged, FileNotFoundError):
            return np.empty(0, np.int64), np.empty(0, record(getattr(shard, f"{column}_width")))

    def begin(self, day: int, recall_width: int, compressed_width: int, sealed_in: int | None = None) -> Shard:
        """A shard without rows, with its keys; it counts when rows of it are claimed."""
        shard = Shard(new_number(), self.checkpoint, day, 0, recall_width, compressed_width, sealed_in)
        for column in COLUMNS:
            self.keys.make(self.key_name(file_name(shard.id, column)))
        return shard

    def write(self, shard: Shard, ids: np.ndarray, recall: np.ndarray, compressed: np.ndarray) -> None:
        """Put n rows behind the claimed ones, on disk on return."""
        self.file(shard, RECALL).write(shard.rows, ids, recall)
        self.file(shard, COMPRESSED).write(shard.rows, ids, compressed)

    def claim(self, shard: Shard, ids: np.ndarray) -> None:
        """Within a transaction: the rows written last are those of some keyframes (n,)."""
        if shard.rows == 0:
            widths = (shard.recall_width, shard.compressed_width)
            self.database.execute(INSERT_SHARD, (shard.id, self.checkpoint, shard.day, *widths, shard.sealed_in))
        self.database.execute(INSERT_EMBEDDED, (shard.id, shard.rows, json.dumps(ids.tolist())))
        self.database.execute("UPDATE shards SET rows = ? WHERE id = ?", (shard.rows + len(ids), shard.id))

    def disown(self, shard_id: int) -> None:
        """Within a transaction: nobody can read the rows any more; the files go with the next sweep."""
        self.database.execute("DELETE FROM embedded WHERE shard = ?", (shard_id,))
        self.database.execute("DELETE FROM shards WHERE id = ?", (shard_id,))
        for column in COLUMNS:
            self.keys.destroy(self.key_name(file_name(shard_id, column)))

    def key_name(self, file: str) -> str:
        """The name under which the key of a file in this folder is kept."""
        return f"{self.directory.parent.name}/{self.checkpoint}/{file}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one who changes files and claims inside the block, in any process. Not inside a transaction."""
        with writing(self.directory), locked(self.directory / APPENDING):
            if not self._is_swept:
                self.sweep()
            yield

    def sweep(self) -> None:
        """While held: remove files and keys that nothing claims: of a crash, a removal or an older version."""
        rows = self.database.rows(CLAIMED, (self.checkpoint,))
        claimed = {file_name(row["id"], row["suffix"]) for row in rows} | set(LOCKS)
        prefix = self.key_name("")
        for row in self.database.rows("SELECT file FROM keys WHERE substr(file, 1, ?) = ?", (len(prefix), prefix)):
            if row["file"].removeprefix(prefix) not in claimed:
                self.keys.destroy(row["file"])
        for path in self.directory.iterdir():
            if path.name not in claimed:
                path.unlink()
        sync_directory(self.directory)
        self._is_swept = True


def file_name(number: int, suffix: str) -> str:
    return f"{number:06d}.{suffix}"


def new_number() -> int:
    """For a shard or an index."""
    return secrets.randbelow(NUMBERS)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a folder, made where absent. Yields whether it is held: always, unless told not to wait."""
    make_private_directory(path.parent)
    descriptor = open_private(path, os.O_RDWR)
    try:
        yield _take(descriptor, wait)
    finally:
        os.close(descriptor)


def _take(descriptor: int, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
