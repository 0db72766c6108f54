"""Choosing among options: the one that the model finds likeliest as the answer to the question about these frames.

The model never sees letters, and never the options side by side: each is weighed as the answer it would give. This file
does not know where frames come from: the caller looks them up for every question, by the pointer or evenly or
not at all. Nor does it know how a benchmark is built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.evaluation.reading import weigh
from assistant.vision import pixels

LookUp = Callable[[MultipleChoice], tuple[Tensor, Sequence[prompt.Shown]]]  # visual tokens (k, T, C), and their clocks


@dataclass(frozen=True, slots=True)
class Examination:
    """Whether each question (Q,) was answered right, with the frames and without any."""

    right: np.ndarray
    blind: np.ndarray


def score_options(
    checkpoint: Checkpoint, visual: Tensor, shown: Sequence[prompt.Shown], choices: Sequence[MultipleChoice]
) -> np.ndarray:
    """The log-likelihood (Q, O) of each option as the whole answer to its question about the same frames, or none.

    Summed, not averaged over tokens: with the end of the turn this is the probability of saying exactly that, which is
    what the options compete for. A mean would favour long names, of which the later words follow from the first.
    """
    weighed = weigh(checkpoint, visual, shown, [(choice.question, choice.options) for choice in choices])
    return np.array([[option.log_chance for option in options] for options in weighed])


def answer_choices(checkpoint: Checkpoint, choices: Sequence[MultipleChoice], look_up: LookUp) -> np.ndarray:
    """Whether the likeliest option of each question (Q,) is the right one, given the frames that `look_up` finds."""
    scores = [score_options(checkpoint, *look_up(choice), [choice])[0] for choice in choices]
    return _right(scores, choices)


def answer_blind(checkpoint: Checkpoint, choices: Sequence[MultipleChoice]) -> np.ndarray:
    """The same (Q,) without any frame, read at once."""
    none = checkpoint.model.encode_frames(pixels([], checkpoint.model.config.picture_px))  # (0, T, C)
    return _right(list(score_options(checkpoint, none, [], choices)), choices)


def examine_choices(checkpoint: Checkpoint, choices: Sequence[MultipleChoice], look_up: LookUp) -> Examination:
    """Each question answered with the frames that `look_up` finds for it, and blind."""
    return Examination(answer_choices(checkpoint, choices, look_up), answer_blind(checkpoint, choices))


def _right(scores: Sequence[np.ndarray], choices: Sequence[MultipleChoice]) -> np.ndarray:
    return np.array([int(s.argmax()) == choice.gold for s, choice in zip(scores, choices, strict=True)], dtype=bool)
