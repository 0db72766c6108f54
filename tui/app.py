"""The terminal UI: `whereabouts tui`. Modes, keys that work everywhere, and the facts that concern every screen.

The app decides nothing: what is asked goes to the mind (mind.py), what is looked at comes from the store, both in
threads of their own. This file does not know how anything looks.
"""

import asyncio
import signal
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.reactive import reactive
from textual.screen import Screen
from textual.signal import Signal

from device.control import request
from store.config import Config
from store.episodic import EpisodicStore
from store.errors import UserError
from tui.messages import (
    CheckpointFailed,
    CheckpointLoaded,
    IndexFailed,
    KeyframesIndexed,
    MomentOpened,
    RecorderHeld,
    SpanForgotten,
    StandingSeen,
)
from tui.mind import Mind
from tui.opened import Opened
from tui.recording import say_held
from tui.screens.conversation import Conversation
from tui.screens.moment import MomentScreen
from tui.screens.status import Status
from tui.screens.timeline import Timeline
from tui.standing import Standing, look

if TYPE_CHECKING:
    from textual.widget import Widget

LOOK_EVERY_S = 1.0
LEFT_OUT = ("Screenshot", "Maximize", "Minimize")  # a picture of a memory would lie about, for everybody to read
PALETTE = (
    ("f2", "Ask", "Questions and answers"),
    ("f3", "Timeline", "Walk through the days, or search"),
    ("f4", "Status", "What is in the memory"),
    ("f5", "Pause or resume", "Let the recorder stand still, or go on"),
    ("f6", "Private or resume", "The same, and the memory says that it was private"),
)


class Whereabouts(App[None]):
    """A memory, to be asked and looked at. `pixels`: what shows pictures where the terminal can, see terminal.py."""

    TITLE = "Whereabouts"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS = [
        Binding("f1,question_mark", "help", "Help", key_display="?"),
        Binding("f2", "switch_mode('conversation')", "Ask"),
        Binding("f3", "switch_mode('timeline')", "Timeline"),
        Binding("f4", "switch_mode('status')", "Status"),
        Binding("f5", "hold('pause')", "Pause"),
        Binding("f6", "hold('private')", "Private"),
    ]

    standing: reactive[Standing | None] = reactive(None)
    answers: reactive[str] = reactive("loading the checkpoint")  # who answers, or why nobody does

    def __init__(self, store: EpisodicStore, config: Config, pixels: "type[Widget] | None" = None) -> None:
        super().__init__()
        self.opened = Opened(store, Mind(store.directory, config, self), config, pixels)
        self.forgotten: Signal[SpanForgotten] = Signal(self, "forgotten")
        self._checkpoint = ""
        self._forgotten_s: float | None = None

    def on_mount(self) -> None:
        self.add_mode("conversation", lambda: Conversation(self.opened))
        self.add_mode("timeline", lambda: Timeline(self.opened))
        self.add_mode("status", lambda: Status(self.opened))
        self.switch_mode("conversation")
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.set_interval(LOOK_EVERY_S, self._look)
        self._look()
        self.call_after_refresh(self.opened.mind.begin)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette (Ctrl-P): what the app itself offers, and every key that works everywhere."""
        yield from (each for each in super().get_system_commands(screen) if each.title not in LEFT_OUT)
        for key, what, told in PALETTE:
            yield SystemCommand(what, f"{told} ({key})", partial(self.simulate_key, key))

    def on_unmount(self) -> None:
        self.opened.mind.end()

    def action_help(self) -> None:
        """Every key that does something here, in a panel that goes as it came."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    @work(thread=True, exclusive=True, group="hold", exit_on_error=False)
    def action_hold(self, do: str) -> None:
        """Let the recorder stand still, or go on where it does; what is paused can become private."""
        standing = self.standing
        is_so = standing is not None and (standing.is_private if do == "private" else standing.is_held)
        wanted = "resume" if is_so else do
        try:
            self.post_message(RecorderHeld(wanted, request(self.opened.directory, wanted)))
        except UserError as error:
            self.call_from_thread(self.say, error)

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look(self) -> None:
        self.post_message(StandingSeen(look(self.opened.store)))

    def on_standing_seen(self, fact: StandingSeen) -> None:
        """Somebody else may have forgotten something, too; where nothing can be read nothing is known of that."""
        self.standing = fact.standing
        if not fact.standing.problem:
            before, self._forgotten_s = self._forgotten_s, fact.standing.forgotten_s
            if before not in (None, self._forgotten_s):
                self.post_message(SpanForgotten(None))

    def on_recorder_held(self, fact: RecorderHeld) -> None:
        self.notify(say_held(fact.do, None, fact.state, until="press F5"))
        self._look()

    def on_checkpoint_loaded(self, fact: CheckpointLoaded) -> None:
        self._checkpoint = self.answers = fact.name

    def on_checkpoint_failed(self, fact: CheckpointFailed) -> None:
        self.answers = "no checkpoint answers"
        self.say(fact.error)

    def on_keyframes_indexed(self, fact: KeyframesIndexed) -> None:
        self.answers = f"{self._checkpoint}, {fact.waiting} to index" if fact.waiting else self._checkpoint

    def on_index_failed(self, fact: IndexFailed) -> None:
        self.say(fact.error)

    def on_moment_opened(self, fact: MomentOpened) -> None:
        self.push_screen(MomentScreen(self.opened, fact.keyframe))

    def on_span_forgotten(self, fact: SpanForgotten) -> None:
        self.opened.gallery.forget()
        self.opened.mind.forget()
        self.forgotten.publish(fact)

    def say(self, error: UserError) -> None:
        """What happened, and what to do."""
        self.notify(error.hint, title=error.message, severity="error", timeout=10, markup=False)
