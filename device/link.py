"""Link: the way to a live camera, made again for ever when it breaks.

An address that does not answer is tried again soon, and then less soon; a camera that says nothing for long is killed
with the process it hangs in. Silence is only what was listened to: a recorder that stood still heard nothing.

This file does not know what becomes of the frames.
"""

import time

from device.frame import AudioBlock, Frame
from device.reader import Reader, ReaderDied
from store.errors import CameraError

UNPLUGGED, STALLED, DIED = "camera unplugged", "camera stalled", "camera process died"
STALLED_S = 20.0
STALLED_TICKS = 3
ALMOST = 0.9  # of that: an error after so long a silence is only how a stall ends
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 2.0


class Link:
    """`trouble` is what is wrong with the camera, "" while it gives pictures or may be about to."""

    def __init__(self, reader: Reader, wanted_fps: float) -> None:
        self.reader, self.trouble, self.problem = reader, "", ""
        self._patience_s = max(STALLED_S, STALLED_TICKS / wanted_fps)
        self._is_open = False
        self._pause_s = FIRST_RETRY_S
        self._retry_due_s, self._silent_s = 0.0, 0.0

    def next(self, timeout_s: float) -> Frame | AudioBlock | None:
        """What came within `timeout_s`. UserError and EOFError are those of Reader.next."""
        if not self._is_open and not self._open(timeout_s):
            return None
        try:
            item = self._listen(timeout_s)
        except CameraError as error:
            self._break(self._why(error), error.message)
            return None
        if isinstance(item, Frame):
            self.trouble, self.problem, self._pause_s, self._silent_s = "", "", FIRST_RETRY_S, 0.0
        elif self._silent_s > self._patience_s:
            self.reader.close()
            self._break(STALLED, f"No picture came for {self._patience_s:g} s.")
        return item

    def let_go(self) -> None:
        """Free the camera; `next` opens it again at once."""
        self.reader.close()
        self._is_open, self._retry_due_s, self.trouble, self.problem = False, 0.0, "", ""

    def _listen(self, timeout_s: float) -> Frame | AudioBlock | None:
        began_s = time.monotonic()
        try:
            return self.reader.next(timeout_s)
        finally:
            self._silent_s += min(time.monotonic() - began_s, timeout_s)

    def _why(self, error: CameraError) -> str:
        """What it means that the camera broke off just now."""
        if isinstance(error, ReaderDied):
            return DIED
        return STALLED if self._silent_s > ALMOST * self._patience_s else UNPLUGGED

    def _open(self, timeout_s: float) -> bool:
        wait_s = self._retry_due_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return False
        self.reader.open()
        self._is_open, self._silent_s = True, 0.0
        return True

    def _break(self, trouble: str, problem: str) -> None:
        self.trouble, self.problem, self._is_open = trouble, problem, False
        self._retry_due_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LAST_RETRY_S)
