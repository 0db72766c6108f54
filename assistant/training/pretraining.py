"""Stage one: the recall encoder and, in it, the vision tower, from scratch on simulated days.

Frames and what is narrated or asked of them meet in one space by SigLIP's pairwise sigmoid loss (arXiv 2303.15343).
Small things would stay invisible to that loss alone, so every patch also learns what fills its cell, and the mean of
the patches, which is all that the glimpse will see, learns what is in the hand, its colour, the room and the surface.
The targets come from the renderer and are thrown away with their heads.

This file does not know the language model or the pointer.
"""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils.data import DataLoader, Dataset

from assistant.encoder import RecallConfig, RecallModel
from assistant.training.data_engine import key_frames
from assistant.training.dataset import LABELS, Episode, day_of, decode
from assistant.training.events import read_events
from assistant.training.recipe import Recipe

ACTS = ("put", "pick up", "open", "close", "turn on", "turn off")
LOGGED_EVERY, SAVED_EVERY = 100, 1000


class DenseTargets(nn.Module):
    """Linear heads on patches and on their mean; only training has them."""

    def __init__(self, width: int, vocabulary: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        things, colours, furniture = (len(vocabulary[name]) + 1 for name in ("things", "colours", "furniture"))
        self.patch = nn.ModuleDict({
            "thing_cells": nn.Linear(width, things),
            "colour_cells": nn.Linear(width, colours),
            "furniture_cells": nn.Linear(width, furniture),
        })  # fmt: skip
        self.mean = nn.ModuleDict({
            "held": nn.Linear(width, things),
            "held_colours": nn.Linear(width, colours),
            "rooms": nn.Linear(width, len(vocabulary["room_kinds"])),
            "surface": nn.Linear(width, furniture),
            "act": nn.Linear(width, len(ACTS) + 1),
            "hands": nn.Linear(width, 3),
        })  # fmt: skip

    def forward(
        self, patches: Tensor, labels: dict[str, Tensor], background: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Patches (B, patches, D) and labels -> the summed loss, and the share of right answers by head."""
        mean = patches.mean(dim=1)
        total, shares = patches.new_zeros(()), dict[str, Tensor]()
        for name, head in self.patch.items():
            logits, wanted = head(patches).flatten(0, 1).float(), labels[name].flatten()
            weight = logits.new_ones(logits.shape[-1])
            weight[0] = 0.25 if name == "furniture_cells" else background
            total = total + cross_entropy(logits, wanted, weight)
            shares[name] = _right(logits, wanted)
        for name, head in self.mean.items():
            logits = head(mean).float()
            total = total + cross_entropy(logits, labels[name])
            shares[name] = _right(logits, labels[name], first=0 if name == "rooms" else 1)
        return total, shares


def _right(logits: Tensor, wanted: Tensor, *, first: int = 1) -> Tensor:
    """Share of right answers where there is something to name; nan where there is nothing."""
    there = wanted >= first
    return ((logits.argmax(-1) == wanted) & there).sum() / there.sum()


class Pictures(Dataset[tuple[Tensor, dict[str, Tensor], Tensor, Tensor, Tensor]]):
    """The frames that stage one learns from: all with a hand at work and as many others, with labels and texts.

    An item is a whole step's batch, drawn from seed and step alone, so that worker processes can decode it ahead.
    """

    def __init__(self, episodes: Iterable[Episode], recipe: Recipe, ids: Callable[[str], Tensor]) -> None:
        rng = Random(recipe.seed)
        self._recipe, self._ids = recipe, ids
        self._jpegs: list[np.ndarray] = []
        self._texts: list[list[str]] = []
        labels: dict[str, list[np.ndarray]] = {name: [] for name in (*LABELS, "surface", "act")}
        self.vocabulary: dict[str, tuple[str, ...]] = {}
        for episode in episodes:
            self.vocabulary = episode.vocabulary
            surface, act, said = _acts(episode, rng)
            busy, idle = (np.flatnonzero(act > 0).tolist(), np.flatnonzero(act == 0).tolist())
            chosen = sorted(busy + rng.sample(idle, min(len(idle), len(busy))))
            self._jpegs += [episode.jpegs[i] for i in chosen]
            self._texts += [said[i] for i in chosen]
            for name, column in ({**episode.labels, "surface": surface, "act": act}).items():
                labels[name].append(column[chosen])
        self._labels = {name: torch.from_numpy(np.concatenate(columns)) for name, columns in labels.items()}

    def __len__(self) -> int:
        return len(self._jpegs)

    def __getitem__(self, step: int) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor, Tensor]:
        """-> pictures (B, P, P, 3) uint8, labels, which of them something is said of (n,), its ids (n, L), and which
        say the same (n, n)."""
        rng = np.random.default_rng((self._recipe.seed, step))
        rows = rng.integers(0, len(self), self._recipe.tower_batch)
        spoken = [i for i, row in enumerate(rows) if self._texts[row]]
        said = [self._texts[rows[i]][rng.integers(len(self._texts[rows[i]]))] for i in spoken]
        numbers = torch.tensor([hash(text) for text in said])
        return (
            torch.from_numpy(np.stack([decode(self._jpegs[row]) for row in rows])),
            {name: column[rows].long() for name, column in self._labels.items()},
            torch.tensor(spoken, dtype=torch.long),
            torch.stack([self._ids(text) for text in said]),
            numbers[:, None] == numbers[None],
        )


def _acts(episode: Episode, rng: Random) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """For every frame: the surface acted on, the act (0 none), and the sentences that are true of it."""
    count = len(episode.times_s)
    surface, act = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    said: list[list[str]] = [[] for _ in range(count)]
    furniture = episode.vocabulary["furniture"]
    for event in read_events(episode.narrations):
        narration, piece = episode.narrations[event.index], event.place.removeprefix(event.room).strip()
        for i in np.flatnonzero((episode.times_s >= narration.start_s) & (episode.times_s <= narration.end_s)):
            act[i], surface[i] = ACTS.index(event.verb) + 1, furniture.index(piece) + 1 if piece else 0
            said[i].append(narration.text)
    for question in day_of(episode, 0).questions(rng):
        for frame in key_frames(question, episode.narrations, episode.times_s.tolist()):
            said[frame].append(question.text)
    return surface, act, said


def pretrain(
    pictures: Pictures,
    held_out: Pictures,
    config: RecallConfig,
    recipe: Recipe,
    device: torch.device,
    workers: int,
    log: Callable[[str, dict[str, float]], None],
    checkpoint: Path,
) -> tuple[RecallModel, DenseTargets]:
    """Train a RecallModel and its heads; resumes from `checkpoint` where a run was cut off."""
    torch.manual_seed(recipe.seed)
    model = RecallModel(config)
    model.logit_scale.data.fill_(math.log(10.0))  # SigLIP's own start
    model.logit_bias.data.fill_(-10.0)
    if device.type == "cpu":
        model.vision_model.set_attn_implementation("eager")  # over 100 patches the fused backward takes longer there
    targets = DenseTargets(config.vision_config.hidden_size, pictures.vocabulary)
    model, targets = model.to(device), targets.to(device)  # type: ignore[arg-type]  # transformers wraps it untyped
    parameters = [*model.parameters(), *targets.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.tower_lr, weight_decay=0.05, betas=(0.9, 0.98))
    begin = _resume(checkpoint, model, targets, optimiser, device)
    steps = range(begin, recipe.tower_steps)
    began = time.monotonic()
    for step, batch in zip(steps, _load(pictures, steps, workers), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = recipe.tower_lr * recipe.schedule(step, recipe.tower_steps)
        torch.manual_seed(recipe.seed + step)  # a step draws the same whether or not the run was cut before it
        with torch.autocast(device.type, torch.bfloat16):
            loss, shares = _loss(model, targets, batch, recipe.background, augment=True)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if step % LOGGED_EVERY == LOGGED_EVERY - 1:
            log(f"tower step {step + 1} {time.monotonic() - began:.0f} s", {"loss": loss.item(), **_plain(shares)})
        if step % SAVED_EVERY == SAVED_EVERY - 1 or step + 1 == recipe.tower_steps:
            torch.save((step + 1, model.state_dict(), targets.state_dict(), optimiser.state_dict()), checkpoint)
            log(f"tower step {step + 1} held out", _held_out_shares(model, targets, held_out))
    return model.eval(), targets


def _load(pictures: Pictures, steps: range, workers: int) -> Iterable[Any]:
    ahead = 4 if workers else None
    return DataLoader(pictures, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=ahead)


def _loss(
    model: RecallModel, targets: DenseTargets, batch: Any, background: float, *, augment: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Dense targets, plus the sigmoid loss of the frames that something is said of."""
    device = model.device
    pictures, labels, spoken, ids, same = batch
    labels = {name: column.to(device, non_blocking=True) for name, column in labels.items()}
    output = model.vision_model(_pixels(pictures.to(device), augment), output_hidden_states=True)
    loss, shares = targets(output.hidden_states[-1], labels, background)
    seen = nn.functional.normalize(output.pooler_output[spoken.to(device)].float(), dim=-1)
    words = nn.functional.normalize(model.get_text_features(ids.to(device)).pooler_output.float(), dim=-1)
    logits = seen @ words.T * model.logit_scale.exp() + model.logit_bias
    same = same.to(device)
    pairwise = -logsigmoid(torch.where(same, logits, -logits)).sum(-1).mean()
    shares["recall"] = same.gather(1, logits.argmax(-1, keepdim=True)).float().mean()
    return loss + 0.3 * pairwise, shares


def _pixels(pictures: Tensor, augment: bool) -> Tensor:
    """Pictures (B, P, P, 3) uint8 -> pixels (B, 3, P, P) in [-1, 1], a little brighter, darker or off-colour."""
    pixel_values = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    if augment:
        gain = 1 + 0.12 * torch.randn(len(pictures), 1, 1, 1, device=pictures.device)
        tint = 1 + 0.03 * torch.randn(len(pictures), 3, 1, 1, device=pictures.device)
        pixel_values = ((pixel_values + 1) * gain * tint - 1).clamp(-1, 1)
        pixel_values = pixel_values + 0.02 * torch.randn_like(pixel_values)
    return pixel_values


@torch.no_grad()
def _held_out_shares(model: RecallModel, targets: DenseTargets, pictures: Pictures) -> dict[str, float]:
    model.eval()
    with torch.autocast(model.device.type, torch.bfloat16):
        parts = [_plain(_loss(model, targets, pictures[batch], 1.0, augment=False)[1]) for batch in range(8)]
    model.train()
    return {name: float(np.nanmean([part[name] for part in parts])) for name in parts[0]}


def _plain(shares: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(share) for name, share in shares.items()}


def _resume(
    checkpoint: Path, model: RecallModel, targets: DenseTargets, optimiser: torch.optim.Optimizer, device: torch.device
) -> int:
    if not checkpoint.exists():
        return 0
    step, weights, heads, moments = torch.load(checkpoint, weights_only=True, map_location=device)
    model.load_state_dict(weights)
    targets.load_state_dict(heads)
    optimiser.load_state_dict(moments)
    return int(step)
