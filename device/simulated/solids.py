"""Solids: boxes, turned shapes, tubes and plates as plain arrays, and models made of coloured solids.

Light is baked into the vertex colours here, once, so nothing has to be lit while a day is drawn. This file does not
know what is modelled, nor which renderer draws it. Metres, degrees; solids stand on z = 0 unless moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]

_LIGHT = np.array([0.36, 0.48, 0.80])
_AMBIENT, _DIRECT, _SKY = 0.62, 0.34, 0.09


@dataclass(frozen=True, slots=True)
class Solid:
    """`points` and `normals` are (n, 3); `triangles` (m, 3) index them, counter-clockwise seen from outside."""

    points: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Solid":
        return Solid(self.points + (x, y, z), self.normals, self.triangles)

    def turned(self, axis: str, angle_deg: float) -> "Solid":
        """Turned about the x, y or z axis through the origin, right-handed."""
        a, b = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        matrix = np.eye(3)
        matrix[a, a] = matrix[b, b] = np.cos(np.radians(angle_deg))
        matrix[b, a] = np.sin(np.radians(angle_deg))
        matrix[a, b] = -matrix[b, a]
        return Solid(self.points @ matrix.T, self.normals @ matrix.T, self.triangles)

    def sized(self, x: float, y: float, z: float) -> "Solid":
        """Stretched from the origin; a negative factor mirrors."""
        normals = self.normals / (x, y, z)
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        return Solid(self.points * (x, y, z), normals, self.triangles[:, ::-1] if x * y * z < 0 else self.triangles)


class Part(NamedTuple):
    """A solid with its colour; `glow` 1 shows the colour unshaded."""

    solid: Solid
    colour: Colour
    glow: float


@dataclass(slots=True)
class Model:
    """Coloured solids, gathered by the material their surface is textured with."""

    parts: dict[str, list[Part]] = field(default_factory=dict)

    def add(self, solid: Solid, colour: Colour, material: str = "plain", glow: float = 0.0) -> None:
        self.parts.setdefault(material, []).append(Part(solid, colour, glow))

    def add_all(self, solids: Iterable[Solid], colour: Colour, material: str = "plain") -> None:
        for solid in solids:
            self.add(solid, colour, material)

    def sized(self, x: float, y: float, z: float) -> "Model":
        """Stretched from the origin; a negative factor mirrors."""
        return Model({m: [p._replace(solid=p.solid.sized(x, y, z)) for p in ps] for m, ps in self.parts.items()})


def shade(normals: np.ndarray) -> np.ndarray:
    """How bright a surface with these normals (n, 3) is -> (n,) in [0.4, 1]."""
    return np.clip(_AMBIENT + _DIRECT * np.maximum(normals @ _LIGHT, -0.2) + _SKY * normals[:, 2], 0.4, 1.0)


def box(width: float, depth: float, height: float) -> Solid:
    """Centred on x and y, standing on z = 0."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    points, normals = [], []
    for axis in range(3):
        for side in (-1, 1):
            face = np.empty((4, 3))
            face[:, axis] = side
            face[:, [(axis + 1) % 3, (axis + 2) % 3]] = corners[::side]
            points.append(face)
            normals.append(np.tile(np.eye(3)[axis] * side, (4, 1)))
    quads = np.arange(24).reshape(6, 4)
    scaled = (np.concatenate(points) + (0, 0, 1)) * (width / 2, depth / 2, height / 2)
    return Solid(scaled, np.concatenate(normals), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))


def lathe(profile: Sequence[tuple[float, float]], sides: int = 14) -> Solid:
    """A profile of (radius, z), bottom to top along the outside, turned about z."""
    edge = np.asarray(profile, dtype=float)
    step = np.diff(edge, axis=0)
    slope = np.stack([step[:, 1], -step[:, 0]], axis=1)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points, normals = [], []
    for (low, high), (out, up) in zip(zip(edge[:-1], edge[1:], strict=True), slope, strict=True):
        for radius, z in (low, high):
            points.append(np.column_stack([ring * radius, np.full(sides + 1, z)]))
            normals.append(np.column_stack([ring * out, np.full(sides + 1, up)]))
    quads = [_strip(2 * i * (sides + 1), sides) for i in range(len(step))]
    return Solid(np.concatenate(points), np.concatenate(normals), np.concatenate(quads))


