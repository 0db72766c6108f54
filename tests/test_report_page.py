"""The page of an examination: every target, every part that was examined, and no number of its own."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.curves import PointerCurve
from assistant.evaluation.homes import BLIND, ORACLE, POINTER, TEXT_ONLY, TUNED_ON_UNIFORM, Outcome
from assistant.evaluation.memoria_exam import ALPHAS, MM_EGO, SYSTEMS, Marked, frame_counts, way
from assistant.evaluation.memoria_tables import summarise_memoria
from assistant.evaluation.needle import NeedleGrid
from assistant.evaluation.probes import ABSENT, SWAP, WRONG_VERB, Probe
from assistant.evaluation.report import render_report
from assistant.evaluation.summary import summarise
from assistant.evaluation.targets import targets
from assistant.training.data_engine import NOT_SEEN

COMMAND = "whereabouts evaluate --homes 2 --first-seed 900500"
PICTURES = [
    "k-sweep.png", "alpha-sweep.png", "needle.png", "reliability.png", "pointer-1.png", "pointer-2.png",
]  # fmt: skip


def outcome(family: str, answer: str, right: bool) -> Outcome:
    """Only the pointer and the truth are ever right."""
    vain = answer == NOT_SEEN
    ways = [POINTER, *BASELINES, BLIND, TUNED_ON_UNIFORM, TEXT_ONLY, *([] if vain else [ORACLE])]
    hits = {name: right and name in (POINTER, ORACLE) for name in ways}
    return Outcome(family, "?", answer, not vain, hits, hits, answer, not vain, 0.9, float(right), 0.0, 0.1)


def marked(length_class: str, right: bool) -> Marked:
    """Only MM-Ego is ever right, and with one frame no more."""
    hits = {way(system, BLIND): False for system in SYSTEMS}
    hits |= {way(MM_EGO, POINTER, k, 0.1): right and k > 1 for k in frame_counts(8)}
    hits |= {way(MM_EGO, POINTER, 8, alpha): right for alpha in ALPHAS} | {way(MM_EGO, b, 8): False for b in BASELINES}
    hits |= {way(system, "uniform", k): False for system in SYSTEMS[:2] for k in frame_counts(8)}
    return Marked("where_put", length_class, hits)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    outcomes = [
        outcome("where_put", "on the sofa.", True),
        outcome("where_put", NOT_SEEN, True),
        outcome(WRONG_VERB, NOT_SEEN, True),
        outcome("room", "the kitchen.", True),
        outcome("room", "the office.", False),
    ]
    probes = [Probe(SWAP, True, False, False), Probe(ABSENT, False, False, True), Probe(WRONG_VERB, False, False, True)]
    shares = np.array([[1.0, 0.5, 0.75], [1.0, 1.0, 1.0]])
    curve = PointerCurve("where did I put my mug?", [0.0, 1.0, 2.0], [0.1, 0.7, 0.2], [1], [1, 2])
    every = {
        **summarise(outcomes, probes, (0.5, 0.1)),
        "checkpoint": "nano", "homes": 2, "first_seed": 900_500, "k": 8, "alpha": 0.1, "seconds": 61.5,
        "memoria": summarise_memoria([marked("short", True), marked("long", False)], 8, 0.1),
        "needle": NeedleGrid((0.0, 1.0), (50, 1600, 100_000), 3, shares, shares, shares).to_json(),
        "curves": [curve.to_json(), curve.to_json()],
    }  # fmt: skip
    return dict(json.loads(json.dumps(every, allow_nan=False)))


def test_every_target_is_a_row_with_what_was_asked_and_what_was_reached(found: dict[str, Any], tmp_path: Path) -> None:
    page = render_report(found, COMMAND, tmp_path)
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.endswith(("| yes |", "| **no** |"))]
    assert [(asked, reached, met) for _, asked, reached, met in rows] == [
        ("≥ 0.980", "1.000", "yes"),
        ("≤ 0.010", "0.000", "yes"),
        ("≥ 0.950", "1.000", "yes"),
        ("≥ 0.850", "1.000", "yes"),
        ("≥ 0.850", "1.000", "yes"),
        ("≥ 0.970", "1.000", "yes"),
        ("≥ 0.920", "0.667", "**no**"),
        ("≥ 0.800", "0.500", "**no**"),
        ("≤ 0.050", "-0.500", "yes"),
        ("≤ 0.050", "-0.500", "yes"),
        ("≥ 0.970", "0.667", "**no**"),
        ("≥ 0.920", "1.000", "yes"),
        ("≥ 0.920", "1.000", "yes"),
        ("≤ 0.050", f"{found['calibration']['calibrated']['ece']:.3f}", "**no**"),
        ("≥ 0.100", "0.500", "yes"),
        ("≥ 0.100", "0.500", "yes"),
        ("≤ 0.046", "1.000", "**no**"),
        ("≤ –", "1.000", "**no**"),
        ("≥ 0.950", "0.875", "**no**"),
        ("≥ 0.950", "0.500", "**no**"),
        ("≥ 0.900", "0.875", "**no**"),
        ("≥ 0.900", "0.750", "**no**"),
    ]
    assert [row[0] for row in rows] == [each.what for each in targets(found)]
    assert "the weakest family (room)" in page


def test_the_page_has_the_command_the_seeds_and_every_part(found: dict[str, Any], tmp_path: Path) -> None:
    page = render_report(found, COMMAND, tmp_path)
    assert f"`{COMMAND}` in 62 s" in page and "900500 to 900501" in page
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [
        "Asked and reached", "Ways of looking", "Families of questions", "Do answers rest on the frames?", "EgoMemoria",
        "A needle in a haystack", "Confidence", "The pointer at work",
    ]  # fmt: skip
    assert "| room | 2 | 0.500 |" in page and "| where put | 1 | 1.000 |" in page and "| **all** | 3 | 0.667 |" in page
    assert "| MDA, MM-Ego | 1.000 | 0.000 | 0.500 |" in page and "| uniform | 0.000 | 0.000 | 0.000 |" in page
    assert "| right at 100% | 1.000 | 1.000 | 1.000 |" in page and "| frames | 50 | 1,600 | 100,000 |" in page


def test_its_pictures_lie_beside_it_and_all_is_the_same_each_time(found: dict[str, Any], tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    one, other = (render_report(found, COMMAND, folder) for folder in folders)
    assert one == other and re.findall(r"\]\((.+)\)", one) == PICTURES
    assert sorted(path.name for path in folders[0].iterdir()) == sorted(PICTURES)
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in PICTURES)


def test_other_findings_are_another_page(found: dict[str, Any], tmp_path: Path) -> None:
    changed = deepcopy(found)
    changed["needle"]["right"][0][2] = 0.95
    changed["probes"]["swap"]["own"] = 0.1234
    page = render_report(changed, COMMAND, tmp_path)
    assert "| ≥ 0.900 | 0.950 | yes |" in page and "| ≥ 0.980 | 0.123 | **no** |" in page


def test_what_was_not_examined_is_left_out_and_its_targets_are_not_met(found: dict[str, Any], tmp_path: Path) -> None:
    short = {name: part for name, part in found.items() if name not in ("memoria", "needle", "curves")}
    page = render_report(short, COMMAND, tmp_path)
    assert "EgoMemoria" not in page and "haystack" not in page and len(targets(short)) == len(targets(found))
    unmeasured = [each for each in targets(short) if each.reached is None]
    assert len(unmeasured) == 8 and not any(each.met for each in unmeasured)
    assert [path.name for path in tmp_path.iterdir()] == ["reliability.png"]
