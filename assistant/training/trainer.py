"""Stage two: pointer, glimpse and answerer, on the tower's frozen features (MM-Ego, sections 2.2.2 and 3.2).

Every step reads a few days. The glimpse learns which frames hold what is asked (cross-entropy of the pointer's softmax
against the key frames, evenly); the fallback learns to answer from a few frames, chosen by hand or by the pointer
itself, exactly as it will be asked: the answer part never sees the glimpse.

Two more things, needed for answers that rest on the frames: in the first layers a query head of each group starts
aligned with its keys, and for most of the training the heads of one layer are told where to look (the asked event's
frames, or the question's own first word where the event is not shown). Neither changes the model that is asked.

This file does not know how pictures were made or how a checkpoint is used.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax
from transformers import PreTrainedTokenizerFast

from assistant import prompt
from assistant.model import MMEgo
from assistant.pointer import pointer_logits, pointer_scores, select
from assistant.training.data_engine import Question, key_frames
from assistant.training.dataset import Episode, FrameSet, frame_set, multi_event_set
from assistant.training.packing import attention_log_mass, pack
from assistant.training.recipe import Recipe

WEIGHTS = {"where_put": 3.0, "what_on": 2.5, "after": 2.0, "did_i": 1.6, "colour": 1.5, "where_picked_up": 2.0}
GUIDED_LAYER = 2
SAVED_EVERY = 100


@dataclass(frozen=True)
class Day:
    """An episode's window as one step sees it: its visual tokens, what is asked of it, and a set to answer from."""

    episode: Episode
    visual: Tensor  # (N, T, C)
    questions: list[Question]
    labels: list[list[int]]  # for each question its key frames


class HandledTargets(nn.Module):
    """From a frame's state in the glimpse: the thing handled now and the one handled last; only training has it."""

    def __init__(self, width: int, things: int) -> None:
        super().__init__()
        self.now, self.last = nn.Linear(width, things + 1), nn.Linear(width, things + 1)

    def forward(self, states: Tensor, episode: Episode) -> Tensor:
        """States (N, C) -> loss."""
        now, last = _handled(episode)
        return cross_entropy(self.now(states).float(), now) + cross_entropy(self.last(states).float(), last)


def prepare(model: MMEgo, recipe: Recipe) -> None:
    """Initialise the language model; query and key of the first head of each group start equal in the first layers."""
    language = model.model.language_model
    generator = torch.Generator().manual_seed(recipe.seed)
    for weight in language.parameters():
        if weight.dim() == 2:
            nn.init.normal_(weight, 0.0, 0.04, generator=generator)
    group, width = recipe.heads // recipe.key_value_heads, recipe.width // recipe.heads
    for block in list(language.layers)[:3]:
        for shared in range(recipe.key_value_heads):
            matched = torch.randn(width, recipe.width, generator=generator) * 0.1
            head = shared * group
            block.self_attn.q_proj.weight.data[head * width : (head + 1) * width] = matched
            block.self_attn.k_proj.weight.data[shared * width : (shared + 1) * width] = matched


def train(
    model: MMEgo,
    tokenizer: PreTrainedTokenizerFast,
    episodes: Sequence[Episode],
    recipe: Recipe,
    log: Callable[[str], None],
    checkpoint: Path,
) -> None:
    """Train everything but the vision tower in place; resumes from `checkpoint` where a run was cut off."""
    torch.manual_seed(recipe.seed)
    model.train()
    model.model.vision_tower.eval().requires_grad_(False)
    handled = HandledTargets(recipe.width, len(episodes[0].vocabulary["things"]))
    optimiser = _optimiser(model, handled, recipe)
    begin = 0
    if checkpoint.exists():
        begin, weights, heads, moments = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(weights)
        handled.load_state_dict(heads)
        optimiser.load_state_dict(moments)
    began = time.monotonic()
    running: dict[str, float] = {}
    for step in range(begin, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * recipe.rate(step)
        rng = Random(f"{recipe.seed} {step}")
        chosen = rng.sample(episodes, recipe.days_a_step)
        losses, shares = train_step(model, tokenizer, handled, chosen, step, recipe, rng)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 1.0)
        optimiser.step()
        for name, value in [*((k, float(v.detach())) for k, v in losses.items()), *shares.items()]:
            if not math.isnan(value):
                running[name] = 0.9 * running.get(name, value) + 0.1 * value
        if step % 25 == 24:
            log(
                f"step {step + 1} {time.monotonic() - began:.0f} s "
                + " ".join(f"{k} {v:.3f}" for k, v in sorted(running.items()))
            )
        if (step + 1) % SAVED_EVERY == 0 or step + 1 == recipe.steps:
            torch.save((step + 1, model.state_dict(), handled.state_dict(), optimiser.state_dict()), checkpoint)
    model.eval()


