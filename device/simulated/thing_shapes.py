"""The shapes of the small things: one function a kind, lying on z = 0 about the origin.

Every kind has its own silhouette and its own secondary details; the main colour is the thing's own. Small things are
larger than life, so that a coarse picture still shows what they are. This file does not know where things lie.
"""

from collections.abc import Callable
from functools import cache
from math import cos, pi, sin

from device.simulated.home import COLOURS
from device.simulated.solids import Colour, Model, Solid, ball, box, cylinder, lathe, plate, ring, tube

_STEEL: Colour = (0.74, 0.76, 0.80)
_GOLD: Colour = (0.88, 0.68, 0.22)
_PAPER: Colour = (0.97, 0.95, 0.88)
_INK: Colour = (0.10, 0.10, 0.12)
_PALE: Colour = (0.82, 0.83, 0.85)

# kinds that are looked at from above: a hand turns their top towards the eye
LYING_FLAT = frozenset(
    {
        "wallet", "keys", "phone", "glasses", "book", "remote", "watch", "headphones", "umbrella", "passport",
        "pill box", "charger", "scissors", "torch", "hairbrush",
    }
)  # fmt: skip


@cache
def shape_thing(kind: str, colour: str) -> Model:
    """The model of a thing of this kind, its main parts in this colour."""
    main = COLOURS[colour]
    if colour == "black":
        main = (0.11, 0.11, 0.13)
    detail = _PALE if sum(main) < 1.4 else _INK
    model = Model()
    draw, size = _SHAPES[kind]
    draw(model, main, detail)
    return model.sized(size, size, size)


def _arc(
    radius: float, start_deg: float, end_deg: float, steps: int = 12, z: float = 0.0
) -> list[tuple[float, float, float]]:
    angles = [(start_deg + (end_deg - start_deg) * i / steps) * pi / 180 for i in range(steps + 1)]
    return [(radius * cos(a), radius * sin(a), z) for a in angles]


def _rounded(width: float, depth: float, corner: float) -> list[tuple[float, float]]:
    """A rectangle with round corners, counter-clockwise."""
    outline = []
    for x, y, start in ((1, 1, 0), (-1, 1, 90), (-1, -1, 180), (1, -1, 270)):
        for step in range(4):
            a = (start + step * 30) * pi / 180
            outline.append((x * (width / 2 - corner) + corner * cos(a), y * (depth / 2 - corner) + corner * sin(a)))
    return outline


def _disc(radius: float, height: float, sides: int = 14) -> Solid:
    return cylinder(radius, height, sides)


def _wallet(m: Model, main: Colour, detail: Colour) -> None:
    dark = (main[0] * 0.65, main[1] * 0.65, main[2] * 0.65)
    m.add(plate(_rounded(0.19, 0.13, 0.015), 0.016), dark)
    for i, note in enumerate(((0.55, 0.72, 0.52), (0.85, 0.72, 0.55))):
        m.add(box(0.16, 0.10, 0.003).moved(0.004 - 0.012 * i, 0.030 + 0.008 * i, 0.017 + 0.003 * i), note)
    m.add(plate(_rounded(0.19, 0.115, 0.015), 0.014).moved(0, -0.008, 0.023), main)
    m.add(box(0.035, 0.045, 0.010).moved(0.08, -0.008, 0.030), dark)
    m.add(_disc(0.010, 0.004).moved(0.072, -0.008, 0.040), _GOLD)
    for y in (-0.058, 0.042):
        m.add(box(0.17, 0.003, 0.001).moved(-0.01, y, 0.037), detail)


def _keys(m: Model, main: Colour, detail: Colour) -> None:
    m.add(ring(0.035, 0.005).moved(0, 0.075, 0.006), _STEEL)
    for angle, metal in ((-32, _STEEL), (6, _GOLD)):
        bow = ring(0.024, 0.014, 12).sized(1, 1, 0.5).moved(0, -0.045, 0.008)
        blade = box(0.014, 0.085, 0.008).moved(0, -0.108, 0.004)
        teeth = [box(0.012, 0.011, 0.008).moved(0.011, -0.115 - 0.016 * i, 0.004) for i in range(3)]
        for solid, colour in ((bow, main), (blade, metal), *((tooth, metal) for tooth in teeth)):
            m.add(solid.moved(0, 0.02, 0).turned("z", angle).moved(0, 0.055, 0), colour)
    fob = plate(_rounded(0.070, 0.105, 0.030), 0.020).moved(0, -0.085, 0).turned("z", 62).moved(0, 0.06, 0)
    m.add(fob, main)
    m.add(_disc(0.013, 0.004).moved(0, -0.085, 0.020).turned("z", 62).moved(0, 0.06, 0), detail)


