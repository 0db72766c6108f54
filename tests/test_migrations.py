"""A memory of every older version opens as one of today: nothing of it is lost, and a copy of before is kept."""

import signal
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from store.database import Database
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.schema import MIGRATIONS
from store.upkeep.check import check

VERSIONS = range(len(MIGRATIONS))
NEWEST = len(MIGRATIONS)
PICTURES = {1_000_000_000: b"a picture", 1_001_000_000: b"another one", 1_002_000_000: b"the last"}
SOUND = (1_000_500_000, b"a sound")


def older(directory: Path, version: int) -> dict[str, list[dict[str, Any]]]:
    """A memory as that version of the program left it, in plain files; all of its rows, by table."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / "memory.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for migration in MIGRATIONS[:version]:
            database.executescript(migration)
        database.execute(f"PRAGMA user_version = {version}")
        if version >= 1:
            fill_first(directory, database)
        if version >= 2:
            fill_second(directory, database)
        database.commit()
        return rows_of(database)


def fill_first(directory: Path, database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO sessions VALUES (1, 'film', 1000.0, 3600, 2.0, 1003.0, 1003.0, 'film ended')")
    database.execute("INSERT INTO gaps VALUES (1, 1, 1001.0, 1001.5, 'covered')")
    columns = "(id, session_id, started_at, ended_at, text, source, confidence)"
    database.execute(f"INSERT INTO transcripts {columns} VALUES (1, 1, 1000.0, 1001.0, 'the keys', 'speech', 0.9)")
    database.execute("INSERT INTO turns VALUES (1, 5000.0, 'where?', 'there', 1, 0.8, 'nano', '[1000000000]')")
    offsets = write_pack(directory / "packs", PICTURES)
    for each, content in PICTURES.items():
        place = (1, offsets[each], len(content), zlib.crc32(content))
        row = (each, 1, each / 1e6, 3600, 4, 3, 0.5, *place)
        names = "id, session_id, captured_at, zone_offset_s, width_px, height_px, novelty"
        packed = "pack, offset_bytes, length_bytes, crc32"
        database.execute(f"INSERT INTO keyframes ({names}, {packed}) VALUES ({', '.join('?' * 11)})", row)


def fill_second(directory: Path, database: sqlite3.Connection) -> None:
    each, content = SOUND
    [offset] = write_pack(directory / "sounds", {each: content}).values()
    row = (each, 1, 1000.5, 1002.5, 3600, 1, offset, len(content), zlib.crc32(content), 0)
    database.execute(f"INSERT INTO sounds VALUES ({', '.join('?' * 10)})", row)
    database.execute("INSERT INTO keyframes_read VALUES (1000000000)")
    database.execute("INSERT INTO holds VALUES (1, 'paused', 1002.0, NULL)")


def write_pack(folder: Path, contents: dict[int, bytes]) -> dict[int, int]:
    """Records as every version has written them into plain packs; where each content begins."""
    folder.mkdir()
    pack, offsets = b"", {}
    for each, content in contents.items():
        pack += struct.pack("<4sqII", b"WKF1", each, len(content), zlib.crc32(content))
        offsets[each] = len(pack)
        pack += content
    (folder / "000001.pack").write_bytes(pack)
    return offsets


def rows_of(database: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    database.row_factory = sqlite3.Row
    tables = [row["name"] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    own = [name for name in tables if not name.startswith(("words", "sqlite_"))]
    return {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in own}


def rows_in(path: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as database:
        return rows_of(database)


def version_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def as_of_today(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """What a row of an older version has in the newest."""
    renamed = {"checksum" if name == "crc32" else name: value for name, value in row.items()}
    added = {"keyframes": {"reduced": 0}, "transcripts": {"engine": ""}}.get(table, {})
    return {**added, **renamed}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_and_picture_of_an_older_memory_is_there(tmp_path: Path, version: int):
    before = older(tmp_path / "memory", version)
    with EpisodicStore.open(tmp_path / "memory", create=False) as store:
        assert store.database.version == NEWEST
        pictures = {keyframe.id: store.jpeg(keyframe) for keyframe in store.keyframes()}
        assert pictures == (PICTURES if version >= 1 else {})
        assert [store.sound_bytes(sound) for sound in store.sounds()] == ([SOUND[1]] if version >= 2 else [])
        assert [found.text for found in store.find_words("key")] == (["the keys"] if version >= 1 else [])
        assert check(store).clean
    after = rows_in(tmp_path / "memory" / "memory.db")
    for table, rows in before.items():
        assert after[table] == [as_of_today(table, row) for row in rows], table


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_memory_has_the_schema_of_a_new_one_and_is_recorded_into(tmp_path: Path, version: int):
    older(tmp_path / "memory", version)
    with EpisodicStore.open(tmp_path / "memory") as store, EpisodicStore.open(tmp_path / "new", encrypt=False) as new:
        sql = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name"
        assert store.database.rows(sql) == new.database.rows(sql)
        session = store.begin_session("camera", 2000.0, 0, 1)
        keyframe = store.add_keyframe(session.id, 2000.0, 0, b"new", 4, 3, 0.5)
        assert store.jpeg(keyframe) == b"new"
        assert check(store).clean


@pytest.mark.parametrize("version", VERSIONS)
def test_a_copy_of_before_is_kept_unless_there_was_nothing(tmp_path: Path, version: int):
    before = older(tmp_path / "memory", version)
    EpisodicStore.open(tmp_path / "memory").close()
    copy = tmp_path / "memory" / f"memory.db.before-{NEWEST}"
    assert copy.exists() == (version >= 1)
    if copy.exists():
        assert version_in(copy) == version
        assert rows_in(copy) == before
        assert copy.stat().st_mode & 0o077 == 0


def test_a_newer_memory_is_refused_by_name_and_untouched(tmp_path: Path):
    older(tmp_path / "memory", NEWEST - 1)
    with closing(sqlite3.connect(tmp_path / "memory" / "memory.db")) as database:
        database.execute(f"PRAGMA user_version = {NEWEST + 4}")
    before = {path.name: path.read_bytes() for path in (tmp_path / "memory").glob("memory.db*")}
    with pytest.raises(MemoryDamaged, match=f"version {NEWEST + 4}"):
        EpisodicStore.open(tmp_path / "memory")
    after = {path.name: path.read_bytes() for path in (tmp_path / "memory").glob("memory.db*")}
    assert after["memory.db"] == before["memory.db"]
    assert not any(name.startswith("memory.db.before") for name in after)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_that_fails_midway_leaves_the_older_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
):
    before = older(tmp_path / "memory", version)
    with monkeypatch.context() as failing:
        failing.setattr(
            "store.database.MIGRATIONS", (*MIGRATIONS[:-1], MIGRATIONS[-1] + "; SELECT no_such_function();")
        )
        with pytest.raises(Exception, match="no_such_function"):
            EpisodicStore.open(tmp_path / "memory")
    path = tmp_path / "memory" / "memory.db"
    assert version_in(path) == version
    assert rows_in(path) == before
    with EpisodicStore.open(tmp_path / "memory") as store:
        assert store.database.version == NEWEST
        assert check(store).clean


# The process dies within the transaction of the migration, when a statement of its last part is run.
KILLED = """
import os, signal, sys
from pathlib import Path
import store.database as database
from store.episodic import EpisodicStore

