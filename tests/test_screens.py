"""Every screen as it looks at 80 x 24 and at 140 x 40, with the disk, the cursor and what the model says held still.

pytest tests/test_screens.py --snapshot-update      after a change that was meant, and looked at
"""

import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from assistant.answer import Answer, EvidenceFound
from assistant.conversation import Understood
from store.config import Config
from store.episodic import EpisodicStore
from store.records import Moment
from tests.filled_memory import START, fill
from tui import messages
from tui.app import Whereabouts
from tui.mind import Mind
from tui.status import describe_memory
from tui.thoughts import Question, Thought

SIZES = [(80, 24), (140, 40)]
OF_THIS_MACHINE = {"bytes": {"database": 1, "packs": 2}, "bytes_a_day": 10**9, "key_kept_in": "a file of the account"}
QUESTION = "where did I put my wallet?"
Before = Callable[[Pilot[None]], Awaitable[None]]


class Rehearsed(Mind):
    """Knows what to say of any question, without a model."""

    seen = True

    def begin(self) -> None:
        self._everybody.post_message(messages.CheckpointLoaded("nano"))

    def think(self, thought: Thought) -> None:
        if isinstance(thought, Question):
            self._rehearse(thought)

    def _rehearse(self, thought: Thought) -> None:
        with EpisodicStore.open(self._directory) as store:
            candidates, coverage = store.keyframes(), store.coverage("nano-0")
        scores = np.array([0.01, 0.02, 0.55, 0.02, 0.02, 0.01, 0.3, 0.04, 0.02, 0.01], np.float32)
        moments = tuple(Moment(START + s, START + s, candidates[n], 1, float(scores[n])) for s, n in ((2, 2), (40, 6)))
        text = "On the kitchen table." if self.seen else "I did not see that."
        for fact in (
            messages.QuestionAsked(Understood(QUESTION, None, "yesterday", False)),
            messages.EvidenceFound(EvidenceFound(tuple(candidates), scores, moments)),
            messages.AnswerFinished(Answer(QUESTION, text, self.seen, 0.9, moments, coverage, "nano", {})),
        ):
            thought.listener.post_message(fact)

    def end(self, wait_s: float = 0.0) -> None:
        """There is no thread."""


class InVain(Rehearsed):
    seen = False


@pytest.fixture
def still_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always as full, and the memory always in the same place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=41_200_000_000))
    monkeypatch.setattr("tui.screens.status.describe_memory", lambda *of: {**describe_memory(*of), **OF_THIS_MACHINE})


@pytest.fixture
def store(still_disk: None) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(Path("memory")) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def empty(still_disk: None) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(Path("memory")) as opened:
        yield opened


async def _settle(pilot: Pilot[None]) -> None:
    """Until all that is read in threads has come, nothing has changed for a while, and no cursor blinks."""
    shown, still = "", 0
    while still < 4:
        await pilot.pause(0.1)
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        before, shown = shown, re.sub(r"terminal-\d+", "", pilot.app.export_screenshot())
        at_rest = all(worker.is_finished for worker in pilot.app.workers)
        still = still + 1 if at_rest and shown == before else 0


def after(*steps: str) -> Before:
    """Press keys, or type what is written in more than one word, and let everything come to rest."""

    async def before(pilot: Pilot[None]) -> None:
        await _settle(pilot)
        for step in steps:
            if " " in step:
                pilot.app.post_message(Paste(step))
            else:
                await pilot.press(step)
            await _settle(pilot)

    return before


SCREENS: dict[str, tuple[type[Rehearsed], tuple[str, ...]]] = {
    "welcome": (Rehearsed, ()),
    "an answer": (Rehearsed, (QUESTION, "enter")),
    "what was not seen": (InVain, (QUESTION, "enter")),
    "evidence with the focus": (Rehearsed, (QUESTION, "enter", "tab")),
    "help": (Rehearsed, ("question_mark",)),
    "palette": (Rehearsed, ("ctrl+p",)),
    "a moment": (Rehearsed, (QUESTION, "enter", "tab", "enter")),
    "a note": (Rehearsed, (QUESTION, "enter", "tab", "enter", "n")),
    "forgetting": (Rehearsed, (QUESTION, "enter", "tab", "enter", "d", "right")),
    "days": (Rehearsed, ("f3",)),
    "hours": (Rehearsed, ("f3", "enter")),
    "moments": (Rehearsed, ("f3", "enter", "enter")),
    "search": (Rehearsed, ("f3", "slash", "EXIT or cake")),
    "status": (Rehearsed, ("f4",)),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_looks_as_it_did(
    store: EpisodicStore,
    monkeypatch: pytest.MonkeyPatch,
    snap_compare: Callable[..., bool],
    name: str,
    size: tuple[int, int],
) -> None:
    mind, steps = SCREENS[name]
    monkeypatch.setattr("tui.app.Mind", mind)
    assert snap_compare(Whereabouts(store, Config()), terminal_size=size, run_before=after(*steps))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_empty_memory_looks_as_it_did(
    empty: EpisodicStore, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    monkeypatch.setattr("tui.app.Mind", Rehearsed)
    assert snap_compare(Whereabouts(empty, Config()), terminal_size=size, run_before=after())
