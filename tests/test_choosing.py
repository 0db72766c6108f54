"""Choosing: an option's score is what the model gives that answer, from the frames that the caller found."""

import numpy as np
import pytest
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.choosing import answer_choices, examine_choices, score_options
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.vision import pixels

QUESTION = "where did I put my wallet?"
OPTIONS = ("on the kitchen table.", "on the bedroom bed.", "red.", "I did not see that.")
SHOWN = [prompt.Shown("08:14:05"), prompt.Shown("08:14:09")]


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8))


def spelled_out(checkpoint: Checkpoint, option: str, images: list[np.ndarray], shown: list[prompt.Shown]) -> float:
    """One option's log-likelihood token by token, each from a reading of its own."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    with torch.inference_mode():
        visual = model.encode_frames(pixels(images, model.config.picture_px))
        asked = model.embed(prompt.tokenise(prompt.fallback_pieces(QUESTION, shown, 0), tokenizer), visual)
        ids = prompt.token_ids(option + "<|im_end|>", tokenizer)
        each = [model.answer_logits([asked], [ids[: n + 1]])[0][-1].log_softmax(-1)[ids[n]] for n in range(len(ids))]
    return float(sum(each))


def choice(question: str, gold: int) -> MultipleChoice:
    return MultipleChoice("home1", 0.0, 300.0, "where_put", question, OPTIONS, gold, ((1.0, 2.0),))


def test_a_score_is_the_likelihood_of_the_whole_answer(tiny_checkpoint: Checkpoint, images: list[np.ndarray]) -> None:
    scores = score_options(tiny_checkpoint, QUESTION, OPTIONS, images, SHOWN)
    wanted = [spelled_out(tiny_checkpoint, option, images, SHOWN) for option in OPTIONS]
    assert scores.shape == (4,) and (scores < 0).all()
    np.testing.assert_allclose(scores, wanted, atol=1e-3)


def test_scores_follow_the_frames_and_the_blind_ones_need_none(
    tiny_checkpoint: Checkpoint, images: list[np.ndarray]
) -> None:
    seeing = score_options(tiny_checkpoint, QUESTION, OPTIONS, images, SHOWN)
    blind = score_options(tiny_checkpoint, QUESTION, OPTIONS, [], [])
    np.testing.assert_allclose(blind, [spelled_out(tiny_checkpoint, option, [], []) for option in OPTIONS], atol=1e-3)
    assert np.abs(seeing - blind).max() > 1e-4


def test_the_order_of_the_options_changes_no_score(tiny_checkpoint: Checkpoint, images: list[np.ndarray]) -> None:
    forward = score_options(tiny_checkpoint, QUESTION, OPTIONS, images, SHOWN)
    backward = score_options(tiny_checkpoint, QUESTION, OPTIONS[::-1], images, SHOWN)
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-4)


def test_every_question_is_answered_with_its_own_frames_and_blind(
    tiny_checkpoint: Checkpoint, images: list[np.ndarray]
) -> None:
    questions = (QUESTION, "what colour is my wallet?")
    looked = []

    def look_up(asked: MultipleChoice) -> tuple[list[np.ndarray], list[prompt.Shown]]:
        looked.append(asked.question)
        return images, SHOWN

    seeing, blind = (
        [int(score_options(tiny_checkpoint, q, OPTIONS, shown, told).argmax()) for q in questions]
        for shown, told in ((images, SHOWN), ([], []))
    )
    choices = [choice(questions[0], seeing[0]), choice(questions[1], (seeing[1] + 1) % 4)]
    found = examine_choices(tiny_checkpoint, choices, look_up)
    assert found.right.dtype == bool and found.right.tolist() == [True, False]
    assert found.blind.tolist() == [letter == each.gold for letter, each in zip(blind, choices, strict=True)]
    assert looked == list(questions)
    assert answer_choices(tiny_checkpoint, [], look_up).shape == (0,)
