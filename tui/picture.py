"""Picture: a JPEG drawn with characters, two pixels a cell where there is colour, shades of grey where there is none.

It only writes characters and asks the terminal nothing, so it works in a pipe and over any connection. This file does
not know keyframes or the store.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

SHADES = " ░▒▓█"
# Of 32 levels a channel nobody sees the steps, and most cells of a picture have been drawn before: making their styles,
# and the terminal's codes for them, is what takes time.
LEVELS = [round(round(value * 31 / 255) * 255 / 31) for value in range(256)] * 3
COLOURS = 32**3
CELLS_KEPT = 2**15
RGB = np.array([1 << 16, 1 << 8, 1])


class Picture:
    """A rich renderable `width_cells` wide, in proportion on cells that are twice as high as wide."""

    def __init__(self, jpeg: bytes, width_cells: int) -> None:
        self._image = Image.open(BytesIO(jpeg)).convert("RGB")
        self._width_cells = width_cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(self._width_cells, options.max_width)
        rows = max(1, round(width * self._image.height / self._image.width / 2))
        in_colour = console.color_system is not None and not console.no_color
        for row in draw(self._image, width, rows, in_colour):
            yield from row
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = min(self._width_cells, options.max_width)
        return Measurement(width, width)


def decoded(jpeg: bytes, width_px: int, height_px: int) -> Image.Image:
    """The RGB picture of a JPEG, decoded no finer than to fill so many pixels well. OSError: it is none."""
    image = Image.open(BytesIO(jpeg))
    image.draft("RGB", (width_px, height_px))
    return image.convert("RGB")


def fit(image: Image.Image, width_cells: int, rows: int) -> tuple[int, int]:
    """How many cells and rows a picture takes to fill a place without being distorted."""
    share = min(width_cells / image.width, 2 * rows / image.height)
    return max(1, round(image.width * share)), max(1, round(image.height * share / 2))


def draw(image: Image.Image, width_cells: int, rows: int, in_colour: bool) -> list[list[Segment]]:
    """An RGB picture as rows of cells."""
    return _half_blocks(image, width_cells, rows) if in_colour else _shades(image, width_cells, rows)


def _half_blocks(image: Image.Image, width: int, rows: int) -> list[list[Segment]]:
    """Each cell shows an upper and a lower pixel as its two colours."""
    scaled = image.resize((width, 2 * rows), Image.Resampling.BOX).point(LEVELS)
    colours = (np.asarray(scaled) @ RGB).reshape(rows, 2, width)
    return [[_cell(*pair) for pair in zip(*row, strict=True)] for row in colours.tolist()]


@lru_cache(CELLS_KEPT)
def _cell(above: int, below: int) -> Segment:
    return Segment("▀", Style.from_color(_colour(above), _colour(below)))


@lru_cache(COLOURS)
def _colour(rgb: int) -> Color:
    return Color.from_rgb(rgb >> 16, rgb >> 8 & 255, rgb & 255)


def _shades(image: Image.Image, width: int, rows: int) -> list[list[Segment]]:
    """From the darkest of the picture to the lightest: there are few shades, and a dim room is to show as well."""
    scaled = ImageOps.autocontrast(image.convert("L").resize((width, rows), Image.Resampling.BOX))
    levels = scaled.point(lambda value: value * len(SHADES) // 256)
    return [
        [Segment("".join(SHADES[int(levels.getpixel((x, y)))] for x in range(width)))]  # type: ignore[arg-type]
        for y in range(rows)
    ]
