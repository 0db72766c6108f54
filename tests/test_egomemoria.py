"""The benchmark: four options, one of them right, letters that tell nothing, and the same again for one seed."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.evaluation.egomemoria import (
    OPTIONS,
    QUESTIONS_A_FILM,
    Film,
    MultipleChoice,
    bucket_of,
    build_benchmark,
    load_benchmark,
    save_benchmark,
)
from assistant.training.conversations import BUCKETS_S
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from store.errors import UserError

THINGS = ("wallet", "mug", "book", "phone", "scarf", "spoon")
PLACES = ("kitchen table", "office desk", "bed", "sofa", "shelf", "dresser", "window sill")
COLOURS = ("red", "blue", "green", "white", "black")


def write(narrations: list[Narration], rng: Random) -> list[Question]:
    """A small writer: where each thing was put, its colour, whether it was touched, and one thing that never was."""
    questions = []
    for index, narration in enumerate(narrations):
        _, colour, thing, place = narration.text.split("|")
        questions += [
            Question("where_put", f"where is the {thing}?", f"on the {place}.", (index,)),
            Question("where_put", f"where did I put my {thing}?", f"on the {place}.", (index,)),
            Question("colour", f"what colour is the {thing}?", f"{colour}.", (index,)),
            Question("ever", f"did I touch the {thing}?", "yes.", (index,)),
        ]
    absent = next(thing for thing in THINGS if all(f"|{thing}|" not in n.text for n in narrations))
    questions.append(Question("where_put", f"where is the {absent}?", NOT_SEEN, ()))
    rng.shuffle(questions)
    return questions


def film(number: int, length_s: float = 300.0, count: int = 4) -> Film:
    rng = Random(number)
    things = rng.sample(THINGS, count)
    narrations = [
        Narration(10.0 * i, 10.0 * i + 3, f"put|{rng.choice(COLOURS)}|{thing}|{place}")
        for i, (thing, place) in enumerate(zip(things, rng.sample(PLACES, count), strict=True))
    ]
    return Film(f"home{number}", 0.0, length_s, narrations, write(narrations, rng))


def films(count: int) -> list[Film]:
    return [film(number) for number in range(count)]


def truths(films: list[Film]) -> dict[tuple[str, str], set[str]]:
    """All right answers to each wording about each film."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in films:
        for question in each.questions:
            found.setdefault((each.name, question.text), set()).add(question.answer)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_letters_are_balanced_and_no_wrong_option_is_true_or_said_twice(count: int, seed: int) -> None:
    narrated = films(count)
    choices = build_benchmark(narrated, seed)
    letters = [Counter(choice.gold for choice in choices)[letter] for letter in range(OPTIONS)]
    assert max(letters) - min(letters) <= 1
    true = truths(narrated)
    for choice in choices:
        assert choice.answer in true[choice.film, choice.question]
        assert len({option.casefold() for option in choice.options}) == OPTIONS
        assert not true[choice.film, choice.question] & (set(choice.options) - {choice.answer})


def test_wrong_options_are_answers_of_the_same_family_and_those_of_the_film_come_first() -> None:
    narrated = [film(1, count=5), *films(8)[2:]]
    families: dict[str, set[str]] = {}
    for question in [question for each in narrated for question in each.questions]:
        families.setdefault(question.family, set()).add(question.answer)
    here = {question.answer for question in narrated[0].questions if question.family == "where_put"}
    own = [c for c in build_benchmark(narrated, 0) if c.film == "home1" and c.family == "where_put"]
    assert len(here - {NOT_SEEN}) >= OPTIONS and own
    for choice in own:
        assert set(choice.options) <= here
    for choice in build_benchmark(narrated, 0):
        assert set(choice.options) <= families[choice.family] | {NOT_SEEN}


def test_other_films_answer_where_one_film_has_too_few_answers_and_a_family_of_two_is_left_out() -> None:
    narrated = films(8)
    choices = build_benchmark(narrated, 0)
    assert {choice.family for choice in choices} == {"where_put", "colour"}  # "ever" knows nothing but yes
    colours = {each.name: {q.answer for q in each.questions if q.family == "colour"} for each in narrated}
    borrowed = [c for c in choices if c.family == "colour" and set(c.options) - colours[c.film] - {NOT_SEEN}]
    assert borrowed
    assert not build_benchmark([film(1, count=1)], 0)  # nobody to borrow from


def test_no_fact_and_no_wording_is_asked_twice() -> None:
    choices = build_benchmark(films(6), 3)
    assert len({(c.film, c.question) for c in choices}) == len(choices)
    facts = [(c.film, c.family, c.answer, c.support_s) for c in choices if c.support_s]
    assert len(set(facts)) == len(facts)
    assert max(Counter(c.film for c in choices).values()) <= QUESTIONS_A_FILM


