"""The recording lock: one recorder a memory, and the way to tell a live recorder from a dead one; and short turns.

The kernel releases an flock when its process ends, however it ends, so a lock that can be taken proves that nobody
records. This file does not know what the locks protect.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.disk import open_private, writing
from store.errors import DiskFull, MemoryBusy

RETRY_EVERY_S = 0.02
RECORDING = "recording.lock"
NAME_BYTES = 10  # of the largest process number, and more
# Whoever opens a memory holds the recording lock for the moment it mends; a starting recorder sits that out.
LOCK_WAIT_S = 1.0
UPKEEP_WAIT_S = 120.0  # for whoever forgets, backs up or mends


class RecordingLock:
    """An exclusive lock, between processes and between the stores of one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_mine = False

    @contextmanager
    def held(self, wait_s: float = 0.0, *, in_passing: bool = False) -> Iterator[None]:
        """Hold the lock inside the block, or for a moment and unnamed, as whoever mends and does not record.

        MemoryBusy if it stays taken for `wait_s` seconds.
        """
        descriptor = self._open()
        try:
            self._take(descriptor, time.monotonic() + wait_s)
            self._say(descriptor, "" if in_passing else str(os.getpid()))
            self.is_mine = not in_passing
            try:
                yield
            finally:
                self.is_mine = False
                self._say(descriptor, "")
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process that holds the lock now, and not in passing; None where none does.

        Looking is shared, so two who look do not see each other.
        """
        if self.is_mine:
            return os.getpid()
        try:
            descriptor = self._open()
        except DiskFull:  # nor can anyone record here
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            return int(self._named() or 0) or None
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        with writing(self.path):
            return open_private(self.path, os.O_RDWR)

    def _take(self, descriptor: int, deadline_s: float) -> None:
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise self._busy() from None
                time.sleep(RETRY_EVERY_S)

    def _say(self, descriptor: int, name: str) -> None:
        """Who holds it, in place: a full disk, which takes no new bytes, must keep nobody from it."""
        with suppress(OSError):
            os.pwrite(descriptor, name.ljust(NAME_BYTES).encode(), 0)

    def _named(self) -> str:
        return self.path.read_text().strip()

    def _busy(self) -> MemoryBusy:
        pid = self._named()
        who = f"another process (pid {pid})." if pid else "another process."
        if self.path.name != RECORDING:
            return MemoryBusy(f"{self.path.parent} is being backed up or mended by {who}", "Try again when it is done.")
        return MemoryBusy(
            f"{self.path.parent} is being recorded, or written as a backup, by {who}",
            "Stop that recorder first, or wait until the backup is done.",
        )


class Turn:
    """A short turn at something: threads and processes wait for each other, and one's own turn may be taken again."""

    def __init__(self, path: Path) -> None:
        self._path, self._thread, self._depth = path, threading.RLock(), 0
        self._descriptor = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the turn and have it inside the block. The file is opened once, as this is on the hot path."""
        with self._thread:
            if self._depth == 0:
                if self._descriptor < 0:
                    self._descriptor = open_private(self._path, os.O_RDWR)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
