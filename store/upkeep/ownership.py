"""Ownership: whose backup a folder is, how the memory it was made of opens it, and what must not be written over.

A backup is renewed by its own memory only, and not by one that has lost what the backup still has; a folder with
anything else in it never becomes one. This file does not know how anything is copied.
"""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from store.database import Database
from store.disk import replace_file, writing
from store.entry import require_place
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged, UserError
from store.layout import DATABASE, DRAFT, NEW_DATABASE, PACK_FOLDERS, files_of, strangers_in
from store.rewriting import claims_of
from store.sealing import TAG_BYTES
from store.vault import FILE as VAULT_FILE

CLAIMED = "SELECT 1 FROM {table} WHERE {where} AND pack = ? AND offset_bytes + length_bytes > ? LIMIT 1"
FIRST_SESSION = "SELECT source || ' ' || started_at FROM sessions ORDER BY id LIMIT 1"


def backups_of(store: EpisodicStore) -> list[str]:
    """The folders of all backups of a memory, whether they are there now or not."""
    return [row["directory"] for row in store.database.rows("SELECT directory FROM backups ORDER BY directory")]


def open_backup(store: EpisodicStore, directory: Path) -> EpisodicStore:
    """A backup of a memory with the memory's own key, whoever keeps it there. NothingRecorded: there is none."""
    keys = keys_of(directory)
    if store.vault is None or keys is None or json.loads(keys)["memory"] != store.vault.memory_id:
        return EpisodicStore.open(directory, create=False)
    require_place(directory, create=False)
    return EpisodicStore(directory, replace(store.vault, directory=directory))


def renew_keys(store: EpisodicStore) -> dict[str, str]:
    """Let the backups of a memory have its keys.json, whose passphrase is new; which could not, and why."""
    missed = {}
    for each in backups_of(store):
        try:
            hand_keys(store, Path(each))
        except (UserError, OSError, ValueError) as error:
            missed[each] = str(error)
    return missed


def hand_keys(store: EpisodicStore, directory: Path) -> None:
    """Let a backup have its memory's keys.json, and with it the passphrase. UserError: no backup of it is there."""
    keys, there = keys_of(store.directory), keys_of(directory)
    if keys is None or there is None or not _is_same_memory(store, directory):
        raise UserError(f"There is no backup in {directory}.", "Is its disk mounted?")
    if there != keys:
        with writing(directory):
            replace_file(directory / VAULT_FILE, keys)


def keys_of(directory: Path) -> bytes | None:
    """The content of its keys.json; a plain memory has none."""
    with suppress(FileNotFoundError):
        return (directory / VAULT_FILE).read_bytes()
    return None


def refuse_place(source: Path, directory: Path) -> None:
    """UserError: no folder can be there, or not one apart from the source."""
    if directory.is_relative_to(source) or source.is_relative_to(directory):
        raise UserError(f"{directory} and {source} lie in each other.", "Name a folder on another disk.")
    if not directory.parent.is_dir():
        raise UserError(f"{directory.parent} is not there.", "Is its disk mounted?")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is not a folder.", "Name a folder, which is made if it is absent.")


def refuse_others(store: EpisodicStore, directory: Path) -> None:
    """UserError: the folder holds what is no backup of this memory, or of one that went on without it."""
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


def refuse_loss(store: EpisodicStore, directory: Path) -> None:
    """MemoryDamaged: the memory has lost a pack, or its end, and the backup may have all that is left of it."""
    trailer_bytes = TAG_BYTES if store.vault else 0
    for name in files_of(directory):
        folder, _, file = name.partition("/")
        if folder not in PACK_FOLDERS:
            continue
        source, claims = store.directory / name, claims_of(store)[folder]
        left_bytes = source.stat().st_size if source.exists() else 0
        behind = int(file.split(".")[0]), left_bytes - trailer_bytes
        is_shorter = left_bytes < (directory / name).stat().st_size
        if is_shorter and store.database.value(CLAIMED.format(table=claims.table, where=claims.where), behind):
            what = f"{source} has lost pictures or sounds that its copy in {directory} still has."
            raise MemoryDamaged(what, "Take them back from there first: whereabouts check --repair")


def refuse_filled(target: Path, source: Path) -> None:
    """UserError: more is there than an interrupted restore leaves. The database takes its place as the last."""
    placed = {target / name for name in (*files_of(target), VAULT_FILE)} if (target / NEW_DATABASE).exists() else set()
    is_its_own = keys_of(target) in (None, keys_of(source))
    if not is_its_own or not all(_is_left_over(path) or path in placed for path in target.rglob("*")):
        raise UserError(f"{target} is not empty.", f"Move it away first: mv {target} {target}.old")


def _sessions(store: EpisodicStore) -> list[tuple[int, float]]:
    return [(session.id, session.started_at) for session in store.sessions()]


def _is_same_memory(store: EpisodicStore, directory: Path) -> bool:
    keys, there = keys_of(directory), (directory / DATABASE).exists()
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


def _is_left_over(path: Path) -> bool:
    """A folder, or what an interrupted copy leaves."""
    return path.is_dir() or path.suffix in (DRAFT, ".lock") or path.name.startswith(NEW_DATABASE)
