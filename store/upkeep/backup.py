"""Backups: a second folder that is the same memory, made beside a live recorder, and the way back from it.

A backup has the layout of a memory, so every command works on it, and the keys of the memory it was made of, so it
stays encrypted. Everything is copied under other names first; then, with erasing and rewriting held still, the
database is copied and after it what has changed meanwhile, so that every row finds its bytes. Only then the new files
take the places of the old ones, memory.db as the last: an interrupted backup leaves the one before it.
This file does not know what rows and files mean, whose a folder is, nor how a thing is forgotten.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from store.database import Database
from store.disk import make_private_directory, replace_file, sync_directory, writing
from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, NothingRecorded, UserError
from store.layout import DATABASE, DRAFT, NEW_DATABASE, UPKEEP, drafts_of, files_of
from store.lock import RECORDING, UPKEEP_WAIT_S, RecordingLock
from store.recall.shards import APPENDING, locked
from store.records import Keyframe, Sound
from store.units import say_bytes
from store.upkeep.copying import copy_database, copy_file, data_bytes, is_copy
from store.upkeep.ownership import keys_of, refuse_filled, refuse_loss, refuse_others, refuse_place
from store.vault import FILE as VAULT_FILE
from store.vault import Vault

SAMPLE = 64  # pictures, and as many sounds, that are read from a finished backup
NEXT_ROW = "SELECT * FROM {table} WHERE id >= ? ORDER BY id LIMIT 1"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """How many files beside the database were copied, with how many bytes, were as before, and no longer belong there.

    `portable`: it opens on any machine with what its owner knows, a passphrase; else this machine keeps its key, and
    elsewhere only the recovery key opens it.
    """

    files: int
    bytes: int
    unchanged: int
    removed: int
    portable: bool


def silent(done_bytes: int, all_bytes: int) -> None:
    """Tell nobody."""


def backup(store: EpisodicStore, directory: Path, progress: Progress = silent) -> Copied:
    """Make or renew the backup in a folder, and remember in the memory where it is.

    UserError: the folder holds something else, or what the memory has not, or is no place for it. DiskFull,
    MemoryBusy (a thing is being forgotten or another backup made), MemoryDamaged (the memory lost what the backup has,
    or what was copied cannot be read): the backup before it stays readable.
    """
    directory = directory.resolve()
    refuse_place(store.directory.resolve(), directory)
    refuse_others(store, directory)
    with writing(directory):
        make_private_directory(directory)
    # Whoever forgets must find what is copied from now on; a backup that is renewed keeps its time until it is done.
    store.database.execute("INSERT OR IGNORE INTO backups VALUES (?, ?)", (str(directory), time.time()))
    copied = _Mirror(store, directory).make(progress)
    store.database.execute("INSERT OR REPLACE INTO backups VALUES (?, ?)", (str(directory), time.time()))
    return copied


def restore(directory: Path, target: Path, progress: Progress = silent) -> Copied:
    """Make a memory out of a backup, in a folder that is absent or empty. What it needs first is the backup's key.

    UserError: the target holds something. NothingRecorded: there is no backup. MemoryLocked: its key is not at hand.
    """
    directory, target = directory.resolve(), target.resolve()
    if not (directory / DATABASE).exists():
        raise NothingRecorded(f"There is no backup in {directory}.", "Name the folder that was given to: backup")
    refuse_place(directory, target)
    refuse_filled(target, directory)
    made_at = (directory / DATABASE).stat().st_mtime
    with EpisodicStore(directory, Vault.open(directory)) as source:
        copied = _Mirror(source, target).make(progress)
    with EpisodicStore.open(target, create=False) as store:
        store.database.execute("INSERT OR IGNORE INTO backups VALUES (?, ?)", (str(directory), made_at))
        store.database.execute("DELETE FROM backups WHERE directory = ?", (str(target),))
    return copied


class _Mirror:
    """One folder being made the same as a memory's."""

    def __init__(self, store: EpisodicStore, directory: Path) -> None:
        self._store, self._source, self._directory = store, store.directory, directory
        self._bytes = 0
        self._drafted: set[str] = set()  # under other names, and to be put in place

    def make(self, progress: Progress) -> Copied:
        with writing(self._directory):
            make_private_directory(self._directory)
        with RecordingLock(self._directory / RECORDING).held(UPKEEP_WAIT_S):
            refuse_loss(self._store, self._directory)
            self._require_room()
            self._draft(progress)
            with self._held_still():
                copy_database(self._store.database, self._directory / NEW_DATABASE)
                wanted = self._draft(progress)
                keys = keys_of(self._source)
            with writing(self._directory):
                self._put_in_place(keys)
                removed = self._remove_all_but(wanted)
        _verify(self._store, self._directory)
        vault = self._store.vault
        portable = vault is None or vault.keeper == "passphrase"
        return Copied(len(self._drafted), self._bytes, len(wanted - self._drafted), removed, portable)

    @contextmanager
    def _held_still(self) -> Iterator[None]:
        """Nobody erases, rewrites or seals anything; recording goes on."""
        with ExitStack() as holds:
            with suppress(DiskFull), writing(self._source):  # a disk that is read-only holds still by itself
                holds.enter_context(RecordingLock(self._source / UPKEEP).held(UPKEEP_WAIT_S))
                for checkpoint in self._store.checkpoints():
                    holds.enter_context(locked(self._source / "embeddings" / checkpoint / APPENDING))
            yield

    def _require_room(self) -> None:
        """Drafts lie beside what they will replace."""
        needed = sum(data_bytes(found) for _, found in self._outdated())
        needed += sum(path.stat().st_size for path in self._source.glob(f"{DATABASE}*") if path.suffix != DRAFT)
        free = shutil.disk_usage(self._directory).free
        if needed > free:
            what = f"{self._directory} has room for {say_bytes(free)}; this needs {say_bytes(needed)}."
            raise DiskFull(what, "Make room on that disk, or name a folder on a larger one.")

    def _outdated(self) -> Iterator[tuple[str, os.stat_result]]:
        """The files of which there is no copy, neither in place nor drafted."""
        for name in files_of(self._source):
            with suppress(FileNotFoundError):
                found = (self._source / name).stat()
                if is_copy(self._directory / name, found):
                    continue
                if is_copy(self._draft_of(name), found):
                    self._drafted.add(name)
                else:
                    yield name, found

    def _draft(self, progress: Progress) -> set[str]:
        """Copy what is outdated under other names; all that the memory has now, by name."""
        outdated = list(self._outdated())
        all_bytes = self._bytes + sum(data_bytes(found) for _, found in outdated)
        for name, found in outdated:
            with suppress(FileNotFoundError):  # forgotten since it was listed
                copy_file(self._source / name, self._draft_of(name), found)
                self._drafted.add(name)
                self._bytes += data_bytes(found)
            progress(self._bytes, all_bytes)
        wanted = set(files_of(self._source))
        self._drafted &= wanted
        return wanted

    def _put_in_place(self, keys: bytes | None) -> None:
        """From old to new in one go, the database at the end of it."""
        for name in sorted(self._drafted):
            self._draft_of(name).rename(self._directory / name)
        for folder in {(self._directory / name).parent for name in self._drafted}:
            sync_directory(folder)
        if keys is not None:
            replace_file(self._directory / VAULT_FILE, keys)
        _close_log(self._directory / DATABASE, self._store)
        (self._directory / NEW_DATABASE).rename(self._directory / DATABASE)
        sync_directory(self._directory)

    def _remove_all_but(self, wanted: set[str]) -> int:
        """Delete what the memory no longer has; how many files it were."""
        gone = set(files_of(self._directory)) - wanted
        for name in [*gone, *drafts_of(self._directory)]:
            (self._directory / name).unlink()
        return len(gone)

    def _draft_of(self, name: str) -> Path:
        return self._directory / (name + DRAFT)


