"""The SQLite file: durable, private, migrated, and plain about its errors."""

import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from store.database import MIGRATIONS, Database
from store.errors import DiskFull, MemoryDamaged
from tests.small_disk import fill, make_read_only, small_disk

GAP = {"session_id": 1, "started_at": 1.0, "ended_at": 2.0, "reason": "covered"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def with_a_session(path: Path, key: bytes | None = None) -> Database:
    database = Database(path, key)
    database.execute("INSERT INTO sessions VALUES (1, 'film', 0.0, 0, 2.0, 0.0, NULL, NULL)")
    return database


def test_every_commit_is_flushed_through_a_write_ahead_log(tmp_path: Path):
    database = Database(tmp_path / "memory.db")
    assert database.value("PRAGMA journal_mode") == "wal"
    assert database.value("PRAGMA synchronous") == 2
    assert database.value("PRAGMA foreign_keys") == 1


def test_a_new_file_has_had_every_migration_and_a_second_opening_adds_none(tmp_path: Path):
    Database(tmp_path / "memory.db").close()
    database = with_a_session(tmp_path / "memory.db")
    assert database.version == len(MIGRATIONS)
    assert database.value("SELECT count(*) FROM sessions") == 1


def test_a_newer_version_is_refused_by_name_and_left_untouched(tmp_path: Path):
    path = tmp_path / "memory.db"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 7}")
    before = path.read_bytes()
    with pytest.raises(MemoryDamaged, match=f"version {len(MIGRATIONS) + 7}") as raised:
        Database(path)
    assert "Update" in raised.value.hint
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_at_its_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with_a_session(tmp_path / "memory.db").close()
    broken = "CREATE TABLE places (id INTEGER PRIMARY KEY); CREATE TABLE places (id INTEGER);"
    monkeypatch.setattr("store.database.MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(dbapi2.OperationalError, match="already exists"):
        Database(tmp_path / "memory.db")
    monkeypatch.undo()
    database = Database(tmp_path / "memory.db")
    assert database.version == len(MIGRATIONS)
    assert database.rows("SELECT name FROM sqlite_master WHERE name = 'places'") == []


def test_a_file_that_is_no_database_is_damage(tmp_path: Path):
    (tmp_path / "memory.db").write_bytes(b"a film, perhaps" * 1000)
    with pytest.raises(MemoryDamaged, match="memory.db is damaged"):
        Database(tmp_path / "memory.db")


def test_only_the_wearer_may_read_the_files(tmp_path: Path):
    database = with_a_session(tmp_path / "memory.db")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["memory.db", "memory.db-shm", "memory.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    database.close()


def test_a_row_that_names_no_session_is_refused(tmp_path: Path):
    with pytest.raises(dbapi2.IntegrityError):
        Database(tmp_path / "memory.db").insert("gaps", GAP)


def test_threads_that_insert_together_each_learn_their_own_id(tmp_path: Path):
    database = with_a_session(tmp_path / "memory.db")
    ids: dict[int, list[int]] = {}

    def insert_some(reason: int) -> None:
        ids[reason] = [database.insert("gaps", {**GAP, "reason": str(reason)}) for _ in range(20)]

    threads = [threading.Thread(target=insert_some, args=(reason,)) for reason in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = {row["id"]: int(row["reason"]) for row in database.rows("SELECT id, reason FROM gaps")}
    assert written == {each: reason for reason, own in ids.items() for each in own}
    assert len(written) == 80


def copy_to(disk: Path, path: Path) -> Path:
    """With its log, if it is open: as a process that was killed leaves it."""
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, disk)
    return disk / path.name


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["plain", "encrypted"])
@pytest.mark.parametrize("was_closed", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_what_is_committed_can_be_read_where_nothing_can_be_written(
    disk: Path, tmp_path: Path, spoil: Callable[[Path], None], was_closed: bool, key: bytes | None
):
    original = with_a_session(tmp_path / "memory.db", key)
    if was_closed:
        original.close()
    path = copy_to(disk, original.path)
    spoil(disk)
    with closing(Database(path, key)) as database:
        assert database.rows("SELECT source FROM sessions") == [{"source": "film"}]
        with pytest.raises(DiskFull) as refused:
            database.insert("gaps", GAP)
        assert "stays readable" in refused.value.hint
        database.copy(tmp_path / "copy.db")
    with closing(Database(tmp_path / "copy.db", key)) as copy:
        assert copy.value("SELECT count(*) FROM sessions") == 1


def test_a_log_whose_index_was_lost_is_read_on_a_full_disk(disk: Path, tmp_path: Path):
    with closing(with_a_session(tmp_path / "memory.db")) as original:
        path = copy_to(disk, original.path)
    path.with_name("memory.db-shm").unlink()
    fill(disk)
    with closing(Database(path)) as database:
        assert database.value("SELECT count(*) FROM sessions") == 1


@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_an_older_version_that_cannot_be_written_is_refused_by_name_and_left_untouched(
    disk: Path, tmp_path: Path, spoil: Callable[[Path], None]
):
    with closing(with_a_session(tmp_path / "memory.db")) as database:
        database.execute("PRAGMA user_version = 2")
    path = copy_to(disk, tmp_path / "memory.db")
    spoil(disk)
    before = path.read_bytes()
    with pytest.raises(DiskFull, match="cannot be written.* of version 2"):
        Database(path)
    assert path.read_bytes() == before
