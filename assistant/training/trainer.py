"""Stage two: captions, then pointer and answers, then answers from the pointer's own choices (MM-Ego, 2.2.2 and 3.2).

One loop for every stage of a recipe: the glimpse learns which frames hold what is asked; the fallback learns to answer
from a few frames, exactly as it will be asked. Two more things are needed for answers that rest on the frames: in the
first layers a query head of each group starts aligned with its keys, and for a while the heads of one layer are told
where to look (the asked event's frames, or the question's own first word where the event is not shown). Neither
changes the model that is asked.

The vision tower is frozen: `features` (rows, patches, D) hold what it sees in every frame. This file does not know how
batches are drawn (batches.py), nor how a checkpoint is used.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from assistant.model import MMEgo
from assistant.pointer import pointer_scores, select
from assistant.training.batches import ORDER, VAIN, WHERE, Batches, Choice
from assistant.training.dataset import Day
from assistant.training.features import pooling_matrix, project
from assistant.training.losses import answer_loss, guidance_loss, pointer_loss
from assistant.training.packing import attention_log_mass, read
from assistant.training.recipe import Recipe, Stage
from assistant.training.sequences import Fallback, Glimpse, to_device
from store.disk import writing

GUIDED_LAYER = 2
LOGGED_EVERY, SAVED_EVERY = 50, 500

Measured = dict[str, float]


class HandledTargets(nn.Module):
    """From a frame's state in the glimpse: the thing handled now and the one handled last; only training has it."""

    def __init__(self, width: int, things: int) -> None:
        super().__init__()
        self.now, self.last = nn.Linear(width, things + 1), nn.Linear(width, things + 1)

    def forward(self, states: Tensor, now: Tensor, last: Tensor) -> Tensor:
        """States (B, N, C), kinds (B, N) -> loss."""
        kinds = ((self.now, now), (self.last, last))
        return torch.stack(
            [cross_entropy(head(states).flatten(0, 1).float(), kind.flatten()) for head, kind in kinds]
        ).sum()


