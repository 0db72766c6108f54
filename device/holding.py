"""Holding: whether somebody wants the recorder to stand still, which outlives the process and a full disk.

This file does not know how it is asked for, nor what standing still means.
"""

import time

from store.episodic import EpisodicStore
from store.errors import DiskFull
from store.records import Hold

LOOK_AGAIN_S = 1.0
HOLDS = {"pause": "paused", "private": "private"}


def hold_for(do: str, at: float, for_s: float | None) -> Hold | None:
    """What is asked for: "pause" or "private", for some seconds or until "resume", which asks for none."""
    return Hold(HOLDS[do], at, None if for_s is None else at + for_s) if do in HOLDS else None


class Holding:
    """`is_kept` is whether a restarted recorder would know of it. May be changed from any thread."""

    def __init__(self, store: EpisodicStore) -> None:
        self.is_kept = True
        self._store, self._hold, self._looked_s = store, store.hold(), time.monotonic()

    def change(self, hold: Hold | None) -> None:
        """In force on return; on disk as soon as there is room."""
        self._hold = hold
        self._keep()

    def current(self, at: float) -> Hold | None:
        """The hold in force at that moment, UTC seconds. One that has run out is forgotten.

        It is also looked for in the memory, for somebody whom the recorder did not hear.
        """
        if self.is_kept and time.monotonic() - self._looked_s >= LOOK_AGAIN_S:
            self._hold, self._looked_s = self._store.hold(), time.monotonic()
        if self._hold and self._hold.until is not None and at >= self._hold.until:
            self.change(None)
        elif not self.is_kept:
            self._keep()
        return self._hold

    def _keep(self) -> None:
        try:
            self._store.set_hold(self._hold)
            self.is_kept = True
        except DiskFull:
            self.is_kept = False