def _phone(m: Model, main: Colour, detail: Colour) -> None:
    m.add(plate(_rounded(0.105, 0.20, 0.018), 0.018), main)
    m.add(plate(_rounded(0.084, 0.165, 0.006), 0.002).moved(0, 0, 0.018), (0.05, 0.07, 0.12))
    for row in range(4):
        for column in range(3):
            hue = ((0.35, 0.75, 0.95), (0.95, 0.95, 0.95), (0.55, 0.9, 0.6))[(row + column) % 3]
            m.add(box(0.016, 0.016, 0.001).moved(-0.026 + 0.026 * column, -0.05 + 0.03 * row, 0.020), hue, glow=0.8)
    m.add(box(0.03, 0.005, 0.002).moved(0, 0.091, 0.018), detail)


def _glasses(m: Model, main: Colour, detail: Colour) -> None:
    for side in (-1, 1):
        m.add(ring(0.045, 0.009).turned("x", 78).moved(side * 0.056, 0.05, 0.052), main)
        m.add(_disc(0.042, 0.002).turned("x", 78).moved(side * 0.056, 0.05, 0.052), (0.66, 0.82, 0.88), glow=0.5)
        temple = [(side * 0.104, 0.055, 0.062), (side * 0.100, -0.05, 0.058), (side * 0.096, -0.09, 0.030)]
        m.add(tube(temple, 0.007), main)
    m.add(tube([(-0.016, 0.052, 0.062), (0, 0.056, 0.070), (0.016, 0.052, 0.062)], 0.007), main)


def _mug(m: Model, main: Colour, detail: Colour) -> None:
    m.add(lathe([(0, 0), (0.050, 0), (0.058, 0.125), (0.050, 0.125), (0.046, 0.10)], 18), main)
    m.add(_disc(0.047, 0.002, 18).moved(0, 0, 0.098), (0.24, 0.13, 0.06))
    m.add(lathe([(0.0575, 0.098), (0.0585, 0.108)], 18), detail)
    handle = [
        (x, 0, z)
        for x, _, z in ((0.05 + 0.045 * sin(a * pi / 8), 0, 0.065 - 0.042 * cos(a * pi / 8)) for a in range(9))
    ]
    m.add(tube(handle, 0.010), main)


def _book(m: Model, main: Colour, detail: Colour) -> None:
    m.add(box(0.155, 0.215, 0.006), main)
    m.add(box(0.146, 0.205, 0.030).moved(0.001, 0, 0.006), _PAPER)
    for z in (0.012, 0.020, 0.028):
        m.add(box(0.1475, 0.2065, 0.002).moved(0.001, 0, z), (0.72, 0.70, 0.62))
    m.add(box(0.155, 0.215, 0.006).moved(0, 0, 0.036), main)
    m.add(box(0.010, 0.215, 0.042).moved(-0.077, 0, 0), main)
    m.add(box(0.095, 0.045, 0.002).moved(0.005, 0.045, 0.042), _PAPER)
    for y in (0.055, 0.038):
        m.add(box(0.075, 0.006, 0.001).moved(0.005, y, 0.044), _INK)
    m.add(box(0.06, 0.010, 0.002).moved(0.005, -0.06, 0.042), _GOLD)


def _remote(m: Model, main: Colour, detail: Colour) -> None:
    m.add(plate(_rounded(0.068, 0.215, 0.022), 0.026), main)
    m.add(_disc(0.011, 0.005).moved(-0.016, 0.085, 0.026), (0.95, 0.15, 0.12))
    m.add(ring(0.019, 0.006, 14).moved(0, 0.045, 0.027), detail)
    for row in range(4):
        for column in range(3):
            m.add(box(0.012, 0.012, 0.005).moved(-0.019 + 0.019 * column, 0.005 - 0.024 * row, 0.026), detail)


