"""What is kept of the last questions: bounded, once for each keyframe, and gone with what is forgotten."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.recent import Recent
from store.records import Keyframe

FIRST = Keyframe(1, 1, 0.0, 0, 64, 48, 0.5, 1, 0, 100, 7)
KEYFRAMES = [replace(FIRST, id=number, checksum=number) for number in range(6)]
ROW_BYTES = 40


def rows(keyframes: Sequence[Keyframe]) -> np.ndarray:
    return np.array([[float(keyframe.checksum)] * 5 for keyframe in keyframes])


def made(recent: Recent, keyframes: Sequence[Keyframe], kind: str = "visual") -> list[int]:
    """The ids of keyframes that had to be made."""
    ids: list[int] = []

    def make(unknown: list[Keyframe]) -> np.ndarray:
        ids.extend(keyframe.id for keyframe in unknown)
        return rows(unknown)

    assert [row[0] for row in recent.each(kind, keyframes, make)] == [keyframe.checksum for keyframe in keyframes]
    return ids


def test_each_keyframe_is_made_once() -> None:
    recent = Recent()
    assert made(recent, KEYFRAMES[:3]) == [0, 1, 2]
    assert made(recent, KEYFRAMES[1:5]) == [3, 4]
    assert made(recent, KEYFRAMES[:5]) == []
    assert made(recent, KEYFRAMES[:1], "grain") == [0]


def test_a_picture_that_took_the_place_of_another_is_another() -> None:
    recent = Recent()
    made(recent, KEYFRAMES[:1])
    assert made(recent, [replace(KEYFRAMES[0], checksum=9, reduced=True)]) == [0]


def test_what_was_longest_unused_goes_first() -> None:
    recent = Recent(limit_bytes=4 * ROW_BYTES)
    made(recent, KEYFRAMES[:4])
    made(recent, KEYFRAMES[:1])
    assert made(recent, KEYFRAMES[4:5]) == [4] and recent.nbytes == 4 * ROW_BYTES
    assert made(recent, [KEYFRAMES[0], KEYFRAMES[4]]) == []
    assert made(recent, KEYFRAMES[1:2]) == [1]


def test_more_than_fits_is_handed_out_and_not_kept() -> None:
    recent = Recent(limit_bytes=2 * ROW_BYTES)
    assert made(recent, KEYFRAMES) == [0, 1, 2, 3, 4, 5]
    assert recent.nbytes == 2 * ROW_BYTES
    recent.keep("shown", np.zeros(100))
    assert recent.get("shown") is None and recent.nbytes == 0


def test_nothing_is_left_once_one_of_its_keyframes_is_gone() -> None:
    recent, there = Recent(), {0, 1, 2, 3}
    recent.renew("checkpoint", there.intersection)
    made(recent, KEYFRAMES[:2])
    recent.keep("candidates", np.zeros(3))
    recent.show(KEYFRAMES[:4])
    recent.renew("checkpoint", there.intersection)
    assert recent.get("candidates") is not None and made(recent, KEYFRAMES[:2]) == []
    recent.renew("checkpoint", {0, 1, 2}.intersection)
    assert recent.nbytes == 0


def test_a_question_that_is_under_way_keeps_nothing_of_what_is_forgotten_meanwhile() -> None:
    recent = Recent()
    recent.renew("checkpoint", set)

    def make(unknown: list[Keyframe]) -> np.ndarray:
        recent.clear()  # by another thread
        return rows(unknown)

    assert len(recent.each("visual", KEYFRAMES[:2], make)) == 2
    recent.keep("shown", np.zeros(3))
    assert recent.nbytes == 0
    recent.renew("checkpoint", {0, 1}.intersection)
    recent.keep("shown", np.zeros(3))
    assert recent.nbytes > 0


def test_of_another_checkpoint_nothing_is_used() -> None:
    recent = Recent()
    recent.renew("nano", set)
    recent.keep("shown", np.zeros(3))
    recent.renew("7b", set)
    assert recent.get("shown") is None
