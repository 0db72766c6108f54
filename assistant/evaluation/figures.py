"""What was measured, as pictures for the README: arrays in, one PNG out.

    draw_needle          right answers over depth and length
    draw_reliability     confidence against the share of right answers
    draw_pointer         one question's scores over the day
    draw_k_sweep, draw_alpha_sweep    systems at several k, or exploration bonuses
    draw_training        losses and accuracies over steps

Series differ by marker and line as well as by colour (Okabe and Ito's, which the colour-blind can tell apart). The
same arrays give the same bytes. This file does not know how anything was measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.evaluation.calibration import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
SERIES = (
    (BLUE, "o", "-"),
    (RED, "s", "--"),
    (GREEN, "D", "-."),
    (ORANGE, "^", ":"),
    (PURPLE, "v", "--"),
    ("black", "X", ":"),
    (SKY, "P", "-."),
)
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
DOTS_PER_INCH = 120


def draw_needle(
    depths: Sequence[float], lengths: Sequence[int], shares: np.ndarray, measure: str, title: str, path: Path
) -> Path:
    """Shares (depths, lengths) as a map with every number in its cell; `measure` says of what ("right answers")."""
    with _picture(path, 7.2, 0.42 * len(depths) + 1.6) as figure:
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(shares.shape):
            share = shares[row, column]
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", color="white" if share < 0.55 else "black")
        axes.set_xticks(range(len(lengths)), [f"{length:,}" for length in lengths])
        axes.set_yticks(range(len(depths)), [f"{depth:.0%}" for depth in depths])
        axes.set(title=title, xlabel="length of the day (keyframes)", ylabel="depth of the needle in the day")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, label=f"share of {measure}", pad=0.02).outline.set_visible(False)
    return path


def draw_reliability(found: Mapping[str, Reliability], title: str, path: Path) -> Path:
    """Named reliabilities ("raw", "calibrated"), each a panel: shares against confidence, and how many outcomes."""
    with _picture(path, 3.9 * len(found), 4.3) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        panels = figure.subplots(2, len(found), squeeze=False, height_ratios=(4, 1), sharex=True, sharey="row")
        for (name, each), (curve, histogram) in zip(found.items(), panels.T, strict=True):
            bins = len(each.counts)
            middles = (np.arange(bins) + 0.5) / bins
            curve.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="perfect")
            curve.bar(middles, each.right, 0.9 / bins, color=SKY, alpha=0.45)
            curve.plot(each.confidence, each.right, color=BLUE, marker="o", clip_on=False, label=f"ECE {each.ece:.3f}")
            curve.set(title=name, xlim=(0, 1), ylim=(0, 1.02))
            curve.legend(loc="upper left")
            histogram.bar(middles, each.counts, 0.9 / bins, color="grey")
            histogram.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
            histogram.set_xlabel("confidence")
        panels[0, 0].set_ylabel("share of right answers")
        panels[1, 0].set_ylabel("answers")
    return path


def draw_pointer(
    times_s: Sequence[float],
    scores: np.ndarray,
    keys: Sequence[int],
    selected: Sequence[int],
    question: str,
    path: Path,
) -> Path:
    """The pointer's scores (N,) of one question at the frames' times; key and selected frames are indices."""
    minutes = np.asarray(times_s, float) / 60
    with _picture(path, 8.0, 3.2) as figure:
        axes = figure.subplots()
        top = float(scores.max()) * 1.15
        half_min = np.median(np.diff(minutes)) / 2 if len(minutes) > 1 else 0.5
        for number, run in enumerate(_runs(keys)):
            label = "true key frames" if number == 0 else None
            axes.axvspan(minutes[run[0]] - half_min, minutes[run[-1]] + half_min, color=ORANGE, alpha=0.5, label=label)
        axes.plot(minutes, scores, color=BLUE, linewidth=1.2, label="pointer's score")
        again = list(selected)
        axes.plot(minutes[again], scores[again], "v", color="black", clip_on=False, label="looked at again")
        axes.set(title=f"“{question}”", xlabel="minutes since the recording began", ylabel="score", ylim=(0, top))
        axes.set_xlim(minutes[0] - half_min, minutes[-1] + half_min)
        figure.legend(loc="outside lower center", ncols=3)
    return path


def draw_k_sweep(
    ks: Sequence[int], shares: Mapping[str, Sequence[float]], measure: str, title: str, path: Path
) -> Path:
    """Shares of each system at every k, over k on a scale of doublings; `measure` names them ("MDA")."""
    with _picture(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        axes.set_xscale("log", base=2)
        _draw_series(axes, ks, shares)
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        axes.set(title=title, xlabel="frames looked at again (k)", ylabel=measure, ylim=(0, 1))
    return path


def draw_alpha_sweep(
    alphas: Sequence[float], shares: Mapping[str, Sequence[float]], measure: str, title: str, path: Path
) -> Path:
    """Shares of each series at every exploration bonus."""
    with _picture(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        _draw_series(axes, alphas, shares)
        axes.set_xticks(alphas, [f"{alpha:g}" for alpha in alphas])
        axes.set(title=title, xlabel="exploration bonus (alpha)", ylabel=measure)
    return path


@dataclass(frozen=True, slots=True)
class Course:
    """One training: rows with "step" and whatever was measured then, nan where there was nothing to measure.

    Of a share, "held out NAME" is what was measured on other data. `begins` are the steps at which named stages begin.
    """

    title: str
    rows: Sequence[Mapping[str, float]]
    losses: Sequence[str]
    shares: Sequence[str]
    begins: Mapping[str, int]


def draw_training(courses: Sequence[Course], title: str, path: Path) -> Path:
    """Each course a column, over its own steps: losses above, shares below, dots for what was held out."""
    from matplotlib.ticker import LogLocator, NullLocator

    with _picture(path, 4.15 * len(courses), 6.4) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        panels = figure.subplots(2, len(courses), squeeze=False)
        for course, (above, below) in zip(courses, panels.T, strict=True):
            above.set_yscale("log", nonpositive="mask")
            above.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            above.yaxis.set_major_formatter("{x:g}")
            above.yaxis.set_minor_locator(NullLocator())
            _draw_course(above, course, course.losses)
            _draw_course(below, course, course.shares)
            above.set_title(course.title, pad=24)
            for stage, step in course.begins.items():
                above.annotate(
                    stage, (step, 1), (0, 3), ("data", "axes fraction"), "offset points", rotation=25, size=8
                )
            below.set(xlabel="step", ylim=(0, 1.02))
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("share of right answers")
    return path


def _draw_course(axes: "Axes", course: Course, names: Sequence[str]) -> None:
    for name, (colour, _, line) in zip(names, SERIES, strict=False):
        axes.plot(*_taken(course, name), color=colour, linestyle=line, linewidth=1.3, label=name.replace("_", " "))
        axes.plot(*_taken(course, f"held out {name}"), "o", color=colour, markersize=4.5, markeredgecolor="black")
    for step in course.begins.values():
        axes.axvline(step, color="grey", linewidth=0.8)
    axes.set_xlim(left=0)
    axes.grid(axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=8, columnspacing=1.0)


def _taken(course: Course, name: str) -> tuple[list[float], list[float]]:
    taken = [row for row in course.rows if name in row]
    return [row["step"] for row in taken], [row[name] for row in taken]


def _draw_series(axes: "Axes", values: Sequence[float], shares: Mapping[str, Sequence[float]]) -> None:
    for (name, share), (colour, marker, line) in zip(shares.items(), SERIES, strict=False):
        axes.plot(values, share, color=colour, marker=marker, linestyle=line, label=name)
    axes.grid(axis="y")
    by_height = sorted(axes.lines, key=lambda drawn: -np.asarray(drawn.get_ydata())[-1])  # as they end on the right
    axes.legend(handles=by_height, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _runs(indices: Sequence[int]) -> list[list[int]]:
    """Sorted indices, parted where one is missing."""
    ordered = sorted(indices)
    breaks = np.flatnonzero(np.diff(ordered) > 1) + 1
    return [run.tolist() for run in np.split(np.array(ordered, int), breaks) if len(run)]


@contextmanager
def _picture(path: Path, width_in: float, height_in: float) -> Iterator["Figure"]:
    """A figure that is written when it is done; no window, no global state, and nothing in the file but the picture."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained")
        yield figure
        figure.savefig(path, format="png", metadata={"Software": None})
