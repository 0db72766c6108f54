"""What was marked of EgoMemoria, as the paper's tables: MDA by length, by k and by exploration bonus.

Plain values in, plain values out. This file does not know homes, frames or models.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.debiased import mean_debiased_accuracy
from assistant.evaluation.egomemoria import CLASSES
from assistant.evaluation.homes import BLIND, POINTER, UNIFORM
from assistant.evaluation.memoria_exam import ALPHAS, MM_EGO, SYSTEMS, Marked, frame_counts, way

Shares = dict[str, float | None]  # by class of length, short to long, and their plain mean, the "average"


def summarise_memoria(marked: Sequence[Marked], selected: int, alpha: float) -> dict[str, object]:
    """The paper's Tables 3 and 5 and Figure 7, and the baselines at equal k, as plain values; None where there is none.

    `selected` and `alpha` are the checkpoint's own. Raises ValueError without a choice.
    """
    tables = _Tables(marked, selected, alpha)
    counts = frame_counts(selected)
    sweep = {
        system: [tables.debiased(tables.own_way(system, k))["average"] for k in counts] for system in tables.systems
    }
    return {
        "questions": tables.counted(),
        "table": tables.accuracies(),
        "blind": {system: tables.accuracy(way(system, BLIND)) for system in tables.systems},
        "k": counts,
        "by_k": sweep,
        "drop": {system: _drop(averages) for system, averages in sweep.items()},
        "alpha": list(ALPHAS),
        "by_alpha": [tables.debiased(way(MM_EGO, POINTER, selected, each))["average"] for each in ALPHAS],
        "selections": {
            POINTER: tables.debiased(tables.own_way(MM_EGO, selected)),
            **{name: tables.debiased(way(MM_EGO, name, selected)) for name in BASELINES},
        },
    }


class _Tables:
    """Shares of right answers, all from the same marked choices."""

    def __init__(self, marked: Sequence[Marked], selected: int, alpha: float) -> None:
        self._marked, self._selected, self._alpha = marked, selected, alpha
        present = {each.length_class for each in marked}
        self._classes = [name for name in dict.fromkeys(CLASSES) if name in present]
        self.systems = [system for system in SYSTEMS if all(way(system, BLIND) in each.right for each in marked)]

    def own_way(self, system: str, k: int) -> str:
        """How a system looks by itself."""
        return way(system, POINTER, k, self._alpha) if system == MM_EGO else way(system, UNIFORM, k)

    def counted(self) -> dict[str, int]:
        labels = [each.length_class for each in self._marked]
        return {**{name: labels.count(name) for name in self._classes}, "all": len(labels)}

    def accuracy(self, name: str) -> Shares:
        return self._row({each: self._right(name)[self._labels == each].mean() for each in self._classes})

    def debiased(self, name: str) -> Shares:
        """MDA, with all systems as references."""
        return self._row(self._debias(name, self.systems)[0])

    def accuracies(self) -> dict[str, dict[str, Shares]]:
        """Table 3: every system on all choices, without what each system answers blind, and the mean of the latter."""
        ways = {system: self.own_way(system, self._selected) for system in self.systems}
        rows = {"original": {system: self.accuracy(name) for system, name in ways.items()}}
        for reference in self.systems:
            rows[f"minus {reference}"] = {
                system: self._row(self._debias(name, [reference])[1][reference]) for system, name in ways.items()
            }
        return {**rows, "MDA": {system: self.debiased(name) for system, name in ways.items()}}

    @property
    def _labels(self) -> np.ndarray:
        return np.array([each.length_class for each in self._marked])

    def _right(self, name: str) -> np.ndarray:
        return np.array([each.right[name] for each in self._marked], bool)

    def _debias(self, name: str, references: Sequence[str]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        blind = {reference: self._right(way(reference, BLIND)) for reference in references}
        found = mean_debiased_accuracy(self._right(name), blind, self._labels)
        return found.by_class, found.by_reference

    def _row(self, by_class: Mapping[str, float]) -> Shares:
        """The classes in order and their mean; None where all choices of a class are answered blind."""
        shares = {name: _rounded(by_class.get(name, np.nan)) for name in self._classes}
        return {**shares, "average": _rounded(float(np.mean([by_class.get(name, np.nan) for name in self._classes])))}


def _drop(averages: Sequence[float | None]) -> float | None:
    """How much of the MDA at most frames is lost at fewest."""
    most, fewest = averages[0], averages[-1]
    return _rounded((most - fewest) / most) if most and fewest is not None else None


def _rounded(share: float) -> float | None:
    return None if np.isnan(share) else round(float(share), 4)
