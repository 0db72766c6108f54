"""Salvage: a memory.db that SQLite finds damaged is mended where that is enough, else what can be read is written anew.

A broken index or full text is made again in place, after a copy. Where pages are broken or missing, every table is read
up to the first row that cannot be had, then from its other end, then behind what could not be had, as often as it
takes, into a new file; the damaged one is kept beside it. This file does not know what the rows mean.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from store.database import Database
from store.disk import disk_full, open_private, sync_directory, writing
from store.errors import MemoryDamaged
from store.schema import MIGRATIONS
from store.spans import FIRST_ID, LAST_ID
from store.upkeep.check import database_faults, unreadable_pages
from store.upkeep.copying import copy_database, copy_file

COPY, DAMAGED, NEW = "memory.db.before-repair", "memory.db.damaged", "memory.db.new"
LEAP = 1.3  # how much farther each attempt to get over what cannot be had goes
TABLES = "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
KEYS = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"

Row = tuple[Any, ...]
Lost = tuple[str, Any, Any]


@dataclass(slots=True)
class Mended:
    """What was done to a database, in lines for a person, and what could not be had.

    `lost`: (table, the last key before it, the first key behind it); FIRST_ID and LAST_ID where there is none.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


def mend_database(path: Path, key: bytes | None) -> Mended:
    """Make a database whole that nobody else has open; where nothing of it can be read, nothing is changed.

    MemoryDamaged: it is of a newer version. DiskFull: it is as before.
    """
    with closing(_Damaged(path, key)) as damaged:
        version = damaged.version()
    if not version:
        return Mended(left=[f"nothing in {path.name} can be read; restore a backup of this memory"])
    if version > len(MIGRATIONS):
        Database(path, key)  # refuses it by name
    with suppress(MemoryDamaged), closing(Database(path, key)) as database:
        faults = database_faults(database, key is not None)
        if not faults:
            return Mended()
        if key is None or not unreadable_pages(database):
            copy_database(database, path.with_name(COPY))
            database.execute("INSERT INTO words (words) VALUES ('rebuild')")
            database.execute("REINDEX")
            if not database_faults(database, key is not None):
                return Mended([f"made the indexes of {path.name} again, as {fault}" for fault in faults])
    return _write_anew(path, key)


class _Damaged:
    """The damaged file, opened anew after everything that cannot be had: SQLCipher reads nothing more after it."""

    def __init__(self, path: Path, key: bytes | None) -> None:
        self._path, self._key, self.broke = path, key, False
        self._connection = _connected(path, key)

    def version(self) -> int | None:
        """How many migrations it has had; None if not even that can be read."""
        found = [row[0] for row in self.rows("PRAGMA user_version")]
        return int(found[0]) if found else None

    def rows(self, sql: str, parameters: Row = ()) -> Iterator[Row]:
        """Those up to the first that cannot be had; `broke` if there was one."""
        self.broke = False
        try:
            yield from self._connection.execute(sql, parameters)
        except dbapi2.DatabaseError:
            self.broke = True
            self._connection.close()
            self._connection = _connected(self._path, self._key)

    def close(self) -> None:
        self._connection.close()


class _Table:
    """One table of a damaged file: every row of it that can be had, and what cannot."""

    def __init__(self, damaged: _Damaged, name: str) -> None:
        self._damaged, self._name = damaged, name
        self.lost: list[Lost] = []

    def by_key(self, keys: list[str]) -> Iterator[Row]:
        """From both ends, where rows have no numbers."""
        ends: list[str | None] = []
        for direction in ("ASC", "DESC"):
            order, last = ", ".join(f"{key} {direction}" for key in keys), None
            for row in self._damaged.rows(f"SELECT {', '.join(keys)}, * FROM {self._name} ORDER BY {order}"):
                last, content = row[: len(keys)], row[len(keys) :]
                yield content
            if not self._damaged.broke:
                return
            ends.append(", ".join(map(str, last)) if last else None)
        self.lost.append((self._name, ends[0], ends[1]))

    def by_number(self) -> Iterator[Row]:
        """From both ends of what lies between two numbers, and then, in the same way, on both sides of a leap."""
        unread = [(FIRST_ID, LAST_ID)]
        while unread:
            low, high = unread.pop()
            last, until = low, high
            for number, *row in self._ordered("ASC", low, high):
                last = number
                yield tuple(row)
            if not self._damaged.broke:
                continue
            for number, *row in self._ordered("DESC", last, high):
                until = number
                yield tuple(row)
            landed = self._leap(last, until)
            if landed is None:
                self.lost.append((self._name, last, until))
            else:
                unread += [(landed - 1, until), (last, landed)]

    def _leap(self, last: int, until: int) -> int | None:
        """The number of a row that can be had between two, found ever farther from the one that is known."""
        step, up = 1, last > FIRST_ID
        while step < until - last and (up or until < LAST_ID):
            bounds = (last + step, until) if up else (last, until - step)
            for number, *_ in self._ordered("ASC" if up else "DESC", *bounds):
                return int(number)
            if not self._damaged.broke:
                return None
            step = int(step * LEAP) + 1
        return None

    def _ordered(self, direction: str, low: int, high: int) -> Iterator[Row]:
        """Up to the first that cannot be had, or that does not belong there, as in a page of zeros."""
        sql = f"SELECT rowid, * FROM {self._name} WHERE rowid > ? AND rowid < ? ORDER BY rowid {direction}"
        for row in self._damaged.rows(sql, (low, high)):
            if not low < row[0] < high:
                self._damaged.broke = True
                return
            low, high = (row[0], high) if direction == "ASC" else (low, row[0])
            yield row


