"""The wearer's hands and sleeves, in the head's axes about the palm (right, forward, up).

Skin and sleeve follow the home's seed; sleeves are muted so they are never mistaken for a thing. This file does not
know where a hand is nor what it holds.
"""

from colorsys import hsv_to_rgb
from random import Random

from device.simulated.solids import Colour, Model, ball, box, tube

_SKINS: tuple[Colour, ...] = (
    (0.96, 0.78, 0.66),
    (0.88, 0.66, 0.50),
    (0.74, 0.52, 0.38),
    (0.56, 0.37, 0.26),
    (0.40, 0.26, 0.18),
)


def shape_hand(seed: int, side: str, grips: bool) -> Model:
    """One hand of the wearer of this home: gripping, or open and reaching."""
    rng = Random(f"hand {seed}")
    skin = rng.choice(_SKINS)
    sleeve = hsv_to_rgb(rng.random(), rng.uniform(0.10, 0.28), rng.uniform(0.30, 0.62))
    model = Model()
    _add_arm(model, skin, sleeve)
    model.add(ball(0.5, 12).sized(0.092, 0.105, 0.036).moved(0, -0.005, 0), skin)
    nail = (min(1.0, skin[0] * 1.12), skin[1] * 0.98, skin[2] * 0.98)
    for i in range(4):
        _add_finger(model, skin, nail, -0.033 + 0.022 * i, (0.070, 0.084, 0.080, 0.062)[i], grips)
    if grips:
        root, knuckle, tip = (0.034, -0.035, 0.004), (0.066, -0.030, 0.030), (0.052, -0.036, 0.074)
    else:
        root, knuckle, tip = (-0.036, -0.030, 0.004), (-0.066, 0.004, 0.014), (-0.074, 0.048, 0.008)
    model.add(tube([root, knuckle, tip], (0.017, 0.015, 0.011), 8), skin)
    model.add(ball(0.011, 8).moved(*tip), nail)
    return model if side == "right" else model.sized(-1, 1, 1)


def _add_arm(model: Model, skin: Colour, sleeve: Colour) -> None:
    """A wrist and a forearm that leave the picture towards the lower corner of their side."""
    wrist, cuff, elbow = (0.006, -0.06, -0.010), (0.028, -0.115, -0.045), (0.26, -0.40, -0.27)
    model.add(tube([(0, -0.03, 0), wrist, (0.03, -0.13, -0.05)], (0.030, 0.028, 0.030), 10), skin)
    model.add(tube([cuff, (0.040, -0.13, -0.055), elbow], (0.042, 0.044, 0.062), 12), sleeve, "cloth")
    dark = (sleeve[0] * 0.7, sleeve[1] * 0.7, sleeve[2] * 0.7)
    model.add(tube([cuff, (0.032, -0.125, -0.051)], 0.046, 12), dark)


def _add_finger(model: Model, skin: Colour, nail: Colour, x: float, length: float, grips: bool) -> None:
    spread = x * 0.35
    if grips:
        joints = [
            (x, 0.035, 0.0),
            (x + spread, 0.035 + length * 0.45, 0.006),
            (x + spread, 0.035 + length * 0.55, 0.034),
        ]
    else:
        joints = [
            (x, 0.035, 0.0),
            (x + spread, 0.035 + length * 0.5, 0.004),
            (x + 1.4 * spread, 0.035 + length, -0.010),
        ]
    model.add(tube(joints, (0.0125, 0.0115, 0.0095), 8), skin)
    model.add(ball(0.0095, 8).moved(*joints[-1]), skin)
    model.add(box(0.010, 0.010, 0.004).moved(joints[-1][0], joints[-1][1], joints[-1][2] + 0.006), nail)
