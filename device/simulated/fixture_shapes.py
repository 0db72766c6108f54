"""The shapes of furniture that can be set: fridge, stove, sink, dresser and lamp, each at rest and active.

Front along +y, standing on z = 0. This file does not know when a fixture is active.
"""

from collections.abc import Callable
from functools import cache
from math import cos, pi, sin

from device.simulated.furniture_shapes import STILL_FURNITURE
from device.simulated.home import FURNITURE_KINDS, FurnitureKind
from device.simulated.solids import Colour, Model, ball, box, cylinder, lathe, ring, tube
from device.simulated.textures import varied

_STEEL: Colour = (0.72, 0.74, 0.77)
_WHITE: Colour = (0.95, 0.95, 0.93)
_INK: Colour = (0.10, 0.10, 0.12)
_TINTS = 6


def tint_step(tint: float) -> int:
    """Tints are drawn in a few steps, so that pieces can be shared between homes."""
    return int(tint * _TINTS)


@cache
def shape_furniture(kind: str, step: int, active: bool) -> Model:
    """The model of a piece in this step of tint; `active` says whether its fixture is open or on."""
    model, shape, tint = Model(), FURNITURE_KINDS[kind], (step + 0.5) / _TINTS
    if kind in STILL_FURNITURE:
        STILL_FURNITURE[kind](model, shape, tint)
    else:
        _FIXTURES[kind](model, shape, tint, active)
    return model


def _sink(m: Model, shape: FurnitureKind, tint: float, active: bool) -> None:
    m.add(box(shape.width_m - 0.04, shape.depth_m - 0.05, 0.83), varied((0.55, 0.62, 0.70), tint), "wood")
    m.add(box(shape.width_m, shape.depth_m, 0.05).moved(z=0.83), (0.97, 0.97, 0.95), "marble")
    for side in (-1, 1):
        m.add(
            box(0.49, 0.02, 0.68).moved(side * 0.26, shape.depth_m / 2 - 0.02, 0.08), varied((0.64, 0.71, 0.78), tint)
        )
        m.add(box(0.02, 0.03, 0.14).moved(side * 0.06, shape.depth_m / 2 - 0.01, 0.50), _STEEL)
    bowl = lathe([(0.14, 0), (0.30, 0.075), (0.285, 0.085), (0.255, 0.075), (0.16, 0.022), (0, 0.02)], 22)
    m.add(bowl.sized(1, 0.46, 1).moved(0, -0.145, 0.88), _WHITE)
    m.add(
        cylinder(0.17, 0.004, 16).sized(1, 0.46, 1).moved(0, -0.145, 0.902),
        (0.45, 0.72, 0.85) if active else (0.62, 0.66, 0.70),
    )
    m.add(cylinder(0.03, 0.004, 10).moved(0, -0.145, 0.906), _INK)
    neck = [
        (0, -0.27, 0.88),
        (0, -0.27, 1.12),
        (0, -0.25, 1.17),
        (0, -0.20, 1.19),
        (0, -0.155, 1.17),
        (0, -0.145, 1.12),
    ]
    m.add(tube(neck, 0.020, 8), _STEEL)
    for side, cap in ((-1, (0.80, 0.25, 0.22)), (1, (0.25, 0.40, 0.80))):
        m.add(cylinder(0.025, 0.07, 10).moved(side * 0.11, -0.27, 0.88), _STEEL)
        m.add(ball(0.028, 8).moved(side * 0.11, -0.27, 0.96), cap)
    if active:
        m.add(cylinder(0.016, 0.24, 8, top=0.012).moved(0, -0.145, 0.90), (0.62, 0.86, 1.0), glow=0.8)
        m.add(ring(0.06, 0.012, 14).sized(1, 0.6, 0.5).moved(0, -0.145, 0.908), (0.85, 0.95, 1.0), glow=0.8)