def _bottle(m: Model, main: Colour, detail: Colour) -> None:
    body = [(0, 0), (0.042, 0), (0.044, 0.012), (0.044, 0.115), (0.036, 0.140), (0.018, 0.162), (0.018, 0.185)]
    m.add(lathe(body, 16), main)
    m.add(lathe([(0.0455, 0.045), (0.0455, 0.095)], 16), _PAPER)
    m.add(lathe([(0.0460, 0.062), (0.0460, 0.078)], 16), main)
    m.add(_disc(0.024, 0.030).moved(0, 0, 0.185), detail)


def _watch(m: Model, main: Colour, detail: Colour) -> None:
    for side in (-1, 1):
        m.add(box(0.056, 0.080, 0.010).moved(0, side * 0.078, 0.003), main)
        for hole in range(3):
            m.add(_disc(0.004, 0.002, 6).moved(0, side * (0.082 + 0.013 * hole), 0.013), detail)
    m.add(box(0.070, 0.014, 0.016).moved(0, 0.116, 0.001), _GOLD)
    m.add(_disc(0.050, 0.020, 20), _GOLD if detail is _INK else _STEEL)
    m.add(_disc(0.042, 0.003, 20).moved(0, 0, 0.020), (0.97, 0.97, 0.94))
    for i in range(12):
        m.add(box(0.004, 0.008, 0.001).moved(0, 0.035, 0.023).turned("z", 30 * i), _INK)
    m.add(box(0.006, 0.030, 0.002).moved(0, 0.013, 0.024), _INK)
    m.add(box(0.006, 0.022, 0.002).moved(0, 0.010, 0.024).turned("z", -110), _INK)
    m.add(_disc(0.008, 0.010, 8).turned("y", 90).moved(0.050, 0, 0.010), _STEEL)


def _headphones(m: Model, main: Colour, detail: Colour) -> None:
    band = [(x, y - 0.01, 0.035) for x, y, _ in _arc(0.092, -8, 188, 16)]
    m.add(tube(band, 0.013), main)
    for side in (-1, 1):
        cup = lathe([(0, 0), (0.042, 0), (0.048, 0.010), (0.048, 0.026), (0.030, 0.034), (0, 0.034)], 16)
        m.add(cup.turned("y", side * 90).moved(side * 0.080, -0.042, 0.048), main)
        pad = ring(0.032, 0.014, 14).turned("y", 90).moved(side * 0.074, -0.042, 0.048)
        m.add(pad, detail)


def _umbrella(m: Model, main: Colour, detail: Colour) -> None:
    folded = lathe([(0, -0.11), (0.010, -0.105), (0.034, 0.02), (0.026, 0.062), (0.006, 0.068)], 8)
    m.add(folded.turned("x", -90).sized(1, 1, 0.85).moved(0, -0.02, 0.030), main)
    for i in range(4):
        fold = tube(
            [(0, -0.115, 0.042), (0.02 * (i - 1.5), 0.0, 0.058 - 0.006 * abs(i - 1.5)), (0, 0.04, 0.045)], 0.003, 5
        )
        m.add(fold, detail)
    m.add(lathe([(0.034, 0.0), (0.036, 0.014)], 8).turned("x", -90).moved(0, -0.02, 0.030), detail)
    m.add(tube([(0, -0.15, 0.03), (0, -0.11, 0.03)], 0.004), _STEEL)
    hook = [(0, 0.03, 0.03), (0, 0.095, 0.03)] + [
        (0.026 - 0.026 * cos(a * pi / 6), 0.095 + 0.026 * sin(a * pi / 6), 0.03) for a in range(1, 7)
    ]
    m.add(tube([*hook, (0.052, 0.078, 0.03)], 0.009), (0.50, 0.30, 0.14))


def _passport(m: Model, main: Colour, detail: Colour) -> None:
    m.add(plate(_rounded(0.135, 0.185, 0.012), 0.004), main)
    m.add(box(0.126, 0.175, 0.006).moved(0.001, 0, 0.004), _PAPER)
    m.add(plate(_rounded(0.135, 0.185, 0.012), 0.005).moved(0, 0, 0.010), main)
    gold = _GOLD if detail is _PALE else (0.52, 0.34, 0.06)
    m.add(ring(0.030, 0.005).sized(1, 1, 0.4).moved(0, 0.006, 0.016), gold)
    star = [(r * cos(a * pi / 8), r * sin(a * pi / 8)) for a in range(16) for r in ((0.021, 0.009)[a % 2],)]
    m.add(plate(star, 0.002).moved(0, 0.006, 0.015), gold)
    for y, width in ((0.066, 0.090), (0.052, 0.060), (-0.055, 0.085), (-0.070, 0.035)):
        m.add(box(width, 0.008, 0.001).moved(0, y, 0.015), gold)


