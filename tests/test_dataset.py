"""Frame sets: what is asked over a few frames is what those frames show, and nothing else."""

from random import Random

import numpy as np
import pytest

from assistant.training.data_engine import NOT_SEEN, Narration
from assistant.training.dataset import Episode, frame_set, held_frames, multi_event_set

NARRATIONS = (
    Narration(10, 14, "I put the red wallet on the kitchen table"),
    Narration(30, 34, "I put the blue mug on the office desk"),
    Narration(50, 54, "I close the fridge"),
)
WALLET, MUG = 1, 5


def day() -> Episode:
    """80 seconds at 1 fps; the thing is seen in the hand in the first three seconds of its act, then out of view."""
    held, cells = np.zeros(80, np.uint8), np.zeros((80, 2, 2), np.uint8)
    held[10:14], held[30:34] = WALLET, MUG
    cells[10:13, 0, 1], cells[30:33, 0, 1] = WALLET, MUG
    return Episode(
        name="day",
        frames=np.zeros((80, 1, 1, 3), np.uint8),
        times_s=np.arange(80, dtype=np.float32),
        narrations=NARRATIONS,
        labels={"held": held, "thing_cells": cells},
        vocabulary={"things": ("wallet", "keys", "phone", "glasses", "mug")},
    )


def answers(frames: list[int], about: str, family: str) -> set[str]:
    """Every answer that sets over these frames give to a family's questions about something."""
    found = set()
    for seed in range(60):
        for question in frame_set(day(), frames, 10, Random(seed)).questions:
            if question.family == family and about in question.text:
                found.add(question.answer)
    return found


def test_the_same_question_has_another_answer_over_other_frames() -> None:
    assert answers([5, 11, 40], "wallet", "where_put") == {"on the kitchen table."}
    assert answers([5, 31, 40], "wallet", "where_put") == {NOT_SEEN}


def test_both_events_shown_each_keeps_its_own_answer() -> None:
    assert answers([11, 31], "wallet", "where_put") == {"on the kitchen table."}
    assert answers([11, 31], "mug", "where_put") == {"on the office desk."}
    assert answers([11, 31], "wallet", "after") == {"the blue mug."}


def test_an_act_shown_without_proof_is_not_asked_about_at_all() -> None:
    assert answers([14, 31], "wallet", "where_put") == set()
    assert answers([14, 31], "kitchen table", "what_on") == set()


def test_supports_are_positions_of_the_proving_frames_within_the_set() -> None:
    chosen = frame_set(day(), [5, 11, 12, 31], 30, Random(1))
    wallet = next(q for q in chosen.questions if q.family == "where_put" and "wallet" in q.text)
    assert chosen.support(wallet, day().times_s) == [1, 2]


def test_proof_of_a_move_is_the_thing_in_the_hand_and_of_a_switch_its_middle() -> None:
    assert held_frames(day(), NARRATIONS[0]) == [10, 11, 12]
    assert held_frames(day(), NARRATIONS[2]) == [51, 52, 53]


@pytest.mark.parametrize("seed", range(30))
def test_a_multi_event_set_keeps_to_its_size_and_shows_more_than_one_act(seed: int) -> None:
    episode = day()
    frames = multi_event_set(episode, 8, Random(seed))
    assert len(frames) <= 8 and frames == sorted(set(frames))
    shown = [n for n in NARRATIONS if set(frames) & set(held_frames(episode, n))]
    assert len(shown) >= 2


def test_at_most_a_third_of_a_sets_questions_cannot_be_answered() -> None:
    for seed in range(30):
        questions = frame_set(day(), [11, 31, 52], 10, Random(seed)).questions
        assert sum(not q.answerable for q in questions) <= 3
