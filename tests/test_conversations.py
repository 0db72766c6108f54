"""Conversations: windows of the right lengths, right supports, no question twice, and enough from real films."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.acts import words_in
from assistant.training.conversations import (
    BUCKETS_S,
    MOST_TURNS,
    SHARES,
    identity,
    make_conversations,
    sample_questions,
)
from assistant.training.data_engine import Narration, Question
from assistant.training.narrations import read_narrations

EPIC = Path(__file__).parents[2] / "shared" / "real" / "epic100_narrations.csv"
NEEDS_EPIC = pytest.mark.skipif(not EPIC.exists(), reason="EPIC-KITCHENS narrations are not beside the project")


class Sayings:
    """A Writer that asks which sentence is which."""

    def write(self, narrations: Sequence[Narration], rng: Random) -> list[Question]:
        return [Question("free", f"what {i}?", told.text, (i,)) for i, told in enumerate(narrations)]


def steady(minutes: int) -> list[Narration]:
    """A film with a sentence every two seconds that tells its own second."""
    return [Narration(at_s, at_s + 1, f"second {at_s}") for at_s in range(0, 60 * minutes, 2)]


def test_supports_stay_right_in_a_window_and_no_question_comes_twice() -> None:
    made = make_conversations({"a": steady(70), "b": steady(3)}, Sayings(), Random(0), count=200)
    asked = Counter(identity(talk, question) for talk in made for question in talk.questions)
    assert asked and max(asked.values()) == 1
    for talk in made:
        assert all(talk.start_s <= n.start_s and n.end_s <= talk.end_s for n in talk.narrations)
        assert all(talk.narrations[q.support[0]].text == q.answer for q in talk.questions)
        low_s, high_s = BUCKETS_S[talk.bucket]
        assert low_s <= talk.end_s - talk.start_s <= high_s and 3 <= len(talk.questions) <= MOST_TURNS


def test_the_lengths_are_balanced_as_far_as_the_films_allow() -> None:
    films = {f"long{i}": steady(60) for i in range(4)} | {f"short{i}": steady(2) for i in range(9)}
    made = make_conversations(films, Sayings(), Random(1), count=100)
    assert [Counter(talk.bucket for talk in made)[i] for i in range(7)] == [round(100 * share) for share in SHARES]
    few = make_conversations({"a": steady(2)}, Sayings(), Random(1), count=100)
    assert {talk.bucket for talk in few} <= {0, 1} and few


def test_the_same_seed_makes_the_same_conversations() -> None:
    films = {"a": steady(20)}
    first, again, other = (make_conversations(films, Sayings(), Random(seed), 20) for seed in (4, 4, 5))
    assert first == again != other


def test_sample_lines_show_the_question_the_answer_and_what_supports_it(tmp_path: Path) -> None:
    told = "".join(f"f,00:00:{s:02d},00:00:{s + 2:02d},{text}\n" for s, text in enumerate_every(4))
    (tmp_path / "told.csv").write_text("video_id,start_timestamp,stop_timestamp,narration\n" + told)
    lines = sample_questions(tmp_path / "told.csv", 3, seed=7)
    heads = [i for i, line in enumerate(lines) if line.startswith("f  00:00:")]
    assert 0 < len(heads) <= 3 and lines == sample_questions(tmp_path / "told.csv", 3, seed=7)
    assert all("?  " in lines[i + 1] for i in heads)


def enumerate_every(step_s: int) -> list[tuple[int, str]]:
    texts = ["open fridge", "take milk", "close fridge", "wash cup", "put cup on rack", "take knife", "cut onion"]
    return [(i * step_s, text) for i, text in enumerate([*texts, "put knife in sink", "dry cup", "open oven"])]


@NEEDS_EPIC
@pytest.mark.slow
def test_real_films_give_thirty_thousand_pairs_whose_supports_speak_of_them() -> None:
    films = read_narrations(EPIC)
    made = make_conversations(films, ActivityWriter(common_acts(films)), Random(7))
    asked = [(talk, question) for talk in made for question in talk.questions]
    assert len({identity(*pair) for pair in asked}) == len(asked) >= 30_000
    assert len({(talk.film, question.text) for talk, question in asked}) >= 30_000
    shares = [Counter(talk.bucket for talk in made)[i] / len(made) for i in range(7)]
    assert shares == pytest.approx(SHARES, abs=0.01)
    nouns = annotated_nouns()
    astray = [
        (question, told)
        for talk, question in asked
        for told in (talk.narrations[index].text for index in question.support)
        if not words_in(f"{question.text} {question.answer}") & nouns[told]
    ]
    assert len(astray) < 0.005 * len(asked), astray[:20]


def annotated_nouns() -> dict[str, frozenset[str]]:
    """Sentence -> what may be meant by its nouns, which are nouns because the annotators of the films said so."""
    with EPIC.open(newline="") as file:
        rows = list(csv.DictReader(file))
    known = frozenset().union(*(words_in(row["noun"]) for row in rows))
    return {row["narration"].strip(): words_in(row["narration"]) & known for row in rows}


@NEEDS_EPIC
def test_a_sample_of_a_hundred_is_quick_and_complete() -> None:
    lines = sample_questions(EPIC, 100, seed=7)
    assert sum(not line.startswith(" ") for line in lines) == 100
