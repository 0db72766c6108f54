"""A seeded home: rooms on a grid, furniture along their walls, small things on the furniture.

`make_home(seed)` always returns the same home for the same seed. Rooms are rectangles of one size so that doors
meet; what differs is which rooms there are, how they touch, what stands in them and the look (`tint`, `pattern`)
that the renderer turns into textures. Kinds never repeat within a room and room kinds never repeat within a home,
so "the kitchen table" names one place.

This file does not know how anything is drawn, nor what the wearer will do. Metres, degrees, z up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians, sin
from random import Random

ROOM_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M, DOOR_WIDTH_M = 5.0, 5.0, 2.5, 1.0

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.07, 0.08),
    "orange": (0.95, 0.45, 0.05),
    "yellow": (0.93, 0.84, 0.10),
    "green": (0.10, 0.55, 0.16),
    "blue": (0.10, 0.25, 0.80),
    "purple": (0.48, 0.14, 0.62),
    "white": (0.95, 0.95, 0.93),
    "black": (0.06, 0.06, 0.07),
}

THING_KINDS = (
    "wallet", "keys", "phone", "glasses", "mug", "book", "remote", "bottle", "watch", "headphones", "umbrella",
    "passport", "pill box", "charger", "scissors", "cap", "torch", "hairbrush", "ball", "candle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FurnitureKind:
    """Width runs along the wall, depth into the room; things lie at `surface_m`, None where nothing can lie."""

    width_m: float
    depth_m: float
    height_m: float
    surface_m: float | None
    fixture: str | None = None


FURNITURE_KINDS: dict[str, FurnitureKind] = {
    "table": FurnitureKind(1.40, 0.85, 0.75, 0.75),
    "coffee table": FurnitureKind(1.10, 0.65, 0.45, 0.45),
    "counter": FurnitureKind(1.70, 0.62, 0.90, 0.90),
    "sink": FurnitureKind(1.10, 0.60, 0.88, 0.88, "tap"),
    "sofa": FurnitureKind(1.75, 0.88, 0.85, 0.44),
    "armchair": FurnitureKind(0.95, 0.85, 0.85, 0.44),
    "bed": FurnitureKind(1.50, 1.90, 0.95, 0.55),
    "desk": FurnitureKind(1.35, 0.68, 0.74, 0.74),
    "shelf": FurnitureKind(1.00, 0.35, 1.15, 1.15),
    "sideboard": FurnitureKind(1.55, 0.45, 0.78, 0.78),
    "dresser": FurnitureKind(1.10, 0.50, 0.88, 0.88, "drawer"),
    "cabinet": FurnitureKind(0.85, 0.45, 1.02, 1.02),
    "bench": FurnitureKind(1.30, 0.42, 0.46, 0.46),
    "nightstand": FurnitureKind(0.52, 0.45, 0.56, 0.56),
    "chair": FurnitureKind(0.50, 0.52, 0.95, 0.47),
    "stool": FurnitureKind(0.42, 0.42, 0.62, 0.62),
    "washing machine": FurnitureKind(0.65, 0.62, 0.88, 0.88),
    "windowsill": FurnitureKind(1.30, 0.30, 1.00, 0.95),
    "stove": FurnitureKind(0.68, 0.62, 0.90, None, "stove"),
    "fridge": FurnitureKind(0.72, 0.68, 1.75, None, "fridge"),
    "lamp": FurnitureKind(0.40, 0.40, 1.55, None, "lamp"),
}

# fixture: how a person says it is set and unset
FIXTURES: dict[str, tuple[str, str]] = {
    "fridge": ("open", "close"),
    "drawer": ("open", "close"),
    "tap": ("turn on", "turn off"),
    "stove": ("turn on", "turn off"),
    "lamp": ("turn on", "turn off"),
}

# room: large pieces, then small pieces
ROOM_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kitchen": (("counter", "sink", "table", "cabinet", "sideboard"), ("fridge", "stove", "chair", "stool")),
    "bedroom": (("bed", "dresser", "desk", "bench", "shelf"), ("nightstand", "chair", "lamp", "stool")),
    "living room": (("sofa", "coffee table", "shelf", "sideboard", "armchair"), ("lamp", "stool", "chair")),
    "bathroom": (("sink", "cabinet", "shelf", "bench", "dresser"), ("washing machine", "stool", "chair")),
    "office": (("desk", "shelf", "cabinet", "armchair", "table"), ("chair", "lamp", "stool")),
    "hallway": (("bench", "shelf", "cabinet", "dresser", "sideboard"), ("stool", "chair", "lamp")),
    "dining room": (("table", "sideboard", "bench", "cabinet", "coffee table"), ("chair", "stool", "lamp")),
}


@dataclass(frozen=True, slots=True)
class Furniture:
    """A piece standing at `position` (centre of its footprint); its front looks along `heading_deg`."""

    kind: str
    room: int
    position: tuple[float, float]
    heading_deg: float
    tint: float
    fixture: str | None

    @property
    def shape(self) -> FurnitureKind:
        return FURNITURE_KINDS[self.kind]

    def point(self, along_m: float, forward_m: float, up_m: float) -> tuple[float, float, float]:
        """Own axes (along the wall, out of its front, up), from the footprint's centre -> world."""
        a = radians(self.heading_deg)
        x, y = self.position
        return (x + along_m * cos(a) - forward_m * sin(a), y + along_m * sin(a) + forward_m * cos(a), up_m)

    def spots(self) -> Iterator[tuple[float, float, float]]:
        """The places on top where a thing can lie, left to right, near the front edge."""
        shape = self.shape
        if shape.surface_m is None:
            return
        count = max(1, min(4, int(shape.width_m / 0.38)))
        forward = shape.depth_m / 2 - min(0.24, shape.depth_m / 2)
        for i in range(count):
            along = (i + 0.5) / count * shape.width_m - shape.width_m / 2
            yield self.point(along * 0.9, forward, shape.surface_m)


