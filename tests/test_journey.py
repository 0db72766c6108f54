"""A person's first minutes, typed into a real terminal: record, ask, look back."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: no terminal to type into"),
]
WAIT_S = 120


class Terminal:
    """A tmux server of its own with one shell in it."""

    def __init__(self, folder: Path) -> None:
        self._name = f"whereabouts-{uuid4().hex[:8]}"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "60", "-c", str(folder), "env PS1='$ ' sh"
        )

    def type(self, line: str) -> tuple[str, int]:
        """Type a line, wait for the command to end, and return the screen and the exit code."""
        done = f"ended-{uuid4().hex[:6]}"
        self._tmux("send-keys", "-l", f"clear; {line}; printf '%s %s\\n' {done[:6]}'{done[6:]}' $?")
        self._tmux("send-keys", "Enter")
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            screen = self._tmux("capture-pane", "-p")
            if f"{done} " in screen:
                return screen, int(screen.rpartition(done)[2].split()[0])
            time.sleep(0.2)
        raise TimeoutError(screen)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names, or letters."""
        self._tmux("send-keys", *keys)

    def wait_for(self, *shown: str) -> str:
        """The screen, once all of that stands on it."""
        deadline_s = time.monotonic() + WAIT_S
        while not all(each in (screen := self._tmux("capture-pane", "-p")) for each in shown):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{shown} did not come:\n{screen}")
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        ran = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, check=True)
        return ran.stdout


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_a_newcomer_records_asks_and_looks_back(terminal: Terminal, tmp_path: Path) -> None:
    program = shlex.join([sys.executable, "-c", "from tui.cli import main; main()", "--memory", str(tmp_path / "mine")])

    screen, code = terminal.type(f"{program} status")
    assert code == 3 and "There is no memory" in screen

    screen, code = terminal.type(f"{program} record 'sim://home?seed=2000012&minutes=1' --fps 1")
    assert code == 0 and "Recorded 59 s of sim://home?seed=2000012&minutes=1: " in screen

    screen, code = terminal.type(f'{program} ask "where did I put my wallet?"')
    assert code == 0 and "Recorded 59 s of 59 s worn." in screen
    assert "▀▀▀▀" in screen and "Monday, 02 March 2026" in screen

    screen, code = terminal.type(f"{program} moments")
    assert code == 0 and "2026-03-02" in screen and "08:00:30" in screen

    screen, code = terminal.type(f"{program} check")
    assert code == 0 and "The memory is whole." in screen


def test_a_newcomer_opens_the_screen_records_asks_opens_and_forgets(terminal: Terminal, tmp_path: Path) -> None:
    program = shlex.join([sys.executable, "-c", "from tui.cli import main; main()", "--memory", str(tmp_path / "mine")])
    terminal.press(f"{program} tui", "Enter")
    terminal.wait_for("Nothing is remembered yet", "not recording", "What did you see?")
    terminal.press("Tab", "Enter")  # the button that records a simulated home
    terminal.wait_for("Ask, for example", "Monday, 02 March 2026, 08:00 to 08:03.", "not recording")

    terminal.press("where did I put my wallet?", "Enter")
    screen = terminal.wait_for("●", "pointer score of", "Recorded 3 min 59 s of 3 min 59 s worn")
    assert "▀▀▀▀" in screen and "Mon 02 Mar" in screen

    terminal.press("Tab", "Enter")
    terminal.wait_for("of 240 of the day", "Forget")
    terminal.press("n")
    terminal.wait_for("Note to this moment")
    terminal.press("lent to Anna", "Enter")
    terminal.wait_for("noted  lent to Anna")
    terminal.press("d")
    terminal.wait_for("30 keyframes", "1 answers", "Destroy for good")
    terminal.press("D")
    terminal.wait_for("Keys destroyed", "Close")
    terminal.press("Enter", "Escape")
    terminal.wait_for("What did you see?")

    terminal.press("F3")
    terminal.wait_for("Mon 02 Mar 2026")
    terminal.press("C-q")
    terminal.wait_for("Keep its recovery key")  # said before, and still there after the screen
    screen, code = terminal.type(f"{program} status")
    assert code == 0 and "1 sessions, 210 keyframes, 1 gaps" in screen and "0 questions" in screen
