"""A walk leads where its steps say, and from what has gone to what is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.episodic import EpisodicStore
from store.errors import NothingRecorded
from store.records import Span
from store.spans import MICROSECONDS, moment_span
from store.upkeep.forgetting import forget
from tests.filled_memory import BERLIN_S, START, add_picture, fill
from tui.walk import ahead, walk

DAY_S = 86_400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        fill(store)
        yield store


def test_steps_follow_each_other_in_the_order_in_which_they_were_made(store: EpisodicStore) -> None:
    frames = [each.id for each in store.keyframes()]
    bests = [each.keyframe.id for each in store.moments(newest_first=False)]
    assert walk(store, frames[0], [("frames", 1), ("frames", 1), ("frames", -1)]).id == frames[1]
    behind = frames[frames.index(bests[-2]) + 1]
    assert walk(store, frames[0], [("day", 1), ("moments", -1), ("frames", 1)]).id == behind
    assert walk(store, frames[0], [("frames", -3), ("moments", -2)]).id == frames[0]
    assert walk(store, frames[0], [("moments", 99), ("frames", 99)]).id == frames[-1]


def test_the_day_ends_at_the_wearers_midnight_and_frames_lead_over_it(store: EpisodicStore) -> None:
    frames = [each.id for each in store.keyframes()]
    session = store.begin_session("next day", START + DAY_S, BERLIN_S, 1.0)
    next_day = [add_picture(store, session.id, DAY_S + at, BERLIN_S, (32, 24)) for at in (0, 400)]
    assert walk(store, frames[0], [("day", 1)]).id == frames[-1]
    assert walk(store, frames[-1], [("frames", 1)]).id == next_day[0]
    assert walk(store, next_day[1], [("day", -1)]).id == next_day[0]


def test_what_is_read_ahead_lies_in_the_direction_of_travel(store: EpisodicStore) -> None:
    keyframes = store.keyframes()
    assert list(ahead(store, keyframes[2], ("frames", 1), 3)) == keyframes[3:6]
    assert list(ahead(store, keyframes[2], ("frames", -1), 3)) == keyframes[1::-1]


def test_from_what_has_gone_one_gets_to_the_nearest_that_is_left(store: EpisodicStore) -> None:
    frames = [each.id for each in store.keyframes()]
    forget(store, [moment_span(frames[0])])
    left = [each.id for each in store.keyframes()]
    assert walk(store, frames[0], [("frames", 1)]).id == left[0]
    forget(store, [Span(left[1] / MICROSECONDS - 1, left[-1] / MICROSECONDS + 1)])
    assert {walk(store, each, []).id for each in frames} == {left[0]}
    forget(store, [moment_span(left[0])])
    with pytest.raises(NothingRecorded):
        walk(store, frames[0], [])
