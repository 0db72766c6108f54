"""What has happened, as facts: what the worker threads tell the widgets, and the widgets the screens.

Nothing here asks for anything; who learns a fact decides what to do. Those of one question go to the exchange that
shows it, and bubble up from there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

from store.errors import UserError
from store.records import Keyframe, Moment, Span
from tui.standing import Standing

if TYPE_CHECKING:
    from assistant import answer
    from assistant.conversation import Understood
    from assistant.finding import Found
    from store.upkeep.forgetting import Receipt
    from tui.browsing import Stretch


@dataclass
class LineTyped(Message):
    """Somebody entered a line, or only another time in the chip; `said` is that time, "" for any, None if it was left
    alone."""

    line: str
    said: str | None


@dataclass
class QuestionAsked(Message):
    """What was typed has been understood as this question, and the memory is being asked."""

    understood: "Understood"


@dataclass
class EvidenceFound(Message):
    """The pointer has scored the candidates, and these are the moments that the answer will rest on."""

    evidence: "answer.EvidenceFound"


@dataclass
class AnswerStreamed(Message):
    """Some more of the answer's text has come."""

    piece: str


@dataclass
class AnswerFinished(Message):
    """The whole answer is there, and kept."""

    answer: "answer.Answer"


@dataclass
class ThoughtFailed(Message):
    """Neither answer nor moments will come, for this reason."""

    error: UserError


@dataclass
class AnswerStopped(Message):
    """Somebody stopped the answer; nothing of it is kept."""


@dataclass
class MomentAsked(Message):
    """Somebody wants a question answered from one moment alone."""

    question: str
    moment: Moment


@dataclass
class CheckpointLoaded(Message):
    """From now on this checkpoint answers."""

    name: str


@dataclass
class CheckpointFailed(Message):
    """No checkpoint answers, for this reason."""

    error: UserError


@dataclass
class KeyframesIndexed(Message):
    """So many keyframes were embedded, and so many wait."""

    done: int
    waiting: int


@dataclass
class IndexFailed(Message):
    """Nothing is embedded for now, for this reason."""

    error: UserError


@dataclass
class MomentsFound(Message):
    """What a search brought up, best first; `by_pictures` where the checkpoint looked, too."""

    query: str
    found: "tuple[Found, ...]"
    by_pictures: bool


@dataclass
class StandingSeen(Message):
    """How the recorder is, and the disk."""

    standing: Standing


@dataclass
class RecorderHeld(Message):
    """The recorder was asked to "pause", go "private" or "resume"; `state` is its answer."""

    do: str
    state: dict[str, Any]


@dataclass
class FilmRecorded(Message):
    """The simulated camera has been recorded, or not; `said` is what its recorder printed."""

    said: str
    failed: bool


@dataclass
class MomentOpened(Message):
    """Somebody wants to see a keyframe and what lies around it."""

    keyframe: Keyframe


@dataclass
class RowPointed(Message):
    """The cursor lies on row `place` of `count`, counted from 1, and `told` is what there is to say of it."""

    place: int
    count: int
    told: str


@dataclass
class StretchOpened(Message):
    """Somebody wants to see a day or an hour from nearer, at a time of it if one was pointed at."""

    stretch: "Stretch"
    at: float | None


@dataclass
class EndPassed(Message):
    """Somebody walked on behind the last row (1), or before the first (-1)."""

    step: int


@dataclass
class SearchLeft(Message):
    """Nothing is searched for any more."""


@dataclass
class MomentPinned(Message):
    """A moment is kept from now on, or no longer."""

    span: Span
    pinned: bool


@dataclass
class NoteWritten(Message):
    """A moment has another note, or none ("")."""

    keyframe: Keyframe
    text: str


@dataclass
class MomentExported(Message):
    """A moment's pictures and words lie as plain files in a folder."""

    folder: str


@dataclass
class SpanForgotten(Message):
    """What was recorded of a time is not found any more; whoever shows some of it lets it go. No receipt is there
    where it was cut short, by a full disk: the bytes go once there is room."""

    receipt: "Receipt | None"
