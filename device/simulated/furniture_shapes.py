"""The shapes of tables, seats, beds and stores: one function a kind, front along +y, standing on z = 0.

The strip where things can lie (Furniture.spots) stays free of decoration. What opens, glows or runs is in
fixture_shapes.py. This file does not know where furniture stands.
"""

from collections.abc import Callable
from math import cos, pi, sin

from device.simulated.home import FurnitureKind
from device.simulated.solids import Colour, Model, ball, box, cylinder, lathe, plate, ring, tube
from device.simulated.textures import varied

_OAK: Colour = (0.80, 0.56, 0.30)
_WALNUT: Colour = (0.48, 0.28, 0.16)
_BIRCH: Colour = (0.92, 0.80, 0.60)
_STEEL: Colour = (0.72, 0.74, 0.77)
_WHITE: Colour = (0.95, 0.95, 0.93)
_INK: Colour = (0.10, 0.10, 0.12)
_LEAF: Colour = (0.22, 0.45, 0.18)

Draw = Callable[[Model, FurnitureKind, float], None]


def _legs(m: Model, shape: FurnitureKind, height: float, thickness: float, colour: Colour, inset: float = 0.05) -> None:
    x, y = shape.width_m / 2 - inset, shape.depth_m / 2 - inset
    for sx in (-1, 1):
        for sy in (-1, 1):
            m.add(box(thickness, thickness, height).moved(sx * x, sy * y, 0), colour, "wood")


def _front(m: Model, shape: FurnitureKind, low: float, high: float, columns: int, rows: int, colour: Colour) -> None:
    """Doors or drawers on the front, each with a knob."""
    width, height = shape.width_m / columns, (high - low) / rows
    for column in range(columns):
        for row in range(rows):
            x, z = (column + 0.5) * width - shape.width_m / 2, low + row * height
            m.add(box(width - 0.04, 0.02, height - 0.04).moved(x, shape.depth_m / 2, z + 0.02), colour, "wood")
            m.add(ball(0.018, 8).moved(x, shape.depth_m / 2 + 0.025, z + height * 0.6), _STEEL)


def _plant(m: Model, x: float, y: float, z: float, size: float) -> None:
    m.add(cylinder(0.35 * size, 0.5 * size, 10, top=0.45 * size).moved(x, y, z), (0.74, 0.38, 0.24))
    for i in range(7):
        a = i * 2.4
        tip = (x + 0.6 * size * cos(a), y + 0.35 * size * sin(a), z + size * (1.0 + 0.12 * (i % 3)))
        m.add(tube([(x, y, z + 0.45 * size), tip], (0.10 * size, 0.03 * size), 5), _LEAF)


