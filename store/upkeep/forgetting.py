"""Forgetting: spans of time go for good, from the memory and from its backups, also while it is being recorded.

In one transaction the rows go and a gap says "forgotten"; from then on nothing of it is found, and what was still on
its way in, from a camera or from whoever writes down words, is let go. Then the files that held its bytes are written
anew and their keys destroyed (rewriting.py). A crash in between leaves the rest to whoever opens the memory next.
This file does not know how a span was named, nor how a backup is made.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.episodic import EpisodicStore
from store.errors import DiskFull
from store.layout import UPKEEP
from store.lock import UPKEEP_WAIT_S, RecordingLock
from store.records import Session, Span
from store.rewriting import Progress, claims_of, rewrite, silent
from store.spans import id_range, merged, recorded, session_span, total_s, with_end
from store.transcripts import FORGOTTEN, NOTE
from store.upkeep.ownership import backups_of
from store.upkeep.reach import forget_in_backups, is_there
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
    notes: int
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
            self.notes,
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
    backups = {each: is_there(Path(each)) for each in backups_of(store)}
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
        notes=sum(source == NOTE for source in words.values()),
        embeddings={each: sum(store.embedded_count(each, part) for part in parts) for each in store.checkpoints()},
        turns=len(turns),
        pins=len(_found(store, f"SELECT id, 1 FROM pins WHERE {INSIDE}", times)),
        gaps=len(_found(store, f"SELECT id, 1 FROM gaps WHERE {TOUCHING} AND reason <> '{FORGOTTEN}'", times)),
        backups=tuple(each for each in backups if backups[each]),
        absent=tuple(each for each in backups if not backups[each]),
    )


def forget(store: EpisodicStore, spans: Iterable[Span], progress: Progress = silent) -> Receipt:
    """Destroy all that was seen, heard, read, noted and answered of some spans, here and in every backup within reach.

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
    forgotten = merged([*parts, *_forgotten(store)])

    def remove(backup: EpisodicStore) -> None:
        for part in forgotten:
            _remove(backup, [part])

    reached, unreached = forget_in_backups(store, remove, progress)
    if full:
        raise full
    return Receipt(destroyed, tuple(files), len(destroyed_keys), tuple(reached), unreached, is_wiped, at=time.time())


def _forgotten(store: EpisodicStore) -> Iterator[Span]:
    """All that was ever forgotten; where a session ends, with the last picture in it."""
    ends = {}
    for session in store.sessions():
        span = session_span(session)
        ends[session.id] = span.ended_at
        if session.ended_because == FORGOTTEN:  # it may be without length, and so without a gap
            yield with_end(span)
    for gap in store.gaps():
        if gap.reason == FORGOTTEN:
            span = Span(gap.started_at, gap.ended_at)
            yield with_end(span) if gap.ended_at >= ends[gap.session_id] else span


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


def _found(store: EpisodicStore, sql: str, ranges: Iterable[tuple[float, float]]) -> dict[int, Any]:
    """The second column of what is found in any of the ranges, by the first."""
    return dict(tuple(row.values()) for each in ranges for row in store.database.rows(sql, each))


def _is_in(session: Session, part: Span) -> bool:
    """A session that goes on may be seeing the part now; one of a single picture begins as it ends."""
    known = session_span(session)
    return known.started_at < part.ended_at and (session.ended_at is None or known.ended_at >= part.started_at)


def _keys(store: EpisodicStore) -> set[str]:
    return {row["file"] for row in store.database.rows("SELECT file FROM keys")}
