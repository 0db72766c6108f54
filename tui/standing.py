"""Standing: whether something is recorded now, and how recorder and disk are, in what a line of a screen can say.

Looked at every second, so it counts no rows. This file does not know widgets, nor how anything is recorded.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Hold
from store.units import say_bytes

# A mark for every state, so that nobody needs colours to tell them apart.
RECORDING, STILL, OFF, TROUBLE = "●", "‖", "○", "▲"
PAUSED, PRIVATE = "paused", "private"
HELD = (PAUSED, PRIVATE)
GONE = "the memory cannot be read"


@dataclass(frozen=True, slots=True)
class Standing:
    """`recorder` is what one answers that listens, None where none does; `is_recording`: somebody holds the lock.

    `forgotten_s`: by whomever. `problem` is why nothing of this can be told, "" otherwise.
    """

    recorder: dict[str, Any] | None
    is_recording: bool
    hold: Hold | None
    disk_free_bytes: int
    forgotten_s: float = 0.0
    problem: str = ""

    @property
    def state(self) -> str:
        if self.problem:
            return self.problem
        if self.recorder:
            return str(self.recorder["state"])
        if self.is_recording:
            return "recording a film"
        return f"not recording, {self.hold.reason}" if self.hold else "not recording"

    @property
    def mark(self) -> str:
        if self.problem:
            return TROUBLE
        if not self.is_recording:
            return OFF
        if self.recorder is None or self.state == "recording":
            return RECORDING
        return STILL if self.state in HELD else TROUBLE

    @property
    def is_held(self) -> bool:
        return self.hold is not None or self.state in HELD

    @property
    def is_private(self) -> bool:
        return self.state.endswith(PRIVATE)

    @property
    def facts(self) -> list[str]:
        """What else there is to know, the most urgent first."""
        if self.problem:
            return []
        found = [] if self.recorder is None else list(_facts(self.recorder))
        return [*found, f"{say_bytes(self.disk_free_bytes)} free"]


def look(store: EpisodicStore) -> Standing:
    """How things are now; waits for the recorder for a moment."""
    try:
        return _look(store)
    except (OSError, UserError):  # its disk was taken away, say
        return Standing(None, False, None, 0, problem=GONE)


def _look(store: EpisodicStore) -> Standing:
    is_recording = store.recorder_pid() is not None
    recorder = recorder_state(store.directory) if is_recording else None
    free = shutil.disk_usage(store.directory).free
    return Standing(recorder, is_recording, store.hold(), free, store.forgotten_s())


def recorder_state(memory: Path) -> dict[str, Any] | None:
    """How the recorder of a live camera is; None where a film is being recorded, which says nothing of itself."""
    from device.control import request

    with suppress(UserError):
        return request(memory, "status")
    return None


def _facts(recorder: dict[str, Any]) -> list[str]:
    dropped = sum(recorder["drops"].values())
    facts = [*recorder["warnings"], *filter(None, [recorder["sound"]["problem"]])]
    facts += [f"{dropped} dropped"] if dropped else []
    facts += [f"{recorder['keyframes']} keyframes"] if recorder["session"] is not None else []
    return facts + ([f"room for {recorder['days_left']:.3g} days"] if recorder["days_left"] is not None else [])
