"""Picture: a JPEG drawn with characters, two pixels a cell where there is colour, shades of grey where there is none.

It only writes characters and asks the terminal nothing, so it works in a pipe and over any connection. This file does
not know keyframes or the store.
"""

from io import BytesIO

from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

SHADES = " ░▒▓█"


class Picture:
    """A rich renderable `width_cells` wide, in proportion on cells that are twice as high as wide."""

    def __init__(self, jpeg: bytes, width_cells: int) -> None:
        self._image = Image.open(BytesIO(jpeg)).convert("RGB")
        self._width_cells = width_cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(self._width_cells, options.max_width)
        rows = max(1, round(width * self._image.height / self._image.width / 2))
        in_colour = console.color_system is not None and not console.no_color
        draw = self._half_blocks if in_colour else self._shades
        for row in draw(width, rows):
            yield from row
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = min(self._width_cells, options.max_width)
        return Measurement(width, width)

    def _half_blocks(self, width: int, rows: int) -> list[list[Segment]]:
        """Each cell shows an upper and a lower pixel as its two colours."""
        scaled = self._image.resize((width, 2 * rows), Image.Resampling.BOX)
        colour = [[Color.from_rgb(*scaled.getpixel((x, y))) for x in range(width)] for y in range(2 * rows)]  # type: ignore[misc]
        return [
            [Segment("▀", Style(color=above, bgcolor=below)) for above, below in zip(*colour[y : y + 2], strict=True)]
            for y in range(0, 2 * rows, 2)
        ]

    def _shades(self, width: int, rows: int) -> list[list[Segment]]:
        scaled = self._image.convert("L").resize((width, rows), Image.Resampling.BOX)
        levels = scaled.point(lambda value: value * len(SHADES) // 256)
        return [
            [Segment("".join(SHADES[int(levels.getpixel((x, y)))] for x in range(width)))]  # type: ignore[arg-type]
            for y in range(rows)
        ]
