"""The SQLite file of a memory: one connection, its schema, and its errors in the names a person can act on.

SQLite is the truth of a memory and a committed row is a promise: WAL, synchronous=FULL. With a key the whole file is
encrypted (SQLCipher 4: AES-256 and an HMAC for every page); nothing of it is ever put into a temporary file. Before
a migration the file is copied to memory.db.before-N. On a disk that is full or read-only it is opened for reading.
This file does not know what the rows mean (ledger.py does) nor what lies beside them.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlcipher3
from sqlcipher3 import dbapi2

from store.disk import disk_full, open_private, sync_directory, writing
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, UserError
from store.schema import MIGRATIONS

# sqlite-utils looks for this name first: with it, it uses sqlcipher3's SQLite and catches sqlcipher3's exceptions.
sys.modules.setdefault("pysqlite3", sqlcipher3)
sys.modules.setdefault("pysqlite3.dbapi2", dbapi2)
import sqlite_utils  # noqa: E402

BUSY_TIMEOUT_S = 30.0
COPIED_PAGES = 2048  # at a time, so that others may write between
CACHE_KIB = 512  # a recorder must not grow all day, and the kernel caches the file as well
SETTINGS = f"""
    PRAGMA foreign_keys = ON; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;
"""

# SQLite's primary result codes.
BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 6, 8, 10, 11, 13, 14, 26


class Database:
    """One connection, shared by the threads of this process; every statement commits by itself.

    Every method raises DiskFull, MemoryDamaged or MemoryBusy (locked for 30 s) when SQLite says so.
    """

    def __init__(
        self,
        path: Path,
        key: bytes | None = None,
        while_changing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Open the file, made with 0600 where absent, and bring its schema up to date inside `while_changing()`.

        `key`: 32 bytes, or None for a plain file. Where it cannot be written it can be read, and whoever writes gets
        DiskFull; so does who opens one of an older version there. MemoryDamaged if it is no database, of another key,
        or of a newer version, and then it is left untouched.
        """
        self.path, self._key, self._while_changing = path, key, while_changing
        self._turn = threading.RLock()
        try:
            self._open_for_writing()
        except DiskFull as unwritable:
            self._open_for_reading(unwritable)

    def close(self) -> None:
        """Once nobody is in the middle of a statement."""
        with self._turn:
            self._connection.close()

    @property
    def version(self) -> int:
        """How many migrations the file has had."""
        return int(self.value("PRAGMA user_version"))

    @property
    def in_transaction(self) -> bool:
        """Is something written that is not committed yet?"""
        return bool(self._connection.in_transaction)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Every row that a query finds, by column name."""
        with self._speaking_plainly():
            return list(self._tables.query(sql, parameters))

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, None where there is no row."""
        with self._speaking_plainly():
            row = self._connection.execute(sql, parameters).fetchone()
            return None if row is None else row[0]

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> None:
        """One statement, committed on return: the hot path, without sqlite-utils' bookkeeping."""
        with self._speaking_plainly():
            self._connection.execute(sql, parameters)

    def insert(self, table: str, row: dict[str, Any]) -> int:
        """Commit one row and return its new id."""
        with self._speaking_plainly():
            return int(self._tables[table].insert(row).last_pk)  # type: ignore[union-attr, arg-type]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is committed at the end, or none of it; an inner block belongs to the outer."""
        with self._speaking_plainly():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._tables.rollback()
                raise

    def copy(self, path: Path) -> None:
        """Write the database as it is committed now to another file, under the same key, on disk on return."""
        draft = path.with_name(path.name + ".draft")
        draft.unlink(missing_ok=True)
        with writing(path), self._speaking_plainly():
            os.close(open_private(draft, os.O_RDWR))
            target = self._connect(draft.absolute().as_uri())
            try:
                target.execute("PRAGMA journal_mode = DELETE")
                self._connection.backup(target, pages=COPIED_PAGES)
            finally:
                target.close()
            with open(draft, "rb") as copied:
                os.fsync(copied.fileno())
            draft.rename(path)
            sync_directory(path.parent)

    def _open_for_writing(self) -> None:
        with writing(self.path):
            os.close(open_private(self.path, os.O_RDWR))
        with self._opening("mode=rwc"):
            self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            self._migrate()

    def _open_for_reading(self, unwritable: DiskFull) -> None:
        """Where SQLite cannot make the files it works with. It needs none where there is no log, or an empty one, and
        it is told not to make any, but only then, as it would not read a log either."""
        log = self.path.with_name(f"{self.path.name}-wal")
        has_log = log.exists() and log.stat().st_size > 0
        with self._opening("mode=ro&readonly_shm=1" if has_log else "mode=ro&immutable=1"):
            if self.version < len(MIGRATIONS):
                what = f"{unwritable.message} It is of version {self.version} and has to be brought up to date first."
                raise DiskFull(what, "Make room on that disk or allow writing there.") from unwritable

    @contextmanager
    def _opening(self, how: str) -> Iterator[None]:
        """Connect, and close again if what is done inside fails."""
        with self._speaking_plainly():
            self._connection = self._connect(f"{self.path.absolute().as_uri()}?{how}")
            try:
                self._tables = sqlite_utils.Database(self._connection, execute_plugins=False)
                self._refuse_newer()
                self._connection.executescript(SETTINGS)
                yield
            except BaseException:
                self._connection.close()
                raise

    def _connect(self, uri: str) -> dbapi2.Connection:
        connection = dbapi2.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        if self._key is not None:
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{self._key.hex()}'\"")
        return connection

    def _refuse_newer(self) -> None:
        if self.version > len(MIGRATIONS):
            raise MemoryDamaged(
                f"{self.path} is of version {self.version}; this program knows up to version {len(MIGRATIONS)}.",
                "Update whereabouts, or open another memory.",
            )

    def _migrate(self) -> None:
        """Apply what is missing; the version is read again inside, as another process may be doing the same."""
        if self.version == len(MIGRATIONS):
            return
        with self._while_changing():  # a recorder of the older version would stumble
            if 0 < self.version < len(MIGRATIONS):
                self.copy(self.path.with_name(f"{self.path.name}.before-{len(MIGRATIONS)}"))
            self._apply_missing()

    def _apply_missing(self) -> None:
        with self.transaction():
            for migration in MIGRATIONS[self.version :]:
                self._tables.executescript(migration)
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _speaking_plainly(self) -> Iterator[None]:
        """One thread at a time, and SQLite's errors in this memory's own."""
        with self._turn:
            try:
                yield
            except dbapi2.DatabaseError as error:
                named = self._named(error)
                if named is None:
                    raise
                raise named from error

    def _named(self, error: Exception) -> UserError | None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (FULL, IOERR, READONLY, CANTOPEN):
            return disk_full(self.path, str(error))
        if code in (CORRUPT, NOTADB):
            hint = "Run: whereabouts check --repair, or restore a backup: whereabouts restore --help"
            return MemoryDamaged(f"{self.path} is damaged: {error}.", hint)
        if code in (BUSY, LOCKED):
            return MemoryBusy(
                f"{self.path} was locked for {BUSY_TIMEOUT_S:.0f} s.", "End the other program and try again."
            )
        return None
