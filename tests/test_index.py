"""The recall index: what it finds is what a plain sort of all inner products finds."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.embeddings import Embeddings
from store.index import RecallIndex
from store.records import Span

WIDTH = 16


def random_rows(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def appended(embeddings: Embeddings, ids: list[int], rows: np.ndarray) -> None:
    embeddings.append(ids, rows, np.zeros((len(ids), 1)))


def sorted_by_hand(ids: np.ndarray, rows: np.ndarray, query: np.ndarray, limit: int) -> list[tuple[int, float]]:
    scores = rows.astype(np.float16).astype(np.float32) @ query
    best = np.argsort(-scores, kind="stable")[:limit]
    return list(zip(ids[best].tolist(), scores[best].tolist(), strict=True))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, 60),
    limit=st.integers(1, 80),
    ends=st.tuples(st.integers(-2, 70), st.integers(-2, 70)),
)
def test_recall_equals_sorting_every_inner_product_of_the_span(
    seed: int, count: int, limit: int, ends: tuple[int, int]
):
    ids = np.random.default_rng(seed).permutation(count) * 1_000_000
    rows, query = random_rows(count, seed), random_rows(1, seed + 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        embeddings = Embeddings(Path(folder))
        appended(embeddings, ids.tolist(), rows)
        index = RecallIndex(embeddings)
        found = index.search(query, limit)
        within = index.search(query, limit, Span(*ends))
    inside = (ids >= ends[0] * 1_000_000) & (ids < ends[1] * 1_000_000)
    for got, expected in (
        (found, sorted_by_hand(ids, rows, query, limit)),
        (within, sorted_by_hand(ids[inside], rows[inside], query, limit)),
    ):
        assert [each for each, _ in got] == [each for each, _ in expected]
        assert np.allclose([score for _, score in got], [score for _, score in expected], atol=1e-5)


def test_rows_added_after_a_search_are_found_by_the_next(tmp_path: Path):
    rows = random_rows(3, seed=1)
    index = RecallIndex(Embeddings(tmp_path))
    assert index.search(rows[0], 5) == []
    for number, row in enumerate(rows):
        appended(Embeddings(tmp_path), [number], row[None])
        assert index.search(row, 1)[0][0] == number


def test_a_memory_indexed_anew_with_fewer_rows_is_followed(tmp_path: Path):
    embeddings = Embeddings(tmp_path)
    appended(embeddings, [1, 2, 3], random_rows(3, seed=1))
    index = RecallIndex(embeddings)
    assert len(index.search(random_rows(1, seed=2)[0], 9)) == 3
    for file in tmp_path.iterdir():
        file.unlink()
    appended(embeddings, [7], random_rows(1, seed=3))
    assert [each for each, _ in index.search(random_rows(1, seed=2)[0], 9)] == [7]


def test_a_query_of_another_width_is_refused(tmp_path: Path):
    embeddings = Embeddings(tmp_path)
    appended(embeddings, [1], random_rows(1, seed=1))
    with pytest.raises(ValueError, match="query of 3 numbers"):
        RecallIndex(embeddings).search(np.ones(3), 1)
