"""Forgetting: spans of time go for good, from the memory and from its backups, also while it is being recorded.

In one transaction the rows go and a gap says "forgotten"; from then on nothing of it is found, and what was still on
its way in, from a camera or from whoever writes down words, is let go. Then the files that held its bytes are written
anew and their keys destroyed (rewriting.py). A crash in between leaves the rest to whoever opens the memory next.
This file does not know how a span was named, nor how a backup is made.
"""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.disk import writing
from store.episodic import EpisodicStore
from store.errors import DiskFull, UserError
from store.layout import DATABASE, NEW_DATABASE, UPKEEP, drafts_of, files_of
from store.lock import RECORDING, RecordingLock
from store.records import Session, Span
from store.spans import id_range, merged, recorded, session_span, total_s
from store.transcripts import FORGOTTEN
from store.upkeep.backup import hand_keys, open_backup
from store.upkeep.removal import (
    OVERLAPPING,
    cover,
    list_database,
    list_pack,
    remove_keyframes,
    remove_sounds,
    remove_transcripts,
    removing,
)
from store.upkeep.rewriting import Progress, claims_of, rewrite, silent

UPKEEP_WAIT_S = 120.0
OF_IDS = "id >= ?1 AND id < ?2"
INSIDE = "started_at >= ?1 AND ended_at <= ?2"
TOUCHING = "started_at < ?2 AND ended_at > ?1"
# Turns that cite a keyframe with an id in [?1, ?2), or quote what was heard or read between two times.
CITING = "EXISTS (SELECT 1 FROM json_each(turns.keyframe_ids) WHERE value >= ?1 AND value < ?2)"
QUOTING = f"""
    EXISTS (SELECT 1 FROM transcripts WHERE {OVERLAPPING["transcripts"]} AND instr(turns.answer, '"' || text || '"'))
"""
PACK_BEFORE = "SELECT pack FROM {table} WHERE {where} AND id < ? ORDER BY id DESC LIMIT 1"
PACK_BEHIND = "SELECT pack FROM {table} WHERE {where} AND id >= ? ORDER BY id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What goes with some spans. `seconds`: worn, and not forgotten before; `turns`: answers that rest on any of it.

    `backups` can be reached now; those in `absent` keep everything until they can be, and it is forgotten again.
    """

    spans: tuple[Span, ...]
    seconds: float
    sessions: tuple[int, ...]
    keyframes: int
    picture_bytes: int
    sounds: int
    sound_bytes: int
    speech: int
    scene_text: int
    embeddings: dict[str, int]
    turns: int
    pins: int
    gaps: int
    backups: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """All of it has been forgotten before, or never was."""
        left = (
            self.keyframes,
            self.sounds,
            self.speech,
            self.scene_text,
            self.turns,
            self.pins,
            *self.embeddings.values(),
        )
        return self.seconds <= 0 and not any(left)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was destroyed and when, which files were written anew, and how many keys are gone.

    `unreached`: backups that still have it, and why. `is_wiped`: memory.db holds no trace of it in unused places; else
    that is done once nobody records.
    """

    destroyed: Forgetting
    files: tuple[str, ...]
    keys: int
    reached: tuple[str, ...]
    unreached: dict[str, str]
    is_wiped: bool
    at: float


