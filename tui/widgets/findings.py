"""Findings: the moments that a search brought up, best first, or that there are none, and what was looked through.

This file does not know how moments are found, nor when it is searched again.
"""

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual.worker import get_current_worker

from store.errors import UserError
from tui.browsing import Listed, list_found
from tui.messages import MomentsFound
from tui.opened import Opened
from tui.searching import Sought, hits_of, say_looked_through
from tui.widgets.moment_rows import MomentRows

FOLLOW = "; pictures follow"


class Findings(Vertical):
    """`show` gives it what was found."""

    DEFAULT_CSS = """
    Findings > Static { padding: 0 1; color: $text-muted; }
    """

    def __init__(self, opened: Opened, *, id: str) -> None:
        super().__init__(id=id)
        self._opened = opened
        self._shown: tuple[Sought, MomentsFound, str] | None = None  # the last is what there is to say of pictures

    def compose(self) -> ComposeResult:
        yield Static(markup=False)
        yield MomentRows(self._opened, id="found")

    @property
    def rows(self) -> MomentRows:
        return self.query_one(MomentRows)

    def show(self, sought: Sought, fact: MomentsFound) -> None:
        self._show(sought, fact, "" if fact.by_pictures else FOLLOW)

    def leave_pictures_out(self, error: UserError) -> None:
        """No checkpoint looks, so the words' moments are all there are."""
        if self._shown:
            self._show(*self._shown[:2], f"; no pictures: {error.message}")

    def look_again(self) -> None:
        """Something may have been pinned."""
        if self._shown:
            self._show(*self._shown)

    def let_go(self) -> None:
        """Show nothing."""
        self.workers.cancel_node(self)
        self._shown = None
        self.query_one(Static).update("")
        self.rows.let_go()

    def _show(self, sought: Sought, fact: MomentsFound, pictures: str) -> None:
        self._shown = sought, fact, pictures
        self._list(sought, fact, pictures)

    @work(thread=True, exclusive=True, group="list", exit_on_error=False)
    def _list(self, sought: Sought, fact: MomentsFound, pictures: str) -> None:
        worker, listed = get_current_worker(), list[Listed]()
        try:
            listed = list_found(self._opened.store, fact.found)
            said = self._say(sought, fact, len(listed), pictures)
        except UserError as error:
            said = f"{error.message}\n{error.hint}"
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_listed, said, listed, sought)

    def _say(self, sought: Sought, fact: MomentsFound, count: int, pictures: str) -> str:
        """How many were found and by what, or that none was, and what was looked through."""
        if not count:
            looked = say_looked_through(self._opened.store, sought, self._opened.config, with_pictures=fact.by_pictures)
            return f'No moment found for "{fact.query}"{pictures}.\n{looked}'
        ways = "time" if not sought.words else "words and pictures" if fact.by_pictures else "words"
        return f'{count} moment{"s" * (count != 1)} for "{fact.query}" by {ways}{pictures}'

    def _show_listed(self, said: str, listed: list[Listed], sought: Sought) -> None:
        self.query_one(Static).update(said)
        self.rows.show(listed, hits=hits_of(sought))