def _write_anew(path: Path, key: bytes | None) -> Mended:
    new, damaged = path.with_name(NEW), _Damaged(path, key)
    with writing(new):
        new.unlink(missing_ok=True)
        os.close(open_private(new, os.O_RDWR))
    try:
        with closing(_connected(new, key)) as target:
            saved, refused, lost = _write_tables(damaged, target)
    except dbapi2.OperationalError as error:
        new.unlink()
        raise disk_full(new, str(error)) from error
    if not saved.total():
        new.unlink()
        return Mended(left=[f"nothing in {path.name} can be read; restore a backup of this memory"])
    kept = _replace(path, new, damaged)
    rows = ", ".join(f"{number} of {table}" for table, number in saved.items())
    left = [f"{table}: rows {_between(last, until)} cannot be read" for table, last, until in lost]
    left += [f"{table}: {number} rows hold what no row of it can" for table, number in refused.items()]
    return Mended([f"wrote all rows that can be read into a new {path.name}: {rows}; kept {kept.name}"], left, lost)


def _write_tables(damaged: _Damaged, target: dbapi2.Connection) -> tuple[Counter[str], Counter[str], list[Lost]]:
    """How many rows were written and how many refused, by table, and what was lost; on disk on return."""
    version, saved, refused, lost = damaged.version() or len(MIGRATIONS), Counter[str](), Counter[str](), []
    for migration in MIGRATIONS[:version]:
        target.executescript(migration)
    target.execute("BEGIN")
    for name, without_rowid in target.execute(TABLES).fetchall():
        table = _Table(damaged, name)
        keys = [key for (key,) in target.execute(KEYS, (name,))]
        for row in table.by_key(keys) if without_rowid else table.by_number():
            try:
                target.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
                saved[name] += 1
            except dbapi2.IntegrityError:  # plain pages have no seals, so anything may be in them
                refused[name] += 1
        lost += table.lost
    target.execute(f"PRAGMA user_version = {version}")
    target.execute("COMMIT")
    return saved, refused, lost


def _replace(path: Path, new: Path, damaged: _Damaged) -> Path:
    """Put the new file in the place of the damaged one; under which name that, with its log, was kept."""
    free = (path.with_name(DAMAGED + (f".{number}" if number > 1 else "")) for number in count(1))
    kept = next(name for name in free if not name.exists())
    log = path.with_name(path.name + "-wal")
    for source, target in ((path, kept), (log, kept.with_name(kept.name + "-wal"))):
        if source.exists():
            copy_file(source, target, source.stat())
    damaged.close()
    with writing(path):
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        new.rename(path)
        sync_directory(path.parent)
    return kept


def _between(last: Any, until: Any) -> str:
    """Two keys, of which there may be none."""
    behind = "" if last in (None, FIRST_ID) else f"behind {last}"
    before = "" if until in (None, LAST_ID) else f"before {until}"
    return " and ".join(filter(None, (behind, before))) or "from the first to the last"


def _connected(path: Path, key: bytes | None) -> dbapi2.Connection:
    connection = dbapi2.connect(str(path), isolation_level=None)
    if key is not None:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA writable_schema = ON")  # else a file that was cut is refused as a whole
    return connection
