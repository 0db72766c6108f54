"""The paper's tables from marked choices whose shares are known beforehand."""

import json

import pytest

from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.homes import BLIND
from assistant.evaluation.memoria_exam import ALPHAS, MM_EGO, SYSTEMS, Marked, frame_counts, way
from assistant.evaluation.memoria_tables import summarise_memoria

COUNTS = [8, 4, 2, 1]


def marked(length_class: str, own: bool, even: bool, blind: dict[str, bool] | None = None) -> Marked:
    """One choice that the pointer's own k decides; with fewer frames nobody is right."""
    right = {way(MM_EGO, "pointer", k, 0.1): own and k > 1 for k in COUNTS}
    right |= {way(MM_EGO, "pointer", 8, alpha): own and alpha in (0.0, 0.1) for alpha in ALPHAS}
    right |= {way(MM_EGO, name, 8): name == "AKS" and own for name in BASELINES}
    right |= {way(system, "uniform", k): even for system in ("uniform", "pre-trained") for k in COUNTS}
    right |= {way(system, BLIND): (blind or {}).get(system, False) for system in SYSTEMS}
    return Marked("where_put", length_class, right)


def test_each_reference_filters_on_its_own_and_classes_count_alike() -> None:
    guessed = {"uniform": True, MM_EGO: True}
    rows = [
        *(marked("short", True, False) for _ in range(3)),
        marked("short", False, False),
        marked("long", True, True, guessed),
        marked("long", False, True),
    ]
    found = summarise_memoria(rows, 8, 0.1)
    assert found["questions"] == {"short": 4, "long": 2, "all": 6}
    table = found["table"]
    assert isinstance(table, dict) and list(table) == [
        "original", "minus pre-trained", "minus uniform", "minus MM-Ego", "MDA",
    ]  # fmt: skip
    assert table["original"][MM_EGO] == {"short": 0.75, "long": 0.5, "average": 0.625}
    assert table["minus pre-trained"][MM_EGO]["long"] == 0.5 and table["minus uniform"][MM_EGO]["long"] == 0.0
    assert table["MDA"][MM_EGO]["long"] == pytest.approx(0.5 / 3, abs=1e-4)
    assert table["MDA"]["uniform"] == {"short": 0.0, "long": 1.0, "average": 0.5}
    blind = found["blind"]
    assert isinstance(blind, dict) and blind[MM_EGO]["long"] == 0.5 and blind["pre-trained"]["average"] == 0.0


def test_sweeps_and_selections_are_averages_of_the_same_choices() -> None:
    found = summarise_memoria([marked("medium", True, True), marked("medium", False, False)], 8, 0.1)
    assert found["k"] == COUNTS and found["by_k"] == {
        "pre-trained": [0.5] * 4, "uniform": [0.5] * 4, MM_EGO: [0.5, 0.5, 0.5, 0.0],
    }  # fmt: skip
    assert found["drop"] == {"pre-trained": 0.0, "uniform": 0.0, MM_EGO: 1.0}
    assert found["by_alpha"] == [0.5, 0.0, 0.5, 0.0, 0.0]
    selections = found["selections"]
    assert isinstance(selections, dict) and list(selections) == ["pointer", *BASELINES]
    assert {name: row["average"] for name, row in selections.items()} == {
        "pointer": 0.5, "uniform": 0.0, "top-k": 0.0, "AKS": 0.5, "BOLT": 0.0,
    }  # fmt: skip


def test_without_controls_there_is_one_system_and_a_class_answered_blind_has_no_number() -> None:
    alone = [
        Marked(each.family, each.length_class, {name: hit for name, hit in each.right.items() if MM_EGO in name})
        for each in (marked("short", True, False, {MM_EGO: True}), marked("long", True, False))
    ]
    found = summarise_memoria(alone, 8, 0.1)
    assert found["drop"] == {MM_EGO: None} and found["table"]["MDA"] == {  # type: ignore[index]
        MM_EGO: {"short": None, "long": 1.0, "average": None}
    }
    json.dumps(found, allow_nan=False)


def test_nothing_marked_is_said() -> None:
    with pytest.raises(ValueError, match="MDA needs"):
        summarise_memoria([], 8, 0.1)


def test_k_is_halved_down_to_one_frame() -> None:
    assert frame_counts(32) == [32, 16, 8, 4] and frame_counts(8) == COUNTS and frame_counts(3) == [3, 1]
