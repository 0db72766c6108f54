"""Words: what was said, read and noted in a moment, each with when and by whom; to be scrolled.

This file does not know where the words come from.
"""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from store.records import Moment, Transcript, local_time
from store.transcripts import NOTE

SOURCES = {"speech": "♪ said", "scene-text": "¶ read", NOTE: "✎ noted"}


class Words(VerticalScroll, can_focus=False):
    """Goes back to the top for another moment, and stays where it was scrolled to for the same one."""

    DEFAULT_CSS = "Words { border-top: solid $surface-lighten-2; border-title-color: $text; }"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[float, Sequence[Transcript]] = 0.0, ()

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def show(self, moment: Moment, words: Sequence[Transcript]) -> None:
        zone_s = moment.keyframe.zone_offset_s
        self.border_title = f"{moment.keyframes} keyframes from {local_time(moment.started_at, zone_s):%H:%M:%S}"
        if (moment.started_at, words) != self._shown:
            self._shown = moment.started_at, words
            lines = [_say(row, zone_s) for row in words]
            self.query_one(Static).update("\n".join(lines) or "Nothing was said, read or noted.")
            self.scroll_home(animate=False)

    def clear(self) -> None:
        self.border_title, self._shown = "", (0.0, ())
        self.query_one(Static).update()


def _say(row: Transcript, zone_offset_s: int) -> str:
    at = local_time(row.started_at, zone_offset_s)
    by = "" if row.source == NOTE else f"  ({row.engine}, {row.confidence:.2f})"
    return f"{at:%H:%M:%S} {SOURCES[row.source]}  {' '.join(row.text.split())}{by}"
