"""A benchmark in EgoMemoria's form (MM-Ego, section 3.1): four-way choices about narrated films of 30 s to an hour.

Built from narrations and the questions written from them, so from any narrated set. The wrong options are answers that
were right elsewhere: to questions of the same family about the same film, else about other films. What is asked in
vain has "I did not see that." as its right option, and three times as many other questions offer it as a wrong one, so
that seeing it among the options tells nothing. A question for which no three wrong answers exist (yes or no, left or
right) is left out.

This file knows neither frames nor the model; choosing.py answers what is built here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from assistant.training.conversations import BUCKETS_S
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from store.errors import UserError

CLASSES = ("short", "short", "medium", "medium", "medium", "long", "long")  # of BUCKETS_S, in their order
OPTIONS = 4
QUESTIONS_A_FILM = 12  # the paper has 7,026 on 629 films
LAYOUT = "whereabouts multiple choice 1"
ARTICLES = ("a", "an", "the")


@dataclass(frozen=True, slots=True)
class Film:
    """A narrated film, or the part of it from `start_s` to `end_s`, and what may be asked about it.

    Narrations count from the beginning of the whole film; supports index `narrations`.
    """

    name: str
    start_s: float
    end_s: float
    narrations: Sequence[Narration]
    questions: Sequence[Question]


@dataclass(frozen=True, slots=True)
class MultipleChoice:
    """One question, its four options, and the spans of the film (in seconds) that its answer rests on."""

    film: str
    start_s: float
    end_s: float
    family: str
    question: str
    options: tuple[str, ...]
    gold: int
    support_s: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) != OPTIONS or self.gold not in range(OPTIONS):
            raise ValueError(f"{self.question!r} has options {self.options} and gold {self.gold}")
        bucket_of(self.end_s - self.start_s)

    @property
    def answer(self) -> str:
        return self.options[self.gold]

    @property
    def length_class(self) -> str:
        """short, medium or long, as MDA is told apart by."""
        return CLASSES[bucket_of(self.end_s - self.start_s)]


def bucket_of(length_s: float) -> int:
    """The index of a film's length in BUCKETS_S; what lies between two goes to the shorter. Raises ValueError."""
    for index, (shortest, longest) in enumerate(BUCKETS_S):
        if shortest <= length_s <= longest:
            return index
    raise ValueError(f"a film of {length_s:.1f} s fits no bucket")


def build_benchmark(films: Sequence[Film], seed: int) -> list[MultipleChoice]:
    """Up to QUESTIONS_A_FILM choices a film, right options spread evenly over the letters; the same for one seed.

    Films shorter than 30 s or longer than an hour are left out.
    """
    rng = Random(seed)
    fitting = [film for film in films if BUCKETS_S[0][0] <= film.end_s - film.start_s <= BUCKETS_S[-1][1]]
    everywhere = _answers(question for film in fitting for question in film.questions)
    drafts = [(film, *draft) for film in fitting for draft in _draft(film, everywhere, rng)]
    _offer_not_seen(drafts, rng)
    letters = [number % OPTIONS for number in range(len(drafts))]
    rng.shuffle(letters)
    return [_finish(*draft, gold, rng) for draft, gold in zip(drafts, letters, strict=True)]


Answers = dict[str, Counter[str]]  # of a family: how often each was right


def _answers(questions: Iterable[Question]) -> Answers:
    found: Answers = {}
    for question in questions:
        if question.answerable:
            found.setdefault(question.family, Counter())[question.answer] += 1
    return found


def _draft(film: Film, everywhere: Answers, rng: Random) -> list[tuple[Question, list[str]]]:
    """The film's questions with three wrong answers each, at most a quarter of them unanswerable."""
    here = _answers(film.questions)
    drafts = []
    for question in _distinct(film.questions):
        true = {other.answer for other in film.questions if _plain(other.text) == _plain(question.text)}
        near, far = (pool.get(question.family, Counter()) for pool in (here, everywhere))
        wrong = _wrong_answers(question, [*_shuffled(near, rng), *_shuffled(far, rng)], true)
        if len(wrong) == OPTIONS - 1:
            drafts.append((question, wrong))
    absent = [draft for draft in drafts if not draft[0].answerable][: QUESTIONS_A_FILM // OPTIONS]
    present = [draft for draft in drafts if draft[0].answerable][: QUESTIONS_A_FILM - len(absent)]
    return present + absent[: len(present) // (OPTIONS - 1)]


def _distinct(questions: Iterable[Question]) -> list[Question]:
    """Each wording once, and each fact once, however it is asked for."""
    kept: dict[object, Question] = {}
    texts: set[str] = set()
    for question in questions:
        text = _plain(question.text)
        fact = (question.family, question.answer, question.support) if question.answerable else text
        if text not in texts and fact not in kept:
            kept[fact] = question
            texts.add(text)
    return list(kept.values())


def _shuffled(counts: Counter[str], rng: Random) -> list[str]:
    """Drawn without putting back, the oftener right the earlier: else a model could tell the rarest to be wrong."""
    return sorted(counts, key=lambda answer: rng.random() ** (1 / counts[answer]), reverse=True)


def _wrong_answers(question: Question, candidates: Sequence[str], true: set[str]) -> list[str]:
    """The first three that say neither what is true nor what another says.

    Those that open like the right answer come first: "on the sofa" is no choice where the others are "the mug".
    """
    example = question.answer if question.answerable else next(iter(candidates), "")
    wrong: list[str] = []
    for candidate in sorted(candidates, key=lambda text: text.split()[:1] != example.split()[:1]):
        if len(wrong) < OPTIONS - 1 and not any(_may_mean_the_same(candidate, other) for other in (*true, *wrong)):
            wrong.append(candidate)
    return wrong


def _may_mean_the_same(one: str, other: str) -> bool:
    """Whether the one is the other with words left out: "the wallet" is right where "the red wallet" is."""
    fewer, more = sorted((_words(one), _words(other)), key=len)
    rest = iter(more)
    return all(word in rest for word in fewer)


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.casefold()) if word not in ARTICLES]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _offer_not_seen(drafts: Sequence[tuple[Film, Question, list[str]]], rng: Random) -> None:
    """Put NOT_SEEN among the wrong answers of so many questions that it is right in one of four that offer it."""
    present = [wrong for _, question, wrong in drafts if question.answerable]
    for wrong in rng.sample(present, (OPTIONS - 1) * (len(drafts) - len(present))):
        wrong[-1] = NOT_SEEN


def _finish(film: Film, question: Question, wrong: list[str], gold: int, rng: Random) -> MultipleChoice:
    options = rng.sample(wrong, len(wrong))
    options.insert(gold, question.answer)
    spans = tuple((film.narrations[index].start_s, film.narrations[index].end_s) for index in question.support)
    return MultipleChoice(
        film.name, film.start_s, film.end_s, question.family, question.text, tuple(options), gold, spans
    )


def save_benchmark(path: Path, choices: Sequence[MultipleChoice]) -> None:
    content = {"layout": LAYOUT, "questions": [asdict(choice) for choice in choices]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_benchmark(path: Path) -> list[MultipleChoice]:
    """What `save_benchmark` wrote. Raises UserError where the file is missing, another one, or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["layout"] != LAYOUT:
            raise ValueError(f"its layout is {content['layout']!r}")
        return [_restore(record) for record in content["questions"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no benchmark of ours: {error}.", "Build it again.") from error


def _restore(record: dict[str, Any]) -> MultipleChoice:
    spans = tuple((start_s, end_s) for start_s, end_s in record["support_s"])
    return MultipleChoice(**{**record, "options": tuple(record["options"]), "support_s": spans})
