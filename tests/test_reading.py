"""Weighing answers: one pass over many of them says what decoding would say, and how likely."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.evaluation.reading import same_answer, weigh
from assistant.recollection import Recollected, answer_from, see

PUT, COLOUR = "where did I put my wallet?", "what colour is my wallet?"
OPTIONS = ("on the kitchen table.", "on the bedroom bed.", "red.", "I did not see that.")
SHOWN = [prompt.Shown("08:14:05"), prompt.Shown("08:14:09", "the red wallet")]
ASKED = [(PUT, OPTIONS), (COLOUR, OPTIONS)]
TAUGHT = {PUT: "on the kitchen table.", COLOUR: "red."}


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def visual(tiny_checkpoint: Checkpoint, images: list[np.ndarray]) -> Tensor:
    with torch.no_grad():
        return tiny_checkpoint.model.encode_frames(tiny_checkpoint.model.pixels(images))


@pytest.fixture(scope="module")
def taught(tiny_checkpoint: Checkpoint, visual: Tensor) -> Checkpoint:
    """The tiny checkpoint with its answers to two questions learned by heart, and without frames "not seen"."""
    checkpoint = replace(tiny_checkpoint, model=deepcopy(tiny_checkpoint.model))
    reader = checkpoint.model.model.language_model.requires_grad_(True)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=1e-2)
    cases = [case for text in TAUGHT for case in ((text, True, TAUGHT[text]), (text, False, OPTIONS[-1]))]
    for _ in range(60):
        loss = -sum(torch.stack(_chances(checkpoint, visual, *case)).sum() for case in cases)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    checkpoint.model.requires_grad_(False)
    return checkpoint


def _chances(checkpoint: Checkpoint, visual: Tensor, question: str, seen: bool, answer: str) -> list[Tensor]:
    """The log-likelihood of each token of one answer, read alone."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    pieces = prompt.fallback_pieces(question, SHOWN if seen else [], model.config.transcript_words)
    asked = model.embed(prompt.tokenise(pieces, tokenizer), visual)
    ids = prompt.token_ids(answer + prompt.TURN_END, tokenizer)
    (logits,) = model.answer_logits([asked], [ids])
    return list(logits.log_softmax(-1)[range(len(ids)), ids])


def said(checkpoint: Checkpoint, question: str, images: Sequence[np.ndarray]) -> str:
    *_, last = answer_from(checkpoint, question, see(checkpoint, images, SHOWN[: len(images)]))
    assert isinstance(last, Recollected)
    return last.text


@pytest.mark.parametrize("seen", [True, False])
def test_an_answer_weighs_the_same_packed_as_read_alone(
    tiny_checkpoint: Checkpoint, visual: Tensor, seen: bool
) -> None:
    shown = SHOWN if seen else []
    weighed = weigh(tiny_checkpoint, visual[: len(shown)], shown, ASKED)
    for (question, options), found in zip(ASKED, weighed, strict=True):
        alone = [float(sum(_chances(tiny_checkpoint, visual, question, seen, option))) for option in options]
        np.testing.assert_allclose([each.log_chance for each in found], alone, atol=1e-3)


def test_what_decoding_says_is_what_is_said_and_nothing_else(
    taught: Checkpoint, visual: Tensor, images: list[np.ndarray]
) -> None:
    for frames in (images, []):
        weighed = weigh(taught, visual[: len(frames)], SHOWN[: len(frames)], ASKED)
        for (question, options), found in zip(ASKED, weighed, strict=True):
            decoded = said(taught, question, frames)
            assert decoded == (TAUGHT[question] if frames else OPTIONS[-1].lower())
            assert [each.said for each in found] == [same_answer(decoded, option) for option in options]


def test_a_beginning_of_what_would_be_said_is_not_said(taught: Checkpoint, visual: Tensor) -> None:
    ((begun, longer),) = weigh(taught, visual, SHOWN, [(PUT, ("on the kitchen", "on the kitchen table. red"))])
    assert not begun.said and not longer.said


def test_nothing_asked_is_nothing_weighed(tiny_checkpoint: Checkpoint, visual: Tensor) -> None:
    assert weigh(tiny_checkpoint, visual, SHOWN, []) == []
    assert weigh(tiny_checkpoint, visual, SHOWN, [(PUT, ())]) == [[]]
