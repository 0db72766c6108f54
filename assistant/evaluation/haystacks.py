"""Needles and haystacks out of recorded homes: one put in one home, to be found among the frames of all the others.

Of a haystack's homes only such frames are taken in which nothing of the needle's kind plays a part. Every needle is of
another kind of thing, from another home, and its haystack begins with another home. This file does not know how a
needle is sought (needle.py), how homes are recorded, or what opens a picture.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np

from assistant.checkpoints import Checkpoint
from assistant.evaluation.homes import Examined
from assistant.evaluation.needle import Footage, Needle, NeedleGrid, clear_frames, examine_needles, join
from assistant.training.data_engine import Narration
from assistant.training.events import Event, read_events
from assistant.training.grammar import phrase

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
LENGTHS = (50, 100, 200, 400, 800, 1_600, 5_000, 20_000, 100_000)
NEEDLES = 12
PICTURES_KEPT = 32  # of a home: a needle's are looked at in every haystack
FRAMES_A_NEEDLE = 2  # at least: whether a thing was put or picked up cannot be told from one


@dataclass(frozen=True, slots=True)
class Recorded:
    """One home: what is narrated of it, when its n keyframes were taken (n,), and the keyframes."""

    narrations: Sequence[Narration]
    times_s: Sequence[float]
    footage: Footage


def recorded(open_home: Callable[[], AbstractContextManager[Examined]]) -> Recorded:
    """A home's arrays. Its memory is closed again, as hundreds cannot stay open, and opened for pictures when asked."""

    @lru_cache(maxsize=PICTURES_KEPT)
    def picture(index: int) -> np.ndarray:
        with open_home() as home:
            return home.picture(index)

    with open_home() as home:
        return Recorded(home.narrations, home.times_s, Footage(home.recall, home.compressed.numpy(), picture))


@dataclass(frozen=True, slots=True)
class _Put:
    """The put that becomes a needle: of which home, and by which of its frames."""

    home: int
    event: Event
    frames: tuple[int, ...]


def examine_haystacks(checkpoint: Checkpoint, homes: Sequence[Recorded], seed: int) -> NeedleGrid:
    """NEEDLES needles at all DEPTHS of all LENGTHS that these homes, in any order, have frames enough for.

    Raises ValueError where they have not even the shortest, or hold no needle.
    """
    rng = Random(seed)
    mixed = rng.sample(homes, len(homes))
    puts = _choose_puts(mixed)
    clear = [_clear_rows(mixed, put) for put in puts]
    frames = min((sum(map(len, rows.values())) for rows in clear), default=0)
    lengths = [length for length in LENGTHS if length <= frames]
    if not lengths:
        raise ValueError(f"{len(homes)} homes have {frames} frames for a haystack, and the shortest has {LENGTHS[0]}")
    sought = ((_needle(mixed, put, rng), _hay(mixed, rows, lengths[-1])) for put, rows in zip(puts, clear, strict=True))
    return examine_needles(checkpoint, sought, DEPTHS, lengths)


def _choose_puts(homes: Sequence[Recorded], count: int = NEEDLES) -> list[_Put]:
    """The first put of a kind that is no needle yet in each home, until there are `count`."""
    chosen: list[_Put] = []
    for number, home in enumerate(homes):
        kinds = {put.event.thing for put in chosen}
        fresh = next((put for put in _puts(number, home) if put.event.thing not in kinds), None)
        if fresh and len(chosen) < count:
            chosen.append(fresh)
    return chosen


def _puts(number: int, home: Recorded) -> Iterator[_Put]:
    times_s = np.asarray(home.times_s)
    for event in read_events(home.narrations):
        narration = home.narrations[event.index]
        within = np.flatnonzero((times_s >= narration.start_s) & (times_s <= narration.end_s))
        if event.verb == "put" and len(within) >= FRAMES_A_NEEDLE:
            yield _Put(number, event, tuple(within.tolist()))


def _clear_rows(homes: Sequence[Recorded], put: _Put) -> dict[int, list[int]]:
    """Of every home but the needle's own, from the next on, the frames in which the kind of thing plays no part."""
    others = [(put.home + step) % len(homes) for step in range(1, len(homes))]
    return {each: clear_frames(put.event.thing, homes[each].narrations, homes[each].times_s) for each in others}


def _needle(homes: Sequence[Recorded], put: _Put, rng: Random) -> Needle:
    question = phrase("where_put/put", put.event.thing, rng)
    return Needle(question, f"on the {put.event.place}.", homes[put.home].footage.part(put.frames))


def _hay(homes: Sequence[Recorded], rows: dict[int, list[int]], count: int) -> Footage:
    """The first `count` frames."""
    parts, taken = [], 0
    for home, kept in rows.items():
        if taken < count:
            parts.append(homes[home].footage.part(kept[: count - taken]))
            taken += len(parts[-1])
    return join(parts)
