"""Backups: a second folder that is the same memory, made beside a live recorder, and the way back from it.

A backup has the layout of a memory, so every command works on it, and the keys of the memory it was made of, so it
stays encrypted. Everything is copied under other names first; then, with erasing and rewriting held still, the
database is copied and after it what has changed meanwhile, so that every row finds its bytes. Only then the new files
take the places of the old ones, memory.db as the last: an interrupted backup leaves the one before it.
This file does not know what rows and files mean, nor how a thing is forgotten.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from store.database import Database
from store.disk import make_private_directory, replace_file, sync_directory, writing
from store.entry import require_place
from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, NothingRecorded, UserError
from store.layout import DATABASE, DRAFT, NEW_DATABASE, PACK_FOLDERS, UPKEEP, drafts_of, files_of, strangers_in
from store.lock import RecordingLock
from store.recall.shards import APPENDING, locked
from store.records import Keyframe, Sound
from store.sealing import TAG_BYTES
from store.upkeep.copying import copy_database, copy_file, data_bytes, is_copy
from store.upkeep.rewriting import claims_of
from store.vault import FILE as VAULT_FILE
from store.vault import Vault

UPKEEP_WAIT_S = 120.0
SAMPLE = 64  # pictures, and as many sounds, that are read from a finished backup
NEXT_ROW = "SELECT * FROM {table} WHERE id >= ? ORDER BY id LIMIT 1"
CLAIMED = "SELECT 1 FROM {table} WHERE {where} AND pack = ? AND offset_bytes + length_bytes > ? LIMIT 1"
FIRST_SESSION = "SELECT source || ' ' || started_at FROM sessions ORDER BY id LIMIT 1"

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
    _refuse_place(store.directory.resolve(), directory)
    _refuse_others(store, directory)
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
    _refuse_place(directory, target)
    if target.exists() and not _is_begun(target, directory):
        raise UserError(f"{target} is not empty.", f"Move it away first: mv {target} {target}.old")
    made_at = (directory / DATABASE).stat().st_mtime
    with EpisodicStore(directory, Vault.open(directory)) as source:
        copied = _Mirror(source, target).make(progress)
    with EpisodicStore.open(target, create=False) as store:
        store.database.execute("INSERT OR IGNORE INTO backups VALUES (?, ?)", (str(directory), made_at))
        store.database.execute("DELETE FROM backups WHERE directory = ?", (str(target),))
    return copied


def open_backup(store: EpisodicStore, directory: Path) -> EpisodicStore:
    """A backup of a memory with the memory's own key, whoever keeps it there. NothingRecorded: there is none."""
    keys = _content(directory / VAULT_FILE)
    if store.vault is None or keys is None or json.loads(keys)["memory"] != store.vault.memory_id:
        return EpisodicStore.open(directory, create=False)
    require_place(directory, create=False)
    return EpisodicStore(directory, replace(store.vault, directory=directory))


def renew_keys(store: EpisodicStore) -> dict[str, str]:
    """Let the backups of a memory have its keys.json, whose passphrase is new; which could not, and why."""
    missed = {}
    for row in store.database.rows("SELECT directory FROM backups ORDER BY directory"):
        try:
            hand_keys(store, Path(row["directory"]))
        except (UserError, OSError, ValueError) as error:
            missed[row["directory"]] = str(error)
    return missed


def hand_keys(store: EpisodicStore, directory: Path) -> None:
    """Let a backup have its memory's keys.json, and with it the passphrase. UserError: no backup of it is there."""
    keys, there = _content(store.directory / VAULT_FILE), _content(directory / VAULT_FILE)
    if keys is None or there is None or not _is_same_memory(store, directory):
        raise UserError(f"There is no backup in {directory}.", "Is its disk mounted?")
    if there != keys:
        with writing(directory):
            replace_file(directory / VAULT_FILE, keys)


