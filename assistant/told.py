"""Told: what was said and to be read around keyframes, for the sequence that answers and for recall.

This file does not know how questions are answered, nor how words were recognised.
"""

from bisect import bisect
from collections.abc import Sequence

from assistant.asking import content_words
from store.episodic import EpisodicStore
from store.records import Keyframe, Span, Transcript
from store.spans import keyframe_id


def words_around(store: EpisodicStore, keyframes: Sequence[Keyframe], reach_s: float) -> list[str]:
    """For each keyframe what was said and to be read within `reach_s` of it, in time order.

    A row stands once, with the keyframe it is nearest to, or the first that lies in it.
    """
    rows: dict[int, Transcript] = {}
    for keyframe in keyframes:
        around = Span(keyframe.captured_at - reach_s, keyframe.captured_at + reach_s)
        rows |= {row.id: row for row in store.transcripts(around)}
    words: list[list[str]] = [[] for _ in keyframes]
    for row in sorted(rows.values(), key=lambda row: row.started_at):
        away_s = [max(row.started_at - k.captured_at, k.captured_at - row.ended_at, 0.0) for k in keyframes]
        words[away_s.index(min(away_s))].append(row.text if row.source == "speech" else f'sign: "{row.text}"')
    return [" ".join(told) for told in words]


def keyframes_told(
    store: EpisodicStore, question: str, ids: Sequence[int], limit: int, span: Span | None = None
) -> set[int]:
    """Of keyframe ids in time order, at most `limit` nearest to what was said or to be read about the question."""
    rows = store.find_words(" ".join(content_words(question)), span, limit)
    return {_nearest(ids, keyframe_id(row.started_at)) for row in rows}


def _nearest(ids: Sequence[int], wanted: int) -> int:
    place = bisect(ids, wanted)
    return min(ids[max(0, place - 1) : place + 1], key=lambda each: abs(each - wanted))