def _stove(m: Model, shape: FurnitureKind, tint: float, active: bool) -> None:
    width, depth, front = shape.width_m, shape.depth_m, shape.depth_m / 2
    m.add(box(width, depth, 0.86), varied((0.88, 0.88, 0.87), tint, 0.0, 0.08))
    m.add(box(width, depth, 0.04).moved(z=0.86), (0.30, 0.31, 0.34), "brushed")
    m.add(box(width - 0.03, depth - 0.03, 0.006).moved(z=0.897), (0.15, 0.15, 0.17))
    for x in (-0.16, 0.16):
        for y, size in ((-0.14, 0.085), (0.14, 0.105)):
            hot = active and (x < 0) == (y > 0)
            plate_colour = (1.0, 0.25, 0.05) if active else (0.30, 0.30, 0.32)
            m.add(cylinder(size, 0.012, 18).moved(x, y, 0.90), plate_colour, glow=1.0 if active else 0.0)
            for inner in (size, size * 0.62, size * 0.28):
                coil = (1.0, 0.70 if hot else 0.50, 0.15) if active else (0.10, 0.10, 0.11)
                m.add(ring(inner, 0.010, 18).moved(x, y, 0.914), coil, glow=1.0 if active else 0.0)
    m.add(box(width, 0.05, 0.18).moved(0, -front + 0.025, 0.90), (0.80, 0.80, 0.80))
    m.add(box(0.18, 0.01, 0.07).moved(0, -front + 0.055, 0.96), (0.95, 0.35, 0.10) if active else _INK, glow=0.8)
    for i in range(4):
        knob = cylinder(0.026, 0.03, 10).turned("x", -90).moved(-0.24 + 0.16 * i, front, 0.80)
        m.add(knob, (0.85, 0.20, 0.12) if active else _INK)
    m.add(box(width - 0.08, 0.02, 0.48).moved(0, front, 0.16), (0.20, 0.20, 0.22))
    m.add(
        box(width - 0.24, 0.024, 0.28).moved(0, front, 0.24),
        (0.95, 0.50, 0.15) if active else (0.08, 0.08, 0.10),
        glow=0.4,
    )
    m.add(tube([(-0.26, front + 0.045, 0.68), (0.26, front + 0.045, 0.68)], 0.014), _STEEL)


def _fridge(m: Model, shape: FurnitureKind, tint: float, active: bool) -> None:
    width, depth, height = shape.width_m, shape.depth_m, shape.height_m
    shell = varied((0.82, 0.85, 0.88), tint, 0.03, 0.1)
    front, hinge = depth / 2 - 0.06, width / 2
    m.add(box(width, depth - 0.06, 0.62).moved(0, -0.03, 0), shell, "brushed")
    m.add(box(width - 0.02, 0.06, 0.58).moved(0, front + 0.03, 0.03), shell, "brushed")
    m.add(box(0.30, 0.03, 0.03).moved(0, depth / 2 + 0.02, 0.54), _INK)
    m.add(box(width, 0.04, height - 0.62).moved(0, -depth / 2 + 0.02, 0.62), shell)
    m.add(box(width, depth - 0.06, 0.05).moved(0, -0.03, height - 0.05), shell, "brushed")
    for side in (-1, 1):
        m.add(box(0.05, depth - 0.06, height - 0.62).moved(side * (width / 2 - 0.025), -0.03, 0.62), shell, "brushed")
    door = [
        (box(width, 0.06, height - 0.64).moved(-hinge, 0.03, 0.63), shell, "brushed"),
        (box(width - 0.08, 0.012, height - 0.74).moved(-hinge, -0.002, 0.68), _WHITE, "plain"),
        (box(0.03, 0.035, 0.60).moved(-width + 0.08, 0.075, 0.75), _INK, "plain"),
    ]
    for z, colour in ((0.80, (0.92, 0.82, 0.45)), (1.15, (0.80, 0.45, 0.35))):
        door.append((box(width - 0.14, 0.10, 0.03).moved(-hinge, -0.05, z), _STEEL, "plain"))
        door += [
            (cylinder(0.035, 0.22, 8).moved(-hinge + x, -0.05, z + 0.03), colour, "plain") for x in (-0.16, 0.02, 0.16)
        ]
    for solid, colour, material in door:
        m.add(solid.turned("z", -112 if active else 0).moved(hinge, front, 0), colour, material)
    if active:
        _fill_fridge(m, width, depth, height)


def _fill_fridge(m: Model, width: float, depth: float, height: float) -> None:
    """Lit shelves with food."""
    m.add(box(width - 0.10, 0.02, height - 0.70).moved(0, -depth / 2 + 0.05, 0.63), (1.0, 0.98, 0.88), glow=1.0)
    m.add(box(width - 0.12, depth - 0.20, 0.015).moved(0, -0.03, height - 0.07), (1.0, 1.0, 0.9), glow=1.0)
    food: tuple[Colour, ...] = ((0.95, 0.95, 0.92), (0.80, 0.32, 0.22), (0.50, 0.68, 0.28), (0.92, 0.76, 0.34))
    for board, z in enumerate((0.64, 0.98, 1.32)):
        m.add(box(width - 0.11, depth - 0.16, 0.02).moved(0, -0.03, z), (0.80, 0.92, 0.96), glow=0.7)
        for i in range(4):
            colour, x = food[(i + board) % 4], -0.22 + 0.145 * i
            solid = box(0.10, 0.14, 0.20) if (i + board) % 2 else cylinder(0.05, 0.15, 10)
            m.add(solid.moved(x, 0.02, z + 0.02), colour, glow=0.5)


