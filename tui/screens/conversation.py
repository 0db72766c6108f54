"""The conversation: questions and answers one below the other, and the prompt beneath them.

What was typed goes to the mind, and what the mind tells goes to the exchange of that question. One question is
answered at a time; another one stops it. This file does not know how a line is understood or answered.
"""

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll

from store.spans import moment_span
from tui.messages import (
    AnswerFinished,
    AnswerStopped,
    LineTyped,
    MomentAsked,
    QuestionAsked,
    SpanForgotten,
    ThoughtFailed,
)
from tui.opened import Opened
from tui.screens.page import Page
from tui.thoughts import Question
from tui.widgets.exchange import Exchange
from tui.widgets.prompt import Line, Prompt
from tui.widgets.welcome import Welcome

REMEMBERED = 50  # questions of before, for who walks up


class Conversation(Page):
    """The first thing that is seen."""

    BINDINGS = [Binding("escape", "stop", "Back")]
    HELP = """\
Type a question and press Enter. A time in it (yesterday, this morning, before lunch, since Monday, at 3 pm) is shown \
in the chip on the left, where it can be edited (Shift+Tab). "and the keys?" goes on from the question before.

Tab goes to the moments of an answer: Enter opens one, and its number asks that moment alone.
"""
    AUTO_FOCUS = "Line"

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._asking: tuple[Question, Exchange] | None = None
        self._last: Exchange | None = None  # what a follow-up goes on from

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="exchanges", can_focus=False):
            yield Welcome(self.opened)
        yield Prompt([turn.question for turn in self.opened.store.turns(REMEMBERED)])

    async def on_line_typed(self, fact: LineTyped) -> None:
        before = self._last.understood if self._last else None
        line = fact.line if fact.line.strip() or before is None else before.question
        if line.strip():
            exchange = Exchange(self.opened, line)
            await self._ask(exchange, Question(exchange, line, before, fact.said))

    async def on_moment_asked(self, fact: MomentAsked) -> None:
        exchange = Exchange(self.opened, fact.question)
        await self._ask(exchange, Question(exchange, fact.question, within=moment_span(fact.moment.keyframe.id)))

    @on(QuestionAsked)
    def _show_time(self, fact: QuestionAsked) -> None:
        self.query_one(Prompt).show_time(fact.understood.said)

    @on(AnswerFinished)
    @on(ThoughtFailed)
    def _answered(self) -> None:
        self._asking = None
        self.refresh_bindings()
        self._reveal()

    async def let_go(self, fact: SpanForgotten) -> None:
        self.action_stop()
        await self.query(Exchange).remove()
        self._last = None
        self.query_one(Welcome).display = True
        self._forget_lines()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "stop" or self._asking is not None or not isinstance(self.focused, Line)

    def action_stop(self) -> None:
        """At once for who watches; the mind follows within a step."""
        if self._asking:
            question, exchange = self._asking
            question.stop()
            exchange.post_message(AnswerStopped())
            self._asking = None
        self.query_one(Line).focus()

    async def _ask(self, exchange: Exchange, question: Question) -> None:
        self.action_stop()
        self._asking, self._last = (question, exchange), exchange
        self.query_one(Welcome).display = False
        await self.query_one("#exchanges", VerticalScroll).mount(exchange)
        self.opened.mind.think(question)
        self._reveal()

    @work(thread=True, exclusive=True, group="lines", exit_on_error=False)
    def _forget_lines(self) -> None:
        """Questions that were forgotten do not come back either."""
        questions = [turn.question for turn in self.opened.store.turns(REMEMBERED)]
        self.app.call_from_thread(self.query_one(Prompt).forget, questions)

    def _reveal(self) -> None:
        """The last question stands at the top, as far as there is something below it."""
        if self._last:
            self._last.scroll_visible(animate=False, top=True, immediate=False)
