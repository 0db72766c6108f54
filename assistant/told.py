"""Told: what was said, to be read and noted around keyframes, for the sequence that answers and for recall.

This file does not know how questions are answered, nor how words were recognised.
"""

from collections.abc import Sequence

from assistant.asking import content_words
from store.episodic import EpisodicStore
from store.records import Keyframe, Span, Transcript
from store.spans import EVER, keyframe_id
from store.transcripts import NOTE

NEAR_S = 60.0  # words are about what is seen so near to them, even if no picture was taken meanwhile
CALLED = {"speech": "{}", "scene-text": 'sign: "{}"', NOTE: 'note: "{}"'}


def words_around(store: EpisodicStore, keyframes: Sequence[Keyframe], reach_s: float) -> list[str]:
    """For each keyframe what was said, to be read and noted within `reach_s` of it, in time order.

    A row stands once, with the keyframe it is nearest to, or the first that lies in it.
    """
    rows: dict[int, Transcript] = {}
    for keyframe in keyframes:
        around = Span(keyframe.captured_at - reach_s, keyframe.captured_at + reach_s)
        rows |= {row.id: row for row in store.transcripts(around)}
    words: list[list[str]] = [[] for _ in keyframes]
    for row in sorted(rows.values(), key=lambda row: row.started_at):
        away_s = [max(row.started_at - k.captured_at, k.captured_at - row.ended_at, 0.0) for k in keyframes]
        words[away_s.index(min(away_s))].append(CALLED[row.source].format(row.text))
    return [" ".join(told) for told in words]


def keyframes_told(
    store: EpisodicStore, checkpoint: str, question: str, limit: int, span: Span | None = None
) -> set[int]:
    """Of the embedded keyframes of a span, at most `limit`, each near to something told about the question."""
    rows, span = store.find_words(" ".join(content_words(question)), span, limit), span or EVER
    found = (_nearest(store, checkpoint, row.started_at, span) for row in rows)
    return {each for each in found if each is not None}


def _nearest(store: EpisodicStore, checkpoint: str, at: float, span: Span) -> int | None:
    around = Span(max(at - NEAR_S, span.started_at), min(at + NEAR_S, span.ended_at))
    return min(store.indexed_ids(checkpoint, around), key=lambda each: abs(each - keyframe_id(at)), default=None)
