"""The command with which the wearer writes to a moment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.episodic import EpisodicStore
from store.errors import UserError
from tui.exits import Program
from tui.noting import COMMANDS

START = 1_772_434_800.0  # 08:00 an hour east of UTC, the beginning of a half minute
FIRST, LATER = 1_772_434_800_000_000, 1_772_434_840_000_000
Note = Callable[..., Result]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("glasses", START, 3600, 1.0)
        for at in range(0, 50, 10):
            store.add_keyframe(session.id, START + at, 3600, b"jpeg", 4, 3, 0.5)
        store.end_session(session.id, START + 50, "stopped")
    return tmp_path / "memory"


@pytest.fixture
def note(memory: Path) -> Note:
    program = Program(commands=COMMANDS)
    return lambda *arguments: CliRunner().invoke(program, ["note", *map(str, arguments)], obj=memory)


def test_a_note_is_written_to_the_moment_and_the_moments_notes_are_told(note: Note, memory: Path) -> None:
    written = note(FIRST, "lent to\nAnna")
    assert (written.exit_code, written.stdout) == (0, "08:00:00 to 08:00:20 noted: lent to Anna\n")
    assert note(FIRST, "to be painted").stdout.count("\n") == 2
    assert note(FIRST + 20_000_000).stdout.splitlines()[1] == "08:00:00 to 08:00:20 noted: lent to Anna"
    assert note(LATER).stdout == ""
    with EpisodicStore.open(memory) as store:
        (found,) = store.find_words("anna")
    assert (found.started_at, found.ended_at) == (START, START + 20)


def test_the_notes_of_a_moment_are_taken_away_and_of_no_other(note: Note) -> None:
    for keyframe, text in ((FIRST, "one"), (FIRST, "two"), (LATER, "three")):
        note(keyframe, text)
    assert note(FIRST, "--remove").stdout == "Notes taken away: 2.\n"
    assert note(FIRST, "--remove").stdout == "Notes taken away: 0.\n"
    assert note(FIRST).stdout == "" and "three" in note(LATER).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((FIRST + 1, "lent"), "There is no keyframe"),
        ((FIRST, " \n"), "The note is empty."),
        ((FIRST, "lent", "--remove"), "written and taken away at once"),
        ((FIRST, "lent", "to", "Anna"), "unexpected extra arguments"),
    ],
)
def test_what_cannot_be_written_is_said_in_two_lines(arguments: tuple[object, ...], told: str, note: Note) -> None:
    refused = note(*arguments)
    assert refused.exit_code == UserError("", "").exit_code and refused.stdout == ""
    assert told in refused.stderr.splitlines()[0] and len(refused.stderr.splitlines()) == 2
