"""A walk through a memory: from frame to frame, from moment to moment, to the ends of a day.

    walk(store, keyframe_id, [("frames", 1), ("frames", 1), ("moments", -1)])

Nobody falls off: at the end of what is recorded one stays, and where one's own place has gone, the nearest one that is
left is where one stands. This file does not know keys or screens.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter

from store.episodic import EpisodicStore
from store.records import Keyframe, Span
from store.spans import MICROSECONDS, moment_span

DAY_S = 86_400.0
FRAMES_AT_ONCE = 16
Step = tuple[str, int]  # a stride of STRIDES, and how many of them: forwards, or backwards where negative


def walk(store: EpisodicStore, keyframe_id: int, steps: Iterable[Step]) -> Keyframe:
    """Where some steps lead. NothingRecorded: no keyframe is left at all."""
    if not store.present([keyframe_id]):
        return nearest(store, keyframe_id)
    keyframe = store.keyframe(keyframe_id)
    for stride, run in groupby(steps, key=itemgetter(0)):
        count = sum(by for _, by in run)
        for place in islice(STRIDES[stride](store, keyframe, count > 0), abs(count)):
            keyframe = place
    return keyframe


def ahead(store: EpisodicStore, keyframe: Keyframe, step: Step, count: int) -> Iterator[Keyframe]:
    """Where more steps like this one would lead, one after the other."""
    stride, by = step
    return islice(STRIDES[stride](store, keyframe, by > 0), count)


def nearest(store: EpisodicStore, keyframe_id: int) -> Keyframe:
    """What is left beside a keyframe that has gone. NothingRecorded: nothing is."""
    at = keyframe_id / MICROSECONDS
    before = store.walk_moments(Span(-math.inf, at))
    behind = store.walk_moments(Span(at, math.inf), newest_first=False)
    around = [moment for side in (before, behind) for moment in islice(side, 1)]
    left = [keyframe for moment in around for keyframe in store.keyframes(moment_span(moment.keyframe.id))]
    if not left:
        raise store.unknown_keyframe(keyframe_id)
    return min(left, key=lambda keyframe: abs(keyframe.id - keyframe_id))


def calendar_day(keyframe: Keyframe) -> Span:
    """From midnight to midnight by the wearer's clock."""
    midnight = keyframe.local_time.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return Span(midnight, midnight + DAY_S)


def _frames(store: EpisodicStore, keyframe: Keyframe, forwards: bool) -> Iterator[Keyframe]:
    while True:
        before, after = (0, FRAMES_AT_ONCE) if forwards else (FRAMES_AT_ONCE, 0)
        row = store.keyframes_beside(keyframe.id, before, after)
        beside = row[1:] if forwards else row[-2::-1]
        if not beside:
            return
        yield from beside
        keyframe = beside[-1]


def _moments(store: EpisodicStore, keyframe: Keyframe, forwards: bool) -> Iterator[Keyframe]:
    """The best keyframe of each."""
    here = store.moment_of(keyframe.id).started_at
    span = Span(here, math.inf) if forwards else Span(-math.inf, here)
    for moment in store.walk_moments(span, newest_first=not forwards):
        if moment.started_at != here and (moment.started_at > here) == forwards:
            yield moment.keyframe


def _ends_of_day(store: EpisodicStore, keyframe: Keyframe, forwards: bool) -> Iterator[Keyframe]:
    """The last or the first keyframe of the day."""
    for moment in islice(store.walk_moments(calendar_day(keyframe), newest_first=forwards), 1):
        row = store.keyframes(moment_span(moment.keyframe.id))
        yield row[-1] if forwards else row[0]


STRIDES: dict[str, Callable[[EpisodicStore, Keyframe, bool], Iterator[Keyframe]]] = {
    "frames": _frames,
    "moments": _moments,
    "day": _ends_of_day,
}
