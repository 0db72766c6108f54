"""From compressed frames and a question to words: glimpse, selection, fallback (MM-Ego, section 2.2.2), on arrays.

    recollect(checkpoint, question, compressed, look) -> Selected, then pieces of text, then Recollected

`look(indices)` hands back the pictures of the selected frames and what is said about each; it is called once, for at
most k frames, which is what makes an hour affordable. Asking a store (answer.py) and evaluating on simulated days
both go through here. This file does not know stores or files.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.domain import grain_of
from assistant.pointer import select
from assistant.vision import pixels

Look = Callable[[Sequence[int]], tuple[list[np.ndarray], list[prompt.Shown]]]


@dataclass(frozen=True, slots=True)
class Selected:
    """The pointer's scores (N,) over the candidates, and which of them are looked at again, in time order."""

    scores: np.ndarray
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recollected:
    """The finished answer. `foreign`: the pictures are unlike anything the checkpoint was trained on."""

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
    indices = select(scores, config.selected, config.exploration).tolist()
    yield Selected(scores.cpu().numpy(), tuple(indices))
    yield from answer_from(checkpoint, question, *look(indices))


@torch.inference_mode()
def answer_from(
    checkpoint: Checkpoint, question: str, images: Sequence[np.ndarray], shown: Sequence[prompt.Shown]
) -> Iterator[str | Recollected]:
    """The fallback alone: these frames in time order and a question -> pieces of text, then the answer."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    not_seen = model.config.not_seen_text
    if checkpoint.domain and checkpoint.domain.is_foreign(grain_of(images)):
        yield Recollected(not_seen, seen=False, confidence=0.0, foreign=True)
        return
    visual = model.encode_frames(pixels(images, model.config.picture_px))  # (k, T, C)
    pieces = prompt.fallback_pieces(question, shown, model.config.transcript_words)
    sequence = model.embed(prompt.tokenise(pieces, tokenizer), visual)
    ids: list[int] = []
    said, log_chance = "", 0.0
    for token, chance in model.answer_stream(sequence, prompt.stop_ids(tokenizer)):
        ids.append(token)
        log_chance += math.log(max(chance, 1e-9))
        text = prompt.answer_text(ids, tokenizer)
        yield text[len(said) :]
        said = text
    seen = bool(said) and said.casefold().rstrip(".") != not_seen.casefold().rstrip(".")
    yield Recollected(said or not_seen, seen, math.exp(log_chance / max(1, len(ids))), foreign=False)