class _Mirror:
    """One folder being made the same as a memory's."""

    def __init__(self, store: EpisodicStore, directory: Path) -> None:
        self._store, self._source, self._directory = store, store.directory, directory
        self._bytes = 0
        self._drafted: set[str] = set()  # under other names, and to be put in place

    def make(self, progress: Progress) -> Copied:
        with writing(self._directory):
            make_private_directory(self._directory)
        with RecordingLock(self._directory / "recording.lock").held(UPKEEP_WAIT_S):
            self._refuse_loss()
            self._require_room()
            self._draft(progress)
            with self._held_still():
                copy_database(self._store.database, self._directory / NEW_DATABASE)
                wanted = self._draft(progress)
                keys = _content(self._source / VAULT_FILE)
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

    def _refuse_loss(self) -> None:
        """A pack that the memory has lost, or lost the end of, may be all that is left of what its rows point at."""
        trailer_bytes = TAG_BYTES if self._store.vault else 0
        for name in files_of(self._directory):
            folder, _, file = name.partition("/")
            if folder not in PACK_FOLDERS:
                continue
            source, claims = self._source / name, claims_of(self._store)[folder]
            left_bytes = source.stat().st_size if source.exists() else 0
            if left_bytes < (self._directory / name).stat().st_size and self._store.database.value(
                CLAIMED.format(table=claims.table, where=claims.where),
                (int(file.split(".")[0]), left_bytes - trailer_bytes),
            ):
                what = f"{source} has lost pictures or sounds that its copy in {self._directory} still has."
                raise MemoryDamaged(what, "Take them back from there first: whereabouts check --repair")

    def _require_room(self) -> None:
        """Drafts lie beside what they will replace."""
        needed = sum(data_bytes(found) for _, found in self._outdated())
        needed += sum(path.stat().st_size for path in self._source.glob(f"{DATABASE}*") if path.suffix != DRAFT)
        free = shutil.disk_usage(self._directory).free
        if needed > free:
            what = f"{self._directory} has room for {_megabytes(free)}; this needs {_megabytes(needed)}."
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


def _refuse_place(source: Path, directory: Path) -> None:
    if directory.is_relative_to(source) or source.is_relative_to(directory):
        raise UserError(f"{directory} and {source} lie in each other.", "Name a folder on another disk.")
    if not directory.parent.is_dir():
        raise UserError(f"{directory.parent} is not there.", "Is its disk mounted?")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is not a folder.", "Name a folder, which is made if it is absent.")


def _refuse_others(store: EpisodicStore, directory: Path) -> None:
    """A backup is renewed by the memory it was made of only."""
    if not directory.exists():
        return
    strangers = strangers_in(directory)
    if not any((directory / name).exists() for name in (DATABASE, NEW_DATABASE, VAULT_FILE)):  # it is no backup yet
        strangers += [str(path.relative_to(directory)) for path in directory.rglob("*") if not _is_left_over(path)]
    if strangers:
        raise UserError(f"{directory} holds something else: {strangers[0]}.", "Name a new folder, such as one in it.")
    if not _is_same_memory(store, directory):
        raise UserError(f"{directory} holds another memory.", "Name a folder of its own for each memory.")
    if (directory / DATABASE).exists():
        with suppress(MemoryDamaged), open_backup(store, directory) as there:  # what nobody can read may be replaced
            if set(_sessions(there)) - set(_sessions(store)):  # no session ever goes, whatever is forgotten of it
                what = f"{directory} has sessions that this memory has not: one of them went on without the other."
                raise UserError(what, "Keep it as it is, and name another folder.")


def _sessions(store: EpisodicStore) -> list[tuple[int, float]]:
    return [(session.id, session.started_at) for session in store.sessions()]


def _is_same_memory(store: EpisodicStore, directory: Path) -> bool:
    keys, there = _content(directory / VAULT_FILE), (directory / DATABASE).exists()
    if keys is not None:
        return store.vault is not None and json.loads(keys)["memory"] == store.vault.memory_id
    if store.vault is not None or not there:
        return not there
    other = Database(directory / DATABASE)  # plain memories have no ids, but none begins like another
    try:
        began = other.value(FIRST_SESSION)
    finally:
        other.close()
    return began in (None, store.database.value(FIRST_SESSION))


def _is_begun(target: Path, source: Path) -> bool:
    """Is there nothing but what an interrupted restore leaves? The database takes its place as the last."""
    placed = {target / name for name in (*files_of(target), VAULT_FILE)} if (target / NEW_DATABASE).exists() else set()
    if _content(target / VAULT_FILE) not in (None, _content(source / VAULT_FILE)):
        return False
    return all(_is_left_over(path) or path in placed for path in target.rglob("*"))


def _is_left_over(path: Path) -> bool:
    """A folder, or what an interrupted copy leaves."""
    return path.is_dir() or path.suffix in (DRAFT, ".lock") or path.name.startswith(NEW_DATABASE)


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


def _content(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
