"""The search box: what is typed is looked for while it is typed, in words at once, and in pictures as soon as the mind
has come to it.

The newest line wins: an earlier search is stopped. This file does not know how moments are found, nor how they look.
"""

import re

from textual import work
from textual.binding import Binding
from textual.timer import Timer
from textual.widgets import Input
from textual.worker import get_current_worker

from store.errors import UserError
from tui.messages import MomentsFound, SearchLeft, ThoughtFailed
from tui.opened import Opened
from tui.searching import Sought, by_words, read_line
from tui.thoughts import Search

WAIT_S = 0.15  # for the next key
LIMIT, LONGEST = 30, 1000


class SearchBox(Input):
    """`sought` is what is searched for now, None where nothing is."""

    BINDINGS = [Binding("escape", "leave", "Leave the search")]

    def __init__(self, opened: Opened, *, id: str) -> None:
        super().__init__(placeholder="/ searches what was seen, said and read", id=id, compact=True, max_length=LONGEST)
        self._opened = opened
        self.sought: Sought | None = None
        self._search: Search | None = None
        self._waiting: Timer | None = None

    def watch_value(self, value: str) -> None:
        self._stop()
        if re.search(r"\w", value):
            self._waiting = self.set_timer(WAIT_S, self.seek)
        elif self.sought:
            self.sought = None
            self.post_message(SearchLeft())

    def on_unmount(self) -> None:
        self._stop()

    def action_leave(self) -> None:
        self.sought = None
        self.value = ""
        self.post_message(SearchLeft())

    def seek(self) -> None:
        """Look for what stands in the box, again if need be."""
        self._stop()
        if line := self.value.strip():
            self._seek(line)

    @work(thread=True, exclusive=True, group="seek", exit_on_error=False)
    def _seek(self, line: str) -> None:
        worker = get_current_worker()
        try:
            sought = read_line(self._opened.store, line)
            found = by_words(self._opened.store, sought, LIMIT)
        except UserError as error:
            self.post_message(ThoughtFailed(error))
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._tell, sought, MomentsFound(line, found, by_pictures=not sought.words))

    def _tell(self, sought: Sought, fact: MomentsFound) -> None:
        if sought.line != self.value.strip():
            return
        self.sought = sought
        self.post_message(fact)
        if sought.words:
            self._search = Search(self, sought.line, sought.words, sought.span, LIMIT)
            self._opened.mind.think(self._search)

    def _stop(self) -> None:
        if self._waiting:
            self._waiting.stop()
        if self._search:
            self._search.stop()
