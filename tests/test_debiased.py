"""MDA: the paper's own arithmetic from its published rows, and what is said when nothing is left to examine."""

import numpy as np
import pytest

from assistant.evaluation.debiased import Debiased, mean_debiased_accuracy

CLASSES = ("short", "medium", "long")
REFERENCES = ("LLaVA-OV", "Ego-SFT", "MM-Ego")
# MM-Ego, table 3: accuracy in percent on each class minus what each reference answers right blind, then MDA
PUBLISHED = {
    "LLaVA-OV": (
        ((56.44, 49.64, 44.83), (55.75, 49.27, 45.21), (47.41, 42.11, 35.22)),
        (53.20, 47.01, 41.76),
        47.32,
    ),
    "Ego-SFT": (
        ((66.37, 64.15, 60.03), (61.73, 59.59, 54.50), (50.60, 46.39, 40.38)),
        (59.56, 56.71, 51.64),
        55.97,
    ),
    "MM-Ego": (
        ((71.97, 70.68, 68.15), (67.70, 66.33, 63.89), (49.80, 49.11, 43.81)),
        (63.16, 62.04, 58.62),
        61.27,
    ),
}
BLOCK = 10_000  # questions: enough for shares in hundredths of a percent


def debiased_from(rows: tuple[tuple[float, ...], ...]) -> Debiased:
    """Nine blocks of questions, one a class and reference: just that reference is not right on them blind."""
    right, classes = [], []
    blind: dict[str, list[np.ndarray]] = {name: [] for name in REFERENCES}
    for number, name in enumerate(CLASSES):
        for reference, row in zip(REFERENCES, rows, strict=True):
            right.append(np.arange(BLOCK) < round(row[number] / 100 * BLOCK))
            classes += [name] * BLOCK
            for other in REFERENCES:
                blind[other].append(np.full(BLOCK, other != reference))
    return mean_debiased_accuracy(
        np.concatenate(right), {name: np.concatenate(parts) for name, parts in blind.items()}, classes
    )


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_papers_rows_give_the_papers_mda(model: str) -> None:
    rows, by_class, average = PUBLISHED[model]
    found = debiased_from(rows)
    assert list(found.by_class) == list(CLASSES) and not found.skipped
    for name, published in zip(CLASSES, by_class, strict=True):
        assert 100 * found.by_class[name] == pytest.approx(published, abs=0.01)
    assert 100 * found.average == pytest.approx(average, abs=0.01)
    for reference, row in zip(REFERENCES, rows, strict=True):
        assert [100 * share for share in found.by_reference[reference].values()] == pytest.approx(row, abs=0.005)


def test_each_reference_filters_on_its_own_and_classes_weigh_the_same() -> None:
    right = np.array([1, 0, 1, 1, 0, 0, 1], dtype=bool)
    blind = {"a": np.array([1, 0, 0, 0, 0, 0, 0], dtype=bool), "b": np.array([0, 1, 1, 0, 0, 0, 0], dtype=bool)}
    found = mean_debiased_accuracy(right, blind, ["short"] * 4 + ["long"] * 3)
    assert found.by_reference == {
        "a": {"short": pytest.approx(2 / 3), "long": pytest.approx(1 / 3)},
        "b": {"short": 1.0, "long": pytest.approx(1 / 3)},
    }
    assert found.by_class["short"] == pytest.approx(
        5 / 6
    )  # what neither knows blind would give 1, what one does not 3/4
    assert found.average == pytest.approx((5 / 6 + 1 / 3) / 2)


def test_a_reference_that_leaves_nothing_is_skipped_by_name() -> None:
    right = np.array([True, False, True])
    blind = {"all": np.array([True, True, False]), "none": np.zeros(3, dtype=bool)}
    found = mean_debiased_accuracy(right, blind, np.array(["short", "short", "long"]))
    assert found.skipped == (("all", "short"),)
    assert found.by_class == {"short": 0.5, "long": 1.0} and found.average == 0.75


def test_a_class_that_every_reference_knows_blind_has_no_mda_and_neither_has_the_average() -> None:
    found = mean_debiased_accuracy(np.array([True, True]), {"m": np.array([True, False])}, ["short", "long"])
    assert np.isnan(found.by_class["short"]) and found.by_class["long"] == 1.0 and np.isnan(found.average)
    assert found.skipped == (("m", "short"),)


@pytest.mark.parametrize(
    ("right", "blind", "classes"),
    [
        ([True], {}, ["short"]),
        ([], {"m": []}, []),
        ([True, False], {"m": [True]}, ["short", "short"]),
        ([True], {"m": [True]}, ["short", "long"]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    right: list[bool], blind: dict[str, list[bool]], classes: list[str]
) -> None:
    with pytest.raises(ValueError, match="reference"):
        mean_debiased_accuracy(np.array(right), {name: np.array(one) for name, one in blind.items()}, classes)
