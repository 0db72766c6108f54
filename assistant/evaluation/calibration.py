"""How far what the model says of itself can be believed: its refusals, and its confidence.

    refusals         of all "not seen", how many rightly; of all unanswerable questions, how many refused
    reliability      confidence against the share of right answers, and the expected calibration error
    fit_calibration  the two numbers of assistant/confidence.py, fitted on validation outcomes
    summarise_calibration  what an examination found of a calibrated checkpoint, as plain values

This file does not know questions, answers or models: arrays of n outcomes in, numbers out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from assistant.confidence import calibrated, logit, sigmoid

BINS = 10
RIDGE = 1e-6  # keeps the curvature invertible where all confidences are alike


@dataclass(frozen=True, slots=True)
class Refusals:
    """`precision`: refused and rightly so, of all refused. `recall`: refused, of all unanswerable. 0 of none is 0."""

    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of equal width from 0 to 1: their `counts` (b,), mean `confidence` (b,) and share of `right` (b,).

    Empty bins are NaN. `ece` is the mean distance of the two over all outcomes, the expected calibration error.
    """

    counts: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    ece: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for NaN."""
        shares = {name: _plain(getattr(self, name)) for name in ("confidence", "right")}
        return {"counts": self.counts.tolist(), **shares, "ece": round(self.ece, 4)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Reliability":
        arrays = {name: np.array(record[name], float) for name in ("counts", "confidence", "right")}
        return cls(**arrays, ece=record["ece"])


def refusals(refused: ArrayLike, unanswerable: ArrayLike) -> Refusals:
    """Whether each question was refused (n,), and whether it could not be answered (n,)."""
    said, due = np.asarray(refused, bool), np.asarray(unanswerable, bool)
    both = float((said & due).sum())
    return Refusals(both / max(said.sum(), 1), both / max(due.sum(), 1))


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> Reliability:
    """Confidences (n,) in [0, 1] and whether each answer was right (n,). An edge belongs to the upper bin."""
    sure, hit = np.asarray(confidence, float), np.asarray(right, float)
    bin_of = np.minimum((sure * bins).astype(int), bins - 1)
    counts, sure_sum, hit_sum = (np.bincount(bin_of, weights, minlength=bins) for weights in (None, sure, hit))
    ece = float(np.abs(sure_sum - hit_sum).sum() / max(len(sure), 1))
    filled = np.where(counts, counts, np.nan)
    return Reliability(counts, sure_sum / filled, hit_sum / filled, ece)


def fit_calibration(confidence: ArrayLike, right: ArrayLike) -> tuple[float, float]:
    """Platt scaling: the (a, b), a >= 0, for which sigmoid(a * logit(confidence) + b) is likeliest.

    The targets are Platt's own, (hits + 1) / (hits + 2) and 1 / (misses + 2), so that even outcomes that are all right
    or parted cleanly by their confidence have a finite answer. ValueError without outcomes.
    """
    hit = np.asarray(right, bool)
    if not len(hit):
        raise ValueError("no outcomes to fit a calibration on")
    targets = np.where(hit, (hit.sum() + 1) / (hit.sum() + 2), 1 / ((~hit).sum() + 2))
    inputs = np.stack([logit(confidence), np.ones(len(hit))], axis=1)  # (n, 2)
    a, b = _logistic_fit(inputs, targets)
    if a < 0:  # surer answers were right less often: the best map that keeps the order is a constant
        a, b = 0.0, logit(targets.mean())
    return float(a), float(b)


def summarise_calibration(confidence: ArrayLike, right: ArrayLike, numbers: Sequence[float]) -> dict[str, object]:
    """Reliability of the confidences (n,) that were given, and of the raw ones behind them, as plain values.

    `numbers` are the checkpoint's (a, b), `fit` those that these very outcomes would give it: of use where the homes
    are for validation. A map to one constant (a = 0) hides what was raw. ValueError without outcomes.
    """
    a, b = numbers
    found: dict[str, object] = {"numbers": [a, b], "calibrated": reliability(confidence, right).to_json()}
    if a:
        raw = calibrated(confidence, 1 / a, -b / a)
        found |= {"raw": reliability(raw, right).to_json(), "fit": list(fit_calibration(raw, right))}
    return found


def _plain(shares: np.ndarray) -> list[float | None]:
    return [None if np.isnan(share) else round(float(share), 4) for share in shares]


def _logistic_fit(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weights (w,) of the least cross-entropy, by Newton's method with steps halved until they go down."""
    weights = np.zeros(inputs.shape[1])
    step = np.ones_like(weights)
    while np.abs(step).max() > 1e-10:
        chances = sigmoid(inputs @ weights)
        slope = inputs.T @ (chances - targets) + RIDGE * weights
        curvature = (inputs.T * (chances * (1 - chances))) @ inputs + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        here = _loss(weights, inputs, targets)
        while np.abs(step).max() > 1e-10 and _loss(weights - step, inputs, targets) >= here:
            step /= 2
        weights = weights - step
    return weights


def _loss(weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> float:
    scores = inputs @ weights
    return float((np.logaddexp(0, scores) - targets * scores).sum() + RIDGE / 2 * weights @ weights)
