"""SessionClock: what time it is while one session is recorded, whatever becomes of the machine's clock.

UTC is read once, when the clock is made, and carried on by the time since boot, which goes on in suspend and which
nobody sets. So a clock that is set while recording, by hand or by the network, moves no picture. The zone is read
every time: a wearer who travels, or a night in which the clocks change, shows in the offset and not in the time.

This file does not know cameras, nor what is done with the times.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from device.frame import SAMPLE_RATE_HZ, AudioBlock, Frame

DISAGREE_S = 5.0  # a camera whose time is further off is not believed
STEP_S = 0.001

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """`at` is UTC seconds since 1970; `suspended_s` is how long the machine slept since the reading before."""

    at: float
    zone_offset_s: int
    suspended_s: float


def since_boot_s() -> float:
    """Seconds since boot, those in suspend among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def local_zone_offset_s(at: float) -> int:
    """What this machine's zone adds to UTC at that moment; a zone changed since is taken up."""
    time.tzset()
    return time.localtime(at).tm_gmtoff


class SessionClock:
    """Not for two threads, but for `now`."""

    def __init__(
        self,
        utc: Clock = time.time,
        boot: Clock = since_boot_s,
        awake: Clock = time.monotonic,
        zone: Callable[[float], int] = local_zone_offset_s,
    ) -> None:
        """`boot` goes on while the machine sleeps, `awake` does not; neither ever goes back."""
        self._boot, self._awake, self._zone = boot, awake, zone
        self._boot_at = utc() - boot()
        self._asleep_s = boot() - awake()
        self._dated_at = float("-inf")

    def now(self) -> float:
        """UTC seconds since 1970."""
        return self._boot_at + self._boot()

    def read(self) -> Reading:
        """The time, and what happened since the reading before."""
        at, before_s = self.now(), self._asleep_s
        self._asleep_s = self._boot() - self._awake()
        return Reading(at, self._zone(at), max(0.0, self._asleep_s - before_s))

    def date(self, frame: Frame, reading: Reading, later_than: float = float("-inf")) -> Frame:
        """The frame at its camera's time if that is believable, but after the frame before and `later_than`."""
        at = frame.captured_at if abs(frame.captured_at - reading.at) <= DISAGREE_S else reading.at
        self._dated_at = max(at, self._dated_at + STEP_S, later_than + STEP_S)
        return replace(frame, captured_at=self._dated_at, zone_offset_s=reading.zone_offset_s)

    def date_sound(self, block: AudioBlock, reading: Reading) -> AudioBlock:
        """The block at its source's time if that is believable, else as if it had just ended."""
        ended_at = block.captured_at + len(block.samples) / SAMPLE_RATE_HZ
        if abs(ended_at - reading.at) <= DISAGREE_S:
            return block
        return replace(block, captured_at=reading.at - len(block.samples) / SAMPLE_RATE_HZ)
