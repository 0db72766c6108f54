"""Domain: pictures like the training pictures are at home, others are foreign."""

from pathlib import Path

import numpy as np
import pytest

from assistant.domain import Domain


def unit_vectors(seed: int, count: int, around: int) -> np.ndarray:
    """`count` vectors (count, 16) near one axis of the recall space."""
    vectors = np.random.default_rng(seed).normal(0, 0.1, (count, 16))
    vectors[:, around] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_the_threshold_keeps_the_asked_share_of_the_training_pictures() -> None:
    training = unit_vectors(1, 1000, around=0)
    domain = Domain.fit(training, quantile=0.9)
    assert (domain.distance(training) <= domain.threshold).mean() == pytest.approx(0.9, abs=0.005)


def test_new_pictures_of_the_same_kind_are_at_home_and_others_are_foreign() -> None:
    domain = Domain.fit(unit_vectors(1, 1000, around=0))
    assert not domain.is_foreign(unit_vectors(2, 50, around=0))
    assert domain.is_foreign(unit_vectors(3, 50, around=5))
    assert not domain.is_foreign(np.empty((0, 16), np.float32))


def test_a_few_strange_pictures_among_many_known_ones_are_not_foreign() -> None:
    domain = Domain.fit(unit_vectors(1, 1000, around=0))
    assert not domain.is_foreign(np.concatenate([unit_vectors(2, 8, around=0), unit_vectors(3, 4, around=5)]))


def test_the_distance_does_not_care_how_a_dimension_is_scaled() -> None:
    vectors, scale = unit_vectors(1, 4000, around=0).astype(np.float64), 3.0
    np.testing.assert_allclose(
        Domain.fit(vectors * scale).distance(vectors * scale), Domain.fit(vectors).distance(vectors), rtol=1e-3
    )


@pytest.mark.parametrize("count", [1, 5])
def test_fewer_pictures_than_dimensions_still_give_finite_distances(count: int) -> None:
    domain = Domain.fit(unit_vectors(1, count, around=0))
    assert np.isfinite(domain.distance(unit_vectors(2, 10, around=3))).all()


def test_a_saved_domain_loads_as_it_was(tmp_path: Path) -> None:
    domain = Domain.fit(unit_vectors(1, 200, around=0))
    domain.save(tmp_path)
    loaded = Domain.load(tmp_path)
    np.testing.assert_array_equal(loaded.mean, domain.mean)
    np.testing.assert_array_equal(loaded.precision, domain.precision)
    assert loaded.threshold == pytest.approx(domain.threshold, rel=1e-6)
