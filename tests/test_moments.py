"""Moments: half minutes of the clock, the same however they are come upon, and read a page at a time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.moments import BESIDE
from store.records import Keyframe, Moment, Span

START = 1_760_000_010.0  # a half minute begins
LATER = """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)
    INSERT INTO keyframes SELECT id + i * 5000000, session_id, captured_at + i * 5, zone_offset_s, width_px, height_px,
        novelty, pack, offset_bytes, length_bytes, checksum, reduced
    FROM n JOIN keyframes ON keyframes.id = ? WHERE i > 0
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


@pytest.fixture
def long_day(store: EpisodicStore) -> EpisodicStore:
    """One session of sixteen hours, still going on, a keyframe every five seconds; their rows only."""
    (first,) = record(store, 0)
    store.database.execute(LATER, (16 * 720, first.id))
    return store


@pytest.fixture
def cameras(store: EpisodicStore) -> EpisodicStore:
    """Keyframes of three sessions that overlap, hours apart and close together."""
    random = Random(5)
    sessions = [store.begin_session(f"camera {n}", START, 0, 1.0).id for n in range(3)]
    for _ in range(120):
        at = START + random.choice([0, 7200, 7260, 40_000]) + random.randrange(90)
        store.add_keyframe(random.choice(sessions), at, 0, b"jpeg", 64, 48, 1.0)
    return store


def record(store: EpisodicStore, *times_s: float) -> list[Keyframe]:
    session = store.begin_session("glasses", START + times_s[0], 0, 1.0)
    return [store.add_keyframe(session.id, START + at, 0, b"jpeg", 64, 48, 1.0) for at in times_s]


def seconds(moments: list[Moment]) -> list[tuple[float, float, int]]:
    return [(moment.started_at - START, moment.ended_at - START, moment.keyframes) for moment in moments]


def test_a_moment_is_what_one_session_saw_in_one_half_minute_of_the_clock(store: EpisodicStore) -> None:
    record(store, 10, 20, 29, 30, 100)
    record(store, 105, 106)
    assert seconds(store.moments(newest_first=False)) == [(10, 29, 3), (30, 30, 1), (100, 100, 1), (105, 106, 2)]
    assert store.moments()[-1].keyframe.captured_at == START + 20


def test_every_keyframe_is_in_one_moment_and_moments_are_in_order(cameras: EpisodicStore) -> None:
    moments = cameras.moments(newest_first=False)
    starts = [moment.started_at for moment in moments]
    assert starts == sorted(starts) and sum(moment.keyframes for moment in moments) == cameras.count()
    assert all(moment.ended_at - moment.started_at < 30 for moment in moments)
    assert cameras.moments() == moments[::-1]
    assert {cameras.moment_of(keyframe.id) for keyframe in cameras.keyframes()} == set(moments)


def test_a_span_finds_whole_moments_that_overlap_it(cameras: EpisodicStore) -> None:
    everything, random = cameras.moments(newest_first=False), Random(6)
    for _ in range(50):
        began = START + random.choice([-20, 0, 7200, 39_990]) + random.randrange(150)
        span = Span(began, began + random.choice([1, 20, 70, 8000]))
        within = [each for each in everything if each.started_at < span.ended_at and each.ended_at >= span.started_at]
        assert cameras.moments(span, newest_first=False) == within
        assert cameras.moments(span) == within[::-1]
        assert cameras.moments(span, limit=2) == within[::-1][:2]
    assert cameras.moments(Span(START + 50_000, float("inf"))) == []


def test_pages_follow_each_other_without_a_gap(long_day: EpisodicStore) -> None:
    paged, behind = [], float("inf")
    while page := long_day.moments(Span(float("-inf"), behind), limit=700):
        paged += page
        behind = page[-1].started_at
    assert paged == long_day.moments() and len(paged) == 16 * 120


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_page_of_an_endless_session_reads_little_more_than_itself(
    long_day: EpisodicStore, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, rows = [], long_day.database.rows
    monkeypatch.setattr(long_day.database, "rows", lambda *asked: [read.append(row) or row for row in rows(*asked)])
    page = long_day.moments(newest_first=newest_first, limit=50)
    assert len(page) == 50 and 300 <= len(read) <= 500
    assert page[0].keyframe.captured_at - START == pytest.approx(16 * 3600 - 15 if newest_first else 15, abs=5)


def test_a_walk_goes_on_while_more_is_recorded(long_day: EpisodicStore) -> None:
    walk = long_day.walk_moments()
    begun = list(islice(walk, 10))
    record(long_day, 100_000)
    assert [*begun, *walk] == long_day.moments()[1:]


def test_beside_a_keyframe_are_its_neighbours_of_any_session(cameras: EpisodicStore) -> None:
    everything = cameras.keyframes()
    for place in (0, 1, 50, len(everything) - 1):
        for before, after in ((0, 0), (3, 0), (0, 4), (2, 500)):
            found = cameras.keyframes_beside(everything[place].id, before, after)
            assert found == everything[max(0, place - before) : place + after + 1]
    assert len({keyframe.session_id for keyframe in cameras.keyframes_beside(everything[60].id, 9, 9)}) == 3
    with pytest.raises(UserError, match="no keyframe 5"):
        cameras.keyframes_beside(5, 1, 1)


def test_beside_a_keyframe_of_a_long_day_only_what_is_shown_is_read(long_day: EpisodicStore) -> None:
    steps = long_day.database.rows(f"EXPLAIN QUERY PLAN {BESIDE}", (1, 2, 3))
    assert not [step["detail"] for step in steps if step["detail"].startswith("SCAN keyframes")]
    assert len(long_day.keyframes_beside(long_day.keyframe_ids(limit=101)[-1], 10, 10)) == 21


def test_the_moment_of_a_keyframe_that_is_not_there_names_the_nearest(store: EpisodicStore) -> None:
    with pytest.raises(NothingRecorded, match="nothing is recorded"):
        store.moment_of(5)
    first, last = record(store, 0, 40)
    for missing, nearest in ((5, first), (first.id + 1, first), (last.id - 1, last), (last.id + 9, last)):
        with pytest.raises(UserError, match=f"no keyframe {missing}") as refused:
            store.moment_of(missing)
        assert str(nearest.id) in refused.value.hint


def test_the_nearest_keyframe_is_one_of_the_session_and_within_reach(store: EpisodicStore) -> None:
    first, last = record(store, 0, 40)
    (other,) = record(store, 21)
    assert store.nearest_keyframe(first.session_id, START + 19, 60) == first.id
    assert store.nearest_keyframe(first.session_id, START + 21, 60) == last.id
    assert store.nearest_keyframe(first.session_id, START + 40, 0) == last.id
    assert store.nearest_keyframe(first.session_id, START + 21, 5) is None
    assert store.nearest_keyframe(other.session_id, START + 90, 60) is None
