"""train.log: the one record of a training run, for people to read and for its curves.

A line is "SECONDS s  STAGE step NUMBER TAKEN s NAME VALUE ...", or "held out" for the seconds taken; other lines say
what happened. A run that was killed writes again what it trains again: of the same step the later line counts.
"""

import re
import time
from collections.abc import Callable
from math import nan
from pathlib import Path

from assistant.evaluation.figures import Course, draw_training
from assistant.training.recipe import Recipe
from store.disk import writing

FILE, PICTURE = "train.log", "curves.png"
MEASURED = re.compile(r" *\d+ s  (?P<stage>\S+) step (?P<step>\d+) (\d+ s|(?P<held_out>held out)) (?P<values>.+)")
TOWER_SHARES = ("thing_cells", "colour_cells", "held", "act", "recall")
MODEL_LOSSES = ("pointer", "handled", "answer", "guidance")
MODEL_SHARES = ("recall", "right", "right_where", "right_order", "right_vain")

Row = dict[str, float]


class TrainingLog:
    """Lines with the time they were written, on the screen and in the file that is shipped beside the weights."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say, self._began = folder, say, time.monotonic()

    def __call__(self, line: str, measured: Row | None = None) -> None:
        shown = " ".join(f"{name} {value:.3f}" for name, value in (measured or {}).items())
        stamped = f"{time.monotonic() - self._began:7.0f} s  {line} {shown}".rstrip()
        self._say(stamped)
        with writing(self._folder), (self._folder / FILE).open("a") as file:
            file.write(stamped + "\n")


def read_log(path: Path) -> dict[str, list[Row]]:
    """Of every stage the rows in the order of their steps: "step", what was measured, and "held out NAME"."""
    found: dict[str, dict[int, Row]] = {}
    for line in path.read_text().splitlines():
        if match := MEASURED.fullmatch(line):
            step, words = int(match["step"]), match["values"].split()
            prefix = "held out " if match["held_out"] else ""
            row = found.setdefault(match["stage"], {}).setdefault(step, {"step": step})
            row.update({prefix + name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)})
    return {stage: [rows[step] for step in sorted(rows)] for stage, rows in found.items()}


def draw_curves(folder: Path, recipe: Recipe) -> Path:
    """The losses and shares of the log in `folder`, as a picture beside it: the tower's, and the model's in a row."""
    measured = read_log(folder / FILE)
    rows, begins, begin = list[Row](), dict[str, int](), 0
    for stage in recipe.stages:
        begins[stage.name] = begin
        rows.append({"step": begin, **dict.fromkeys((*MODEL_LOSSES, *MODEL_SHARES), nan)})  # no line between stages
        rows += [{**row, "step": begin + row["step"]} for row in measured.get(stage.name, [])]
        begin += stage.steps
    courses = (
        Course("vision tower", measured.get("tower", []), ("loss",), TOWER_SHARES, {}),
        Course("model", rows, MODEL_LOSSES, MODEL_SHARES, begins),
    )
    return draw_training(courses, "Training, by step; dots are homes held out", folder / PICTURE)
