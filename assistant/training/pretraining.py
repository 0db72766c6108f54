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

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import PreTrainedTokenizerFast

from assistant.encoder import RecallConfig, RecallModel, padded_ids
from assistant.training.data_engine import key_frames
from assistant.training.dataset import LABELS, Episode
from assistant.training.recipe import Recipe

ACTS = ("put", "pick", "open", "close", "turn on", "turn off")


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
        })  # fmt: skip

    def forward(self, patches: Tensor, labels: dict[str, Tensor], background: float) -> tuple[Tensor, dict[str, float]]:
        """Patches (B, patches, D) and labels -> the summed loss, and the share of right answers by head."""
        mean = patches.mean(dim=1)
        total, shares = patches.new_zeros(()), {}
        for name, head in self.patch.items():
            logits, wanted = head(patches).flatten(0, 1).float(), labels[name].flatten()
            weight = torch.full((logits.shape[-1],), 1.0)
            weight[0] = 0.25 if name == "furniture_cells" else background
            total = total + cross_entropy(logits, wanted, weight)
            shares[name] = _right(logits, wanted)
        for name, head in self.mean.items():
            logits = head(mean).float()
            total = total + cross_entropy(logits, labels[name])
            shares[name] = (
                _right(logits, labels[name])
                if name != "rooms"
                else float((logits.argmax(-1) == labels[name]).float().mean())
            )
        return total, shares


def _right(logits: Tensor, wanted: Tensor) -> float:
    """Share of right answers where there is something to name."""
    there = wanted > 0
    return float((logits.argmax(-1) == wanted)[there].float().mean()) if there.any() else math.nan


