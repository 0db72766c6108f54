"""Removal: rows go, and the files that hold what they pointed at are listed to be written anew (rewriting.py).

Every function here belongs into one transaction with the others of its purpose, so that after a crash either nothing
has gone or the list says what is still to be done. This file does not know why anything is removed, nor files.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from store.episodic import EpisodicStore
from store.layout import DATABASE
from store.packs import Packs
from store.records import Session, Span
from store.spans import clipped, session_span
from store.transcripts import EXPIRED, FORGOTTEN, OVERLAPS

DAY_S = 86_400
DAY_IDS = DAY_S * 1_000_000  # keyframe ids in a day
THINNED = "thinned"  # the reason of gaps in which words are left
OVERLAPPING = {
    table: f"id IN (SELECT id FROM {table} WHERE {OVERLAPS.format(table=table)})" for table in ("sounds", "transcripts")
}
LATEST_GAP = f"""
    SELECT id FROM gaps WHERE session_id = ? AND reason NOT IN ('{FORGOTTEN}', '{EXPIRED}', '{THINNED}')
    ORDER BY ended_at DESC LIMIT 1
"""


@contextmanager
def removing(store: EpisodicStore) -> Iterator[None]:
    """One transaction, in which nobody adds pictures or sounds: what comes later finds the gaps, and is let go."""
    with store.packs.turn(), store.small_packs.turn(), store.sound_packs.turn(), store.database.transaction():
        yield


def remove_keyframes(store: EpisodicStore, where: str, parameters: tuple[object, ...]) -> None:
    """Those that a condition on their columns finds."""
    for row in store.database.rows(f"SELECT DISTINCT reduced, pack FROM keyframes WHERE {where}", parameters):
        list_pack(store, store.small_packs if row["reduced"] else store.packs, row["pack"])
    days = f"SELECT DISTINCT 'embeddings/' || (id / {DAY_IDS}) FROM keyframes WHERE {where}"
    store.database.execute(f"INSERT OR IGNORE INTO rewrites {days}", parameters)
    store.database.execute(f"DELETE FROM keyframes WHERE {where}", parameters)


def remove_sounds(store: EpisodicStore, where: str, parameters: tuple[object, ...]) -> None:
    """Those that a condition on their columns finds."""
    for row in store.database.rows(f"SELECT DISTINCT pack FROM sounds WHERE {where}", parameters):
        list_pack(store, store.sound_packs, row["pack"])
    store.database.execute(f"DELETE FROM sounds WHERE {where}", parameters)


def remove_transcripts(store: EpisodicStore, where: str, parameters: tuple[object, ...]) -> None:
    """Those that a condition on their columns finds, with their full text."""
    store.database.execute(f"DELETE FROM transcripts WHERE {where}", parameters)


def list_pack(store: EpisodicStore, packs: Packs, pack: int) -> None:
    """It is to be written anew."""
    store.database.execute("INSERT OR IGNORE INTO rewrites VALUES (?)", (packs.name(pack),))


def list_database(store: EpisodicStore) -> None:
    """Pages of memory.db keep traces of rows that went, here and in its log: it is to be cleaned."""
    store.database.execute("INSERT OR IGNORE INTO rewrites VALUES (?)", (DATABASE,))


def cover(store: EpisodicStore, session: Session, span: Span, reason: str) -> None:
    """Let a gap say why nothing is left of a part of a session, in place of gaps that tell more.

    The latest gap of a session that goes on stays, behind the part: its recorder may be about to make it longer.
    """
    until = max(session.heartbeat_at, min(span.ended_at, time.time()))
    part = clipped(span, session_span(session) if session.ended_at is not None else Span(session.started_at, until))
    if part.duration_s <= 0:
        return
    sql = "SELECT * FROM gaps WHERE session_id = ? AND started_at < ? AND ended_at > ? ORDER BY id"
    growing = None if session.ended_at is not None else store.database.value(LATEST_GAP, (session.id,))
    for gap in store.database.rows(sql, (session.id, part.ended_at, part.started_at)):
        if gap["started_at"] < part.started_at:
            store.add_gap(session.id, gap["started_at"], part.started_at, gap["reason"])
        if gap["ended_at"] > part.ended_at or gap["id"] == growing:
            behind = part.ended_at, max(gap["ended_at"], part.ended_at), gap["id"]
            store.database.execute("UPDATE gaps SET started_at = ?, ended_at = ? WHERE id = ?", behind)
        else:
            store.database.execute("DELETE FROM gaps WHERE id = ?", (gap["id"],))
    store.add_gap(session.id, part.started_at, part.ended_at, reason)
