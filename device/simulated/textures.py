"""Textures painted with numpy: materials of furniture, and each room kind's own family of walls and floors.

Every texture tiles. Materials are near white, to be multiplied by a colour; walls and floors carry their colours.
This file does not know where a texture is put. Pictures are (128, 128, 3) uint8 RGB.
"""

from colorsys import hsv_to_rgb, rgb_to_hsv
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

SIDE_PX = 128

Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False, slots=True)
class Surface:
    """A texture and how many metres one copy of it covers; told apart by identity."""

    pixels: np.ndarray
    covers_m: float


class Decor(NamedTuple):
    """What a room is covered with: the wall below and above `dado_m`, the floor, the skirting's colour."""

    lower: Surface
    upper: Surface
    floor: Surface
    dado_m: float
    trim: Colour


def varied(colour: Colour, tint: float, hue: float = 0.04, value: float = 0.16) -> Colour:
    """The same colour a little turned and a little darker or lighter; tint in [0, 1)."""
    h, s, v = rgb_to_hsv(*colour)
    return hsv_to_rgb(
        (h + (tint - 0.5) * 2 * hue) % 1.0, s, min(1.0, v * (1 + (((tint * 7.3) % 1.0) - 0.5) * 2 * value))
    )


def _noise(seed: int, blur_x: float, blur_y: float) -> np.ndarray:
    """(128, 128) in about [-1, 1], tiling, smooth over the given pixels."""
    field: np.ndarray = np.random.default_rng(seed).standard_normal((SIDE_PX, SIDE_PX)).astype(np.float32)
    if blur_x or blur_y:
        wide = np.tile(field, (3, 3))
        wide = cv2.GaussianBlur(wide, (0, 0), sigmaX=max(blur_x, 0.01), sigmaY=max(blur_y, 0.01))
        field = wide[SIDE_PX : 2 * SIDE_PX, SIDE_PX : 2 * SIDE_PX]
    return np.clip(field / (2 * field.std()), -1, 1)


def _paint(luminance: np.ndarray, colour: Colour = (1.0, 1.0, 1.0)) -> np.ndarray:
    return np.clip(luminance[:, :, None] * np.asarray(colour) * 255, 0, 255).astype(np.uint8)


def _mix(mask: np.ndarray, first: Colour, second: Colour) -> np.ndarray:
    """First where the mask is 1, second where it is 0 -> float (128, 128, 3)."""
    return mask[:, :, None] * np.asarray(first) + (1 - mask[:, :, None]) * np.asarray(second)


def _finish(picture: np.ndarray, grain: np.ndarray, strength: float) -> np.ndarray:
    return np.clip(picture * (1 + strength * grain[:, :, None]) * 255, 0, 255).astype(np.uint8)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    return x, y


def _grout(cells: int, width: int = 2) -> np.ndarray:
    """1 on tiles, 0 on the joints between them."""
    x, y = _grid()
    size = SIDE_PX // cells
    return ((x % size >= width) & (y % size >= width)).astype(float)


