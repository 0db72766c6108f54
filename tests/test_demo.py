"""The demo's questions come from its script, and its verdicts from both."""

import subprocess
import sys
from pathlib import Path

import pytest

from assistant.answer import Answer
from assistant.training.data_engine import Narration, Question
from assistant.training.narrations import read_narrations
from device.simulated.home import make_home
from device.simulated.narrations import write_narrations
from device.simulated.wearer import Wearer
from store.records import Coverage, Span
from tui.demo import FAMILIES, MINUTES, SEED, WALLET, Verdict, choose_questions

COVERAGE = Coverage(Span(0, 1), 1, 1, 1, 1, ())


@pytest.fixture
def narrations(tmp_path: Path) -> list[Narration]:
    write_narrations(Wearer(make_home(SEED), MINUTES * 60), tmp_path / "script.csv")
    return read_narrations(tmp_path / "script.csv")[f"home{SEED}"]


def test_the_wallet_comes_first_and_one_question_has_no_answer(narrations: list[Narration]) -> None:
    questions = choose_questions(narrations)
    assert questions[0].text == WALLET and "wallet" in narrations[questions[0].support[-1]].text
    assert tuple(question.family for question in questions[1:-1]) == FAMILIES
    assert [question.answerable for question in questions] == [True] * 5 + [False]


def test_what_the_script_says_follows_from_the_narrations(narrations: list[Narration]) -> None:
    wallet, colour, room, _, what_on, _ = choose_questions(narrations)
    said = [narrations[question.support[-1]].text for question in (wallet, colour, room, what_on)]
    assert f"wallet {wallet.answer.rstrip('.')} " in said[0] and f" {colour.answer.rstrip('.')} " in said[1]
    assert f" {room.answer.rstrip('.')} " in said[2] and f"I put {what_on.answer.rstrip('.')} on " in said[3]


def test_the_same_questions_are_asked_every_time(narrations: list[Narration]) -> None:
    assert choose_questions(narrations) == choose_questions(narrations)


def test_the_thing_that_was_never_there_is_not_in_the_home(narrations: list[Narration]) -> None:
    missing = choose_questions(narrations)[-1]
    assert not any(thing.kind in missing.text for thing in make_home(SEED).things)


@pytest.mark.parametrize(
    ("wanted", "said", "seen", "right"),
    [
        ("on the kitchen table.", "On the kitchen table.", True, True),
        ("on the kitchen table.", "On the table.", True, False),
        ("", "I did not see that.", False, True),
        ("", "On the kitchen table.", True, False),
        ("red.", "I did not see that.", False, False),
    ],
)
def test_an_answer_is_right_if_it_says_what_the_script_says(wanted: str, said: str, seen: bool, right: bool) -> None:
    question = Question("where_put", WALLET, wanted or "I did not see that.", (0,) if wanted else ())
    answer = Answer(WALLET, said, seen, 1.0, (), COVERAGE, "nano", {})
    assert Verdict(question, answer).right is right


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_finds_the_wallet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    command = [sys.executable, "-c", "from tui.cli import main; main()", "demo", "--keep", str(tmp_path / "kept")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("The script says:") == 6 and "of 6 right" in ran.stdout
    assert (tmp_path / "kept" / "memory.db").exists()
