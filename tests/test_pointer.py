"""The memory pointer's promises about which frames it selects."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assistant.pointer import exploration_grid, pointer_logits, pointer_scores, select

logits = st.lists(st.floats(-20, 20), min_size=1, max_size=80).map(torch.tensor)
counts = st.integers(1, 40)


def test_the_score_is_a_softmax_over_raw_dot_products() -> None:
    frames, pointer = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]]), torch.tensor([0.5, 1.0])
    assert pointer_logits(frames, pointer).tolist() == [2.5, 0.5, 0.0]
    expected = torch.tensor([math.exp(2.5), math.exp(0.5), 1.0])
    torch.testing.assert_close(pointer_scores(pointer_logits(frames, pointer)), expected / expected.sum())


def test_half_precision_states_neither_overflow_nor_lose_the_batch() -> None:
    frames, pointer = torch.full((2, 3, 64), 100.0).half(), torch.full((2, 64), 100.0).half()
    assert pointer_logits(frames, pointer).tolist() == [[640_000.0] * 3] * 2


@given(st.integers(0, 400), counts)
def test_the_grid_holds_both_ends_once_and_k_frames_where_there_are_that_many(n: int, k: int) -> None:
    grid = exploration_grid(n, k).tolist()
    assert grid == sorted(set(grid))
    if n > k > 1:
        assert len(grid) == k and (grid[0], grid[-1]) == (0, n - 1)
        steps = [later - earlier for earlier, later in zip(grid, grid[1:], strict=False)]
        assert max(steps) - min(steps) <= 1


@given(logits, counts, st.floats(0, 2))
def test_the_selection_is_min_of_n_and_k_frames_in_time_order(values: torch.Tensor, k: int, alpha: float) -> None:
    chosen = select(pointer_scores(values), k, alpha).tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(k, len(values)) and chosen[0] >= 0 and chosen[-1] < len(values)


@given(logits, counts)
def test_without_exploration_no_frame_left_out_scores_higher_than_one_selected(values: torch.Tensor, k: int) -> None:
    scores = pointer_scores(values)
    chosen = select(scores, k, alpha=0.0)
    left_out = torch.ones(len(values), dtype=torch.bool).index_fill(0, chosen, False)
    if left_out.any():
        assert scores[chosen].min() >= scores[left_out].max()


@given(logits, counts, st.floats(1, 3))
def test_full_exploration_is_the_uniform_grid(values: torch.Tensor, k: int, alpha: float) -> None:
    chosen = select(pointer_scores(values), k, alpha)
    assert chosen.tolist() == exploration_grid(len(values), k).tolist()


@given(logits, counts, st.floats(0.02, 1))
def test_at_most_one_over_alpha_frames_leave_the_grid(values: torch.Tensor, k: int, alpha: float) -> None:
    chosen, grid = set(select(pointer_scores(values), k, alpha).tolist()), exploration_grid(len(values), k).tolist()
    if len(values) > k:
        assert len(chosen - set(grid)) <= math.floor(1 / alpha)


@pytest.mark.parametrize(("alpha", "bound"), [(0.05, 20), (0.1, 10), (0.2, 5)])
def test_the_bound_off_the_grid_is_reached_with_the_defaults(alpha: float, bound: int) -> None:
    grid = set(exploration_grid(300, 32).tolist())
    peaks = [index for index in range(1, 300, 7) if index not in grid][: bound - 1]  # each scores just above alpha
    scores = torch.zeros(300).index_fill(0, torch.tensor(peaks), 1 / (bound - 1))
    assert set(peaks) <= set(select(scores, 32, alpha).tolist())
    torch.testing.assert_close(scores.sum(), torch.tensor(1.0))


def test_ties_go_to_the_grid_and_then_to_the_earlier_frame() -> None:
    assert select(torch.full((9,), 1 / 9), 3, alpha=0.0).tolist() == [0, 4, 8]
    assert select(torch.tensor([0.0, 0.3, 0.3, 0.1, 0.3, 0.0]), 2, alpha=0.0).tolist() == [1, 2]


@given(logits, counts, st.floats(0, 2))
def test_no_least_share_is_the_papers_rule(values: torch.Tensor, k: int, alpha: float) -> None:
    scores = pointer_scores(values)
    assert torch.equal(select(scores, k, alpha, share=0.0), select(scores, k, alpha))


@given(logits, counts, st.floats(0, 0.5), st.floats(0, 1))
def test_of_what_the_paper_selects_just_what_scores_a_share_of_the_best_is_kept(
    values: torch.Tensor, k: int, alpha: float, share: float
) -> None:
    scores = pointer_scores(values)
    kept, paper = (select(scores, k, alpha, each).tolist() for each in (share, 0.0))
    if len(values) <= k:
        assert kept == paper  # so few frames are all looked at again
    else:
        assert kept == [i for i in paper if scores[i] >= share * scores[paper].max()]


@given(logits, counts, st.floats(0, 2), st.floats(0, 1))
def test_the_best_of_the_selected_is_kept_whatever_the_share(
    values: torch.Tensor, k: int, alpha: float, share: float
) -> None:
    scores = pointer_scores(values)
    assert scores[select(scores, k, alpha)].max() in scores[select(scores, k, alpha, share)]