class Trainer:
    """A model in training: its features, its days, its recipe, and where lines and measurements go."""

    def __init__(
        self,
        model: MMEgo,
        tokenizer: PreTrainedTokenizerFast,
        days: Sequence[Day],
        features: Tensor,
        recipe: Recipe,
        log: Callable[[str, Measured], None],
        workers: int,
    ) -> None:
        self.model, self._tokenizer, self._days, self._features = model, tokenizer, days, features
        self._recipe, self._log, self._workers = recipe, log, workers
        self._handled = HandledTargets(recipe.width, len(days[0].things)).to(model.device)
        self._choices: list[Choice] = []
        self._pooling = pooling_matrix(model)
        text = model.config.text_config
        group = text.num_attention_heads // text.num_key_value_heads
        self._guided_heads = [i * group for i in range(text.num_key_value_heads)]

    def run(self, stage: Stage, saved: Path) -> None:
        """Train one stage in place; goes on from `saved` where a run was cut off, is over at once where it ended."""
        torch.manual_seed(self._recipe.seed)
        optimiser = self._optimiser()
        begin = self._resume(saved, optimiser)
        if begin < stage.steps and stage.shown == "own choices":
            self._choices = self._chosen(stage, saved.with_suffix(".choices"))
        self.model.train()
        self.model.model.vision_tower.eval().requires_grad_(False)
        began, running = time.monotonic(), Averages()
        batches = iter(self._load(stage, begin))
        for step in range(begin, stage.steps):
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * stage.peak * self._recipe.schedule(step, stage.steps)
            for _ in range(self._recipe.accumulation):
                glimpse, fallback = next(batches)
                loss, measured = self._step(glimpse, fallback, guided=step < stage.guided)
                (loss / self._recipe.accumulation).backward()
                running.add(measured)
            nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if step % LOGGED_EVERY == LOGGED_EVERY - 1:
                self._log(f"{stage.name} step {step + 1} {time.monotonic() - began:.0f} s", running.values())
            if (step + 1) % SAVED_EVERY == 0 or step + 1 == stage.steps:
                save_whole(saved, (step + 1, self._learned(), self._handled.state_dict(), optimiser.state_dict()))
        self.model.eval()

    @torch.inference_mode()
    def measure(self, stage: Stage) -> Measured:
        """What a stage's batches would measure of the model as it is; nothing is learned."""
        self.model.eval()
        self._choices = self.choose(stage) if stage.shown == "own choices" else []
        found = [self._step(glimpse, fallback, guided=False)[1] for glimpse, fallback in self._load(stage, 0)]
        return {name: float(torch.stack([each[name] for each in found]).nanmean()) for name in sorted(found[0])}

    def _chosen(self, stage: Stage, saved: Path) -> list[Choice]:
        """The choices of the model as it was when the stage began, whenever the run goes on."""
        if not saved.exists():
            save_whole(saved, tuple(astuple(choice) for choice in self.choose(stage)))
        return [Choice(*parts) for parts in torch.load(saved, weights_only=True)]

    @torch.inference_mode()
    def choose(self, stage: Stage) -> list[Choice]:
        """What the pointer picks for every question, answerable or not, in many windows."""
        self.model.eval()
        batches, choices = self._batches(stage), []
        for step in range(self._recipe.choice_batches):
            spans, drawn = batches.draw(step)
            glimpse = to_device(drawn, self.model.device)
            with self._half():
                logits = self._glimpse_logits(glimpse)[0].float().cpu()
            for row, day in zip(logits, drawn.day.tolist(), strict=True):
                number, start, end = spans[day]
                scores = pointer_scores(row[: end - start])
                frames = select(scores, self._recipe.selected, self._recipe.own_choices_exploration).tolist()
                choices.append(Choice(number, start, end, tuple(frames)))
        return choices

    def _step(self, glimpse: Glimpse | None, fallback: Fallback, guided: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """One batch -> the loss, and what the log wants to know."""
        recipe = self._recipe
        measured: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self.model.device)
        with self._half():
            if glimpse:
                glimpse = to_device(glimpse, self.model.device)
                logits, states = self._glimpse_logits(glimpse)
                found = pointer_loss(recipe.pointer_loss, logits, glimpse.labels)
                handled = self._handled(states, glimpse.now, glimpse.last)
                loss = loss + found + recipe.handled_weight * handled
                measured |= {"pointer": found, "handled": handled, "recall": _recall(logits, glimpse, recipe.selected)}
            fallback = to_device(fallback, self.model.device)
            answer, guidance, right = self._answer(fallback, guided)
        loss = loss + recipe.answer_weight * answer + recipe.attention_weight * guidance
        measured |= {"answer": answer, "guidance": guidance, **_shares(right, fallback.group)}
        return loss, {name: value.detach() for name, value in measured.items()}

    def _glimpse_logits(self, glimpse: Glimpse) -> tuple[Tensor, Tensor]:
        """-> logits (Q, N), -inf where there is no frame, and the frames' states (B, N, C)."""
        model = self.model
        compressed = model.compress(project(model, self._look_up(glimpse.rows), self._pooling))  # (M, C)
        states, _ = read(model.model.language_model, self._table(compressed), glimpse.layout)
        frames = states[:, : glimpse.frames.shape[1]]  # (B, N, C)
        pointers = states[glimpse.day, glimpse.at]  # (Q, C)
        with torch.autocast(self.model.device.type, enabled=False):  # as pointer_logits does, every pointer at once
            every = (pointers @ frames.flatten(0, 1).T).unflatten(1, frames.shape[:2])  # (Q, B, N)
        logits = every[torch.arange(len(pointers), device=every.device), glimpse.day]  # (Q, N)
        return logits.masked_fill(glimpse.frames[glimpse.day] < 0, float("-inf")), frames

    def _answer(self, fallback: Fallback, guided: bool) -> tuple[Tensor, Tensor, Tensor]:
        """-> the answers' loss, the guided heads' loss, and which questions were answered rightly (Q,)."""
        language = self.model.model.language_model
        visual = project(self.model, self._look_up(fallback.rows), self._pooling).flatten(0, 1)  # (frames * T, C)
        states, inputs = read(language, self._table(visual), fallback.layout)
        logits = self.model.lm_head(states[fallback.day, fallback.at])
        loss, right = answer_loss(logits, fallback.target, fallback.question, fallback.weight)
        if not guided:
            return loss, loss.new_zeros(()), right
        log_mass = attention_log_mass(language, GUIDED_LAYER, inputs[GUIDED_LAYER], fallback.layout, self._guided_heads)
        questions = torch.arange(len(fallback.look), device=loss.device)
        day = torch.cat([fallback.mark_day, fallback.day])
        at = torch.cat([fallback.mark_at, fallback.at])
        return loss, guidance_loss(log_mass, day, at, torch.cat([questions, fallback.question]), fallback.look), right

    def _look_up(self, rows: Tensor) -> Tensor:
        return self._features[rows.to(self._features.device)].to(self.model.device)

    def _table(self, visual: Tensor) -> Tensor:
        """[words; memory pointer; visual tokens] (rows, C), as batches number them."""
        words = self.model.model.language_model.embed_tokens.weight
        return torch.cat([words, self.model.memory_pointer, visual.to(words)])

    def _batches(self, stage: Stage) -> Batches:
        tokens = self.model.config.tokens_a_frame
        return Batches(self._days, self._tokenizer, tokens, self._recipe, stage, self._choices)

    def _load(self, stage: Stage, begin: int) -> DataLoader[tuple[Glimpse | None, Fallback]]:
        batches = self._batches(stage)
        steps = range(begin * self._recipe.accumulation, len(batches))
        ahead = 4 if self._workers else None
        return DataLoader(batches, batch_size=None, sampler=steps, num_workers=self._workers, prefetch_factor=ahead)

    def _half(self) -> torch.autocast:
        return torch.autocast(self.model.device.type, torch.bfloat16)

    def _optimiser(self) -> torch.optim.AdamW:
        """AdamW over what is to be learned; the projector learns more slowly.

        The tower's patches are long vectors, and at the language model's rate the visual tokens grow to forty times
        the length of a word within 500 steps: no layer can then change what stands at their place.
        """
        self.model.model.vision_tower.requires_grad_(False)
        projector = [p for p in self.model.model.multi_modal_projector.parameters() if p.requires_grad]
        own = {id(p) for p in projector}
        every = [*self.model.parameters(), *self._handled.parameters()]
        rest = [p for p in every if p.requires_grad and id(p) not in own]
        lr, share = self._recipe.lr, self._recipe.projector_lr_share
        groups = [
            {"params": projector, "weight_decay": 0.05, "peak": lr * share},
            {"params": [p for p in rest if p.dim() >= 2], "weight_decay": 0.05, "peak": lr},
            {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0, "peak": lr},
        ]
        return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98))

    def _resume(self, saved: Path, optimiser: torch.optim.Optimizer) -> int:
        if not saved.exists():
            return 0
        step, weights, heads, moments = torch.load(saved, weights_only=True, map_location=self.model.device)
        self.model.load_state_dict(weights, strict=False)
        self._handled.load_state_dict(heads)
        optimiser.load_state_dict(moments)
        return int(step)

    def _learned(self) -> dict[str, Tensor]:
        """The weights that learn: what is frozen is not written again and again."""
        return {name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad}


