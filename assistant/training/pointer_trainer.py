"""The loop that trains a pointer and LoRA on narrated films: which frames hold what is asked, and answers from them.

Both passes pack a lesson's questions behind one visual prefix (packing.py) and use the losses of the nano's training.
The model runs as it runs when asked, in its own precision; only what learns is kept in fp32. This file does not know
how lessons are drawn (lessons.py), nor files of adapters.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from assistant import prompt
from assistant.adapter import learned
from assistant.model import MMEgo
from assistant.pointer import pointer_logits
from assistant.training.data_engine import Question
from assistant.training.film_frames import FilmFrames
from assistant.training.lessons import Lesson, Lessons
from assistant.training.losses import answer_loss, pointer_loss
from assistant.training.packing import Layout, lay_out, read
from assistant.training.phrasings import clock
from assistant.training.recipe import PointerRecipe, warm_cosine
from assistant.training.trainer import Averages, Measured, save_whole
from store.errors import UserError

LOGGED_EVERY, SAVED_EVERY = 10, 50


class PointerTrainer:
    """A model with adapters in training, on these films' frames."""

    def __init__(
        self,
        model: MMEgo,
        tokenizer: PreTrainedTokenizerFast,
        films: Mapping[str, FilmFrames],
        recipe: PointerRecipe,
        log: Callable[[str, Measured], None],
    ) -> None:
        self._model, self._tokenizer, self._films, self._recipe, self._log = model, tokenizer, films, recipe, log
        model.train()  # for measuring too: nothing is dropped out, and on a CPU layers of 4 bit that were asked once
        model.model.vision_tower.eval()  # in evaluation mode have no gradient any more

    def run(self, lessons: Lessons, saved: Path) -> None:
        """Train in place; goes on from `saved` where this run was cut off, is over at once where it ended.

        Raises UserError where `saved` is damaged, DiskFull where it cannot be written.
        """
        recipe, own = self._recipe, learned(self._model)
        optimiser = torch.optim.AdamW(own.values(), lr=recipe.lr, weight_decay=0.0)
        begin = self._resume(saved, optimiser)
        began, running = time.monotonic(), Averages()
        for step in range(begin, recipe.steps):
            for group in optimiser.param_groups:
                group["lr"] = recipe.lr * warm_cosine(step, recipe.steps, recipe.warm_up)
            for number in range(step * recipe.lessons, (step + 1) * recipe.lessons):
                loss, measured = self.learn(lessons[number])
                (loss / recipe.lessons).backward()
                running.add(measured)
            nn.utils.clip_grad_norm_(own.values(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if (step + 1) % LOGGED_EVERY == 0:
                self._log(f"pointer step {step + 1} {time.monotonic() - began:.0f} s", running.values())
            if (step + 1) % SAVED_EVERY == 0 or step + 1 == recipe.steps:
                save_whole(saved, (step + 1, {n: w.detach() for n, w in own.items()}, optimiser.state_dict()))

    @torch.no_grad()
    def measure(self, lessons: Iterable[Lesson]) -> Measured:
        """Means of what is measured in these lessons; nothing is learned."""
        found = [self.learn(lesson)[1] for lesson in lessons]
        return {name: float(torch.stack([each[name].float() for each in found]).nanmean()) for name in found[0]}

    def learn(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """One lesson -> the loss, and what the log wants to know."""
        logits = self.score(lesson)
        labels = torch.zeros(logits.shape, dtype=torch.bool)
        for row, keys in enumerate(lesson.keys):
            labels[row, list(keys)] = True
        labels = labels.to(logits.device)
        found = pointer_loss(self._recipe.pointer_loss, logits, labels)
        measured = {"pointer": found, **_found(logits, labels, self._model.config.selected)}
        loss = found
        if lesson.answered:
            answer, right = self._answer(lesson)
            loss = loss + self._recipe.answer_weight * answer
            measured |= {"answer": answer, "right": right.float().mean()}
        else:
            measured |= dict.fromkeys(("answer", "right"), found.new_tensor(float("nan")))
        return loss, {name: value.detach() for name, value in measured.items()}

    def score(self, lesson: Lesson) -> Tensor:
        """The glimpse: a logit for every question and candidate (Q, N)."""
        count = len(lesson.candidates)
        words = _Words(first_row=count + 1)  # behind the frames and the pointer
        texts = [prompt.token_ids(prompt.glimpse_text(each.text), self._tokenizer) for each in lesson.questions]
        segments = [[*words.rows(ids), count] for ids in texts]
        layout, (starts,) = lay_out([range(count)], [segments])
        compressed = self._films[lesson.film].compressed[list(lesson.candidates)].to(self._model.device)
        states = self._read(torch.cat([compressed, self._model.memory_pointer]), words, layout)
        ends = [start + len(segment) - 1 for start, segment in zip(starts, segments, strict=True)]
        return pointer_logits(states[:count], states[ends])

    def _answer(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """The fallback: -> the answers' loss, and which were right (Q,)."""
        film, tokens = self._films[lesson.film], self._model.config.tokens_a_frame
        words = _Words(first_row=len(lesson.shown) * tokens)
        prefix: list[int] = []
        for piece in prompt.tokenise(_shown(film.times_s[list(lesson.shown)].tolist()), self._tokenizer):
            if isinstance(piece, prompt.FrameSlot):
                prefix += range(piece.index * tokens, (piece.index + 1) * tokens)
            else:
                prefix += words.rows(piece)
        asked = [prompt.token_ids(_asked(each), self._tokenizer) for each in lesson.answered]
        answers = [prompt.token_ids(self._right(each) + prompt.TURN_END, self._tokenizer) for each in lesson.answered]
        segments = [words.rows([*ids, *answer[:-1]]) for ids, answer in zip(asked, answers, strict=True)]
        layout, (starts,) = lay_out([prefix], [segments])
        states = self._read(self._see(film.pictures(lesson.shown)).flatten(0, 1), words, layout)
        at = [
            start + len(ids) - 1 + i
            for start, ids, answer in zip(starts, asked, answers, strict=True)
            for i in range(len(answer))
        ]
        logits = self._model.lm_head(states[at].to(self._words_dtype))
        target = torch.tensor([token for answer in answers for token in answer], device=logits.device)
        owner = torch.repeat_interleave(torch.tensor([len(answer) for answer in answers])).to(logits.device)  # (P,)
        return answer_loss(logits, target, owner, torch.ones(len(answers), device=logits.device))

    def _read(self, first: Tensor, words: "_Words", layout: Layout) -> Tensor:
        """The rows of a table [first; words] (rows, C) as one layout reads them -> last hidden states (S, C)."""
        table = torch.cat([first.to(self._words_dtype), self._model.embed_ids(words.ids)])
        return read(self._model.model.language_model, table, layout.to(table.device))[0][0]

    @torch.no_grad()
    def _see(self, pictures: Sequence[np.ndarray]) -> Tensor:
        return self._model.encode_frames(self._model.pixels(pictures))

    def _right(self, question: Question) -> str:
        return question.answer if question.answerable else self._model.config.not_seen_text

    @property
    def _words_dtype(self) -> torch.dtype:
        """The precision that the base runs in; in 4 and 8 bit too its words have one."""
        return self._model.model.language_model.embed_tokens.weight.dtype

    def _resume(self, saved: Path, optimiser: torch.optim.Optimizer) -> int:
        if not saved.exists():
            return 0
        try:
            step, weights, moments = torch.load(saved, weights_only=True, map_location=self._model.device)
            for name, weight in learned(self._model).items():
                weight.data.copy_(weights[name])
            optimiser.load_state_dict(moments)
            return int(step)
        except Exception as error:  # of a file that is damaged torch raises everything
            raise UserError(f"{saved} is damaged.", "Remove it; the training begins anew.") from error


class _Words:
    """The different tokens of a lesson, each a row of the table from `first_row` on, numbered as they come."""

    def __init__(self, first_row: int) -> None:
        self._first_row, self._known = first_row, dict[int, int]()

    @property
    def ids(self) -> list[int]:
        return list(self._known)

    def rows(self, ids: Sequence[int]) -> list[int]:
        return [self._first_row + self._known.setdefault(token, len(self._known)) for token in ids]


def _shown(times_s: Sequence[float]) -> list[prompt.Piece]:
    """The shown frames with the film's clock, up to where the question begins."""
    return prompt.fallback_pieces("", [prompt.Shown(clock(at_s)) for at_s in times_s], 0)[:-1]


def _asked(question: Question) -> str:
    """The question as it stands behind the shown frames."""
    return str(prompt.fallback_pieces(question.text, [prompt.Shown("")], 0)[-1])


def _found(logits: Tensor, labels: Tensor, k: int) -> dict[str, Tensor]:
    """Over the questions with key frames: how often one ranks first, and their share among the k best."""
    logits, labels = logits[labels.any(-1)], labels[labels.any(-1)]
    best = logits.topk(min(k, logits.shape[1]), dim=-1).indices
    hits = labels.gather(1, best).float()
    return {"first": hits[:, 0].mean(), "recall": (hits.sum(-1) / labels.sum(-1).clamp(max=k)).mean()}
