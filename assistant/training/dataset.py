"""Training material for the model: simulated days from their files, and the frame sets that answers are learned on.

An answer must rest on the frames shown, so a set's questions are written from the narrations that its frames really
show: over the same frames different questions have different answers, and about a quarter ask of what is not shown.
Sets that hold one event only teach a model to read out whatever it is shown.

This file does not know the model; it hands over arrays, indices and text.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from assistant.training.data_engine import NOT_SEEN, PHRASINGS, Narration, Question, key_frames, write_questions

MORNING_S = 6 * 3600


@dataclass(frozen=True)
class Episode:
    """One day: n frames, what is narrated, dense labels, and `features` (n, patches, D) once a tower has read it."""

    name: str
    frames: np.ndarray
    times_s: np.ndarray
    narrations: tuple[Narration, ...]
    labels: dict[str, np.ndarray]
    vocabulary: dict[str, tuple[str, ...]]
    features: np.ndarray | None = None

    def window(self, start: int, end: int) -> "Episode":
        """The frames start..end and the narrations that lie wholly within them."""
        first_s, last_s = float(self.times_s[start]), float(self.times_s[end - 1])
        return Episode(
            name=self.name,
            frames=self.frames[start:end],
            times_s=self.times_s[start:end],
            narrations=tuple(n for n in self.narrations if n.start_s >= first_s and n.end_s <= last_s),
            labels={key: value[start:end] for key, value in self.labels.items()},
            vocabulary=self.vocabulary,
            features=None if self.features is None else self.features[start:end],
        )

    def questions(self, rng: Random) -> list[Question]:
        return write_questions(self.narrations, self.vocabulary["things"], rng)


@dataclass(frozen=True)
class FrameSet:
    """A few frames of an episode, in time order, and questions about just them; supports index `narrations`."""

    frames: tuple[int, ...]
    narrations: tuple[Narration, ...]
    questions: tuple[Question, ...]
    clocks: tuple[str, ...] = field(default=())

    def support(self, question: Question, times_s: np.ndarray) -> list[int]:
        """Positions within the set of the frames that show what the answer rests on."""
        return key_frames(question, self.narrations, [float(times_s[i]) for i in self.frames])


LABELS = ("thing_cells", "colour_cells", "furniture_cells", "rooms", "held", "held_colours")
VOCABULARY = ("things", "colours", "furniture", "room_kinds")


def read_episode(path: Path) -> Episode:
    """One day from its file; see device/simulated/episodes.py for the layout."""
    with np.load(path) as file:
        spans, texts = file["narration_times_s"], file["narrations"]
        return Episode(
            name=path.stem,
            frames=file["frames"],
            times_s=file["times_s"],
            narrations=tuple(Narration(float(a), float(b), str(t)) for (a, b), t in zip(spans, texts, strict=True)),
            labels={name: file[name] for name in LABELS},
            vocabulary={name: tuple(map(str, file[name])) for name in VOCABULARY},
        )


def vocabulary_words(vocabulary: dict[str, tuple[str, ...]]) -> list[str]:
    """Every word that narrations, questions and answers over this vocabulary are made of."""
    sentences = [" ".join(names) for names in vocabulary.values()]
    sentences += [phrasing for ways in PHRASINGS.values() for phrasing in ways]
    sentences += [NOT_SEEN, "yes no put pick up open close turn on off the from drawer tap are were them"]
    return sorted({word for sentence in sentences for word in re.findall(r"[a-z]+", sentence.lower())})


def held_frames(episode: Episode, narration: Narration) -> list[int]:
    """The frames of a narration that prove it: for a thing, those that show it in the hand; else its middle."""
    within = [i for i, at_s in enumerate(episode.times_s) if narration.start_s <= at_s <= narration.end_s]
    if narration.text.startswith(("I put", "I pick")):
        held, cells = episode.labels["held"], episode.labels["thing_cells"]
        return [i for i in within if held[i] and (cells[i] == held[i]).any()]
    return [i for i in within if narration.start_s + 0.5 <= episode.times_s[i] <= narration.end_s - 0.6]


def multi_event_set(episode: Episode, size: int, rng: Random) -> list[int]:
    """Up to `size` frames: two to six acts with at least one proving frame each, the rest anything else of the day."""
    acts = list(episode.narrations)
    rng.shuffle(acts)
    chosen: set[int] = set()
    wanted = rng.randint(2, 6)
    for act in acts:
        proof = held_frames(episode, act)
        if proof and len(chosen) < size and wanted:
            rng.shuffle(proof)
            chosen |= set(proof[: min(rng.choice((1, 1, 2, 3)), size - len(chosen))])
            wanted -= 1
    spare = [i for i in range(len(episode.times_s)) if i not in chosen]
    rng.shuffle(spare)
    fill = rng.randint(0, max(0, size - len(chosen)))
    return sorted(chosen | set(spare[:fill]))


def frame_set(episode: Episode, frames: Sequence[int], count: int, rng: Random) -> FrameSet:
    """These frames with up to `count` questions whose answers they show, or rightly do not show.

    An act of which frames are shown but none that proves it is left out of the questions altogether.
    """
    shown = set(frames)
    proven, doubtful = [], []
    for narration in episode.narrations:
        within = {i for i in shown if narration.start_s - 0.6 <= episode.times_s[i] <= narration.end_s + 0.6}
        if within & set(held_frames(episode, narration)):
            proven.append(narration)
        elif within:
            doubtful.append(narration.text)
    questions = [q for q in write_questions(proven, _asked_of(episode, rng), rng) if not _touches(q, doubtful)]
    midnight_s = MORNING_S + rng.randrange(12 * 3600)
    clocks = tuple(_clock(midnight_s + float(episode.times_s[i])) for i in frames)
    return FrameSet(tuple(frames), tuple(proven), tuple(_balanced(questions, count)), clocks)


def _asked_of(episode: Episode, rng: Random) -> list[str]:
    """Kinds to ask of in vain: mostly those of this very day, which other frames do show."""
    here = [kind for kind in episode.vocabulary["things"] if any(f" {kind} " in n.text for n in episode.narrations)]
    others = [kind for kind in episode.vocabulary["things"] if kind not in here]
    return here + rng.sample(others, min(4, len(others)))


def _touches(question: Question, doubtful: Iterable[str]) -> bool:
    """Whether the question asks of a thing, place or fixture of an act that is only half shown."""
    asked = question.text
    for text in doubtful:
        objects = text.removeprefix("I put the ").removeprefix("I pick up the ")
        thing, _, place = objects.replace(" from the ", " on the ").partition(" on the ")
        kind = thing.partition(" ")[2] if place else text.rpartition(" the ")[2]
        if f" {kind} " in asked.replace("?", " ") or (place and f" {place}?" in asked):
            return True
    return question.family == "after" and any(text.startswith("I put") for text in doubtful)


def _balanced(questions: Sequence[Question], count: int) -> Iterator[Question]:
    """At most `count`, at most 30 % of them unanswerable."""
    absent = [q for q in questions if not q.answerable][: max(1, round(count * 0.3))]
    present = [q for q in questions if q.answerable][: count - len(absent)]
    yield from present + absent


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
