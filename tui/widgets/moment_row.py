"""A moment's row: its picture, time and length, whether it is pinned, and the first words said, read or noted in it.

Of a moment that was found, the words for which it was are shown around the hit. This file does not know where in a
list it stands, nor what happens when it is opened.
"""

import re

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from store.records import Transcript, local_time
from store.transcripts import NOTE
from tui.browsing import Listed
from tui.clock import say_duration
from tui.opened import Opened
from tui.widgets.still import Still

ROW_LINES, LARGE_ROW_LINES = 4, 6
SAID = {"speech": "said", "scene-text": "read", NOTE: "noted"}
BEFORE_HIT = 16  # characters


class MomentRow(Horizontal):
    """`hits`: the words that were looked for, None where nothing was."""

    DEFAULT_CSS = f"""
    MomentRow {{ position: absolute; height: {ROW_LINES}; }}
    MomentRow > .mark {{ width: 2; visibility: hidden; }}
    MomentRow.-cursor > .mark {{ visibility: visible; }}
    MomentRow > Still {{ width: 12; height: {ROW_LINES}; }}
    MomentRow > .words {{ width: 1fr; padding: 0 0 0 1; text-wrap: nowrap; text-overflow: ellipsis; }}
    MomentRow.-cursor > .words {{ text-style: bold; }}
    .-slim > MomentRow > Still {{ display: none; }}
    .-large > MomentRow {{ height: {LARGE_ROW_LINES}; }}
    .-large > MomentRow > Still {{ width: 18; height: {LARGE_ROW_LINES}; }}
    """

    def __init__(self, opened: Opened, listed: Listed, hits: re.Pattern[str] | None) -> None:
        super().__init__()
        self.listed, self.hits = listed, hits
        self._opened = opened

    def compose(self) -> ComposeResult:
        yield Static("▸", classes="mark")
        yield Still(self._opened, self.listed.moment.keyframe)
        yield Static(describe(self.listed, self.hits), classes="words", markup=False)


def describe(listed: Listed, hits: re.Pattern[str] | None) -> Content:
    """Lines of text, the hits in them underlined."""
    lines = [Content(_heading(listed, with_day=hits is not None))]
    lines += [Content(_quote(row, hits)) for row in _first_words(listed)]
    if hits:
        lines = [lines[0], *(line.highlight_regex(hits, style="underline") for line in lines[1:])]
    return Content("\n").join(lines)


def _heading(listed: Listed, with_day: bool) -> str:
    moment = listed.moment
    began = local_time(moment.started_at, moment.keyframe.zone_offset_s)
    facts = [f"{began:%a %d %b %Y, %H:%M:%S}" if with_day else f"{began:%H:%M:%S}"]
    facts += [say_duration(moment.ended_at - moment.started_at)] * (moment.keyframes > 1)
    facts += [f"{moment.keyframes} picture{'s' * (moment.keyframes != 1)}"] * (not with_day)
    facts += ["◆ pinned"] * listed.pinned + ["seen"] * listed.seen
    return "  ".join(facts)


def _first_words(listed: Listed) -> list[Transcript]:
    """The first that was said, read and noted each, in the order of the words; as many as there are lines for them."""
    firsts: dict[str, Transcript] = {}
    for row in listed.words:
        firsts.setdefault(row.source, row)
    return list(firsts.values())[: ROW_LINES - 1]


def _quote(row: Transcript, hits: re.Pattern[str] | None) -> str:
    """On one line and without what would steer the terminal; of a long text, from a little before the first hit."""
    text = " ".join("".join(each if each.isprintable() else " " for each in row.text).split())
    hit = hits.search(text) if hits else None
    began = text.rfind(" ", 0, max(0, hit.start() - BEFORE_HIT)) + 1 if hit else 0
    return f"{SAID.get(row.source, row.source)}: {'… ' if began else ''}{text[began:]}"
