"""The parts of the report that have pictures: EgoMemoria, the needle, confidence, the pointer at work.

Each yields its lines and writes its PNGs into the folder of the page. This file does not know how anything was
measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.evaluation import figures
from assistant.evaluation.calibration import Reliability
from assistant.evaluation.markdown import number, picture, table

Found = Mapping[str, Any]
SYSTEMS = {
    "pre-trained": "the control that was never tuned, on evenly spread frames",
    "uniform": "the control tuned on evenly spread frames, on those (the paper's Ego-SFT)",
    "MM-Ego": "the checkpoint, on what its pointer selects",
}
STEPS = ("proposed", "selected")
STAGES = ("raw", "calibrated")


def memoria(found: Found, folder: Path) -> Iterator[str]:
    """The paper's Tables 3 and 5 and Figure 7, on our own films."""
    counted, systems = found["questions"], list(found["table"]["MDA"])
    classes = [name for name in counted if name != "all"]
    yield "## EgoMemoria"
    yield ""
    yield f"{counted['all']} four-way choices: " + ", ".join(f"{counted[name]} {name}" for name in classes) + "."
    yield "For mean debiased accuracy (MDA) each system in turn takes out what it gets right without a frame."
    yield "Averages are plain means of the classes, as in the paper (arXiv 2410.07177, Table 3)."
    yield ""
    yield from (f"- {system}: {SYSTEMS[system]}" for system in systems)
    yield ""
    rows = {f"{name}, {system}": row for name, of in found["table"].items() for system, row in of.items()}
    rows |= {f"without any frame, {system}": row for system, row in found["blind"].items()}
    yield from _by_class("accuracy", rows, classes)
    yield f"MDA of the same checkpoint on {found['k'][0]} frames that others select:"
    yield ""
    yield from _by_class("selection", found["selections"], classes)
    yield from _sweeps(found, systems, folder)


def _by_class(head: str, rows: Mapping[str, Found], classes: Sequence[str]) -> Iterator[str]:
    columns = (*classes, "average")
    yield from table((head, *columns), ([name, *(number(row[each]) for each in columns)] for name, row in rows.items()))


def _sweeps(found: Found, systems: Sequence[str], folder: Path) -> Iterator[str]:
    counts, alphas = found["k"], found["alpha"]
    yield "Average MDA with fewer frames, and the share of it that is lost from most to fewest (Table 5):"
    yield ""
    yield from table(
        ("system", *(f"k = {k}" for k in counts), "lost"),
        ([each, *map(number, found["by_k"][each]), number(found["drop"][each])] for each in systems),
    )
    by_k = {each: _floats(found["by_k"][each]) for each in systems}
    yield picture(figures.draw_k_sweep(counts, by_k, "average MDA", "Fewer frames", folder / "k-sweep.png"))
    yield f"Average MDA of MM-Ego at k = {counts[0]} by exploration bonus (Figure 7):"
    yield ""
    yield from table(("alpha", *(f"{each:g}" for each in alphas)), [["MDA", *map(number, found["by_alpha"])]])
    by_alpha, path = {"MM-Ego": _floats(found["by_alpha"])}, folder / "alpha-sweep.png"
    yield picture(figures.draw_alpha_sweep(alphas, by_alpha, "average MDA", "Exploration bonus", path))


def needle(found: Found, folder: Path) -> Iterator[str]:
    """Right answers by depth and length, and what passed each step on the way."""
    depths, lengths = found["depths"], found["lengths"]
    yield "## A needle in a haystack"
    yield ""
    yield f"{found['needles']} acts, each put into days of other homes' frames and asked for along the whole path; long"
    yield "days pass recall first. Below the depths: the share of the needle's frames that recall proposes, and, of as"
    yield "many of them as can be looked at again, the share of those that are."
    yield ""
    rows = [[f"right at {depth:.0%}", *map(number, row)] for depth, row in zip(depths, found["right"], strict=True)]
    rows += [[step, *(number(float(mean)) for mean in np.mean(found[step], axis=0))] for step in STEPS]
    yield from table(("frames", *(f"{length:,}" for length in lengths)), rows)
    shares, path = np.array(found["right"]), folder / "needle.png"
    yield picture(figures.draw_needle(depths, lengths, shares, "right answers", "A needle in a haystack", path))


def calibration(found: Found, folder: Path) -> Iterator[str]:
    """How far confidence can be believed, before and after calibration."""
    (a, b), each = found["numbers"], {name: Reliability.from_json(found[name]) for name in STAGES if name in found}
    yield "## Confidence"
    yield ""
    yield f"The confidence that comes with an answer is sigmoid({a:.3f} logit(p) + {b:.3f}), p being the probability"
    yield "that the model gives to its words; both numbers come with the checkpoint. Over"
    errors = " and ".join(f"{number(one.ece)} {name}" for name, one in each.items())
    yield f"{int(each['calibrated'].counts.sum())} answers the expected calibration error is {errors}."
    yield ""
    yield picture(figures.draw_reliability(each, "Confidence against right answers", folder / "reliability.png"))


def curves(found: Sequence[Found], folder: Path) -> Iterator[str]:
    """One picture a question."""
    yield "## The pointer at work"
    yield ""
    yield "The score of every candidate frame of a home for one question, the true key frames, and the frames that are"
    yield "looked at again."
    yield ""
    for place, curve in enumerate(found, start=1):
        scores, path = np.array(curve["scores"]), folder / f"pointer-{place}.png"
        drawn = curve["times_s"], scores, curve["keys"], curve["selected"], curve["question"]
        yield picture(figures.draw_pointer(*drawn, path))


def _floats(shares: Sequence[float | None]) -> list[float]:
    return [np.nan if share is None else share for share in shares]