def test_offering_not_seen_tells_nothing_about_its_being_right() -> None:
    choices = build_benchmark(films(12), 0)
    offered = [choice for choice in choices if NOT_SEEN in choice.options]
    assert 0 < len(offered) < len(choices)
    assert 4 * sum(choice.answer == NOT_SEEN for choice in offered) == len(offered)


def test_an_answer_with_words_left_out_is_no_wrong_option() -> None:
    answers = ("the red wallet.", "the wallet.", "a red leather wallet.", "the mug.", "the book.", "the scarf.")
    narrations = [Narration(i, i + 1, "") for i in range(len(answers))]
    questions = [Question("what", f"what {i}?", answer, (i,)) for i, answer in enumerate(answers)]
    choices = build_benchmark([Film("f", 0, 60, narrations, questions)], 0)
    assert len(choices) == len(answers)
    for choice in choices:
        assert sum("wallet" in option for option in choice.options) <= 1


def test_options_open_alike_where_they_can() -> None:
    answers = ("the mug.", "the book.", "the scarf.", "the spoon.", "on the bed.", "on the sofa.", "on the shelf.")
    narrations = [Narration(i, i + 1, "") for i in range(len(answers))]
    questions = [Question("first", f"what {i}?", answer, (i,)) for i, answer in enumerate(answers)]
    things, places = [], []
    for choice in build_benchmark([Film("f", 0, 60, narrations, questions)], 0):
        openings = Counter(option.split()[0] for option in choice.options)
        (things if choice.answer.startswith("the") else places).append(openings)
    assert things == [Counter({"the": 4})] * 4 and places == [Counter({"on": 3, "the": 1})] * 3


def test_a_benchmark_repeats_exactly_and_another_seed_makes_another() -> None:
    assert build_benchmark(films(5), 1) == build_benchmark(films(5), 1) != build_benchmark(films(5), 2)


@pytest.mark.parametrize(
    ("minutes", "bucket", "name"),
    [(0.5, 0, "short"), (1, 0, "short"), (1.5, 1, "short"), (2.5, 2, "medium"), (5, 3, "medium"), (20, 4, "medium"),
     (20.1, 5, "long"), (60, 6, "long")],
)  # fmt: skip
def test_lengths_have_the_papers_buckets_and_classes(minutes: float, bucket: int, name: str) -> None:
    assert bucket_of(60 * minutes) == bucket and len(BUCKETS_S) == 7
    choice = MultipleChoice("f", 30.0, 30.0 + 60 * minutes, "what", "what?", ("a", "b", "c", "d"), 0, ())
    assert choice.length_class == name


def test_films_of_no_bucket_are_left_out() -> None:
    narrated = [film(0, length_s=29.0), film(1, length_s=3601.0), film(2)]
    assert {choice.film for choice in build_benchmark(narrated, 0)} == {"home2"}
    with pytest.raises(ValueError, match=r"29\.0 s"):
        bucket_of(29)


def test_a_saved_benchmark_loads_as_it_was(tmp_path: Path) -> None:
    choices = build_benchmark(films(3), 0)
    save_benchmark(tmp_path / "choices.json", choices)
    assert choices and load_benchmark(tmp_path / "choices.json") == choices


@pytest.mark.parametrize("damage", ["gold", "options", "film", "layout", "end_s"])
def test_a_damaged_benchmark_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "choices.json"
    save_benchmark(path, build_benchmark(films(3), 0))
    content = json.loads(path.read_text())
    record = content["questions"][1]
    if damage == "layout":
        content["layout"] = "another"
    elif damage == "film":
        del record["film"]
    else:
        record[damage] = {"gold": 4, "options": ["a", "a", "b", "c"], "end_s": 1e6}[damage]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"choices\.json is no benchmark"):
        load_benchmark(path)
    with pytest.raises(UserError, match=r"absent\.json"):
        load_benchmark(tmp_path / "absent.json")


def test_an_excerpt_keeps_its_place_in_the_film() -> None:
    excerpt = replace(film(1), start_s=100.0, end_s=190.0)
    choices = [c for c in build_benchmark([excerpt, *films(5)[2:]], 0) if c.film == "home1"]
    assert choices and {(c.start_s, c.end_s, c.length_class) for c in choices} == {(100.0, 190.0, "short")}
    spans = {(n.start_s, n.end_s) for n in excerpt.narrations}
    assert all(set(c.support_s) <= spans and len(c.support_s) == (c.answer != NOT_SEEN) for c in choices)