class Pictures:
    """The frames that stage one learns from: all with a hand at work and half as many others, with labels and texts."""

    def __init__(self, episodes: Iterable[Episode], rng: Random) -> None:
        images: list[np.ndarray] = []
        labels: dict[str, list[np.ndarray]] = {name: [] for name in (*LABELS, "surface", "act")}
        self.texts: list[list[str]] = []
        self.vocabulary: dict[str, tuple[str, ...]] = {}
        for episode in episodes:
            self.vocabulary = episode.vocabulary
            surface, act, said = _acts(episode, rng)
            busy = [i for i in range(len(episode.times_s)) if act[i]]
            idle = [i for i in range(len(episode.times_s)) if not act[i]]
            chosen = sorted(busy + rng.sample(idle, min(len(idle), len(busy) // 2)))
            images.append(episode.frames[chosen])
            self.texts += [said[i] for i in chosen]
            for name, column in ({**episode.labels, "surface": surface, "act": act}).items():
                labels[name].append(column[chosen])
        self._images = images  # one array an episode: joined they would need twice the memory for a while
        self._ends = np.cumsum([len(part) for part in images])
        self.labels = {name: torch.from_numpy(np.concatenate(columns)).long() for name, columns in labels.items()}

    def __len__(self) -> int:
        return int(self._ends[-1])

    def batch(self, rows: np.ndarray, augment: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """-> pixels (B, 3, P, P) in [-1, 1], a little brighter, darker or off-colour, and the labels."""
        parts = np.searchsorted(self._ends, rows, side="right")
        images = [self._images[part][row - self._ends[part]] for part, row in zip(parts, rows, strict=True)]
        pixel_values = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        if augment:
            gain = 1 + 0.12 * torch.randn(len(rows), 1, 1, 1)
            tint = 1 + 0.03 * torch.randn(len(rows), 3, 1, 1)
            pixel_values = ((pixel_values + 1) * gain * tint - 1).clamp(-1, 1)
            pixel_values = pixel_values + 0.02 * torch.randn_like(pixel_values)
        return pixel_values, {name: column[rows] for name, column in self.labels.items()}


def _acts(episode: Episode, rng: Random) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """For every frame: the surface acted on, the act (0 none), and the sentences that are true of it."""
    count = len(episode.times_s)
    surface, act = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    said: list[list[str]] = [[] for _ in range(count)]
    furniture = episode.vocabulary["furniture"]
    for narration in episode.narrations:
        verb = next(number for number, verb in enumerate(ACTS) if narration.text.startswith(f"I {verb}"))
        piece = max((kind for kind in furniture if narration.text.endswith(f" {kind}")), key=len, default="")
        for i in np.flatnonzero((episode.times_s >= narration.start_s) & (episode.times_s <= narration.end_s)):
            act[i], surface[i] = verb + 1, furniture.index(piece) + 1 if piece else 0
            said[i].append(narration.text)
    for question in episode.questions(rng):
        for frame in key_frames(question, episode.narrations, episode.times_s.tolist()):
            said[frame].append(question.text)
    return surface, act, said


def pretrain(
    pictures: Pictures,
    held_out: Pictures,
    config: RecallConfig,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    log: Callable[[str], None],
    checkpoint: Path,
) -> tuple[RecallModel, DenseTargets]:
    """Train a RecallModel and its heads; resumes from `checkpoint` where a run was cut off."""
    torch.manual_seed(recipe.seed)
    model = RecallModel(config)
    model.logit_scale.data.fill_(math.log(10.0))  # SigLIP's own start
    model.logit_bias.data.fill_(-10.0)
    model.vision_model.set_attn_implementation("eager")  # over 64 patches the fused backward takes longer
    targets = DenseTargets(config.vision_config.hidden_size, pictures.vocabulary)
    parameters = [*model.parameters(), *targets.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.tower_lr, weight_decay=0.05, betas=(0.9, 0.98))
    begin = _resume(checkpoint, model, targets, optimiser)
    began = time.monotonic()
    for step in range(begin, recipe.tower_steps):
        stage, within = recipe.tower_stage(step)
        for group in optimiser.param_groups:
            group["lr"] = recipe.tower_lr * recipe.schedule(within, stage.planned)
        torch.manual_seed(recipe.seed + step)  # a step draws the same whether or not the run was cut before it
        rng = np.random.default_rng((recipe.seed, step))
        rows = rng.integers(0, len(pictures), recipe.tower_batch)
        pixel_values, labels = pictures.batch(rows, augment=True)
        with torch.autocast("cpu", torch.bfloat16):
            said = [pictures.texts[row] for row in rows]
            loss, shares = _loss(model, targets, pixel_values, labels, said, stage.background, tokenizer, rng)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if step % 100 == 99:
            log(f"tower step {step + 1} loss {loss.item():.3f} {time.monotonic() - began:.0f} s {_show(shares)}")
        if step % 500 == 499 or step + 1 == recipe.tower_steps:
            torch.save((step + 1, model.state_dict(), targets.state_dict(), optimiser.state_dict()), checkpoint)
            log(f"tower step {step + 1} held out {_show(_held_out_shares(model, targets, held_out))}")
    return model.eval(), targets


def _loss(
    model: RecallModel,
    targets: DenseTargets,
    pixel_values: Tensor,
    labels: dict[str, Tensor],
    texts: list[list[str]],
    background: float,
    tokenizer: PreTrainedTokenizerFast,
    rng: np.random.Generator,
) -> tuple[Tensor, dict[str, float]]:
    """Dense targets, plus the sigmoid loss of the frames that something is said of."""
    output = model.vision_model(pixel_values, output_hidden_states=True)
    loss, shares = targets(output.hidden_states[-1], labels, background)
    spoken = [i for i, own in enumerate(texts) if own]
    said = [texts[i][rng.integers(len(texts[i]))] for i in spoken]
    ids = torch.stack([padded_ids(text, tokenizer, model.config.text_config) for text in said])
    pictures = nn.functional.normalize(output.pooler_output[spoken].float(), dim=-1)
    words = nn.functional.normalize(model.get_text_features(ids).pooler_output.float(), dim=-1)
    logits = pictures @ words.T * model.logit_scale.exp() + model.logit_bias
    same = torch.tensor([[a == b for b in said] for a in said])
    pairwise = -logsigmoid(torch.where(same, logits, -logits)).sum(-1).mean()
    shares["recall"] = float(same.gather(1, logits.argmax(-1, keepdim=True)).float().mean())
    return loss + 0.3 * pairwise, shares


@torch.no_grad()
def _held_out_shares(model: RecallModel, targets: DenseTargets, pictures: Pictures) -> dict[str, float]:
    model.eval()
    rows = np.random.default_rng(0).permutation(len(pictures))[:2000]
    with torch.autocast("cpu", torch.bfloat16):
        parts = []
        for part in np.array_split(rows, 16):
            pixel_values, labels = pictures.batch(part, augment=False)
            patches = model.vision_model(pixel_values, output_hidden_states=True).hidden_states[-1]
            parts.append(targets(patches, labels, 1.0)[1])
    model.train()
    return {name: float(np.nanmean([part[name] for part in parts])) for name in parts[0]}


def _resume(checkpoint: Path, model: RecallModel, targets: DenseTargets, optimiser: torch.optim.Optimizer) -> int:
    if not checkpoint.exists():
        return 0
    step, weights, heads, moments = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(weights)
    targets.load_state_dict(heads)
    optimiser.load_state_dict(moments)
    return int(step)


def _show(shares: dict[str, float]) -> str:
    return " ".join(f"{name} {share:.3f}" for name, share in shares.items())
