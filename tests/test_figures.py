"""Figures: every one is a picture of a size for a README, the same each time, and drawn from hard cases too."""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from assistant.evaluation import figures
from assistant.evaluation.calibration import reliability

SURE = np.linspace(0.4, 1.0, 30)
SCORES = np.linspace(1, 2, 40) / 60
TOWER = figures.Course(
    "tower", [{"step": 1, "loss": 9.0}, {"step": 2, "loss": 1.0, "held out recall": 0.5}], ["loss"], ["recall"], {}
)
MODEL = figures.Course(
    "model",
    [{"step": 1, "answer": 9.0}, {"step": 2, "answer": 1.0, "guidance": 0.0, "right": math.nan}],
    ["answer", "guidance", "absent"],
    ["right"],
    {"align": 0, "instruct": 1},
)

DRAWN: dict[str, Callable[[Path], Path]] = {
    "needle": lambda path: figures.draw_needle(
        [0.0, 0.5, 1.0], [50, 1600], np.array([[1.0, 0.5], [0.0, 0.4], [0.7, 0.55]]), "right answers", "Needle", path
    ),
    "reliability": lambda path: figures.draw_reliability(
        {"raw": reliability(SURE, SURE > 0.7), "none": reliability([], [])}, "Confidence", path
    ),
    "pointer": lambda path: figures.draw_pointer(
        np.arange(40.0), SCORES, [3, 4, 5, 20], [0, 4, 39], "where did I put the red wallet?", path
    ),
    "pointer without key frames": lambda path: figures.draw_pointer(
        [0.0], np.array([1.0]), [], [0], "did I open the fridge?", path
    ),
    "k": lambda path: figures.draw_k_sweep(
        [4, 8, 16], {"pointer": [0.6, 0.7, 0.8], "uniform": [0.1, 0.2, 0.3]}, "MDA", "Equal k", path
    ),
    "alpha": lambda path: figures.draw_alpha_sweep([0.0, 0.1], {"all": [0.6, 0.7]}, "accuracy", "Exploration", path),
    "training": lambda path: figures.draw_training([TOWER, MODEL], "T", path),
    "training cut before it was measured": lambda path: figures.draw_training(
        [figures.Course("tower", [], ["loss"], ["recall"], {}), MODEL], "T", path
    ),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.filterwarnings("error")
def test_every_figure_is_the_same_picture_each_time(name: str, tmp_path: Path) -> None:
    first, second = DRAWN[name](tmp_path / "first.png"), DRAWN[name](tmp_path / "second.png")
    assert first.read_bytes() == second.read_bytes()
    height_px, width_px, _ = cv2.imread(str(first)).shape
    assert 600 <= width_px <= 1000 and 200 <= height_px <= 800


def test_other_numbers_are_another_picture(tmp_path: Path) -> None:
    one, other = (
        figures.draw_alpha_sweep([0.0, 0.1], {"all": [0.6, last]}, "accuracy", "Exploration", tmp_path / f"{last}.png")
        for last in (0.7, 0.8)
    )
    assert one.read_bytes() != other.read_bytes()


def test_a_drawn_needle_is_bright_where_it_is_found(tmp_path: Path) -> None:
    grid = np.tile([1.0, 0.0], (8, 1))
    path = figures.draw_needle(np.linspace(0, 1, 8).tolist(), [50, 100], grid, "right answers", "", tmp_path / "n.png")
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float)
    middle = picture[picture.shape[0] // 2]
    found, missed = middle[len(middle) // 4], middle[len(middle) * 6 // 10]
    assert found > 180 > 80 > missed
