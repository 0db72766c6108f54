"""Activity: what a strip of a day or an hour shows of its time, a glyph for each meaning, and the words for it.

    ····▂▃▅▂__░░▁▂·····‖‖‖▂▁··

A glyph says all that there is to see, so nobody needs colours. This file does not know widgets, nor how cells are
come by.
"""

from collections.abc import Sequence

from store.records import Span, local_time
from store.timeline import Cell
from store.transcripts import EXPIRED, FORGOTTEN
from tui.browsing import HOUR_S, Stretch
from tui.clock import say_duration
from tui.standing import HELD

LEVELS = "▁▂▃▄▅▆▇█"
QUIET, NOT_WORN, MISSED, STILL, GONE, NOT_READ = "_", "·", "░", "‖", "×", " "
LEGEND = (
    f"{LEVELS[0]}…{LEVELS[-1]} activity  {QUIET} nothing new  {NOT_WORN} not worn  {MISSED} gap  "
    f"{STILL} paused, private  {GONE} forgotten"
)
QUIET_BELOW = 0.02  # of the news a second can bring
WHOLE = 0.995
ROOM_FOR_TICK = 4  # cells


def glyph(cell: Cell) -> str:
    """The one character for a cell."""
    if cell.gap:
        return STILL if cell.gap in HELD else GONE if cell.gap in (FORGOTTEN, EXPIRED) else MISSED
    if not cell.recorded:
        return NOT_WORN
    return LEVELS[_level(cell)] if cell.activity >= QUIET_BELOW else QUIET


def say_cell(cell: Cell) -> str:
    """The same in words, and the reason of a gap."""
    share = f" {max(cell.recorded, 0.01):.0%} of it" if cell.recorded < WHOLE else ""
    recorded = f"recorded{share}" if cell.recorded else ""
    if cell.gap:
        return f"{recorded}, mostly {cell.gap}" if recorded else f"not recorded: {cell.gap}"
    if not recorded:
        return "not worn"
    quiet = cell.activity < QUIET_BELOW
    return f"{recorded}, nothing new" if quiet else f"{recorded}, activity {_level(cell) + 1} of {len(LEVELS)}"


def say_part(stretch: Stretch, number: int | None, across: int, cells: Sequence[Cell]) -> str:
    """What is known of one of so many cells of a day or an hour, or without one of all of it; `cells`: none yet."""
    if number is None:
        return f"{stretch.name}: recorded {say_duration(stretch.recorded_s)}, {say_gaps(stretch) or 'no gaps'}"
    each_s = stretch.span.duration_s / across
    began = stretch.span.started_at + number * each_s
    first, last = (local_time(at, stretch.zone_offset_s) for at in (began, began + each_s))
    return f"{first:%a %d %b %Y, %H:%M} to {last:%H:%M}: {say_cell(cells[number]) if cells else '…'}"


def say_recorded(stretch: Stretch) -> str:
    """To the minute: "10 h 40 min", "47 min", and of less than one the seconds."""
    said = say_duration(stretch.recorded_s)
    return said.partition(" min ")[0] + " min" if " min " in said else said


def say_gaps(stretch: Stretch) -> str:
    """ "" for none."""
    return f"{stretch.gaps} gap{'s' * (stretch.gaps != 1)}" if stretch.gaps else ""


def cells_across(span: Span, width: int) -> int:
    """How many cells a strip has that is at most so wide: each of them whole minutes, and none shorter than one."""
    minutes = round(span.duration_s / 60)
    return next(cells for cells in range(max(1, min(width, minutes)), 0, -1) if minutes % cells == 0)


def axis(span: Span, across: int) -> str:
    """The hours of a day, or the minutes of an hour, each above the cell in which it begins."""
    is_day = span.duration_s > HOUR_S
    parts, unit = (24, "{}") if is_day else (60, ":{:02}")
    steps = (1, 2, 3, 6, 12) if is_day else (5, 10, 15, 30)
    every = next((each for each in steps if across * each // parts >= ROOM_FOR_TICK), parts)
    line = ""
    for tick in range(0, parts, every):
        line = line.ljust(-(-tick * across // parts)) + unit.format(tick)
    return line


def _level(cell: Cell) -> int:
    return min(int(cell.activity * len(LEVELS)), len(LEVELS) - 1)
