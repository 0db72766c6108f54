"""The recipe of the nano checkpoint: every number that training depends on, in one place, saved beside the weights.

This file does not know how anything is trained.
"""

import math
from dataclasses import dataclass

VALIDATION_SEED = 900_000
EVALUATION_SEED = 1_000_000


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
    tower_steps: int = 2200
    tower_batch: int = 96
    tower_lr: float = 1.2e-3

    width: int = 192
    layers: int = 4
    heads: int = 6
    key_value_heads: int = 2
    steps: int = 1800
    days_a_step: int = 8
    shortest_day: int = 48
    questions_a_day: int = 10
    lr: float = 1.5e-3
    selected: int = 8
    exploration: float = 0.1
    candidates: int = 300
    attention_weight: float = 0.5
    attention_until: float = 0.7
    handled_weight: float = 0.3
    own_selection_from: int = 150
    own_selection_share: float = 0.35

    warm_up: int = 80

    def schedule(self, step: int, steps: int) -> float:
        """Share of the peak learning rate: a linear warm-up, then half a cosine down to nearly nothing."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, steps - self.warm_up)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
