"""The SQLite file of a memory: one connection, its schema, and its errors in the names a person can act on.

SQLite is the truth of a memory and a committed row is a promise: WAL, synchronous=FULL. The schema grows by numbered
migrations that are only ever appended to; PRAGMA user_version says how many a file has had. This file does not know
what the rows mean (ledger.py does) nor what lies beside them.
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

from store.disk import disk_full, open_private, writing
from store.errors import MemoryBusy, MemoryDamaged, UserError

# sqlite-utils looks for this name first: with it, it uses sqlcipher3's SQLite and catches sqlcipher3's exceptions.
sys.modules.setdefault("pysqlite3", sqlcipher3)
sys.modules.setdefault("pysqlite3.dbapi2", dbapi2)
import sqlite_utils  # noqa: E402

BUSY_TIMEOUT_S = 30.0
CACHE_KIB = 512  # a recorder must not grow all day, and the kernel caches the file as well

MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, started_at REAL NOT NULL, zone_offset_s INTEGER NOT NULL,
        wanted_fps REAL NOT NULL, heartbeat_at REAL NOT NULL, ended_at REAL, ended_because TEXT
    ) STRICT;
    CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions,
        started_at REAL NOT NULL, ended_at REAL NOT NULL, reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE keyframes (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, captured_at REAL NOT NULL,
        zone_offset_s INTEGER NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, novelty REAL NOT NULL,
        pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL, length_bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE transcripts (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, started_at REAL NOT NULL,
        ended_at REAL NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, confidence REAL NOT NULL
    ) STRICT;
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY, asked_at REAL NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
        seen INTEGER NOT NULL, confidence REAL NOT NULL, checkpoint TEXT NOT NULL, keyframe_ids TEXT NOT NULL
    ) STRICT;
    CREATE INDEX sessions_left_open ON sessions (id) WHERE ended_at IS NULL;
    CREATE INDEX gaps_in_time ON gaps (started_at);
    CREATE INDEX keyframes_of_session ON keyframes (session_id);
    CREATE INDEX keyframes_in_pack ON keyframes (pack, offset_bytes);
    CREATE INDEX transcripts_in_time ON transcripts (started_at);
    """,
    """
    ALTER TABLE keyframes ADD COLUMN reduced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE transcripts ADD COLUMN engine TEXT NOT NULL DEFAULT '';
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'transcripts', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
    );
    INSERT INTO words (words) VALUES ('rebuild');
    CREATE TRIGGER words_come AFTER INSERT ON transcripts BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER words_go AFTER DELETE ON transcripts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END;
    CREATE TRIGGER words_change AFTER UPDATE OF text ON transcripts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TABLE sounds (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, started_at REAL NOT NULL,
        ended_at REAL NOT NULL, zone_offset_s INTEGER NOT NULL, pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,
        length_bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL, heard INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE keyframes_read (keyframe_id INTEGER PRIMARY KEY) STRICT;
    CREATE TRIGGER keyframes_go AFTER DELETE ON keyframes BEGIN
        DELETE FROM keyframes_read WHERE keyframe_id = old.id;
    END;
    CREATE TABLE freed (
        folder TEXT NOT NULL, pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL, length_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE holds (
        id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL, since REAL NOT NULL, until REAL
    ) STRICT;
    CREATE INDEX sounds_in_time ON sounds (started_at);
    CREATE INDEX sounds_in_pack ON sounds (pack, offset_bytes);
    CREATE INDEX sounds_unheard ON sounds (started_at) WHERE heard = 0;
    CREATE INDEX gaps_of_session ON gaps (session_id);
    CREATE INDEX keyframes_in_full ON keyframes (id) WHERE reduced = 0;
    """,
)

# SQLite's primary result codes.
BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 6, 8, 10, 11, 13, 14, 26


class Database:
    """One connection, shared by the threads of this process; every statement commits by itself.

    Every method raises DiskFull, MemoryDamaged or MemoryBusy (locked for 30 s) when SQLite says so.
    """

    def __init__(self, path: Path, while_changing: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Open the file, made with 0600 where absent, and bring its schema up to date inside `while_changing()`.

        MemoryDamaged if it is no database or of a newer version, which is then left untouched.
        """
        self.path, self._while_changing = path, while_changing
        self._turn = threading.RLock()
        with writing(path):
            os.close(open_private(path, os.O_RDWR))
        with self._speaking_plainly():
            self._connection = dbapi2.connect(
                str(path), timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._tables = sqlite_utils.Database(self._connection, execute_plugins=False)
                self._refuse_newer()
                self._connection.executescript(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                    f"PRAGMA cache_size = -{CACHE_KIB};"
                )
                self._migrate()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        self._connection.close()

    @property
    def version(self) -> int:
        """How many migrations the file has had."""
        return int(self.value("PRAGMA user_version"))

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
        with self._while_changing(), self.transaction():  # a recorder of the older version would stumble
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
            return MemoryDamaged(f"{self.path} is damaged: {error}.", "Restore it from a copy.")
        if code in (BUSY, LOCKED):
            return MemoryBusy(
                f"{self.path} was locked for {BUSY_TIMEOUT_S:.0f} s.", "End the other program and try again."
            )
        return None