def _table(m: Model, shape: FurnitureKind, tint: float) -> None:
    oak = varied(_OAK, tint, 0.015)
    m.add(box(shape.width_m, shape.depth_m, 0.04).moved(z=0.71), oak, "planks")
    m.add(box(shape.width_m - 0.12, shape.depth_m - 0.12, 0.09).moved(z=0.62), varied(_OAK, tint, 0.015, 0.4), "wood")
    _legs(m, shape, 0.71, 0.08, oak)
    m.add(lathe([(0.06, 0), (0.15, 0.07), (0.14, 0.075), (0.08, 0.03)], 16).moved(0, -0.26, 0.75), (0.86, 0.84, 0.78))
    for i, fruit in enumerate(((0.70, 0.62, 0.22), (0.66, 0.30, 0.18), (0.52, 0.60, 0.24), (0.78, 0.50, 0.20))):
        m.add(ball(0.05, 8).moved(0.05 * (i % 2 * 2 - 1), -0.26 + 0.04 * (i // 2 * 2 - 1), 0.82), fruit)


def _coffee_table(m: Model, shape: FurnitureKind, tint: float) -> None:
    dark = varied((0.20, 0.13, 0.09), tint, 0.01)
    m.add(box(shape.width_m, shape.depth_m, 0.035).moved(z=0.415), dark, "wood")
    m.add(box(shape.width_m - 0.16, shape.depth_m - 0.16, 0.006).moved(z=0.445), (0.62, 0.78, 0.78), "marble")
    m.add(box(shape.width_m - 0.14, shape.depth_m - 0.14, 0.03).moved(z=0.12), dark, "wood")
    for i, colour in enumerate(((0.75, 0.70, 0.58), (0.45, 0.55, 0.60), (0.80, 0.78, 0.74))):
        m.add(box(0.24, 0.18, 0.02).turned("z", 12 * i).moved(-0.2, 0.05, 0.15 + 0.02 * i), colour)
    _legs(m, shape, 0.42, 0.06, dark)


def _counter(m: Model, shape: FurnitureKind, tint: float) -> None:
    m.add(box(shape.width_m - 0.04, shape.depth_m - 0.06, 0.86), varied((0.86, 0.82, 0.70), tint), "wood")
    m.add(box(shape.width_m, shape.depth_m, 0.04).moved(z=0.86), (0.42, 0.42, 0.45), "stone")
    _front(m, shape, 0.10, 0.84, 3, 1, varied((0.92, 0.88, 0.76), tint))
    back = -shape.depth_m / 2
    m.add(box(shape.width_m, 0.025, 0.16).moved(0, back + 0.012, 0.90), (0.42, 0.42, 0.45), "stone")
    m.add(box(0.34, 0.02, 0.26).turned("x", 12).moved(-0.45, back + 0.09, 0.90), _BIRCH, "wood")
    for i, colour in enumerate(((0.62, 0.44, 0.28), (0.80, 0.74, 0.60), (0.50, 0.30, 0.18))):
        m.add(cylinder(0.05, 0.15, 12).moved(0.35 + 0.13 * i, back + 0.09, 0.90), colour)
        m.add(cylinder(0.053, 0.02, 12).moved(0.35 + 0.13 * i, back + 0.09, 1.05), _STEEL)


def _seat(m: Model, shape: FurnitureKind, cloth: Colour, places: int, arm: float) -> None:
    """A sofa or an armchair: arms, back, and as many cushions as places."""
    light = (min(1, cloth[0] * 1.18), min(1, cloth[1] * 1.18), min(1, cloth[2] * 1.18))
    width, depth = shape.width_m, shape.depth_m
    m.add(box(width, depth, 0.28).moved(z=0.06), cloth, "cloth")
    m.add(box(width, 0.24, 0.72).moved(0, -depth / 2 + 0.12, 0.08), cloth, "cloth")
    for side in (-1, 1):
        m.add(box(arm, depth, 0.52).moved(side * (width / 2 - arm / 2), 0, 0.06), cloth, "cloth")
        bolster = cylinder(arm * 0.62, depth, 10).turned("x", 90).moved(side * (width / 2 - arm / 2), depth / 2, 0.58)
        m.add(bolster, cloth, "cloth")
    inner = (width - 2 * arm) / places
    for i in range(places):
        x = (i - (places - 1) / 2) * inner
        m.add(box(inner - 0.02, depth - 0.22, 0.10).moved(x, 0.12, 0.34), light, "cloth")
        m.add(box(inner - 0.03, 0.14, 0.40).turned("x", 10).moved(x, -depth / 2 + 0.30, 0.43), light, "cloth")


def _sofa(m: Model, shape: FurnitureKind, tint: float) -> None:
    _seat(m, shape, varied((0.34, 0.44, 0.52), tint, 0.06), 2, 0.17)
    for side, colour in ((-1, (0.85, 0.62, 0.30)), (1, (0.80, 0.76, 0.66))):
        pillow = box(0.36, 0.10, 0.32).turned("x", 20).moved(side * 0.50, -0.06, 0.46)
        m.add(pillow, colour, "quilt")


def _armchair(m: Model, shape: FurnitureKind, tint: float) -> None:
    _seat(m, shape, varied((0.60, 0.34, 0.22), tint, 0.03), 1, 0.14)


def _bed(m: Model, shape: FurnitureKind, tint: float) -> None:
    width, depth = shape.width_m, shape.depth_m
    wood = varied(_WALNUT, tint, 0.01)
    m.add(box(width, depth, 0.26).moved(z=0.06), wood, "wood")
    m.add(box(width, 0.07, shape.height_m).moved(0, -depth / 2 + 0.035, 0), wood, "planks")
    m.add(box(width - 0.06, depth - 0.08, 0.20).moved(z=0.32), _WHITE, "cloth")
    blanket = varied((0.45, 0.55, 0.74), tint, 0.12)
    m.add(box(width - 0.02, depth - 0.56, 0.22).moved(0, 0.28, 0.33), blanket, "quilt")
    m.add(box(width - 0.01, 0.20, 0.23).moved(0, -0.40, 0.33), (0.94, 0.92, 0.86), "cloth")
    for side in (-1, 1):
        pillow = ball(0.5, 12).sized(0.60, 0.40, 0.24).moved(side * 0.36, -depth / 2 + 0.30, 0.58)
        m.add(pillow, (0.97, 0.96, 0.93), "cloth")


def _desk(m: Model, shape: FurnitureKind, tint: float) -> None:
    birch = varied(_BIRCH, tint, 0.01, 0.08)
    m.add(box(shape.width_m, shape.depth_m, 0.035).moved(z=0.705), birch, "wood")
    m.add(box(0.38, shape.depth_m - 0.06, 0.66).moved(0.45, 0, 0.04), (0.80, 0.82, 0.84))
    for row in range(3):
        m.add(box(0.34, 0.02, 0.18).moved(0.45, shape.depth_m / 2 - 0.03, 0.08 + 0.21 * row), (0.60, 0.63, 0.67))
    for y in (-0.28, 0.28):
        m.add(box(0.05, 0.05, 0.71).moved(-0.62, y, 0), (0.30, 0.32, 0.35))
    back = -shape.depth_m / 2 + 0.10
    m.add(cylinder(0.11, 0.015, 14).moved(0, back + 0.02, 0.74), _INK)
    m.add(box(0.05, 0.03, 0.16).moved(0, back, 0.74), _INK)
    m.add(box(0.60, 0.035, 0.36).moved(0, back, 0.86), _INK)
    m.add(box(0.56, 0.037, 0.32).moved(0, back + 0.007, 0.88), (0.25, 0.50, 0.72), glow=0.9)
    for i in range(4):
        m.add(box(0.36 - 0.07 * (i % 3), 0.003, 0.02).moved(0.08, back + 0.031, 1.12 - 0.05 * i), _WHITE, glow=0.9)
    m.add(cylinder(0.04, 0.11, 10).moved(-0.52, back, 0.74), (0.35, 0.40, 0.50))
    m.add_all(
        [tube([(-0.52, back, 0.76), (-0.52 + d, back, 0.94)], 0.006, 5) for d in (-0.04, 0.0, 0.03)], (0.8, 0.6, 0.2)
    )


_SPINES: tuple[Colour, ...] = (
    (0.55, 0.22, 0.18), (0.25, 0.36, 0.50), (0.78, 0.70, 0.52), (0.30, 0.42, 0.30), (0.62, 0.48, 0.30),
    (0.38, 0.28, 0.42),
)  # fmt: skip


def _shelf(m: Model, shape: FurnitureKind, tint: float) -> None:
    wood = varied(_OAK, tint, 0.02)
    width, depth, height = shape.width_m, shape.depth_m, shape.height_m
    m.add(box(width, 0.02, height - 0.02).moved(0, -depth / 2 + 0.01, 0), varied(_WALNUT, tint), "wood")
    for side in (-1, 1):
        m.add(box(0.035, depth - 0.002, height - 0.01).moved(side * (width / 2 - 0.018), 0, 0), wood, "wood")
    for board in range(4):
        m.add(box(width - 0.002 * (board < 3), depth, 0.035).moved(z=board * (height - 0.035) / 3), wood, "wood")
    for board in range(3):
        x, i = -width / 2 + 0.06, 0
        while x < width / 2 - 0.10:
            thick = 0.035 + 0.02 * ((i * 7 + board * 3) % 4) / 3
            tall = 0.22 + 0.025 * ((i * 5 + board) % 4)
            m.add(
                box(thick, 0.20, tall).moved(x + thick / 2, 0.045, board * 0.372 + 0.036),
                _SPINES[(i * 5 + board * 2) % 6],
            )
            x, i = x + thick + 0.004, i + 1


def _sideboard(m: Model, shape: FurnitureKind, tint: float) -> None:
    m.add(box(shape.width_m, shape.depth_m, 0.60).moved(z=0.15), varied(_WALNUT, tint, 0.01), "wood")
    m.add(
        box(shape.width_m + 0.02, shape.depth_m + 0.01, 0.03).moved(z=0.75),
        varied((0.58, 0.34, 0.19), tint, 0.01),
        "wood",
    )
    _front(m, shape, 0.15, 0.74, 4, 1, (0.88, 0.85, 0.76))
    _legs(m, shape, 0.15, 0.05, varied(_WALNUT, tint, 0.01))
    back = -shape.depth_m / 2 + 0.06
    _plant(m, 0.0, back, 0.78, 0.16)
    for x in (-0.56, 0.56):
        m.add(cylinder(0.04, 0.02, 12).moved(x, back, 0.78), (0.85, 0.82, 0.76))
        m.add(ball(0.055, 10).moved(x, back, 0.85), (0.30, 0.50, 0.58))
        m.add(cylinder(0.02, 0.10, 8).moved(x, back, 0.88), (0.30, 0.50, 0.58))


def _cabinet(m: Model, shape: FurnitureKind, tint: float) -> None:
    paint = varied((0.42, 0.58, 0.52), tint, 0.08)
    m.add(box(shape.width_m - 0.04, shape.depth_m - 0.03, 0.98), paint, "wood")
    m.add(box(shape.width_m, shape.depth_m, 0.04).moved(z=0.98), varied((0.52, 0.70, 0.62), tint, 0.08), "wood")
    for side in (-1, 1):
        x, front = side * shape.width_m / 4, shape.depth_m / 2 - 0.01
        m.add(box(0.37, 0.02, 0.86).moved(x, front, 0.08), varied((0.52, 0.70, 0.62), tint, 0.08), "wood")
        m.add(box(0.27, 0.034, 0.76).moved(x, front, 0.13), (0.72, 0.82, 0.84))
        for z in (0.38, 0.64):
            m.add(box(0.27, 0.050, 0.02).moved(x, front, z), paint)
        m.add(box(0.02, 0.050, 0.76).moved(x, front, 0.13), paint)
        m.add(ball(0.02, 8).moved(side * 0.05, front + 0.03, 0.52), (0.85, 0.68, 0.28))
    m.add(box(shape.width_m - 0.02, 0.02, 0.10).moved(0, -shape.depth_m / 2 + 0.01, 1.02), paint)


def _bench(m: Model, shape: FurnitureKind, tint: float) -> None:
    pine = varied((0.86, 0.62, 0.36), tint, 0.015)
    for i in range(4):
        m.add(box(shape.width_m, 0.085, 0.035).moved(0, (i - 1.5) * 0.108, 0.425), pine, "wood")
    for side in (-1, 1):
        m.add(box(0.06, shape.depth_m - 0.04, 0.06).moved(side * 0.52, 0, 0.365), (0.18, 0.19, 0.20))
        for y in (-0.16, 0.16):
            m.add(box(0.06, 0.06, 0.37).moved(side * 0.52, y, 0), (0.18, 0.19, 0.20))


def _nightstand(m: Model, shape: FurnitureKind, tint: float) -> None:
    wood = varied((0.64, 0.42, 0.26), tint, 0.02)
    m.add(box(shape.width_m - 0.04, shape.depth_m - 0.03, 0.40).moved(z=0.12), wood, "wood")
    m.add(box(shape.width_m, shape.depth_m, 0.035).moved(z=0.525), varied((0.72, 0.50, 0.32), tint, 0.02), "wood")
    _legs(m, shape, 0.13, 0.045, wood)
    _front(m, shape, 0.13, 0.52, 1, 2, (0.90, 0.86, 0.78))
    back = -shape.depth_m / 2 + 0.06
    m.add(cylinder(0.065, 0.04, 16).turned("x", -90).moved(0.12, back - 0.02, 0.64), (0.30, 0.62, 0.60))
    m.add(cylinder(0.052, 0.042, 16).turned("x", -90).moved(0.12, back - 0.02, 0.64), _WHITE)
    m.add(box(0.008, 0.004, 0.04).moved(0.12, back + 0.023, 0.64), _INK)
    for side in (-1, 1):
        m.add(box(0.02, 0.03, 0.03).moved(0.12 + side * 0.04, back, 0.56), (0.30, 0.62, 0.60))


def _chair(m: Model, shape: FurnitureKind, tint: float) -> None:
    wood = varied((0.62, 0.36, 0.18), tint, 0.02)
    m.add(box(shape.width_m, shape.depth_m, 0.035).moved(z=0.405), wood, "wood")
    m.add(
        box(shape.width_m - 0.06, shape.depth_m - 0.10, 0.03).moved(0, 0.02, 0.44),
        varied((0.78, 0.70, 0.52), tint),
        "woven",
    )
    _legs(m, shape, 0.41, 0.045, wood)
    for x in (-0.20, -0.07, 0.07, 0.20):
        m.add(box(0.045, 0.035, 0.46).moved(x, -0.23, 0.44), wood, "wood")
    m.add(box(shape.width_m, 0.045, 0.09).moved(0, -0.23, 0.86), wood, "wood")


def _stool(m: Model, shape: FurnitureKind, tint: float) -> None:
    radius = shape.width_m / 2
    m.add(
        lathe([(radius - 0.02, 0.55), (radius, 0.57), (radius, 0.60), (radius - 0.03, 0.62), (0, 0.62)], 18),
        varied((0.52, 0.20, 0.16), tint, 0.05),
        "cloth",
    )
    m.add(ring(radius, 0.012, 18).moved(z=0.565), _STEEL)
    for i in range(4):
        a = (i + 0.5) * pi / 2
        m.add(tube([(0.10 * cos(a), 0.10 * sin(a), 0.56), (0.19 * cos(a), 0.19 * sin(a), 0)], 0.015, 6), _STEEL)
    m.add(ring(0.155, 0.010, 16).moved(z=0.22), _STEEL)


def _washing_machine(m: Model, shape: FurnitureKind, tint: float) -> None:
    width, depth = shape.width_m, shape.depth_m
    m.add(box(width, depth, shape.height_m - 0.02).moved(z=0.0), (0.86, 0.88, 0.90))
    m.add(box(width, depth, 0.02).moved(z=shape.height_m - 0.02), (0.96, 0.97, 0.98))
    front = depth / 2
    m.add(ring(0.19, 0.035, 20).turned("x", 90).moved(0, front + 0.01, 0.42), _STEEL)
    m.add(cylinder(0.18, 0.03, 20).turned("x", -90).moved(0, front, 0.42), (0.14, 0.22, 0.32))
    m.add(cylinder(0.08, 0.034, 12).turned("x", -90).moved(-0.05, front, 0.38), varied((0.72, 0.60, 0.66), tint, 0.3))
    m.add(box(width - 0.04, 0.02, 0.12).moved(0, front, 0.73), (0.55, 0.60, 0.66))
    m.add(cylinder(0.04, 0.04, 12).turned("x", -90).moved(0.2, front, 0.79), _WHITE)
    back = -depth / 2
    m.add(box(width, 0.10, 0.14).moved(0, back + 0.05, 0.88), (0.70, 0.74, 0.78))
    m.add(cylinder(0.045, 0.03, 14).turned("x", -90).moved(-0.20, back + 0.10, 0.95), _INK)
    m.add(box(0.16, 0.012, 0.06).moved(0.12, back + 0.10, 0.92), (0.15, 0.55, 0.42), glow=0.8)


def _windowsill(m: Model, shape: FurnitureKind, tint: float) -> None:
    width, back = shape.width_m, -shape.depth_m / 2
    m.add(box(width, shape.depth_m, 0.045).moved(z=0.905), (0.93, 0.92, 0.90), "marble")
    for x in (-0.5, 0.0, 0.5):
        m.add(plate([(0, 0), (0.20, 0), (0, 0.22)], 0.03).turned("x", 90).turned("z", 90).moved(x, back, 0.685), _WHITE)
    m.add(box(width, 0.03, 1.15).moved(0, back, 0.96), _WHITE)
    for side in (-1, 1):
        x, pane = side * (width / 4 - 0.01), width / 2 - 0.10
        m.add(box(pane, 0.05, 0.42).moved(x, back, 1.03), (0.62, 0.78, 0.52), glow=1.0)
        m.add(box(pane, 0.05, 0.57).moved(x, back, 1.45), varied((0.70, 0.88, 1.0), tint, 0.02, 0.05), glow=1.0)
        m.add(box(pane, 0.08, 0.03).moved(x, back, 1.60), _WHITE)
        m.add(
            box(0.16, 0.08, 1.30).moved(side * (width / 2 + 0.06), back + 0.03, 0.92),
            varied((0.86, 0.80, 0.66), tint, 0.1),
            "cloth",
        )


STILL_FURNITURE: dict[str, Draw] = {
    "table": _table,
    "coffee table": _coffee_table,
    "counter": _counter,
    "sofa": _sofa,
    "armchair": _armchair,
    "bed": _bed,
    "desk": _desk,
    "shelf": _shelf,
    "sideboard": _sideboard,
    "cabinet": _cabinet,
    "bench": _bench,
    "nightstand": _nightstand,
    "chair": _chair,
    "stool": _stool,
    "washing machine": _washing_machine,
    "windowsill": _windowsill,
}
