"""The grammar: answers follow from the narrations alone, and what is not narrated cannot be answered."""

from collections.abc import Sequence
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import prompt
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from assistant.training.grammar import CAPTION, PHRASINGS, TIMES, GrammarWriter, phrase, vocabulary_words
from device.simulated.episodes import VOCABULARY
from device.simulated.home import THING_KINDS, make_home
from device.simulated.narrations import narrate, narrated
from device.simulated.wearer import Wearer

Film = tuple[Narration, ...]
WRITER = GrammarWriter(untouched=("keys", "book"), unseen=("book",), places=("bathroom shelf",))

DAY = (
    Narration(1, 4, "I pick up the red wallet from the kitchen table with my left hand"),
    Narration(9, 12, "I put the red wallet on the office desk with my left hand"),
    Narration(15, 18, "I open the fridge with my right hand"),
    Narration(21, 24, "I pick up the blue mug from the kitchen sink with my right hand"),
    Narration(30, 33, "I put the blue mug on the living room coffee table with my right hand"),
    Narration(40, 43, "I close the fridge with my left hand"),
    Narration(50, 53, "I turn on the lamp with my right hand"),
)
TAKEN = (*DAY, Narration(60, 63, "I pick up the red wallet from the office desk with my right hand"))
MOVED = (*TAKEN, Narration(118, 121, "I put the red wallet on the hallway bench with my right hand"))


@cache
def written(film: Film, writer: GrammarWriter = WRITER) -> frozenset[Question]:
    """Every question that is written about a film, however the dice fall."""
    return frozenset(question for seed in range(300) for question in writer.write(film, Random(seed)))


def answers(film: Film, kind: str, about: str, writer: GrammarWriter = WRITER) -> set[tuple[str, tuple[int, ...]]]:
    """What questions of this kind about this thing, place or act are answered, and on what the answers rest."""
    family, texts = kind.partition("/")[0], {phrase(kind, about, Random(seed)) for seed in range(60)}
    return {(q.answer, q.support) for q in written(film, writer) if q.family == family and q.text in texts}


ANSWERED = [
    (DAY, "where_put/put", "wallet", "on the office desk.", (1,)),
    (DAY, "where_put/is", "wallet", "on the office desk.", (1,)),
    (DAY, "where_picked_up", "wallet", "on the kitchen table.", (0,)),
    (DAY, "room/put", "mug", "the living room.", (4,)),
    (DAY, "room/is", "mug", "the living room.", (4,)),
    (DAY, "colour", "mug", "blue.", (4,)),
    (DAY, "hand/put", "wallet", "the left hand.", (1,)),
    (DAY, "hand/picked_up", "mug", "the right hand.", (3,)),
    (DAY, "what_on/put", "office desk", "the red wallet.", (1,)),
    (DAY, "what_on/is", "office desk", "the red wallet.", (1,)),
    (DAY, "after/put", "wallet", "the blue mug.", (1, 4)),
    (DAY, "after/picked_up", "wallet", "the blue mug.", (0, 3)),
    (DAY, "before/put", "mug", "the red wallet.", (1, 4)),
    (DAY, "before/picked_up", "mug", "the red wallet.", (0, 3)),
    (DAY, "how_many/put", "wallet", "once.", (1,)),
    (DAY, "how_many/picked_up", "mug", "once.", (3,)),
    (DAY, "how_many/switched", "close the fridge", "once.", (5,)),
    (DAY, "did_i/do", "close the fridge", "yes.", (5,)),
    (DAY, "did_i/leave", "fridge open", "no.", (5,)),
    (DAY, "did_i/do", "turn off the lamp", "no.", (6,)),
    (DAY, "did_i/leave", "lamp on", "yes.", (6,)),
    (DAY, "when/put", "wallet", "at 00:00.", (1,)),
    (DAY, "when/picked_up", "mug", "at 00:00.", (3,)),
    (DAY, "ever/seen", "mug", "yes.", (4,)),
    (DAY, "ever/touched", "mug", "yes.", (4,)),
    (DAY, "first_last/first_put", "", "the red wallet.", (1,)),
    (DAY, "first_last/last_put", "", "the blue mug.", (4,)),
    (DAY, "first_last/first_picked_up", "", "the red wallet.", (0,)),
    (DAY, "first_last/last_picked_up", "", "the blue mug.", (3,)),
    (MOVED, "where_put/put", "wallet", "on the hallway bench.", (8,)),
    (MOVED, "where_put/is", "wallet", "on the hallway bench.", (8,)),
    (MOVED, "where_picked_up", "wallet", "on the office desk.", (7,)),
    (MOVED, "room/is", "wallet", "the hallway.", (8,)),
    (MOVED, "last_seen", "wallet", "on the hallway bench.", (8,)),
    (MOVED, "first_last/first_place", "wallet", "on the office desk.", (1,)),
    (MOVED, "how_many/put", "wallet", "twice.", (1, 8)),
    (MOVED, "how_many/picked_up", "wallet", "twice.", (0, 7)),
    (MOVED, "after/put", "mug", "the red wallet.", (4, 8)),
    (MOVED, "first_last/last_put", "", "the red wallet.", (8,)),
]


