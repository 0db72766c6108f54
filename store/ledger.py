"""The rows of a memory: records written to SQLite and read back, by id and by span of time.

This file does not know packs, embeddings or locks; who calls it sees to their order.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from store.moments import MomentLedger
from store.records import Gap, Hold, Keyframe, Session, Span, Turn
from store.spans import FIRST_ID, MICROSECONDS, id_range, keyframe_id, with_end

KEYFRAME_ROW = attrgetter(*(column.name for column in fields(Keyframe)))  # astuple copies deeply: 70 us
INSERT_KEYFRAME = "INSERT INTO keyframes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# A session whose recorder died ends at the last second it is known to have lived.
CLOSE_LEFT_OPEN = """
    UPDATE sessions SET ended_because = ?, ended_at = max(
        heartbeat_at,
        coalesce((
            SELECT captured_at FROM keyframes
            WHERE session_id = sessions.id AND id >= sessions.started_at * 1000000 ORDER BY id DESC LIMIT 1
        ), 0),
        coalesce((SELECT max(ended_at) FROM gaps WHERE session_id = sessions.id), 0)
    ) WHERE ended_at IS NULL
"""


class Ledger(MomentLedger):
    """Sessions, gaps, keyframes, words and turns of one database.

    DiskFull when a write finds no room, MemoryDamaged when SQLite finds the file broken.
    """

    def begin_session(self, source: str, started_at: float, zone_offset_s: int, wanted_fps: float) -> Session:
        row: dict[str, Any] = {
            "source": source,
            "started_at": float(started_at),
            "zone_offset_s": zone_offset_s,
            "wanted_fps": float(wanted_fps),
            "heartbeat_at": float(started_at),
            "ended_at": None,
            "ended_because": None,
        }
        return Session(id=self.database.insert("sessions", row), **row)

    def beat(self, session_id: int, at: float) -> None:
        """A sign of life: if the recorder dies, the session ends here or at its last keyframe."""
        sql = "UPDATE sessions SET heartbeat_at = max(heartbeat_at, ?) WHERE id = ? AND ended_at IS NULL"
        self.database.execute(sql, (float(at), session_id))

    def end_session(self, session_id: int, ended_at: float, because: str) -> None:
        sql = "UPDATE sessions SET ended_at = ?, ended_because = ?, heartbeat_at = max(heartbeat_at, ?) WHERE id = ?"
        self.database.execute(sql, (float(ended_at), because, float(ended_at), session_id))

    def reopen_session(self, session_id: int) -> None:
        """A session whose recorder died goes on."""
        self.database.execute("UPDATE sessions SET ended_at = NULL, ended_because = NULL WHERE id = ?", (session_id,))

    def close_left_open(self, because: str) -> None:
        """End every open session at its last sign of life."""
        self.database.execute(CLOSE_LEFT_OPEN, (because,))

    def sessions(self) -> list[Session]:
        """In time order."""
        return [Session(**row) for row in self.database.rows("SELECT * FROM sessions ORDER BY started_at, id")]

    def add_gap(self, session_id: int, started_at: float, ended_at: float, reason: str) -> Gap:
        row: dict[str, Any] = {
            "session_id": session_id,
            "started_at": float(started_at),
            "ended_at": float(ended_at),
            "reason": reason,
        }
        return Gap(id=self.database.insert("gaps", row), **row)

    def extend_gap(self, gap_id: int, ended_at: float) -> None:
        """A gap that is not over yet."""
        self.database.execute("UPDATE gaps SET ended_at = max(ended_at, ?) WHERE id = ?", (float(ended_at), gap_id))

    def gaps(self, span: Span | None = None) -> list[Gap]:
        """Those that overlap the span, whole, in time order."""
        return [Gap(**row) for row in self.overlapping("gaps", span)]

    def hold(self) -> Hold | None:
        """Why recording is to stand still, if it is."""
        rows = self.database.rows("SELECT reason, since, until FROM holds")
        return Hold(**rows[0]) if rows else None

    def set_hold(self, hold: Hold | None) -> None:
        """Kept, so that a recorder that is killed and started again stands still as well."""
        if hold is None:
            self.database.execute("DELETE FROM holds")
        else:
            sql = "INSERT OR REPLACE INTO holds VALUES (1, ?, ?, ?)"
            self.database.execute(sql, (hold.reason, hold.since, hold.until))

    def add_turn(
        self,
        asked_at: float,
        question: str,
        answer: str,
        seen: bool,
        confidence: float,
        checkpoint: str,
        keyframe_ids: Sequence[int],
    ) -> Turn:
        ids = tuple(int(each) for each in keyframe_ids)
        row: dict[str, Any] = {
            "asked_at": float(asked_at),
            "question": question,
            "answer": answer,
            "seen": bool(seen),
            "confidence": float(confidence),
            "checkpoint": checkpoint,
        }
        turn_id = self.database.insert("turns", {**row, "keyframe_ids": json.dumps(ids)})
        return Turn(id=turn_id, keyframe_ids=ids, **row)

    def turns(self, limit: int = 20) -> list[Turn]:
        """The last `limit` turns, the oldest of them first."""
        newest = self.database.rows("SELECT * FROM turns ORDER BY id DESC LIMIT ?", (limit,))
        return [
            Turn(**{**row, "seen": bool(row["seen"]), "keyframe_ids": tuple(json.loads(row["keyframe_ids"]))})
            for row in reversed(newest)
        ]

    def free_keyframe_id(self, captured_at: float) -> int:
        """The capture time in microseconds, raised by one until no keyframe has it."""
        free = keyframe_id(captured_at)
        while self.database.value("SELECT 1 FROM keyframes WHERE id = ?", (free,)) is not None:
            free += 1
        return free

    def commit_keyframe(self, keyframe: Keyframe) -> None:
        """The commit point of a keyframe: its bytes must be on disk before."""
        self.database.execute(INSERT_KEYFRAME, KEYFRAME_ROW(keyframe))

    def keyframe(self, keyframe_id: int) -> Keyframe:
        """UserError, naming the nearest id, if there is none with this one."""
        return self.keyframes_by_id([keyframe_id])[0]

    def keyframes(self, span: Span | None = None) -> list[Keyframe]:
        """In time order."""
        sql = "SELECT * FROM keyframes WHERE id >= ? AND id < ? ORDER BY id"
        return [Keyframe(**row) for row in self.database.rows(sql, id_range(span))]

    def keyframes_of_session(self, session_id: int, span: Span | None = None) -> list[Keyframe]:
        """In time order. Without a span every keyframe of the memory is looked at."""
        sql = "SELECT * FROM keyframes WHERE session_id = ? AND id >= ? AND id < ? ORDER BY id"
        return [Keyframe(**row) for row in self.database.rows(sql, (session_id, *id_range(span)))]

    def keyframe_ids(self, above: int = FIRST_ID, limit: int = -1) -> list[int]:
        """At most `limit` ids above one, in time order; -1 is without limit."""
        sql = "SELECT id FROM keyframes WHERE id > ? ORDER BY id LIMIT ?"
        return [row["id"] for row in self.database.rows(sql, (above, limit))]

    def keyframes_by_id(self, ids: Sequence[int]) -> list[Keyframe]:
        """In the order asked. UserError naming the nearest id for an unknown one."""
        wanted = [int(each) for each in ids]
        sql = "SELECT * FROM keyframes WHERE id IN (SELECT value FROM json_each(?))"
        found = {row["id"]: Keyframe(**row) for row in self.database.rows(sql, (json.dumps(wanted),))}
        for each in wanted:
            if each not in found:
                raise self.unknown_keyframe(each)
        return [found[each] for each in wanted]

    def present(self, ids: Sequence[int]) -> set[int]:
        """Those of some ids that are keyframes of this memory."""
        sql = "SELECT id FROM keyframes WHERE id IN (SELECT value FROM json_each(?))"
        return {row["id"] for row in self.database.rows(sql, (json.dumps([int(each) for each in ids]),))}

    def last_in_full(self, before_id: int) -> Keyframe | None:
        """The newest keyframe below an id that was not reduced."""
        sql = "SELECT * FROM keyframes WHERE id = (SELECT max(id) FROM keyframes WHERE id < ? AND reduced = 0)"
        rows = self.database.rows(sql, (before_id,))
        return Keyframe(**rows[0]) if rows else None

    def count(self, span: Span | None = None, *, in_full: bool = False) -> int:
        """How many keyframes, or how many of them were not reduced."""
        only = "AND reduced = 0" if in_full else ""
        return int(
            self.database.value(f"SELECT count(*) FROM keyframes WHERE id >= ? AND id < ? {only}", id_range(span))
        )

    def first_and_last(self) -> tuple[Keyframe, Keyframe] | None:
        """The oldest and the newest keyframe; None before any."""
        sql = "SELECT * FROM keyframes WHERE id IN ((SELECT min(id) FROM keyframes), (SELECT max(id) FROM keyframes))"
        rows = [Keyframe(**row) for row in self.database.rows(f"{sql} ORDER BY id")]
        return (rows[0], rows[-1]) if rows else None

    def span(self) -> Span | None:
        """From the first session's start to the last known second, every keyframe inside; None before any session."""
        sql = "SELECT min(started_at) AS began, max(coalesce(ended_at, heartbeat_at)) AS ended FROM sessions"
        (sessions,), ends = self.database.rows(sql), self.first_and_last()
        started_at, ended_at = sessions["began"], sessions["ended"]
        if started_at is None:
            return None
        if ends is not None:
            oldest, newest = ends
            started_at = min(started_at, oldest.captured_at)
            if newest.id >= id_range(Span(started_at, ended_at))[1]:  # it may be the last known second itself
                return with_end(Span(started_at, newest.id / MICROSECONDS))
        return Span(started_at, ended_at)

    def size(self, rows: str) -> int:
        """How many rows a table of this schema has, or `table WHERE condition`."""
        return int(self.database.value(f"SELECT count(*) FROM {rows}"))
