"""Conversations: films cut into windows of EgoMemoria's seven lengths, each window asked several questions in a row.

Conversations are dealt to the lengths as MM-Ego deals them (appendix D): 18/18/18/18/17/8/3 %. Long films are few, so
a long window holds more than one conversation; no two conversations hold the same question about the same narrations.

This file does not know who writes the questions.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.data_engine import Narration, Question, Writer
from assistant.training.narrations import read_narrations
from assistant.training.phrasings import clock

BUCKETS_S = ((30, 60), (60, 120), (120, 240), (240, 600), (600, 1200), (1200, 2400), (2400, 3600))
SHARES = (0.18, 0.18, 0.18, 0.18, 0.17, 0.08, 0.03)
CONVERSATIONS = 4500
LEAST_TURNS, MOST_TURNS = 3, 8


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions about one window of a film. Times are the film's; supports index `narrations`, those of the window."""

    film: str
    start_s: float
    end_s: float
    narrations: tuple[Narration, ...]
    questions: tuple[Question, ...]

    @property
    def bucket(self) -> int:
        """The place of its length in BUCKETS_S."""
        return next(i for i, (_, high_s) in enumerate(BUCKETS_S) if self.end_s - self.start_s <= high_s)


def make_conversations(
    films: Mapping[str, Sequence[Narration]], writer: Writer, rng: Random, count: int = CONVERSATIONS
) -> list[Conversation]:
    """About `count` conversations in random order; a length that the films cannot fill has fewer."""
    asked: set[tuple[object, ...]] = set()
    made: list[Conversation] = []
    for bucket in reversed(range(len(BUCKETS_S))):  # the long ones first: they have the least to choose from
        windows = [window for film in films for window in _cut(film, films[film], BUCKETS_S[bucket], rng)]
        rng.shuffle(windows)
        made += _deal(windows, writer, rng, max(1, round(SHARES[bucket] * count)), asked)
    rng.shuffle(made)
    return made


def _cut(film: str, narrations: Sequence[Narration], lengths_s: tuple[int, int], rng: Random) -> Iterator[Conversation]:
    """Windows of these lengths, one after the other from a random beginning, still without questions."""
    end_s = max(narration.end_s for narration in narrations)
    lengths: list[float] = []
    while (left_s := end_s - sum(lengths)) >= lengths_s[0]:
        lengths.append(rng.uniform(lengths_s[0], min(lengths_s[1], left_s)))
    start_s = rng.uniform(0, left_s)
    for length_s in lengths:
        within = [n for n in narrations if start_s <= n.start_s and n.end_s <= start_s + length_s]
        yield Conversation(film, start_s, start_s + length_s, tuple(within), ())
        start_s += length_s


def _deal(
    windows: Sequence[Conversation], writer: Writer, rng: Random, count: int, asked: set[tuple[object, ...]]
) -> list[Conversation]:
    """Up to `count` conversations, one of every window before the second of any; `asked` is kept up."""
    made: list[Conversation] = []
    waiting = deque((window, deque[Question]()) for window in windows)
    unwritten = len(waiting)
    while waiting and len(made) < count:
        window, questions = waiting.popleft()
        if unwritten > 0:
            questions.extend(writer.write(window.narrations, rng))
            unwritten -= 1
        turns = _fresh(window, questions, asked)
        if len(turns) >= LEAST_TURNS:
            made.append(Conversation(window.film, window.start_s, window.end_s, window.narrations, tuple(turns)))
            waiting.append((window, questions))
    return made


def _fresh(window: Conversation, questions: deque[Question], asked: set[tuple[object, ...]]) -> list[Question]:
    """The next MOST_TURNS questions that no conversation holds yet."""
    turns: list[Question] = []
    while questions and len(turns) < MOST_TURNS:
        question = questions.popleft()
        known = identity(window, question)
        if known not in asked:
            asked.add(known)
            turns.append(question)
    return turns


def identity(window: Conversation, question: Question) -> tuple[object, ...]:
    """What makes a question another one: its film, family and answer with its narrations, but not its wording."""
    support = tuple(window.narrations[index] for index in question.support)
    asked = (question.family, question.answer) if question.answerable else question.text
    return window.film, asked, support


def sample_questions(path: Path, count: int, seed: int) -> list[str]:
    """`count` questions about the films of a narration file, one each of as many conversations, as printable lines."""
    films, rng = read_narrations(path), Random(seed)
    made = make_conversations(films, ActivityWriter(common_acts(films)), rng, count + len(SHARES))
    return [line for talk in made[:count] for line in _printed(talk, rng.choice(talk.questions))]


def _printed(window: Conversation, question: Question) -> list[str]:
    support = [window.narrations[index] for index in question.support]
    return [
        f"{window.film}  {clock(window.start_s)}-{clock(window.end_s)}  {question.family}",
        f"  {question.text}  {question.answer}",
        *(f"    {clock(n.start_s)}-{clock(n.end_s)}  {n.text}" for n in support),
    ]
