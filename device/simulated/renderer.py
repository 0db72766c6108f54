"""Draw a view of a home with panda3d's software renderer, and say which thing or piece is seen where.

`Renderer.render` gives clean pictures; lens.py turns them into camera pictures. The same home and view give the same
pixels. This file does not know who the wearer is or why things move. It needs no display and no GPU.
"""

from functools import cache
from math import radians, tan

import cv2
import numpy as np
from panda3d.core import (
    BitMask32,
    Camera,
    ColorAttrib,
    FrameBufferProperties,
    GraphicsEngine,
    GraphicsOutput,
    GraphicsPipe,
    GraphicsPipeSelection,
    GraphicsStateGuardian,
    NodePath,
    PandaNode,
    PerspectiveLens,
    RenderState,
    Texture,
    TextureAttrib,
    WindowProperties,
    loadPrcFileData,
)

from device.simulated.fixture_shapes import tint_step
from device.simulated.geometry import furniture_node, hand_node, room_node, shadow_node, thing_node
from device.simulated.home import Furniture, Home
from device.simulated.thing_shapes import LYING_FLAT
from device.simulated.view import Hand, View

FIELD_OF_VIEW_DEG = 85.0
FURNITURE_ID = 1000

_NEAR_M, _FAR_M = 0.1, 20.0
# arms are drawn this much smaller and nearer, which looks the same but keeps them in front of every wall
_ARM_SCALE = 0.45
# the segment map's cells are drawn this much finer, so that small things are not missed between samples
_FINER = 4
_CELL_PX = 16
# pictures are drawn this much finer: the software renderer rounds corners to whole pixels, which shows otherwise
_SMOOTHING = 2
# what is nearest is drawn first, so that what it hides costs little
_DRAW_ORDER = {"arms": 0, "things": 1, "own room": 2, "own shell": 3, "other room": 4, "other shell": 5}
_EYE_MASK, _LABEL_MASK = BitMask32.bit(0), BitMask32.bit(1)
_THING_STEP, _FURNITURE_STEP = 12, 5


