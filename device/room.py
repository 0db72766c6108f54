"""Room: whether the disk has room for more, looked at every few seconds.

Recording stands still below the reserve and goes on only once there is a little more, so that it does not flap.
This file does not know what takes the room.
"""

import shutil
from pathlib import Path

from store.config import Disk
from store.units import say_bytes

LOOK_EVERY_S = 3.0
ENOUGH = 1.05  # of the reserve, to go on


class Room:
    """Of the disk that holds `directory`. `free_bytes` is as of the last look."""

    def __init__(self, directory: Path, settings: Disk) -> None:
        self._directory, self._settings = directory, settings
        self._full, self._looked_at = False, float("-inf")
        self.free_bytes = shutil.disk_usage(directory).free

    def is_left(self, at: float) -> bool:
        """Whether more may be written; `at` is UTC seconds."""
        if abs(at - self._looked_at) >= LOOK_EVERY_S:
            self._looked_at = at
            self.free_bytes = shutil.disk_usage(self._directory).free
            reserve = self._settings.reserve_bytes
            self._full = self.free_bytes <= reserve * ENOUGH if self._full else self.free_bytes < reserve
        return not self._full

    def refuse(self, at: float) -> None:
        """The disk itself took no more, whatever it says is free: do not try again before the next look."""
        self._full, self._looked_at = True, at

    @property
    def shortage(self) -> str:
        """What a person should know, "" while there is plenty."""
        if self.free_bytes >= self._settings.warn_bytes:
            return ""
        kept = f", and {say_bytes(self._settings.reserve_bytes)} are kept in reserve" if self._full else ""
        return f"Only {say_bytes(self.free_bytes)} are free on the disk of the memory{kept}."
