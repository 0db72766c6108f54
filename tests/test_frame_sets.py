"""Frame sets: what is asked over a few frames is what those frames show, and nothing else."""

from collections.abc import Sequence
from functools import cache
from random import Random

import numpy as np
import pytest

from assistant.training.data_engine import NOT_SEEN, Narration, Question
from assistant.training.dataset import Day, Episode, day_of
from assistant.training.frame_sets import VAIN_SHARE, FrameSet, choose_frames, frame_set, uniform_set
from assistant.training.grammar import phrase

THINGS = ("wallet", "keys", "phone", "glasses", "mug", "ball")
WALLET, KEYS, MUG, BALL = 1, 2, 5, 6
NARRATIONS = (
    Narration(10, 14, "I put the red wallet on the kitchen table with my left hand"),
    Narration(30, 34, "I put the blue mug on the office desk with my right hand"),
    Narration(50, 54, "I close the fridge with my left hand"),
    Narration(58.5, 61.5, "I pick up the red ball from the hallway bench with my left hand"),
)


@cache
def day() -> Day:
    """80 seconds at 1 fps; a thing is seen in the hand in the first three seconds of its act, then out of view.

    Keys lie about from 20 to 30, and are carried in view, with no word of it, from 70 to 75.
    """
    held, cells = np.zeros(80, np.uint8), np.zeros((80, 2, 2), np.uint8)
    held[10:14], held[30:34], held[59:62], held[70:75] = WALLET, MUG, BALL, KEYS
    cells[10:13, 0, 1], cells[30:33, 0, 1], cells[59:62, 0, 1] = WALLET, MUG, BALL
    cells[20:30, 1, 1], cells[70:75, 1, 1] = KEYS, KEYS
    labels = {"held": held, "thing_cells": cells}
    return day_of(Episode("day", (), np.arange(80, dtype=np.float32), NARRATIONS, labels, {"things": THINGS}), 0)


@cache
def sets(*frames: int) -> list[FrameSet]:
    return [frame_set(day(), frames, 40, Random(seed)) for seed in range(150)]


def asked(frames: Sequence[int], about: str) -> list[Question]:
    """Every question about something, in any set over these frames."""
    return [q for made in sets(*frames) for q in made.questions if f" {about} " in q.text.replace("?", " ")]


def answers(frames: Sequence[int], kind: str, about: str) -> set[str]:
    """Every answer that sets over these frames give to questions of this kind about something."""
    texts = {phrase(kind, about, Random(seed)) for seed in range(30)}
    return {q.answer for q in asked(frames, about) if q.text in texts and q.family == kind.partition("/")[0]}


def test_the_same_question_has_another_answer_over_other_frames() -> None:
    assert answers([5, 10, 11, 40], "where_put/put", "wallet") == {"on the kitchen table."}
    assert answers([5, 30, 31, 40], "where_put/put", "wallet") == {NOT_SEEN}


def test_where_both_acts_are_shown_each_keeps_its_own_answer() -> None:
    assert answers([11, 31], "where_put/put", "wallet") == {"on the kitchen table."}
    assert answers([11, 31], "where_put/put", "mug") == {"on the office desk."}
    assert answers([11, 31], "after/put", "wallet") == {"the blue mug."}


def test_an_act_shown_without_proof_is_not_asked_about_at_all() -> None:
    assert asked([14, 31], "wallet") == [] and asked([14, 31], "kitchen table") == []
    assert asked([50, 31], "fridge") == []


def test_no_order_is_asked_where_an_act_shown_without_proof_may_belong_to_it() -> None:
    ordered = {"after", "before", "first_last"}
    assert ordered & {q.family for made in sets(10, 11, 30, 31) for q in made.questions}
    assert not ordered & {q.family for made in sets(14, 30, 31, 59, 60) for q in made.questions}


