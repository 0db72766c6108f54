"""Choosing among options: the one that the model finds likeliest as the answer to the question about these frames.

The model never sees letters, and never the options side by side: each is weighed as the answer it would give. This file
does not know where frames come from: the caller looks them up for every question, by the pointer or evenly or
not at all. Nor does it know how a benchmark is built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.vision import pixels

LookUp = Callable[[MultipleChoice], tuple[list[np.ndarray], list[prompt.Shown]]]


@dataclass(frozen=True, slots=True)
class Examination:
    """Whether each question (Q,) was answered right, with the frames and without any."""

    right: np.ndarray
    blind: np.ndarray


@torch.inference_mode()
def score_options(
    checkpoint: Checkpoint,
    question: str,
    options: Sequence[str],
    images: Sequence[np.ndarray],
    shown: Sequence[prompt.Shown],
) -> np.ndarray:
    """The log-likelihood of each option (O,) as the whole answer to the question about these frames, or about none."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    visual = model.encode_frames(pixels(images, model.config.picture_px))  # (k, T, C)
    pieces = prompt.fallback_pieces(question, shown, model.config.transcript_words)
    asked = model.embed(prompt.tokenise(pieces, tokenizer), visual)  # (L, C)
    answers = [prompt.token_ids(option + prompt.TURN_END, tokenizer) for option in options]
    logits = model.answer_logits([asked] * len(answers), answers)  # (A_o, vocabulary) each
    # Summed, not averaged over tokens: with the end of the turn this is the probability of saying exactly that, which
    # is what the options compete for. A mean would favour long names, of which the later words follow from the first.
    likelihoods = [
        scores.float().log_softmax(dim=-1)[range(len(ids)), ids].sum()
        for scores, ids in zip(logits, answers, strict=True)
    ]
    return torch.stack(likelihoods).cpu().numpy()


def answer_choices(checkpoint: Checkpoint, choices: Sequence[MultipleChoice], look_up: LookUp) -> np.ndarray:
    """Whether the likeliest option of each question (Q,) is the right one, given the frames that `look_up` finds."""
    right = [
        int(score_options(checkpoint, choice.question, choice.options, *look_up(choice)).argmax()) == choice.gold
        for choice in choices
    ]
    return np.array(right, dtype=bool)


def examine_choices(checkpoint: Checkpoint, choices: Sequence[MultipleChoice], look_up: LookUp) -> Examination:
    """Each question answered with the frames that `look_up` finds for it, and blind."""
    return Examination(
        right=answer_choices(checkpoint, choices, look_up),
        blind=answer_choices(checkpoint, choices, lambda choice: ([], [])),
    )