def _pill_box(m: Model, main: Colour, detail: Colour) -> None:
    m.add(box(0.22, 0.085, 0.022), main)
    for i in range(7):
        x = -0.093 + 0.031 * i
        m.add(box(0.026, 0.070, 0.012).moved(x, 0, 0.022), (0.90, 0.93, 0.95) if i != 2 else _INK)
        if i == 2:
            m.add_all([ball(0.008, 8).moved(x, y, 0.036) for y in (-0.018, 0.004, 0.024)], (0.95, 0.55, 0.60))
        else:
            m.add(box(0.012, 0.022, 0.001).moved(x, 0.004, 0.034), main)
    lid = box(0.026, 0.004, 0.065).turned("x", -20).moved(-0.031, 0.045, 0.022)
    m.add(lid, (0.80, 0.86, 0.90))


def _charger(m: Model, main: Colour, detail: Colour) -> None:
    m.add(box(0.080, 0.080, 0.050).moved(0, 0.025, 0), main)
    m.add(box(0.050, 0.050, 0.002).moved(0, 0.025, 0.050), detail)
    bolt = [(-0.010, -0.002), (0.002, -0.002), (-0.003, -0.018), (0.010, 0.003), (-0.001, 0.003), (0.004, 0.018)]
    m.add(plate(bolt, 0.002).moved(0, 0.025, 0.052), main)
    for side in (-1, 1):
        m.add(box(0.012, 0.045, 0.006).moved(side * 0.018, 0.085, 0.022), _STEEL)
    for turn in range(3):
        m.add(
            ring(0.046 - 0.003 * turn, 0.007, 16).sized(1, 0.8, 1).moved(0.004 * turn, -0.065, 0.007 + 0.010 * turn),
            main,
        )
    m.add(box(0.030, 0.012, 0.034).moved(-0.044, -0.065, 0), detail)
    m.add(tube([(0, -0.02, 0.02), (0.02, -0.035, 0.012), (0.05, -0.09, 0.01), (0.085, -0.115, 0.009)], 0.007, 5), main)
    m.add(box(0.035, 0.018, 0.010).moved(0.10, -0.115, 0.004), _STEEL)


def _scissors(m: Model, main: Colour, detail: Colour) -> None:
    for side in (-1, 1):
        blade = plate([(-0.014, -0.01), (0.014, -0.01), (0.013, 0.07), (0.001, 0.130), (-0.008, 0.07)], 0.006)
        m.add(blade.sized(side, 1, 1).turned("z", side * 17).moved(0, 0, 0.006 + 0.003 * side), _STEEL)
        m.add(tube([(side * 0.004, -0.005, 0.011), (side * 0.016, -0.045, 0.011)], 0.009), main)
        m.add(ring(0.028, 0.011, 14).sized(1, 1.35, 1).moved(side * 0.034, -0.075, 0.011), main)
    m.add(_disc(0.008, 0.018, 8), _INK)


def _cap(m: Model, main: Colour, detail: Colour) -> None:
    dome = lathe([(0.086, 0.0), (0.088, 0.03), (0.078, 0.065), (0.052, 0.092), (0, 0.104)], 16)
    m.add(dome, main)
    visor = [(-0.082 * cos(a * pi / 10), -0.03 - 0.115 * sin(a * pi / 10)) for a in range(11)]
    dark = (main[0] * 0.7, main[1] * 0.7, main[2] * 0.7)
    m.add(plate(visor, 0.010).turned("x", 6).moved(0, 0, 0.014), dark)
    m.add(ball(0.010, 8).moved(0, 0, 0.106), detail)
    for i in range(6):
        a = (i * 60 + 30) * pi / 180
        seam = [(r * cos(a), r * sin(a), z) for r, z in ((0.089, 0.02), (0.080, 0.064), (0.053, 0.093), (0.01, 0.105))]
        m.add(tube(seam, 0.0025, 4), detail)
    m.add(plate(_rounded(0.05, 0.036, 0.01), 0.006).turned("x", 72).moved(0, -0.089, 0.048), detail)


