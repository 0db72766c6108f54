"""Asking in the app: the facts of each journey, in order, and what stands on the screen."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from textual.widgets import Input

from assistant import checkpoints
from assistant.checkpoints import Checkpoint
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from store.config import Capture
from store.episodic import EpisodicStore
from store.records import Span
from store.upkeep.forgetting import forget
from tests.driven_app import Driven, drive
from tui.messages import (
    AnswerFinished,
    AnswerStopped,
    CheckpointFailed,
    CheckpointLoaded,
    EvidenceFound,
    LineTyped,
    QuestionAsked,
    ThoughtFailed,
)
from tui.thoughts import THIS_MOMENT
from tui.widgets.evidence_card import EvidenceCard
from tui.widgets.exchange import Exchange
from tui.widgets.prompt import Line, TimeChip
from tui.widgets.welcome import Welcome

ASKED = "where did I put my wallet?"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a simulated minute, in the wearer's morning of 2 March 2026."""
    folder = tmp_path_factory.mktemp("memory") / "memory"
    with EpisodicStore.open(folder) as store:
        record(store, SimulatedCamera(7, 0.5, 1.0, width_px=160, height_px=120), Capture())
    return folder


@pytest.fixture
def store(recorded: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(recorded) as opened:
        yield opened


@pytest.fixture
def loads_when(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """The checkpoint is loaded when this is set: a large one takes its time."""
    may_load, load = Event(), checkpoints.load

    def wait_and_load(*chosen: str) -> Checkpoint:
        may_load.wait(60)
        return load(*chosen)

    monkeypatch.setattr(checkpoints, "load", wait_and_load)
    yield may_load
    may_load.set()


def facts_of_questions(driven: Driven) -> list[str]:
    """Without those of checkpoint and index, which come when they come."""
    return [name for name in driven.names if name not in ("CheckpointLoaded", "KeyframesIndexed")]


async def ask(driven: Driven, line: str, answers: int = 1) -> None:
    await driven.paste(line)
    await driven.press("enter")
    await driven.until_told(AnswerFinished, answers)


def test_a_question_is_typed_understood_proved_and_answered(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await driven.until(lambda: driven.app.screen.query(EvidenceCard), "the evidence")
        finished = driven.last(AnswerFinished)
        assert isinstance(finished, AnswerFinished)
        assert finished.answer.text in driven.text(".answer")
        assert "Recorded 29 s of 29 s worn" in driven.text(".coverage")
        assert driven.app.screen.query_one(Line).value == "" and driven.app.focused is driven.app.screen.query_one(Line)
        names = facts_of_questions(driven)
        assert names[:3] == ["LineTyped", "QuestionAsked", "EvidenceFound"] and names[-1] == "AnswerFinished"
        assert set(names[3:-1]) <= {"AnswerStreamed"}

    drive(store, journey)
    assert store.turns()[-1].question == ASKED


def test_a_question_may_be_asked_before_the_model_is_there(store: EpisodicStore, loads_when: Event) -> None:
    async def journey(driven: Driven) -> None:
        await driven.paste(ASKED)
        await driven.press("enter")
        assert driven.text(".question") == ASKED and driven.names == ["LineTyped"]
        loads_when.set()
        await driven.until_told(AnswerFinished)
        assert driven.names[:3] == ["LineTyped", "CheckpointLoaded", "QuestionAsked"]

    drive(store, journey)


def test_a_follow_up_goes_on_from_the_question_before(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await ask(driven, "and the keys?", answers=2)
        assert driven.text(".question").splitlines() == [ASKED, "where did I put the keys?"]

    drive(store, journey)


def test_a_time_in_the_question_becomes_a_chip_and_a_span(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, "where did I put my wallet on 2 March 2026?")
        asked = driven.last(QuestionAsked)
        assert isinstance(asked, QuestionAsked) and asked.understood.span is not None
        assert asked.understood.span.duration_s == 86_400
        assert driven.app.screen.query_one(TimeChip).value == "on 2 March 2026"

    drive(store, journey)


def test_another_time_in_the_chip_asks_the_same_again(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await driven.press("shift+tab")
        await driven.paste("at 8:00")
        await driven.press("enter")
        await driven.until_told(AnswerFinished, 2)
        asked = driven.last(QuestionAsked)
        assert isinstance(asked, QuestionAsked)
        assert (asked.understood.question, asked.understood.said) == (ASKED, "at 8:00")
        await driven.press("shift+tab", "escape", "enter")  # any time again
        await driven.until_told(AnswerFinished, 3)
        asked = driven.last(QuestionAsked)
        assert isinstance(asked, QuestionAsked) and asked.understood.span is None

    drive(store, journey)


def test_a_time_that_is_none_is_said_and_nothing_is_asked(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await driven.press("shift+tab")
        await driven.paste("blue")
        await driven.press("enter")
        await driven.until_told(ThoughtFailed)
        assert "'blue' is not a time" in driven.text(".-failed .answer")

    drive(store, journey)


def test_nothing_in_the_asked_time_tells_when_there_is_something(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await driven.paste("where did I put my wallet yesterday?")
        await driven.press("enter")
        await driven.until_told(ThoughtFailed)
        assert "between 2026-03-02 08:00 and 2026-03-02 08:00" in driven.text(".-failed .answer")

    drive(store, journey)


def test_a_number_asks_one_moment_alone(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await driven.until(lambda: driven.app.screen.query(EvidenceCard), "the evidence")
        await driven.press("tab", "1")
        await driven.until_told(AnswerFinished, 2)
        asked = driven.last(QuestionAsked)
        assert isinstance(asked, QuestionAsked) and asked.understood.span is not None
        assert (asked.understood.question, asked.understood.said) == (ASKED, THIS_MOMENT)
        assert asked.understood.span.duration_s == 30

    drive(store, journey)


def test_escape_stops_at_once_and_nothing_of_it_is_kept(store: EpisodicStore, loads_when: Event) -> None:
    before = len(store.turns())

    async def journey(driven: Driven) -> None:
        await driven.paste(ASKED)
        await driven.press("enter", "escape")
        await driven.until(lambda: driven.app.screen.query("Exchange.-stopped"), "the stop")
        assert "Stopped" in driven.text(".answer") and not driven.last(CheckpointLoaded)
        loads_when.set()
        await ask(driven, ASKED)  # the next one is answered all the same
        assert driven.names.count("QuestionAsked") == 1 and driven.names.count("AnswerFinished") == 1

    drive(store, journey)
    assert len(store.turns()) == before + 1


def test_another_question_stops_the_one_before(store: EpisodicStore, loads_when: Event) -> None:
    async def journey(driven: Driven) -> None:
        await driven.paste(ASKED)
        await driven.press("enter")
        await driven.paste("where did I put my mug?")
        await driven.press("enter")
        loads_when.set()
        await driven.until_told(AnswerFinished)
        assert [each.has_class("-stopped") for each in driven.app.screen.query(Exchange)] == [True, False]
        assert driven.last(AnswerStopped) is not None

    drive(store, journey)


def test_what_was_not_seen_looks_otherwise_than_an_answer(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, "where did I put my trumpet?")
        await driven.until(lambda: driven.app.screen.query(".-unseen"), "the verdict")
        assert driven.text(".answer").startswith("○ NOT SEEN")
        if isinstance(found := driven.last(EvidenceFound), EvidenceFound):
            await driven.until(lambda: driven.app.screen.query(EvidenceCard), "what was rejected")
            titles = [str(card.border_title) for card in driven.app.screen.query(EvidenceCard)]
            assert len(titles) == min(6, len(found.evidence.moments)) and all("in vain" in title for title in titles)

    drive(store, journey)


def test_no_checkpoint_is_said_and_looking_goes_on(store: EpisodicStore, tmp_path: Path) -> None:
    async def journey(driven: Driven) -> None:
        await driven.paste(ASKED)
        await driven.press("enter")
        await driven.until_told(ThoughtFailed)
        assert "No checkpoint" in driven.text(".answer")
        assert "no checkpoint answers" in driven.text("StatusLine")
        await driven.press("f3")
        assert type(driven.app.screen).__name__ == "Timeline"

    drive(store, journey, checkpoint=str(tmp_path / "nowhere"))


def test_walking_up_brings_earlier_questions_back(store: EpisodicStore) -> None:
    store.add_turn(1.0, "what was that?", "A cup.", True, 0.5, "nano-0", [])

    async def journey(driven: Driven) -> None:
        line = driven.app.screen.query_one(Line)
        await driven.press("up")
        assert line.value == "what was that?"
        await driven.press("down")
        assert line.value == ""

    drive(store, journey)


def test_a_question_mark_alone_asks_for_help_and_another_one_is_typed(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await driven.press("question_mark")
        await driven.until(lambda: driven.app.screen.query("HelpPanel"), "the help")
        await driven.press("question_mark")
        await driven.until(lambda: not driven.app.screen.query("HelpPanel"), "the help to go")
        await driven.press(*"what", "question_mark")
        assert driven.app.screen.query_one(Line).value == "what?"

    drive(store, journey)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (200, 60)])
def test_no_size_breaks_it(store: EpisodicStore, size: tuple[int, int]) -> None:
    async def journey(driven: Driven) -> None:
        await ask(driven, ASKED)
        await driven.pilot.resize_terminal(*size)
        await driven.pilot.pause()
        await driven.pilot.resize_terminal(80, 24)
        await driven.until(lambda: driven.app.screen.query(EvidenceCard), "the evidence")
        assert isinstance(driven.app.focused, Input)

    drive(store, journey, size=size)


def test_what_another_process_forgets_goes_from_the_screen_and_from_the_questions_before(tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory") as own:
        record(own, SimulatedCamera(7, 0.2, 1.0, width_px=160, height_px=120), Capture())

        async def journey(driven: Driven) -> None:
            await ask(driven, ASKED)
            await driven.until(lambda: driven.app.screen.query(EvidenceCard), "the evidence")
            with EpisodicStore.open(tmp_path / "memory") as elsewhere:
                forget(elsewhere, [Span(0.0, 2e9)])
            await driven.until(lambda: not driven.app.screen.query(Exchange), "it to go")
            await driven.until(lambda: driven.app.screen.query_one(Welcome).display, "the welcome")
            await driven.press("up")
            assert driven.app.screen.query_one(Line).value == ""

        drive(own, journey)


def test_who_types_on_after_enter_types_the_next_question(store: EpisodicStore, loads_when: Event) -> None:
    async def journey(driven: Driven) -> None:
        line = driven.app.screen.query_one(Line)
        line.value = "where is my mug?"
        await line.action_submit()  # the message is on its way, and the next key is there already
        line.value += "and"
        await driven.until(lambda: driven.names == ["LineTyped"], "the line")
        typed = driven.last(LineTyped)
        assert isinstance(typed, LineTyped) and typed.line == "where is my mug?" and line.value == "and"
        loads_when.set()

    drive(store, journey)


def test_a_mind_that_cannot_open_the_memory_says_so(store: EpisodicStore, loads_when: Event) -> None:
    async def journey(driven: Driven) -> None:
        driven.app.opened.mind._directory = store.directory / "gone"
        loads_when.set()
        await driven.until_told(CheckpointFailed)
        await driven.paste(ASKED)
        await driven.press("enter")
        await driven.until_told(ThoughtFailed)
        assert "There is no memory" in driven.text(".-failed .answer")

    drive(store, journey)
