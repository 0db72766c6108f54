"""Questions about human films follow from the narrations alone, and what is ambiguous or given away is not asked."""

from pathlib import Path
from random import Random

import pytest

from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.acts import words_in
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from assistant.training.english import past, singular
from assistant.training.events import Event
from assistant.training.narrations import read_narrations

EPIC = Path(__file__).parents[2] / "shared" / "real" / "epic100_narrations.csv"
ELSEWHERE = [
    Event(-1, "put", "salmon", "", "on", "tray"),
    Event(-1, "peel", "banana"),
    Event(-1, "open", "dishwasher"),
    Event(-1, "pick up", "whisk", "", "from", "drawer"),
    Event(-1, "fold", "knife"),
]


def film(*texts: str) -> list[Narration]:
    """One narration every five seconds."""
    return [Narration(5.0 * i, 5.0 * i + 3, text) for i, text in enumerate(texts)]


DAY = film(
    "open fridge", "take milk from fridge", "close fridge", "pour milk into mug", "put down milk", "wash knife",
    "put knife in sink", "wash plate", "put plate on rack", "take knife", "put knife in box", "open oven", "wash plate",
    "dry mug",
)  # fmt: skip


def questions(narrations: list[Narration]) -> set[Question]:
    """All questions of a film, however they are phrased."""
    return {q for seed in range(12) for q in ActivityWriter(ELSEWHERE).write(narrations, Random(seed))}


def answered(narrations: list[Narration], text: str) -> set[tuple[str, str, tuple[int, ...]]]:
    return {(q.family, q.answer, q.support) for q in questions(narrations) if q.text == text}


@pytest.mark.parametrize(
    ("text", "family", "answer", "support"),
    [
        ("where did I put the plate?", "where_put", "on the rack.", (8,)),
        ("where did I first put the knife?", "where_put", "in the sink.", (6,)),
        ("where did I last put the knife?", "where_put", "in the box.", (10,)),
        ("where did I take the milk from?", "where_picked_up", "from the fridge.", (1,)),
        ("where did I last see the knife?", "last_seen", "in the box.", (10,)),
        ("what did I put in the sink?", "what_on", "the knife.", (6,)),
        ("what did I pour into the mug?", "what_on", "the milk.", (3,)),
        ("what did I dry?", "what_did", "the mug.", (13,)),
        ("what did I wash first?", "first_last", "the knife.", (5,)),
        ("what was the last thing I washed?", "first_last", "the plate.", (12,)),
        ("what did I do with the plate last?", "what_did", "I washed it.", (12,)),
        ("how many times did I wash the plate?", "how_many", "twice.", (7, 12)),
        ("when did I open the oven?", "when", "at 00:00:55.", (11,)),
        ("when did I wash the plate for the last time?", "when", "at 00:01:00.", (12,)),
        ("did I ever wash the plate?", "ever", "yes.", (7, 12)),
        ("did I close the fridge?", "did_i", "yes.", (2,)),
        ("what did I do right after I closed the fridge?", "after", "I poured the milk into the mug.", (2, 3)),
        ("what did I do right before I opened the oven?", "before", "I put the knife in the box.", (10, 11)),
    ],
)
def test_every_family_is_answered_from_its_narrations(
    text: str, family: str, answer: str, support: tuple[int, ...]
) -> None:
    assert answered(DAY, text) == {(family, answer, support)}


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("where did I put the salmon?", "where_put"),
        ("where did I take the whisk from?", "where_picked_up"),
        ("where did I last see the salmon?", "last_seen"),
        ("what did I put on the tray?", "what_on"),
        ("what did I peel?", "what_did"),
        ("what did I peel last?", "first_last"),
        ("when did I peel the banana?", "when"),
        ("did I ever peel the banana?", "ever"),
        ("did I close the dishwasher?", "did_i"),
        ("how many times did I peel the banana?", "how_many"),
        ("what did I do right after I peeled the banana?", "after"),
        ("what did I do right before I peeled the banana?", "before"),
        ("when did I fold the knife?", "wrong_verb"),
    ],
)
def test_every_family_is_also_asked_in_vain(text: str, family: str) -> None:
    asked = {q for seed in range(400) for q in ActivityWriter(ELSEWHERE).write(DAY, Random(seed)) if q.text == text}
    assert asked == {Question(family, text, NOT_SEEN, ())}


