"""The data engine: timed narrations in, questions with answers and supporting narrations out (MM-Ego, section 2.1).

    narrations -> a Writer -> questions -> key frames

A writer reads the sentences alone; no picture is looked at. The grammar (grammar.py) needs no model, the language
writer (language_writer.py) asks a local one. Every question lists the narrations that its answer rests on; their times
become the key-frame labels. An unanswerable question rests on nothing, and its right answer says so.

This file does not know who narrated (a person or the simulated home), nor what a frame or a token is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

NOT_SEEN = "I did not see that."


@dataclass(frozen=True, slots=True)
class Narration:
    """A sentence about what the wearer did between two seconds of a film."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one film; `support` are the indices of the narrations its answer rests on (none: not seen)."""

    family: str
    text: str
    answer: str
    support: tuple[int, ...]

    @property
    def answerable(self) -> bool:
        return bool(self.support)


class Writer(Protocol):
    """Whoever turns one film's narrations, in time order, into questions in random order."""

    def write(self, narrations: Sequence[Narration], rng: Random) -> list[Question]: ...


def key_frames(question: Question, narrations: Sequence[Narration], frame_times_s: Sequence[float]) -> list[int]:
    """Indices of the frames that lie within a supporting narration."""
    spans = [(narrations[i].start_s, narrations[i].end_s) for i in question.support]
    return [i for i, at_s in enumerate(frame_times_s) if any(start <= at_s <= end for start, end in spans)]