def plan(store: EpisodicStore, spans: Iterable[Span]) -> Forgetting:
    """What `forget` would destroy; nothing is changed."""
    parts, sessions = merged(spans), store.sessions()
    ids, times = [id_range(part) for part in parts], [(part.started_at, part.ended_at) for part in parts]
    sums = f"SELECT count(*) AS count, coalesce(sum(length_bytes), 0) AS bytes FROM keyframes WHERE {OF_IDS}"
    pictures = [row for each in ids for row in store.database.rows(sums, each)]
    sounds = _found(store, f"SELECT id, length_bytes FROM sounds WHERE {OVERLAPPING['sounds']}", times)
    words = _found(store, f"SELECT id, source FROM transcripts WHERE {OVERLAPPING['transcripts']}", times)
    turns = _found(store, f"SELECT id, 1 FROM turns WHERE {CITING}", ids)
    turns |= _found(store, f"SELECT id, 1 FROM turns WHERE {QUOTING}", times)
    forgotten = [gap for gap in store.gaps() if gap.reason == FORGOTTEN]
    backups = [row["directory"] for row in store.database.rows("SELECT directory FROM backups ORDER BY directory")]
    return Forgetting(
        spans=tuple(parts),
        seconds=sum(total_s(recorded(sessions, forgotten, part)) for part in parts),
        sessions=tuple(session.id for session in sessions if any(_is_in(session, part) for part in parts)),
        keyframes=sum(row["count"] for row in pictures),
        picture_bytes=sum(row["bytes"] for row in pictures),
        sounds=len(sounds),
        sound_bytes=sum(sounds.values()),
        speech=sum(source == "speech" for source in words.values()),
        scene_text=sum(source == "scene-text" for source in words.values()),
        embeddings={each: sum(store.embedded_count(each, part) for part in parts) for each in store.checkpoints()},
        turns=len(turns),
        pins=len(_found(store, f"SELECT id, 1 FROM pins WHERE {INSIDE}", times)),
        gaps=len(_found(store, f"SELECT id, 1 FROM gaps WHERE {TOUCHING} AND reason <> '{FORGOTTEN}'", times)),
        backups=tuple(each for each in backups if _is_there(Path(each))),
        absent=tuple(each for each in backups if not _is_there(Path(each))),
    )


def forget(store: EpisodicStore, spans: Iterable[Span], progress: Progress = silent) -> Receipt:
    """Destroy all that was seen, heard, read and answered of some spans, here and in every backup within reach.

    What was forgotten before is forgotten in the backups once more: those that were away then may be here now.
    MemoryBusy: a backup is being made. DiskFull: nothing of it is found any more, and its bytes go once there is room.
    """
    parts = merged(spans)
    files: list[str] = []
    full: DiskFull | None = None
    with RecordingLock(store.directory / UPKEEP).held(UPKEEP_WAIT_S):
        keys = _keys(store)
        destroyed = _remove(store, parts)
        try:
            files = rewrite(store, progress)
        except DiskFull as error:  # the backups are on other disks
            full = error
        destroyed_keys = keys - _keys(store)
        is_wiped = store.database.value("SELECT 1 FROM rewrites LIMIT 1") is None
    reached, unreached = [], {}
    forgotten = merged([*parts, *_forgotten(store)])
    for row in store.database.rows("SELECT directory FROM backups ORDER BY directory"):
        progress(row["directory"])
        try:
            _forget_in_backup(store, Path(row["directory"]), forgotten)
            reached.append(row["directory"])
        except (UserError, OSError) as error:
            unreached[row["directory"]] = str(error)
    if full:
        raise full
    return Receipt(destroyed, tuple(files), len(destroyed_keys), tuple(reached), unreached, is_wiped, at=time.time())


def _forgotten(store: EpisodicStore) -> list[Span]:
    """All that was ever forgotten; where a session ends, with the last picture in it, which a span does not hold."""
    ends = {session.id: session_span(session).ended_at for session in store.sessions()}
    gaps = [gap for gap in store.gaps() if gap.reason == FORGOTTEN]
    behind = [0.001 if gap.ended_at >= ends[gap.session_id] else 0.0 for gap in gaps]
    return [Span(gap.started_at, gap.ended_at + more) for gap, more in zip(gaps, behind, strict=True)]


def _remove(store: EpisodicStore, parts: Sequence[Span]) -> Forgetting:
    with removing(store):
        destroyed = plan(store, parts)
        if not destroyed.is_nothing:
            list_database(store)
            for part in parts:
                _remove_part(store, part)
    return destroyed


def _remove_part(store: EpisodicStore, part: Span) -> None:
    ids, times, database = id_range(part), (part.started_at, part.ended_at), store.database
    _list_packs_around(store, ids)
    database.execute(f"DELETE FROM turns WHERE {CITING}", ids)
    database.execute(f"DELETE FROM turns WHERE {QUOTING}", times)
    remove_keyframes(store, OF_IDS, ids)
    remove_sounds(store, OVERLAPPING["sounds"], times)
    remove_transcripts(store, OVERLAPPING["transcripts"], times)
    database.execute(f"DELETE FROM pins WHERE {INSIDE}", times)
    for session in store.sessions():
        if _is_in(session, part):
            cover(store, session, part, FORGOTTEN)
            _forget_source(store, session)