def _close_log(path: Path, store: EpisodicStore) -> None:
    """A write-ahead log must not stay for the next database: bring what it holds into its own one."""
    log = path.with_name(path.name + "-wal")
    if not log.exists():
        return
    try:
        Database(path, store.vault.database_key if store.vault else None).close()
    except MemoryDamaged:  # it is about to be replaced, and its log can be read by nobody
        log.unlink(missing_ok=True)
    if log.exists():
        raise MemoryBusy(f"{path} is open in another program.", "End that program, and try again.")


def _verify(store: EpisodicStore, directory: Path) -> None:
    """Open the copy and read some of it. MemoryDamaged, unless the memory itself is damaged there as well."""
    with EpisodicStore(directory, replace(store.vault, directory=directory) if store.vault else None) as copy:
        for row in (*_some(copy, "keyframes"), *_some(copy, "sounds")):
            if not _is_readable(copy, row) and _is_readable(store, row):
                raise MemoryDamaged(f"{directory} does not hold what was written to it.", "Back up to another disk.")


def _some(store: EpisodicStore, table: str) -> Iterator[Keyframe | Sound]:
    """Rows from all of a table's time, its newest among them."""
    (ends,) = store.database.rows(f"SELECT min(id) AS first, max(id) AS last FROM {table}")
    if ends["first"] is None:
        return
    for number in range(SAMPLE):
        at = ends["last"] - (ends["last"] - ends["first"]) * number // SAMPLE
        (row,) = store.database.rows(NEXT_ROW.format(table=table), (at,))
        yield Keyframe(**row) if table == "keyframes" else Sound(**{**row, "heard": bool(row["heard"])})


def _is_readable(store: EpisodicStore, row: Keyframe | Sound) -> bool:
    try:
        store.jpeg(row) if isinstance(row, Keyframe) else store.sound_bytes(row)
    except UserError:
        return False
    return True
