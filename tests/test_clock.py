"""Times as people type and read them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Span
from tui.clock import asked_span, iso, say_duration

BEGAN = datetime.fromisoformat("2026-03-02T08:00:00+01:00").timestamp()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    """An hour from 08:00 on 2 March 2026, an hour east of UTC."""
    with EpisodicStore.open(tmp_path / "memory") as opened:
        session = opened.begin_session("film", BEGAN, 3600, 1.0)
        opened.end_session(session.id, BEGAN + 3600, "end of film")
        yield opened


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (178.4, "2 min 58 s"),
        (3600, "1 h 0 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_durations_are_said_in_the_units_that_matter(seconds: float, said: str) -> None:
    assert say_duration(seconds) == said


def test_times_for_programs_carry_the_wearers_zone() -> None:
    assert iso(BEGAN + 0.25, 3600) == "2026-03-02T08:00:00.250+01:00"


@pytest.mark.parametrize(
    ("since", "until", "from_s", "to_s"),
    [
        ("08:10", "08:20:30", 600, 1230),
        ("2026-03-02T08:10", None, 600, 3601),
        ("half past 8", "8:45 am", 1800, 2700),
        ("2026-03-02T07:10+00:00", None, 600, 3601),
        (None, "08:20", 0, 1200),
        ("2026-03-01", "2026-03-02", -32 * 3600, -8 * 3600),
    ],
)
def test_a_typed_time_is_meant_on_the_wearers_clock(
    store: EpisodicStore, since: str | None, until: str | None, from_s: float, to_s: float
) -> None:
    assert asked_span(store, since, until) == Span(BEGAN + from_s, BEGAN + to_s)


def test_without_times_everything_is_meant(store: EpisodicStore) -> None:
    assert asked_span(store, None, None) is None


@pytest.mark.parametrize(("since", "until"), [("07:00", None), (None, "07:00"), ("12:00", None)])
def test_a_time_outside_what_was_recorded_is_no_error(
    store: EpisodicStore, since: str | None, until: str | None
) -> None:
    span = asked_span(store, since, until)
    assert span is not None and span.duration_s >= 0


@pytest.mark.parametrize("text", ["25:00", "the cup", "", "2026-13-01"])
def test_anything_else_is_answered_with_an_example(store: EpisodicStore, text: str) -> None:
    with pytest.raises(UserError, match="is not a time"):
        asked_span(store, text, None)


def test_times_the_wrong_way_round_are_refused(store: EpisodicStore) -> None:
    with pytest.raises(UserError, match="not after"):
        asked_span(store, "08:20", "08:10")
