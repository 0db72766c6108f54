"""The README is complete: every command and option, every exit code, every file, and the commands that are run here."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from store import errors
from store.config import CameraSettings, Config, documented
from tui.cli import cli
from tui.exits import INTERRUPTED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
ROWS = dict(re.findall(r"^\| (\S[^|]*?) \| (.*) \|$", README, re.MULTILINE))
FILES = sorted(
    str(path.relative_to(ROOT))
    for room in ("assistant", "device", "store", "tui")
    for path in (ROOT / room).rglob("*.py")
    if path.stat().st_size
)


def tree() -> dict[str, str]:
    """path -> phrase, read from the tree at the README's end."""
    block = README.rpartition("```\ndevice/")[2].partition("```")[0]
    folders: list[str] = []
    found = {}
    for line in f"device/{block}".splitlines():
        name, _, phrase = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name.rstrip("/")]
        found["/".join(folders)] = phrase.strip()
    return found


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_and_its_options_are_listed(name: str) -> None:
    row = next(f"{command} {what}" for command, what in ROWS.items() if command.startswith(f"`{name}"))
    for option in cli.commands[name].params:
        if isinstance(option, click.Option):
            assert any(spelling in row for spelling in option.opts), option.opts
    for below in getattr(cli.commands[name], "commands", {}):
        assert f"`{name} {below}" in row


def test_every_setting_stands_there_with_its_default_and_its_meaning() -> None:
    assert f"```toml\n{documented(Config()).rstrip()}\n```" in README
    sections = [getattr(Config(), each.name) for each in fields(Config) if each.name != "cameras"]
    for setting in (each for section in [*sections, CameraSettings()] for each in fields(section)):
        assert setting.metadata["about"], setting.name


def test_every_exit_code_is_listed_and_no_other() -> None:
    named = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.UserError)
    }
    listed = {int(code) for code in ROWS if code.isdecimal()}
    assert listed == named | {0, 1, INTERRUPTED}


def test_every_file_has_its_phrase_and_every_phrase_its_file() -> None:
    listed = tree()
    assert sorted(path for path in listed if path.endswith(".py")) == FILES
    assert all(listed.values())
    assert all((ROOT / path).exists() for path in listed)


def test_the_gate_runs_the_readmes_own_commands() -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    install = re.search(r"pip install (-e '.\[cpu,test\]') && pytest\n", README)
    assert install and install[1] in gate
    assert re.search(r"^step pytest$", gate, re.MULTILINE)


def test_no_source_file_is_without_a_docstring() -> None:
    assert [path for path in FILES if not (ROOT / path).read_text().startswith('"""')] == []
