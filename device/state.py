"""State: how a recorder is, in plain values that become JSON, and the counting behind it.

This file does not know how anything is recorded.
"""

from collections import deque
from dataclasses import dataclass

from store.records import Session

RATE_S = 60.0
DAY_S = 86_400.0
TELLING_S = 60.0  # from so many recorded seconds on, it can be told how long the disk lasts


@dataclass(frozen=True, slots=True)
class State:
    """`state` is one of: recording, waiting for camera, camera unplugged, camera stalled, camera process died,
    lens covered, disk full, paused, private. Times are UTC seconds; `until` is when a pause ends by itself; None is
    "cannot be told"."""

    state: str
    since: float
    until: float | None
    source: str
    shape: str
    session: int | None
    last_keyframe_at: float | None
    keyframes: int
    fps_wanted: float
    fps_got: float
    drops: dict[str, int]
    lag_s: float
    gaps: int
    sound: dict[str, str]
    disk_free_bytes: int
    days_left: float | None
    warnings: tuple[str, ...]
    pid: int
    started_at: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far this recorder is. `session` is None before the first frame, `ended_because` until it has ended.

    `began_at` is later than the session where it is gone on with.
    """

    session: Session | None = None
    began_at: float = 0.0
    frames: int = 0
    kept: int = 0
    kept_bytes: int = 0
    gaps: int = 0
    last_at: float = 0.0
    last_kept_at: float = 0.0
    ended_because: str | None = None

    @property
    def duration_s(self) -> float:
        return self.last_at - self.began_at


class Rate:
    """Frames a second over the last minute, or since `started_at` where that is shorter."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._seen_at: deque[float] = deque()

    def count(self, at: float) -> None:
        self._seen_at.append(at)
        self._forget(at)

    def fps(self, at: float) -> float:
        self._forget(at)
        return len(self._seen_at) / max(1.0, min(RATE_S, at - self._started_at))

    def _forget(self, at: float) -> None:
        while self._seen_at and self._seen_at[0] < at - RATE_S:
            self._seen_at.popleft()


def days_left(room_bytes: int, kept_bytes: int, recorded_s: float) -> float | None:
    """Recorded days until `room_bytes` are used up, at the pace so far; None before that can be told."""
    if recorded_s < TELLING_S or not kept_bytes:
        return None
    return max(0, room_bytes) / (kept_bytes / recorded_s) / DAY_S
