"""Choosing among options: the one that the model finds likeliest as the answer to the question about these frames.

The model never sees letters, and never the options side by side: each is weighed as the answer it would give. This file
does not know where frames come from, nor how a benchmark is built.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.evaluation.reading import weigh


def score_options(
    checkpoint: Checkpoint, visual: Tensor, shown: Sequence[prompt.Shown], choices: Sequence[MultipleChoice]
) -> np.ndarray:
    """The log-likelihood (Q, O) of each option as the whole answer to its question about the same frames, or none.

    Summed, not averaged over tokens: with the end of the turn this is the probability of saying exactly that, which is
    what the options compete for. A mean would favour long names, of which the later words follow from the first.
    """
    weighed = weigh(checkpoint, visual, shown, [(choice.question, choice.options) for choice in choices])
    return np.array([[option.log_chance for option in options] for options in weighed])
