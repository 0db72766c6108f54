"""Times as people write and read them: durations in words, local times, and spans typed as "08:01" or "yesterday".

This file does not know where a memory lies or what is asked of it.
"""

from datetime import datetime

from assistant.asked_time import read_point
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Span, local_time

FIRST_YEAR, LAST_YEAR = 1970, 9000  # what clocks and dates of this program can say


def say_duration(seconds: float) -> str:
    """178.4 -> "2 min 58 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def iso(at: float, zone_offset_s: int) -> str:
    """UTC seconds -> local ISO 8601 with the zone, to the millisecond."""
    return local_time(at, zone_offset_s).isoformat(timespec="milliseconds")


def asked_span(store: EpisodicStore, since: str | None, until: str | None) -> Span | None:
    """What --since and --until mean in this memory, None where neither is given.

    A time of day is one of the last recorded day; whatever has no zone is meant in the zone of the last session.
    Raises UserError for anything else, and for a span that ends before it begins.
    """
    known = store.span()
    if since is None and until is None or known is None:
        return None
    clock = wearers_clock(store)
    ended_at = _read(until, *clock) if until is not None else known.ended_at + 1
    started_at = _read(since, *clock) if since is not None else min(known.started_at, ended_at)
    if None not in (since, until) and ended_at <= started_at:
        raise UserError(f"--until {until} is not after --since {since}.", "Exchange them, or leave one out.")
    return Span(started_at, max(started_at, ended_at))


def wearers_clock(store: EpisodicStore) -> tuple[datetime, datetime]:
    """Now, and the last moment that is known, as the wearer's clock shows them."""
    known, zone_s = store.span(), zone_offset_s(store)
    now = local_time(datetime.now().timestamp(), zone_s)
    return now, local_time(known.ended_at, zone_s) if known else now


def zone_offset_s(store: EpisodicStore) -> int:
    """The zone of the last session; UTC before the first."""
    sessions = store.sessions()
    return sessions[-1].zone_offset_s if sessions else 0


def _read(text: str, now: datetime, latest: datetime) -> float:
    """UTC seconds."""
    try:
        moment = read_point(text, now, latest)
        if FIRST_YEAR <= moment.year <= LAST_YEAR:
            return moment.timestamp()
    except OverflowError:
        pass
    raise UserError(f"{text} is too far away.", "Write a time such as 2026-03-02T08:30, or yesterday 8:30.")
