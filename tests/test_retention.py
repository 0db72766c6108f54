"""Old days become thinner in their order, what is pinned or cited stays, and no second gets out of account."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.config import Retention, documented, load_config
from store.episodic import EpisodicStore
from store.errors import UserError
from store.lock import RecordingLock
from store.records import Heard, Keyframe, Span
from store.spans import moment_span, moments_of, total_s, worn
from store.upkeep.check import check
from store.upkeep.forgetting import forget
from store.upkeep.pins import kept, pin, pins, unpin
from store.upkeep.retention import BEST, NOTHING, TENTH, WORDS, _Days, _left_of, apply, preview

DAY_S = 86_400
FIRST_DAY = 20_000
DAYS = 4
NOW = (FIRST_DAY + DAYS) * DAY_S + 3600.0  # an hour into the day under way
SECONDS = 60  # recorded of each day, a keyframe a second
JPEG_BYTES = 40_000
CHECKPOINT = "nano-1"


def fill(store: EpisodicStore) -> None:
    chance = random.Random(1)
    for day in range(DAYS + 1):
        began = noon(day)
        session = store.begin_session(f"camera {day}", began, 0, 1.0)
        ids = [
            store.add_keyframe(session.id, began + second, 0, chance.randbytes(JPEG_BYTES), 4, 3, 0.5).id
            for second in range(SECONDS)
        ]
        sounds = [
            store.add_sound(session.id, began + at, began + at + 10, 0, chance.randbytes(500)).id for at in (0, 10, 20)
        ]
        said = Heard(session.id, began + 1, began + 3, f"hello day{day}", "speech", "whisper", 0.5)
        store.keep_heard(sounds[:2], [said], keep_sound=True)
        rows = np.random.default_rng(day).normal(size=(len(ids), 4))
        store.add_embeddings(CHECKPOINT, ids, rows, rows)
        store.end_session(session.id, began + SECONDS, "stopped")


def noon(day: int) -> float:
    return (FIRST_DAY + day) * DAY_S + 600.0 if day == DAYS else (FIRST_DAY + day) * DAY_S + DAY_S / 2


def counts(store: EpisodicStore) -> list[int]:
    """Keyframes of each day."""
    return [store.count(Span(noon(day), noon(day) + SECONDS)) for day in range(DAYS + 1)]


def used_bytes(store: EpisodicStore) -> int:
    """What counts against a budget, of a database that does not grow for now."""
    store.database.execute("VACUUM")
    store.database.value("PRAGMA wal_checkpoint(TRUNCATE)")
    return _Days(store, Retention(budget_bytes=1), NOW).excess_bytes() + 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        store.packs._pack_bytes = store.sound_packs._pack_bytes = 600_000
        fill(store)
        yield store


def test_by_default_everything_stays_for_ever(store: EpisodicStore):
    assert preview(store, Retention(), NOW) == apply(store, Retention(), NOW) == []
    assert counts(store) == [SECONDS] * (DAYS + 1)


def test_the_settings_are_read_from_the_file_and_can_be_written_to_it(tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text('[retention]\nkeep = "90d"\nbudget = "40 GiB"\n')
    config = load_config(path)
    assert config.retention == Retention(keep_s=90 * DAY_S, budget_bytes=40 * 2**30)
    path.write_text(documented(config))
    assert load_config(path) == config
    path.write_text(documented(load_config(tmp_path / "absent")))
    assert load_config(path).retention == Retention()


def test_days_older_than_keep_go_whole_with_pictures_sounds_and_words(store: EpisodicStore):
    steps = apply(store, Retention(keep_s=2 * DAY_S), NOW)
    assert [(step.day - FIRST_DAY, step.rung, len(step.keyframes)) for step in steps] == [
        (0, NOTHING, SECONDS),
        (1, NOTHING, SECONDS),
    ]
    assert counts(store) == [0, 0, SECONDS, SECONDS, SECONDS]
    assert store.find_words("day1") == [] and len(store.find_words("day2")) == 1
    assert store.sounds(Span(0, noon(2))) == []
    assert store.embedded_count(CHECKPOINT) == 3 * SECONDS
    assert {gap.reason for gap in store.gaps(Span(0, noon(2)))} == {"expired"}
    assert store.coverage(CHECKPOINT).worn_s == SECONDS * (DAYS + 1)
    assert store.coverage(CHECKPOINT).recorded_s == SECONDS * (DAYS - 1)
    assert check(store).clean
    assert preview(store, Retention(keep_s=2 * DAY_S), NOW) == []
    assert len(apply(store, Retention(keep_s=2 * DAY_S), NOW + DAY_S)) == 1


def test_of_words_that_expired_no_copy_of_the_database_stays(store: EpisodicStore):
    before = store.directory / "memory.db.before-3"
    before.write_bytes(b"hello day0")
    apply(store, Retention(keep_s=2 * DAY_S), NOW)
    assert not before.exists() and not store.database.rows("SELECT * FROM rewrites")


def test_words_of_a_day_that_expired_do_not_come_back(store: EpisodicStore):
    late = Heard(1, noon(0) + 21, noon(0) + 23, "too late", "speech", "whisper", 0.5)
    unheard = store.unheard(1)[0]
    apply(store, Retention(keep_s=DAY_S), NOW)
    store.keep_heard([unheard.id], [late], keep_sound=True)
    assert store.find_words("late") == []


def test_a_budget_takes_every_day_down_one_rung_before_the_next_and_stops_when_it_is_enough(store: EpisodicStore):
    for wanted, excess_bytes in [
        ([6, SECONDS, SECONDS, SECONDS, SECONDS], 1),
        ([6, 6, 6, 6, SECONDS], 2.5 * 54 * JPEG_BYTES),
        ([2, 6, 6, 6, SECONDS], 1),
        ([2, 2, 2, 2, SECONDS], 2.5 * 4 * JPEG_BYTES),
        ([0, 2, 2, 2, SECONDS], 1),
    ]:
        budget_bytes = round(used_bytes(store) - excess_bytes)
        apply(store, Retention(budget_bytes=budget_bytes), NOW)
        assert counts(store) == wanted
        assert used_bytes(store) <= budget_bytes
    assert check(store).clean


def test_at_the_foot_of_the_ladder_words_are_left_and_the_day_under_way_is_whole(store: EpisodicStore):
    apply(store, Retention(budget_bytes=1), NOW)
    assert counts(store) == [0, 0, 0, 0, SECONDS]
    assert len(store.find_words("hello")) == DAYS + 1
    assert [sound.heard for sound in store.sounds(Span(0, noon(DAYS) - 1))] == [False] * DAYS
    assert store.embedded_count(CHECKPOINT) == SECONDS
    assert [gap.reason for gap in store.gaps()] == ["thinned"] * DAYS
    assert total_s(worn(store.sessions(), Span(0, NOW))) - store.coverage(CHECKPOINT).recorded_s == DAYS * SECONDS
    assert sum(size > 0 for size in store.packs.sizes().values()) <= 6  # those of the day under way
    assert check(store).clean
    assert apply(store, Retention(budget_bytes=1), NOW) == []


def test_what_a_preview_tells_is_what_is_then_done(store: EpisodicStore):
    settings = Retention(keep_s=3 * DAY_S, budget_bytes=used_bytes(store) - 3 * SECONDS * JPEG_BYTES)
    before = counts(store)
    steps = preview(store, settings, NOW)
    assert counts(store) == before
    assert [(step.day - FIRST_DAY, step.rung) for step in steps[:4]] == [
        (0, NOTHING),
        (1, TENTH),
        (2, TENTH),
        (3, TENTH),
    ]
    done = apply(store, settings, NOW)
    assert done[: len(steps)] == steps[: len(done)]
    everything = Retention(budget_bytes=1)
    assert preview(store, everything, NOW) == apply(store, everything, NOW)


def test_what_is_pinned_or_cited_stays_as_it_is_through_every_rung(store: EpisodicStore):
    cited = store.keyframes(Span(noon(1), noon(2)))[40]
    pin(store, Span(noon(0) + 5, noon(0) + 15))
    store.add_turn(NOW, "Where?", "There.", True, 0.9, "nano", [cited.id])
    moment = [each.id for each in store.keyframes(moment_span(cited.id))]
    for settings in (Retention(budget_bytes=1), Retention(keep_s=DAY_S)):
        apply(store, settings, NOW)
        assert [each.captured_at - noon(0) for each in store.keyframes(Span(noon(0), noon(1)))] == [*range(5, 15)]
        assert [each.id for each in store.keyframes(Span(noon(1), noon(2)))] == moment
        assert all(store.jpeg(each) for each in store.keyframes())
        assert sorted(store.indexed_ids(CHECKPOINT)) == [each.id for each in store.keyframes()]
        assert store.coverage(CHECKPOINT, Span(noon(0), noon(0) + SECONDS)).recorded_s == 10
    assert [sound.started_at - noon(0) for sound in store.sounds(Span(0, noon(1)))] == [0, 10]
    assert check(store).clean


def test_what_is_unpinned_follows_its_day_and_forgetting_does_not_ask_for_pins(store: EpisodicStore):
    span = Span(noon(0) + 5, noon(0) + 15)
    assert pin(store, span) == pin(store, Span(noon(0) + 6, noon(0) + 7)) == pins(store)[0]
    apply(store, Retention(keep_s=DAY_S), NOW)
    assert counts(store)[0] == 10
    assert unpin(store, Span(noon(0) + 10, noon(0) + 11)) == 1 and pins(store) == kept(store) == []
    apply(store, Retention(keep_s=DAY_S), NOW)
    assert counts(store)[0] == 0
    with pytest.raises(UserError, match="Nothing is pinned"):
        unpin(store, span)
    pin(store, Span(noon(3), noon(3) + 20))
    forget(store, [Span(noon(3), noon(3) + SECONDS)])
    assert counts(store)[3] == 0 and pins(store) == []


def test_what_was_forgotten_stays_forgotten_on_a_day_that_is_thinned(store: EpisodicStore):
    forget(store, [Span(noon(0) + 10, noon(0) + 20)])
    apply(store, Retention(budget_bytes=1), NOW)
    apply(store, Retention(keep_s=DAY_S), NOW)
    told = [(gap.started_at - noon(0), gap.ended_at - noon(0), gap.reason) for gap in store.gaps(Span(0, noon(1)))]
    assert told == [(0, 10, "expired"), (10, 20, "forgotten"), (20, SECONDS, "expired")]


def test_a_film_imported_into_a_day_long_thinned_goes_down_the_ladder_as_well(store: EpisodicStore):
    apply(store, Retention(budget_bytes=1), NOW)
    film = store.begin_session("film", noon(0) + 1000, 0, 1.0)
    for second in range(30):
        store.add_keyframe(film.id, noon(0) + 1000 + second, 0, b"jpeg" * 100, 4, 3, 0.5)
    store.end_session(film.id, noon(0) + 1030, "end of film")
    steps = apply(store, Retention(budget_bytes=1), NOW)
    assert [(step.session_id, step.rung) for step in steps] == [(film.id, TENTH), (film.id, BEST), (film.id, WORDS)]


def test_while_another_forgets_or_ends_a_backup_nothing_is_done(store: EpisodicStore):
    with RecordingLock(store.directory / "upkeep.lock").held():
        assert apply(store, Retention(keep_s=DAY_S), NOW) == []
    assert apply(store, Retention(keep_s=DAY_S), NOW, stop=lambda: True) == []
    assert len(apply(store, Retention(keep_s=DAY_S), NOW)) == 3


@given(st.lists(st.integers(0, 89), min_size=1, max_size=90, unique=True).map(sorted), st.data())
def test_each_rung_keeps_the_best_of_every_moment_that_the_one_before_kept(seconds: list[int], data: st.DataObject):
    reduced = data.draw(st.lists(st.booleans(), min_size=len(seconds), max_size=len(seconds)))
    keyframes = [
        Keyframe(at * 1_000_000, 1, at, 0, 4, 3, 0.5, 1, 0, 1, 0, is_reduced)
        for at, is_reduced in zip(seconds, reduced, strict=True)
    ]
    best = {moment.keyframe.id for moment in moments_of(keyframes)}
    tenth = _left_of(keyframes, TENTH)
    assert best <= tenth and len(tenth) <= len(best) + len(keyframes) / 10
    assert _left_of(keyframes, BEST) == best and _left_of(keyframes, WORDS) == set()


THINNER = """
import os, random, signal, sys, time
from pathlib import Path
from store.config import Retention
from store.episodic import EpisodicStore
from store.upkeep.retention import apply