def _list_packs_around(store: EpisodicStore, ids: tuple[int, int]) -> None:
    """A crash, or a full disk, may have left bytes that no row ever pointed at, behind what was recorded before."""
    for claims in claims_of(store).values():
        before, behind = (
            store.database.value(sql.format(table=claims.table, where=claims.where), (each,))
            for sql, each in zip((PACK_BEFORE, PACK_BEHIND), ids, strict=True)
        )
        newest = max((pack for pack, size in claims.packs.sizes().items() if size), default=None)
        for pack in {before, newest if behind is None else behind} - {None}:
            list_pack(store, claims.packs, pack)


def _forget_source(store: EpisodicStore, session: Session) -> None:
    """Of a session that is forgotten as a whole, not even its camera is known."""
    forgotten = [gap for gap in store.gaps(session_span(session)) if gap.reason == FORGOTTEN]
    if session.ended_at is not None and not recorded([session], forgotten, session_span(session)):
        sql = "UPDATE sessions SET source = ?1, ended_because = ?1 WHERE id = ?2"
        store.database.execute(sql, (FORGOTTEN, session.id))


def _forget_in_backup(store: EpisodicStore, directory: Path, forgotten: Sequence[Span]) -> None:
    """A backup is a memory: all that its memory ever forgot is forgotten there as well, and half made copies go."""
    if _discard_unfinished(directory):
        return
    with (
        open_backup(store, directory) as backup,
        backup.hold_for_recording(),
        RecordingLock(directory / UPKEEP).held(UPKEEP_WAIT_S),
    ):
        if store.vault:
            hand_keys(store, directory)
        before = _times_ns(directory)
        for part in forgotten:
            _remove(backup, [part])
        _delete(directory, [*drafts_of(directory), *_matching(directory, NEW_DATABASE)])
        for old in ("before-", "damaged"):  # also where it was renewed since, and so has forgotten already
            _delete(directory, _matching(directory, f"{DATABASE}.{old}"))
        rewrite(backup)
        for file, at_ns in _times_ns(directory).items():
            if before.get(file) != at_ns:  # it is no copy of a file of the memory that has its name
                os.utime(directory / file, ns=(0, 0))


def _discard_unfinished(directory: Path) -> bool:
    """Of a first backup that was interrupted, and so has no database, nothing stays. Was it one?"""
    if (directory / DATABASE).exists() or not _is_there(directory):
        return False
    with RecordingLock(directory / RECORDING).held(UPKEEP_WAIT_S):
        if (directory / DATABASE).exists():
            return False
        placed = files_of(directory) if (directory / NEW_DATABASE).exists() else ()
        _delete(directory, [*drafts_of(directory), *placed, *_matching(directory, NEW_DATABASE)])
        return not any(files_of(directory))


def _matching(directory: Path, beginning: str) -> list[str]:
    return [path.name for path in directory.glob(f"{beginning}*")]


def _delete(directory: Path, names: Iterable[str]) -> None:
    with writing(directory):
        for name in names:
            (directory / name).unlink(missing_ok=True)


def _times_ns(directory: Path) -> dict[str, int]:
    return {file: (directory / file).stat().st_mtime_ns for file in files_of(directory)}


def _found(store: EpisodicStore, sql: str, ranges: Iterable[tuple[float, float]]) -> dict[int, Any]:
    """The second column of what is found in any of the ranges, by the first."""
    return dict(tuple(row.values()) for each in ranges for row in store.database.rows(sql, each))


def _is_in(session: Session, part: Span) -> bool:
    """A session that goes on may be seeing the part now."""
    known = session_span(session)
    return known.started_at < part.ended_at and (session.ended_at is None or known.ended_at > part.started_at)


def _is_there(directory: Path) -> bool:
    """Is a backup there, or what an interrupted one left? Without its disk its folder is empty, or is not."""
    with suppress(OSError):
        return any((directory / name).exists() for name in (DATABASE, RECORDING))
    return False


def _keys(store: EpisodicStore) -> set[str]:
    return {row["file"] for row in store.database.rows("SELECT file FROM keys")}