def _each_tile(cells: int, seed: int) -> np.ndarray:
    """One value in [0, 1) a tile."""
    values = np.random.default_rng(seed).random((cells, cells))
    return np.kron(values, np.ones((SIDE_PX // cells, SIDE_PX // cells)))


@cache
def material(name: str) -> Surface:
    """The texture of a furniture material: wood, planks, cloth, quilt, stone, marble, brushed, woven."""
    x, y = _grid()
    if name == "wood":
        return Surface(_paint(0.85 + 0.13 * _noise(1, 26, 1.2) + 0.05 * _noise(2, 8, 0.6)), 0.9)
    if name == "planks":
        seam = (y % 32 >= 2) * 1.0
        return Surface(
            _paint((0.84 + 0.12 * _noise(3, 26, 1.5)) * (0.55 + 0.45 * seam) * (0.9 + 0.1 * (y // 32 % 2))), 0.7
        )
    if name == "cloth":
        return Surface(
            _paint(0.86 + 0.09 * np.sin(x * np.pi / 4) * np.sin(y * np.pi / 4) + 0.07 * _noise(4, 1, 1)), 0.30
        )
    if name == "quilt":
        diamonds = np.abs(((x + y) % 32) - 16) < 2
        return Surface(
            _paint(0.9 - 0.25 * (diamonds | (np.abs(((x - y) % 32) - 16) < 2)) + 0.05 * _noise(5, 3, 3)), 0.6
        )
    if name == "stone":
        return Surface(_paint(0.72 + 0.28 * np.sign(_noise(6, 1.2, 1.2)) * np.abs(_noise(6, 1.2, 1.2)) ** 0.5), 0.45)
    if name == "marble":
        return Surface(_paint(1.0 - 0.45 * np.exp(-np.abs(_noise(7, 9, 14)) * 9)), 0.9)
    if name == "brushed":
        return Surface(_paint(0.9 + 0.1 * _noise(8, 20, 0.4)), 0.5)
    return Surface(_paint(0.78 + 0.22 * (((x // 8) + (y // 8)) % 2) * np.sin((x % 8) * np.pi / 8)), 0.2)


@cache
def decor(kind: str, pattern: int, shade: int) -> Decor:
    """The look of a room kind: 4 patterns times 4 shades within its own family."""
    paint = {
        "kitchen": _kitchen,
        "bathroom": _bathroom,
        "bedroom": _bedroom,
        "living room": _living_room,
        "office": _office,
        "hallway": _hallway,
        "dining room": _dining_room,
    }[kind]
    return paint(pattern % 4, (shade % 4) / 4 + 0.125)


def _plain(colour: Colour, seed: int, strength: float = 0.05) -> Surface:
    return Surface(_finish(np.ones((SIDE_PX, SIDE_PX, 3)) * np.asarray(colour), _noise(seed, 3, 3), strength), 1.2)


def _kitchen(pattern: int, tint: float) -> Decor:
    x, y = _grid()
    dark = ((0.72, 0.30, 0.18), (0.16, 0.17, 0.20), (0.35, 0.45, 0.38), (0.45, 0.20, 0.20))[pattern]
    checker = ((x // 64 + y // 64) % 2).astype(float)
    floor = _mix(checker, varied(dark, tint), (0.90, 0.87, 0.78)) * (0.6 + 0.4 * _grout(2))[:, :, None]
    tiles = _mix(_grout(4), (0.93, 0.94, 0.92), (0.55, 0.56, 0.55))
    accent = _each_tile(4, pattern) > 0.82
    tiles[accent & (_grout(4) > 0)] = varied(dark, tint)
    return Decor(
        Surface(_finish(tiles, _noise(11, 5, 5), 0.03), 0.8),
        _plain(varied((0.95, 0.88, 0.60), tint), 12),
        Surface(_finish(floor, _noise(13, 4, 4), 0.06), 0.8),
        1.35,
        (0.92, 0.92, 0.90),
    )


def _bathroom(pattern: int, tint: float) -> Decor:
    base = varied(((0.10, 0.55, 0.62), (0.15, 0.42, 0.70), (0.20, 0.62, 0.58), (0.25, 0.50, 0.75))[pattern], tint)
    light = (0.80, 0.93, 0.95)
    tiles = _mix(_each_tile(8, pattern + 20) * 0.7 + 0.3, base, light) * (0.72 + 0.28 * _grout(8, 2))[:, :, None]
    white = _mix(_grout(16, 1), (0.90, 0.94, 0.95), base)
    upper = _mix(_grout(8, 1), (0.84, 0.93, 0.95), (0.55, 0.72, 0.78))
    return Decor(
        Surface(_finish(tiles, _noise(21, 4, 4), 0.04), 0.64),
        Surface(_finish(upper, _noise(22, 4, 4), 0.03), 0.8),
        Surface(_finish(white, _noise(23, 6, 6), 0.05), 0.9),
        1.7,
        light,
    )


def _bedroom(pattern: int, tint: float) -> Decor:
    x, _ = _grid()
    warm = ((0.93, 0.62, 0.52), (0.90, 0.60, 0.66), (0.94, 0.74, 0.50), (0.80, 0.62, 0.78))[pattern]
    stripes = _mix((x % 32 < 14).astype(float), varied(warm, tint, hue=0.02), (0.98, 0.92, 0.84))
    carpet = varied(
        ((0.72, 0.58, 0.50), (0.70, 0.50, 0.55), (0.66, 0.58, 0.44), (0.56, 0.48, 0.60))[pattern], tint, 0.02
    )
    paper = Surface(_finish(stripes, _noise(31, 1, 4), 0.03), 0.64)
    return Decor(
        paper,
        paper,
        Surface(_finish(np.ones((SIDE_PX, SIDE_PX, 3)) * carpet, _noise(33, 1, 1), 0.14), 0.6),
        0.9,
        (0.97, 0.95, 0.90),
    )


def _living_room(pattern: int, tint: float) -> Decor:
    x, y = _grid()
    block = (x // 32 + y // 32) % 2
    finger = np.where(block, x % 32 // 8, y % 32 // 8)
    tone = 0.80 + 0.07 * (finger % 2) + 0.10 * _each_tile(4, pattern) - 0.3 * (np.where(block, x, y) % 8 == 0)
    oak = varied(((0.80, 0.52, 0.26), (0.86, 0.60, 0.34), (0.68, 0.40, 0.20), (0.76, 0.50, 0.30))[pattern], tint, 0.015)
    wall = ((0.83, 0.52, 0.34), (0.88, 0.70, 0.36), (0.80, 0.46, 0.40), (0.86, 0.76, 0.58))[pattern]
    plain = _plain(varied(wall, tint, hue=0.015), 42)
    floor = _finish(tone[:, :, None] * np.asarray(oak), _noise(41, 3, 3), 0.07)
    return Decor(plain, plain, Surface(floor, 0.9), 0.9, (0.95, 0.92, 0.86))


def _office(pattern: int, tint: float) -> Decor:
    x, y = _grid()
    squares = 0.44 + 0.07 * ((x // 64 + y // 64) % 2) + 0.10 * _noise(51, 0.6, 0.6)
    wall = ((0.66, 0.74, 0.84), (0.72, 0.78, 0.82), (0.62, 0.70, 0.78), (0.74, 0.76, 0.86))[pattern]
    plain = _plain(varied(wall, tint, hue=0.02, value=0.06), 52, 0.03)
    lined = Surface(
        _finish(
            _mix((x % 64 >= 2).astype(float), varied(wall, tint, 0.02, 0.06), (0.42, 0.48, 0.56)),
            _noise(53, 3, 3),
            0.03,
        ),
        1.0,
    )
    return Decor(
        lined, plain, Surface(_paint(squares, varied((0.95, 1.0, 1.05), tint, 0.0, 0.1)), 1.0), 1.0, (0.35, 0.38, 0.42)
    )


def _hallway(pattern: int, tint: float) -> Decor:
    x, y = _grid()
    zigzag = (y + np.abs(x % 64 - 32)) % 128
    tone = 0.75 + 0.25 * _each_tile(1, 1) + 0.16 * (zigzag // 16 % 2) - 0.35 * ((zigzag % 16 < 2) | (x % 32 < 1))
    stone = varied(((0.24, 0.22, 0.22), (0.20, 0.22, 0.26), (0.30, 0.22, 0.18), (0.22, 0.25, 0.22))[pattern], tint)
    lower = ((0.16, 0.30, 0.24), (0.40, 0.13, 0.16), (0.20, 0.24, 0.38), (0.34, 0.24, 0.18))[pattern]
    panel = np.asarray(varied(lower, tint)) * (1 - 0.3 * (x % 64 < 3))[:, :, None]
    return Decor(
        Surface(_finish(panel, _noise(61, 3, 3), 0.05), 0.8),
        _plain((0.90, 0.86, 0.74), 62),
        Surface(_finish(tone[:, :, None] * np.asarray(stone), _noise(63, 2, 2), 0.12), 0.8),
        1.15,
        (0.16, 0.12, 0.10),
    )


def _dining_room(pattern: int, tint: float) -> Decor:
    x, y = _grid()
    ground = varied(((0.16, 0.36, 0.24), (0.46, 0.12, 0.20), (0.28, 0.36, 0.18), (0.40, 0.16, 0.32))[pattern], tint)
    motif = np.zeros((SIDE_PX, SIDE_PX))
    for cx, cy in ((32, 32), (96, 96)):
        angle, radius = np.arctan2(y - cy, x - cx), np.hypot((x - cx) * 1.25, y - cy)
        motif[radius < 17 + 9 * np.cos((3 + pattern % 2) * 2 * angle)] = 1
        motif[radius < 6] = 0
    paper = Surface(_finish(_mix(motif, (0.80, 0.68, 0.38), ground), _noise(71, 2, 2), 0.05), 0.55)
    panel = varied((0.36, 0.20, 0.11), tint, 0.01)
    boards = np.asarray(panel) * (0.75 + 0.25 * (x % 43 > 3))[:, :, None]
    planks = (0.80 + 0.12 * _noise(72, 2, 26)) * (1 - 0.45 * (x % 32 < 2)) * (0.85 + 0.15 * (x // 32 % 2))
    return Decor(
        Surface(_finish(boards, _noise(73, 1, 16), 0.12), 0.7),
        paper,
        Surface(_paint(planks, varied((0.55, 0.30, 0.15), tint, 0.015)), 0.9),
        0.85,
        (0.26, 0.13, 0.08),
    )
