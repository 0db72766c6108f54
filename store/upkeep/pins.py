"""Pins: spans of time that are kept as they are, however old they become, unless they are forgotten.

This file does not know what is thinned, nor when.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Span
from store.spans import merged, moment_span
from store.upkeep.removal import DAY_S

CITED = "SELECT DISTINCT value AS id FROM turns, json_each(keyframe_ids)"


@dataclass(frozen=True, slots=True)
class Pin:
    """A span that somebody wanted to keep."""

    id: int
    started_at: float
    ended_at: float
    made_at: float


def pin(store: EpisodicStore, span: Span) -> Pin:
    """Keep a span; one that is kept already has the pin it had."""
    for known in pins(store):
        if known.started_at <= span.started_at and span.ended_at <= known.ended_at:
            return known
    row = {"started_at": span.started_at, "ended_at": span.ended_at, "made_at": time.time()}
    return Pin(id=store.database.insert("pins", row), **row)


def unpin(store: EpisodicStore, span: Span) -> int:
    """Take away every pin that touches a span; how many those were. UserError if there is none."""
    sql = "DELETE FROM pins WHERE started_at < ? AND ended_at > ?"
    with store.database.transaction():
        store.database.execute(sql, (span.ended_at, span.started_at))
        taken = int(store.database.value("SELECT changes()"))
        days = span.ended_at / DAY_S, span.started_at / DAY_S - 1
        store.database.execute("DELETE FROM thinned WHERE day <= ? AND day >= ?", days)  # what was kept is to follow
    if not taken:
        raise UserError("Nothing is pinned there.", "List what is: whereabouts pin")
    return taken


def pins(store: EpisodicStore) -> list[Pin]:
    """In time order."""
    return [Pin(**row) for row in store.database.rows("SELECT * FROM pins ORDER BY started_at, id")]


def kept(store: EpisodicStore) -> list[Span]:
    """What must stay as it is: all that is pinned, and the moments that answers cite; apart and in time order."""
    cited: Iterable[int] = (row["id"] for row in store.database.rows(CITED))
    return merged([*(Span(each.started_at, each.ended_at) for each in pins(store)), *map(moment_span, cited)])
