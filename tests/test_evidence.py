"""What a person sees of an answer's evidence."""

from pathlib import Path

from store.episodic import EpisodicStore
from store.records import Coverage, Gap, Keyframe, Moment, Span, Transcript
from tui.evidence import day_strip, recorded_day, say_coverage, say_quoted

BEGAN = 1_772_434_800.0  # 08:00 an hour east of UTC
DAY = Span(BEGAN, BEGAN + 240)


def moment(at_s: float) -> Moment:
    keyframe = Keyframe(1, 1, BEGAN + at_s, 3600, 64, 48, 1.0, 1, 0, 1, 0)
    return Moment(BEGAN + at_s, BEGAN + at_s, keyframe, 1, 0.5)


def coverage(*gaps_s: float, indexed: int = 200) -> Coverage:
    gaps = tuple(Gap(n, 1, BEGAN + at_s, BEGAN + at_s + 10, "no picture") for n, at_s in enumerate(gaps_s))
    return Coverage(DAY, 240.0, 240.0 - 10 * len(gaps), 200, indexed, gaps)


def test_the_strip_shows_the_place_in_the_day() -> None:
    places = [day_strip(moment(at_s), DAY).index("●") for at_s in (0, 120, 239, 240)]
    assert places == [6, 18, 29, 29]
    assert day_strip(moment(0), DAY).startswith("08:00 ●─") and day_strip(moment(0), DAY).endswith("─ 08:04")


def test_a_day_of_no_length_still_has_a_place() -> None:
    assert "●" in day_strip(moment(0), Span(BEGAN, BEGAN))


def test_a_day_is_what_was_recorded_of_it(tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory") as store:
        store.end_session(store.begin_session("film", BEGAN - 100, 3600, 1.0).id, BEGAN + 40, "end of film")
        assert recorded_day(store, moment(0)) == Span(BEGAN - 100, BEGAN + 40)


def test_the_first_moment_after_midnight_is_its_own_day(tmp_path: Path) -> None:
    midnight_s = 16 * 3600.0
    with EpisodicStore.open(tmp_path / "memory") as store:
        store.begin_session("camera", BEGAN + midnight_s - 60, 3600, 1.0)  # last heard of a minute before
        assert recorded_day(store, moment(midnight_s)) == Span(BEGAN + midnight_s, BEGAN + midnight_s)


def test_coverage_says_what_was_seen_of_what_was_worn() -> None:
    assert say_coverage(coverage(), 3600) == "Recorded 4 min 0 s of 4 min 0 s worn."


def test_gaps_are_told_with_their_reason_and_many_are_counted() -> None:
    said = say_coverage(coverage(60), 3600)
    assert said == "Recorded 3 min 50 s of 4 min 0 s worn; gap 08:01:00 to 08:01:10 (no picture)."
    assert say_coverage(coverage(0, 30, 60, 90, 120), 3600).endswith("; 2 more gaps.")


def test_what_is_not_indexed_is_told() -> None:
    assert "20 of 200 keyframes not indexed" in say_coverage(coverage(indexed=180), 3600)


def test_quoted_words_are_told_with_their_time_and_how_sure_they_are() -> None:
    sign = Transcript(1, BEGAN, BEGAN + 62, "BAKERY / OPEN 9-17", "scene-text", "rapidocr", 0.987, 7)
    said = Transcript(1, BEGAN, BEGAN + 3, "take the bus", "speech", "pocketsphinx", 0.2, 8)
    assert say_quoted(sign, 3600) == "08:00:00 to 08:01:02 read by rapidocr, confidence 0.99: BAKERY / OPEN 9-17"
    note = Transcript(1, BEGAN, BEGAN + 29, "lent to Anna", "note", "wearer", 1.0, -1)
    assert say_quoted(note, 3600) == "08:00:00 to 08:00:29 noted: lent to Anna"
    assert say_quoted(said, 3600) == "08:00:00 to 08:00:03 heard by pocketsphinx, confidence 0.20: take the bus"
