"""The recipe of the nano checkpoint: every number that training depends on, in one place, saved beside the weights.

This file does not know how anything is trained.
"""

import math
from dataclasses import dataclass

VALIDATION_SEED = 900_000


@dataclass(frozen=True)
class TowerStage:
    """`steps` of a learning-rate curve `planned` over so many; `background` is the weight of a patch with no thing.

    Most patches show none. While they count much the tower learns rooms and furniture; once they count little, it
    learns to tell small things apart.
    """

    steps: int
    planned: int
    background: float


@dataclass(frozen=True)
class Recipe:
    """Seeds, sizes and schedules. Homes: training below 900,000, validation from 900,000, evaluation from 1,000,000."""

    seed: int = 7
    homes: int = 800
    validation_homes: int = 24
    minutes: float = 5.0
    fps: float = 1.0
    picture_px: int = 128

    stem_channels: tuple[int, ...] = (24, 48, 96, 128)
    tower_width: int = 128
    tower_layers: int = 4
    tower_stages: tuple[TowerStage, ...] = (TowerStage(1500, 2200, 0.25), TowerStage(1500, 1500, 0.03))
    tower_batch: int = 96
    tower_lr: float = 1.2e-3

    width: int = 192
    layers: int = 4
    heads: int = 6
    key_value_heads: int = 2
    stages: tuple[tuple[int, float], ...] = ((1500, 1.0), (520, 0.6))  # steps and peak of each learning-rate curve
    days_a_step: int = 8
    shortest_day: int = 48
    questions_a_day: int = 10
    lr: float = 1.5e-3
    projector_lr_share: float = 0.2
    selected: int = 8
    exploration: float = 0.1
    candidates: int = 300
    attention_weight: float = 0.5
    attention_steps: int = 1050
    handled_weight: float = 0.3
    answer_weight: float = 3.0  # its gradients are a third of the pointer's in the layers that both share
    own_selection_from: int = 150
    own_selection_share: float = 0.35

    warm_up: int = 80

    @property
    def tower_steps(self) -> int:
        return sum(stage.steps for stage in self.tower_stages)

    @property
    def steps(self) -> int:
        return sum(steps for steps, _ in self.stages)

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at a step of the model's training."""
        for steps, peak in self.stages:
            if step < steps:
                return peak * self.schedule(step, steps)
            step -= steps
        raise ValueError("the model's training is over")

    def tower_stage(self, step: int) -> tuple[TowerStage, int]:
        """The stage that a step of the tower's training belongs to, and its number within that stage."""
        for stage in self.tower_stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise ValueError("the tower's training is over")

    def schedule(self, step: int, steps: int) -> float:
        """Share of the peak learning rate: a linear warm-up, then half a cosine down to nearly nothing."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, steps - self.warm_up)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