def test_the_wrong_verb_is_asked_of_a_shown_act_but_never_of_one_that_a_single_frame_shows() -> None:
    assert {q.answer for q in asked([10, 11, 12], "wallet") if q.family == "wrong_verb"} == {NOT_SEEN}
    for frames in ([11, 40], [12, 30, 31], [11, 60]):
        assert "wrong_verb" not in {q.family for q in asked(frames, "wallet")}


@pytest.mark.parametrize("frames", [[71], [25, 72, 73], [11, 31, 70]])
def test_a_thing_held_in_a_shown_frame_is_never_said_untouched_or_unseen(frames: list[int]) -> None:
    assert asked(frames, "keys") == []
    assert {q.answer for q in asked([5, 11], "keys")} == {NOT_SEEN}


def test_a_thing_in_view_is_never_said_unseen_but_was_not_put_anywhere() -> None:
    for kind in ("ever/seen", "colour", "room/is", "where_put/is"):
        assert answers([22, 25], kind, "keys") == set()
        assert answers([5, 11], kind, "keys") == {NOT_SEEN}
    assert answers([22, 25], "where_put/put", "keys") == {NOT_SEEN}


def test_supports_are_positions_of_the_proving_frames_within_the_set() -> None:
    for made in sets(5, 11, 12, 31):
        for question in made.questions:
            if question.family == "where_put" and question.answerable:
                assert made.support(question, day()) == ([1, 2] if "wallet" in question.text else [3])
            assert question.answerable or made.support(question, day()) == []


def test_when_is_answered_by_the_clock_that_stands_beside_the_frames() -> None:
    told = set()
    for made in sets(10, 11, 12, 31, 59, 60):
        for question in made.questions:
            if question.family == "when" and question.answerable:
                clocks = {made.clocks[i][:5] for i in made.support(question, day())}
                assert clocks == {question.answer.removeprefix("at ").rstrip(".")}
                told |= clocks
    assert len(told) > 20  # the day begins at any hour


@pytest.mark.parametrize(("size", "share"), [(3, 0.4), (8, 0.6)])
def test_chosen_frames_keep_to_the_size_and_often_show_several_acts(size: int, share: float) -> None:
    chosen = [choose_frames(day(), size, Random(seed)) for seed in range(600)]
    assert all(len(frames) <= size and frames == sorted(set(frames)) for frames in chosen)
    assert len({i for frames in chosen for i in frames}) > 70  # the rest is any frames of the day
    several = [sum(bool(set(frames) & set(proof)) for proof in day().proofs) >= 2 for frames in chosen]
    assert sum(several) > share * len(chosen)


def test_frames_are_chosen_of_a_day_on_which_nothing_happens() -> None:
    quiet = day().window(16, 28)
    made = [frame_set(quiet, choose_frames(quiet, 8, Random(seed)), 10, Random(seed)) for seed in range(30)]
    assert any(not each.frames for each in made)
    assert all(each.questions and not any(q.answerable for q in each.questions) for each in made)


def test_a_set_has_no_more_questions_than_wanted_and_few_that_cannot_be_answered() -> None:
    for seed in range(40):
        questions = frame_set(day(), [10, 11, 30, 31, 52, 53], 10, Random(seed)).questions
        assert len(questions) == 10
        assert sum(not q.answerable for q in questions) <= round(10 * VAIN_SHARE)


def test_over_frames_spread_evenly_the_whole_day_is_asked_about_whether_they_show_it_or_not() -> None:
    texts = {phrase("where_put/put", "wallet", Random(seed)) for seed in range(30)}
    made = [uniform_set(day(), frames, 60, Random(seed)) for frames in ([5, 40], [11, 40], []) for seed in range(40)]
    puts = [(each, q) for each in made for q in each.questions if q.text in texts]
    assert {q.answer for _, q in puts} == {"on the kitchen table."}
    assert {(each.frames, *each.support(q, day())) for each, q in puts} == {((5, 40),), ((11, 40), 0), ((),)}
