"""Repair: everything that can be mended without losing anything, and an account of what cannot.

In this order: the database itself (salvage.py); what a crash left torn; rows that lost what they belong to; keys and
contents, which a backup may still have (recovering.py); what is derived; and files that nothing claims. Before the
first change of a row the database is copied. This file does not know how damage is told from health.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from store.disk import make_private_directory, sync_directory, writing
from store.entry import refuse_without_keys
from store.episodic import EpisodicStore
from store.errors import NothingRecorded
from store.form import HEADER_BYTES, EncryptedForm, PlainForm
from store.layout import DATABASE, UNCLAIMED, UPKEEP, files_of
from store.lock import LOCK_WAIT_S, RECORDING, RecordingLock
from store.recall.shards import APPENDING, locked
from store.rewriting import rewrite
from store.spans import MICROSECONDS
from store.upkeep.check import STRAY_EMBEDDINGS, check
from store.upkeep.copying import copy_database
from store.upkeep.orphans import orphan_files, orphan_keys
from store.upkeep.recovering import DAMAGED, Recovering
from store.upkeep.salvage import COPY, Lost, mend_database
from store.vault import Vault

STRAYS = "FROM {table} WHERE {column} NOT IN (SELECT id FROM {parent})"
MADE_AGAIN = (("embedded", "shard", "shards"), ("thinned", "session_id", "sessions"))  # rows without their parents go
SESSIONS_LEFT = f"""
    INSERT INTO sessions
    SELECT session_id, '{DAMAGED}', min(began), 0, 1.0, max(ended), max(ended), '{DAMAGED}' FROM (
        SELECT session_id, captured_at AS began, captured_at AS ended FROM keyframes
        UNION ALL SELECT session_id, started_at, ended_at FROM sounds
        UNION ALL SELECT session_id, started_at, ended_at FROM gaps
        UNION ALL SELECT session_id, started_at, ended_at FROM transcripts
    ) WHERE session_id NOT IN (SELECT id FROM sessions) GROUP BY session_id
"""
STRANGE_TO_SESSIONS = "SELECT count(*) FROM pragma_foreign_key_check WHERE parent = 'sessions'"
GAPS_OF_LOST = f"""
    INSERT INTO gaps (session_id, started_at, ended_at, reason)
    SELECT id, max(started_at, ?1), min(coalesce(ended_at, heartbeat_at), ?2), '{DAMAGED}' FROM sessions
    WHERE started_at < ?2 AND coalesce(ended_at, heartbeat_at) > ?1
"""


@dataclass(slots=True)
class Repaired:
    """Lines for a person: every change that was made, and everything that is not as it should be still."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def repair(directory: Path) -> Repaired:
    """Mend a memory that nobody records into, nor has open if its database is damaged.

    NothingRecorded, MemoryLocked, MemoryBusy; MemoryDamaged: it is of a newer version, or its keys.json is missing.
    DiskFull: what was mended before is, and nothing was lost.
    """
    if not (directory / DATABASE).exists():
        raise NothingRecorded(f"There is no memory in {directory}.", "Restore a backup: whereabouts restore --help")
    refuse_without_keys(directory)
    vault, repaired = Vault.open(directory), Repaired()
    with RecordingLock(directory / UPKEEP).held():
        with RecordingLock(directory / RECORDING).held(LOCK_WAIT_S):
            mended = mend_database(directory / DATABASE, vault.database_key if vault else None)
            repaired.done += mended.done
            repaired.left += mended.left
        if mended.left and not mended.done:
            return repaired
        before = _sizes(directory)
        with EpisodicStore.open(directory, create=False) as store, store.hold_for_recording():
            for name, size in _sizes(directory).items():
                if size < before.get(name, 0):
                    repaired.done.append(f"{name}: cut off {before[name] - size} bytes that were half written")
            _Repair(store, repaired, is_copied=bool(mended.done)).make(mended.lost)
    return repaired