@pytest.mark.parametrize(("film", "kind", "about", "answer", "support"), ANSWERED)
def test_every_kind_of_question_is_answered_from_its_narrations(
    film: Film, kind: str, about: str, answer: str, support: tuple[int, ...]
) -> None:
    assert answers(film, kind, about) == {(answer, support)}


def test_no_kind_of_question_is_left_untried() -> None:
    assert {kind for _, kind, *_ in ANSWERED} == set(PHRASINGS)
    assert {kind.partition("/")[0] for _, kind, _ in IN_VAIN} == {kind.partition("/")[0] for kind in PHRASINGS}


IN_VAIN = [
    *((DAY, kind, "keys") for kind in (
        "where_put/put", "where_picked_up", "room/put", "hand/put", "hand/picked_up", "after/put",
        "after/picked_up", "before/put", "before/picked_up", "how_many/put", "how_many/picked_up", "when/put",
        "when/picked_up", "ever/touched", "first_last/first_place",
    )),
    *((DAY, kind, "book") for kind in ("where_put/is", "last_seen", "room/is", "colour", "ever/seen")),
    *((DAY, kind, "turn off the stove") for kind in ("did_i/do", "how_many/switched")),
    (DAY, "what_on/put", "bathroom shelf"),
    *((DAY[2:3], f"first_last/{which}", "") for which in (
        "first_put", "last_put", "first_picked_up", "last_picked_up",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("film", "kind", "about"), IN_VAIN)
def test_every_family_also_asks_in_vain(film: Film, kind: str, about: str) -> None:
    assert answers(film, kind, about) == {(NOT_SEEN, ())}


@pytest.mark.parametrize("kind", ["where_put/is", "room/is", "last_seen"])
def test_a_thing_that_was_taken_away_again_is_not_asked_for_as_if_it_still_lay_there(kind: str) -> None:
    assert answers(TAKEN, kind, "wallet") == set()
    assert answers(TAKEN, "where_put/put", "wallet") == {("on the office desk.", (1,))}


@pytest.mark.parametrize("kind", ["what_on/put", "what_on/is"])
def test_a_surface_is_asked_about_only_while_the_one_thing_put_there_still_lies_there(kind: str) -> None:
    second = Narration(60, 63, "I put the blue mug on the office desk with my left hand")
    assert answers(DAY, kind, "office desk") == {("the red wallet.", (1,))}
    assert answers(TAKEN, kind, "office desk") == set()
    assert answers((*DAY, second), kind, "office desk") == set()


def test_the_wrong_verb_is_not_answered_whichever_way_it_is_wrong() -> None:
    put, picked = DAY[1:2], DAY[:1]
    for film, right, wrong in ((put, "put", "picked_up"), (picked, "picked_up", "put")):
        asked = {q.text: q for q in written(film) if q.family == "wrong_verb"}
        kinds = ("where_put/put", "when/put") if wrong == "put" else ("where_picked_up", "when/picked_up")
        assert set(asked) == {phrase(kind, "wallet", Random(seed)) for kind in kinds for seed in range(60)}
        assert all(q.answer == NOT_SEEN and not q.answerable for q in asked.values())
        assert answers(film, f"when/{right}", "wallet") == {("at 00:00.", (0,))}
    assert not any(q.family == "wrong_verb" for q in written(DAY))


def test_when_is_not_asked_of_an_act_that_reaches_into_another_minute() -> None:
    film = (Narration(57, 59.9, "I put the red wallet on the office desk with my left hand"),)
    assert answers(film, "when/put", "wallet") == {("at 00:00.", (0,))}
    assert answers(film, "when/put", "wallet", GrammarWriter((), (), began_s=1.0)) == set()
    assert answers(film, "when/put", "wallet", GrammarWriter((), (), began_s=23 * 3600 + 59 * 60 + 3)) == {
        ("at 00:00.", (0,))
    }
    assert answers(film, "when/put", "wallet", GrammarWriter((), (), began_s=8 * 3600 + 14 * 60)) == {
        ("at 08:14.", (0,))
    }


def test_what_came_next_is_not_asked_of_a_thing_that_was_put_down_twice() -> None:
    assert answers(MOVED, "after/put", "wallet") == set() and answers(MOVED, "before/put", "wallet") == set()
    assert answers(MOVED, "before/put", "mug") == {("the red wallet.", (1, 4))}


def test_which_hand_and_when_are_not_asked_of_what_was_done_twice() -> None:
    for kind in ("hand/put", "hand/picked_up", "when/put", "when/picked_up"):
        assert answers(MOVED, kind, "wallet") == set()


def test_more_than_one_keys_takes_the_plural() -> None:
    film = (Narration(0, 3, "I put the red keys on the kitchen table with my left hand"),)
    texts = {question.text for question in written(film)}
    assert {"where are my keys?", "what colour are the keys?"} <= texts
    assert not any(" is " in text and "keys" in text for text in texts)
    assert "where were the keys when I picked them up?" in texts


def told(seed: int) -> tuple[Narration, ...]:
    home = make_home(seed)
    return tuple(Narration(act.start_s, act.end_s, narrate(home, act)) for act in narrated(Wearer(home, 150.0)))


def follows(question: Question, film: Sequence[Narration]) -> bool:
    """Whether anybody who reads nothing but the supporting narrations would give this answer."""
    said, answer = [film[i].text for i in question.support], question.answer.rstrip(".")
    match question.family:
        case "how_many":
            return TIMES[len(said) - 1] == question.answer
        case "when":
            minutes = [int(film[i].start_s) // 60 for i in question.support]
            return answer == f"at 00:{minutes[0]:02d}"
        case "did_i":
            undone = said[0].startswith(("I close", "I turn off"))
            return (answer == "yes") == (undone != question.text.startswith("did I leave"))
        case "ever":
            return answer == "yes"
        case "colour":
            return f"the {answer} " in said[0]
        case "hand":
            return said[0].endswith(answer.replace("the", "with my"))
        case "room":
            return f" {answer} " in said[0]
        case "after":
            return answer in said[1]
        case _:
            return answer.removeprefix("on ") in said[0]


@settings(max_examples=30)
@given(st.integers(0, 5000))
def test_in_any_home_every_answer_follows_from_the_narrations_that_it_rests_on(seed: int) -> None:
    film = told(seed)
    asked = GrammarWriter(THING_KINDS, (), ()).write(film, Random(seed))
    assert len(asked) > 10
    for question in asked:
        assert question.answerable == (question.answer != NOT_SEEN)
        assert question.support == tuple(sorted(set(question.support)))
        assert all(0 <= index < len(film) for index in question.support)
        assert not question.answerable or follows(question, film)


@settings(max_examples=30)
@given(st.integers(0, 5000))
def test_in_any_home_nothing_that_was_handled_is_said_not_to_have_been(seed: int) -> None:
    film = told(seed)
    handled = {kind for kind in THING_KINDS if any(f" {kind} " in narration.text for narration in film)}
    for question in GrammarWriter(THING_KINDS, THING_KINDS).write(film, Random(seed)):
        about = {kind for kind in THING_KINDS if f" {kind} " in question.text.replace("?", " ")}
        if not question.answerable and question.family != "wrong_verb":
            assert not about & handled


@settings(max_examples=30)
@given(st.integers(0, 5000))
def test_the_same_seed_writes_the_same_questions(seed: int) -> None:
    first, second = (WRITER.write(MOVED, Random(seed)) for _ in range(2))
    assert first == second
    assert sum(not question.answerable for question in first) <= len(first) // 2


@settings(max_examples=30)
@given(st.integers(0, 5000))
def test_the_word_tokenizer_knows_every_word_that_is_narrated_asked_or_answered(seed: int) -> None:
    tokenizer = word_tokenizer()
    rng = Random(seed)
    home, film = make_home(seed), told(seed)
    places = [home.place_name(rng.randrange(len(home.furniture))) for _ in range(5)]
    asked = GrammarWriter(THING_KINDS, THING_KINDS, places, began_s=rng.randrange(24 * 3600)).write(film, rng)
    said = [*(n.text for n in film), *(q.text for q in asked), *(q.answer for q in asked), CAPTION]
    assert prompt.unknown_words(tokenizer, " ".join(said)) == []


@cache
def word_tokenizer() -> prompt.PreTrainedTokenizerFast:
    return prompt.build_word_tokenizer(vocabulary_words({name: tuple(map(str, w)) for name, w in VOCABULARY.items()}))


@pytest.mark.parametrize("kind", PHRASINGS)
def test_the_word_tokenizer_knows_every_phrasing_of_every_thing(kind: str) -> None:
    texts = [way.format(thing) for way in PHRASINGS[kind] for thing in THING_KINDS]
    texts += [phrase(kind, thing, Random(seed)) for thing in THING_KINDS for seed in range(8)]
    assert prompt.unknown_words(word_tokenizer(), " ".join(texts)) == []
