"""From compressed frames and a question to words: glimpse, selection, fallback (MM-Ego, section 2.2.2), on arrays.

    recollect(checkpoint, question, compressed, look) -> Selected, then pieces of text, then Recollected

`look(indices)` hands back what is seen in the selected frames (`see`, of their pictures) and what is said about each;
it is called once, for at most k frames, which is what makes an hour affordable. Asking a store (answer.py) and
evaluating on simulated days both go through here. This file does not know stores or files.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.confidence import calibrated
from assistant.domain import grain_of
from assistant.pointer import select
from assistant.vision import pixels


@dataclass(frozen=True, slots=True)
class Seen:
    """Visual tokens (k, T, C) of frames in time order, and what is said about each of them.

    `foreign`: the pictures are unlike anything the checkpoint was trained on.
    """

    visual: Tensor
    shown: Sequence[prompt.Shown]
    foreign: bool


Look = Callable[[Sequence[int]], Seen]


@dataclass(frozen=True, slots=True)
class Selected:
    """The pointer's scores (N,) over the candidates, and which of them are looked at again, in time order."""

    scores: np.ndarray
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recollected:
    """The finished answer; of foreign pictures it is that it was not seen."""

    text: str
    seen: bool
    confidence: float
    foreign: bool


@torch.inference_mode()
def recollect(
    checkpoint: Checkpoint, question: str, compressed: Tensor, look: Look
) -> Iterator[Selected | str | Recollected]:
    """Candidates E (N, C) in time order and a question -> what was selected, the answer's text, the answer."""
    model, config = checkpoint.model, checkpoint.model.config
    question_ids = prompt.token_ids(prompt.glimpse_text(question), checkpoint.tokenizer)
    scores = model.glimpse(compressed, question_ids)  # (N,)
    indices = select(scores, config.selected, config.exploration, config.least_share).tolist()
    yield Selected(scores.cpu().numpy(), tuple(indices))
    yield from answer_from(checkpoint, question, look(indices))


@torch.inference_mode()
def see(
    checkpoint: Checkpoint,
    images: Sequence[np.ndarray],
    shown: Sequence[prompt.Shown],
    judged: Sequence[Sequence[np.ndarray]] = (),
) -> Seen:
    """Pictures (H, W, 3) uint8 RGB in time order and what is said about each -> what the checkpoint sees.

    It is foreign if any group of `judged` is; several, because a few selected pictures may look familiar by chance.
    """
    visual = checkpoint.model.encode_frames(pixels(images, checkpoint.model.config.picture_px))
    domain = checkpoint.domain
    foreign = domain is not None and any(domain.is_foreign(grain_of(part)) for part in judged)
    return Seen(visual, shown, foreign)


@torch.inference_mode()
def answer_from(checkpoint: Checkpoint, question: str, seen: Seen) -> Iterator[str | Recollected]:
    """The fallback alone: what is seen in a few frames and a question -> pieces of text, then the answer."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    not_seen = model.config.not_seen_text
    if seen.foreign:
        yield Recollected(not_seen, seen=False, confidence=0.0, foreign=True)
        return
    pieces = prompt.fallback_pieces(question, seen.shown, model.config.transcript_words)
    sequence = model.embed(prompt.tokenise(pieces, tokenizer), seen.visual)
    ids: list[int] = []
    said, log_chance = "", 0.0
    for token, chance in model.answer_stream(sequence, prompt.stop_ids(tokenizer)):
        ids.append(token)
        log_chance += math.log(max(chance, 1e-9))
        text = prompt.answer_text(ids, tokenizer)
        yield text[len(said) :]
        said = text
    told = bool(said) and said.casefold().rstrip(".") != not_seen.casefold().rstrip(".")
    raw = math.exp(log_chance / max(1, len(ids)))
    confidence = float(calibrated(raw, *model.config.calibration))
    yield Recollected(said or not_seen, told, confidence, foreign=False)