@dataclass(frozen=True, slots=True)
class Thing:
    """A small thing that gets lost. Kinds do not repeat within a home; colour is independent of kind."""

    kind: str
    colour: str

    @property
    def name(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True)
class Room:
    """`cell` is its place on the grid; `tint` in [0, 1) and `pattern` vary the look within the kind's own family."""

    kind: str
    cell: tuple[int, int]
    tint: float
    pattern: int
    dimness: float
    doors: tuple[str, ...]

    @property
    def centre(self) -> tuple[float, float]:
        return (self.cell[0] * ROOM_WIDTH_M, self.cell[1] * ROOM_DEPTH_M)

    def door(self, wall: str) -> tuple[float, float]:
        """Where the door in this wall is, on the floor."""
        dx, dy, _ = WALLS[wall]
        return (self.centre[0] + dx * ROOM_WIDTH_M / 2, self.centre[1] + dy * ROOM_DEPTH_M / 2)


# wall: outward direction, and the heading that looks from it into the room
WALLS: dict[str, tuple[int, int, float]] = {
    "north": (0, 1, 180.0),
    "east": (1, 0, 90.0),
    "south": (0, -1, 0.0),
    "west": (-1, 0, 270.0),
}


@dataclass(frozen=True, slots=True)
class Home:
    """Rooms, furniture, things, and `lies`: for each thing the (furniture, spot) where the day finds it."""

    seed: int
    rooms: tuple[Room, ...]
    furniture: tuple[Furniture, ...]
    things: tuple[Thing, ...]
    lies: tuple[tuple[int, int], ...]

    def place_name(self, furniture: int) -> str:
        """How a person names a surface: "kitchen table"."""
        piece = self.furniture[furniture]
        return f"{self.rooms[piece.room].kind} {piece.kind}"


def make_home(seed: int) -> Home:
    """The home of this seed: 4 to 7 rooms, 28 to 56 pieces of furniture, 10 to 14 things."""
    rng = Random(f"home {seed}")
    rooms = _make_rooms(rng)
    furniture: list[Furniture] = []
    for room in range(len(rooms)):
        furniture += _furnish(rng, rooms, room, {piece.fixture for piece in furniture})
    kinds = rng.sample(THING_KINDS, rng.randint(10, 14))
    things = tuple(Thing(kind, rng.choice(tuple(COLOURS))) for kind in kinds)
    free = [(i, spot) for i, piece in enumerate(furniture) for spot, _ in enumerate(piece.spots())]
    return Home(seed, rooms, tuple(furniture), things, tuple(rng.sample(free, len(things))))


def _make_rooms(rng: Random) -> tuple[Room, ...]:
    """Cells that touch, grown one by one from the first, with a door wherever two touch."""
    kinds = rng.sample(tuple(ROOM_KINDS), rng.randint(4, 7))
    cells = [(0, 0)]
    while len(cells) < len(kinds):
        x, y = rng.choice(cells)
        dx, dy, _ = WALLS[rng.choice(tuple(WALLS))]
        if (x + dx, y + dy) not in cells:
            cells.append((x + dx, y + dy))
    return tuple(
        Room(
            kind=kind,
            cell=(x, y),
            tint=rng.random(),
            pattern=rng.randrange(1 << 16),
            dimness=rng.choice((0.0, 0.0, 0.0, 0.25, 0.45)),
            doors=tuple(wall for wall, (dx, dy, _) in WALLS.items() if (x + dx, y + dy) in cells),
        )
        for kind, (x, y) in zip(kinds, cells, strict=True)
    )


def _furnish(rng: Random, rooms: tuple[Room, ...], index: int, taken: set[str | None]) -> list[Furniture]:
    """Large pieces at the left end of each wall, small ones right of the door, a sill on one outer wall.

    The left ends go round like a pinwheel, so no two pieces meet in a corner. Only the first fixture of a kind in
    the home works, so "the lamp" is one lamp.
    """
    room = rooms[index]
    large, small = ROOM_KINDS[room.kind]
    walls = list(WALLS)
    rng.shuffle(walls)
    slots = [(wall, kind, -1) for wall, kind in zip(walls, rng.sample(large, 4), strict=True)]
    deep = {wall for wall, kind, _ in slots if kind == "bed"}
    free = [wall for wall in walls if _right_of(wall) not in deep]
    slots += [(wall, kind, 1) for wall, kind in zip(free, rng.sample(small, rng.randint(2, 3)), strict=False)]
    outer = [wall for wall in free if wall not in room.doors]
    if outer:
        slots.append((rng.choice(outer), "windowsill", 0))
    placed = []
    for wall, kind, end in slots:
        shape = FURNITURE_KINDS[kind]
        dx, dy, heading = WALLS[wall]
        half = ROOM_WIDTH_M / 2
        along = {-1: -(half - 0.08 - shape.width_m / 2), 0: 0.0, 1: 0.75 + shape.width_m / 2}[end]
        inward = half - shape.depth_m / 2 - 0.03
        # seen from inside the room facing the wall, "left" is clockwise from the outward direction turned by +90
        x = room.centre[0] + dx * inward - dy * along * -1
        y = room.centre[1] + dy * inward + dx * along * -1
        fixture = shape.fixture if shape.fixture not in taken else None
        taken.add(fixture)
        placed.append(Furniture(kind, index, (x, y), heading, rng.random(), fixture))
    return placed


def _right_of(wall: str) -> str:
    """The wall to the right of someone who faces this one."""
    order = list(WALLS)
    return order[(order.index(wall) + 1) % 4]
