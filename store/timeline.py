"""The timeline: what a life looks like from afar, day by day, and how much happened in each part of a day.

Days are told from sessions and gaps alone, so a life is laid out at once. This file does not know pictures, words
or screens.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from store.episodic import EpisodicStore
from store.records import Gap, Session, Span
from store.spans import clipped, id_range, merged, recorded, session_span, total_s

DAY_S = 86_400
FIRST_DAY = date(1970, 1, 1).toordinal()
HALF = 0.5
# The news in every part of a range of ids that has any. The last id may be rounded into a part behind the last.
NEWS = """
    SELECT min(CAST((id - ?1) * ?3 AS INTEGER), ?4 - 1) AS cell, sum(1 - 1 / (1 + max(novelty, 0.0))) AS news
    FROM keyframes WHERE id >= ?1 AND id < ?2 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the wearer's calendar, from midnight to midnight of one zone, of which something was worn.

    `worn_s` and `recorded_s` count no second twice; `gaps`: how many of them lie in the day or reach into it.
    """

    date: date
    span: Span
    zone_offset_s: int
    worn_s: float
    recorded_s: float
    gaps: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a span: the share of it that was recorded, and how much happened in it, both 0 to 1.

    `activity` is the news a second, 1 at most. The news of a keyframe is novelty / (1 + novelty): 0 for the picture
    before it once more, a half where as much changed as there was to see, more than that while the wearer walks.
    `gap`: where less than half was recorded, the reason for which the most of it was not, "" if there is no gap in it.
    So what was not worn at all has 0 recorded and no gap.
    """

    recorded: float
    activity: float
    gap: str


@dataclass(slots=True)
class _Parts:
    """What of the sessions of one zone lies in one day."""

    worn: list[Span] = field(default_factory=list)
    recorded: list[Span] = field(default_factory=list)
    gaps: int = 0


def days(store: EpisodicStore) -> list[Day]:
    """Every day on which anything was worn, what was worn last first; a session's zone says when its midnights are.

    A date that was lived in two zones is two days. A session that goes on reaches to its heartbeat.
    """
    gaps_of: dict[int, list[Gap]] = defaultdict(list)
    for gap in store.gaps():
        gaps_of[gap.session_id].append(gap)
    parts: dict[tuple[int, int], _Parts] = defaultdict(_Parts)
    for session in store.sessions():
        _lay_out(session, gaps_of[session.id], parts)
    return [_day(*key, parts[key]) for key in sorted(parts, key=lambda key: _last_worn(parts[key]), reverse=True)]


def _lay_out(session: Session, gaps: list[Gap], parts: dict[tuple[int, int], _Parts]) -> None:
    """Add a session and its gaps to the days they lie in."""
    whole, zone_s = session_span(session), session.zone_offset_s
    for day, part in _by_day(whole, zone_s):
        parts[day, zone_s].worn.append(part)
    for stretch in recorded([session], gaps, whole):
        for day, part in _by_day(stretch, zone_s):
            parts[day, zone_s].recorded.append(part)
    for gap in gaps:
        missed = clipped(Span(gap.started_at, gap.ended_at), whole)
        if missed.duration_s > 0:
            for day, _ in _by_day(missed, zone_s):
                parts[day, zone_s].gaps += 1


def _by_day(span: Span, zone_offset_s: int) -> Iterator[tuple[int, Span]]:
    """A span cut at midnights, each part with its day since 1970; one that took no time is a part as well."""
    first = math.floor((span.started_at + zone_offset_s) / DAY_S)
    last = max(first, math.ceil((span.ended_at + zone_offset_s) / DAY_S) - 1)
    for day in range(first, last + 1):
        yield day, span if first == last else clipped(span, _span_of(day, zone_offset_s))


def _day(day: int, zone_offset_s: int, parts: _Parts) -> Day:
    return Day(
        date=date.fromordinal(FIRST_DAY + day),
        span=_span_of(day, zone_offset_s),
        zone_offset_s=zone_offset_s,
        worn_s=total_s(merged(parts.worn)),
        recorded_s=total_s(merged(parts.recorded)),
        gaps=parts.gaps,
    )


def _span_of(day: int, zone_offset_s: int) -> Span:
    return Span(float(day * DAY_S - zone_offset_s), float((day + 1) * DAY_S - zone_offset_s))


def _last_worn(parts: _Parts) -> float:
    return max(part.ended_at for part in parts.worn)


def activity(store: EpisodicStore, span: Span, cells: int) -> list[Cell]:
    """A finite span cut into `cells` equal parts, at least one."""
    gaps, each_s = store.gaps(span), span.duration_s / cells
    seen_s = _filled_s(recorded(store.sessions(), gaps, span), span, cells)
    reasons, news = _reasons(gaps, span, cells), _news(store, span, cells)
    return [
        Cell(
            recorded=min(1.0, seen_s[cell] / each_s),
            activity=min(1.0, news.get(cell, 0.0) / each_s),
            gap="" if seen_s[cell] >= HALF * each_s else reasons[cell],
        )
        for cell in range(cells)
    ]


def _news(store: EpisodicStore, span: Span, cells: int) -> dict[int, float]:
    first, behind = id_range(span)
    rows = store.database.rows(NEWS, (first, behind, cells / (behind - first), cells))
    return {row["cell"]: row["news"] for row in rows}


def _reasons(gaps: Iterable[Gap], span: Span, cells: int) -> list[str]:
    """For every cell the reason of the gaps that fill the most of it, "" where there is none."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for gap in gaps:
        spans[gap.reason].append(clipped(Span(gap.started_at, gap.ended_at), span))
    reasons, most_s = [""] * cells, [0.0] * cells
    for reason, parts in spans.items():
        for cell, filled_s in enumerate(_filled_s(merged(parts), span, cells)):
            if filled_s > most_s[cell]:
                reasons[cell], most_s[cell] = reason, filled_s
    return reasons


def _filled_s(parts: Iterable[Span], span: Span, cells: int) -> list[float]:
    """How many seconds of each cell some parts of a span fill, which are apart."""
    edges = [span.started_at + span.duration_s * number / cells for number in range(cells + 1)]
    filled_s = [0.0] * cells
    for part in parts:
        cell = max(0, bisect_right(edges, part.started_at) - 1)
        while cell < cells and edges[cell] < part.ended_at:
            filled_s[cell] += clipped(part, Span(edges[cell], edges[cell + 1])).duration_s
            cell += 1
    return filled_s
