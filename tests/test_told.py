"""What was said and to be read, beside the keyframe it belongs to, each row once; and keyframes found by words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.told import keyframes_told, words_around
from store.episodic import EpisodicStore
from store.records import Heard, Keyframe, Span

BEGAN = 1_772_434_800.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as opened:
        opened.begin_session("a test", BEGAN, 0, 1.0)
        yield opened


def keyframes(store: EpisodicStore, *seconds: float) -> list[Keyframe]:
    return [store.add_keyframe(1, BEGAN + at_s, 0, b"jpeg", 64, 48, 1.0) for at_s in seconds]


def tell(store: EpisodicStore, from_s: float, to_s: float, text: str, source: str = "speech") -> None:
    words = Heard(1, BEGAN + from_s, BEGAN + to_s, text, source, "an engine", 0.9)
    store.keep_heard([], [words], keep_sound=True)


def test_each_row_stands_once_with_the_keyframe_it_is_nearest_to_in_time_order(store: EpisodicStore) -> None:
    shown = keyframes(store, 10, 14, 40)
    tell(store, 13, 13.9, "second")
    tell(store, 8, 12, "first")
    tell(store, 9, 20, "BAKERY", "scene-text")
    tell(store, 35, 37, "third")
    assert words_around(store, shown, 6.0) == ['first sign: "BAKERY"', "second", "third"]


def test_a_note_stands_beside_what_was_said_as_what_it_is(store: EpisodicStore) -> None:
    shown = keyframes(store, 10)
    tell(store, 8, 12, "first")
    store.add_note(1, Span(BEGAN + 9, BEGAN + 11), "lent to Anna")
    assert words_around(store, shown, 6.0) == ['first note: "lent to Anna"']


def test_what_is_far_from_every_keyframe_is_left_out(store: EpisodicStore) -> None:
    shown = keyframes(store, 10, 40)
    tell(store, 17, 30, "too late and too early")
    assert words_around(store, shown, 6.0) == ["", ""]


def test_keyframes_are_found_by_what_was_told_near_them(store: EpisodicStore) -> None:
    ids = [keyframe.id for keyframe in keyframes(store, 0, 10, 20, 30)]
    tell(store, 11, 12, "take the umbrella")
    tell(store, 26, 28, "UMBRELLAS 10", "scene-text")
    store.add_embeddings("nano", ids, np.ones((4, 4)), np.ones((4, 2)))
    question = "where did I put my umbrella?"
    assert keyframes_told(store, "nano", question, 3) == {ids[1], ids[3]}
    assert keyframes_told(store, "nano", question, 3, Span(BEGAN, BEGAN + 20)) == {ids[1]}
    assert len(keyframes_told(store, "nano", question, 1)) == 1
    assert keyframes_told(store, "nano", question, 0) == set()
    assert keyframes_told(store, "nano", "where did I put it?", 3) == set()
    tell(store, 200, 201, "umbrella, umbrella, umbrella")
    assert keyframes_told(store, "nano", question, 1) == set()  # nothing was seen near that
