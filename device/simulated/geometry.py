"""Models as panda3d geometry: vertices with baked light, one Geom a material; textures as panda3d textures.

Nodes of things, furniture and materials are made once a process and shared by every home. This file does not know
cameras, rooms' visibility or time.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

import numpy as np
from panda3d.core import (
    CullBinAttrib,
    Geom,
    GeomEnums,
    GeomNode,
    GeomTriangles,
    GeomVertexData,
    GeomVertexFormat,
    RenderState,
    SamplerState,
    Texture,
    TextureAttrib,
    TransparencyAttrib,
)

from device.simulated.fixture_shapes import shape_furniture
from device.simulated.hand_shapes import shape_hand
from device.simulated.home import Room
from device.simulated.room_shapes import darken_corners, shape_room
from device.simulated.solids import Model, Part, shade
from device.simulated.textures import SIDE_PX, Surface, material
from device.simulated.thing_shapes import shape_thing

_VERTEX = np.dtype([("point", "<f4", 3), ("colour", "u1", 4), ("uv", "<f4", 2)])
_PLAIN = "plain"
# shadows are laid over everything that is drawn in order
_LAST = 100


@cache
def thing_node(kind: str, colour: str) -> GeomNode:
    return build_node(shape_thing(kind, colour), {})


@cache
def furniture_node(kind: str, step: int, active: bool) -> GeomNode:
    return build_node(shape_furniture(kind, step, active), {})


@lru_cache(maxsize=16)
def hand_node(seed: int, side: str, grips: bool) -> GeomNode:
    return build_node(shape_hand(seed, side, grips), {})


def room_node(room: Room) -> GeomNode:
    """The shell of a room about its own centre."""
    model, surfaces = shape_room(room)
    return build_node(model, surfaces, darken_corners)


def build_node(
    model: Model, surfaces: Mapping[str, Surface], dim: Callable[[np.ndarray], np.ndarray] | None = None
) -> GeomNode:
    """A node with one Geom a material; `surfaces` are the ones that are not furniture materials.

    `dim`, when given, says how much light reaches points (n, 3).
    """
    node = GeomNode("model")
    for name, parts in model.parts.items():
        surface = None if name == _PLAIN else surfaces.get(name) or material(name)
        state = RenderState.make(TextureAttrib.make(surface_texture(surface))) if surface else RenderState.makeEmpty()
        node.addGeom(_geom(parts, surface.covers_m if surface else 1.0, dim), state)
    return node


def _geom(parts: list[Part], covers_m: float, dim: Callable[[np.ndarray], np.ndarray] | None) -> Geom:
    sizes = [len(part.solid.points) for part in parts]
    points = np.concatenate([part.solid.points for part in parts])
    normals = np.concatenate([part.solid.normals for part in parts])
    glow = np.repeat([part.glow for part in parts], sizes)
    light = glow + (1 - glow) * shade(normals) * (1.0 if dim is None else dim(points))
    vertices = np.empty(len(points), _VERTEX)
    vertices["point"] = points
    vertices["colour"][:, :3] = (
        np.clip(np.repeat([part.colour for part in parts], sizes, 0) * light[:, None], 0, 1) * 255
    )
    vertices["colour"][:, 3] = 255
    vertices["uv"] = _unfold(points, normals) / covers_m
    first = np.repeat(np.cumsum([0, *sizes[:-1]]), [len(part.solid.triangles) for part in parts])
    triangles = np.concatenate([part.solid.triangles for part in parts]) + first[:, None]
    return _upload(vertices, triangles)


def _unfold(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Texture coordinates in metres: each point seen along the axis its normal is nearest to."""
    axis = np.abs(normals).argmax(1)
    u = np.where(axis == 0, points[:, 1], points[:, 0])
    v = np.where(axis == 2, points[:, 1], points[:, 2])
    return np.column_stack([u, v])


def _upload(vertices: np.ndarray, triangles: np.ndarray) -> Geom:
    data = GeomVertexData("model", GeomVertexFormat.getV3c4t2(), GeomEnums.UHStatic)
    data.uncleanSetNumRows(len(vertices))
    data.modifyArrayHandle(0).copyDataFrom(vertices.tobytes())
    primitive = GeomTriangles(GeomEnums.UHStatic)
    primitive.setIndexType(GeomEnums.NTUint16)
    indices = primitive.modifyVertices()
    indices.uncleanSetNumRows(triangles.size)
    indices.modifyHandle().copyDataFrom(triangles.astype(np.uint16).tobytes())
    geom = Geom(data)
    geom.addPrimitive(primitive)
    return geom


@cache
def surface_texture(surface: Surface) -> Texture:
    """A repeating, filtered texture."""
    texture = Texture("surface")
    texture.setup2dTexture(SIDE_PX, SIDE_PX, Texture.TUnsignedByte, Texture.FRgb)
    texture.setRamImage(np.ascontiguousarray(surface.pixels[::-1, :, ::-1]).tobytes())
    texture.setMinfilter(SamplerState.FTLinearMipmapNearest)
    texture.setMagfilter(SamplerState.FTLinear)
    texture.setWrapU(SamplerState.WMRepeat)
    texture.setWrapV(SamplerState.WMRepeat)
    return texture


@cache
def shadow_node(width_m: float, depth_m: float) -> GeomNode:
    """A soft dark patch just above z = 0, a little larger than what stands on it."""
    angle = np.linspace(0, 2 * np.pi, 13)
    # a rounded rectangle: between a circle and a square
    edge = np.column_stack([np.cos(angle), np.sin(angle)])
    edge /= np.maximum(np.abs(edge).max(1, keepdims=True), 0.8)
    rings = [edge * 0.0, edge * 0.62, edge * 1.0]
    vertices = np.zeros(3 * len(angle), _VERTEX)
    vertices["point"][:, :2] = np.concatenate(rings) * (width_m * 0.62, depth_m * 0.62)
    vertices["point"][:, 2] = 0.003
    vertices["colour"][:, 3] = np.repeat((130, 105, 0), len(angle))
    low = (np.arange(12) + np.array([[0], [13]])).ravel()
    triangles = np.concatenate([np.stack([low, low + 13, low + 14], 1), np.stack([low, low + 14, low + 1], 1)])
    node = GeomNode("shadow")
    state = RenderState.make(TransparencyAttrib.make(TransparencyAttrib.MAlpha), CullBinAttrib.make("fixed", _LAST))
    node.addGeom(_upload(vertices, triangles), state)
    return node
