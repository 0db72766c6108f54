"""The training log: what was written is read back, the last word on a step counts, and its curves are whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.training.recipe import Recipe, Stage
from assistant.training.training_log import TrainingLog, draw_curves, read_log

MEASURED = {"answer": 0.25, "right_where": 0.5}


def test_what_is_measured_is_read_back_and_what_happened_is_left_aside(tmp_path: Path) -> None:
    said: list[str] = []
    log = TrainingLog(tmp_path, said.append)
    log("recipe Recipe(tower_steps=7000, stages=(Stage(name='align', steps=400)))")
    log("tower step 1000 37 s", {"loss": 3.5})
    log("tower step 1000 held out", {"recall": 0.5})
    log("text-only step 50 2 s", MEASURED)
    log("checkpoint written: 16.5 MB")
    assert said == (tmp_path / "train.log").read_text().splitlines() and len(said) == 5
    tower = {"step": 1000, "loss": 3.5, "held out recall": 0.5}
    assert read_log(tmp_path / "train.log") == {"tower": [tower], "text-only": [{"step": 50, **MEASURED}]}


def test_what_a_killed_run_trains_again_counts_once(tmp_path: Path) -> None:
    for answers in ({50: 4.0, 100: 3.0}, {100: 2.0, 150: 1.0}):  # killed behind 100, gone on behind 50
        log = TrainingLog(tmp_path, lambda line: None)
        for step, answer in answers.items():
            log(f"align step {step} 1 s", {"answer": answer})
    rows = read_log(tmp_path / "train.log")["align"]
    assert [(row["step"], row["answer"]) for row in rows] == [(50, 4.0), (100, 2.0), (150, 1.0)]


def test_nothing_to_measure_is_nan_and_no_share(tmp_path: Path) -> None:
    TrainingLog(tmp_path, lambda line: None)("align step 50 1 s", {"right_order": float("nan")})
    (row,) = read_log(tmp_path / "train.log")["align"]
    assert row == pytest.approx({"step": 50, "right_order": float("nan")}, nan_ok=True)


def test_every_stage_is_on_the_curves(tmp_path: Path) -> None:
    recipe = replace(Recipe(), stages=(Stage("align", 100, "captions"), Stage("instruct", 200, "key frames")))
    pictures = []
    for stage in ("tower", "align", "instruct"):
        for step in (50, 100):
            TrainingLog(tmp_path, lambda line: None)(f"{stage} step {step} 1 s", {"loss": 1.0, "answer": step / 100})
        pictures.append(draw_curves(tmp_path, recipe).read_bytes())
    assert len(set(pictures)) == 3 and [path.name for path in tmp_path.glob("*.png")] == ["curves.png"]
