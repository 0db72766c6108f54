"""The recipes of the nano checkpoint and of pointers for others: every number that training depends on, in one place.

This file does not know how anything is trained.
"""

import math
from dataclasses import dataclass
from typing import Literal

VALIDATION_SEED = 900_000

Shown = Literal["captions", "key frames", "own choices", "uniform", "nothing"]
PointerLoss = Literal["listwise", "softmax bce", "logit bce"]


@dataclass(frozen=True)
class Stage:
    """`steps` of one learning-rate curve with its own `peak` share; `shown` is what answers are learned from.

    With `pointer` the glimpse learns beside it. In the first `guided` steps some heads are told where to look.
    """

    name: str
    steps: int
    shown: Shown
    peak: float = 1.0
    pointer: bool = True
    guided: int = 0


@dataclass(frozen=True)
class Recipe:
    """Seeds, sizes and schedules. Homes: training below 900,000, validation from 900,000, evaluation from 1,000,000."""

    seed: int = 7
    homes: int = 1500
    validation_homes: int = 24
    minutes: float = 5.0
    fps: float = 1.0
    picture_px: int = 160

    stem_channels: tuple[int, ...] = (24, 48, 96, 160)
    tower_width: int = 160
    tower_layers: int = 5
    tower_heads: int = 5
    tower_steps: int = 7000
    tower_batch: int = 256
    tower_lr: float = 1.2e-3
    background: float = 0.03  # most patches show no thing; while they count much, small things are not learned

    width: int = 256
    layers: int = 5
    heads: int = 8
    key_value_heads: int = 2
    stages: tuple[Stage, ...] = (
        Stage("align", 400, "captions", pointer=False),
        Stage("instruct", 4500, "key frames", guided=3200),
        Stage("refine", 1200, "own choices", peak=0.5),
    )
    days_a_step: int = 32
    accumulation: int = 1
    shortest_day: int = 24
    joined_share: float = 0.2  # of the windows: parts of two days, one after the other
    thinned_share: float = 0.2  # of the windows: some frames only
    questions_a_day: int = 12
    questions_a_set: int = 12
    lr: float = 1.5e-3
    projector_lr_share: float = 0.2
    pointer_loss: PointerLoss = "listwise"
    selected: int = 8
    exploration: float = 0.02  # this and the next are the finished checkpoint's, chosen on validation homes
    least_share: float = 0.05
    candidates: int = 300
    attention_weight: float = 0.5
    handled_weight: float = 0.3
    answer_weight: float = 3.0  # its gradients are a third of the pointer's in the layers that both share
    own_choices_share: float = 0.6
    own_choices_exploration: float = 0.1
    choice_batches: int = 200

    warm_up: int = 100

    def schedule(self, step: int, steps: int) -> float:
        """Share of the peak learning rate."""
        return warm_cosine(step, steps, self.warm_up)


@dataclass(frozen=True)
class PointerRecipe:
    """How a pointer is trained as an adapter of any base, from narrated films; one step reads `lessons`."""

    seed: int = 7
    fps: float = 1.0
    held_out_every: int = 10  # films: every so many-th is kept for measuring
    rank: int = 16
    alpha: int = 32
    steps: int = 600
    lessons: int = 8
    warm_up: int = 30
    lr: float = 2e-4
    pointer_loss: PointerLoss = "listwise"
    answer_weight: float = 1.0
    measured_lessons: int = 64


def warm_cosine(step: int, steps: int, warm_up: int) -> float:
    """Share of the peak learning rate: a linear warm-up, then half a cosine down to nearly nothing."""
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


# What the pointer is held against: the same model, tuned on the same questions from the same captions, but shown frames
# spread evenly, or none at all.
CONTROLS: tuple[Stage, ...] = (
    Stage("uniform", 1800, "uniform", pointer=False, guided=1200),
    Stage("text-only", 600, "nothing", pointer=False),
)
