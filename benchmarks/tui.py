"""How long does a key wait for its paint, and a person for the prompt?

    python benchmarks/tui.py --work DIR [--moments 500000] [--minutes 20] [--keys 200]

The app runs as a person runs it, in a terminal of 140 x 40 that this program is: it writes keys into a pseudo-terminal
and reads what is painted. The memory is that of benchmarks/moments.py (500,000 moments of a year, rows only, all of
them embedded), and then `minutes` of a simulated home are recorded, so that keyframes wait for the index all the
while. Measured: from the start of the process to the prompt, with the program's files in the page cache; and from a key
to the first paint after it, typed into the prompt, walking down the timeline, and walking through the frames of a
moment, while nano indexes.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from moments import build, embed
from rich.console import Console
from rich.table import Table

from assistant.registry import describe
from store.episodic import EpisodicStore

ROWS, COLUMNS = 40, 140
PROMPT = "What did you see?"
PATIENCE_S = 30.0
FIRST_SEED = 900_000
PAUSE_S = 0.06  # between keys: a person who types very fast
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07]*\x07|_[^\x1b]*\x1b\\|.)")
PROGRAM = [sys.executable, "-c", "from tui.cli import main; main()"]
ANSWERS = {b"\x1b[c": b"\x1b[?62;22c", b"\x1b[16t": b"\x1b[6;20;10t"}  # as a terminal without pictures answers
DOWN, LEFT, ENTER, F2, F3, CTRL_Q = "\x1b[B", "\x1b[D", "\r", "\x1bOQ", "\x1bOR", "\x11"


class Terminal:
    """A process in a pseudo-terminal, and what it has painted."""

    def __init__(self, command: list[str]) -> None:
        self.began_s = time.monotonic()
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(command[0], command)
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def press(self, key: str) -> None:
        os.write(self._screen, key.encode())

    def read(self, wait_s: float) -> str:
        """What is painted within some seconds, or nothing."""
        if not select.select([self._screen], [], [], wait_s)[0]:
            return ""
        painted = os.read(self._screen, 1 << 16)
        for question, answer in ANSWERS.items():
            if question in painted:
                os.write(self._screen, answer)
        return painted.decode(errors="replace")

    def settle(self, quiet_s: float = 0.02) -> None:
        """Until nothing has been painted for a moment."""
        end_s = time.monotonic() + 1.0
        while self.read(quiet_s) and time.monotonic() < end_s:
            pass

    def wait_for(self, text: str) -> float:
        """Seconds until a text is painted. TimeoutError."""
        began_s, painted = time.monotonic(), ""
        while text not in ESCAPES.sub("", painted):
            painted += self.read(0.5)
            if time.monotonic() - began_s > PATIENCE_S:
                raise TimeoutError(f"{text!r} was not painted, but {ESCAPES.sub('', painted)[-500:]!r}")
        return time.monotonic() - began_s

    def wait_for_paint(self) -> float:
        """Seconds until anything is painted."""
        began_s = time.monotonic()
        while not self.read(0.5):
            if time.monotonic() - began_s > PATIENCE_S:
                raise TimeoutError("Nothing was painted.")
        return time.monotonic() - began_s

    def end(self) -> None:
        self.press(CTRL_Q)
        with suppress(OSError):
            while self.read(5.0):
                pass
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@dataclass(frozen=True, slots=True)
class Journey:
    """What is measured: after `into` a key of `keys` is pressed again and again."""

    name: str
    into: tuple[str, ...]
    keys: str | tuple[str, ...]


JOURNEYS = (
    Journey("typing a question", (F2,), "abcdefghijklmnopqrstuvwxyz"),
    Journey("walking down the timeline's days", (F3,), (DOWN,)),
    Journey("walking through the frames of a moment", (F3, ENTER, ENTER, ENTER), (LEFT,)),
)


def make_memory(directory: Path, moments: int) -> None:
    """A minute of a simulated home that nano has indexed, and a year of rows beside it that count as indexed."""
    key = describe("nano").key
    record(directory, 1)
    subprocess.run([*PROGRAM, "--memory", str(directory), "index"], check=True, capture_output=True)
    with EpisodicStore.open(directory) as store:
        known = store.keyframe_ids()
        widths = store.recall_of(key, known[:1]).shape[1], store.compressed(key, known[:1]).shape[1]
        build(store, moments)
        embed(store, sorted(set(store.keyframe_ids()) - set(known)), key, *widths)


def record(directory: Path, minutes: int) -> None:
    """What the indexer will have to do: another home each time."""
    with EpisodicStore.open(directory) as store:
        seed = FIRST_SEED + store.size("sessions")
    uri = f"sim://home?seed={seed}&minutes={minutes}"
    subprocess.run([*PROGRAM, "--memory", str(directory), "record", uri], check=True, capture_output=True)


def time_prompt(directory: Path) -> float:
    """Seconds from the start of the process until the prompt is painted."""
    terminal = Terminal([*PROGRAM, "--memory", str(directory), "tui"])
    try:
        terminal.wait_for(PROMPT)
        return time.monotonic() - terminal.began_s
    finally:
        terminal.end()


def time_keys(directory: Path, journey: Journey, count: int) -> np.ndarray:
    """Seconds from each key to the first paint after it, from when the index grows on."""
    terminal = Terminal([*PROGRAM, "--memory", str(directory), "tui"])
    try:
        terminal.wait_for(" to index")
        for key in journey.into:
            terminal.press(key)
            terminal.settle(0.5)
        waits_s = []
        for number in range(count):
            terminal.settle()
            terminal.press(journey.keys[number % len(journey.keys)])
            waits_s.append(terminal.wait_for_paint())
            time.sleep(PAUSE_S)
        return np.array(waits_s)
    finally:
        terminal.end()


def waiting(directory: Path) -> int:
    """How many keyframes wait for the index."""
    with EpisodicStore.open(directory, create=False) as store:
        return store.count() - store.embedded_count(describe("nano").key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--moments", type=int, default=500_000)
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--keys", type=int, default=200)
    asked = parser.parse_args()
    os.environ["XDG_DATA_HOME"] = str(asked.work / "data")  # this memory's key does not lie beside a person's own
    directory, console = asked.work / "tui", Console()
    table = Table(
        "journey", "p50", "p95", "longest", "to index before", "after", title="milliseconds from key to paint"
    )
    if not directory.exists():
        make_memory(directory, asked.moments)
    time_prompt(directory)
    prompts_s = sorted(time_prompt(directory) for _ in range(5))
    for journey in JOURNEYS:
        record(directory, asked.minutes)
        before = waiting(directory)
        waits_ms = 1000 * time_keys(directory, journey, asked.keys)
        p50, p95 = np.percentile(waits_ms, (50, 95))
        counts = f"{before}", f"{waiting(directory)}"
        table.add_row(journey.name, f"{p50:.1f}", f"{p95:.1f}", f"{waits_ms.max():.0f}", *counts)
    console.print(
        f"From start to prompt: {prompts_s[2]:.2f} s (median of 5, {prompts_s[0]:.2f} to {prompts_s[-1]:.2f})."
    )
    console.print(table)


if __name__ == "__main__":
    main()
