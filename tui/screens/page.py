"""A page: what every mode of the app has in common, the status line above, the keys below, and letting go of what
was forgotten.

This file does not know what lies between.
"""

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from tui.messages import SpanForgotten
from tui.opened import Opened
from tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from tui.app import Whereabouts


class Page(Screen[None]):
    """`compose_body` is what is particular to it."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self.opened = opened

    @property
    def whereabouts(self) -> "Whereabouts":
        return cast("Whereabouts", self.app)

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield from self.compose_body()
        yield Footer(compact=True, show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        raise NotImplementedError

    def on_mount(self) -> None:
        self.whereabouts.forgotten.subscribe(self, self.let_go)

    async def let_go(self, fact: SpanForgotten) -> None:
        """Something was forgotten: nothing of it may stay on the screen."""
        raise NotImplementedError
