"""What one training step reads, as tensors of integers: `Glimpse` and `Fallback`.

Neither sees the other: the answer part never sees the glimpse, as when it is asked. This file does not know how they
are drawn (batches.py) or what is made of them (trainer.py). B days, N frames of the longest, M of all, Q questions,
S positions, P answer tokens.
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor

from assistant.training.packing import Layout

NO_FRAME = -100  # what cross-entropy leaves out
Part = TypeVar("Part", bound="Glimpse | Fallback")


@dataclass(frozen=True)
class Glimpse:
    """`rows` (M,) of the features; frame j of day b is row `frames[b, j]` of those, -1 for none.

    Question q is of day `day[q]`, its pointer stands at `at[q]`, and `labels` (Q, N) marks its key frames. `now` and
    `last` (B, N) are the things handled in each frame and before it, NO_FRAME beyond the day's end.
    """

    rows: Tensor
    frames: Tensor
    layout: Layout
    day: Tensor
    at: Tensor
    labels: Tensor
    now: Tensor
    last: Tensor


@dataclass(frozen=True)
class Fallback:
    """`rows` of the features of all shown frames; the P answer tokens `target` are predicted at (`day`, `at`).

    `question` (P,) numbers the question that a token answers, `weight` (Q,), `group` (Q,) is for the log. Guided heads
    look from (`mark_day`, `mark_at`) and from the predicting places to `look` (Q, S).
    """

    rows: Tensor
    layout: Layout
    day: Tensor
    at: Tensor
    target: Tensor
    question: Tensor
    weight: Tensor
    group: Tensor
    mark_day: Tensor
    mark_at: Tensor
    look: Tensor


def to_device(part: Part, device: torch.device) -> Part:
    """The same batch with its tensors on a device."""
    moved = {field.name: getattr(part, field.name).to(device) for field in fields(part)}
    return type(part)(**moved)
