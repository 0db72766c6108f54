"""The data engine: answers follow from the narrations alone, and what is not narrated cannot be answered."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.training.data_engine import (
    NOT_SEEN,
    PHRASINGS,
    Narration,
    Question,
    key_frames,
    read_narrations,
    write_questions,
)
from device.simulated.home import THING_KINDS, make_home
from device.simulated.narrations import narrate, narrated
from device.simulated.wearer import Wearer
from store.errors import UserError

EPIC = Path(__file__).parents[2] / "shared" / "real" / "epic100_narrations.csv"

DAY = [
    Narration(1, 4, "I pick up the red wallet from the kitchen table"),
    Narration(9, 12, "I put the red wallet on the office desk"),
    Narration(15, 18, "I open the fridge"),
    Narration(21, 24, "I pick up the blue mug from the kitchen sink"),
    Narration(30, 33, "I put the blue mug on the living room coffee table"),
    Narration(40, 43, "I close the fridge"),
    Narration(50, 53, "I turn on the lamp"),
]


def asked(narrations: list[Narration], family: str, about: str, seed: int = 0) -> Question | None:
    """The question of this family about this thing, place or fixture, however it is phrased."""
    questions = write_questions(narrations, THING_KINDS, Random(seed))
    return next((q for q in questions if q.family == family and about in q.text), None)


@pytest.mark.parametrize(
    ("family", "about", "answer", "support"),
    [
        ("where_put", "wallet", "on the office desk.", (1,)),
        ("where_picked_up", "wallet", "on the kitchen table.", (0,)),
        ("room", "mug", "the living room.", (4,)),
        ("colour", "mug", "blue.", (3, 4)),
        ("what_on", "office desk", "the red wallet.", (1,)),
        ("after", "wallet", "the blue mug.", (1, 4)),
        ("did_i", "close the fridge", "yes.", (5,)),
        ("did_i", "turn off the lamp", "no.", (6,)),
    ],
)
def test_every_family_is_answered_from_its_narrations(
    family: str, about: str, answer: str, support: tuple[int, ...]
) -> None:
    question = asked(DAY, family, about)
    assert question is not None and (question.answer, question.support) == (answer, support)


def test_where_a_thing_was_put_is_where_it_was_put_last() -> None:
    moved = [*DAY, Narration(60, 63, "I put the red wallet on the hallway bench")]
    question = asked(moved, "where_put", "wallet")
    assert question is not None and question.answer == "on the hallway bench." and question.support == (7,)


def test_where_it_was_picked_up_is_not_asked_of_a_thing_picked_up_twice() -> None:
    moved = [*DAY, Narration(60, 63, "I pick up the red wallet from the office desk")]
    assert asked(moved, "where_picked_up", "wallet") is None


@given(st.integers(0, 5000))
def test_absent_things_are_never_answered_and_present_ones_always_are(seed: int) -> None:
    home = make_home(seed)
    narrations = [Narration(a.start_s, a.end_s, narrate(home, a)) for a in narrated(Wearer(home, 120.0))]
    told = " ".join(n.text for n in narrations)
    for question in write_questions(narrations, THING_KINDS, Random(seed)):
        assert question.answerable == (question.answer != NOT_SEEN)
        assert all(0 <= index < len(narrations) for index in question.support)
        if question.family in ("where_put", "room", "colour", "after", "where_picked_up"):
            kind = next(
                kind for kind in THING_KINDS if f" {kind}" in question.text.replace("?", " ").replace(" in", "")
            )
            assert question.answerable == (f" {kind} " in told)


@given(st.integers(0, 5000))
def test_the_same_seed_writes_the_same_questions_each_in_a_known_phrasing(seed: int) -> None:
    first, second = (write_questions(DAY, THING_KINDS, Random(seed)) for _ in range(2))
    assert first == second
    openings = {phrasing.partition(" {}")[0].split()[0] for ways in PHRASINGS.values() for phrasing in ways}
    assert all(q.text.split()[0] in openings and q.text.endswith("?") for q in first)


def test_more_than_one_keys_takes_the_plural() -> None:
    texts = {
        q.text
        for seed in range(40)
        for q in write_questions([Narration(0, 3, "I put the red keys on the kitchen table")], [], Random(seed))
    }
    assert "where are my keys?" in texts and not any("is my keys" in text or "is the keys" in text for text in texts)


def test_key_frames_are_the_frames_within_the_supporting_narrations() -> None:
    question = Question("after", "", "", (1, 4))
    assert key_frames(question, DAY, [float(t) for t in range(40)]) == [9, 10, 11, 12, 30, 31, 32, 33]


def test_a_csv_without_the_columns_is_refused_by_the_column(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("video_id,narration\n1,2\n")
    with pytest.raises(UserError, match="start_timestamp"):
        read_narrations(tmp_path / "bad.csv")


@pytest.mark.skipif(not EPIC.exists(), reason="EPIC-KITCHENS narrations are not beside the project")
def test_real_human_narrations_are_read_by_the_same_reader() -> None:
    films = read_narrations(EPIC)
    assert sum(map(len, films.values())) == 43_956 and len(films) == 421
    assert all(rows == sorted(rows, key=lambda n: (n.start_s, n.end_s)) for rows in films.values())
