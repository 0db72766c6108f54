"""Rewriting: what rows were removed from is written anew without it, and the old keys are destroyed.

The table `rewrites` lists, since the rows went:

    packs/000007.pack   what is still claimed moves to a pack set aside, and the file goes
    embeddings/20400    a day (of keyframe ids): its embeddings of keyframes that are gone go
    memory.db           traces in its pages and its log are wiped

A file is struck off once it is done, and one that is being written is on the list until rows point at it, so whoever
finds something on the list finishes it, whenever another was killed. This file does not know why rows went.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from store.disk import sync_directory, writing
from store.errors import DiskFull, MemoryBusy
from store.layout import DATABASE, UPKEEP
from store.lock import RecordingLock
from store.packs import Packs
from store.records import Keyframe, Sound

if TYPE_CHECKING:
    from store.episodic import EpisodicStore

LISTED = f"SELECT file FROM rewrites WHERE file <> '{DATABASE}' ORDER BY file"
ORPHANED = """
    SELECT DISTINCT keyframe_id FROM embedded JOIN shards ON shards.id = shard
    WHERE day = ? AND NOT EXISTS (SELECT 1 FROM keyframes WHERE keyframes.id = keyframe_id)
"""
ROWS_AT_ONCE = 500
QUICK_BYTES = 256 * 1024 * 1024  # a database up to this size is wiped while a recorder waits, in a few seconds

Progress = Callable[[str], None]


def silent(file: str) -> None:
    """Tell nobody."""


def resume(store: "EpisodicStore") -> None:
    """Finish what another has begun, unless it still is at it."""
    if store.database.value("SELECT 1 FROM rewrites LIMIT 1"):
        with suppress(MemoryBusy), RecordingLock(store.directory / UPKEEP).held():
            rewrite(store)


def rewrite(store: "EpisodicStore", progress: Progress = silent) -> list[str]:
    """With the upkeep lock held: do all that is listed, telling of each file; which those were.

    DiskFull: the rest stays listed. So does a large database while another process records, or without room for it.
    """
    done: list[str] = []
    while files := [row["file"] for row in store.database.rows(LISTED)]:
        for folder, group in groupby(files, key=lambda file: file.rpartition("/")[0]):
            for file in _rewritten(store, folder, list(group)):
                _strike(store, file)
                done.append(file)
                progress(file)
    if _is_listed(store, DATABASE) and _wipe(store):
        _strike(store, DATABASE)
        done.append(DATABASE)
        progress(DATABASE)
    return done


def _rewritten(store: "EpisodicStore", folder: str, files: Sequence[str]) -> Iterator[str]:
    """Each of the files of a folder once it is done."""
    if folder == "embeddings":
        for file in files:
            orphans = store.database.rows(ORPHANED, (int(file.rpartition("/")[2]),))
            store.remove_embeddings([row["keyframe_id"] for row in orphans])
            yield file
        return
    claims = claims_of(store)[folder]
    copies = claims.packs.set_aside()  # from here on nobody adds to the packs that are listed
    claimed = _claimed(store, claims, files)
    for file in files:
        pack = _number(file)
        is_whole = _move(store, claims, claimed.get(pack, []), pack, copies)
        claims.packs.drop(pack)
        yield file
        if not is_whole or not claims.packs.has_room(copies):
            copies = claims.packs.set_aside()
    if claims.packs.sizes()[copies] == 0:
        claims.packs.drop(copies)


class Claims(NamedTuple):
    """Which rows point into a folder of packs."""

    packs: Packs
    kind: type[Keyframe] | type[Sound]
    table: str
    where: str


def claims_of(store: "EpisodicStore") -> dict[str, Claims]:
    """For each folder of packs."""
    return {
        "packs": Claims(store.packs, Keyframe, "keyframes", "reduced = 0"),
        "small": Claims(store.small_packs, Keyframe, "keyframes", "reduced = 1"),
        "sounds": Claims(store.sound_packs, Sound, "sounds", "true"),
    }


def _claimed(store: "EpisodicStore", claims: Claims, files: Sequence[str]) -> dict[int, list[int]]:
    """The ids of the rows that point at each of the packs, in the order of their bytes."""
    listed = json.dumps([_number(file) for file in files])
    sql = f"SELECT id, pack FROM {claims.table} WHERE {claims.where} AND pack IN (SELECT value FROM json_each(?))"
    rows = store.database.rows(f"{sql} ORDER BY pack, offset_bytes", (listed,))
    return {pack: [row["id"] for row in group] for pack, group in groupby(rows, key=lambda row: row["pack"])}


def _move(store: "EpisodicStore", claims: Claims, ids: Sequence[int], pack: int, copies: int) -> bool:
    """Let rows point at copies, and destroy the key of what they pointed at before.

    False where some rows went while they were copied: then the copies are listed, to be written anew as well.
    """
    packs, database, name = claims.packs, store.database, claims.packs.name(copies)
    database.execute("INSERT OR IGNORE INTO rewrites VALUES (?)", (name,))
    places = packs.copy(_rows(store, claims, ids), copies)
    point = f"UPDATE {claims.table} SET pack = ?, offset_bytes = ?, checksum = ? WHERE id = ? AND pack = ?"
    with database.transaction():
        before = database.value("SELECT total_changes()")
        for row_id, place in places.items():
            database.execute(f"{point} AND {claims.where}", (*place, row_id, pack))
        if is_whole := database.value("SELECT total_changes()") - before == len(places):
            _strike(store, name)
        packs.keys.destroy(packs.name(pack))
    return bool(is_whole)


def _rows(store: "EpisodicStore", claims: Claims, ids: Sequence[int]) -> Iterator[Keyframe | Sound]:
    sql = f"SELECT * FROM {claims.table} WHERE {claims.where} AND id IN (SELECT value FROM json_each(?))"
    for start in range(0, len(ids), ROWS_AT_ONCE):
        for row in store.database.rows(sql, (json.dumps(ids[start : start + ROWS_AT_ONCE]),)):
            yield claims.kind(**row)


def _wipe(store: "EpisodicStore") -> bool:
    """Write memory.db anew, as freed pages are overwritten but pages may keep copies of rows that moved to others.

    Its log goes, and copies of before a migration or a repair; whether all of that could be done.
    """
    is_quick = store.database.path.stat().st_size <= QUICK_BYTES
    with writing(store.directory):
        for copy in (*store.directory.glob(f"{DATABASE}.before-*"), *store.directory.glob(f"{DATABASE}.damaged*")):
            copy.unlink()
        sync_directory(store.directory)
    try:
        if may_vacuum := is_quick or store.recorder_pid() in (None, os.getpid()):
            store.database.execute("VACUUM")
        return store.database.value("PRAGMA wal_checkpoint(TRUNCATE)") == 0 and may_vacuum
    except (MemoryBusy, DiskFull):  # it needs as much room once more
        return False


def _is_listed(store: "EpisodicStore", file: str) -> bool:
    return store.database.value("SELECT 1 FROM rewrites WHERE file = ?", (file,)) is not None


def _strike(store: "EpisodicStore", file: str) -> None:
    store.database.execute("DELETE FROM rewrites WHERE file = ?", (file,))


def _number(file: str) -> int:
    return int(Path(file).stem)
