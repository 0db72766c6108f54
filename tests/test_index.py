"""The recall index: what it finds is what a plain sort of all inner products finds, sealed days nearly so."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.database import Database
from store.embedded import EmbeddedLedger
from store.recall import index, sealed
from store.recall.indexes import Indexes
from store.recall.shards import DAY_IDS
from store.records import Span
from store.sealing import FileKeys

WIDTH, DAYS, ROWS_A_DAY, LIMIT = 16, 40, 100, 20
FIRST_DAY = 20_000
DAY_S = 86_400


def opened(folder: Path, encrypted: bool = True) -> EmbeddedLedger:
    database = Database(folder / "memory.db")
    return EmbeddedLedger(database, folder / "embeddings", FileKeys(database, encrypted))


def random_rows(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def embed(ledger: EmbeddedLedger, ids: Sequence[int], rows: np.ndarray) -> None:
    ledger.add_embeddings("nano", ids, rows, np.zeros((len(ids), 1)))


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
    apart_s=st.sampled_from([1, 7200]),
)
def test_recall_equals_sorting_every_inner_product_of_the_span(
    seed: int, count: int, limit: int, ends: tuple[int, int], apart_s: int
):
    ids = np.random.default_rng(seed).permutation(count) * apart_s * 1_000_000
    rows, query = random_rows(count, seed), random_rows(1, seed + 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        ledger = opened(Path(folder))
        embed(ledger, ids.tolist(), rows)
        found = ledger.recall("nano", query, limit)
        within = ledger.recall("nano", query, limit, Span(ends[0] * apart_s, ends[1] * apart_s))
    inside = (ids >= ends[0] * apart_s * 1_000_000) & (ids < ends[1] * apart_s * 1_000_000)
    for got, expected in (
        (found, sorted_by_hand(ids, rows, query, limit)),
        (within, sorted_by_hand(ids[inside], rows[inside], query, limit)),
    ):
        assert [each for each, _ in got] == [each for each, _ in expected]
        assert np.allclose([score for _, score in got], [score for _, score in expected], atol=1e-5)


def test_rows_added_after_a_search_are_found_by_the_next(tmp_path: Path):
    rows = random_rows(3, seed=1)
    reader, writer = opened(tmp_path), opened(tmp_path)
    assert reader.recall("nano", rows[0], 5) == []
    for number, row in enumerate(rows):
        embed(writer, [number], row[None])
        assert reader.recall("nano", row, 1)[0][0] == number


def test_rows_that_another_process_removed_are_not_found_again(tmp_path: Path):
    reader, writer = opened(tmp_path), opened(tmp_path)
    embed(writer, [1, 2, 3], random_rows(3, seed=1))
    query = random_rows(1, seed=2)[0]
    assert len(reader.recall("nano", query, 9)) == 3
    writer.remove_embeddings([1, 2, 3])
    embed(writer, [7], random_rows(1, seed=3))
    assert [each for each, _ in reader.recall("nano", query, 9)] == [7]


def test_a_query_of_another_width_is_refused(tmp_path: Path):
    ledger = opened(tmp_path)
    embed(ledger, [1], random_rows(1, seed=1))
    with pytest.raises(ValueError, match="query of 3 numbers"):
        ledger.recall("nano", np.ones(3), 1)


class Life:
    """Forty days at a few places, in which a few hundred rows are already too many to be compared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger = folder, opened(folder)
        self.rows: dict[int, np.ndarray] = {}
        places = random_rows(30, seed=5)
        for day in range(FIRST_DAY, FIRST_DAY + DAYS):
            rng = np.random.default_rng(day)
            rows = np.repeat(places[rng.integers(0, len(places), ROWS_A_DAY // 10)], 10, axis=0)
            rows = rows + 0.1 * rng.standard_normal(rows.shape)
            self.embed([day * DAY_IDS + i * 600_000_000 for i in range(ROWS_A_DAY)], rows)

    def embed(self, ids: Sequence[int], rows: np.ndarray) -> None:
        embed(self.ledger, ids, rows)
        self.rows.update(zip(ids, rows, strict=True))

    def remove(self, ids: Sequence[int]) -> None:
        self.ledger.remove_embeddings(ids)
        for each in ids:
            del self.rows[each]

    def recalled(self, span: Span | None = None) -> float:
        """The share of the nearest rows that is found; everything found has its exact score."""
        ids, rows = np.array(list(self.rows)), np.stack(list(self.rows.values()))
        if span is not None:
            inside = (ids >= span.started_at * 1e6) & (ids < span.ended_at * 1e6)
            ids, rows = ids[inside], rows[inside]
        shares = []
        for query in random_rows(20, seed=9) + self.rows[min(self.rows)]:
            scores = dict(sorted_by_hand(ids, rows, query, len(ids)))
            found = self.ledger.recall("nano", query, LIMIT, span)
            assert np.allclose([scores[each] for each, _ in found], [score for _, score in found], atol=1e-2)
            assert all(a[1] >= b[1] for a, b in pairwise(found))
            shares.append(len({each for each, _ in found} & set(list(scores)[:LIMIT])) / LIMIT)
        return float(np.mean(shares))

    def files(self, suffix: str) -> list[Path]:
        return sorted((self.folder / "embeddings" / "nano").glob(f"*.{suffix}"))

    def sealed_rows(self) -> int:
        return int(self.ledger.database.value("SELECT sum(rows) FROM indexes WHERE kind = 'lists'"))

    def days_of_the_month_of(self, day: int) -> int:
        """How many days are sealed when one has grown: it alone in the newest month, else all of its month."""
        months = [datetime.fromtimestamp(each * DAY_S, UTC).month for each in {each // DAY_IDS for each in self.rows}]
        month = datetime.fromtimestamp(day * DAY_S, UTC).month
        newest = datetime.fromtimestamp(max(self.rows) / 1e6, UTC).month
        return 1 if month == newest else months.count(month)

    def is_whole(self) -> bool:
        return not self.ledger.damaged_shards("nano") and not self.ledger.damaged_indexes("nano")

    def reopened(self) -> EmbeddedLedger:
        """As another process sees it."""
        self.ledger = opened(self.folder)
        return self.ledger


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    monkeypatch.setattr(sealed, "ALL_COMPARED", 500)
    monkeypatch.setattr(sealed, "MAY_WAIT", 50)
    monkeypatch.setattr(index, "ALL_COMPARED", 500)
    monkeypatch.setattr(index, "EXACT_ROWS", 500)
    yield Life(tmp_path)


def test_few_rows_are_all_compared_and_nothing_is_sealed(tmp_path: Path):
    life = Life(tmp_path)
    assert life.ledger.seal("nano") == 0
    assert life.files("lists") == life.files("axes") == []
    assert life.recalled() == 1


def test_many_rows_are_sealed_and_recall_stays_nearly_exact(life: Life):
    assert life.recalled() == 1, "rows that wait to be sealed are compared"
    assert life.ledger.seal("nano") == DAYS
    assert life.ledger.seal("nano") == 0
    assert life.sealed_rows() == len(life.rows)
    assert life.is_whole()
    for span in (None, Span((FIRST_DAY + 10.5) * DAY_S, (FIRST_DAY + 30.5) * DAY_S)):
        assert life.recalled(span) > 0.95
    assert life.recalled(Span((FIRST_DAY + 10.25) * DAY_S, (FIRST_DAY + 10.5) * DAY_S)) == 1


def test_the_index_is_not_even_read_for_a_span_of_few_days(life: Life, monkeypatch: pytest.MonkeyPatch):
    life.ledger.seal("nano")
    monkeypatch.delattr(Indexes, "read_lists")
    assert life.reopened().recall(
        "nano", random_rows(1, seed=1)[0], 1, Span(FIRST_DAY * DAY_S, (FIRST_DAY + 7) * DAY_S)
    )
    with pytest.raises(AttributeError, match="read_lists"):
        life.recalled()


def test_the_same_rows_give_the_same_index(life: Life):
    life.ledger.seal("nano")
    before = [life.ledger.recall("nano", query, LIMIT) for query in random_rows(5, seed=3)]
    (axes,) = life.files("axes")
    life.ledger.drop_index(int(axes.stem))
    assert life.files("lists") == life.files("axes") == []
    life.ledger.seal("nano")
    assert [life.ledger.recall("nano", query, LIMIT) for query in random_rows(5, seed=3)] == before


def test_few_rows_may_wait_and_a_month_that_is_over_becomes_one_file(life: Life):
    life.ledger.seal("nano")
    for day in range(FIRST_DAY + DAYS, FIRST_DAY + DAYS + 40):
        life.embed([day * DAY_IDS + i for i in range(30)], random_rows(30, seed=day))
        life.ledger.seal("nano")
        assert len(life.rows) - life.sealed_rows() <= sealed.MAY_WAIT
    rows = life.ledger.database.rows("SELECT month, count(*) AS files FROM indexes WHERE kind = 'lists' GROUP BY month")
    assert [row["files"] for row in rows[:-1]] == [1] * (len(rows) - 1)
    assert len(life.files("lists")) == sum(row["files"] for row in rows)
    assert life.is_whole()
    assert life.recalled() > 0.95


@pytest.mark.parametrize("day", [FIRST_DAY + 5, FIRST_DAY + DAYS - 1])
def test_rows_behind_the_sealed_ones_of_a_day_are_compared_until_they_are_sealed(life: Life, day: int):
    life.ledger.seal("nano")
    for start, is_sealed in ((0, False), (30, True)):
        ids = [day * DAY_IDS + 1 + start + i for i in range(30)]
        life.embed(ids, random_rows(30, seed=start))
        assert {each for each, _ in life.ledger.recall("nano", life.rows[ids[0]], 1)} == {ids[0]}
        assert life.ledger.seal("nano") == (0 if not is_sealed else life.days_of_the_month_of(day))
        assert life.is_whole()
        assert life.recalled() > 0.95
    assert life.sealed_rows() == len(life.rows)


def test_what_is_removed_is_in_no_index_any_more(life: Life):
    life.ledger.seal("nano")
    life.recalled()
    before = {path.name for path in life.files("lists")}
    gone = [each for each in life.rows if (FIRST_DAY + 3.5) * DAY_IDS <= each < (FIRST_DAY + 5) * DAY_IDS]
    grown = (FIRST_DAY + 6) * DAY_IDS + 1
    life.embed([grown], random_rows(1, seed=3))
    life.remove([*gone, grown])
    assert before - {path.name for path in life.files("lists")}, "the files that held some of them"
    assert life.is_whole()
    assert life.sealed_rows() == len(life.rows)
    assert life.recalled() > 0.95
    everything = life.ledger.recall("nano", random_rows(1, seed=1)[0], 10 * len(life.rows))
    assert not {each for each, _ in everything} & {*gone, grown}


@pytest.mark.parametrize("suffix", ["lists", "axes"])
@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "damaged"])
def test_an_index_that_is_lost_costs_no_answer_and_is_made_again(life: Life, suffix: str, is_lost: bool):
    life.ledger.seal("nano")
    path = life.files(suffix)[0]
    if is_lost:
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert life.reopened().damaged_indexes("nano") == {int(path.stem): f"{path.name} of nano cannot be read."}
    assert life.recalled() > 0.95
    gone = [min(life.rows), max(life.rows)]
    life.remove(gone)
    life.ledger.drop_index(int(path.stem))
    assert life.recalled() > 0.95
    assert life.ledger.seal("nano") > 0
    assert life.sealed_rows() == len(life.rows)
    assert life.is_whole()
    assert life.recalled() > 0.95


def test_a_damaged_day_is_left_out_of_its_index_and_dropped_from_it(life: Life):
    path = life.files("recall")[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    life.ledger.seal("nano")
    assert life.sealed_rows() == len(life.rows) - 1
    assert life.recalled() > 0.9
    (shard,) = life.ledger.damaged_shards("nano")
    life.ledger.drop_shard(shard)
    assert life.is_whole()
    assert life.sealed_rows() == len(life.rows) - ROWS_A_DAY


@pytest.mark.parametrize("day", [0, DAYS - 1], ids=["of a month that is over", "of the newest month"])
def test_a_day_that_nobody_can_read_does_not_keep_sealing_from_coming_to_an_end(life: Life, day: int):
    (shard,) = life.ledger.database.rows("SELECT id FROM shards WHERE day = ?", (FIRST_DAY + day,))
    (life.folder / "embeddings" / "nano" / f"{shard['id']:06d}.recall").unlink()
    passes = [life.ledger.seal("nano") for _ in range(3)]
    assert passes[0] > 0
    assert passes[1:] == [0, 0]
    assert life.sealed_rows() == len(life.rows) - ROWS_A_DAY
    life.ledger.drop_shard(shard["id"])
    assert life.is_whole()


def test_an_index_of_other_rows_than_its_days_is_named(life: Life):
    life.ledger.seal("nano")
    life.ledger.database.execute("UPDATE shards SET rows = rows - 1 WHERE day = ?", (FIRST_DAY + 2,))
    (damage,) = life.ledger.damaged_indexes("nano").values()
    assert "has rows that its days have not" in damage


def test_new_days_are_coded_along_new_axes_when_the_old_are_outgrown(life: Life, monkeypatch: pytest.MonkeyPatch):
    life.ledger.seal("nano")
    monkeypatch.setattr(sealed, "OUTGROWN", 1)
    day = FIRST_DAY + DAYS
    life.embed([day * DAY_IDS + i for i in range(60)], random_rows(60, seed=8))
    assert life.ledger.seal("nano") == 1
    assert len(life.files("axes")) == 2
    assert life.is_whole()
    assert life.recalled() > 0.95, "while both are in use"


def test_only_one_process_seals_and_others_add_and_search_meanwhile(life: Life, monkeypatch: pytest.MonkeyPatch):
    other, late, first = opened(life.folder), (FIRST_DAY + 1) * DAY_IDS + 1, min(life.rows)
    code = sealed.SealedDays._coded

    def with_company(days: sealed.SealedDays, *arguments: Any) -> Any:
        if late not in life.rows:
            assert other.seal("nano") == 0
            embed(other, [late], random_rows(1, seed=4))
            life.rows[late] = random_rows(1, seed=4)[0]
            other.remove_embeddings([first])
            del life.rows[first]
        return code(days, *arguments)

    monkeypatch.setattr(sealed.SealedDays, "_coded", with_company)
    life.ledger.seal("nano")
    assert life.is_whole()
    assert life.recalled() > 0.95
    assert life.ledger.seal("nano") > 0, "the month of the day that was written anew gave way"
    assert life.sealed_rows() == len(life.rows)
    assert life.is_whole()


def test_a_month_that_is_joined_gives_way_to_a_removal(life: Life, monkeypatch: pytest.MonkeyPatch):
    for files in (1, 2):
        life.ledger.seal("nano")
        day, first = FIRST_DAY + 2, min(life.rows)
        life.embed([day * DAY_IDS + files * 1000 + i for i in range(60)], random_rows(60, seed=files))
    other, code = opened(life.folder), sealed.SealedDays._coded

    def with_company(days: sealed.SealedDays, *arguments: Any) -> Any:
        if first in life.rows:
            other.remove_embeddings([first])
            del life.rows[first]
        return code(days, *arguments)

    monkeypatch.setattr(sealed.SealedDays, "_coded", with_company)
    assert life.ledger.seal("nano") == 0
    for _ in range(2):
        assert life.is_whole()
        assert life.recalled() > 0.95
        found = [each for each, _ in life.ledger.recall("nano", random_rows(1, seed=1)[0], 2 * len(life.rows))]
        assert len(found) == len(set(found)), "nothing twice"
        assert first not in found
        life.ledger.seal("nano")
    assert life.sealed_rows() == len(life.rows)
