"""What one training step reads, as integers: drawn, written and laid out where no model is needed.

A batch is a pure function of seed, stage and step, so that worker processes can make it ahead and a run that was cut
goes on with the same ones. `Glimpse` are windows of days with their questions, `Fallback` a few frames of each with
questions about just them (sequences.py). This file does not know features or weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from assistant import prompt
from assistant.pointer import exploration_grid
from assistant.training.data_engine import Question, key_frames
from assistant.training.dataset import Day
from assistant.training.events import read_events
from assistant.training.frame_sets import FrameSet, choose_frames, clocks, frame_set, uniform_set
from assistant.training.grammar import CAPTION
from assistant.training.packing import lay_out
from assistant.training.recipe import Recipe, Stage
from assistant.training.sequences import NO_FRAME, Fallback, Glimpse

WEIGHTS = {"where_put": 2.0, "what_on": 2.0, "after": 2.0, "before": 2.0, "how_many": 1.5, "wrong_verb": 2.0}
WHERE, ORDER, VAIN, REST = range(4)  # groups of questions that the log tells apart


@dataclass(frozen=True)
class Choice:
    """Frames that the pointer chose for a question about a window of a day."""

    day: int
    start: int
    end: int
    frames: tuple[int, ...]


class Batches(Dataset[tuple[Glimpse | None, Fallback]]):
    """The batches of one stage, by step; `choices` are the pointer's own, where the stage wants some."""

    def __init__(
        self,
        days: Sequence[Day],
        tokenizer: PreTrainedTokenizerFast,
        tokens_a_frame: int,
        recipe: Recipe,
        stage: Stage,
        choices: Sequence[Choice] = (),
    ) -> None:
        self._days, self._recipe, self._stage, self._choices = days, recipe, stage, choices
        self._ids = cache(lambda text: tuple(prompt.token_ids(text, tokenizer)))
        self._pointer, self._visual = len(tokenizer), len(tokenizer) + 1  # rows of the table, see packing.py
        self._tokens = tokens_a_frame

    def __len__(self) -> int:
        return self._stage.steps * self._recipe.accumulation

    def __getitem__(self, step: int) -> tuple[Glimpse | None, Fallback]:
        rng = Random(f"{self._recipe.seed} {self._stage.name} {step}")
        windows = [self._window(rng) for _ in range(self._recipe.days_a_step)]
        sets = [self._set(day, rng) for day in windows]
        shown = [day for day, _ in sets]
        return (
            self.glimpse(windows, rng) if self._stage.pointer else None,
            self._fallback(shown, [chosen for _, chosen in sets]),
        )

    def draw(self, step: int) -> tuple[list[tuple[int, int, int]], Glimpse]:
        """Windows (day, start, end) and their glimpse, to see what the pointer chooses in them."""
        rng = Random(f"{self._recipe.seed} choices {step}")
        spans = [self._span(rng, self._recipe.candidates) for _ in range(self._recipe.days_a_step)]
        return spans, self.glimpse([self._days[day].window(start, end) for day, start, end in spans], rng)

    def _span(self, rng: Random, longest: int) -> tuple[int, int, int]:
        day = rng.randrange(len(self._days))
        count = min(len(self._days[day]), longest)
        length = rng.randint(min(self._recipe.shortest_day, count), count)
        start = rng.randint(0, len(self._days[day]) - length)
        return day, start, start + length

    def _window(self, rng: Random) -> Day:
        """Part of a day: every frame of it, or, as recall proposes them, just some; or parts of two days."""
        recipe, kind = self._recipe, rng.random()
        if kind < recipe.joined_share:
            one, other = (self._days[day].window(start, end) for day, start, end in
                          (self._span(rng, recipe.candidates // 2) for _ in range(2)))  # fmt: skip
            return one.joined(other, gap_s=rng.uniform(2, 3600))
        day, start, end = self._span(rng, recipe.candidates)
        if kind < recipe.joined_share + recipe.thinned_share:
            kept = sorted(rng.sample(range(start, end), max(2, round((end - start) * rng.uniform(0.4, 1.0)))))
            return self._days[day].thinned(kept)
        return self._days[day].window(start, end)

    def _set(self, day: Day, rng: Random) -> tuple[Day, FrameSet]:
        """The frames that this stage answers from, and the day they are of."""
        recipe = self._recipe
        size, count = rng.randint(3, recipe.selected), recipe.questions_a_set
        match self._stage.shown:
            case "captions":
                return day, _captions(day, size, rng)
            case "nothing":
                return day, uniform_set(day, (), count, rng)
            case "uniform":
                return day, uniform_set(day, exploration_grid(len(day), recipe.selected).tolist(), count, rng)
            case "own choices" if rng.random() < recipe.own_choices_share:
                choice = rng.choice(self._choices)
                window = self._days[choice.day].window(choice.start, choice.end)
                return window, frame_set(window, choice.frames, count, rng)
            case _:
                return day, frame_set(day, choose_frames(day, size, rng), count, rng)

    def glimpse(self, days: Sequence[Day], rng: Random) -> Glimpse:
        """All frames of these windows with some of their questions."""
        starts = np.cumsum([0, *map(len, days)]).tolist()
        asked = [day.questions(rng)[: self._recipe.questions_a_day] for day in days]
        prefixes = [
            range(self._visual + start, self._visual + start + len(day))
            for start, day in zip(starts[:-1], days, strict=True)
        ]
        segments = [[(*self._ids(prompt.glimpse_text(q.text)), self._pointer) for q in own] for own in asked]
        layout, begin = lay_out(prefixes, segments)
        where = [(b, i) for b, own in enumerate(asked) for i in range(len(own))]
        longest = max(map(len, days))
        labels = torch.zeros(len(where), longest, dtype=torch.bool)
        for row, (b, i) in enumerate(where):
            labels[row, key_frames(asked[b][i], days[b].narrations, days[b].times_s.tolist())] = True
        handled = [_handled(day) for day in days]
        return Glimpse(
            rows=torch.from_numpy(np.concatenate([day.rows for day in days])),
            frames=torch.stack(
                [_numbered(start, len(day), longest) for start, day in zip(starts[:-1], days, strict=True)]
            ),
            layout=layout,
            day=torch.tensor([b for b, _ in where]),
            at=torch.tensor([begin[b][i] + len(segments[b][i]) - 1 for b, i in where]),
            labels=labels,
            now=pad_sequence([now for now, _ in handled], batch_first=True, padding_value=NO_FRAME),
            last=pad_sequence([last for _, last in handled], batch_first=True, padding_value=NO_FRAME),
        )

    def _fallback(self, days: Sequence[Day], sets: Sequence[FrameSet]) -> Fallback:
        """The shown frames with their clocks, and the questions with their answers behind them."""
        prefixes, segments, slots, asked = [], [], [], []
        shown = 0
        for chosen in sets:
            prefix, spans = self._prefix(chosen, shown)
            own = [self._segment(question, bool(chosen.frames)) for question in chosen.questions]
            prefixes.append(prefix)
            slots.append(spans)
            segments.append([ids[:-1] for ids, _ in own])
            asked.append(own)
            shown += len(chosen.frames)
        layout, begin = lay_out(prefixes, segments)
        where = [(b, i) for b, own in enumerate(asked) for i in range(len(own))]
        (mark,) = self._ids("?")
        look = torch.zeros(len(where), layout.source.shape[1], dtype=torch.bool)
        tokens: list[tuple[int, int, int, int]] = []
        marks = []
        for row, (b, i) in enumerate(where):
            (ids, before), start = asked[b][i], begin[b][i]
            tokens += [(b, start + place - 1, ids[place], row) for place in range(before, len(ids))]
            marks.append((b, start + ids.index(mark)))
            seen = sets[b].support(sets[b].questions[i], days[b])
            look[row, [at for frame in seen for at in slots[b][frame]] or [start]] = True
        day, at, target, question = torch.tensor(tokens).unbind(1)
        mark_day, mark_at = torch.tensor(marks).unbind(1)
        questions = [sets[b].questions[i] for b, i in where]
        rows = [day.rows[frame] for day, chosen in zip(days, sets, strict=True) for frame in chosen.frames]
        return Fallback(
            rows=torch.tensor(rows, dtype=torch.long),
            layout=layout,
            day=day,
            at=at,
            target=target,
            question=question,
            weight=torch.tensor([WEIGHTS.get(q.family, 1.0) for q in questions]),
            group=torch.tensor([_group(q) for q in questions]),
            mark_day=mark_day,
            mark_at=mark_at,
            look=look,
        )

    def _prefix(self, chosen: FrameSet, before: int) -> tuple[list[int], list[range]]:
        """Rows of the shown frames with their clocks, and where each frame's visual tokens stand."""
        pieces = prompt.fallback_pieces("", [prompt.Shown(clock) for clock in chosen.clocks], 0)[:-1]
        rows: list[int] = []
        spans = []
        for piece in pieces:
            if isinstance(piece, prompt.FrameSlot):
                spans.append(range(len(rows), len(rows) + self._tokens))
                first = self._visual + (before + piece.index) * self._tokens
                rows += range(first, first + self._tokens)
            else:
                rows += self._ids(piece)
        return rows, spans

    def _segment(self, question: Question, shown: bool) -> tuple[tuple[int, ...], int]:
        """The ids of question and answer, and how many of them come before the answer."""
        asked = prompt.fallback_pieces(question.text, [prompt.Shown("")] if shown else [], 0)[-1]
        assert isinstance(asked, str)
        ids = self._ids(asked)
        return ids + self._ids(question.answer + prompt.TURN_END), len(ids)


def _captions(day: Day, size: int, rng: Random) -> FrameSet:
    """The frames of one act, asked for what is done in them: the narration itself."""
    acts = [(narration, proof) for narration, proof in zip(day.narrations, day.proofs, strict=True) if proof]
    if not acts:
        return uniform_set(day, sorted(rng.sample(range(len(day)), min(size, len(day)))), 2, rng)
    narration, proof = rng.choice(acts)
    frames = (day.within(narration, slack_s=1.0) or list(proof))[:size]
    shown = clocks(day, frames, rng.randrange(24 * 3600))
    question = Question("caption", CAPTION, f"{narration.text}.", (0,))
    return FrameSet(tuple(frames), shown, (narration,), (question,))


def _numbered(start: int, count: int, longest: int) -> Tensor:
    """start, start + 1, ... for `count` frames, then -1 up to `longest`."""
    at = torch.arange(longest)
    return torch.where(at < count, start + at, -1)


def _handled(day: Day) -> tuple[Tensor, Tensor]:
    """For every frame the kind handled now and the kind of the last finished act, 0 for none."""
    now, last = torch.zeros(len(day), dtype=torch.long), torch.zeros(len(day), dtype=torch.long)
    for event in read_events(day.narrations):
        if event.thing in day.things:
            narration, kind = day.narrations[event.index], 1 + day.things.index(event.thing)
            now[day.within(narration)] = kind
            last[torch.from_numpy(day.times_s > narration.end_s)] = kind
    return now, last


def _group(question: Question) -> int:
    if not question.answerable:
        return VAIN
    return {"where_put": WHERE, "after": ORDER, "before": ORDER}.get(question.family, REST)
