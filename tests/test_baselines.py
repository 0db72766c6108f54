"""Selections at equal k: always k distinct frames in time order, and each with the character of its authors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.evaluation.baselines import BASELINES, adaptive_keyframes, bolt, top_k, uniform

similarities = st.one_of(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=80),
    st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=80),  # many ties
    st.tuples(st.integers(1, 80), st.floats(-1, 1)).map(lambda pair: [pair[1]] * pair[0]),
).map(np.array)
counts = st.integers(1, 40)


def with_peak(n: int, at: int) -> np.ndarray:
    """Nearly nothing, and a peak of three frames."""
    similarity = np.full(n, 0.02)
    similarity[at - 1 : at + 2] = 0.3, 0.31, 0.3
    return similarity


@pytest.mark.parametrize("name", BASELINES)
@given(similarity=similarities, k=counts)
def test_every_selection_is_min_of_n_and_k_distinct_frames_in_time_order(
    name: str, similarity: np.ndarray, k: int
) -> None:
    chosen = BASELINES[name](similarity, k).tolist()
    assert len(chosen) == min(k, len(similarity)) and chosen == sorted(set(chosen))
    assert all(0 <= index < len(similarity) for index in chosen)


@given(similarity=similarities, k=counts)
def test_top_k_leaves_nothing_nearer_out(similarity: np.ndarray, k: int) -> None:
    assert sorted(similarity[top_k(similarity, k)]) == sorted(similarity)[-k:]


@given(n=st.integers(1, 200), k=counts, value=st.floats(-1, 1))
def test_bolt_of_one_value_everywhere_is_spread_evenly(n: int, k: int, value: float) -> None:
    chosen = bolt(np.full(n, value), k)
    middles = (np.arange(len(chosen)) + 0.5) * n / len(chosen) - 0.5
    assert np.abs(chosen - middles).max() <= 1


def test_bolt_gives_frames_in_proportion_to_the_sharpened_similarity() -> None:
    similarity = np.repeat([0.0, 1.0, 0.5, 0.0], 100)
    assert np.bincount(bolt(similarity, 9) // 100, minlength=4).tolist() == [0, 8, 1, 0]  # 1 to 0.5 cubed
    assert np.bincount(bolt(similarity, 9, power=1.0) // 100, minlength=4).tolist() == [0, 6, 3, 0]


def test_bolt_takes_the_frames_next_to_a_peak_that_all_quantiles_fall_on() -> None:
    similarity = np.zeros(50)
    similarity[20] = 1.0
    assert bolt(similarity, 5).tolist() == [18, 19, 20, 21, 22]


def test_adaptive_keyframes_take_a_sharp_peak_whole_and_top_k_agrees() -> None:
    similarity = with_peak(200, 70)
    assert adaptive_keyframes(similarity, 3).tolist() == [69, 70, 71] == top_k(similarity, 3).tolist()
    assert uniform(similarity, 3).tolist() == [0, 100, 199]


def test_adaptive_keyframes_share_the_budget_out_where_nothing_stands_out() -> None:
    ramp = np.linspace(0, 1, 64)
    assert adaptive_keyframes(ramp, 8).tolist() == [7, 15, 23, 31, 39, 47, 55, 63]
    assert adaptive_keyframes(ramp, 8, depth=1).tolist() == [28, 29, 30, 31, 60, 61, 62, 63]
    assert adaptive_keyframes(ramp, 8, threshold=0.4).tolist() == top_k(ramp, 8).tolist()


def test_adaptive_keyframes_still_reach_the_peak_when_k_is_wider_than_it() -> None:
    assert set(adaptive_keyframes(with_peak(200, 70), 8)) & {69, 70, 71}
