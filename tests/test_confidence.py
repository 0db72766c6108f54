"""Confidence: the answer path gives what the checkpoint's two numbers make of the model's own probability."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from assistant import checkpoints
from assistant.checkpoints import Checkpoint
from assistant.confidence import calibrated, save_calibration
from assistant.prompt import Shown
from assistant.recollection import Recollected, answer_from, see


def confidence(checkpoint: Checkpoint) -> float:
    pictures = list(np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), dtype=np.uint8))
    seen = see(checkpoint, pictures, [Shown("08:14:05"), Shown("08:14:09")])
    *_, last = answer_from(checkpoint, "where did I put my wallet?", seen)
    assert isinstance(last, Recollected)
    return last.confidence


def test_an_answers_confidence_goes_through_the_numbers_that_were_saved(
    tiny_checkpoint: Checkpoint, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "tiny")
    save_calibration(folder, 0.5, 2.0)
    mended = checkpoints.load(str(folder))
    raw = confidence(tiny_checkpoint)
    assert list(tiny_checkpoint.model.config.calibration) == [1.0, 0.0]
    assert confidence(mended) == pytest.approx(1 / (1 + math.exp(-0.5 * math.log(raw / (1 - raw)) - 2.0)))
    assert mended.key != tiny_checkpoint.key


def test_certainty_stays_a_finite_chance() -> None:
    assert calibrated([0.0, 1.0], 1.0, 0.0) == pytest.approx([0.0, 1.0], abs=1e-5)
    assert ((edges := calibrated([0.0, 1.0], 0.3, 0.0)) > 0.01).all() and (edges < 0.99).all()
