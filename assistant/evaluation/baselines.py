"""Which frames others would look at again: training-free selections at the same k as the pointer's.

    uniform              k frames spread evenly, whatever is asked
    top_k                the k frames nearest to the question
    adaptive_keyframes   AKS (arXiv 2502.21271): near ones where they stand out, else spread over both halves
    bolt                 BOLT (arXiv 2503.21483): quantiles of the distribution that the sharpened nearness makes

Each takes the similarity (N,) of the question to every frame, N and k at least 1 (here SigLIP's cosine of text and
picture), and gives the indices (min(k, N),) of distinct frames in time order. Nothing is drawn at random.
This file knows no model, no text and no store.
"""

from collections.abc import Callable

import numpy as np

from assistant.pointer import exploration_grid

Selector = Callable[[np.ndarray, int], np.ndarray]

AKS_THRESHOLD = 0.8
AKS_DEPTH = 5
BOLT_POWER = 3.0


def uniform(similarity: np.ndarray, k: int) -> np.ndarray:
    """The pointer's exploration grid; only the number of frames counts."""
    return exploration_grid(len(similarity), k).numpy()


def top_k(similarity: np.ndarray, k: int) -> np.ndarray:
    """The k nearest frames; of equally near ones the earlier."""
    return np.sort(np.argsort(-similarity, kind="stable")[:k])


def adaptive_keyframes(
    similarity: np.ndarray, k: int, threshold: float = AKS_THRESHOLD, depth: int = AKS_DEPTH
) -> np.ndarray:
    """Relevance where it is sharp, coverage where it is not.

    Over similarities scaled to [0, 1], a segment with a budget of b frames gives its b nearest if their mean exceeds
    the mean of the segment by more than `threshold`, if it was cut `depth` times, or if b is 1. Otherwise both of its
    halves are asked, each for half of the budget. The defaults are the authors'.

    Two things differ from their program, which loses frames there: it rounds every segment's budget down (k = 8 would
    give none after four cuts), here an odd frame goes to the later half, so that budgets add up to k; and its second
    threshold, a standard deviation above -100, is always met and is left out.
    """
    return _segment(_scaled(similarity), 0, min(k, len(similarity)), threshold, depth)


def _segment(scaled: np.ndarray, first: int, budget: int, threshold: float, depth: int) -> np.ndarray:
    """Absolute indices (budget,) out of the segment that begins at `first`; a half always holds its half budget."""
    nearest = top_k(scaled, budget)
    if budget <= 1 or depth == 0 or scaled[nearest].mean() - scaled.mean() > threshold:
        return first + nearest
    middle, half = len(scaled) // 2, budget // 2
    early = _segment(scaled[:middle], first, half, threshold, depth - 1)
    late = _segment(scaled[middle:], first + middle, budget - half, threshold, depth - 1)
    return np.concatenate([early, late])


def bolt(similarity: np.ndarray, k: int, power: float = BOLT_POWER) -> np.ndarray:
    """Inverse transform sampling: the frames at the quantiles (i + 0.5) / k of similarity, scaled and sharpened.

    `power` 3 is what the authors' scripts use for most benchmarks. Their program gives one frame as often as quantiles
    fall on it; here each further quantile takes the free frame next to it, so that k frames are seen at equal cost.
    """
    count = min(k, len(similarity))
    scaled = _scaled(similarity)
    density = scaled**power if scaled.any() else np.ones(len(scaled))
    quantiles = (np.arange(count) + 0.5) / count * density.sum()
    free = np.ones(len(similarity), bool)
    for wanted in np.searchsorted(density.cumsum(), quantiles):
        left = np.flatnonzero(free)
        free[left[np.abs(left - wanted).argmin()]] = False
    return np.flatnonzero(~free)


def _scaled(similarity: np.ndarray) -> np.ndarray:
    """Similarities (N,) onto [0, 1]; all 0 where they are all alike."""
    above = similarity.astype(np.float64) - similarity.min()
    return above / (above.max() or 1.0)


BASELINES: dict[str, Selector] = {
    "uniform": uniform,
    "top-k": top_k,
    "AKS": adaptive_keyframes,
    "BOLT": bolt,
}