def _strip(first: int, sides: int) -> np.ndarray:
    low = first + np.arange(sides)
    high = low + sides + 1
    return np.concatenate([np.stack([low, low + 1, high + 1], 1), np.stack([low, high + 1, high], 1)])


def cylinder(radius: float, height: float, sides: int = 14, top: float | None = None) -> Solid:
    """Standing on z = 0; `top` is the radius up there when it differs."""
    upper = radius if top is None else top
    return lathe([(0, 0), (radius, 0), (upper, height), (0, height)], sides)


def ball(radius: float, sides: int = 14) -> Solid:
    """Centred on the origin, smooth."""
    bow = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    solid = lathe([(radius * np.cos(a), radius * np.sin(a)) for a in bow], sides)
    return Solid(solid.points, solid.points / radius, solid.triangles)


def ring(radius: float, thickness: float, sides: int = 18) -> Solid:
    """A torus lying about the origin; `thickness` is the radius of its tube."""
    bow = np.linspace(0, 2 * np.pi, 7)
    return lathe([(radius + thickness * np.cos(a), thickness * np.sin(a)) for a in bow], sides)


def tube(path: Sequence[tuple[float, float, float]], radius: float | Sequence[float], sides: int = 7) -> Solid:
    """A round bar along a path of points, closed at both ends; one radius, or one for each point."""
    line = np.asarray(path, dtype=float)
    radii = np.broadcast_to(np.asarray(radius, dtype=float), (len(line),))
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside = np.cross(along, (0.0, 0.0, 1.0) if abs(along[:, 2]).max() < 0.95 else (0.35, 0.93, 0.1))
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    above = np.cross(aside, along)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    normals = np.cos(angle)[None, :, None] * aside[:, None] - np.sin(angle)[None, :, None] * above[:, None]
    points = line[:, None] + normals * radii[:, None, None]
    quads = [_strip(i * (sides + 1), sides) for i in range(len(line) - 1)]
    first, last = np.arange(1, sides - 1), (len(line) - 1) * (sides + 1) + np.arange(1, sides - 1)
    quads.append(np.stack([np.zeros_like(first), first + 1, first], 1))
    quads.append(np.stack([np.full_like(last, (len(line) - 1) * (sides + 1)), last, last + 1], 1))
    return Solid(points.reshape(-1, 3), normals.reshape(-1, 3), np.concatenate(quads))


def plate(outline: Sequence[tuple[float, float]], thickness: float) -> Solid:
    """A flat shape, counter-clockwise and seen whole from its middle, with its underside on z = 0."""
    edge = np.asarray(outline, dtype=float)
    count = len(edge)
    after = np.roll(edge, -1, axis=0)
    middle = edge.mean(axis=0)
    outward = np.stack([after[:, 1] - edge[:, 1], edge[:, 0] - after[:, 0]], 1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    points, normals = [], []
    for corners, z, up in (((middle, after, edge), 0.0, -1.0), ((middle, edge, after), thickness, 1.0)):
        for corner in corners:
            points.append(np.column_stack([np.broadcast_to(corner, edge.shape), np.full(count, z)]))
            normals.append(np.tile((0.0, 0.0, up), (count, 1)))
    for corner, z in (
        (edge, 0.0),
        (after, 0.0),
        (after, thickness),
        (edge, 0.0),
        (after, thickness),
        (edge, thickness),
    ):
        points.append(np.column_stack([corner, np.full(count, z)]))
        normals.append(np.column_stack([outward, np.zeros(count)]))
    triangles = np.arange(12 * count).reshape(4, 3, count).transpose(0, 2, 1).reshape(-1, 3)
    return Solid(np.concatenate(points), np.concatenate(normals), triangles)


def sheet(across: Sequence[float], up: Sequence[float]) -> Solid:
    """A grid of points on the x-y plane, facing +z: walls and floors whose corners are shaded one by one."""
    x, y = np.meshgrid(across, up)
    points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    columns, rows = len(across), len(up)
    strips = [_strip(row * columns, columns - 1) for row in range(rows - 1)]
    return Solid(points, np.tile((0.0, 0.0, 1.0), (len(points), 1)), np.concatenate(strips))