class _Repair:
    """What is mended while nobody else changes anything."""

    def __init__(self, store: EpisodicStore, repaired: Repaired, is_copied: bool) -> None:
        self._store, self._database, self._done = store, store.database, repaired.done
        self._repaired, self._is_copied = repaired, is_copied

    def make(self, lost: Sequence[Lost]) -> None:
        self._mend_rows()
        for table, last, until in lost:
            if table == "keyframes":
                self._note_lost(last / MICROSECONDS, until / MICROSECONDS)
        with Recovering(self._store, self._before_change) as recovering:
            recovering.find_keys()
            recovering.mend()
        self._done += [f"{line} ({times})" for line, times in recovering.lines.items()]
        self._mend_derived()
        self._sweep(recovering.claimed)
        self._repaired.left += [f"{problem.kind}: {problem.detail}" for problem in check(self._store).problems]

    def _before_change(self) -> None:
        """Once, the database is copied as it was found."""
        if not self._is_copied:
            copy_database(self._database, self._store.directory / COPY)
            self._is_copied = True

    def _mend_rows(self) -> None:
        """Sessions are told from what is left of them; what is derived goes with what it belongs to."""
        if self._database.value(STRANGE_TO_SESSIONS):
            self._change(SESSIONS_LEFT, "sessions: made {} anew from what belongs to them")
        for table, column, parent in MADE_AGAIN:
            strays = STRAYS.format(table=table, column=column, parent=parent)
            if self._database.value(f"SELECT EXISTS (SELECT 1 {strays})"):
                self._change(f"DELETE {strays}", f"{table}: removed {{}} rows, as their {parent} are gone")

    def _note_lost(self, began: float, ended: float) -> None:
        line = 'gaps: noted {} that are "damaged", as rows of keyframes are lost'
        self._change(GAPS_OF_LOST, line, (began, ended))

    def _mend_derived(self) -> None:
        for checkpoint in self._store.checkpoints():
            for index, why in self._store.damaged_indexes(checkpoint).items():
                if self._database.value("SELECT 1 FROM indexes WHERE id = ?", (index,)):  # else it went with another
                    self._before_change()
                    self._store.drop_index(index)
                    self._done.append(f"{checkpoint}: dropped index {index}, to be made again: {why}")
            for shard, why in self._store.damaged_shards(checkpoint).items():
                self._before_change()
                self._store.drop_shard(shard)
                self._done.append(f"{checkpoint}: dropped embeddings {shard}, to be made again: {why}")
        if self._database.value(f"SELECT EXISTS (SELECT 1 {STRAY_EMBEDDINGS})"):
            self._before_change()
            self._database.execute(f"INSERT INTO rewrites SELECT DISTINCT 'embeddings/' || day {STRAY_EMBEDDINGS}")
        if self._database.value("SELECT EXISTS (SELECT 1 FROM rewrites)"):
            self._before_change()
            self._done += [f"{file}: wrote anew without what is gone" for file in rewrite(self._store)]

    def _sweep(self, claimed: set[str]) -> None:
        """Nothing that may be somebody's picture is deleted: packs that are not empty move aside."""
        directory = self._store.directory
        with ExitStack() as holds, writing(directory):
            for checkpoint in (directory / "embeddings").glob("*/"):
                holds.enter_context(locked(checkpoint / APPENDING))
            for name in list(orphan_files(self._store, claimed)):
                if (pack := directory / name).suffix == ".pack" and not self._is_spent(pack):
                    self._done.append(f"{name}: moved to {_move_aside(directory, name)}, as no row points into it")
                else:
                    pack.unlink()
                    self._done.append(f"{name}: deleted, as nothing claims it")
        for name in list(orphan_keys(self._store, claimed)):
            self._before_change()
            self._store.keys.destroy(name)
            self._done.append(f"{name}: destroyed its key, as the file is gone and no row points into it")

    def _is_spent(self, pack: Path) -> bool:
        """Was every record in it erased?"""
        form = EncryptedForm(self._store.keys) if self._store.keys.encrypted else PlainForm()
        with pack.open("rb") as records:
            while header := records.read(HEADER_BYTES):
                if len(header) < HEADER_BYTES or not header.startswith(form.magic):
                    return False
                size = form.length(header) + form.trailer_bytes
                if any(records.read(min(size, 64))):
                    return False
                records.seek(max(0, size - 64), os.SEEK_CUR)
        return True

    def _change(self, sql: str, line: str, parameters: tuple[object, ...] = ()) -> None:
        """One statement, and a line with how many rows it changed."""
        self._before_change()
        self._database.execute(sql, parameters)
        self._done.append(line.format(self._database.value("SELECT changes()")))


def _move_aside(directory: Path, name: str) -> str:
    number, target = 1, directory / UNCLAIMED / name
    while target.exists():
        number += 1
        target = directory / UNCLAIMED / f"{name}.{number}"
    make_private_directory(target.parent)
    (directory / name).rename(target)
    sync_directory(target.parent)
    sync_directory((directory / name).parent)
    return str(target.relative_to(directory))


def _sizes(directory: Path) -> dict[str, int]:
    return {name: (directory / name).stat().st_size for name in files_of(directory)}
