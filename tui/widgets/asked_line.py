"""An asked line: a line to type that is there only while something is asked, above the keys.

This file does not know what is asked, nor what becomes of the answer.
"""

from textual.binding import Binding
from textual.widgets import Input

LONGEST = 4000


class AskedLine(Input):
    """Opened by `ask`; Enter submits what was typed, Escape leaves it."""

    DEFAULT_CSS = """
    AskedLine { display: none; }
    AskedLine.-open { display: block; }
    """
    BINDINGS = [
        Binding("enter", "submit", "Done"),
        Binding("escape", "close", "Leave"),
    ]

    def __init__(self, id: str, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, select_on_focus=False, id=id, max_length=LONGEST)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def ask(self, what: str, value: str) -> None:
        self.border_title, self.value, self.cursor_position = what, value, len(value)
        self.add_class("-open")
        self.focus()

    def action_close(self) -> None:
        self.remove_class("-open")
        self.screen.set_focus(None)
