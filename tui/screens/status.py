"""The status page: all there is to say of the memory, looked at again while somebody looks.

This file does not know what is said, nor how it is found out.
"""

from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from store.errors import UserError
from tui import report
from tui.messages import SpanForgotten
from tui.screens.page import Page
from tui.status import describe_memory

LOOK_EVERY_S = 5.0


class Status(Page):
    """What `whereabouts status` prints."""

    BINDINGS = [Binding("r", "look", "Look again")]
    HELP = "What is in the memory, how much room it takes, where its key is, and how the recorder is."

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="facts"):
            yield Static("Looking…", markup=False)

    def on_mount(self) -> None:
        self.set_interval(LOOK_EVERY_S, self.action_look)

    def on_screen_resume(self) -> None:
        self.action_look()

    def action_look(self) -> None:
        if self.is_current:
            self._look()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _look(self) -> None:
        try:
            self.app.call_from_thread(self._show, describe_memory(self.opened.store, self.opened.config))
        except UserError as error:
            self.app.call_from_thread(self.whereabouts.say, error)

    def _show(self, described: dict[str, Any]) -> None:
        self.query_one("#facts Static", Static).update(report.status_table(described))

    async def let_go(self, fact: SpanForgotten) -> None:
        self.action_look()
