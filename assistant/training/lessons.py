"""Lessons: what one step learns the pointer and its answers from, drawn from a conversation about a film.

A lesson's candidates are the frames of the conversation's window, as many as the glimpse reads; its shown frames are
those that some of its questions rest on, and others beside them, as the pointer will hand them over. What is asked of
the shown frames is decided by them alone. A lesson is a pure function of seed and number, so a run that was cut goes
on with the same ones. This file does not know tensors of a model, nor pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from assistant.model import MMEgoConfig
from assistant.training.conversations import Conversation
from assistant.training.data_engine import Narration, Question
from assistant.training.film_frames import FilmFrames


@dataclass(frozen=True, slots=True)
class Lesson:
    """Frames by their number in `film`, in time order. `keys` are places in `candidates`, one set a question.

    `answered` are questions that the `shown` frames decide.
    """

    film: str
    candidates: tuple[int, ...]
    questions: tuple[Question, ...]
    keys: tuple[tuple[int, ...], ...]
    shown: tuple[int, ...]
    answered: tuple[Question, ...]


class Lessons:
    """The lessons of these conversations, by number."""

    def __init__(
        self,
        conversations: Sequence[Conversation],
        films: Mapping[str, FilmFrames],
        config: MMEgoConfig,
        fps: float,
        seed: int,
    ) -> None:
        self._films, self._config, self._fps, self._seed = films, config, fps, seed
        self._talks = [talk for talk in conversations if self._teaches(talk)]

    def __len__(self) -> int:
        """How many different conversations there are."""
        return len(self._talks)

    @property
    def films(self) -> list[str]:
        """Those that something is asked about, by name."""
        return sorted({talk.film for talk in self._talks})

    @property
    def questions(self) -> int:
        return sum(len(talk.questions) for talk in self._talks)

    def __getitem__(self, number: int) -> Lesson:
        """Each conversation once before any twice, every time with other frames beside its key frames."""
        rng = Random(f"{self._seed} lesson {number}")
        turn, place = divmod(number, len(self._talks))
        order = Random(f"{self._seed} turn {turn}").sample(range(len(self._talks)), len(self._talks))
        talk = self._talks[order[place]]
        frames = self._window(talk)
        proofs = self._proofs(talk, frames)
        asked = [question for question in talk.questions if all(proofs[i] for i in question.support)]
        keys = [sorted({frame for i in question.support for frame in proofs[i]}) for question in asked]
        candidates = self._candidates(frames, sorted(set().union(*keys)), rng)
        place_of = {frame: i for i, frame in enumerate(candidates)}
        shown, answered = self._show(frames, asked, proofs, rng)
        return Lesson(
            film=talk.film,
            candidates=tuple(candidates),
            questions=tuple(asked),
            keys=tuple(tuple(place_of[frame] for frame in own if frame in place_of) for own in keys),
            shown=tuple(shown),
            answered=tuple(answered),
        )

    def _teaches(self, talk: Conversation) -> bool:
        """Whether there is at least one question whose key frames were filmed."""
        if talk.film not in self._films:
            return False
        proofs = self._proofs(talk, self._window(talk))
        return any(question.answerable and all(proofs[i] for i in question.support) for question in talk.questions)

    def _window(self, talk: Conversation) -> list[int]:
        times_s = self._films[talk.film].times_s
        return np.flatnonzero((times_s >= talk.start_s) & (times_s <= talk.end_s)).tolist()

    def _proofs(self, talk: Conversation, frames: Sequence[int]) -> list[Sequence[int]]:
        """For each narration of the window the frames that show it; a short one has the frame nearest to it."""
        times_s, least_s = self._films[talk.film].times_s[list(frames)], 1 / self._fps
        spans = np.array([_widened(told, least_s) for told in talk.narrations]).reshape(-1, 2)
        begins, ends = np.searchsorted(times_s, spans[:, 0]), np.searchsorted(times_s, spans[:, 1], side="right")
        return [frames[begin:end] for begin, end in zip(begins, ends, strict=True)]

    def _candidates(self, frames: Sequence[int], keys: Sequence[int], rng: Random) -> list[int]:
        """All frames of the window, or, where they are too many, the key frames and others at random."""
        limit = self._config.candidates
        if len(frames) <= limit:
            return list(frames)
        kept = set(rng.sample(keys, min(len(keys), limit // 2)))
        others = [frame for frame in frames if frame not in kept]
        return sorted(kept | set(rng.sample(others, limit - len(kept))))

    def _show(
        self, frames: Sequence[int], asked: Sequence[Question], proofs: Sequence[Sequence[int]], rng: Random
    ) -> tuple[list[int], list[Question]]:
        """At most k frames of the window, and the questions that they decide."""
        shown: set[int] = set()
        answered = [question for question in asked if not question.answerable]
        for question in rng.sample(asked, len(asked)):
            rests_on = {frame for i in question.support for frame in _some(proofs[i], rng)}
            if question.answerable and len(shown | rests_on) <= self._config.selected:
                shown |= rests_on
                answered.append(question)
        spare = [frame for frame in frames if frame not in shown]
        fill = rng.randint(0 if shown else 1, self._config.selected - len(shown))
        return sorted(shown | set(rng.sample(spare, min(fill, len(spare))))), answered


def _widened(told: Narration, least_s: float) -> tuple[float, float]:
    """The narration's span, or one around its middle that is long enough to hold a frame."""
    missing_s = max(0.0, least_s - (told.end_s - told.start_s)) / 2
    return told.start_s - missing_s, told.end_s + missing_s


def _some(frames: Sequence[int], rng: Random) -> list[int]:
    """One of the frames, or two, or all: the pointer seldom finds every one."""
    return rng.sample(frames, min(len(frames), rng.choice((1, 2, len(frames)))))
