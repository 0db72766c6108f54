"""The memory pointer's arithmetic: scores, exploration bonus, selection (MM-Ego, section 2.2.2).

    s = softmax(E' . P')          one score a frame, a probability over the frames
    u = alpha on a uniform grid   the exploration bonus
    top-k of s + u                the frames that the fallback will see, but for those of hardly any score

The paper always shows k frames. Where one short event answers, the rest of the k fill with the most similar other
events, which a small answerer takes for it; `share` leaves them out, 0 keeps the paper's rule.

Pure tensor functions: this file knows no model, no text and no store.
"""

import torch
from torch import Tensor


def pointer_logits(frames: Tensor, pointer: Tensor) -> Tensor:
    """E' (..., N, C) and P' (..., C) -> raw dot products (..., N) in fp32, as half precision would overflow."""
    return (frames.float() @ pointer.float().unsqueeze(-1)).squeeze(-1)  # (..., N)


def pointer_scores(logits: Tensor) -> Tensor:
    """Logits (..., N) -> the scores s (..., N): positive, adding up to 1."""
    return logits.float().softmax(dim=-1)


def exploration_grid(n: int, k: int) -> Tensor:
    """Indices (<= k,) of k frames spread evenly over n, first and last included, rounded, without duplicates."""
    return torch.linspace(0, max(n - 1, 0), max(k, 0), dtype=torch.float64).round().long().unique()


def select(scores: Tensor, k: int, alpha: float, share: float = 0.0) -> Tensor:
    """The frames to look at again, at most k, as indices in time order: those that score `share` of the best at least.

    `scores` (N,) gain `alpha` on the exploration grid; ties go to the grid, then to the earlier frame. Alpha 0 is the
    pointer alone, alpha >= 1 the uniform grid, and at most floor(1 / alpha) frames off the grid can ever get in.
    """
    n = scores.numel()
    if n <= k:
        return torch.arange(n)
    grid = exploration_grid(n, k)
    raised = scores.detach().cpu().double()
    raised[grid] += alpha
    off_grid = torch.ones(n, dtype=torch.bool).index_fill(0, grid, False).nonzero().squeeze(-1)
    order = torch.cat([grid, off_grid])  # (N,) in the order in which ties are settled
    ranked = order[torch.sort(raised[order], descending=True, stable=True).indices]
    chosen = ranked[:k].sort().values
    scored = scores.detach().cpu()[chosen]
    return chosen[scored >= share * scored.max()]
