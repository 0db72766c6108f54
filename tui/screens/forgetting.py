"""The dialog about forgetting: what would go, for good, and a way out that is always nearer than the deed.

    ( ) moment  (●) hour  ( ) session

What is destroyed is the time that was shown, with what a recorder adds to it until then. This file does not know how
anything is destroyed.
"""

from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, RadioButton, RadioSet, Static
from textual.worker import get_current_worker

from store.episodic import EpisodicStore
from store.errors import UserError
from store.layout import UNCLAIMED
from store.records import Keyframe, Span
from store.spans import moment_span
from tui.clock import zone_offset_s
from tui.forgetting import say_planned, say_receipt, span_of_session
from tui.messages import SpanForgotten
from tui.opened import Opened

if TYPE_CHECKING:
    from store.upkeep.forgetting import Forgetting, Receipt

HOUR_S = 3600.0
SCOPES = ("moment", "hour", "session")


class Scope(RadioButton):
    """Chosen or not, to be seen without colours as well."""

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]  # noqa: N802
        return "●" if self.value else " "


class ForgettingScreen(ModalScreen["Receipt | None"]):
    """Dismissed with the receipt, or with None where nothing was destroyed."""

    AUTO_FOCUS = "#cancel"
    DEFAULT_CSS = """
    ForgettingScreen { align: center middle; }
    ForgettingScreen > Container {
        width: 76; max-width: 100%; height: auto; max-height: 100%; overflow-y: auto; padding: 0 1;
        border: heavy $error; border-title-style: bold; background: $surface;
    }
    ForgettingScreen RadioSet, ForgettingScreen RadioSet:focus {
        layout: horizontal; width: 1fr; border: none; padding: 0;
    }
    ForgettingScreen #told { margin: 1 0; }
    ForgettingScreen Horizontal { dock: bottom; height: 1; align-horizontal: right; }
    ForgettingScreen Button { margin: 0 0 0 2; }
    """
    BINDINGS = [
        Binding("escape", "cancel", "Cancel"),
        Binding("left", "widen(-1)", "Less or more", key_display="←→"),
        Binding("right", "widen(1)", "More", show=False),
        Binding("pageup", "turn(-1)", "Up", show=False),
        Binding("pagedown", "turn(1)", "Down", show=False),
        Binding("D", "destroy", "Destroy for good", key_display="D"),
    ]

    def __init__(self, opened: Opened, keyframe: Keyframe) -> None:
        super().__init__()
        self._opened, self._keyframe = opened, keyframe
        self._planned: Forgetting | None = None  # what is shown, and may be destroyed
        self._receipt: Receipt | None = None
        self._is_destroying = self._is_over = False

    def compose(self) -> ComposeResult:
        with Container() as dialog:
            dialog.border_title = "Forget this for good?"
            with RadioSet():
                for scope in SCOPES:
                    yield Scope(scope, value=scope == SCOPES[0])
            yield Static(id="told", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Destroy for good", id="destroy", variant="error", compact=True, disabled=True)
        yield Footer()

    def on_mount(self) -> None:
        self._count(SCOPES[0])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is to be destroyed before it was counted; and what is under way cannot be taken back."""
        if self._is_over:
            return action == "cancel"
        if action == "destroy":
            return self._planned is not None
        return action == "turn" or not self._is_destroying

    @on(RadioSet.Changed)
    def _choose(self, event: RadioSet.Changed) -> None:
        self._offer(None)
        self._count(SCOPES[event.index])

    def action_widen(self, by: int) -> None:
        scopes, chosen = list(self.query(Scope)), self.query_one(RadioSet).pressed_index
        scopes[min(max(chosen + by, 0), len(scopes) - 1)].value = True

    def action_turn(self, by: int) -> None:
        self.query_one(Container).scroll_relative(y=by * max(1, self.size.height // 2), animate=False)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(self._receipt)

    @on(Button.Pressed, "#destroy")
    def action_destroy(self) -> None:
        if self._planned:
            planned = self._planned
            self._offer(None)
            self._is_destroying = True
            self.query_one(RadioSet).disabled = self.query_one("#cancel").disabled = True
            self._destroy(planned)

    @work(thread=True, exclusive=True, group="count", exit_on_error=False)
    def _count(self, scope: str) -> None:
        from store.upkeep.forgetting import plan

        store = self._opened.store
        try:
            planned = plan(store, [_span_of(store, self._keyframe, scope)])
            zone_s, is_recording = zone_offset_s(store), store.recorder_pid() is not None
        except UserError as error:
            self.app.call_from_thread(self._tell, f"▲ {error.message}\n{error.hint}")
            return
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._offer, planned, zone_s, is_recording)

    @work(thread=True, exit_on_error=False)
    def _destroy(self, planned: "Forgetting") -> None:
        from store.upkeep.forgetting import forget

        def tell(file: str) -> None:
            self.app.call_from_thread(self._tell, f"⧗ Destroying: {file} is written anew.")

        store = self._opened.store
        tell("the memory")
        try:
            receipt = forget(store, planned.spans, tell)
        except UserError as error:
            self.app.call_from_thread(self._end, f"▲ {error.message}\n{error.hint}", None)
            return
        told = [say_receipt(receipt, zone_offset_s(store))]
        if (self._opened.directory / UNCLAIMED).is_dir():
            told.append(f"What a repair laid into {UNCLAIMED} is not reached: delete that folder.")
        self.app.call_from_thread(self._end, "\n".join(told), receipt)

    def _offer(self, planned: "Forgetting | None", zone_s: int = 0, is_recording: bool = False) -> None:
        """Show what would go, None while it is being counted."""
        is_known = planned is not None and not (planned.is_nothing and not planned.backups)
        self._planned = planned if is_known else None
        self.query_one("#destroy").disabled = not is_known
        if planned is None:
            self._tell("… counting")
        else:
            more = "\nWhat is recorded of that time until then goes as well." if is_recording else ""
            self._tell(say_planned(planned, zone_s) + more if is_known else "Nothing is known of that time.")
        self.refresh_bindings()

    def _end(self, told: str, receipt: "Receipt | None") -> None:
        """Also where it was cut short, some of it may be gone."""
        self._is_destroying, self._is_over, self._receipt = False, True, receipt
        self._tell(told)
        self.query_one("#destroy").display = self.query_one(RadioSet).display = False
        close = self.query_one("#cancel", Button)
        close.disabled, close.label = False, "Close"
        close.focus()
        self.refresh_bindings()
        self.post_message(SpanForgotten(receipt))

    def _tell(self, what: str) -> None:
        self.query_one("#told", Static).update(what)


def _span_of(store: EpisodicStore, keyframe: Keyframe, scope: str) -> Span:
    """The half minute, the hour of the wearer's clock or the whole session that a keyframe belongs to."""
    if scope == "session":
        return span_of_session(store, keyframe.session_id)
    if scope == "hour":
        began = keyframe.local_time.replace(minute=0, second=0, microsecond=0).timestamp()
        return Span(began, began + HOUR_S)
    return moment_span(keyframe.id)
