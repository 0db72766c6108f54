"""The welcome: what there is to ask about before the first question and, in an empty memory, how to fill it.

A newcomer without a camera can have a simulated home recorded, by the same command that a person would type. This file
does not know how anything is recorded.
"""

import subprocess

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Button, Static

from store.records import local_time
from tui.clock import zone_offset_s
from tui.daemon import program
from tui.messages import FilmRecorded
from tui.opened import Opened
from tui.widgets.prompt import Line

SIMULATED = "sim://home?seed=2000002&minutes=4"
LOOK_EVERY_S = 2.0
EMPTY = """\
Nothing is remembered yet.

Whereabouts keeps what a head camera sees in a memory on this machine, and answers what you ask about it with the \
pictures that prove it. It also says when it did not see something. Nothing leaves the machine.

Record a camera from another terminal, and this fills while you look:
  • whereabouts cameras           lists what is attached
  • whereabouts record usb:0      records it until Ctrl-C
Or, without a camera, let a simulated one walk through an invented home for four minutes:
"""
EXAMPLES = """\
Ask, for example:
  • where did I put my wallet?
  • did I leave the lamp on this morning?
  • and the keys?

F3 walks through the days, and ? tells every key.
"""


class Welcome(Vertical):
    """Looks at the memory again and again, as it may be filling."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self._opened = opened

    def compose(self) -> ComposeResult:
        yield Static(EMPTY, markup=False)
        yield Button("Record a simulated home", variant="primary")

    def on_mount(self) -> None:
        self.set_interval(LOOK_EVERY_S, self._look)
        self._look()

    def on_button_pressed(self) -> None:
        self.query_one(Button).disabled = True
        self.query_one(Button).label = "Recording a simulated home…"
        self.screen.query_one(Line).focus()
        self._record()

    def on_film_recorded(self, fact: FilmRecorded) -> None:
        self.query_one(Button).disabled = False
        self.query_one(Button).label = "Record a simulated home"
        self.notify(fact.said, severity="error" if fact.failed else "information", markup=False)
        self._look()

    @work(thread=True, group="record", exit_on_error=False)
    def _record(self) -> None:
        command = [*program(), "--memory", str(self._opened.directory), "record", SIMULATED]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.post_message(FilmRecorded((done.stderr if done.returncode else done.stdout).strip(), done.returncode != 0))

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look(self) -> None:
        store = self._opened.store
        span, zone_s = store.span(), zone_offset_s(store)
        if span is not None:
            began, ended = (local_time(at, zone_s) for at in (span.started_at, span.ended_at))
            until = f"{ended:%H:%M}" if began.date() == ended.date() else f"{ended:%A, %d %B %Y, %H:%M}"
            reach = f"This memory reaches from {began:%A, %d %B %Y, %H:%M} to {until}."
            self.app.call_from_thread(self._show, reach)

    def _show(self, reach: str) -> None:
        self.query_one(Static).update(f"{reach}\n\n{EXAMPLES}")
        self.query_one(Button).display = False
