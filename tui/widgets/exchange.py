"""An exchange: a question, its answer as it streams in, and the proof: moments, score curve, coverage.

What was seen and what was not differ in word, mark and border. It learns the facts of its own question only. This
file does not know who tells them, nor what an opened moment looks like.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import HorizontalScroll, Vertical
from textual.widgets import Static

from store.records import Span
from tui.clock import zone_offset_s
from tui.evidence import recorded_day, say_coverage, say_quoted
from tui.messages import (
    AnswerFinished,
    AnswerStopped,
    AnswerStreamed,
    EvidenceFound,
    MomentAsked,
    QuestionAsked,
    ThoughtFailed,
)
from tui.opened import Opened
from tui.widgets.evidence_card import EvidenceCard

if TYPE_CHECKING:
    from assistant.answer import Answer
    from assistant.answer import EvidenceFound as Evidence
    from assistant.conversation import Understood

SHOWN = 6
SEEN, UNSEEN, STOPPED, FAILED = "● ", "○ NOT SEEN  ", "■ ", "▲ "


class Exchange(Vertical):
    """Shows what is told of one question; `understood` is None until it is told."""

    BINDINGS = [
        *(Binding(str(n), f"ask_moment({n})", "Ask it alone" if n == 1 else "", show=n == 1, key_display="1…9")
          for n in range(1, SHOWN + 1)),
        Binding("c", "copy", "Copy"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]  # fmt: skip

    def __init__(self, opened: Opened, line: str) -> None:
        super().__init__(classes="-thinking")
        self._opened, self._line = opened, line
        self.understood: Understood | None = None
        self._said, self._cards = "", list[EvidenceCard]()

    def compose(self) -> ComposeResult:
        yield Static(self._line, classes="question", markup=False)
        yield Static("… (Esc stops it)", classes="answer", markup=False)
        yield Vertical(classes="proof")
        yield Static(classes="coverage", markup=False)

    def on_question_asked(self, fact: QuestionAsked) -> None:
        self.understood = fact.understood
        when = f"  ({fact.understood.said})" if fact.understood.said else ""
        self.query_one(".question", Static).update(fact.understood.question + when)

    def on_evidence_found(self, fact: EvidenceFound) -> None:
        self._lay_out(fact.evidence)

    def on_answer_streamed(self, fact: AnswerStreamed) -> None:
        self._said += fact.piece
        self._show_answer(self._said[:1].upper() + self._said[1:])

    def on_answer_finished(self, fact: AnswerFinished) -> None:
        answer = fact.answer
        self._said = answer.text
        self._end("-seen" if answer.seen else "-unseen", (SEEN if answer.seen else UNSEEN) + answer.text)
        self._conclude(answer)
        self._reject()

    def on_answer_stopped(self, fact: AnswerStopped) -> None:
        self._end("-stopped", f"{STOPPED}Stopped. {self._said}".strip())

    def on_thought_failed(self, fact: ThoughtFailed) -> None:
        failed = f"{FAILED}{fact.error.message}\n{fact.error.hint}"
        self._end("-failed", f"{self._said}\n{failed}".strip())

    def action_ask_moment(self, number: int) -> None:
        if number <= len(self._cards) and self.understood:
            self.post_message(MomentAsked(self.understood.question, self._cards[number - 1].moment))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._said)
        self.notify("The answer was copied.")

    @work(thread=True, exit_on_error=False)
    def _lay_out(self, evidence: "Evidence") -> None:
        days = [recorded_day(self._opened.store, moment) for moment in evidence.moments[:SHOWN]]
        self.app.call_from_thread(self._show_evidence, evidence, days)

    def _show_evidence(self, evidence: "Evidence", days: Sequence[Span]) -> None:
        from tui.widgets.score_curve import ScoreCurve

        self._cards = [
            EvidenceCard(self._opened, number, moment, day)
            for number, (moment, day) in enumerate(zip(evidence.moments, days, strict=False), 1)
        ]
        proof = self.query_one(".proof", Vertical)
        proof.remove_children()
        proof.mount(HorizontalScroll(*self._cards, can_focus=False))
        if len(evidence.candidates) > 1:
            proof.mount(ScoreCurve(evidence.candidates, evidence.scores, evidence.moments[:SHOWN]))
        self._reject()
        self.scroll_visible(animate=False, top=True)

    @work(thread=True, exit_on_error=False)
    def _conclude(self, answer: "Answer") -> None:
        zone_s = zone_offset_s(self._opened.store)
        lines = [answer.note, *(say_quoted(row, zone_s) for row in answer.quoted)]
        lines += [say_coverage(answer.coverage, zone_s)]
        self.app.call_from_thread(self.query_one(".coverage", Static).update, "\n".join(filter(None, lines)))

    def _reject(self) -> None:
        """The evidence may be laid out before or after it is known to prove nothing."""
        if self.has_class("-unseen"):
            for card in self._cards:
                card.reject()

    def _end(self, how: str, text: str) -> None:
        self.remove_class("-thinking")
        self.add_class(how)
        self._show_answer(text)

    def _show_answer(self, text: str) -> None:
        self.query_one(".answer", Static).update(text)