def _optimiser(model: MMEgo, handled: HandledTargets, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over all but the tower; the projector learns more slowly.

    The tower's patches are long vectors, and at the language model's rate the visual tokens grow to forty times the
    length of a word within 500 steps: no layer can then change what stands at their place.
    """
    projector = list(model.model.multi_modal_projector.parameters())
    own = {id(p) for p in projector}
    rest = [p for p in [*model.parameters(), *handled.parameters()] if p.requires_grad and id(p) not in own]
    groups = [
        {"params": projector, "weight_decay": 0.05, "peak": recipe.lr * recipe.projector_lr_share},
        {"params": [p for p in rest if p.dim() >= 2], "weight_decay": 0.05, "peak": recipe.lr},
        {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0, "peak": recipe.lr},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98))


def train_step(
    model: MMEgo,
    tokenizer: PreTrainedTokenizerFast,
    handled: HandledTargets,
    episodes: Sequence[Episode],
    step: int,
    recipe: Recipe,
    rng: Random,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """One step's losses by name, and shares for the log."""
    days = [_day(model, episode, recipe, rng) for episode in episodes]
    glimpse, handled_loss, scores = _glimpse_loss(model, tokenizer, handled, days)
    sets = [_choose_set(day, own, step, recipe, rng) for day, own in zip(days, scores, strict=True)]
    answer, attention, shares = _answer_loss(model, tokenizer, days, sets)
    losses = {"pointer": glimpse, "handled": recipe.handled_weight * handled_loss}
    losses["answer"] = recipe.answer_weight * answer
    if step < recipe.attention_steps:
        losses["attention"] = recipe.attention_weight * attention
    shares["recall"] = _recall(days, scores, recipe.selected, recipe.exploration)
    return losses, shares


def project(model: MMEgo, features: Tensor) -> Tensor:
    """The tower's patches (N, patches, D) -> visual tokens (N, T, C), as MMEgo.encode_frames makes them of pixels."""
    with torch.autocast(features.device.type, torch.bfloat16):
        projected = model.model.multi_modal_projector(features)
    return model.model.apply_pooling(projected.float())


def _day(model: MMEgo, episode: Episode, recipe: Recipe, rng: Random) -> Day:
    """A window of the day, of any length, with its questions and key frames."""
    count = len(episode.times_s)
    length = rng.randint(min(recipe.shortest_day, count), count)
    start = rng.randint(0, count - length)
    window = episode.window(start, start + length)
    visual = project(model, torch.tensor(window.features, dtype=torch.float32))
    times_s = window.times_s.tolist()
    asked = [q for q in window.questions(rng)][: recipe.questions_a_day]
    return Day(window, visual, asked, [key_frames(q, window.narrations, times_s) for q in asked])


def _glimpse_loss(
    model: MMEgo, tokenizer: PreTrainedTokenizerFast, handled: HandledTargets, days: Sequence[Day]
) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
    """Pointer loss, handled-thing loss, and every question's scores without gradient."""
    prefixes = [model.compress(day.visual) for day in days]
    segments = []
    for day in days:
        ids = [prompt.token_ids(prompt.glimpse_text(q.text), tokenizer) for q in day.questions]
        segments.append([torch.cat([model.embed_tokens(question), model.memory_pointer]) for question in ids])
    packed = pack(prefixes, segments)
    states, _ = packed.read(model.model.language_model)  # (B, S, C)
    pointer, handled_losses, scores = [], [], []
    for b, day in enumerate(days):
        frames = states[b, : len(day.visual)]
        handled_losses.append(handled(frames, day.episode))
        own = []
        for i, labels in enumerate(day.labels):
            end = packed.starts[b][i] + len(segments[b][i]) - 1
            logits = pointer_logits(frames, states[b, end])
            own.append(pointer_scores(logits.detach()))
            if labels:
                pointer.append(-log_softmax(logits, dim=-1)[labels].mean())
        scores.append(own)
    found = torch.stack(pointer).mean() if pointer else states.new_zeros(())  # no answerable question in any window
    return found, torch.stack(handled_losses).mean(), scores


def _choose_set(day: Day, scores: list[Tensor], step: int, recipe: Recipe, rng: Random) -> FrameSet:
    """Frames to answer from: a made-up set of several events, or what the pointer picks for one of the questions."""
    if scores and step >= recipe.own_selection_from and rng.random() < recipe.own_selection_share:
        k, alpha = rng.choice(((recipe.selected, recipe.exploration), (recipe.selected, recipe.exploration), (4, 0.0)))
        frames = select(rng.choice(scores), k, alpha).tolist()
    else:
        frames = multi_event_set(day.episode, rng.randint(3, recipe.selected), rng)
    return frame_set(day.episode, frames, recipe.questions_a_day, rng)


def _answer_loss(
    model: MMEgo, tokenizer: PreTrainedTokenizerFast, days: Sequence[Day], sets: Sequence[FrameSet]
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Cross-entropy of the answers, the attention loss, and the share of answers right in every token."""
    prefixes, segments, targets, slots = [], [], [], []
    for day, chosen in zip(days, sets, strict=True):
        prefix, spans = _embed_prefix(model, tokenizer, day.visual[list(chosen.frames)], chosen)
        prefixes.append(prefix)
        slots.append(spans)
        own = [_answer_segment(tokenizer, chosen, question) for question in chosen.questions]
        targets.append(own)
        segments.append([model.embed_tokens(ids[:-1]) for ids, _ in own])
    packed = pack(prefixes, segments)
    states, layer_inputs = packed.read(model.model.language_model)
    heads = [i * model.config.text_config.num_attention_heads // model.config.text_config.num_key_value_heads
             for i in range(model.config.text_config.num_key_value_heads)]  # fmt: skip
    log_mass = attention_log_mass(model.model.language_model, GUIDED_LAYER, layer_inputs[GUIDED_LAYER], packed, heads)
    (question_mark,) = prompt.token_ids("?", tokenizer)
    losses, weights, guided, right = [], [], [], []
    for b, chosen in enumerate(sets):
        for i, question in enumerate(chosen.questions):
            start, (ids, asked) = packed.starts[b][i], targets[b][i]
            predicts = torch.arange(start + asked - 1, start + len(ids) - 1)
            wanted = torch.tensor(ids[asked:])
            logits = model.lm_head(states[b, predicts]).float()
            losses.append(cross_entropy(logits, wanted))
            weights.append(WEIGHTS.get(question.family, 1.0))
            right.append((question, bool((logits.argmax(-1) == wanted).all())))
            looked_at = _look_at(chosen, question, days[b].episode, slots[b], start)
            mark = start + ids.index(question_mark)
            rows = torch.cat([torch.tensor([mark]), predicts])
            guided.append(-log_mass[b][:, rows][:, :, looked_at].logsumexp(-1).mean())
    weight = torch.tensor(weights)
    answer = (torch.stack(losses) * weight).sum() / weight.sum()
    return answer, torch.stack(guided).mean(), _shares(right)


def _embed_prefix(
    model: MMEgo, tokenizer: PreTrainedTokenizerFast, visual: Tensor, chosen: FrameSet
) -> tuple[Tensor, list[range]]:
    """The shown frames with their clocks (P, C), and where each frame's visual tokens stand."""
    shown = [prompt.Shown(clock) for clock in chosen.clocks]
    pieces = prompt.tokenise(prompt.fallback_pieces("", shown, 0)[:-1], tokenizer)
    spans, at = [], 0
    for piece in pieces:
        length = visual.shape[1] if isinstance(piece, prompt.FrameSlot) else len(piece)
        if isinstance(piece, prompt.FrameSlot):
            spans.append(range(at, at + length))
        at += length
    return model.embed(pieces, visual), spans


def _answer_segment(tokenizer: PreTrainedTokenizerFast, chosen: FrameSet, question: Question) -> tuple[list[int], int]:
    """The ids of question and answer, and how many of them come before the answer."""
    shown = [prompt.Shown(clock) for clock in chosen.clocks]
    asked = prompt.fallback_pieces(question.text, shown, 0)[-1]
    assert isinstance(asked, str)
    ids = prompt.token_ids(asked, tokenizer)
    return ids + prompt.token_ids(question.answer + prompt.TURN_END, tokenizer), len(ids)


def _look_at(chosen: FrameSet, question: Question, episode: Episode, slots: list[range], start: int) -> list[int]:
    """Positions that the guided heads should look at: the event's frames, or the question's own first word."""
    frames = chosen.support(question, episode.times_s)
    return [at for frame in frames for at in slots[frame]] or [start]


def _handled(episode: Episode) -> tuple[Tensor, Tensor]:
    """For every frame the kind handled now and the kind of the last finished act, 0 for none."""
    times_s, kinds = episode.times_s, episode.vocabulary["things"]
    now, last = torch.zeros(len(times_s), dtype=torch.long), torch.zeros(len(times_s), dtype=torch.long)
    for narration in episode.narrations:
        kind = next((i + 1 for i, name in enumerate(kinds) if f" {name} " in narration.text), 0)
        now[torch.from_numpy((times_s >= narration.start_s) & (times_s <= narration.end_s))] = kind
        if kind:
            last[torch.from_numpy(times_s > narration.end_s)] = kind
    return now, last


def _recall(days: Sequence[Day], scores: Sequence[Sequence[Tensor]], k: int, alpha: float) -> float:
    """Share of key frames among the k selected, over answerable questions."""
    found = [
        len(set(select(own, k, alpha).tolist()) & set(labels)) / min(k, len(labels))
        for day, each in zip(days, scores, strict=True)
        for own, labels in zip(each, day.labels, strict=True)
        if labels
    ]
    return sum(found) / len(found) if found else math.nan


def _shares(right: Sequence[tuple[Question, bool]]) -> dict[str, float]:
    """Share of right answers: where put, absent, all."""

    def share(hits: list[bool]) -> float:
        return sum(hits) / len(hits) if hits else math.nan

    return {
        "right": share([hit for _, hit in right]),
        "right_where": share([hit for q, hit in right if q.answerable and q.family == "where_put"]),
        "right_after": share([hit for q, hit in right if q.answerable and q.family == "after"]),
        "right_absent": share([hit for q, hit in right if not q.answerable]),
    }
