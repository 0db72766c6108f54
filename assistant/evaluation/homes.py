"""Does it answer? Questions about recorded simulated homes, with the truth beside them.

Every question of a home is answered four ways from the same memory: by the pointer's choice of frames (the path a
user takes), by k frames spread evenly, by the true key frames (oracle), and by no frame at all (blind). Two probes ask
whether answers rest on the frames: in the swap probe two events are shown and one is asked; in the absent probe the
asked thing is not among the frames shown.

A day is an indexed memory and its narrations. This file does not know how days are made or how results are printed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.indexer import decode
from assistant.pointer import exploration_grid
from assistant.recollection import Recollected, Selected, answer_from, recollect
from assistant.training.data_engine import Narration, Question, key_frames, write_questions
from store.episodic import EpisodicStore

QUESTIONS_A_HOME = 8
PROBES_A_HOME = 2
FRAMES_AN_EVENT = 3
WAYS = ("pointer", "uniform", "oracle", "blind")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: whether each way's answer was exactly right, and how many key frames were among the k."""

    family: str
    answer: str
    right: dict[str, bool]
    said_not_seen: bool
    recall_at_k: float
    recall_at_k_uniform: float

    @property
    def answerable(self) -> bool:
        return self.right.keys() >= set(WAYS)


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe question: it named its own place, the other event's place, or said that it was not seen."""

    kind: str
    own: bool
    other: bool
    not_seen: bool


class Examined:
    """One home under examination: its candidates, their pictures, and the checkpoint that is asked."""

    def __init__(self, store: EpisodicStore, narrations: Sequence[Narration], checkpoint: Checkpoint) -> None:
        keyframes = store.keyframes_by_id(store.indexed_ids(checkpoint.key))
        began_at = store.sessions()[0].started_at
        self.checkpoint, self.narrations = checkpoint, narrations
        self.times_s = [keyframe.captured_at - began_at for keyframe in keyframes]
        self.compressed = torch.from_numpy(store.compressed(checkpoint.key, [k.id for k in keyframes]))
        self._store, self._keyframes = store, keyframes

    def look(self, indices: Sequence[int]) -> tuple[list[np.ndarray], list[prompt.Shown]]:
        chosen = [self._keyframes[i] for i in indices]
        images = [decode(self._store.jpeg(keyframe)) for keyframe in chosen]
        return images, [prompt.Shown(f"{keyframe.local_time:%H:%M:%S}") for keyframe in chosen]

    def answer(self, question: str, indices: Sequence[int]) -> Recollected:
        """What is answered from just these frames."""
        *_, last = answer_from(self.checkpoint, question, *self.look(sorted(indices)))
        assert isinstance(last, Recollected)
        return last

    def frames_of(self, narration: int) -> list[int]:
        """The middle frames of an act, where the hand is at work, at most FRAMES_AN_EVENT."""
        span = self.narrations[narration]
        middle = (span.start_s + span.end_s) / 2
        within = [i for i, at_s in enumerate(self.times_s) if span.start_s <= at_s <= span.end_s]
        return sorted(sorted(within, key=lambda i: abs(self.times_s[i] - middle))[:FRAMES_AN_EVENT])


def examine(home: Examined, kinds: Sequence[str], rng: Random) -> Iterator[Outcome]:
    """Ask up to QUESTIONS_A_HOME questions, a quarter of them unanswerable, each in every way."""
    asked = write_questions(home.narrations, kinds, rng)
    present = [q for q in asked if q.answerable and key_frames(q, home.narrations, home.times_s)]
    absent = [q for q in asked if not q.answerable]
    for question in present[: QUESTIONS_A_HOME * 3 // 4] + absent[: QUESTIONS_A_HOME // 4]:
        yield _ask(home, question)


def _ask(home: Examined, question: Question) -> Outcome:
    config = home.checkpoint.model.config
    selected: tuple[int, ...] = ()
    answered = Recollected("", False, 0.0, False)
    for step in recollect(home.checkpoint, question.text, home.compressed, home.look):
        if isinstance(step, Selected):
            selected = step.indices
        elif isinstance(step, Recollected):
            answered = step
    right = {"pointer": _same(answered.text, question.answer)}
    if not question.answerable:
        return Outcome(question.family, question.answer, right, not answered.seen, 0.0, 0.0)
    keys = key_frames(question, home.narrations, home.times_s)
    grid = exploration_grid(len(home.times_s), config.selected).tolist()
    spread = [keys[i] for i in exploration_grid(len(keys), config.selected).tolist()]
    for way, frames in (("uniform", grid), ("oracle", spread), ("blind", [])):
        right[way] = _same(home.answer(question.text, frames).text, question.answer)
    reachable = min(config.selected, len(keys))
    return Outcome(
        question.family,
        question.answer,
        right,
        not answered.seen,
        len(set(selected) & set(keys)) / reachable,
        len(set(grid) & set(keys)) / reachable,
    )


def probe(home: Examined, kinds: Sequence[str], rng: Random) -> Iterator[Probe]:
    """Swap and absent probes on pairs of put-down events of different things in different places."""
    puts = [q for q in write_questions(home.narrations, kinds, rng) if q.family == "where_put" and q.answerable]
    pairs = [(a, b) for a in puts for b in puts if a.answer != b.answer]
    for asked, other in rng.sample(pairs, min(PROBES_A_HOME, len(pairs))):
        own_frames, other_frames = home.frames_of(asked.support[0]), home.frames_of(other.support[0])
        if own_frames and other_frames and not set(own_frames) & set(other_frames):
            both = home.answer(asked.text, own_frames + other_frames)
            yield Probe("swap", _same(both.text, asked.answer), _same(both.text, other.answer), not both.seen)
            without = home.answer(asked.text, other_frames)
            yield Probe("absent", False, _same(without.text, other.answer), not without.seen)


def summarise(outcomes: Sequence[Outcome], probes: Sequence[Probe]) -> dict[str, object]:
    """Shares of right answers by family and in all; families hold the answerable questions only."""
    known = [outcome for outcome in outcomes if outcome.answerable]
    families = {name: _row([o for o in known if o.family == name]) for name in sorted({o.family for o in known})}
    swap, absent = ([p for p in probes if p.kind == kind] for kind in ("swap", "absent"))
    said = [o for o in outcomes if o.said_not_seen]
    unanswerable = [o for o in outcomes if not o.answerable]
    return {
        "questions": len(outcomes),
        "families": families,
        "all": _row(known),
        "swap_probe": {"own": _share([p.own for p in swap]), "other": _share([p.other for p in swap])},
        "absent_probe": _share([p.not_seen for p in absent]),
        "not_seen": {
            "precision": _share([not o.answerable for o in said]),
            "recall": _share([o.said_not_seen for o in unanswerable]),
        },
    }


def _row(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """`chance` is what always giving the commonest answer of the family would score."""
    commonest: Counter[str] = Counter()
    for family in {o.family for o in outcomes}:
        commonest[family] = Counter(o.answer for o in outcomes if o.family == family).most_common(1)[0][1]
    return {
        "n": len(outcomes),
        **{way: _share([o.right[way] for o in outcomes]) for way in WAYS},
        "chance": round(commonest.total() / len(outcomes), 4) if outcomes else 0.0,
        "recall_at_k": _share([o.recall_at_k for o in outcomes]),
        "recall_at_k_uniform": _share([o.recall_at_k_uniform for o in outcomes]),
    }


def _share(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else 0.0


def _same(said: str, wanted: str) -> bool:
    return said.casefold().strip(" .") == wanted.casefold().strip(" .")
