"""The prompt: where a question is typed, and beside it a chip with the time that the last one was about.

    yesterday  and the keys?

Whoever edits the chip asks the same again of another time. Up and down walk through what was asked before. This file
does not know what a question or a time means.
"""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import Key
from textual.widgets import Input

from tui.messages import LineTyped

LONGEST, LONGEST_TIME = 1000, 100  # letters; a book pasted by mistake is no question
ANY_TIME, TOLD = "any time", "The time that was asked about; edit it to ask again"
EXAMPLE = "What did you see?  For example: where did I put my wallet?"


class TimeChip(Input):
    """The time as it was understood; whoever edits it puts another one in its place, or any."""

    DEFAULT_CSS = """
    TimeChip { width: 10; margin: 0 1; color: $text-accent; }
    TimeChip.-set { width: 22; }
    """
    BINDINGS = [Binding("escape", "clear", "Any time")]

    def __init__(self) -> None:
        super().__init__(placeholder=ANY_TIME, compact=True, tooltip=TOLD, max_length=LONGEST_TIME)
        self._understood = ""

    @property
    def edited(self) -> str | None:
        """Another time than the one that was understood; None if it was left alone."""
        said = self.value.strip()
        return None if said == self._understood else said

    def show(self, said: str) -> None:
        self.value = self._understood = said

    def watch_value(self, value: str) -> None:
        self.set_class(bool(value), "-set")

    def action_clear(self) -> None:
        self.value = ""
        self.screen.query_one(Line).focus()


class Line(Input):
    """The line itself, with the questions of before behind it."""

    DEFAULT_CSS = "Line { width: 1fr; }"
    BINDINGS = [
        Binding("up", "earlier", "Earlier", show=False),
        Binding("down", "later", "Later", show=False),
        Binding("shift+tab", "screen.focus_previous", "Time", show=False),
    ]

    def __init__(self, earlier: Sequence[str]) -> None:
        super().__init__(placeholder=EXAMPLE, compact=True, max_length=LONGEST)
        self.begin(earlier)

    def begin(self, earlier: Sequence[str]) -> None:
        """With these questions behind it, and none of them shown."""
        self._earlier, self._place = list(earlier), len(earlier)

    def take(self) -> str:
        """What was typed; the next line begins at once, whoever types on."""
        typed, self.value = self.value, ""
        self._earlier += [typed] if typed.strip() else []
        self._place = len(self._earlier)
        return typed

    async def action_submit(self) -> None:
        await super().action_submit()
        self.take()

    def action_earlier(self) -> None:
        self._walk(-1)

    def action_later(self) -> None:
        self._walk(1)

    def _walk(self, step: int) -> None:
        self._place = min(max(self._place + step, 0), len(self._earlier))
        self.value = self._earlier[self._place] if self._place < len(self._earlier) else ""
        self.cursor_position = len(self.value)

    async def on_key(self, event: Key) -> None:
        """A question mark before anything else asks the app."""
        if event.character == "?" and not self.value:
            event.stop()
            event.prevent_default()
            await self.run_action("app.help")


class Prompt(Horizontal):
    """Chip and line."""

    DEFAULT_CSS = "Prompt { height: 2; border-top: solid $primary; }"

    def __init__(self, earlier: Sequence[str]) -> None:
        super().__init__()
        self._earlier = earlier

    def compose(self) -> ComposeResult:
        yield TimeChip()
        yield Line(self._earlier)

    def show_time(self, said: str) -> None:
        self.query_one(TimeChip).show(said)

    def forget(self, earlier: Sequence[str]) -> None:
        """Only these questions were ever asked."""
        self.query_one(Line).begin(earlier)
        self.query_one(TimeChip).show("")

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        line, chip = self.query_one(Line), self.query_one(TimeChip)
        typed = event.value if event.input is line else line.take()
        if typed.strip() or chip.edited is not None:
            self.post_message(LineTyped(typed, chip.edited))
            chip.show(chip.value.strip())
        line.focus()
