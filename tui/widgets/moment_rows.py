"""Moment rows: moments one below the other, each with its picture; only the rows in sight, and a few around, exist.

This file does not know how the moments were come upon, nor what an opened one looks like.
"""

import re
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.events import Click
from textual.widgets import Static

from store.spans import moment_key
from tui.browsing import Listed, day_and_time
from tui.messages import MomentOpened, RowPointed
from tui.opened import Opened
from tui.widgets.moment_row import LARGE_ROW_LINES, ROW_LINES, MomentRow
from tui.widgets.walked import Walked

AROUND = 2  # rows that exist above and below those in sight
SLIM, LARGE = 40, 100  # cells: with less room words matter more than pictures, and with more there may be both


class MomentRows(Walked):
    """`show` gives it moments."""

    DEFAULT_CSS = "MomentRows > .ground { width: 1; height: 0; }"

    def __init__(self, opened: Opened, *, id: str) -> None:
        super().__init__(id=id)
        self._opened = opened
        self.rows: Sequence[Listed] = ()
        self._hits: re.Pattern[str] | None = None
        self._existing: dict[int, MomentRow] = {}

    def compose(self) -> ComposeResult:
        yield Static(classes="ground")  # as high as all rows together, so that there is something to scroll

    @property
    def page(self) -> int:
        return max(1, self.scrollable_content_region.height // self._lines)

    @property
    def _lines(self) -> int:
        """How high a row is."""
        return LARGE_ROW_LINES if self.size.width >= LARGE else ROW_LINES

    def show(self, rows: Sequence[Listed], at: float | None = None, hits: re.Pattern[str] | None = None) -> None:
        """Other moments, with the cursor at a time, or on the one where it was unless that was the first."""
        here = moment_key(self.rows[self.cursor].moment.keyframe) if self.rows and self.cursor else None
        self.rows, self._hits = rows, hits
        keys = [moment_key(row.moment.keyframe) for row in rows]
        self.cursor = keys.index(here) if here in keys else 0
        if at is not None and rows:
            self.cursor = min(range(len(rows)), key=lambda row: abs(rows[row].moment.started_at - at))
        self._raise_ground()

    def let_go(self) -> None:
        """Show nothing."""
        self.show(())
        self._lay_out()

    def on_resize(self) -> None:
        self.set_class(self.size.width < SLIM, "-slim")
        self.set_class(self.size.width >= LARGE, "-large")
        for row, existing in self._existing.items():
            existing.styles.offset = (0, row * self._lines)
        self._raise_ground()

    def on_show(self) -> None:
        self.call_after_refresh(self._moved)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._lay_out()

    def action_open(self) -> None:
        if self.rows:
            self.post_message(MomentOpened(self.rows[self.cursor].moment.keyframe))

    def on_click(self, event: Click) -> None:
        """Once is to select, and what is selected already is opened."""
        row = (event.screen_y - self.scrollable_content_region.y + self.scroll_offset.y) // self._lines
        if row == self.cursor:
            self.action_open()
        elif 0 <= row < self.count:
            self.move_to(row)

    def _raise_ground(self) -> None:
        self.query_one(".ground").styles.height = self.count * self._lines
        self.call_after_refresh(self._moved)

    def _moved(self) -> None:
        if not self.is_shown:
            return
        first, height = self.cursor * self._lines, max(self.scrollable_content_region.height, 1)
        lowest = min(first, first + self._lines - height)
        self.scroll_to(y=max(min(self.scroll_offset.y, first), lowest), animate=False)
        self._lay_out()
        self.post_message(RowPointed(self.cursor + 1, self.count, self._say() if self.rows else ""))

    def _say(self) -> str:
        moment = self.rows[self.cursor].moment
        pictures = f"{moment.keyframes} picture{'s' * (moment.keyframes != 1)}"
        return f"{day_and_time(moment.started_at, moment.keyframe.zone_offset_s)}: {pictures}"

    def _lay_out(self) -> None:
        """Let the rows exist that are in sight, and no others."""
        top = int(self.scroll_offset.y) // self._lines
        wanted = range(max(0, top - AROUND), min(self.count, top + self.page + 1 + AROUND))
        for row in [*self._existing]:
            existing = self._existing[row]
            if row not in wanted or existing.listed != self.rows[row] or existing.hits != self._hits:
                self._existing.pop(row).remove()
        for row in wanted:
            if row not in self._existing:
                made = self._existing[row] = MomentRow(self._opened, self.rows[row], self._hits)
                made.styles.offset = (0, row * self._lines)
                self.mount(made)
            self._existing[row].set_class(row == self.cursor, "-cursor")