def _torch(m: Model, main: Colour, detail: Colour) -> None:
    body = lathe(
        [(0, -0.11), (0.024, -0.11), (0.024, 0.045), (0.042, 0.075), (0.044, 0.108), (0.036, 0.108), (0.030, 0.100)], 14
    )
    m.add(body.turned("x", -90).moved(0, 0, 0.040), main)
    m.add(_disc(0.040, 0.004).turned("x", -90).moved(0, 0.100, 0.040), (1.0, 0.96, 0.70), glow=0.9)
    for y in (-0.095, -0.075, -0.055, 0.044):
        m.add(lathe([(0.0255, 0), (0.0255, 0.008)], 14).turned("x", -90).moved(0, y, 0.040), detail)
    m.add(box(0.018, 0.032, 0.010).moved(0, 0.005, 0.060), (0.92, 0.16, 0.12) if detail is _INK else detail)


def _hairbrush(m: Model, main: Colour, detail: Colour) -> None:
    head = [(0.043 * cos(a * pi / 8), 0.048 + 0.068 * sin(a * pi / 8)) for a in range(16)]
    m.add(plate(head, 0.016), main)
    pad = [(0.034 * cos(a * pi / 8), 0.048 + 0.056 * sin(a * pi / 8)) for a in range(16)]
    m.add(plate(pad, 0.004).moved(0, 0, 0.016), (0.93, 0.78, 0.72))
    for row in range(5):
        for column in range(3 if row in (0, 4) else 4):
            count = 3 if row in (0, 4) else 4
            x, y = (column - (count - 1) / 2) * 0.016, 0.010 + 0.019 * row
            m.add(cylinder(0.003, 0.024, 5, top=0.002).moved(x, y, 0.020), _INK)
    m.add(
        tube(
            [(0, -0.015, 0.010), (0, -0.05, 0.011), (0, -0.09, 0.012), (0, -0.115, 0.012)], (0.010, 0.016, 0.018, 0.011)
        ),
        main,
    )


def _ball(m: Model, main: Colour, detail: Colour) -> None:
    m.add(ball(0.075, 18).moved(0, 0, 0.075), main)
    for axis, angle in (("x", 90), ("x", 25), ("y", 70)):
        m.add(ring(0.0735, 0.004, 22).turned(axis, angle).moved(0, 0, 0.075), detail)


def _candle(m: Model, main: Colour, detail: Colour) -> None:
    m.add(lathe([(0, 0), (0.070, 0), (0.078, 0.016), (0.068, 0.016), (0.062, 0.008), (0, 0.008)], 18), _GOLD)
    m.add(ring(0.020, 0.006, 12).turned("x", 90).moved(0.092, 0, 0.018), _GOLD)
    m.add(lathe([(0.036, 0.008), (0.034, 0.150), (0.026, 0.156), (0.020, 0.146), (0, 0.144)], 14), main)
    for angle, length in ((20, 0.05), (140, 0.035), (250, 0.06)):
        a = angle * pi / 180
        drip = [(0.033 * cos(a), 0.033 * sin(a), 0.152), (0.037 * cos(a), 0.037 * sin(a), 0.150 - length)]
        m.add(tube(drip, (0.006, 0.009), 6), main)
    m.add(tube([(0, 0, 0.142), (0, 0, 0.165), (0.006, 0, 0.182)], 0.004, 5), _INK)


# how each kind is drawn, and how much larger than drawn it is
_SHAPES: dict[str, tuple[Callable[[Model, Colour, Colour], None], float]] = {
    "wallet": (_wallet, 1.12),
    "keys": (_keys, 1.12),
    "phone": (_phone, 1.08),
    "glasses": (_glasses, 1.0),
    "mug": (_mug, 1.25),
    "book": (_book, 1.0),
    "remote": (_remote, 1.0),
    "bottle": (_bottle, 1.05),
    "watch": (_watch, 1.0),
    "headphones": (_headphones, 1.0),
    "umbrella": (_umbrella, 1.0),
    "passport": (_passport, 1.12),
    "pill box": (_pill_box, 1.0),
    "charger": (_charger, 1.12),
    "scissors": (_scissors, 1.0),
    "cap": (_cap, 1.0),
    "torch": (_torch, 1.0),
    "hairbrush": (_hairbrush, 1.0),
    "ball": (_ball, 1.2),
    "candle": (_candle, 1.12),
}
