"""Finding: the moments that a few words bring up, by what was said and to be read, and by what their pictures show.

    find(store, checkpoint, "bus timetable") -> [Found, ...], best first

Full text and recall each rank what they know in numbers that cannot be compared, so the two rankings are fused by
their ranks alone (reciprocal rank fusion, Cormack, Clarke and Buettcher 2009). No model is asked anything. This file
does not know how either of them ranks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.asking import content_words
from assistant.checkpoints import Checkpoint
from assistant.told import NEAR_S
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Keyframe, Moment, Span, Transcript
from store.spans import moment_key

K = 60  # of the paper: how little the very first ranks stand out
# How far each ranking is read for a moment that is wanted: what lies close in time ranks close, too.
KEYFRAMES_A_MOMENT, TRANSCRIPTS_A_MOMENT = 15, 5


@dataclass(frozen=True, slots=True)
class Found:
    """A moment with its score and the keyframe that was found, and why: the words in it that were, best first, and
    whether it is among as many moments whose pictures fit best."""

    moment: Moment
    quoted: tuple[Transcript, ...]
    seen: bool


def find(
    store: EpisodicStore, checkpoint: Checkpoint, query: str, span: Span | None = None, limit: int = 20
) -> list[Found]:
    """The moments of a span that fit a query best, best first. UserError for an empty query.

    Pictures are left out where the checkpoint does not know the words. "Words in quotes" and beginnings* are looked
    for as they stand, and of any other query the words that say what it is about.
    """
    from assistant.prompt import unknown_words  # transformers takes seconds to come, and words need no model

    words, plain = _words(query), _plain(query)
    vector = None if unknown_words(checkpoint.recall.tokenizer, plain) else checkpoint.recall.encode_question(plain)
    return fuse(store, checkpoint.key, words, vector, span, limit)


def find_by_words(store: EpisodicStore, query: str, span: Span | None = None, limit: int = 20) -> list[Found]:
    """As `find`, but by words alone, for which nobody has to wait for a model. UserError for an empty query."""
    return fuse(store, "", _words(query), None, span, limit)


def fuse(
    store: EpisodicStore,
    checkpoint: str,
    words: str,
    vector: np.ndarray | None,
    span: Span | None = None,
    limit: int = 20,
) -> list[Found]:
    """The moments best found by words and by a recall embedding (D,), each counted once a ranking, at its best rank."""
    told = _told(store, words, span, TRANSCRIPTS_A_MOMENT * limit)
    seen = [] if vector is None else _seen(store, checkpoint, vector, span, KEYFRAMES_A_MOMENT * limit)
    by_words = list(dict.fromkeys(moment_key(keyframe) for keyframe, _ in told))
    by_pictures = list(dict.fromkeys(moment_key(keyframe) for keyframe in seen))
    scores: Counter[tuple[int, int]] = Counter()
    for ranking in (by_words, by_pictures):
        scores.update({key: 1 / (K + rank) for rank, key in enumerate(ranking, 1)})
    best_last = [*reversed(seen), *(keyframe for keyframe, _ in reversed(told))]
    shown = {moment_key(keyframe): keyframe for keyframe in best_last}
    return [
        Found(
            moment=replace(store.moment_of(shown[key].id), keyframe=shown[key], score=scores[key]),
            quoted=tuple(row for keyframe, row in told if moment_key(keyframe) == key),
            seen=key in by_pictures[:limit],
        )
        for key in sorted(scores, key=lambda key: (-scores[key], -shown[key].id))[:limit]
    ]


def _words(query: str) -> str:
    if not query.strip():
        raise UserError("The query is empty.", 'Find, for example: whereabouts find "bus timetable"')
    return query if _plain(query) != query else " ".join(content_words(query)) or query


def _plain(query: str) -> str:
    return query.replace('"', " ").replace("*", " ")


def _told(store: EpisodicStore, words: str, span: Span | None, limit: int) -> list[tuple[Keyframe, Transcript]]:
    """Transcripts, best first, each with the keyframe it is nearest to; those far from any are left out."""
    rows = store.find_words(words, span, limit)
    near = [(store.nearest_keyframe(row.session_id, row.started_at, NEAR_S), row) for row in rows]
    kept = [(keyframe_id, row) for keyframe_id, row in near if keyframe_id is not None]
    keyframes = store.keyframes_by_id([keyframe_id for keyframe_id, _ in kept])
    return [(keyframe, row) for keyframe, (_, row) in zip(keyframes, kept, strict=True)]


def _seen(
    store: EpisodicStore, checkpoint: str, vector: np.ndarray, span: Span | None, limit: int
) -> Sequence[Keyframe]:
    """Keyframes, those first whose pictures are nearest to the vector."""
    return store.keyframes_by_id([each for each, _ in store.recall(checkpoint, vector, limit, span)])
