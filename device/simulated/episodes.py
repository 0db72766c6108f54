"""Training material: simulated days written as files, one .npz a day, with the dense labels that only training may see.

    jpegs, jpeg_ends (n,)             what the camera saw, squashed to the side P that a small vision tower reads: the
                                      bytes of n JPEGs one after another, and where each ends
    times_s (n,)                      seconds from the start of the day
    thing_cells, colour_cells, furniture_cells (n, G, G) uint8
                                      what fills each cell of a G x G grid: 1 + index into the vocabulary, 0 for nothing
    rooms, held, held_colours (n,)    where the wearer is; 1 + the thing in the hand that is in view, 0 for none
    hands (n,)                        the hand in view: 1 left, 2 right, 0 none
    narration_times_s (m, 2), narrations (m,)
    things, colours, furniture, room_kinds    the vocabulary: names, in the order of the indices above

This file does not know any model. Whoever reads the files needs nothing of this package.
"""

from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from device.simulated.home import COLOURS, FURNITURE_KINDS, ROOM_KINDS, THING_KINDS, Home, make_home
from device.simulated.lens import expose
from device.simulated.narrations import narrate, narrated
from device.simulated.renderer import FURNITURE_ID, Renderer
from device.simulated.view import View
from device.simulated.wearer import Wearer

CELL_PX = 16  # a patch of the tower
FINE = 4  # samples across a cell
DRAWN_PX = (320, 240)  # more than a small tower reads, so that squashing smooths as it does at full size
JPEG_QUALITY = 92
SIDES = ("", "left", "right")
VOCABULARY = {
    "things": np.array(THING_KINDS),
    "colours": np.array(tuple(COLOURS)),
    "furniture": np.array(tuple(FURNITURE_KINDS)),
    "room_kinds": np.array(tuple(ROOM_KINDS)),
}


def write_episodes(
    folder: Path, seeds: range, minutes: float, fps: float, picture_px: int, processes: int
) -> list[Path]:
    """Render the days of these seeds that are not there yet; returns all their paths in the order of the seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"home-{seed}.npz" for seed in seeds]
    work = [
        (path, seed, minutes, fps, picture_px) for path, seed in zip(paths, seeds, strict=True) if not path.exists()
    ]
    if work:
        with get_context("spawn").Pool(processes) as pool:
            pool.starmap(write_episode, work, chunksize=4)
    return paths


def write_episode(path: Path, seed: int, minutes: float, fps: float, picture_px: int) -> None:
    """Render one day and its labels; the file appears whole or not at all."""
    home = make_home(seed)
    wearer = Wearer(home, minutes * 60)
    renderer = Renderer(home, *DRAWN_PX)
    phase_s = (seed % 7) / 7 / fps
    times_s = np.arange(phase_s, minutes * 60, 1 / fps)
    frames, labels = [], []
    for at_s in times_s:
        view = wearer.view(float(at_s))
        image = expose(renderer.render(view), view, home, seed)
        frames.append(_encode(cv2.resize(image, (picture_px, picture_px), interpolation=cv2.INTER_AREA)))
        labels.append(_label(home, view, renderer.segment(view), picture_px // CELL_PX))
    renderer.close()
    acts = narrated(wearer)
    columns = {
        "jpegs": np.concatenate(frames),
        "jpeg_ends": np.cumsum([len(frame) for frame in frames]),
        "times_s": times_s.astype(np.float32),
        **{name: np.stack([label[name] for label in labels]).astype(np.uint8) for name in labels[0]},
        "narration_times_s": np.array([(act.start_s, act.end_s) for act in acts], dtype=np.float32).reshape(-1, 2),
        "narrations": np.array([narrate(home, act) for act in acts], dtype=np.str_),
        **VOCABULARY,
    }
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)
    unfinished.rename(path)


def _encode(image: np.ndarray) -> np.ndarray:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]


def _label(home: Home, view: View, segments: np.ndarray, grid: int) -> dict[str, np.ndarray]:
    """The rows of labels of one view; `segments` (h, w) is the renderer's map of what each picture cell shows."""
    kinds, colours, pieces = list(THING_KINDS), list(COLOURS), list(FURNITURE_KINDS)
    things = _commonest(np.where(segments < FURNITURE_ID, segments, 0), grid)
    furniture = _commonest(np.where(segments >= FURNITURE_ID, segments, 0), grid)
    kind_of = np.array([0, *(1 + kinds.index(thing.kind) for thing in home.things)], np.uint8)
    colour_of = np.array([0, *(1 + colours.index(thing.colour) for thing in home.things)], np.uint8)
    piece_of = np.array([1 + pieces.index(piece.kind) for piece in home.furniture], np.uint8)
    held = next((hand.holds for hand in view.hands if hand.holds is not None), None)
    held_kind = 0 if held is None else 1 + kinds.index(home.things[held].kind)
    held_colour = 0 if held is None else 1 + colours.index(home.things[held].colour)
    room = list(ROOM_KINDS).index(home.rooms[view.room].kind)
    furniture_cells = np.where(furniture > 0, piece_of[np.maximum(furniture - FURNITURE_ID, 0)], 0)
    return {
        "thing_cells": kind_of[things],
        "colour_cells": colour_of[things],
        "furniture_cells": furniture_cells,
        "rooms": np.array(room),
        "held": np.array(held_kind),
        "held_colours": np.array(held_colour),
        "hands": np.array(SIDES.index(view.hands[0].side) if view.hands else 0),
    }


def _commonest(ids: np.ndarray, grid: int) -> np.ndarray:
    """(h, w) ids -> (grid, grid): the id that fills most of each cell, 0 only where nothing else is in it."""
    fine = cv2.resize(ids, (grid * FINE, grid * FINE), interpolation=cv2.INTER_NEAREST)
    cells = fine.reshape(grid, FINE, grid, FINE).swapaxes(1, 2).reshape(grid, grid, FINE * FINE)
    votes = (cells[..., :, None] == cells[..., None, :]).sum(-1) * (cells > 0)
    return np.take_along_axis(cells, votes.argmax(-1)[..., None], -1)[..., 0]
