"""An evidence card: one moment that an answer rests on, or that was rejected, with its picture, time and score.

This file does not know how the moment was found, nor what happens when it is opened.
"""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from store.records import Moment, Span
from tui.evidence import day_strip
from tui.messages import MomentOpened
from tui.opened import Opened
from tui.widgets.still import Still

STRIP_CELLS = 18


class EvidenceCard(Vertical, can_focus=True):
    """`number` is the key that asks this moment alone; `day`: the recorded part of the day that it lies in."""

    BINDINGS = [Binding("enter", "open", "Open")]

    def __init__(self, opened: Opened, number: int, moment: Moment, day: Span) -> None:
        super().__init__()
        self.moment, self._opened, self._day = moment, opened, day
        self._number = self.border_title = str(number)

    def compose(self) -> ComposeResult:
        yield Still(self._opened, self.moment.keyframe)
        seen, score = self.moment.keyframe.local_time, self.moment.score
        chosen = "" if score is None else f"score {score:.2f}"
        yield Static(f"{seen:%H:%M:%S  %a %d %b}  {chosen}", markup=False)
        yield Static(day_strip(self.moment, self._day, STRIP_CELLS), markup=False)

    def reject(self) -> None:
        """It was looked at in full and does not show what was asked."""
        self.border_title = f"{self._number} looked at in vain"

    def on_click(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        self.post_message(MomentOpened(self.moment.keyframe))
