"""The timeline: days, their hours and the moments of an hour, newest first, and a search through all of them.

Enter goes nearer, backspace farther away; walking on behind an end goes on in the hour or day beside. What is shown is
read in threads and looked at again while the memory grows. This file does not know how rows look, nor how anything is
found.
"""

from collections.abc import Callable, Sequence
from typing import Any

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import ContentSwitcher, Input, Static
from textual.worker import get_current_worker

from store.episodic import EpisodicStore
from store.errors import UserError
from tui.activity import LEGEND
from tui.browsing import HOUR_S, Place, Stretch, asked_place, beside, newest, rows_of
from tui.messages import EndPassed, MomentsFound, RowPointed, SearchLeft, SpanForgotten, StretchOpened, ThoughtFailed
from tui.opened import Opened
from tui.screens.page import Page
from tui.widgets.findings import Findings
from tui.widgets.moment_rows import MomentRows
from tui.widgets.search_box import SearchBox
from tui.widgets.stretch_rows import StretchRows
from tui.widgets.walked import Walked

LOOK_EVERY_S = 4.0
LEVELS = ("days", "hours", "moments")
EMPTY = """\
Nothing is remembered yet.

Record a camera from another terminal, and its days come up here:
  whereabouts cameras         lists what is attached
  whereabouts record usb:0    records it until Ctrl-C
Without a camera, F2 has a button that records a simulated home.
"""
GO_TO = "Go to: yesterday, 3 March, last Monday, 2026-03-02 14:30"
NOTHING_LEFT = "No picture is kept of this time."


class Timeline(Page):
    """`path`: the day and the hour that are looked into."""

    DEFAULT_CSS = """
    Timeline #jump { display: none; }
    Timeline #place, Timeline #told { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Timeline #place { color: $text-accent; }
    Timeline ContentSwitcher { height: 1fr; }
    Timeline #nothing { padding: 1 2; }
    Timeline #legend { height: auto; max-height: 2; padding: 0 1; color: $text-muted; }
    Timeline.-low #legend, Timeline.-low #told, Timeline.-moments #legend { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (14, "-high")]  # noqa: RUF012
    BINDINGS = [
        Binding("slash", "search", "Search", key_display="/", show=False),
        Binding("g", "jump", "Go to"),
        Binding("t", "newest", "Newest"),
        Binding("backspace,escape", "back", "Back", key_display="⌫"),
    ]
    HELP = """\
Enter looks into a day or an hour and opens a moment, Backspace goes back. Left and right walk through a strip; the \
line below says what is under the cursor, and Enter goes there.

