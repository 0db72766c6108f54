"""The welcome: what there is to ask about before the first question and, in an empty memory, how to fill it.

A newcomer without a camera can have a simulated home recorded, by the same command that a person would type. This file
does not know how anything is recorded.
"""

import subprocess

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Button, Static

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
        self._recorder: subprocess.Popen[str] | None = None

    def on_unmount(self) -> None:
        """What was recorded so far stays."""
        if self._recorder and self._recorder.poll() is None:
            self._recorder.terminate()

    def compose(self) -> ComposeResult:
        yield Static(EMPTY, markup=False)
        yield Button("Record a simulated home", variant="primary")

    def on_mount(self) -> None:
        self.set_interval(LOOK_EVERY_S, self._look)
        self._look()

    def on_show(self) -> None:
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
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as self._recorder:
            said, complained = self._recorder.communicate()
        failed = self._recorder.returncode != 0
        self.post_message(FilmRecorded((complained if failed else said).strip(), failed))

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look(self) -> None:
        if not self.display:
            return
        ends = self._opened.store.first_and_last()
        if ends is None:
            self.app.call_from_thread(self._show, EMPTY, is_empty=True)
            return
        began, ended = (keyframe.local_time for keyframe in ends)
        until = f"{ended:%H:%M}" if began.date() == ended.date() else f"{ended:%A, %d %B %Y, %H:%M}"
        reach = f"This memory reaches from {began:%A, %d %B %Y, %H:%M} to {until}."
        self.app.call_from_thread(self._show, f"{reach}\n\n{EXAMPLES}", is_empty=False)

    def _show(self, text: str, *, is_empty: bool) -> None:
        self.query_one(Static).update(text)
        self.query_one(Button).display = is_empty
