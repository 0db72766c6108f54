"""The moment: one keyframe as large as the screen allows, what there is to say of it, and a walk from there.

The keys only say where to go: one look at the memory is taken at a time, and the next one catches up with all the
steps that were made meanwhile, so that a key may be held. This file does not know how the steps lead anywhere, nor
how anything is kept, exported or forgotten.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Input
from textual.worker import get_current_worker

from store.errors import NothingRecorded, UserError
from store.records import Keyframe, Span
from store.spans import moment_span
from store.upkeep.pins import pin, unpin
from tui.messages import MomentExported, MomentPinned, NoteWritten, SpanForgotten
from tui.opened import Opened
from tui.screens.forgetting import ForgettingScreen
from tui.screens.page import Page
from tui.sight import Sight, sight_of
from tui.walk import Step, ahead, walk
from tui.widgets.asked_line import AskedLine
from tui.widgets.facts import Facts
from tui.widgets.still import Still
from tui.widgets.words import Words

if TYPE_CHECKING:
    from store.upkeep.forgetting import Receipt

LOOK_EVERY_S = 2.0  # somebody else may write, forget or record
READ_AHEAD = 4
OWN_KEYS = ("walk", "turn", "pin", "note", "export", "forget", "leave")
STAND: Step = "frames", 0  # from where nothing is any more, this leads to what is left


class MomentScreen(Page):
    """Pushed for one keyframe, and left with Escape. `sight` is None before the first look, and where nothing is."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-tight"), (60, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (15, "-high")]
    DEFAULT_CSS = """
    MomentScreen #moment { height: 1fr; }
    MomentScreen Still { height: 1fr; width: 1fr; }
    MomentScreen #told { height: 7; padding: 0 1; layout: horizontal; overflow-y: auto; }
    MomentScreen Facts { width: 45; height: auto; padding: 0 1 0 0; }
    MomentScreen Words { width: 1fr; height: 1fr; }
    MomentScreen.-wide #moment { layout: horizontal; }
    MomentScreen.-wide #told { width: 46; height: 1fr; layout: vertical; }
    MomentScreen.-tight #told { layout: vertical; }
    MomentScreen.-tight #told > * { width: 1fr; height: auto; }
    MomentScreen.-low #told { height: 1fr; }
    MomentScreen.-low Still { display: none; }
    MomentScreen.-low.-wide Still { display: block; }
    """
    BINDINGS = [
        Binding("left", "walk('frames', -1)", "Frame", key_display="←→"),
        Binding("right", "walk('frames', 1)", "Frame after", show=False),
        Binding("up", "walk('moments', -1)", "Moment", key_display="↑↓"),
        Binding("down", "walk('moments', 1)", "Moment after", show=False),
        Binding("home", "walk('day', -1)", "Day", key_display="home/end"),
        Binding("end", "walk('day', 1)", "End of the day", show=False),
        Binding("p", "pin", "Pin"),
        Binding("n", "note", "Note"),
        Binding("x", "export", "Export"),
        Binding("d,delete", "forget", "Forget", key_display="d"),
        Binding("escape,backspace", "leave", "Back", key_display="esc"),
        Binding("pageup", "turn(-1)", "Words up", show=False),
        Binding("pagedown", "turn(1)", "Words down", show=False),
    ]

    def __init__(self, opened: Opened, keyframe: Keyframe) -> None:
        super().__init__(opened)
        self.sight: Sight | None = None
        self._at = keyframe.id
        self._steps: list[Step] = []  # made, and not followed yet
        self._is_looking = False
        self._asked_of = keyframe

    def compose_body(self) -> ComposeResult:
        with Container(id="moment"):
            yield Still(self.opened)
            with Container(id="told"):
                yield Facts()
                yield Words()
        yield AskedLine(id="note", placeholder="Enter keeps it; without text the notes are taken away")
        yield AskedLine(id="folder")

    def on_mount(self) -> None:
        self._look()
        self.set_interval(LOOK_EVERY_S, self._look_again)

    async def let_go(self, fact: SpanForgotten) -> None:
        self.action_walk(*STAND)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While something is asked, the keys belong to the line."""
        return action not in OWN_KEYS or not any(line.is_open for line in self.query(AskedLine))

    def action_walk(self, stride: str, by: int) -> None:
        self._steps.append((stride, by))
        self._look()

    def action_turn(self, by: int) -> None:
        for scrolled in (self.query_one("#told"), self.query_one(Words)):
            scrolled.scroll_relative(y=by * max(1, scrolled.size.height - 1), animate=False)

    def action_leave(self) -> None:
        self.dismiss()

    def action_pin(self) -> None:
        if self.sight:
            self._pin(moment_span(self.sight.keyframe.id), not self.sight.pinned)

    def action_note(self) -> None:
        if self.sight:
            self._asked_of = self.sight.keyframe
            self.query_one("#note", AskedLine).ask("Note to this moment", "; ".join(self.sight.notes))

    def action_export(self) -> None:
        if self.sight:
            self._asked_of = self.sight.keyframe
            folder = f"~/whereabouts-{self._asked_of.local_time:%Y-%m-%d-%H%M%S}"
            self.query_one("#folder", AskedLine).ask("Folder for the moment as plain files, not encrypted", folder)

    def action_forget(self) -> None:
        if self.sight:
            self.app.push_screen(ForgettingScreen(self.opened, self.sight.keyframe), self._forgot)

    @on(Input.Submitted, "#note")
    def _note_typed(self, event: Input.Submitted) -> None:
        self.query_one("#note", AskedLine).action_close()
        self._write_note(self._asked_of, event.value)

    @on(Input.Submitted, "#folder")
    def _folder_typed(self, event: Input.Submitted) -> None:
        self.query_one("#folder", AskedLine).action_close()
        try:
            folder = Path(event.value.strip()).expanduser().resolve()
        except RuntimeError as error:
            self.whereabouts.say(UserError(f"{event.value} is no folder: {error}", "Give another one."))
            return
        if event.value.strip():
            self._export(self._asked_of, folder)

    def _look(self) -> None:
        """Unless one look is being taken already: then the next one begins when that one ends."""
        if not self._is_looking:
            self._is_looking = True
            steps, self._steps = self._steps, []
            self._read(self._at, steps)

    def _look_again(self) -> None:
        if self.is_current:
            self._look()

    @work(thread=True, group="look", exit_on_error=False)
    def _read(self, at: int, steps: list[Step]) -> None:
        seen: Sight | UserError
        try:
            at = walk(self.opened.store, at, steps).id if steps else at
            seen = sight_of(self.opened.store, at)
        except UserError as error:
            seen = error
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._arrive, at, steps, seen)

    def _arrive(self, at: int, steps: list[Step], seen: Sight | UserError) -> None:
        self._is_looking, self._at = False, at
        if isinstance(seen, Sight):
            self._show(seen)
        else:
            self._fail(seen)
        if self._steps:
            self._look()
        elif steps and isinstance(seen, Sight):
            self._read_ahead(seen.keyframe, steps[-1])

    def _show(self, sight: Sight) -> None:
        self.sight = sight
        self.query_one(Still).keyframe = sight.keyframe
        self.query_one(Facts).show(sight)
        self.query_one(Words).show(sight.moment, sight.words)

    def _fail(self, error: UserError) -> None:
        """What is not there any more is not shown any more."""
        self.opened.gallery.forget()
        self.sight = self.query_one(Still).keyframe = None
        self.query_one(Facts).fail(error)
        self.query_one(Words).clear()
        if isinstance(error, NothingRecorded) and self.is_active:
            self.dismiss()

    @work(thread=True, exclusive=True, group="ahead", exit_on_error=False)
    def _read_ahead(self, keyframe: Keyframe, step: Step) -> None:
        """A few pictures in the direction of travel, until another direction is taken."""
        worker = get_current_worker()
        for each in ahead(self.opened.store, keyframe, step, READ_AHEAD):
            if worker.is_cancelled:
                return
            self.opened.gallery.jpeg(each)

    @work(thread=True, exclusive=True, group="pin", exit_on_error=False)
    def _pin(self, span: Span, wanted: bool) -> None:
        try:
            (pin if wanted else unpin)(self.opened.store, span)
            self.post_message(MomentPinned(span, wanted))
        except UserError as error:
            self.app.call_from_thread(self.whereabouts.say, error)

    @work(thread=True, exclusive=True, group="note", exit_on_error=False)
    def _write_note(self, keyframe: Keyframe, text: str) -> None:
        """In the place of those that were there."""
        store = self.opened.store
        try:
            moment, before = store.moment_of(keyframe.id), store.notes_of(keyframe.id)
            if text.strip():
                store.add_note(keyframe.session_id, Span(moment.started_at, moment.ended_at), text)
            for note in before:
                store.remove_note(note.id)
            self.post_message(NoteWritten(keyframe, text.strip()))
        except UserError as error:
            self.app.call_from_thread(self.whereabouts.say, error)

    @work(thread=True, exclusive=True, group="export", exit_on_error=False)
    def _export(self, keyframe: Keyframe, folder: Path) -> None:
        from store.plain.exporting import export

        try:
            export(self.opened.store, folder, moment_span(keyframe.id))
            self.post_message(MomentExported(str(folder)))
        except UserError as error:
            self.app.call_from_thread(self.whereabouts.say, error)

    @on(MomentPinned)
    @on(NoteWritten)
    def _look_anew(self) -> None:
        self._look()

    def on_moment_exported(self, fact: MomentExported) -> None:
        self.notify(f"{fact.folder} holds the moment as plain files. They are not encrypted.", markup=False)

    def _forgot(self, receipt: "Receipt | None") -> None:
        self.action_walk(*STAND)
