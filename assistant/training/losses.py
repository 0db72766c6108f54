"""The losses of stage two, on tensors: which frames the pointer should pick, what is answered, where to look.

The pointer's has three forms, as the paper's own (MM-Ego, section 2.2.2: binary cross-entropy between the softmax s and
the key-frame indicator) cannot reach zero where several frames are right. Q questions, N frames, P answer tokens.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax

from assistant.training.recipe import PointerLoss

CERTAIN = 1e-6  # s is kept this far from 1, where log(1 - s) has no bottom


def listwise(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the softmax against the key frames, evenly: (Q, N) logits, -inf where no frame is, and labels
    (Q, N) -> (Q,)."""
    chances = log_softmax(logits, dim=-1).masked_fill(~labels, 0.0)
    return -chances.sum(-1) / labels.sum(-1).clamp(min=1)


def softmax_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """The paper's: binary cross-entropy between s and the indicator, summed over the frames, a key frame -> (Q,).

    In fp32 from the log-softmax: s of one frame underflows long before its logarithm does.
    """
    chances = log_softmax(logits.float(), dim=-1)
    misses = torch.log1p(-chances.exp().clamp(max=1 - CERTAIN))
    total = torch.where(labels, chances, misses).masked_fill(logits.isinf(), 0.0)
    return -total.sum(-1) / labels.sum(-1).clamp(min=1)


def logit_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of every frame's own logit, key frames and others weighing the same in all -> (Q,)."""
    there = ~logits.isinf()
    each = binary_cross_entropy_with_logits(logits.masked_fill(~there, 0.0), labels.float(), reduction="none")
    others = there & ~labels
    key = (each * labels).sum(-1) / labels.sum(-1).clamp(min=1)
    return key + (each * others).sum(-1) / others.sum(-1).clamp(min=1)


POINTER_LOSSES: dict[PointerLoss, Callable[[Tensor, Tensor], Tensor]] = {
    "listwise": listwise,
    "softmax bce": softmax_bce,
    "logit bce": logit_bce,
}


def pointer_loss(kind: PointerLoss, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the questions that have key frames -> scalar; 0 where none has."""
    answerable = labels.any(-1)
    return (POINTER_LOSSES[kind](logits, labels) * answerable).sum() / answerable.sum().clamp(min=1)


def answer_loss(logits: Tensor, target: Tensor, question: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (P, vocabulary), targets (P,), whose question each is (P,), weights (Q,) -> loss, right or not (Q,)."""
    tokens = cross_entropy(logits.float(), target, reduction="none")
    per_question = _mean_by(tokens, question, len(weight))
    wrong = torch.zeros_like(weight).index_add_(0, question, (logits.argmax(-1) != target).to(weight.dtype))
    return (per_question * weight).sum() / weight.sum(), wrong == 0


def guidance_loss(log_mass: Tensor, day: Tensor, at: Tensor, question: Tensor, look: Tensor) -> Tensor:
    """Minus the log of the attention that lands where it should.

    Log attention (B, heads, S, S), the places that look (`day`, `at`), whose question each is, and where the questions
    should look (Q, S) -> scalar.
    """
    rows = log_mass[day, :, at]  # (places, heads, S)
    aimed = rows.masked_fill(~look[question][:, None], float("-inf")).logsumexp(-1).mean(-1)  # (places,)
    return -_mean_by(aimed, question, len(look)).mean()


def _mean_by(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Values (n,) averaged over each owner -> (count,)."""
    total = values.new_zeros(count).index_add_(0, owner, values)
    return total / values.new_zeros(count).index_add_(0, owner, torch.ones_like(values)).clamp(min=1)
