"""The shell of a room: floor, ceiling, walls with their doors, skirting, pictures and a rug.

Corners are darkened in the vertex colours, as daylight leaves them. This file does not know what stands in the room.
"""

from random import Random

import numpy as np

from device.simulated.home import DOOR_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M, ROOM_WIDTH_M, WALLS, Room
from device.simulated.solids import Colour, Model, Solid, box, plate, sheet
from device.simulated.textures import Decor, Surface, decor, varied

DOOR_HEIGHT_M = 2.0

_HALF = ROOM_WIDTH_M / 2
_CEILING: Colour = (0.93, 0.93, 0.91)
_SHADES = 4
_RUGS: dict[str, Colour] = {
    "living room": (0.62, 0.16, 0.14),
    "bedroom": (0.55, 0.60, 0.78),
    "dining room": (0.20, 0.24, 0.42),
    "bathroom": (0.92, 0.80, 0.55),
}


def room_decor(room: Room) -> Decor:
    """What this room is covered with."""
    return decor(room.kind, room.pattern, int(room.tint * _SHADES))


def shape_room(room: Room) -> tuple[Model, dict[str, Surface]]:
    """The shell about the room's own centre, and the surfaces its materials floor, lower and upper stand for."""
    look = room_decor(room)
    model = Model()
    rim = _HALF - 0.35
    grid = (-_HALF, -rim, 0.0, rim, _HALF)
    model.add(sheet(grid, grid), (0.95, 0.95, 0.95), "floor")
    model.add(sheet(grid, grid).turned("x", 180).moved(z=ROOM_HEIGHT_M), _CEILING, glow=0.75)
    pictures = Random(f"pictures {room.pattern}")
    for wall, (_, _, heading) in WALLS.items():
        for material, solid, colour in _wall(look, wall in room.doors):
            model.add(solid.moved(y=-_HALF).turned("z", heading), colour, material)
        if pictures.random() < 0.7:
            _hang_picture(model, pictures, heading)
    if room.kind in _RUGS:
        _lay_rug(model, varied(_RUGS[room.kind], room.tint))
    return model, {"floor": look.floor, "lower": look.lower, "upper": look.upper}


def _wall(look: Decor, door: bool) -> list[tuple[str, Solid, Colour]]:
    """One wall along x whose inner face is at y = 0 and looks along +y."""
    half_door = DOOR_WIDTH_M / 2
    white = (1.0, 1.0, 1.0)
    pieces: list[tuple[str, Solid, Colour]] = []
    stretches = [(-_HALF, -half_door), (half_door, _HALF)] if door else [(-_HALF, _HALF)]
    for left, right in stretches:
        pieces.append(("lower", _panel(left, right, 0.0, look.dado_m), white))
        pieces.append(("upper", _panel(left, right, look.dado_m, ROOM_HEIGHT_M), white))
        # a little short, so that no end shows through the wall it meets
        middle, length = (left + right) / 2, right - left - 0.04
        pieces.append(("plain", box(length, 0.025, 0.10).moved(middle, 0.025, 0), look.trim))
        pieces.append(("plain", box(length, 0.03, 0.045).moved(middle, 0.027, look.dado_m - 0.02), look.trim))
    if door:
        pieces.append(("upper", _panel(-half_door, half_door, DOOR_HEIGHT_M, ROOM_HEIGHT_M), white))
        for side in (-1, 1):
            pieces.append(
                ("wood", box(0.09, 0.10, DOOR_HEIGHT_M).moved(side * (half_door + 0.02), 0, 0), (1.0, 0.96, 0.88))
            )
        pieces.append(("wood", box(DOOR_WIDTH_M + 0.13, 0.10, 0.09).moved(0, 0, DOOR_HEIGHT_M), (1.0, 0.96, 0.88)))
    return pieces


def _panel(left: float, right: float, low: float, high: float) -> Solid:
    """A piece of wall facing +y, with extra points near corners so that they can be darkened."""
    across = [left, *(x for x in (-_HALF + 0.4, 0.0, _HALF - 0.4) if left < x < right), right]
    up = [low, *(z for z in (0.3, ROOM_HEIGHT_M - 0.35) if low < z < high), high]
    return sheet([-x for x in reversed(across)], up).turned("x", 90).turned("z", 180)


def darken_corners(points: np.ndarray) -> np.ndarray:
    """How much light reaches points (n, 3) of a shell, about its centre -> (n,)."""
    half = np.array([ROOM_WIDTH_M, ROOM_DEPTH_M, ROOM_HEIGHT_M]) / 2
    to_faces = half - np.abs(points - (0, 0, half[2]))
    to_nearest_edge = np.sort(to_faces, axis=1)[:, 1]
    return 0.72 + 0.28 * np.clip(to_nearest_edge / 0.4, 0, 1)


def _hang_picture(model: Model, rng: Random, heading: float) -> None:
    """A framed picture high on the left end of the wall."""
    width, height = rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.6)
    x, z = rng.uniform(1.35, 1.6), 1.5
    frame = rng.choice(((0.20, 0.13, 0.08), (0.82, 0.68, 0.30), (0.92, 0.92, 0.90), (0.12, 0.12, 0.13)))
    solids: list[tuple[Solid, Colour]] = [(box(width, 0.03, height).moved(x, 0.025, z), frame)]
    sky, ground = varied((0.55, 0.70, 0.82), rng.random(), 0.2), varied((0.45, 0.50, 0.30), rng.random(), 0.3)
    split = rng.uniform(0.3, 0.6) * (height - 0.1)
    solids.append((box(width - 0.1, 0.03, split).moved(x, 0.037, z + 0.05), ground))
    solids.append((box(width - 0.1, 0.03, height - 0.1 - split).moved(x, 0.037, z + 0.05 + split), sky))
    hill = plate([(-0.16, 0), (0.16, 0), (rng.uniform(-0.1, 0.1), rng.uniform(0.08, 0.2))], 0.004)
    solids.append(
        (
            hill.turned("x", 90).turned("z", 180).moved(x, 0.058, z + 0.05 + split),
            varied(ground, rng.random(), 0.2, 0.4),
        )
    )
    for solid, colour in solids:
        model.add(solid.moved(y=-_HALF).turned("z", heading), colour)


def _lay_rug(model: Model, colour: Colour) -> None:
    """A rug with a light band; its parts lie side by side, as the renderer cannot tell stacked thin ones apart."""
    light, thickness = (0.90, 0.86, 0.74), 0.02
    model.add(box(1.8, 1.1, thickness), colour, "cloth")
    for width, depth, ink in ((2.0, 1.3, light), (2.2, 1.5, colour)):
        for side in (-1, 1):
            model.add(box(width, 0.1, thickness).moved(0, side * (depth / 2 - 0.05), 0), ink, "cloth")
            model.add(box(0.1, depth - 0.2, thickness).moved(side * (width / 2 - 0.05), 0, 0), ink, "cloth")