real = database.Database._connect
def connect(self, path):
    connection = real(self, path)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection
database.Database._connect = connect
database.MIGRATIONS = (*database.MIGRATIONS[:-1], database.MIGRATIONS[-1] + "; SELECT die();")
EpisodicStore.open(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kill_midway_leaves_the_older_version_whole(tmp_path: Path, version: int):
    before = older(tmp_path / "memory", version)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "memory")], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    path = tmp_path / "memory" / "memory.db"
    assert version_in(path) == version
    assert rows_in(path) == before
    with EpisodicStore.open(tmp_path / "memory") as store:
        assert store.database.version == NEWEST
        assert {keyframe.id: store.jpeg(keyframe) for keyframe in store.keyframes()} == (PICTURES if version else {})


def test_two_processes_that_open_an_older_memory_at_once_migrate_it_once(tmp_path: Path):
    before = older(tmp_path / "memory", 1)
    opening = "import sys; from pathlib import Path; from store.episodic import EpisodicStore;"
    opening += "EpisodicStore.open(Path(sys.argv[1])).close()"
    both = [subprocess.Popen([sys.executable, "-c", opening, str(tmp_path / "memory")]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    after = rows_in(tmp_path / "memory" / "memory.db")
    assert [row["id"] for row in after["keyframes"]] == [row["id"] for row in before["keyframes"]]
    with closing(Database(tmp_path / "memory" / "memory.db")) as database:
        assert database.version == NEWEST
