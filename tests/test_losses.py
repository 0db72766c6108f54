"""The losses: nothing to learn from what is right, something finite from whatever is wrong."""

from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from assistant.training.losses import (
    POINTER_LOSSES,
    answer_loss,
    guidance_loss,
    listwise,
    logit_bce,
    pointer_loss,
    softmax_bce,
)
from assistant.training.recipe import PointerLoss

KINDS: tuple[PointerLoss, ...] = ("listwise", "softmax bce", "logit bce")
LABELS = torch.tensor([[False, True, False, False], [True, False, True, False]])
PERFECT = torch.where(LABELS, 60.0, -60.0)


def test_perfect_logits_leave_nothing_to_learn() -> None:
    assert listwise(PERFECT, LABELS)[0] < 1e-6 and (logit_bce(PERFECT, LABELS) < 1e-6).all()
    assert softmax_bce(PERFECT, LABELS)[0] < 1e-5
    assert float(listwise(PERFECT, LABELS)[1]) == pytest.approx(log(2))  # two frames share what one softmax has


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_answer_is_the_least_loss_and_has_no_gradient(kind: PointerLoss) -> None:
    logits = PERFECT.clone().requires_grad_()
    loss = pointer_loss(kind, logits, LABELS)
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().max() < 1e-4
    for change in torch.randn(20, *PERFECT.shape, generator=torch.Generator().manual_seed(0)) * 100:
        assert pointer_loss(kind, PERFECT + change, LABELS) >= loss.detach() - 1e-5


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.1, 8))
def test_the_papers_loss_is_torchs_binary_cross_entropy_of_the_softmax(seed: int, n: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(3, n, generator=generator)
    labels = torch.rand(3, n, generator=generator) < 0.3
    labels[:, 0] = True
    chances = logits.double().softmax(-1).clamp(max=1 - 1e-6)
    own = binary_cross_entropy(chances, labels.double(), reduction="none").mean(-1)
    torch.testing.assert_close(
        softmax_bce(logits, labels), (own * n / labels.sum(-1)).float(), atol=1e-4, rtol=1e-2
    )  # fp32 near s = 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_however_wrong_the_loss_and_its_gradient_stay_finite(kind: PointerLoss, dtype: torch.dtype) -> None:
    for size in (0.0, 1.0, 100.0, 1e4):
        for signs in (LABELS, ~LABELS):
            logits = torch.where(signs, size, -size).to(dtype).requires_grad_()
            padded = torch.cat([logits, torch.full((2, 3), float("-inf"), dtype=dtype)], dim=-1)
            loss = pointer_loss(kind, padded, torch.cat([LABELS, torch.zeros(2, 3, dtype=torch.bool)], dim=-1))
            loss.backward()
            assert loss.isfinite() and logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_key_frames_are_pushed_up_and_others_down(kind: PointerLoss) -> None:
    for logits in (torch.zeros(2, 4), torch.where(LABELS, -4.0, 4.0)):
        logits.requires_grad_()
        pointer_loss(kind, logits, LABELS).backward()
        assert logits.grad is not None
        assert (logits.grad[LABELS] < 0).all() and (logits.grad[~LABELS] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_are_not_there_change_nothing(kind: PointerLoss) -> None:
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(3))
    padded = torch.cat([logits, torch.full((2, 5), float("-inf"))], dim=-1)
    labels = torch.cat([LABELS, torch.zeros(2, 5, dtype=torch.bool)], dim=-1)
    torch.testing.assert_close(POINTER_LOSSES[kind](padded, labels), POINTER_LOSSES[kind](logits, LABELS))


@pytest.mark.parametrize("kind", KINDS)
def test_only_questions_with_key_frames_count(kind: PointerLoss) -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(4))
    labels = torch.cat([LABELS, torch.zeros(1, 4, dtype=torch.bool)])
    each = POINTER_LOSSES[kind](logits[:2], LABELS)
    torch.testing.assert_close(pointer_loss(kind, logits, labels), each.mean())
    assert pointer_loss(kind, logits, torch.zeros_like(labels)) == 0


def test_an_answer_counts_by_its_questions_weight_not_by_its_length() -> None:
    logits = torch.zeros(4, 5)
    logits[0, 1] = 50.0  # the first question's only token is right; the second's three are a guess
    target, question = torch.tensor([1, 2, 3, 4]), torch.tensor([0, 1, 1, 1])
    loss, right = answer_loss(logits, target, question, torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx(0.75 * log(5))
    assert right.tolist() == [True, False]


def test_an_answer_is_right_only_if_all_its_tokens_are() -> None:
    target, question = torch.tensor([1, 2, 3]), torch.tensor([0, 0, 1])
    logits = 50.0 * torch.eye(5)[torch.tensor([1, 0, 3])]
    _, right = answer_loss(logits, target, question, torch.ones(2))
    assert right.tolist() == [False, True]
    loss, right = answer_loss(50.0 * torch.eye(5)[target], target, question, torch.ones(2))
    assert float(loss) < 1e-6 and right.all()


def mass(chances: list[float]) -> Tensor:
    """Log attention (1, 2 heads, 1 place, S) of two heads that look alike."""
    return torch.tensor(chances).log().expand(1, 2, 1, -1)


def test_guided_heads_lose_what_lands_elsewhere() -> None:
    one = torch.zeros(1, dtype=torch.long)
    look = torch.tensor([[True, True, False, False]])
    loss = guidance_loss(mass([0.2, 0.3, 0.4, 0.1]), one, one, one, look)
    assert float(loss) == pytest.approx(-log(0.5))
    assert float(guidance_loss(mass([0.5, 0.5, 1e-30, 1e-30]), one, one, one, look)) == pytest.approx(0.0, abs=1e-6)


def test_a_question_with_many_places_is_guided_no_more_than_one_with_few() -> None:
    log_mass = torch.tensor([[0.1, 0.9], [0.1, 0.9], [0.5, 0.5]]).log()[None, None]  # (1, 1 head, 3 places, 2)
    day, at, question = torch.zeros(3, dtype=torch.long), torch.arange(3), torch.tensor([0, 0, 1])
    look = torch.tensor([[False, True], [True, False]])
    loss = guidance_loss(log_mass, day, at, question, look)
    assert float(loss) == pytest.approx(-(log(0.9) + log(0.5)) / 2)
