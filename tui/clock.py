"""Times as people write and read them: durations in words, local times, and spans typed as "08:01" or in ISO.

This file does not know where a memory lies or what is asked of it.
"""

from datetime import datetime, time

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


def say_bytes(count: int) -> str:
    """2_345_678 -> "2.3 MB"."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


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
    latest = local_time(known.ended_at, zone_offset_s(store))
    ended_at = _read(until, latest) if until is not None else known.ended_at + 1
    started_at = _read(since, latest) if since is not None else min(known.started_at, ended_at)
    if None not in (since, until) and ended_at <= started_at:
        raise UserError(f"--until {until} is not after --since {since}.", "Exchange them, or leave one out.")
    return Span(started_at, max(started_at, ended_at))


def zone_offset_s(store: EpisodicStore) -> int:
    """The zone of the last session; UTC before the first."""
    sessions = store.sessions()
    return sessions[-1].zone_offset_s if sessions else 0


def _read(text: str, latest: datetime) -> float:
    """UTC seconds."""
    try:
        return _read_time(text, latest)
    except OverflowError as error:
        raise UserError(f"{text} is too far away.", "Write a time such as 2026-03-02T08:30.") from error


def _read_time(text: str, latest: datetime) -> float:
    try:
        return datetime.combine(latest, time.fromisoformat(text), latest.tzinfo).timestamp()
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a time.", "Write it as 08:30 or 2026-03-02T08:30.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=latest.tzinfo)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise OverflowError(text)
    return moment.timestamp()