def _dresser(m: Model, shape: FurnitureKind, tint: float, active: bool) -> None:
    width, depth = shape.width_m, shape.depth_m
    body, face = varied((0.90, 0.84, 0.74), tint, 0.04), varied((0.98, 0.94, 0.86), tint, 0.04)
    m.add(box(width - 0.03, depth - 0.03, 0.78).moved(z=0.06), body, "wood")
    m.add(box(width, depth, 0.04).moved(z=0.84), varied((0.78, 0.60, 0.42), tint, 0.02), "wood")
    for row in range(3):
        pulled = 0.30 if active and row == 2 else 0.0
        front, z = depth / 2 - 0.005 + pulled, 0.09 + 0.25 * row
        m.add(box(width - 0.08, 0.02, 0.22).moved(0, front, z), face, "wood")
        m.add_all([ball(0.024, 8).moved(x, front + 0.03, z + 0.11) for x in (-0.28, 0.28)], (0.80, 0.62, 0.26))
        if pulled:
            _pull_drawer(m, width, front, z, pulled)
    m.add(box(0.70, 0.03, 0.56).moved(0, -depth / 2 + 0.015, 0.90), varied((0.78, 0.60, 0.42), tint, 0.02), "wood")
    m.add(box(0.60, 0.03, 0.46).moved(0, -depth / 2 + 0.025, 0.95), (0.74, 0.84, 0.90), glow=0.7)
    m.add(box(0.05, 0.03, 0.42).turned("y", 20).moved(-0.1, -depth / 2 + 0.032, 0.97), (0.86, 0.93, 0.96), glow=0.8)


def _pull_drawer(m: Model, width: float, front: float, z: float, pulled: float) -> None:
    """The inside of an open drawer with folded clothes."""
    middle = front - pulled / 2
    m.add(box(width - 0.12, pulled, 0.02).moved(0, middle, z + 0.02), (0.60, 0.44, 0.28), "wood")
    for side in (-1, 1):
        m.add(box(0.02, pulled, 0.18).moved(side * (width / 2 - 0.06), middle, z + 0.02), (0.70, 0.54, 0.36), "wood")
    for i, colour in enumerate(((0.45, 0.55, 0.72), (0.86, 0.84, 0.80), (0.72, 0.40, 0.42), (0.50, 0.58, 0.46))):
        m.add(box(0.20, pulled - 0.05, 0.11).moved(-0.33 + 0.22 * i, middle, z + 0.04), colour, "cloth")


def _lamp(m: Model, shape: FurnitureKind, tint: float, active: bool) -> None:
    shade = varied((0.86, 0.74, 0.52), tint, 0.05)
    m.add(cylinder(0.17, 0.03, 16), _INK)
    m.add(tube([(0, 0, 0.03), (0, 0, 1.25)], 0.016, 8), (0.62, 0.52, 0.30))
    lit = (1.0, 0.93, 0.62)
    outer = [(0.20, 1.18), (0.12, 1.55), (0.11, 1.55), (0.19, 1.18)]
    m.add(lathe(outer, 18), lit if active else shade, "plain" if active else "woven", glow=1.0 if active else 0.0)
    m.add(ball(0.05, 10).moved(z=1.32), (1.0, 1.0, 0.92) if active else (0.75, 0.75, 0.72), glow=1.0 if active else 0.0)
    m.add(cylinder(0.115, 0.006, 14).moved(z=1.54), (1.0, 1.0, 0.85) if active else shade, glow=1.0 if active else 0.0)
    for i in range(3):
        a = i * 2 * pi / 3
        m.add(tube([(0, 0, 1.22), (0.185 * cos(a), 0.185 * sin(a), 1.20)], 0.006, 5), _STEEL)


_FIXTURES: dict[str, Callable[[Model, FurnitureKind, float, bool], None]] = {
    "sink": _sink,
    "stove": _stove,
    "fridge": _fridge,
    "dresser": _dresser,
    "lamp": _lamp,
}
