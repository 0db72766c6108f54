"""Walked: a list of rows with a cursor, of which only those in sight exist. What the lists of the timeline share.

Walking on behind an end is told as a fact. This file does not know what a row is, nor how it is drawn.
"""

from collections.abc import Sequence
from typing import Any

from textual.binding import Binding
from textual.containers import ScrollableContainer

from tui.messages import EndPassed


class Walked(ScrollableContainer):
    """A list knows how many rows it has (`count`) and shows at once (`page`); `_moved` is told where the cursor is."""

    BINDINGS = [
        Binding("up", "walk(-1)", "Newer", show=False),
        Binding("down", "walk(1)", "Older", show=False),
        Binding("pageup", "turn(-1)", "A page up", show=False),
        Binding("pagedown", "turn(1)", "A page down", show=False),
        Binding("home", "stand_at(0)", "First", show=False),
        Binding("end", "stand_at(-1)", "Last", show=False),
        Binding("enter", "open", "Open"),
    ]

    DEFAULT_CSS = "Walked { overflow-x: hidden; scrollbar-gutter: stable; }"

    cursor = 0

    rows: Sequence[Any] = ()

    def show(self, rows: Sequence[Any], at: float | None = None) -> None:
        """Other rows, with the cursor on the one of a time, or where it was."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Show nothing, and keep nothing."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def page(self) -> int:
        """How many whole rows are in sight, at least one."""
        raise NotImplementedError

    @property
    def is_shown(self) -> bool:
        """Neither it nor what it lies in is put aside."""
        return all(node.display for node in self.ancestors_with_self)

    def action_walk(self, step: int) -> None:
        if 0 <= self.cursor + step < self.count:
            self.move_to(self.cursor + step)
        elif self.count:
            self.post_message(EndPassed(step))

    def action_turn(self, step: int) -> None:
        self.move_to(self.cursor + step * self.page)

    def action_stand_at(self, row: int) -> None:
        self.move_to(row % max(self.count, 1))

    def action_open(self) -> None:
        raise NotImplementedError

    def move_to(self, row: int) -> None:
        """The row, or the nearest there is."""
        self.cursor = max(0, min(row, self.count - 1))
        self._moved()

    def _moved(self) -> None:
        raise NotImplementedError
