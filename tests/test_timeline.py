"""A life from afar: days that tile what was worn, and cells that share it out, whatever the zones, gaps and edges."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.episodic import EpisodicStore
from store.records import Span
from store.spans import merged, recorded, session_span, total_s, worn
from store.timeline import DAY_S, Cell, activity, days

MIDNIGHT = 20_000.0 * DAY_S  # in UTC: 2024-10-04
HOUR_S = 3600
ZONES_S = (-8 * HOUR_S, 0, 2 * HOUR_S, 20_700)

times_s = st.floats(-1.5 * DAY_S, 1.5 * DAY_S)
lengths_s = st.floats(0, 1.2 * DAY_S)
reasons = st.sampled_from(["lens covered", "paused"])
gaps = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1.2), reasons), max_size=4)
sessions = st.lists(st.tuples(times_s, lengths_s, st.sampled_from(ZONES_S), st.booleans(), gaps), max_size=4)
lives = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        yield store


def live(store: EpisodicStore, lived: list) -> None:
    """Each session and gap as drawn, in a memory in which nothing else is."""
    for table in ("gaps", "keyframes", "sessions"):
        store.database.execute(f"DELETE FROM {table}")
    for at_s, length_s, zone_s, ended, missed in lived:
        began = MIDNIGHT + at_s
        session = store.begin_session("glasses", began, zone_s, 1.0)
        for share, length, reason in missed:
            store.add_gap(session.id, began + share * length_s, began + (share + length) * length_s, reason)
        if ended:
            store.end_session(session.id, began + length_s, "stopped")
        else:
            store.beat(session.id, began + length_s)


def wear(store: EpisodicStore, began: float, ended: float, zone_s: int = 0) -> int:
    session_id = store.begin_session("glasses", began, zone_s, 1.0).id
    store.end_session(session_id, ended, "stopped")
    return session_id


def see(store: EpisodicStore, session_id: int, novelty: float, *times: float) -> None:
    for at in times:
        store.add_keyframe(session_id, at, 0, b"jpeg", 4, 3, novelty)


@lives
@given(lived=sessions)
def test_days_tile_all_that_was_worn_from_midnight_to_midnight_of_each_zone(store: EpisodicStore, lived: list) -> None:
    live(store, lived)
    found, all_sessions = days(store), store.sessions()
    assert len({(day.date, day.zone_offset_s) for day in found}) == len(found)
    for zone_s in ZONES_S:
        of_zone = [session for session in all_sessions if session.zone_offset_s == zone_s]
        own = [day for day in found if day.zone_offset_s == zone_s]
        assert [day.date for day in own] == sorted((day.date for day in own), reverse=True)
        for session in of_zone:  # a day is there even for a session that took no time
            assert any(day.span.started_at <= session.started_at < day.span.ended_at for day in own)
        for day in own:
            assert day.span.duration_s == DAY_S and (day.span.started_at + zone_s) % DAY_S == 0
            assert day.worn_s == pytest.approx(total_s(worn(of_zone, day.span)), abs=1e-3)
            assert day.recorded_s == pytest.approx(total_s(recorded(of_zone, store.gaps(), day.span)), abs=1e-3)
        assert sum(day.worn_s for day in own) == pytest.approx(total_s(merged(map(session_span, of_zone))), abs=1e-3)


def test_a_session_over_midnight_is_two_days_of_its_own_zone_newest_first(store: EpisodicStore) -> None:
    session_id = wear(store, MIDNIGHT - HOUR_S, MIDNIGHT + 3 * HOUR_S, 2 * HOUR_S)
    assert [(day.date, day.worn_s) for day in days(store)] == [(date(2024, 10, 4), 4 * HOUR_S)]
    wear(store, MIDNIGHT - HOUR_S, MIDNIGHT + 3 * HOUR_S, 0)
    store.add_gap(session_id, MIDNIGHT, MIDNIGHT + 60, "lens covered")
    wear(store, MIDNIGHT + 4 * HOUR_S, MIDNIGHT + 5 * HOUR_S, -8 * HOUR_S)  # west of the others it is the day before
    assert [
        (day.date.day, day.zone_offset_s // HOUR_S, day.worn_s, day.recorded_s, day.gaps) for day in days(store)
    ] == [
        (3, -8, HOUR_S, HOUR_S, 0),
        (4, 2, 4 * HOUR_S, 4 * HOUR_S - 60, 1),
        (4, 0, 3 * HOUR_S, 3 * HOUR_S, 0),
        (3, 0, HOUR_S, HOUR_S, 0),
    ]


def test_a_gap_over_midnight_counts_in_both_days_and_none_beyond_its_session(store: EpisodicStore) -> None:
    session_id = wear(store, MIDNIGHT - HOUR_S, MIDNIGHT + HOUR_S)
    store.add_gap(session_id, MIDNIGHT - 60, MIDNIGHT + 60, "lens covered")
    store.add_gap(session_id, MIDNIGHT + HOUR_S, MIDNIGHT + 3 * DAY_S, "camera unplugged")
    assert [(day.gaps, day.recorded_s) for day in days(store)] == [(1, HOUR_S - 60), (1, HOUR_S - 60)]


def test_an_open_session_reaches_to_its_heartbeat(store: EpisodicStore) -> None:
    session = store.begin_session("glasses", MIDNIGHT, 0, 1.0)
    assert [(day.date, day.worn_s) for day in days(store)] == [(date(2024, 10, 4), 0)]
    store.beat(session.id, MIDNIGHT + 50)
    assert days(store)[0].worn_s == 50
    assert [cell.recorded for cell in activity(store, Span(MIDNIGHT, MIDNIGHT + 100), 4)] == [1, 1, 0, 0]


@lives
@given(lived=sessions, began_s=times_s, length_s=st.floats(1, 2 * DAY_S), cells=st.integers(1, 50))
def test_cells_share_out_what_was_recorded_and_finer_ones_do_so_as_well(
    store: EpisodicStore, lived: list, began_s: float, length_s: float, cells: int
) -> None:
    live(store, lived)
    span = Span(MIDNIGHT + began_s, MIDNIGHT + began_s + length_s)
    coarse, fine = activity(store, span, cells), activity(store, span, 3 * cells)
    seconds = total_s(recorded(store.sessions(), store.gaps(), span))
    assert len(coarse) == cells and all(0 <= cell.recorded <= 1 for cell in coarse)
    assert sum(cell.recorded for cell in coarse) * length_s / cells == pytest.approx(seconds, abs=1e-3)
    for number, cell in enumerate(coarse):
        parts = fine[3 * number : 3 * number + 3]
        assert sum(part.recorded for part in parts) / 3 == pytest.approx(cell.recorded, abs=1e-3)


def test_a_cell_says_why_the_most_of_it_is_missing_and_nothing_where_nothing_was_worn(store: EpisodicStore) -> None:
    session_id = wear(store, MIDNIGHT, MIDNIGHT + 100)
    for began, ended, reason in ((21, 25, "paused"), (25, 30, "lens covered"), (31, 34, "paused"), (60, 64, "paused")):
        store.add_gap(session_id, MIDNIGHT + began, MIDNIGHT + ended, reason)
    store.add_gap(session_id, MIDNIGHT + 80, MIDNIGHT + 100, "forgotten")
    cells = activity(store, Span(MIDNIGHT, MIDNIGHT + 120), 6)
    assert cells == [
        Cell(1.0, 0.0, ""),
        Cell(0.4, 0.0, "paused"),  # 7 s of it in two gaps, and 5 s lens covered
        Cell(1.0, 0.0, ""),
        Cell(0.8, 0.0, ""),  # more than half was recorded
        Cell(0.0, 0.0, "forgotten"),
        Cell(0.0, 0.0, ""),  # not worn
    ]


def test_where_two_cameras_are_worn_one_that_sees_is_enough(store: EpisodicStore) -> None:
    covered = wear(store, MIDNIGHT, MIDNIGHT + 100)
    store.add_gap(covered, MIDNIGHT, MIDNIGHT + 100, "lens covered")
    wear(store, MIDNIGHT, MIDNIGHT + 50)
    assert activity(store, Span(MIDNIGHT, MIDNIGHT + 100), 2) == [Cell(1.0, 0.0, ""), Cell(0.0, 0.0, "lens covered")]
    assert [(day.worn_s, day.recorded_s, day.gaps) for day in days(store)] == [(100, 50, 1)]


def test_activity_is_the_news_a_second_and_none_where_nothing_is_kept(store: EpisodicStore) -> None:
    session_id = wear(store, MIDNIGHT, MIDNIGHT + 50)
    see(store, session_id, 0.0, MIDNIGHT, MIDNIGHT + 5)
    see(store, session_id, 1.0, *(MIDNIGHT + at for at in range(10, 20)))
    see(store, session_id, 3.0, *(MIDNIGHT + at for at in range(20, 30)))
    see(store, session_id, 3.0, *(MIDNIGHT + at / 4 for at in range(120, 160)))
    cells = activity(store, Span(MIDNIGHT, MIDNIGHT + 50), 5)
    assert [cell.activity for cell in cells] == [0.0, 0.5, 0.75, 1.0, 0.0]


@pytest.mark.parametrize("cells", [1, 7, 97, 1440])
def test_every_keyframe_counts_in_the_cell_it_lies_in(store: EpisodicStore, cells: int) -> None:
    span = Span(MIDNIGHT, MIDNIGHT + DAY_S)
    session_id = wear(store, span.started_at, span.ended_at)
    times = [0.0, 1.0, DAY_S / 7, DAY_S / 2, DAY_S - 1e-6]
    see(store, session_id, 1.0, *(MIDNIGHT + at for at in times), MIDNIGHT - 1e-6, MIDNIGHT + DAY_S)
    cells_found = activity(store, span, cells)
    assert sum(cell.activity for cell in cells_found) * DAY_S / cells == pytest.approx(len(times) / 2)
    assert cells_found[0].activity > 0 and cells_found[-1].activity > 0
