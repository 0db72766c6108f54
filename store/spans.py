"""The arithmetic of time: spans as ranges of keyframe ids, worn and recorded time, moments.

A keyframe's id is its capture time in microseconds, so a span is a range of ids and is cut at whole microseconds.
A moment is what one session saw in one half minute of the clock, so it is the same however it was come upon.
This file does not know SQL or files: records in, records out.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from store.records import Gap, Keyframe, Moment, Session, Span

MICROSECONDS = 1_000_000
MOMENT_IDS = 30 * MICROSECONDS
FIRST_ID, LAST_ID = -(2**62), 2**62  # beyond any time, and SQLite can still count on from there
EVER = Span(-math.inf, math.inf)
LAST_INSTANT_S = 0.001  # longer than what times are rounded by, shorter than from one picture to the next


def keyframe_id(captured_at: float) -> int:
    """The id a keyframe of that time gets, unless taken."""
    return int(captured_at * MICROSECONDS)


def id_range(span: Span | None) -> tuple[int, int]:
    """The ids of a span, [first, behind the last); None is all of time, and an endless span is allowed."""
    span = EVER if span is None else span
    return _bounded_id(span.started_at), _bounded_id(span.ended_at)


def moments_of(keyframes: Iterable[Keyframe]) -> list[Moment]:
    """Keyframes in time order as moments in the order of their beginnings.

    The best keyframe is the middle one, or of those that were not reduced the nearest to it.
    """
    groups: dict[tuple[int, int], list[Keyframe]] = {}
    for keyframe in keyframes:
        groups.setdefault(moment_key(keyframe), []).append(keyframe)
    return [Moment(group[0].captured_at, group[-1].captured_at, _best(group), len(group)) for group in groups.values()]


def moment_key(keyframe: Keyframe) -> tuple[int, int]:
    """Which half minute of which session: keyframes of one moment have it in common."""
    return keyframe.id // MOMENT_IDS, keyframe.session_id


def moment_span(keyframe_id: int) -> Span:
    """The whole half minute of the moment that a keyframe belongs to."""
    began = keyframe_id // MOMENT_IDS * MOMENT_IDS
    return Span(began / MICROSECONDS, (began + MOMENT_IDS) / MICROSECONDS)


def _best(group: Sequence[Keyframe]) -> Keyframe:
    middle = len(group) // 2
    return group[min(range(len(group)), key=lambda i: (group[i].reduced, abs(i - middle)))]


def session_span(session: Session) -> Span:
    """A session still being recorded reaches to its heartbeat."""
    return Span(session.started_at, session.heartbeat_at if session.ended_at is None else session.ended_at)


def with_end(span: Span) -> Span:
    """A span does not hold its end: one that does, and so the picture or word at it."""
    return Span(span.started_at, span.ended_at + LAST_INSTANT_S)


def worn(sessions: Iterable[Session], span: Span) -> list[Span]:
    """The parts of a span in which something was worn, apart from each other and in time order."""
    return merged(clipped(session_span(session), span) for session in sessions)


def recorded(sessions: Iterable[Session], gaps: Iterable[Gap], span: Span) -> list[Span]:
    """The worn parts of a span less the gaps; where two sessions overlap, one that saw is enough."""
    parts, gaps_of = [], defaultdict(list)
    for gap in gaps:
        gaps_of[gap.session_id].append(Span(gap.started_at, gap.ended_at))
    for session in sessions:
        parts += without(clipped(session_span(session), span), merged(gaps_of[session.id]))
    return merged(parts)


def total_s(spans: Iterable[Span]) -> float:
    return sum(span.duration_s for span in spans)


def _bounded_id(at: float) -> int:
    return int(min(max(at * MICROSECONDS, FIRST_ID), LAST_ID))


def clipped(part: Span, span: Span) -> Span:
    return Span(max(part.started_at, span.started_at), min(part.ended_at, span.ended_at))


def merged(parts: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for part in sorted(parts, key=lambda part: part.started_at):
        if part.duration_s <= 0:
            continue
        if joined and part.started_at <= joined[-1].ended_at:
            joined[-1] = Span(joined[-1].started_at, max(joined[-1].ended_at, part.ended_at))
        else:
            joined.append(part)
    return joined


def without(part: Span, holes: Iterable[Span]) -> list[Span]:
    """What is left of a span after taking out holes, which are in time order and apart."""
    left, started_at = [], part.started_at
    for hole in holes:
        left.append(Span(started_at, min(hole.started_at, part.ended_at)))
        started_at = max(started_at, hole.ended_at)
    return [*left, Span(started_at, part.ended_at)]