class Averages:
    """Running means of what was measured, kept where it was computed until somebody reads them."""

    def __init__(self) -> None:
        self._means: dict[str, Tensor] = {}

    def add(self, measured: dict[str, Tensor]) -> None:
        for name, value in measured.items():
            before = self._means.get(name, value)
            before = torch.where(before.isnan(), value, before)
            self._means[name] = torch.where(value.isnan(), before, torch.lerp(before.float(), value.float(), 0.1))

    def values(self) -> Measured:
        return {name: float(value) for name, value in sorted(self._means.items())}


def _recall(logits: Tensor, glimpse: Glimpse, k: int) -> Tensor:
    """Share of key frames among the k of the highest score, over answerable questions."""
    best = logits.topk(min(k, logits.shape[1]), dim=-1).indices
    hits, wanted = glimpse.labels.gather(1, best).sum(-1), glimpse.labels.sum(-1).clamp(max=k)
    return (hits / wanted.clamp(min=1)).sum() / (wanted > 0).sum()  # nan where nothing could be found


def _shares(right: Tensor, group: Tensor) -> dict[str, Tensor]:
    """Share of right answers: all, where put, in order, not seen."""
    hits = right.float()
    named = {"right_where": WHERE, "right_order": ORDER, "right_vain": VAIN}
    shares = {name: (hits * (group == number)).sum() / (group == number).sum() for name, number in named.items()}
    return {"right": hits.mean(), **shares}


def save_whole(path: Path, state: tuple[object, ...]) -> None:
    """The file appears whole or not at all. Raises DiskFull."""
    unfinished, content = path.with_suffix(".part"), BytesIO()
    torch.save(state, content)  # not into the file: of a full disk torch says nothing that could be told from a fault
    with writing(path):
        unfinished.write_bytes(content.getbuffer())
        unfinished.rename(path)
