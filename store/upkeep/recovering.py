"""Recovering: contents that cannot be read come back from a backup, or their rows go while a gap says "damaged".

A row goes only when its content was read in vain twice and no reachable backup has it; the bytes stay where they are.
This file does not know how damage is found, nor what else is repaired.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from store.episodic import EpisodicStore
from store.errors import UserError
from store.layout import DATABASE
from store.packs import Packs
from store.recall.shards import DAY_IDS
from store.records import Keyframe, Sound
from store.rewriting import claims_of
from store.spans import keyframe_id, session_span
from store.upkeep.contents import TABLES, examined, packs_of, row_now
from store.upkeep.ownership import open_backup

DAMAGED = "damaged"
KEY_OF = "SELECT key FROM keys WHERE file = ?"
MOVE = "UPDATE {table} SET pack = ?, offset_bytes = ?, checksum = ? WHERE id = ? AND pack = ?"
NEXT_TIME = "SELECT captured_at FROM keyframes WHERE id > ? AND id <= ? AND session_id = ? ORDER BY id LIMIT 1"


class Recovering:
    """With the recording lock held: one pass over all contents. Call `before_change` is called before any change."""

    def __init__(self, store: EpisodicStore, before_change: Callable[[], None]) -> None:
        self._store, self._before_change = store, before_change
        self._opened = ExitStack()
        self._backups: list[EpisodicStore] | None = None
        self._sessions = {session.id: session for session in store.sessions()}
        self._gaps: dict[int, tuple[int, float]] = {}  # of every session the last one noted, and its end
        self._empty = [packs for packs in (store.packs, store.small_packs, store.sound_packs) if not packs.sizes()]
        self.lines: Counter[str] = Counter()
        self.claimed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def find_keys(self) -> None:
        """A pack whose key is gone is as good as lost, unless a backup has the key."""
        for claims in claims_of(self._store).values():
            for row in self._store.database.rows(f"SELECT DISTINCT pack FROM {claims.table} WHERE {claims.where}"):
                name = claims.packs.name(row["pack"])
                if self._store.keys.encrypted and self._store.database.value(KEY_OF, (name,)) is None:
                    self._find_key(name)

    def mend(self) -> None:
        """Everything that rows point at; `claimed` are the packs that rows point into afterwards.

        Where a folder has no pack at all, nothing is done about it: it may be on a disk that is not mounted.
        """
        for table in TABLES:
            for row, fault in examined(self._store, table):
                packs = packs_of(self._store, row)
                if fault is None or packs in self._empty:
                    self.claimed.add(packs.name(row.pack))
                elif not self._put_back(table, row, packs):
                    self._give_up(table, row, packs)

    def _find_key(self, name: str) -> None:
        for backup in self._reachable():
            key = backup.database.value(KEY_OF, (name,))
            if key is not None:
                self._before_change()
                self._store.database.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (name, key))
                self.lines[f"{name}: took its key from the backup in {backup.directory}"] += 1
                return

    def _put_back(self, table: str, row: Keyframe | Sound, packs: Packs) -> bool:
        for backup in self._reachable():
            content = _content_in(backup, row)
            if content is None:
                continue
            self._before_change()
            with packs.turn():
                place = packs.append(row.id, content)
                self._store.database.execute(MOVE.format(table=table), (*place, row.id, row.pack))
            self.claimed.add(packs.name(place.pack))
            self.lines[f"{packs.name(row.pack)}: took {table} from the backup in {backup.directory}"] += 1
            return True
        return False

    def _give_up(self, table: str, row: Keyframe | Sound, packs: Packs) -> None:
        self._before_change()
        with self._store.database.transaction():
            self._store.database.execute(f"DELETE FROM {table} WHERE id = ?", (row.id,))
            if isinstance(row, Keyframe):
                self._note_gap(row)
                day = f"embeddings/{row.id // DAY_IDS}"
                self._store.database.execute("INSERT OR IGNORE INTO rewrites VALUES (?)", (day,))
        instead = 'put gaps "damaged" in the place of' if isinstance(row, Keyframe) else "removed"
        self.lines[f"{packs.name(row.pack)}: {instead} {table} that nobody can read"] += 1

    def _note_gap(self, row: Keyframe) -> None:
        """What the keyframe stood for: up to the next of its session, or to the session's end."""
        ended_at = session_span(self._sessions[row.session_id]).ended_at
        until = self._store.database.value(NEXT_TIME, (row.id, keyframe_id(ended_at) + 1, row.session_id)) or ended_at
        gap_id, gap_ended_at = self._gaps.get(row.session_id, (0, 0.0))
        if until <= row.captured_at:
            return
        if gap_id and gap_ended_at == row.captured_at:
            self._store.extend_gap(gap_id, until)
        else:
            gap_id = self._store.add_gap(row.session_id, row.captured_at, until, DAMAGED).id
        self._gaps[row.session_id] = (gap_id, until)

    def _reachable(self) -> list[EpisodicStore]:
        """The backups of this memory that can be opened now, the newest first."""
        if self._backups is None:
            self._backups = []
            for row in self._store.database.rows("SELECT directory FROM backups ORDER BY made_at DESC"):
                directory = Path(row["directory"])
                if (directory / DATABASE).exists():
                    try:
                        backup = open_backup(self._store, directory)
                    except (UserError, OSError):
                        continue
                    self._backups.append(self._opened.enter_context(backup))
        return self._backups


def _content_in(backup: EpisodicStore, row: Keyframe | Sound) -> bytes | None:
    """What the same row points at there, if it is of the same kind and length."""
    try:
        there = row_now(backup, row)
        if there is None or packs_of(backup, there).directory.name != packs_of(backup, row).directory.name:
            return None
        content = packs_of(backup, there).read(there)
    except (UserError, OSError):
        return None
    return content if len(content) == row.length_bytes else None
