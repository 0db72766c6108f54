"""The rows of a memory as frozen dataclasses: what the rooms hand to each other.

Times are UTC seconds since 1970 (`captured_at`, `started_at`, `ended_at`); the zone offset that the wearer's clock
showed lies beside them in seconds. A keyframe's id is its capture time in microseconds (raised by one where taken),
so ids follow time and a span of time is a range of ids.

This file does not know SQL, files or models.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of time, [started_at, ended_at), UTC seconds."""

    started_at: float
    ended_at: float

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class Session:
    """One source worn continuously. `ended_at` is None while it is being recorded."""

    id: int
    source: str
    started_at: float
    zone_offset_s: int
    wanted_fps: float
    heartbeat_at: float
    ended_at: float | None
    ended_because: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a session in which nothing was seen, and why."""

    id: int
    session_id: int
    started_at: float
    ended_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A picture worth remembering; its JPEG lies in a pack at `offset_bytes`.

    `reduced`: it showed little, so only a small picture of it was kept.
    """

    id: int
    session_id: int
    captured_at: float
    zone_offset_s: int
    width_px: int
    height_px: int
    novelty: float
    pack: int
    offset_bytes: int
    length_bytes: int
    checksum: int
    reduced: bool = False

    @property
    def local_time(self) -> datetime:
        """The time the wearer's clock showed."""
        return local_time(self.captured_at, self.zone_offset_s)


@dataclass(frozen=True, slots=True)
class Reduction:
    """The small JPEG that takes the place of a keyframe's picture."""

    keyframe_id: int
    jpeg: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What an answer cites and a person browses: a span of time with its best keyframe."""

    started_at: float
    ended_at: float
    keyframe: Keyframe
    keyframes: int
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """About ten seconds of what the wearer heard, one Ogg-Opus file; it lies in a pack of sounds at `offset_bytes`.

    `heard`: its speech has been written down.
    """

    id: int
    session_id: int
    started_at: float
    ended_at: float
    zone_offset_s: int
    pack: int
    offset_bytes: int
    length_bytes: int
    checksum: int
    heard: bool

    @property
    def local_time(self) -> datetime:
        """The time the wearer's clock showed at its beginning."""
        return local_time(self.started_at, self.zone_offset_s)


@dataclass(frozen=True, slots=True)
class Heard:
    """Words heard or read between two times, or written to them; `engine` is what wrote them down.

    `source` is "speech", "scene-text" or "note", which is what the wearer wrote.
    """

    session_id: int
    started_at: float
    ended_at: float
    text: str
    source: str
    engine: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript(Heard):
    """Words that are in the memory."""

    id: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Recording is "paused" or "private" until somebody resumes it or `until` has come."""

    reason: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and what was answered, kept so that a conversation can go on."""

    id: int
    asked_at: float
    question: str
    answer: str
    seen: bool
    confidence: float
    checkpoint: str
    keyframe_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a span was really seen: worn time less gaps, and the gaps themselves."""

    span: Span
    worn_s: float
    recorded_s: float
    keyframes: int
    indexed: int
    gaps: tuple[Gap, ...]


def local_time(at: float, zone_offset_s: int) -> datetime:
    """UTC seconds and a zone offset -> the aware datetime a person on the spot would have read."""
    return datetime.fromtimestamp(at, UTC).astimezone(timezone(timedelta(seconds=zone_offset_s)))
