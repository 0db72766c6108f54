"""The script of a simulated day: which acts in which order, and the key poses, hand positions and changes they make.

`write_script(home, duration_s, rng)` plans the whole day once: fetch a thing and put it somewhere else, open and close,
turn on and off, look about, and the walks between. It does not know what any instant in between looks like (wearer.py)
nor how it is drawn. Seconds from the start of the day, metres, degrees.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import atan2, degrees, hypot
from random import Random

from device.simulated.home import DOOR_WIDTH_M, FIXTURES, WALLS, Home
from device.simulated.view import Placed

EYE_HEIGHT_M = 1.62
WALK_M_S = 1.35
STAND_OFF_M = 0.58
TURN_S = 0.45
LOOK_UP_DEG = 10.0  # the gaze rests a little above the hand, so that the room stays in the picture

# how a day is spent: shares of acts on fixtures, on what was handled before, into and out of the pocket
SWITCHES, AGAIN, INTO_POCKET, OUT_OF_POCKET = 0.28, 0.35, 0.15, 0.35

# hand positions in the head's axes (right, forward, up) of a right hand
REST, RAISED, CARRIED = (0.30, 0.25, -0.60), (0.13, 0.48, -0.12), (0.20, 0.45, -0.24)

# where a fixture is taken hold of, in the furniture's own axes (along the wall, out of its front, up)
HANDLES = {
    "fridge": (0.25, 0.40, 1.15),
    "drawer": (0.0, 0.32, 0.70),
    "tap": (0.12, 0.02, 1.05),
    "stove": (0.15, 0.33, 0.88),
    "lamp": (0.0, 0.12, 1.25),
}

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Act:
    """Something the wearer did while the hand was at it, as an annotator marks it, to a `thing` or to a fixture."""

    start_s: float
    end_s: float
    verb: str
    furniture: int
    thing: int | None = None
    hand: str = "right"


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and looks at a second; the way to the next pose is straight."""

    at_s: float
    x: float
    y: float
    heading_deg: float
    pitch_deg: float


@dataclass(frozen=True, slots=True)
class HandKey:
    """At `at_s` the hand is at `offset` from the eye, or at the point `world` where that is given."""

    at_s: float
    side: str
    offset: Point
    world: Point | None
    holds: int | None


@dataclass
class Script:
    """A planned day, every list in time order. `lies` and `switched` are the changes of the world."""

    acts: list[Act] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)
    hands: list[HandKey] = field(default_factory=list)
    lies: list[tuple[float, int, Placed | None]] = field(default_factory=list)
    switched: list[tuple[float, int, bool]] = field(default_factory=list)


def write_script(home: Home, duration_s: float, rng: Random) -> Script:
    """Plan a day of at least `duration_s`."""
    return _Writer(home, rng).write(duration_s)


