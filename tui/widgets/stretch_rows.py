"""Stretch rows: days or hours, one below the other, each with the strip of its activity and gaps.

Rows are drawn as they come into sight, and strips are read by one thread that asks anew before each what is in sight
now: walking fast reads no more than walking slowly, and the keys never wait. This file does not know where the
stretches come from, nor what is seen from nearer.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.binding import Binding
from textual.events import Click
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from store.errors import UserError
from store.records import Span
from store.timeline import Cell, activity
from tui.activity import (
    GONE,
    MISSED,
    NOT_READ,
    NOT_WORN,
    STILL,
    axis,
    cells_across,
    glyph,
    say_gaps,
    say_part,
    say_recorded,
)
from tui.browsing import HOUR_S, Stretch, nearest
from tui.messages import RowPointed, StretchOpened
from tui.opened import Opened
from tui.widgets.walked import Walked

STRIPS_KEPT = 512
MARK = "▸ "
# Cells: how wide what stands behind a strip is for days and for hours, and from which width on there is room for it.
DAY_FIGURES, HOUR_FIGURES, GAPS_WIDTH = 12, 10, 8
ROOM_FOR_FIGURES, ROOM_FOR_GAPS_OF_HOURS, ROOM_FOR_NAMES = 64, 86, 40
MISSING = {MISSED, STILL, GONE}


class StretchRows(Walked, ScrollView):
    """`show` gives it rows; the cell under the cursor is a share of the stretch, so it stays where it is in time."""

    COMPONENT_CLASSES = {"stretch--missing", "stretch--faint", "stretch--cursor"}
    DEFAULT_CSS = """
    StretchRows > .stretch--missing { color: $text-warning; }
    StretchRows > .stretch--faint { text-style: dim; }
    StretchRows > .stretch--cursor { text-style: bold; }
    """
    BINDINGS = [
        Binding("left", "shift(-1)", "Time", key_display="←→"),
        Binding("right", "shift(1)", "Later", show=False),
    ]

    def __init__(self, opened: Opened, *, id: str) -> None:
        super().__init__(id=id)
        self._opened = opened
        self.rows: Sequence[Stretch] = ()
        self._pointed: float | None = None  # the share of the stretch under the cursor, if one was pointed at
        self._strips: OrderedDict[tuple[Span, int], tuple[Stretch, list[Cell]]] = OrderedDict()
        self._reading = False

    @property
    def page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def show(self, rows: Sequence[Stretch], at: float | None = None) -> None:
        """Other rows, with the cursor at a time, or where it was. The strips of what has not changed are kept."""
        here = self.rows[self.cursor].span.started_at if self.rows and self.cursor else None
        self.rows, at = rows, here if at is None else at
        self.cursor = 0 if at is None else _row_of(rows, at)
        self.virtual_size = Size(1, len(rows) + 1)
        self._moved()

    def let_go(self) -> None:
        """Show nothing, and keep nothing."""
        self._strips.clear()
        self._pointed = None
        self.show(())

    def on_resize(self) -> None:
        self.call_after_refresh(self._moved)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._wish()

    def action_shift(self, step: int) -> None:
        """To the next cell or, at first, to the first or last in which something was worn."""
        if not self.rows:
            return
        if self._cell is None:
            cells = self._cells(self.rows[self.cursor])
            worn = [place for place, cell in enumerate(cells) if glyph(cell) != NOT_WORN] or [0]
            self._point_at(worn[0] if step > 0 else worn[-1])
        else:
            self._point_at(max(0, min(self._cell + step, self._across - 1)))

    def action_open(self) -> None:
        if self.rows:
            self.post_message(StretchOpened(self.rows[self.cursor], self._pointed_at))

    def on_click(self, event: Click) -> None:
        """Once is to select, and what is selected already is opened."""
        row, cell = event.y - 1 + self.scroll_offset.y, event.x - len(MARK) - self._name_width
        if not (event.y and 0 <= row < self.count):
            return
        on_strip = 0 <= cell < self._across
        if row == self.cursor and (not on_strip or cell == self._cell):
            self.action_open()
            return
        self._pointed = (cell + 0.5) / self._across if on_strip else self._pointed
        self.move_to(row)

    def render_line(self, y: int) -> Strip:
        row, width = y - 1 + self.scroll_offset.y, self.size.width
        if not self.rows or row >= self.count:
            return Strip.blank(width, self.rich_style)
        segments = list(self._draw(row) if y else self._draw_axis())
        return Strip(segments).adjust_cell_length(width, self.rich_style).apply_style(self.rich_style)

    def _draw(self, row: int) -> Iterator[Segment]:
        stretch, is_here = self.rows[row], row == self.cursor
        plain = self._style("stretch--cursor") if is_here else self.rich_style
        name = stretch.label if self._width >= ROOM_FOR_NAMES else stretch.short
        yield Segment((MARK if is_here else " " * len(MARK)) + name.ljust(self._name_width), plain)
        glyphs = "".join(glyph(cell) for cell in self._cells(stretch)) or NOT_READ * self._across
        marked = [(each, is_here and place == self._cell) for place, each in enumerate(glyphs)]
        for (each, is_cell), run in groupby(marked):
            style = self._style_of(each, plain)
            yield Segment(each * len(list(run)), style + Style(reverse=True) if is_cell else style)
        recorded_width, gaps_width = self._figures
        if recorded_width:
            yield Segment(say_recorded(stretch).rjust(recorded_width), plain)
        if gaps_width:
            yield Segment(say_gaps(stretch).rjust(gaps_width), plain)

    def _draw_axis(self) -> Iterator[Segment]:
        numbers = axis(self.rows[0].span, self._across)
        yield Segment(" " * (len(MARK) + self._name_width) + numbers, self._style("stretch--faint"))

    def _style_of(self, each: str, plain: Style) -> Style:
        name = "stretch--missing" if each in MISSING else "stretch--faint" if each == NOT_WORN else ""
        return plain + self._style(name) if name else plain

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _name_width(self) -> int:
        row = self.rows[0]
        return len(row.label if self._width >= ROOM_FOR_NAMES else row.short) + 1

    @property
    def _across(self) -> int:
        """How many cells a strip has."""
        return cells_across(self.rows[0].span, self._width - len(MARK) - self._name_width - sum(self._figures))

    @property
    def _figures(self) -> tuple[int, int]:
        """How wide the recorded time and the number of gaps are; an hour's sixty minutes matter more than its gaps."""
        if self._width < ROOM_FOR_FIGURES:
            return 0, 0
        if self.rows[0].span.duration_s > HOUR_S:
            return DAY_FIGURES, GAPS_WIDTH
        return HOUR_FIGURES, GAPS_WIDTH * (self._width >= ROOM_FOR_GAPS_OF_HOURS)

    @property
    def _cell(self) -> int | None:
        return None if self._pointed is None else int(self._pointed * self._across)

    @property
    def _pointed_at(self) -> float | None:
        """The middle of the cell under the cursor, UTC seconds."""
        span = self.rows[self.cursor].span
        return None if self._pointed is None else span.started_at + self._pointed * span.duration_s

    def _cells(self, stretch: Stretch) -> list[Cell]:
        """As they were read last, none before that."""
        kept = self._strips.get((stretch.span, self._across))
        return kept[1] if kept else []

    def _point_at(self, cell: int) -> None:
        self._pointed = (cell + 0.5) / self._across
        self._moved()

    def _moved(self) -> None:
        if not self.is_shown or self._width <= 0:
            return
        top = min(self.scroll_offset.y, self.cursor)
        self.scroll_to(y=max(top, self.cursor - self.page + 1), animate=False)
        self.refresh()
        self._wish()
        self._tell()

    def on_show(self) -> None:
        self._moved()

    def _tell(self) -> None:
        self.post_message(RowPointed(self.cursor + 1, self.count, self._say() if self.rows else ""))

    def _say(self) -> str:
        stretch = self.rows[self.cursor]
        return say_part(stretch, self._cell, self._across, self._cells(stretch))

    def _wish(self) -> None:
        if not self._reading and self._wished():
            self._reading = True
            self._read()

    def _wished(self) -> tuple[Stretch, int] | None:
        """A stretch in sight whose strip is not known as it is now, that under the cursor first."""
        if not self.rows or self._width <= 0:
            return None
        top, across = self.scroll_offset.y, self._across
        for row in (self.cursor, *range(top, min(top + self.page, self.count))):
            stretch = self.rows[row]
            kept = self._strips.get((stretch.span, across))
            if kept is None or kept[0] != stretch:
                return stretch, across
        return None

    @work(thread=True, group="strips", exit_on_error=False)
    def _read(self) -> None:
        """Read what is wished for, and ask again, until nothing is."""
        wished, worker = self.app.call_from_thread(self._next), get_current_worker()
        while wished and not worker.is_cancelled:
            stretch, across = wished
            try:
                cells = activity(self._opened.store, stretch.span, across)
            except UserError as error:
                cells = []
                self.app.call_from_thread(self.notify, error.hint, title=error.message, severity="error", markup=False)
            self.app.call_from_thread(self._keep, stretch, across, cells)
            wished = self.app.call_from_thread(self._next)

    def _next(self) -> tuple[Stretch, int] | None:
        wished = self._wished()
        self._reading = wished is not None
        return wished

    def _keep(self, stretch: Stretch, across: int, cells: list[Cell]) -> None:
        self._strips[stretch.span, across] = stretch, cells
        while len(self._strips) > STRIPS_KEPT:
            self._strips.popitem(last=False)
        self.refresh()
        self._tell()


def _row_of(rows: Sequence[Stretch], at: float) -> int:
    return rows.index(nearest(rows, Span(at, at + 1))) if rows else 0
