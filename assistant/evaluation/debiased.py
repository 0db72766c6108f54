"""Mean debiased accuracy (MDA; MM-Ego, section 3.3): how often a model is right where guessing does not help.

A reference model m that is asked without any picture is right on some questions anyway; these are B_m. For every class
of lengths and every m the examined model's accuracy is taken over the class minus B_m; the mean over the references is
the class's MDA, and the plain mean of the classes is the average. So each reference filters on its own: MDA is neither
the accuracy on the union nor on the intersection of what is left.

This file knows arrays of right and wrong, and no model, question or picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Debiased:
    """MDA by class, and the accuracies that it is the mean of, by reference and class.

    A reference that answers all of a class blind leaves nothing to examine there: it is left out of that class's mean
    and listed in `skipped` as (reference, class). A class that every reference is skipped for is NaN, and so is the
    average then, as a mean over fewer classes could not be compared with any other.
    """

    by_class: dict[str, float]
    average: float
    by_reference: dict[str, dict[str, float]]
    skipped: tuple[tuple[str, str], ...]


def mean_debiased_accuracy(
    right: np.ndarray, blind_right: Mapping[str, np.ndarray], classes: Sequence[str] | np.ndarray
) -> Debiased:
    """MDA of answers `right` (Q,), given what each reference answers right blind (Q,) and each question's class (Q,).

    Raises ValueError where there is no question or no reference, or where lengths differ.
    """
    right, labels = np.asarray(right, dtype=bool), np.asarray(classes)
    blind = {name: np.asarray(answers, dtype=bool) for name, answers in blind_right.items()}
    lengths = {array.shape for array in (right, labels, *blind.values())}
    if not blind or lengths != {(len(right),)} or not len(right):
        raise ValueError(f"MDA needs a reference and as many answers as questions, got shapes {sorted(lengths)}")
    names = list(dict.fromkeys(labels.tolist()))
    by_reference = {
        reference: {
            name: float(right[left].mean()) for name in names if (left := (labels == name) & ~answered).any()
        }
        for reference, answered in blind.items()
    }  # fmt: skip
    by_class = {name: _mean([row[name] for row in by_reference.values() if name in row]) for name in names}
    skipped = tuple((reference, name) for reference, row in by_reference.items() for name in names if name not in row)
    return Debiased(by_class, _mean(list(by_class.values())), by_reference, skipped)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