memory, now, chance = Path(sys.argv[1]), float(sys.argv[2]), random.Random(5)
EpisodicStore.open(memory).close()
for kill in range(15):
    child = os.fork()
    if child == 0:
        try:
            with EpisodicStore.open(memory) as store:
                store.packs._pack_bytes = 300_000
                apply(store, Retention(budget_bytes=1), now)
        finally:
            os._exit(0)
    time.sleep(chance.uniform(0.0, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_whoever_is_killed_while_thinning_leaves_a_memory_that_is_whole_and_can_be_thinned_on(store: EpisodicStore):
    bytes_of = {each.id: store.jpeg(each) for each in store.keyframes()}
    store.close()
    subprocess.run([sys.executable, "-c", THINNER, str(store.directory), str(NOW)], check=True, timeout=200)
    with EpisodicStore.open(store.directory, create=False) as again:
        assert check(again).clean
        assert all(again.jpeg(each) == bytes_of[each.id] for each in again.keyframes())
        apply(again, Retention(budget_bytes=1), NOW)
        assert counts(again) == [0, 0, 0, 0, SECONDS]
        assert len(again.find_words("hello")) == DAYS + 1
        assert check(again).clean


def test_where_nothing_is_to_be_done_it_costs_milliseconds(store: EpisodicStore):
    settings = Retention(keep_s=90 * DAY_S, budget_bytes=2**40)
    began = time.perf_counter()
    assert apply(store, settings, NOW) == []
    assert time.perf_counter() - began < 0.1
