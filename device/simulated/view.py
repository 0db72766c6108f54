"""View: everything the renderer is told about one instant of a simulated day.

The wearer makes views, the renderer turns them into pictures; this file knows neither. Lengths are metres, angles
degrees. World axes: x east, y north, z up, floor at z = 0. Heading 0 looks along +y and grows counter-clockwise
(panda3d's convention), pitch is positive upwards.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing lying somewhere: `position` is where its base touches the surface."""

    thing: int
    position: tuple[float, float, float]
    turn_deg: float


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand in view. `offset` is from the eye in the head's own axes (right, forward, up)."""

    side: str
    offset: tuple[float, float, float]
    holds: int | None


@dataclass(frozen=True, slots=True)
class View:
    """One instant: where the head is, what the hands do, where things lie, what is open or on."""

    at_s: float
    eye: tuple[float, float, float]
    heading_deg: float
    pitch_deg: float
    roll_deg: float
    turning_deg_s: tuple[float, float]
    room: int
    placed: tuple[Placed, ...]
    hands: tuple[Hand, ...] = ()
    active: frozenset[int] = field(default_factory=frozenset)
