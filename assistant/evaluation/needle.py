"""A needle in a haystack: one event put anywhere into a day of other frames, then asked for along the whole path.

    haystack   keyframes that never show the asked thing being used (clear_frames picks them)
    needle     the keyframes of one event from elsewhere, with a question that only they answer
    day        `length` frames with the needle at a relative depth from 0 to 1; clocks follow the place in the day

A day longer than `config.candidates` first goes through recall, by the store's own index; then glimpse, selection and
answer are recollect's, as for a user. Oryx (arXiv 2409.12961) asked one picture of up to 1,600 frames and did not
publish how; depths, lengths and scoring here are our own.

Footage is arrays and a function that fetches a picture. This file does not know memories or how footage was made.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.reading import same_answer
from assistant.recollection import Recollected, Seen, Selected, recollect, see
from assistant.training.data_engine import Narration

DAY_BEGINS_S = 6 * 3600
DAY_S = 16 * 3600  # a day of more than one keyframe a second must still end before midnight


@dataclass(frozen=True, slots=True)
class Footage:
    """n keyframes in time order: `recall` (n, D), `compressed` (n, C), and `picture`, the RGB picture of one."""

    recall: np.ndarray
    compressed: np.ndarray
    picture: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return len(self.recall)

    def part(self, indices: Sequence[int] | range) -> "Footage":
        """The frames of these indices, in their order."""
        rows = list(indices)
        return Footage(self.recall[rows], self.compressed[rows], lambda i: self.picture(rows[i]))


def join(parts: Sequence[Footage]) -> Footage:
    """One footage after the other."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()

    def picture(i: int) -> np.ndarray:
        part = bisect_right(starts, i) - 1
        return parts[part].picture(i - starts[part])

    return Footage(np.concatenate([p.recall for p in parts]), np.concatenate([p.compressed for p in parts]), picture)


@dataclass(frozen=True, slots=True)
class Needle:
    """The keyframes of one event, a question about it and its answer."""

    question: str
    answer: str
    footage: Footage


@dataclass(frozen=True, slots=True)
class Trial:
    """One day asked: answered exactly right? And the share of the needle's frames that passed each step.

    `proposed` are those that recall made candidates, of all; `selected` those looked at again, of at most k.
    """

    right: bool
    proposed: float
    selected: float


@dataclass(frozen=True, slots=True)
class NeedleGrid:
    """Means over the needles: `right`, `proposed` and `selected` are (depths, lengths)."""

    depths: tuple[float, ...]
    lengths: tuple[int, ...]
    needles: int
    right: np.ndarray
    proposed: np.ndarray
    selected: np.ndarray

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        shares = {name: getattr(self, name).round(4).tolist() for name in ("right", "proposed", "selected")}
        return {"depths": list(self.depths), "lengths": list(self.lengths), "needles": self.needles, **shares}


def clear_frames(thing: str, narrations: Sequence[Narration], frame_times_s: Sequence[float]) -> list[int]:
    """Indices of the frames in which a thing ("wallet") plays no part.

    Left out is what a narration with that word covers, and, as what was picked up stays in the hand, everything from
    there to the next narration with that word, or to the end.
    """
    word, taken = (re.compile(rf"\b{text}\b", re.IGNORECASE) for text in (re.escape(thing), "picks? up"))
    named = [narration for narration in narrations if word.search(narration.text)]
    spans = []
    for narration, following in zip_longest(named, named[1:]):
        until = following.start_s if following else float("inf")
        spans.append((narration.start_s, until if taken.search(narration.text) else narration.end_s))
    return [i for i, at_s in enumerate(frame_times_s) if not any(start <= at_s <= end for start, end in spans)]


def clock(place: int, length: int) -> str:
    """What the wearer's clock shows at a place in a day of that many frames: a second a frame from 06:00:00 on."""
    at_s = DAY_BEGINS_S + int(place * min(1.0, DAY_S / length))
    return f"{at_s // 3600:02}:{at_s // 60 % 60:02}:{at_s % 60:02}"


def examine_needles(
    checkpoint: Checkpoint,
    needles: Iterable[tuple[Needle, Footage]],
    depths: Sequence[float],
    lengths: Sequence[int],
) -> NeedleGrid:
    """Every needle in its haystack at every depth and length. ValueError where a haystack is too short."""
    trials = [
        [seek(checkpoint, needle, haystack, depths, length) for length in lengths] for needle, haystack in needles
    ]
    means = {
        name: np.array([[[getattr(trial, name) for trial in row] for row in grid] for grid in trials]).mean(axis=0).T
        for name in ("right", "proposed", "selected")
    }
    return NeedleGrid(tuple(depths), tuple(lengths), len(trials), **means)


def seek(
    checkpoint: Checkpoint, needle: Needle, haystack: Footage, depths: Sequence[float], length: int
) -> list[Trial]:
    """One needle in days of one length, at each depth; what recall proposes does not depend on the order of a day."""
    count = len(needle.footage)
    around = length - count
    if not 0 <= around <= len(haystack):
        raise ValueError(f"a day of {length} frames from a needle of {count} and a haystack of {len(haystack)}")
    pool = join([needle.footage, haystack.part(range(around))])
    proposed = _propose(checkpoint, needle.question, pool.recall)
    trials = []
    for depth in depths:
        start = round(depth * around)
        day = np.r_[count : count + start, 0:count, count + start : length]  # (length,) pool rows in the day's order
        trials.append(_ask(checkpoint, needle, pool, day, np.flatnonzero(np.isin(day, proposed))))
    return trials


def _propose(checkpoint: Checkpoint, question: str, recall: np.ndarray) -> np.ndarray:
    """Rows of recall embeddings (n, D) that become candidates: all, or those nearest to the question."""
    limit = checkpoint.model.config.candidates
    if len(recall) <= limit:
        return np.arange(len(recall))
    scores = recall @ checkpoint.recall.encode_question(question)
    return np.argsort(-scores, kind="stable")[:limit]


def _ask(checkpoint: Checkpoint, needle: Needle, pool: Footage, day: np.ndarray, places: np.ndarray) -> Trial:
    """Glimpse, selection and answer over the candidates at these places of a day."""
    rows = day[places]
    is_needle = rows < len(needle.footage)

    def look(chosen: Sequence[int]) -> Seen:
        shown = [prompt.Shown(clock(int(places[i]), len(day))) for i in chosen]
        pictures = [pool.picture(int(rows[i])) for i in chosen]
        return see(checkpoint, pictures, shown, [pictures])

    compressed = torch.from_numpy(pool.compressed[rows])
    selected, said = 0, ""
    for step in recollect(checkpoint, needle.question, compressed, look, pool.recall[rows]):
        if isinstance(step, Selected):
            selected = int(is_needle[list(step.indices)].sum())
        elif isinstance(step, Recollected):
            said = step.text
    count = len(needle.footage)
    return Trial(
        right=same_answer(said, needle.answer),
        proposed=int(is_needle.sum()) / count,
        selected=selected / min(count, checkpoint.model.config.selected),
    )
