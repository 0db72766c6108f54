"""From compressed frames and a question to words: glimpse, selection, fallback (MM-Ego, section 2.2.2), on arrays.

    recollect(checkpoint, question, compressed, look) -> Selected, then pieces of text, then Recollected

`look(indices)` hands back what is seen in the selected frames (`see`, of their pictures) and what is said about each;
it is called once, for at most k frames, which is what makes an hour affordable. What was read for the last question is
gone on from (recent.py). Asking a store (answer.py) and evaluating on simulated days both go through here. This file
does not know stores or files.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.confidence import calibrated
from assistant.domain import grain_of
from assistant.pointer import pointer_scores, select
from assistant.recent import Recent

CANDIDATES, SHOWN = "candidates", "shown"  # what was read last, in Recent


@dataclass(frozen=True, slots=True)
class Seen:
    """Visual tokens (k, T, C) of frames in time order, and what is said about each of them.

    `foreign`: the pictures are unlike anything the checkpoint was trained on. `images`: the pictures themselves, RGB
    (H, W, 3) uint8, in place of visual tokens, where the checkpoint has an answerer.
    """

    visual: Tensor
    shown: Sequence[prompt.Shown]
    foreign: bool
    images: Sequence[np.ndarray] = ()


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
    checkpoint: Checkpoint,
    question: str,
    compressed: Tensor,
    look: Look,
    recall: np.ndarray | None = None,
    recent: Recent | None = None,
) -> Iterator[Selected | str | Recollected]:
    """Candidates E (N, C) in time order and a question -> what was selected, the answer's text, the answer.

    `recall` (N, D) are their recall embeddings, by which a checkpoint without a trained pointer chooses.
    """
    config, recent = checkpoint.model.config, recent or Recent()
    if checkpoint.pointer_trained or recall is None:
        scores = _glimpse(checkpoint, question, compressed, recent)
    else:
        scores = similarity_scores(checkpoint, question, recall)
    indices = select(scores, config.selected, config.exploration, config.least_share).tolist()
    yield Selected(scores.cpu().numpy(), tuple(indices))
    yield from answer_from(checkpoint, question, look(indices), recent)


@torch.inference_mode()
def similarity_scores(checkpoint: Checkpoint, question: str, recall: np.ndarray) -> Tensor:
    """Recall embeddings (N, D) and a question -> scores (N,), adding up to 1: how alike they are, on SigLIP's scale."""
    alike = torch.from_numpy(recall @ checkpoint.recall.encode_question(question))
    return pointer_scores(alike * checkpoint.recall.model.logit_scale.float().exp().cpu())


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
    domain = checkpoint.domain
    foreign = domain is not None and any(domain.is_foreign(grain_of(part)) for part in judged)
    if checkpoint.answerer:
        return Seen(visual_tokens(checkpoint, []), shown, foreign, images)
    return Seen(visual_tokens(checkpoint, images), shown, foreign)


@torch.inference_mode()
def visual_tokens(checkpoint: Checkpoint, images: Sequence[np.ndarray]) -> Tensor:
    """Pictures (H, W, 3) uint8 RGB -> visual tokens (k, T, C)."""
    return checkpoint.model.encode_frames(checkpoint.model.pixels(images))


@torch.inference_mode()
def answer_from(
    checkpoint: Checkpoint, question: str, seen: Seen, recent: Recent | None = None
) -> Iterator[str | Recollected]:
    """The fallback alone: what is seen in a few frames and a question -> pieces of text, then the answer."""
    config = checkpoint.model.config
    not_seen = config.not_seen_text
    if seen.foreign:
        yield Recollected(not_seen, seen=False, confidence=0.0, foreign=True)
        return
    if checkpoint.answerer:
        said, confidence = yield from checkpoint.answerer.answer(
            question,
            seen.images,
            seen.shown,
            not_seen=not_seen,
            transcript_words=config.transcript_words,
            tokens=config.answer_tokens,
        )
    else:
        said, raw = yield from _decode(checkpoint, question, seen, recent or Recent())
        confidence = float(calibrated(raw, *config.calibration))
    told = bool(said) and not said.casefold().startswith(not_seen.casefold().rstrip("."))
    yield Recollected(said or not_seen, told, confidence, foreign=False)


def _glimpse(checkpoint: Checkpoint, question: str, compressed: Tensor, recent: Recent) -> Tensor:
    """The pointer's scores (N,). Of frames that were candidates of the last question, only the question is read."""
    frames = checkpoint.model.read(compressed, recent.get(CANDIDATES))
    recent.keep(CANDIDATES, frames)
    return checkpoint.model.glimpse(frames, prompt.token_ids(prompt.glimpse_text(question), checkpoint.tokenizer))


def _decode(
    checkpoint: Checkpoint, question: str, seen: Seen, recent: Recent
) -> Generator[str, None, tuple[str, float]]:
    """The checkpoint's own words as they come; returns them and the mean probability of their tokens."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    pieces = prompt.fallback_pieces(question, seen.shown, model.config.transcript_words, checkpoint.instruction)
    asked = model.read(model.embed(prompt.tokenise(pieces, tokenizer), seen.visual), recent.get(SHOWN))
    recent.keep(SHOWN, asked)
    ids: list[int] = []
    said, log_chance = "", 0.0
    for token, chance in model.answer_stream(asked, prompt.stop_ids(tokenizer)):
        ids.append(token)
        log_chance += math.log(max(chance, 1e-9))
        text = prompt.answer_text(ids, tokenizer)
        yield text[len(said) :]
        said = text
    return said, math.exp(log_chance / max(1, len(ids)))