class Renderer:
    """Draws one home. Pictures are (height_px, width_px, 3) uint8 RGB."""

    def __init__(self, home: Home, width_px: int = 640, height_px: int = 480) -> None:
        self._home = home
        self._root = NodePath("home")
        self._rooms = [self._build_room(index) for index in range(len(home.rooms))]
        self._fixtures: dict[int, tuple[NodePath, NodePath]] = {}
        for index, piece in enumerate(home.furniture):
            self._place_furniture(index, piece)
        self._things = [self._build_thing(index) for index in range(len(home.things))]
        self._head = self._root.attachNewNode("head")
        self._arms = self._head.attachNewNode("arms")
        self._arms.setScale(_ARM_SCALE)
        _draw_in_order(self._arms, "arms")
        self._hands = {
            (side, grips): self._arms.attachNewNode(PandaNode("hand"))
            for side in ("left", "right")
            for grips in (False, True)
        }
        for (side, grips), node in self._hands.items():
            node.node().addChild(hand_node(home.seed, side, grips))
        self._eye = self._head.attachNewNode(_camera(width_px / height_px))
        self._labeller = self._head.attachNewNode(_label_camera(home, width_px / height_px))
        self._picture = _screen(width_px, height_px, _SMOOTHING)
        self._labels = _screen(width_px // _CELL_PX * _FINER, height_px // _CELL_PX * _FINER, 1)

    def render(self, view: View) -> np.ndarray:
        """The clean picture of this view -> (height_px, width_px, 3) uint8 RGB."""
        self._arrange(view)
        return self._picture.take(self._eye)

    def segment(self, view: View) -> np.ndarray:
        """What is seen in each 16 x 16 cell -> (height_px // 16, width_px // 16) int16.

        0 is background, 1 + i thing i, 1000 + j piece of furniture j. A thing wins a cell once it fills an eighth.
        """
        self._arrange(view)
        fine = self._labels.take(self._labeller).astype(np.int16)
        things = (fine[:, :, 0] + _THING_STEP // 2) // _THING_STEP
        pieces = (fine[:, :, 1] + _FURNITURE_STEP // 2) // _FURNITURE_STEP
        fine_ids = np.where(things > 0, things, np.where(pieces > 0, pieces + FURNITURE_ID - 1, 0))
        return _most_seen(fine_ids.astype(np.int16))

    def close(self) -> None:
        """Let the home's scene go; the renderer cannot be used afterwards."""
        self._root.removeNode()

    def _build_room(self, index: int) -> NodePath:
        room = self._home.rooms[index]
        node = self._root.attachNewNode("room")
        shell = node.attachNewNode(PandaNode("shell"))
        shell.node().addChild(room_node(room))
        shell.setPos(*room.centre, 0)
        return node

    def _place_furniture(self, index: int, piece: Furniture) -> None:
        states = (False,) if piece.fixture is None else (False, True)
        nodes = []
        for active in states:
            node = self._rooms[piece.room].attachNewNode("piece")
            node.node().addChild(furniture_node(piece.kind, tint_step(piece.tint), active))
            node.setPosHpr(*piece.position, 0, piece.heading_deg, 0, 0)
            _cast_shadow(node, piece.shape.width_m, piece.shape.depth_m)
            node.setTag("label", f"furniture {index}")
            nodes.append(node)
        if len(nodes) == 2:
            self._fixtures[index] = (nodes[0], nodes[1])

    def _build_thing(self, index: int) -> NodePath:
        thing = self._home.things[index]
        node = self._root.attachNewNode("thing")
        node.node().addChild(thing_node(thing.kind, thing.colour))
        node.setTag("label", f"thing {index}")
        _draw_in_order(node, "things")
        low, high = node.getTightBounds()
        _cast_shadow(node, high[0] - low[0], high[1] - low[1])
        return node

    def _arrange(self, view: View) -> None:
        """Put everything where the view says."""
        self._head.setPosHpr(*view.eye, view.heading_deg, view.pitch_deg, view.roll_deg)
        for index, room in enumerate(self._rooms):
            _show(room, self._is_near(index, view.room))
            whose = "own" if index == view.room else "other"
            _draw_in_order(room, f"{whose} room")
            _draw_in_order(room.find("shell"), f"{whose} shell")
        for index, (rest, active) in self._fixtures.items():
            _show(rest, index not in view.active)
            _show(active, index in view.active)
        placed = {item.thing: item for item in view.placed}
        for index, node in enumerate(self._things):
            _show(node, index in placed)
            if index in placed:
                node.reparentTo(self._root)
                node.find("shadow").show(_EYE_MASK)
                node.setPosHprScale(placed[index].position, (placed[index].turn_deg, 0, 0), (1, 1, 1))
        for node in self._hands.values():
            node.hide()
        for hand in view.hands:
            self._raise_hand(hand)

    def _is_near(self, index: int, room: int) -> bool:
        (x, y), (at_x, at_y) = self._home.rooms[index].cell, self._home.rooms[room].cell
        return abs(x - at_x) + abs(y - at_y) <= 1

    def _raise_hand(self, hand: Hand) -> None:
        node = self._hands[hand.side, hand.holds is not None]
        node.setPos(*hand.offset)
        node.show()
        if hand.holds is None:
            return
        thing = self._things[hand.holds]
        thing.reparentTo(self._arms)
        right, forward, up = hand.offset
        flat = self._home.things[hand.holds].kind in LYING_FLAT
        thing.setPosHpr(right, forward + 0.01, up + (0.10 if flat else 0.02), 0, 58 if flat else 18, 0)
        thing.show()
        thing.find("shadow").hide(_EYE_MASK)


class _Screen:
    """A buffer in memory that any camera can draw into, `finer` times as fine as the picture it gives."""

    def __init__(self, width_px: int, height_px: int, finer: int) -> None:
        self._size = (width_px, height_px)
        self._fine = (height_px * finer, width_px * finer, -1)
        self._texture = Texture("screen")
        self._buffer = _open_buffer(width_px * finer, height_px * finer)
        self._buffer.addRenderTexture(self._texture, GraphicsOutput.RTMCopyRam)
        self._buffer.setClearColor((0, 0, 0, 1))
        self._region = self._buffer.makeDisplayRegion()
        self._buffer.setActive(False)

    def take(self, camera: NodePath) -> np.ndarray:
        """What the camera sees now -> (height_px, width_px, 3) uint8 RGB."""
        self._region.setCamera(camera)
        self._buffer.setActive(True)
        GraphicsEngine.getGlobalPtr().renderFrame()
        self._buffer.setActive(False)
        self._region.setCamera(NodePath())
        picture: np.ndarray = np.frombuffer(memoryview(self._texture.getRamImage()), np.uint8).reshape(self._fine)
        if picture.shape[1] != self._size[0]:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        return cv2.flip(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGB), 0)


@cache
def _screen(width_px: int, height_px: int, finer: int) -> _Screen:
    """Screens are shared by all renderers of a size: panda3d never frees the memory of a software buffer."""
    return _Screen(width_px, height_px, finer)


@cache
def _host() -> tuple[GraphicsPipe, GraphicsOutput]:
    """The software pipe, and a small buffer that keeps textures loaded for every other one."""
    loadPrcFileData("", "load-display p3tinydisplay\naudio-library-name null\nnotify-level warning\n")
    pipe = GraphicsPipeSelection.getGlobalPtr().makePipe("TinyOffscreenGraphicsPipe", "p3tinydisplay")
    host = _make_buffer(pipe, 16, 16)
    host.setActive(False)
    return pipe, host


def _open_buffer(width_px: int, height_px: int) -> GraphicsOutput:
    pipe, host = _host()
    return _make_buffer(pipe, width_px, height_px, host.getGsg())


def _make_buffer(pipe: GraphicsPipe, width_px: int, height_px: int, *shared: GraphicsStateGuardian) -> GraphicsOutput:
    properties = FrameBufferProperties()
    properties.setRgbColor(True)
    properties.setDepthBits(16)
    size = WindowProperties.size(width_px, height_px)
    engine = GraphicsEngine.getGlobalPtr()
    return engine.makeOutput(pipe, "screen", 0, properties, size, GraphicsPipe.BFRefuseWindow, *shared)


def _camera(aspect: float) -> Camera:
    lens = PerspectiveLens()
    across = 2 * _NEAR_M * tan(radians(FIELD_OF_VIEW_DEG / 2))
    lens.setNearFar(_NEAR_M, _FAR_M)
    lens.setFilmSize(across, across / aspect)
    lens.setFocalLength(_NEAR_M)
    camera = Camera("eye", lens)
    camera.setCameraMask(_EYE_MASK)
    return camera


def _label_camera(home: Home, aspect: float) -> Camera:
    """A camera that sees everything black but things and furniture, which it sees as their number."""
    camera = _camera(aspect)
    camera.setCameraMask(_LABEL_MASK)
    camera.setInitialState(_flat(0.0, 0.0, 1))
    camera.setTagStateKey("label")
    for i in range(len(home.things)):
        camera.setTagState(f"thing {i}", _flat((1 + i) * _THING_STEP / 255, 0.0, 2))
    for j in range(len(home.furniture)):
        camera.setTagState(f"furniture {j}", _flat(0.0, (1 + j) * _FURNITURE_STEP / 255, 2))
    return camera


def _flat(red: float, green: float, priority: int) -> RenderState:
    return RenderState.make(ColorAttrib.makeFlat((red, green, 0, 1)), TextureAttrib.makeAllOff(), priority)


def _draw_in_order(node: NodePath, layer: str) -> None:
    node.setBin("fixed", _DRAW_ORDER[layer])


def _cast_shadow(node: NodePath, width_m: float, depth_m: float) -> None:
    """Darken what `node` stands on, for the eye only."""
    shadow = node.attachNewNode(PandaNode("shadow"))
    shadow.node().addChild(shadow_node(round(width_m, 2), round(depth_m, 2)))
    shadow.hide(_LABEL_MASK)


def _show(node: NodePath, shown: bool) -> None:
    if shown:
        node.show()
    else:
        node.hide()


def _most_seen(fine: np.ndarray) -> np.ndarray:
    """(4h, 4w) -> (h, w): the thing that fills an eighth of a cell, otherwise what fills most of it."""
    rows, columns = fine.shape[0] // _FINER, fine.shape[1] // _FINER
    cells = fine.reshape(rows, _FINER, columns, _FINER).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    counts = (cells[:, :, :, None] == cells[:, :, None, :]).sum(3)
    is_thing = (cells > 0) & (cells < FURNITURE_ID)
    weight = counts + np.where(is_thing & (counts >= _FINER * _FINER // 8), 100, 0)
    return np.take_along_axis(cells, weight.argmax(2)[:, :, None], 2)[:, :, 0]
