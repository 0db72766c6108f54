"""Refusals, reliability and calibration on outcomes whose numbers are known beforehand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.confidence import calibrated
from assistant.evaluation.calibration import (
    Refusals,
    Reliability,
    fit_calibration,
    refusals,
    reliability,
    summarise_calibration,
)

outcomes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_refusals_are_counted_of_those_made_and_of_those_due() -> None:
    refused = [True, True, True, False, False, False, False, False]
    unanswerable = [True, False, False, True, True, False, False, False]
    assert refusals(refused, unanswerable) == Refusals(precision=1 / 3, recall=1 / 3)
    assert refusals([True, False], [True, False]) == Refusals(1.0, 1.0)
    assert refusals([False, False], [False, False]) == Refusals(0.0, 0.0)


def test_the_error_is_the_distance_from_confidence_to_share_weighted_by_outcomes() -> None:
    found = reliability([0.95, 0.95, 0.95, 0.95, 0.25], [True, True, True, False, True])
    assert found.counts.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 4]
    assert found.right[9] == pytest.approx(0.75) and found.confidence[9] == pytest.approx(0.95)
    assert np.isnan(found.right[0]) and np.isnan(found.confidence[0])
    assert found.ece == pytest.approx((4 * 0.20 + 1 * 0.75) / 5)


def test_the_ends_of_the_scale_fall_into_the_first_and_the_last_bin() -> None:
    assert reliability([0.0, 1.0, 0.5], [False, True, True], bins=2).counts.tolist() == [1, 2]


def test_confidence_that_comes_true_has_no_error() -> None:
    assert reliability([0.75] * 4 + [0.25] * 4, [True] * 3 + [False] + [True] + [False] * 3).ece == 0.0


def test_the_two_numbers_that_made_the_outcomes_are_found_again() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.02, 0.98, 20_000)
    right = rng.uniform(size=20_000) < calibrated(confidence, 0.6, -0.8)
    assert fit_calibration(confidence, right) == pytest.approx((0.6, -0.8), abs=0.05)
    raw, mended = reliability(confidence, right), reliability(calibrated(confidence, 0.6, -0.8), right)
    assert raw.ece > 0.1 > 0.02 > mended.ece


def test_one_and_zero_leave_a_confidence_as_it_is() -> None:
    confidence = np.array([[0.01, 0.3], [0.5, 0.99]])
    np.testing.assert_allclose(calibrated(confidence, 1.0, 0.0), confidence)


def test_outcomes_that_are_all_right_are_believed_as_far_as_their_number_allows() -> None:
    a, b = fit_calibration([1.0] * 8, [True] * 8)
    assert calibrated(1.0, a, b) == pytest.approx(9 / 10, abs=1e-4)


def test_confidence_that_misleads_is_replaced_by_the_share_that_was_right() -> None:
    a, b = fit_calibration([0.9, 0.9, 0.9, 0.1, 0.1, 0.1], [False, False, False, True, True, True])
    assert (a, b) == pytest.approx((0.0, 0.0))


@given(outcomes)
def test_every_fit_is_finite_keeps_the_order_and_stays_a_chance(pairs: list[tuple[float, bool]]) -> None:
    confidence, right = (np.array(column) for column in zip(*pairs, strict=True))
    a, b = fit_calibration(confidence, right)
    chances = calibrated(np.linspace(0, 1, 21), a, b)
    assert np.isfinite([a, b]).all() and (np.diff(chances) >= -1e-12).all()
    assert chances.min() >= 0 and chances.max() <= 1


def test_nothing_to_fit_on_is_said() -> None:
    with pytest.raises(ValueError, match="no outcomes"):
        fit_calibration([], [])


def test_what_is_raw_is_found_behind_what_was_given_and_fitted_again() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.02, 0.98, 400)
    right = rng.uniform(size=400) < calibrated(raw, 0.6, -0.8)
    found = summarise_calibration(calibrated(raw, 0.5, -0.5), right, (0.5, -0.5))
    assert found["numbers"] == [0.5, -0.5] and found["fit"] == pytest.approx(fit_calibration(raw, right))
    assert found["raw"] == reliability(raw, right).to_json()
    restored = Reliability.from_json(json.loads(json.dumps(found["calibrated"], allow_nan=False)))
    given = reliability(calibrated(raw, 0.5, -0.5), right)
    np.testing.assert_allclose(restored.right, given.right, atol=1e-4)
    assert "raw" not in summarise_calibration([0.7, 0.7], [True, False], (0.0, 0.8))
