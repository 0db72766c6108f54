"""Browsing: days, hours and moments as rows, newest first, and where to go for a time that is asked for.

What is read here is read in worker threads. This file does not know widgets, nor where in a list somebody is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.episodic import EpisodicStore
from store.records import Moment, Span, Transcript, local_time
from store.spans import clipped, moment_span
from store.timeline import DAY_S, activity, days
from store.upkeep.pins import Pin, pins
from tui.clock import wearers_clock

if TYPE_CHECKING:
    from assistant.finding import Found

HOUR_S, HOURS = 3600.0, 24


@dataclass(frozen=True, slots=True)
class Stretch:
    """A day or an hour in which something was worn; `label` and `short` are its names where there is little room."""

    name: str
    label: str
    short: str
    span: Span
    zone_offset_s: int
    recorded_s: float
    gaps: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A moment with what there is to say of it; `seen`: it was found by its pictures, too."""

    moment: Moment
    words: tuple[Transcript, ...]
    pinned: bool
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go: into these stretches, one in the other, to a time; `is_there`: it is what was asked for."""

    path: tuple[Stretch, ...]
    at: float | None
    is_there: bool


def rows_of(store: EpisodicStore, path: Sequence[Stretch]) -> Sequence[Stretch] | Sequence[Listed]:
    """All days, or those hours or moments that lie in the last stretch of a path."""
    if not path:
        return all_days(store)
    return hours_of(store, path[0]) if len(path) == 1 else moments_in(store, path[1].span)


def all_days(store: EpisodicStore) -> list[Stretch]:
    return [
        Stretch(
            name=f"{day.date:%a %d %b %Y}",
            label=f"{day.date:%a %d %b %Y}",
            short=f"{day.date:%d %b}",
            span=day.span,
            zone_offset_s=day.zone_offset_s,
            recorded_s=day.recorded_s,
            gaps=day.gaps,
        )
        for day in days(store)
    ]


def hours_of(store: EpisodicStore, day: Stretch) -> list[Stretch]:
    """The hours of a day in which something was worn."""
    gaps = [Span(gap.started_at, gap.ended_at) for gap in store.gaps(day.span)]
    hours = []
    for number, cell in enumerate(activity(store, day.span, HOURS)):
        began = day.span.started_at + number * HOUR_S
        span = Span(began, began + HOUR_S)
        missed = sum(clipped(gap, span).duration_s > 0 for gap in gaps)
        if cell.recorded or missed:
            name = f"{number:02}:00 to {(number + 1) % HOURS:02}:00"
            label = f"{number:02}:00"
            hours.append(Stretch(name, label, label, span, day.zone_offset_s, cell.recorded * HOUR_S, missed))
    return hours[::-1]


def moments_in(store: EpisodicStore, span: Span) -> list[Listed]:
    """Every moment of an hour, each with the words that were said, to be read or noted in it."""
    words, kept = store.transcripts(span), pins(store)
    return [
        Listed(moment, tuple(row for row in words if _is_in(row, moment)), _is_pinned(moment, kept))
        for moment in store.moments(span)
    ]


def list_found(store: EpisodicStore, found: "Iterable[Found]") -> list[Listed]:
    """What a search brought up, each with the words for which it did."""
    kept = pins(store)
    return [Listed(each.moment, each.quoted, _is_pinned(each.moment, kept), each.seen) for each in found]


def place_of(store: EpisodicStore, wanted: Span) -> Place | None:
    """The day, the hour or, for a span of several days, the list of days nearest to a span; None in an empty memory.

    A time of a day is looked for where its middle lies, as "14:30" is an hour's, and that is what 14:15 to 14:45 means.
    """
    found = all_days(store)
    if not found:
        return None
    day = nearest(found, wanted)
    if wanted.duration_s > DAY_S:
        return Place((), day.span.started_at, _touch(day.span, wanted))
    hours = hours_of(store, day)
    if wanted.duration_s > HOUR_S or not hours:
        return Place((day,), wanted.started_at, _touch(day.span, wanted))
    middle = (wanted.started_at + wanted.ended_at) / 2
    hour = nearest(hours, Span(middle, middle + 1))
    return Place((day, hour), middle, _touch(hour.span, wanted))


def asked_place(store: EpisodicStore, said: str) -> Place | None:
    """Where to go for "yesterday" or "2026-03-02 14:30". UserError: it names no time."""
    from assistant.asked_time import read_time

    return place_of(store, read_time(said, *wearers_clock(store)))


def newest(store: EpisodicStore, level: int) -> Place | None:
    """The last of all days, or in it the last hour (1), or in that the last moment (2)."""
    known = store.span()
    place = place_of(store, Span(known.ended_at - 1, known.ended_at)) if known else None
    return Place(place.path[:level], known.ended_at, is_there=True) if known and place else None


def beside(store: EpisodicStore, path: Sequence[Stretch], step: int) -> Place | None:
    """The stretch with the next older moment (step 1) or newer one (-1) than the last of a path."""
    here, older = path[-1].span, step > 0
    outside = Span(float("-inf"), here.started_at) if older else Span(here.ended_at, float("inf"))
    reached = store.moments(outside, newest_first=older, limit=1)
    if not reached:
        return None
    at = reached[0].started_at
    place = place_of(store, Span(at, at + 1))
    return place and Place(place.path[: len(path)], at, True)


def nearest(stretches: Sequence[Stretch], wanted: Span) -> Stretch:
    """The first of those that touch a span, else the one least far from it."""
    return min(stretches, key=lambda each: 0.0 if _touch(each.span, wanted) else _away_s(each.span, wanted) + 1)


def day_and_time(at: float, zone_offset_s: int) -> str:
    return f"{local_time(at, zone_offset_s):%a %d %b %Y, %H:%M:%S}"


def _touch(first: Span, second: Span) -> bool:
    return first.started_at < second.ended_at and second.started_at < first.ended_at


def _away_s(first: Span, second: Span) -> float:
    return max(first.started_at - second.ended_at, second.started_at - first.ended_at)


def _is_in(row: Transcript, moment: Moment) -> bool:
    half_minute = moment_span(moment.keyframe.id)
    is_then = row.started_at < half_minute.ended_at and row.ended_at >= half_minute.started_at
    return is_then and row.session_id == moment.keyframe.session_id


def _is_pinned(moment: Moment, kept: Iterable[Pin]) -> bool:
    return any(pin.started_at <= moment.ended_at and moment.started_at < pin.ended_at for pin in kept)
