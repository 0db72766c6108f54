"""The status line: always there, it says whether something is recorded, what troubles it, and who answers.

It shows the facts that the app was told last. This file does not know how they are found out.
"""

from textual.reactive import reactive
from textual.widgets import Static

from tui.standing import Standing


class StatusLine(Static):
    """● recording  312 keyframes, 41.2 GB free                                   nano, 12 to index"""

    DEFAULT_CSS = """
    StatusLine { dock: top; height: 1; background: $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    StatusLine.-recording { color: $text-success; }
    StatusLine.-trouble { color: $text-warning; }
    """

    standing: reactive[Standing | None] = reactive(None)
    answers: reactive[str] = reactive("")

    def on_mount(self) -> None:
        self.watch(self.app, "standing", lambda standing: setattr(self, "standing", standing))
        self.watch(self.app, "answers", lambda answers: setattr(self, "answers", answers))

    def render(self) -> str:
        """Facts give way to the state and to who answers."""
        left, facts = "", ""
        if self.standing:
            left, facts = f"{self.standing.mark} {self.standing.state}", ", ".join(self.standing.facts)
        room = self.size.width - len(left) - len(self.answers) - 3
        facts = facts if len(facts) <= room else f"{facts[: room - 1]}…" if room > 8 else ""
        return f"{left}  {facts}".ljust(self.size.width - len(self.answers)) + self.answers

    def watch_standing(self, standing: Standing | None) -> None:
        self.set_class(standing is not None and standing.mark == "●", "-recording")
        self.set_class(standing is not None and standing.mark == "▲", "-trouble")
