"""What of a memory lies in a span, read a page at a time: a life takes no more room than a minute.

Sessions, gaps and pins are cut at the edges of the span. Sounds and words cannot be cut, so those that reach over an
edge are left out, and so are questions whose evidence does. This file does not know what becomes of the rows.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from store.episodic import EpisodicStore
from store.records import Gap, Keyframe, Session, Sound, Span, Transcript, Turn
from store.spans import EVER, FIRST_ID, id_range

PAGE_ROWS = 500
CUT, STILL_RECORDING = "cut by the export", "still recording when exported"
KEYFRAMES = "keyframes.*, EXISTS (SELECT 1 FROM keyframes_read WHERE keyframe_id = keyframes.id) AS was_read"
Row = dict[str, Any]


class Excerpt:
    """The rows of one span (all of time, if None), in time order.

    What is being recorded meanwhile is left out: while a session is open, the excerpt ends where it is known to reach.
    """

    def __init__(self, store: EpisodicStore, span: Span | None) -> None:
        self._store, self._asked = store, span or EVER
        sessions, known = store.sessions(), store.span()
        if known is not None and any(session.ended_at is None for session in sessions):
            self.span = Span(self._asked.started_at, min(self._asked.ended_at, known.ended_at))
        else:
            self.span = self._asked
        self.sessions = {session.id: session for session in sessions if self._touched(session)}

    def keyframes(
        self, ids: tuple[int, int] | None = None, session_id: int | None = None
    ) -> Iterator[tuple[Keyframe, bool]]:
        """Each with whether it was read; those of one session, if one is named, and with ids [first, behind)."""
        for row in self._pages("keyframes", "id", *(ids or id_range(self.span)), columns=KEYFRAMES):
            was_read = bool(row.pop("was_read"))
            if row["session_id"] in self.sessions and session_id in (None, row["session_id"]):
                yield Keyframe(**{**row, "reduced": bool(row["reduced"])}), was_read

    def sounds(self) -> Iterator[Sound]:
        for row in self._whole("sounds", self.span):
            yield Sound(**{**row, "heard": bool(row["heard"])})

    def transcripts(self, span: Span | None = None) -> Iterator[Transcript]:
        """Those that lie in the excerpt and, if `span` is given, begin in it."""
        for row in self._whole("transcripts", span or self.span):
            yield Transcript(**row)

    def gaps(self) -> Iterator[Gap]:
        for row in self._cut("gaps", self.span):
            if row["session_id"] in self.sessions:
                yield Gap(**row)

    def pins(self) -> Iterator[Row]:
        return self._cut("pins", self._asked)

    def turns(self) -> Iterator[Turn]:
        first, behind = id_range(self._asked)
        for row in self._pages("turns", "asked_at", self._asked.started_at, self._asked.ended_at):
            ids = tuple(json.loads(row["keyframe_ids"]))
            if all(first <= each < behind for each in ids):
                yield Turn(**{**row, "seen": bool(row["seen"]), "keyframe_ids": ids})

    def cut_session(self, session: Session, reach: float | None) -> Session | None:
        """A session as far as it lies inside of the span, None if nothing does.

        `reach` is the last time of what was found of it, None for nothing: an open session ends there.
        """
        ended_at, because = session.ended_at, session.ended_because
        if ended_at is None:
            ended_at, because = max(session.heartbeat_at, reach or session.heartbeat_at), STILL_RECORDING
        if ended_at > self.span.ended_at:
            ended_at, because = self.span.ended_at, CUT
        started_at = max(session.started_at, self.span.started_at)
        if reach is None and session.started_at < started_at >= ended_at:
            return None
        if (started_at, ended_at) == (session.started_at, session.ended_at):
            return session
        heartbeat_at = max(started_at, min(session.heartbeat_at, ended_at))
        return replace(
            session, started_at=started_at, ended_at=ended_at, ended_because=because, heartbeat_at=heartbeat_at
        )

    def _touched(self, session: Session) -> bool:
        over = session.ended_at is not None and session.ended_at < self.span.started_at
        return session.started_at < self.span.ended_at and not over

    def _whole(self, table: str, span: Span) -> Iterator[Row]:
        started_at = max(span.started_at, self.span.started_at)
        for row in self._pages(table, "started_at", started_at, span.ended_at):
            if row["ended_at"] <= self.span.ended_at and row["session_id"] in self.sessions:
                yield row

    def _cut(self, table: str, span: Span) -> Iterator[Row]:
        for row in self._pages(table, "started_at", EVER.started_at, span.ended_at):
            if row["ended_at"] > span.started_at or row["started_at"] >= span.started_at:
                yield {
                    **row,
                    "started_at": max(row["started_at"], span.started_at),
                    "ended_at": min(row["ended_at"], span.ended_at),
                }

    def _pages(self, table: str, key: str, first: float, behind: float, columns: str = "*") -> Iterator[Row]:
        """Rows whose key lies in [first, behind), in the order of key and id."""
        last_id = FIRST_ID
        sql = f"""
            SELECT {columns} FROM {table} WHERE ({table}.{key}, {table}.id) > (?, ?) AND {table}.{key} < ?
            ORDER BY {table}.{key}, {table}.id LIMIT {PAGE_ROWS}
        """
        while page := self._store.database.rows(sql, (first, last_id, behind)):
            first, last_id = page[-1][key], page[-1]["id"]
            yield from page
