"""What a head camera does to a clean picture: turning blurs it, exposure drifts, dim rooms are dark and noisy.

Everything follows from the view and a seed, so the same instant gives the same picture. This file does not know how
the clean picture was drawn.
"""

from math import pi, sin

import cv2
import numpy as np

from device.simulated.home import Home
from device.simulated.view import View

_FIELD_OF_VIEW_DEG = 85.0
_BRIGHT_EXPOSURE_S, _DIM_EXPOSURE_S = 1 / 60, 1 / 30
_LAMP_BRIGHTENS = 0.7
_BRIGHT_NOISE, _DIM_NOISE = 2.0, 9.0
_DRIFT = 0.06
_LONGEST_BLUR_PX = 40


def expose(image: np.ndarray, view: View, home: Home, seed: int) -> np.ndarray:
    """The camera's picture of a clean one -> (H, W, 3) uint8 RGB; `image` is left as it is."""
    dimness = room_dimness(view, home)
    blurred = _blur(image, view.turning_deg_s, _BRIGHT_EXPOSURE_S + dimness * (_DIM_EXPOSURE_S - _BRIGHT_EXPOSURE_S))
    bright = cv2.LUT(blurred, _tone_curve((1 - 0.75 * dimness) * _drift(view.at_s, seed)))
    return _add_noise(bright, _BRIGHT_NOISE + dimness * (_DIM_NOISE - _BRIGHT_NOISE), view.at_s, seed)


def room_dimness(view: View, home: Home) -> float:
    """How dark the wearer's room is, 0 to 1; a lamp that is on there takes most of it away."""
    dimness = home.rooms[view.room].dimness
    lit = any(home.furniture[i].kind == "lamp" and home.furniture[i].room == view.room for i in view.active)
    return dimness * (1 - _LAMP_BRIGHTENS) if lit else dimness


def _blur(image: np.ndarray, turning_deg_s: tuple[float, float], exposure_s: float) -> np.ndarray:
    """Smeared along the way the head turned (heading, pitch) while the shutter was open.

    Averaging with copies half, a quarter, an eighth ... of the way along is a line of many taps for a few passes.
    """
    px_per_deg = image.shape[1] / _FIELD_OF_VIEW_DEG
    across, down = (
        np.clip(rate * exposure_s * px_per_deg, -_LONGEST_BLUR_PX, _LONGEST_BLUR_PX) for rate in turning_deg_s
    )
    if max(abs(across), abs(down)) < 1.5:
        return image
    border = _LONGEST_BLUR_PX
    smeared = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    part = 0.5
    while max(abs(across), abs(down)) * part >= 0.5:
        smeared = _average_with_shifted(smeared, round(across * part), round(down * part))
        part /= 2
    height, width = image.shape[:2]
    top, left = (smeared.shape[0] - height) // 2, (smeared.shape[1] - width) // 2
    return smeared[top : top + height, left : left + width].copy()


def _average_with_shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Smaller than `image` by the shift."""
    height, width = image.shape[:2]
    here = image[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    there = image[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
    return cv2.addWeighted(here, 0.5, there, 0.5, 0)


def _drift(at_s: float, seed: int) -> float:
    """The exposure control hunting slowly: a smooth factor about 1."""
    phase = seed % 997
    return 1 + _DRIFT * (sin(2 * pi * at_s / 23 + phase) + 0.5 * sin(2 * pi * at_s / 7.3 + 2.1 * phase)) / 1.5


def _tone_curve(gain: float) -> np.ndarray:
    """256 brightnesses; highlights are rolled off rather than cut."""
    level = np.arange(256) / 255 * gain
    rolled = np.where(level > 0.85, 0.85 + 0.15 * np.tanh((level - 0.85) / 0.15), level)
    return np.round(rolled * 255).astype(np.uint8)


def _add_noise(image: np.ndarray, sigma: float, at_s: float, seed: int) -> np.ndarray:
    """Sensor noise of this standard deviation, from one field shifted to a new place every instant."""
    rng = np.random.default_rng((seed, round(at_s * 1000) & 0xFFFFFFFF))
    height, width = image.shape[:2]
    field = rng.integers(0, 256, (height // 4 + 1) * width * 3, np.uint8)
    start = rng.integers(0, width * 3, 4)
    noise = np.concatenate([field[s : s + (height // 4) * width * 3] for s in start])
    noise = np.resize(noise, image.shape)
    spread = np.round((np.arange(256) - 127.5) / 127.5 * sigma * 3**0.5)
    brighter = cv2.LUT(noise, np.clip(spread, 0, 255).astype(np.uint8))
    darker = cv2.LUT(noise, np.clip(-spread, 0, 255).astype(np.uint8))
    return cv2.subtract(cv2.add(image, brighter), darker)
