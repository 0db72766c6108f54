"""Days: however they are cut, thinned and joined, rows, times, narrations and proofs stay those of the same frames."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.training.data_engine import Narration, key_frames
from assistant.training.dataset import Day, Episode, day_of, proof_frames

THINGS = ("wallet", "keys", "phone", "glasses", "mug")
NARRATIONS = (
    Narration(10, 14, "I put the red wallet on the kitchen table with my left hand"),
    Narration(30, 34, "I put the blue mug on the office desk with my right hand"),
    Narration(50, 54, "I close the fridge with my left hand"),
)
WALLET, KEYS, MUG = 1, 2, 5


def episode() -> Episode:
    """80 seconds at 1 fps; the thing is seen in the hand in the first three seconds of its act; keys lie about."""
    held, cells = np.zeros(80, np.uint8), np.zeros((80, 2, 2), np.uint8)
    held[10:14], held[30:34] = WALLET, MUG
    cells[10:13, 0, 1], cells[30:33, 0, 1], cells[60:70, 1, 1] = WALLET, MUG, KEYS
    return Episode(
        name="day",
        jpegs=(),
        times_s=np.arange(80, dtype=np.float32),
        narrations=NARRATIONS,
        labels={"held": held, "thing_cells": cells},
        vocabulary={"things": THINGS},
    )


@st.composite
def days(draw: st.DrawFn) -> Day:
    """A day at about 1 fps with acts anywhere in it, each proven by some of its frames."""
    count, first_row = draw(st.integers(2, 40)), draw(st.integers(0, 1000))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    times_s = (np.arange(count) + rng.uniform(0, 1)).astype(np.float32)
    starts = sorted(draw(st.lists(st.floats(0, count), max_size=6)))
    told = tuple(Narration(at, at + float(rng.uniform(0, 6)), f"I open the box {i}") for i, at in enumerate(starts))
    within = [np.flatnonzero((times_s >= n.start_s) & (times_s <= n.end_s)) for n in told]
    return Day(
        name="day",
        rows=np.arange(first_row, first_row + count),
        times_s=times_s,
        narrations=told,
        proofs=tuple(tuple(int(i) for i in frames if rng.random() < 0.7) for frames in within),
        in_view=rng.random((count, len(THINGS))) < 0.3,
        held=rng.integers(0, 1 + len(THINGS), count),
        things=THINGS,
    )


def seen(day: Day) -> dict[int, tuple[float, tuple[bool, ...], int]]:
    """What is known of every frame, by its row of the features."""
    known = zip(day.times_s.tolist(), map(tuple, day.in_view.tolist()), day.held.tolist(), strict=True)
    return dict(zip(day.rows.tolist(), known, strict=True))


def proven(day: Day) -> dict[str, list[int]]:
    """The rows that prove each narration."""
    told = zip(day.narrations, day.proofs, strict=True)
    return {narration.text: [int(day.rows[i]) for i in proof] for narration, proof in told}


def spanned(day: Day) -> dict[str, list[int]]:
    """The rows that lie within each narration."""
    return {n.text: [int(day.rows[i]) for i in day.within(n)] for n in day.narrations}


@given(days(), st.data())
def test_some_frames_of_a_day_are_a_day_of_just_these_frames(day: Day, data: st.DataObject) -> None:
    frames = sorted(data.draw(st.sets(st.integers(0, len(day) - 1), min_size=1)))
    thin, rows = day.thinned(frames), day.rows[frames].tolist()
    assert seen(thin) == {row: seen(day)[row] for row in rows} and thin.rows.tolist() == rows
    first_s, last_s = day.times_s[frames[0]], day.times_s[frames[-1]]
    assert thin.narrations == tuple(n for n in day.narrations if first_s <= n.start_s and n.end_s <= last_s)
    for narration in thin.narrations:
        assert proven(thin)[narration.text] == [row for row in proven(day)[narration.text] if row in rows]
        assert spanned(thin)[narration.text] == [row for row in spanned(day)[narration.text] if row in rows]


@given(days(), st.data())
def test_a_window_keeps_every_frame_of_the_acts_that_lie_within_it(day: Day, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(day) - 1))
    end = data.draw(st.integers(start + 1, len(day)))
    window = day.window(start, end)
    assert window.rows.tolist() == day.rows[start:end].tolist()
    for narration in window.narrations:
        assert proven(window)[narration.text] == proven(day)[narration.text]
        assert spanned(window)[narration.text] == spanned(day)[narration.text]


@given(days(), days(), st.floats(2, 3600))
def test_a_day_behind_another_comes_the_gap_later_and_stays_what_it_was(one: Day, other: Day, gap_s: float) -> None:
    both = one.joined(other, gap_s)
    assert both.rows.tolist() == [*one.rows.tolist(), *other.rows.tolist()]
    assert abs(both.times_s[len(one)] - both.times_s[len(one) - 1] - gap_s) < 0.01
    assert np.allclose(np.diff(both.times_s[len(one) :]), np.diff(other.times_s), atol=0.01)
    assert both.narrations[: len(one.narrations)] == one.narrations
    shift_s = float(both.times_s[len(one)] - other.times_s[0])
    later = zip(both.narrations[len(one.narrations) :], other.narrations, strict=True)
    for moved, narration in later:
        assert moved.text == narration.text and abs(moved.start_s - narration.start_s - shift_s) < 0.01
        assert abs(moved.end_s - moved.start_s - narration.end_s + narration.start_s) < 0.01
    proofs = [[int(both.rows[i]) for i in proof] for proof in both.proofs]
    assert proofs == [*proven(one).values(), *proven(other).values()]
    assert np.array_equal(both.in_view, np.concatenate([one.in_view, other.in_view]))
    assert np.array_equal(both.held, np.concatenate([one.held, other.held]))


def test_a_day_knows_of_an_episode_what_is_in_view_and_in_the_hand() -> None:
    day = day_of(episode(), first_row=500)
    assert len(day) == 80 and day.rows.tolist() == list(range(500, 580))
    assert {THINGS[i]: np.flatnonzero(day.in_view[:, i]).tolist() for i in range(len(THINGS))} == {
        "wallet": [10, 11, 12], "keys": [*range(60, 70)], "phone": [], "glasses": [], "mug": [30, 31, 32],
    }  # fmt: skip
    assert np.flatnonzero(day.held == MUG).tolist() == [30, 31, 32, 33]


def test_proof_of_a_move_is_the_thing_in_view_in_the_hand_and_of_a_switch_all_but_its_beginning() -> None:
    assert proof_frames(episode(), NARRATIONS[0]) == [10, 11, 12]
    assert proof_frames(episode(), NARRATIONS[2]) == [51, 52, 53, 54]
    assert day_of(episode(), 0).proofs == ((10, 11, 12), (30, 31, 32), (51, 52, 53, 54))


def test_a_day_asks_in_vain_of_what_its_frames_do_not_show() -> None:
    day = day_of(episode(), 0)
    for seed in range(20):
        writer = day.writer(range(len(day)), Random(seed))
        assert set(writer.unseen) == {"phone", "glasses"}
        assert set(writer.untouched) == {"keys", "phone", "glasses"}  # the others were in the hand
        writer = day.writer([10, 65], Random(seed), began_s=9.0)
        assert set(writer.unseen) == {"phone", "glasses", "mug"} and writer.began_s == 9.0
        assert set(writer.untouched) == {"keys", "phone", "glasses", "mug"}
        assert {"kitchen", "office"} >= {place.split()[0] for place in writer.places}


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(41, 80))
def test_what_is_answerable_in_a_window_has_its_frames_there(seed: int, start: int, end: int) -> None:
    window = day_of(episode(), 0).window(start, end)
    for question in window.questions(Random(seed)):
        frames = key_frames(question, window.narrations, window.times_s.tolist())
        assert bool(frames) == question.answerable
