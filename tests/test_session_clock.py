"""The clock of a session against machines whose clock is set, that sleep, and that travel."""

import time
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock import SessionClock, local_zone_offset_s
from device.frame import AudioBlock, Frame

START_AT = 1_760_000_000.0
IMAGE = np.zeros((2, 2, 3), np.uint8)


@dataclass
class Machine:
    """A machine's clocks, moved by hand."""

    utc_at: float = START_AT
    boot_s: float = 1000.0
    awake_s: float = 900.0

    def clock(self) -> SessionClock:
        return SessionClock(lambda: self.utc_at, lambda: self.boot_s, lambda: self.awake_s, lambda at: 3600)

    def run(self, seconds: float) -> None:
        self.utc_at += seconds
        self.boot_s += seconds
        self.awake_s += seconds

    def sleep(self, seconds: float) -> None:
        self.utc_at += seconds
        self.boot_s += seconds


def frame(at: float) -> Frame:
    return Frame(IMAGE, at, 0)


def test_a_clock_that_is_set_moves_no_time() -> None:
    machine = Machine()
    clock = machine.clock()
    for step_s in (-7200.0, 86_400.0, 0.5):
        machine.utc_at += step_s
        machine.run(10)
    assert clock.read().at == START_AT + 30
    assert clock.now() == START_AT + 30


def test_sleep_counts_as_time_and_is_told_once() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(1)
    machine.sleep(3600)
    first, second = clock.read(), clock.read()
    assert (first.at, first.suspended_s) == (START_AT + 3601, 3600)
    assert (second.at, second.suspended_s) == (START_AT + 3601, 0)


@pytest.mark.parametrize(
    ("camera_at", "dated_at"),
    [(0.0, 0.0), (4.9, 4.9), (-4.9, -4.9), (5.1, 0.0), (-3600.0, 0.0), (-START_AT, 0.0)],
)
def test_a_camera_is_believed_within_five_seconds(camera_at: float, dated_at: float) -> None:
    clock = Machine().clock()
    assert clock.date(frame(START_AT + camera_at), clock.read()).captured_at == START_AT + dated_at


def test_a_frame_comes_after_the_one_before_and_after_what_is_accounted_for() -> None:
    clock = Machine().clock()
    reading = clock.read()
    first = clock.date(frame(START_AT + 3), reading)
    second = clock.date(frame(START_AT + 1), reading)
    third = clock.date(frame(START_AT + 1), reading, later_than=START_AT + 4)
    assert START_AT + 3 == first.captured_at < second.captured_at < START_AT + 4 < third.captured_at


def test_the_zone_is_the_one_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    change_at = datetime(2026, 3, 29, 2, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert (local_zone_offset_s(change_at - 1), local_zone_offset_s(change_at + 1)) == (3600, 7200)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")  # the wearer has travelled
    assert local_zone_offset_s(change_at) == 5 * 3600 + 45 * 60
    monkeypatch.undo()
    time.tzset()


def test_a_frame_carries_the_zone_of_the_reading() -> None:
    clock = Machine().clock()
    assert clock.date(frame(START_AT), clock.read()).zone_offset_s == 3600


@pytest.mark.parametrize(("block_at", "dated_at"), [(-1.5, -1.5), (-90.0, -1.0), (90.0, -1.0)])
def test_sound_is_believed_alike_and_else_has_just_ended(block_at: float, dated_at: float) -> None:
    clock = Machine().clock()
    block = AudioBlock(np.zeros(16_000, np.int16), START_AT + block_at)
    assert clock.date_sound(block, clock.read()).captured_at == START_AT + dated_at


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["run", "sleep", "set", "jump"]),
        st.floats(0, 100_000, allow_nan=False),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(derandomize=True, deadline=None, database=None)
@given(HAPPENINGS)
def test_whatever_the_clocks_do_times_rise_strictly_and_keep_elapsed_time(
    happenings: list[tuple[str, float, bool]],
) -> None:
    machine = Machine()
    clock, camera_off_s, elapsed_s, before_at = machine.clock(), 0.0, 0.0, float("-inf")
    for number, (what, seconds, forwards) in enumerate(happenings, 1):
        signed_s = seconds if forwards else -seconds
        if what == "run":
            machine.run(seconds)
            elapsed_s += seconds
        elif what == "sleep":
            machine.sleep(seconds)
            elapsed_s += seconds
        elif what == "set":
            machine.utc_at += signed_s
        else:
            camera_off_s += signed_s
        dated = clock.date(frame(machine.utc_at + camera_off_s), clock.read())
        assert dated.captured_at > before_at
        assert abs(dated.captured_at - START_AT - elapsed_s) <= 5 + 0.002 * number
        before_at = dated.captured_at
