"""Thoughts: what the mind can be asked to think about, a question or a search, and the facts that it tells.

Each may be stopped from any thread at any time; it then tells nothing more, and nothing of it is kept. This file does
not know threads or widgets, nor how anything is answered.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Protocol

from textual.message import Message

from store.config import Config
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Span
from tui.clock import wearers_clock
from tui.messages import AnswerFinished, AnswerStreamed, EvidenceFound, MomentsFound, QuestionAsked, ThoughtFailed

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint
    from assistant.conversation import Understood
    from assistant.recent import Recent

INDEXING_S = 5.0  # before a question is answered without the keyframes that nobody has embedded yet
THIS_MOMENT = "this moment"
LISTENING_S = 60.0  # to sounds and signs, where words are asked for


class Listener(Protocol):
    """A widget, a screen or the app, told from another thread."""

    def post_message(self, message: Message) -> bool: ...


@dataclass
class Thought(ABC):
    """Something to be thought about for a listener."""

    listener: Listener
    stopped: Event = field(default_factory=Event, init=False)

    def stop(self) -> None:
        self.stopped.set()

    @abstractmethod
    def think(self, store: EpisodicStore, checkpoint: "Checkpoint", config: Config, recent: "Recent") -> None:
        """Think, and tell what comes of it. UserError: nothing can."""

    def fail(self, error: UserError) -> None:
        """Nothing can come of it."""
        self._tell(ThoughtFailed(error))

    def _tell(self, fact: Message) -> None:
        if not self.stopped.is_set():
            self.listener.post_message(fact)


@dataclass
class Question(Thought):
    """A line to be understood and answered. `said` takes the place of any time that it names, "" is any time;
    `within` is the only moment that is to be asked."""

    line: str
    before: "Understood | None" = None
    said: str | None = None
    within: Span | None = None

    def think(self, store: EpisodicStore, checkpoint: "Checkpoint", config: Config, recent: "Recent") -> None:
        from assistant.answer import Answer, ask
        from assistant.answer import EvidenceFound as Evidence

        understood = self._understand(store)
        self._tell(QuestionAsked(understood))
        self._prepare(store, checkpoint, config, understood.question)
        for step in ask(store, checkpoint, understood.question, understood.span, recent):
            if self.stopped.is_set():
                return
            if isinstance(step, Evidence):
                self._tell(EvidenceFound(step))
            elif isinstance(step, Answer):
                self._tell(AnswerFinished(step))
            else:
                self._tell(AnswerStreamed(step))

    def _understand(self, store: EpisodicStore) -> "Understood":
        from assistant.asked_time import read_time
        from assistant.conversation import understand

        now, latest = wearers_clock(store)
        understood = understand(self.line, self.before, now, latest)
        if self.within:
            return replace(understood, span=self.within, said=THIS_MOMENT)
        if self.said is None:
            return understood
        return replace(understood, span=read_time(self.said, now, latest) if self.said else None, said=self.said)

    def _prepare(self, store: EpisodicStore, checkpoint: "Checkpoint", config: Config, question: str) -> None:
        """Embed the newest keyframes, and write down the words that are asked for, as far as can be waited for."""
        from assistant.asking import asks_for_words
        from assistant.indexer import catch_up
        from assistant.words import catch_up_on_words, only

        catch_up(store, checkpoint, reduce=config.index.reduce, stop=self._until(INDEXING_S))
        if kind := asks_for_words(question):
            wanted = only(config.words, kind)
            catch_up_on_words(store, wanted, config.sound.keep, stop=self._until(LISTENING_S))

    def _until(self, patience_s: float) -> Callable[[], bool]:
        end_s = time.monotonic() + patience_s
        return lambda: self.stopped.is_set() or time.monotonic() > end_s


@dataclass
class Search(Thought):
    """Words to find moments of a span by, as they were heard, read or seen; `line` is what was typed."""

    line: str
    words: str
    span: Span | None
    limit: int

    def think(self, store: EpisodicStore, checkpoint: "Checkpoint", config: Config, recent: "Recent") -> None:
        from assistant.finding import find

        found = find(store, checkpoint, self.words, self.span, self.limit)
        self._tell(MomentsFound(self.line, tuple(found), by_pictures=True))
