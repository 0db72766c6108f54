"""Choosing: an option's score is what the model gives that answer, from the frames that the caller found."""

import numpy as np
import pytest
import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.choosing import score_options
from assistant.evaluation.egomemoria import MultipleChoice

QUESTION, OTHER = "where did I put my wallet?", "what colour is my wallet?"
OPTIONS = ("on the kitchen table.", "on the bedroom bed.", "red.", "I did not see that.")
SHOWN = [prompt.Shown("08:14:05"), prompt.Shown("08:14:09")]


@pytest.fixture
def visual(tiny_checkpoint: Checkpoint) -> Tensor:
    noise = np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    with torch.no_grad():
        return tiny_checkpoint.model.encode_frames(tiny_checkpoint.model.pixels(list(noise)))


def spelled_out(checkpoint: Checkpoint, option: str, visual: Tensor, shown: list[prompt.Shown]) -> float:
    """One option's log-likelihood token by token, each from a reading of its own."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    with torch.inference_mode():
        asked = model.embed(prompt.tokenise(prompt.fallback_pieces(QUESTION, shown, 0), tokenizer), visual)
        ids = prompt.token_ids(option + "<|im_end|>", tokenizer)
        each = [model.answer_logits([asked], [ids[: n + 1]])[0][-1].log_softmax(-1)[ids[n]] for n in range(len(ids))]
    return float(sum(each))


def choice(question: str, gold: int, options: tuple[str, ...] = OPTIONS) -> MultipleChoice:
    return MultipleChoice("home1", 0.0, 300.0, "where_put", question, options, gold, ((1.0, 2.0),))


@pytest.mark.parametrize("seen", [True, False])
def test_a_score_is_the_likelihood_of_the_whole_answer(tiny_checkpoint: Checkpoint, visual: Tensor, seen: bool) -> None:
    shown = SHOWN if seen else []
    scores = score_options(tiny_checkpoint, visual[: len(shown)], shown, [choice(OTHER, 0), choice(QUESTION, 0)])
    wanted = [spelled_out(tiny_checkpoint, option, visual, shown) for option in OPTIONS]
    assert scores.shape == (2, 4) and (scores < 0).all()
    np.testing.assert_allclose(scores[1], wanted, atol=1e-3)
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


def test_the_order_of_the_options_changes_no_score(tiny_checkpoint: Checkpoint, visual: Tensor) -> None:
    asked = [choice(QUESTION, 0), choice(QUESTION, 0, OPTIONS[::-1])]
    forward, backward = score_options(tiny_checkpoint, visual, SHOWN, asked)
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-4)
