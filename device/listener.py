"""Listener: a microphone beside a camera. It may fail and come back; the pictures never wait for it.

This file does not know how a microphone is read, nor what becomes of the sound.
"""

from collections import deque
from threading import Event, Thread

from device.frame import AudioBlock
from device.microphone import Microphone
from store.errors import CameraError

WAITING_BLOCKS = 60  # of half a second
RETRY_S = 2.0


class Listener:
    """The microphone of this name, "" for the default one. `problem` says why nothing is heard, "" while it is."""

    def __init__(self, name: str) -> None:
        self.problem, self.dropped = "", 0
        self._name = name
        self._blocks: deque[AudioBlock] = deque()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Listen from now on, if not already."""
        if self._thread is None:
            self._stop = Event()
            self._thread = Thread(target=self._listen, args=(self._stop,), name="microphone", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let the microphone go, and forget what was not taken."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join(RETRY_S)
            self._thread = None
        self._blocks.clear()

    def take(self) -> list[AudioBlock]:
        """What was heard since the last time, in time order."""
        return [self._blocks.popleft() for _ in range(len(self._blocks))]

    def _listen(self, stop: Event) -> None:
        while not stop.is_set():
            try:
                for block in Microphone(self._name or None).blocks(stop):
                    self.problem = ""
                    self._keep(block, stop)
            except CameraError as error:
                self.problem = error.message
            except Exception as error:  # a sound card's driver must not end the recording
                self.problem = f"The microphone failed: {type(error).__name__}: {error}."
            stop.wait(RETRY_S)

    def _keep(self, block: AudioBlock, stop: Event) -> None:
        if stop.is_set():  # heard after it was asked to be deaf
            return
        self._blocks.append(block)
        if len(self._blocks) > WAITING_BLOCKS:
            self._blocks.popleft()
            self.dropped += 1