class _Writer:
    """The script so far, and the state of the world and of the wearer at its end."""

    def __init__(self, home: Home, rng: Random) -> None:
        self.home, self._rng, self.script = home, rng, Script()
        carried = rng.sample(range(len(home.things)), rng.randint(0, 2))
        self._lying = {thing: spot for thing, spot in enumerate(home.lies) if thing not in carried}
        self._pocket = carried
        self._handled: list[int] = []
        self._on: set[int] = set()
        self._at = 0
        self._now_s = 0.0

    def write(self, duration_s: float) -> Script:
        """Fill the day: fetch and put things, pocket them, set and unset fixtures, look about."""
        rng, home = self._rng, self.home
        for thing, (furniture, spot) in self._lying.items():
            self.script.lies.append((-1.0, thing, self._placed(thing, furniture, spot)))
        fixtures = [i for i, piece in enumerate(home.furniture) if piece.fixture]
        self._at = rng.randrange(len(home.furniture))
        x, y = self._stand(self._at, None)
        self.script.poses.append(Pose(0.0, x, y, rng.uniform(0, 360), -12.0))
        while self._now_s < duration_s:
            if fixtures and rng.random() < SWITCHES:
                self._switch(rng.choice(sorted(self._on) if self._on and rng.random() < AGAIN else fixtures))
            elif self._pocket and rng.random() < OUT_OF_POCKET:
                self._put(self._pocket.pop(rng.randrange(len(self._pocket))), rng.choice(("left", "right")))
            else:
                self._fetch(self._wanted())
            if rng.random() < 0.6:
                self._look_about()
        return self.script

    def _wanted(self) -> int:
        """What is fetched next: often something that was handled before, as people do."""
        again = [thing for thing in self._handled if thing in self._lying]
        if again and self._rng.random() < AGAIN:
            return self._rng.choice(again)
        return self._nearby(tuple(self._lying), lambda thing: self._lying[thing][0])

    def _fetch(self, thing: int) -> None:
        """Pick a thing up, and put it somewhere else or into the pocket."""
        side = self._rng.choice(("left", "right"))
        furniture, spot = self._lying[thing]
        self._walk(furniture, spot)
        self._reach(furniture, spot, thing, side, takes=True)
        self._handled.append(thing)
        if self._rng.random() < INTO_POCKET and len(self._lying) > 1:
            del self._lying[thing]
            self._pocket.append(thing)
        else:
            self._put(thing, side)

    def _put(self, thing: int, side: str) -> None:
        """Carry what is in the hand, in view or not, to another piece of furniture and put it there."""
        rng = self._rng
        taken = set(self._lying.values())
        was = self._lying.get(thing, (None, None))[0]
        free = [
            (i, s)
            for i, piece in enumerate(self.home.furniture)
            for s, _ in enumerate(piece.spots())
            if (i, s) not in taken and i != was
        ]
        target = self._nearby(tuple(sorted({i for i, _ in free})), lambda piece: piece)
        spot = rng.choice([s for i, s in free if i == target])
        shown = rng.random() < 0.3
        left_s = self._now_s
        self._walk(target, spot)
        if shown:
            self._key(left_s + 0.1, side, CARRIED, None, thing)
            self._key(self._now_s - 0.1, side, CARRIED, None, thing)
        self._lying[thing] = (target, spot)
        self._reach(target, spot, thing, side, takes=False)
        self._handled.append(thing)

    def _reach(self, furniture: int, spot: int, thing: int, side: str, *, takes: bool) -> None:
        """The hand goes out and comes back; the thing changes between hand and surface half-way."""
        start, point = self._now_s, self._spot(furniture, spot)
        before, after = (None, thing) if takes else (thing, None)
        up, out, back, away = (start + t * self._rng.uniform(0.9, 1.2) for t in (0.5, 1.5, 2.6, 3.5))
        self._key(start, side, REST, None, before)
        self._key(up, side, RAISED, None, before)
        if not takes:
            self._key(up + 0.6, side, RAISED, None, before)
            out, back, away = out + 0.6, back + 0.6, away + 0.4
        self._key(out, side, REST, (point[0], point[1], point[2] + 0.04), before)
        self._key(out + 0.01, side, REST, (point[0], point[1], point[2] + 0.04), after)
        self._key(back, side, RAISED, None, after)
        if takes:
            self._key(back + 0.8, side, RAISED, None, after)
            away += 0.8
        self._key(away, side, REST, None, after)
        self.script.lies.append((out, thing, None if takes else self._placed(thing, furniture, spot)))
        if takes:  # in the hand until it is put down; hidden unless a hand key shows it
            self.script.acts.append(Act(out - 0.4, back + 1.1, "pick up", furniture, thing, side))
        else:
            self.script.acts.append(Act(up - 0.1, out + 0.7, "put", furniture, thing, side))
        self._hold_still(away + 0.2)

    def _switch(self, furniture: int) -> None:
        """Open, close, turn on or turn off what stands there."""
        piece = self.home.furniture[furniture]
        fixture = piece.fixture or ""
        side = self._rng.choice(("left", "right"))
        self._walk(furniture, None)
        start, on = self._now_s, furniture not in self._on
        point = piece.point(*HANDLES[fixture])
        self._key(start, side, REST, None, None)
        self._key(start + 0.9, side, REST, point, None)
        self._key(start + 1.6, side, REST, point, None)
        self._key(start + 2.5, side, REST, None, None)
        self.script.switched.append((start + 1.2, furniture, on))
        self._on ^= {furniture}
        set_verb, unset_verb = FIXTURES[fixture]
        self.script.acts.append(Act(start + 0.4, start + 2.3, set_verb if on else unset_verb, furniture, None, side))
        self._hold_still(start + 3.4)

    def _nearby(self, choices: tuple[int, ...], furniture_of: Callable[[int], int]) -> int:
        """One of the choices: half of the time one in this room, as people do."""
        room = self.home.furniture[self._at].room
        near = [choice for choice in choices if self.home.furniture[furniture_of(choice)].room == room]
        return self._rng.choice(near if near and self._rng.random() < 0.5 else choices)

    def _walk(self, furniture: int, spot: int | None) -> None:
        """From where the wearer stands to the piece, through the doors between, to face the spot."""
        rng, home = self._rng, self.home
        route: list[tuple[float, float]] = []
        if furniture != self._at:
            rooms = self._rooms_between(home.furniture[self._at].room, home.furniture[furniture].room)
            route.append(self._middle(rooms[0]))
            for room, beyond in zip(rooms, rooms[1:], strict=False):
                route += [self._doorway(room, beyond), self._doorway(beyond, room)]
                route.append(self._middle(beyond))
        target = self._stand(furniture, spot)
        for x, y in [*route, target]:
            self._step_to(x, y)
        point = self._spot(furniture, spot)
        here = self.script.poses[-1]
        turn = degrees(atan2(-(point[0] - here.x), point[1] - here.y))
        drop = degrees(atan2(point[2] - EYE_HEIGHT_M, hypot(point[0] - here.x, point[1] - here.y)))
        self._turn_to(turn + rng.uniform(-6, 6), drop + LOOK_UP_DEG + rng.uniform(-4, 4))
        self._at = furniture

    def _step_to(self, x: float, y: float) -> None:
        here = self.script.poses[-1]
        distance = hypot(x - here.x, y - here.y)
        if distance < 0.05:
            return
        self._turn_to(degrees(atan2(-(x - here.x), y - here.y)), self._rng.uniform(-22, -8))
        here = self.script.poses[-1]
        self._now_s += distance / WALK_M_S
        self.script.poses.append(Pose(self._now_s, x, y, here.heading_deg, here.pitch_deg))

    def _turn_to(self, heading_deg: float, pitch_deg: float) -> None:
        """Turn the shorter way round; a large turn takes longer."""
        here = self.script.poses[-1]
        by = (heading_deg - here.heading_deg + 180) % 360 - 180
        self._now_s += TURN_S * (0.5 + abs(by) / 120)
        self.script.poses.append(Pose(self._now_s, here.x, here.y, here.heading_deg + by, pitch_deg))

    def _hold_still(self, until_s: float) -> None:
        here = self.script.poses[-1]
        self._now_s = max(until_s, self._now_s)
        self.script.poses.append(Pose(self._now_s, here.x, here.y, here.heading_deg, here.pitch_deg))

    def _look_about(self) -> None:
        here = self.script.poses[-1]
        for _ in range(self._rng.randint(1, 2)):
            self._turn_to(here.heading_deg + self._rng.uniform(-80, 80), self._rng.uniform(-30, 0))
            self._hold_still(self._now_s + self._rng.uniform(0.4, 1.2))

    def _rooms_between(self, start: int, end: int) -> list[int]:
        """The shortest way by doors, both ends included."""
        cells = {room.cell: i for i, room in enumerate(self.home.rooms)}
        ways = [[start]]
        for way in ways:
            if way[-1] == end:
                return way
            room = self.home.rooms[way[-1]]
            for wall in room.doors:
                beyond = cells[(room.cell[0] + WALLS[wall][0], room.cell[1] + WALLS[wall][1])]
                if beyond not in way:
                    ways.append([*way, beyond])
        raise AssertionError("every room has a door: the cells were grown one from another")

    def _doorway(self, here: int, there: int) -> tuple[float, float]:
        """A point just inside `here` at the door to `there`."""
        a, b = self.home.rooms[here], self.home.rooms[there]
        wall = next(w for w in a.doors if (a.cell[0] + WALLS[w][0], a.cell[1] + WALLS[w][1]) == b.cell)
        x, y = a.door(wall)
        aside = self._rng.uniform(-0.15, 0.15) * DOOR_WIDTH_M
        dx, dy, _ = WALLS[wall]
        return (x - 0.3 * dx + aside * dy, y - 0.3 * dy + aside * dx)

    def _middle(self, room: int) -> tuple[float, float]:
        x, y = self.home.rooms[room].centre
        return (x + self._rng.uniform(-0.4, 0.4), y + self._rng.uniform(-0.4, 0.4))

    def _stand(self, furniture: int, spot: int | None) -> tuple[float, float]:
        """Where to stand to use this spot of a piece: in front of it, a step off, a little aside."""
        piece = self.home.furniture[furniture]
        aside = self._rng.uniform(-0.15, 0.15)
        off = piece.shape.depth_m / 2 + STAND_OFF_M + self._rng.uniform(-0.06, 0.12)
        if spot is not None:
            x, y, _ = self._spot(furniture, spot)
            dx, dy, _ = piece.point(aside, off - (piece.shape.depth_m / 2 - 0.24), 0)
            return (x + dx - piece.position[0], y + dy - piece.position[1])
        x, y, _ = piece.point(aside, off, 0)
        return (x, y)

    def _spot(self, furniture: int, spot: int | None) -> Point:
        piece = self.home.furniture[furniture]
        if spot is None:
            return piece.point(0, piece.shape.depth_m / 2, min(1.15, piece.shape.height_m))
        return list(piece.spots())[spot]

    def _placed(self, thing: int, furniture: int, spot: int) -> Placed:
        x, y, z = self._spot(furniture, spot)
        return Placed(
            thing,
            (x + self._rng.uniform(-0.03, 0.03), y + self._rng.uniform(-0.03, 0.03), z),
            self._rng.uniform(0, 360),
        )

    def _key(self, at_s: float, side: str, offset: Point, world: Point | None, holds: int | None) -> None:
        mirrored = offset if side == "right" else (-offset[0], offset[1], offset[2])
        self.script.hands.append(HandKey(at_s, side, mirrored, world, holds))