def test_no_is_said_only_where_closing_is_told_at_other_times() -> None:
    opened = film("open fridge", "close fridge", "open fridge", "take egg")
    assert answered(opened, "did I close the fridge?") == {("did_i", "no.", (2,))}
    assert not answered(opened[2:], "did I close the fridge?")


def test_a_thing_that_goes_by_two_names_is_not_asked_for_by_one() -> None:
    assert answered(film("put pan on hob", "wash cup"), "where did I put the pan?")
    assert not answered(film("put pan on hob", "put saucepan in sink"), "where did I put the pan?")
    assert not answered(film("put pan on hob", "put saucepan in sink"), "where did I last put the pan?")


def test_what_an_unread_narration_may_be_about_is_not_asked() -> None:
    washed = film("wash cup", "continue drying plate", "open oven")
    assert answered(washed, "when did I wash the cup?") == {("when", "at 00:00:00.", (0,))}
    again = questions(film("wash cup", "continue washing cup", "open oven"))
    assert not {q for q in again if q.answerable and ("cup" in q.text or q.answer == "the cup.")}


def test_what_is_far_away_did_not_come_right_after() -> None:
    far = [Narration(0, 3, "open fridge"), Narration(40, 43, "wash plate")]
    assert not {q for q in questions(far) if q.family in ("after", "before") and q.answerable}


def test_no_question_names_its_own_answer() -> None:
    asked = questions(film("put chopping board on board rack", "put oven tray in oven", "wash oven tray"))
    assert not {q for q in asked if q.family in ("where_put", "last_seen") and q.answerable}


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ("take", "took"), ("stir", "stirred"), ("open", "opened"), ("dry", "dried"), ("peel", "peeled"),
        ("slice", "sliced"), ("mix", "mixed"), ("spray", "sprayed"), ("throw away", "threw away"),
        ("chop", "chopped"), ("add", "added"), ("put down", "put down"), ("unwrap", "unwrapped"), ("fry", "fried"),
    ],
)  # fmt: skip
def test_the_past_of_verbs(plain: str, told: str) -> None:
    assert past(plain) == told


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("knives", "knife"), ("potatoes", "potato"), ("dishes", "dish"), ("glasses", "glass"), ("leaves", "leaf"),
        ("slices", "slice"), ("berries", "berry"), ("olives", "olive"), ("hummus", "hummus"), ("cookies", "cooky"),
    ],
)  # fmt: skip
def test_the_singular_of_things(many: str, one: str) -> None:
    assert singular(many) == one


@pytest.mark.skipif(not EPIC.exists(), reason="EPIC-KITCHENS narrations are not beside the project")
def test_of_real_films_about_a_quarter_is_asked_in_vain_and_nothing_that_is_there() -> None:
    films = read_narrations(EPIC)
    writer = ActivityWriter(common_acts(films))
    asked = []
    for name in sorted(films)[::40]:
        written = writer.write(films[name], Random(3))
        absent = [q for q in written if not q.answerable and q.family in ("where_put", "last_seen", "where_picked_up")]
        there = frozenset().union(*(words_in(n.text) for n in films[name]))
        things = [q.text.split(" the ")[1].removesuffix("?") for q in absent if " the " in q.text]
        assert not {thing for thing in things if words_in(thing.split(" ")[0]) & there}
        asked += written
    assert 0.2 < sum(not q.answerable for q in asked) / len(asked) < 0.3
    assert all((q.answer == NOT_SEEN) != q.answerable and q.text.endswith("?") for q in asked)