/ searches while you type, by the words that were said, read or noted, and by what pictures show. A time in the search \
("bus yesterday") restricts it. g goes to a time: yesterday, 3 March, last Monday, 2026-03-02 14:30.
"""
    AUTO_FOCUS = "#days"

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self.path: tuple[Stretch, ...] = ()
        self._known_end = float("-inf")
        self._travelling = False

    def compose_body(self) -> ComposeResult:
        yield SearchBox(self.opened, id="search")
        yield Input(placeholder=GO_TO, id="jump", compact=True, max_length=100)
        yield Static(id="place", markup=False)
        with ContentSwitcher(initial="days"):
            yield StretchRows(self.opened, id="days")
            yield StretchRows(self.opened, id="hours")
            yield MomentRows(self.opened, id="moments")
            yield Findings(self.opened, id="findings")
            yield Static(id="nothing", markup=False)
        yield Static(id="told", markup=False)
        yield Static(LEGEND, id="legend", markup=False)

    def on_mount(self) -> None:
        self.set_interval(LOOK_EVERY_S, self._look_again)

    def on_screen_resume(self) -> None:
        self._travel_to(self.path)
        self.query_one(Findings).look_again()

    @on(StretchOpened)
    def _look_into(self, fact: StretchOpened) -> None:
        is_day = fact.stretch.span.duration_s > HOUR_S  # and it may come late, from a list that was left since
        self._travel_to((*(() if is_day else self.path[:1]), fact.stretch), fact.at)

    @on(EndPassed)
    def _walk_on(self, fact: EndPassed) -> None:
        path = self.path
        if path and not self._travelling and not self._is_searching:
            self._travel(lambda store: beside(store, path, fact.step))

    @on(RowPointed)
    def _tell(self, fact: RowPointed) -> None:
        self.query_one("#told", Static).update(fact.told)
        self._say_place(f"{fact.place} of {fact.count}" if fact.count else "")

    def action_newest(self) -> None:
        level = len(self.path)
        self._travel(lambda store: newest(store, level))

    def action_back(self) -> None:
        if self._jump.display:
            self._close_jump()
        elif self._is_searching:
            self._box.action_leave()
        elif self.path:
            self._travel_to(self.path[:-1], self.path[-1].span.started_at)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "back" or bool(self.path or self._is_searching or self._jump.display)

    def action_jump(self) -> None:
        self._box.display, self._jump.display = False, True
        self._jump.focus()
        self.refresh_bindings()

    @on(Input.Submitted, "#jump")
    def _go(self, fact: Input.Submitted) -> None:
        self._close_jump()
        if self._is_searching:
            self._box.action_leave()
        if said := fact.value.strip():
            self._travel(lambda store: asked_place(store, said))

    def action_search(self) -> None:
        self._box.focus()

    @on(Input.Submitted, "#search")
    def action_rows(self) -> None:
        """From a box above to the rows."""
        self.query_one("#found" if self._is_searching else f"#{self.query_one(ContentSwitcher).current}").focus()

    @on(MomentsFound)
    def _show_found(self, fact: MomentsFound) -> None:
        if self._box.sought and self._box.sought.line == fact.query:
            self.query_one(Findings).show(self._box.sought, fact)
            self._switch("findings")

    @on(ThoughtFailed)
    def _leave_pictures_out(self, fact: ThoughtFailed) -> None:
        self.query_one(Findings).leave_pictures_out(fact.error)

    @on(SearchLeft)
    def _leave_search(self) -> None:
        self.query_one(Findings).let_go()
        self._switch(LEVELS[len(self.path)])
        self.action_rows()
        self._travel_to(self.path)

    async def let_go(self, fact: SpanForgotten) -> None:
        for level in LEVELS:
            self._rows(level).let_go()
        self.query_one(Findings).let_go()
        self._travel_to(self.path)
        self._box.seek()

    def _travel_to(self, path: tuple[Stretch, ...], at: float | None = None) -> None:
        self._travel(lambda store: Place(path, at, is_there=True))

    def _travel(self, find: Callable[[EpisodicStore], Place | None]) -> None:
        self._travelling = True
        self._read(find)

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def _read(self, find: Callable[[EpisodicStore], Place | None]) -> None:
        store, worker = self.opened.store, get_current_worker()
        place: Place | None = None
        rows: Sequence[Any] = ()
        try:
            place = find(store)
            rows = rows_of(store, place.path) if place else ()
        except UserError as error:
            self.app.call_from_thread(self.whereabouts.say, error)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._arrive, place, rows)

    def _arrive(self, place: Place | None, rows: Sequence[Any]) -> None:
        self._travelling = False
        if place is None:
            return
        self.path, name = place.path, LEVELS[len(place.path)]
        self._rows(name).show(rows, place.at)
        if not self._is_searching:
            self.query_one("#nothing", Static).update(NOTHING_LEFT if self.path else EMPTY)
            self._switch(name if rows else "nothing")
        if not place.is_there:
            self.notify("Nothing was recorded then; this is the nearest.")

    def _look_again(self) -> None:
        if self.is_current and not self._is_searching:
            self._look()

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look(self) -> None:
        known = self.opened.store.span()
        self.app.call_from_thread(self._grow, known.ended_at if known else 0.0)

    def _grow(self, end: float) -> None:
        """Read again what may have changed since the memory reached to another second."""
        before, self._known_end = self._known_end, end
        if end != before and not self._travelling and (not self.path or self.path[-1].span.ended_at > before):
            self._travel_to(self.path)

    def _switch(self, name: str) -> None:
        """Show the rows of a level, the findings, or that there is nothing."""
        self.query_one(ContentSwitcher).current = name
        self.set_class(name not in ("days", "hours"), "-moments")
        if name == "nothing":
            self.query_one("#told", Static).update("")
        self._say_place("")
        self.refresh_bindings()
        if not isinstance(self.focused, Input):
            self.action_rows()

    def _say_place(self, which: str) -> None:
        crumbs = ["Search"] if self._is_searching else ["All days", *(stretch.name for stretch in self.path)]
        self.query_one("#place", Static).update(" › ".join([*crumbs, *filter(None, [which])]))

    def _close_jump(self) -> None:
        self._box.display, self._jump.display = True, False
        self.action_rows()
        self.refresh_bindings()

    def _rows(self, level: str) -> Walked:
        return self.query_one(f"#{level}", Walked)

    @property
    def _is_searching(self) -> bool:
        return self._box.sought is not None

    @property
    def _box(self) -> SearchBox:
        return self.query_one(SearchBox)

    @property
    def _jump(self) -> Input:
        return self.query_one("#jump", Input)
