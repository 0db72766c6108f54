"""Reader: a live camera, read in a process of its own.

A camera that hangs in a native call can only be got rid of by killing the process it hangs in, so the camera lives in
a child, and the recorder in the parent. Whatever the child sees is taken off its hands at once; only the newest frame
waits for the recorder, and a frame that a newer one replaced is counted. The child dies with its parent.

This file does not know what becomes of the frames, nor when to try again.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Condition, Thread

from device.camera import open_camera
from device.frame import AudioBlock, Frame
from device.framing import Framed
from store.config import CameraSettings
from store.errors import CameraError, UserError

WAITING_SOUNDS = 30  # blocks of at most a second
DEATH_S = 2.0  # how long a killed child may take; one held up in the kernel is reaped later
PR_SET_PDEATHSIG = 1


class ReaderDied(CameraError):
    """The process that reads the camera ended by itself, or was killed."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the child is to open. It goes over the pipe: a command line would show a password to everybody."""

    camera: CameraSettings
    wanted_fps: float
    want_sound: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """What the child found at the address."""

    source: str
    shape: str


class Reader:
    """A live camera. `source` and `shape` are empty until it has answered; `dropped` counts frames ever replaced."""

    def __init__(self, camera: CameraSettings, wanted_fps: float, want_sound: bool = False) -> None:
        self.source, self.shape = "", ""
        self.dropped, self.dropped_sounds = 0, 0
        self._order = Order(camera, wanted_fps, want_sound)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_connected = False
        self._arrived = Condition()
        self._sounds: deque[AudioBlock] = deque()
        self._frame: Frame | None = None
        self._end: Exception | None = None

    @property
    def pid(self) -> int | None:
        """The child's, None where there is none."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Try the address, for the first time or again; what comes of it is seen by `next`."""
        if not self._is_connected:
            self.close()
            self._start()
        with suppress(OSError):  # a child that has just died says so in `next`
            self._pipe.send(self._order)

    def next(self, timeout_s: float) -> Frame | AudioBlock | None:
        """What came, waiting at most `timeout_s` for it; None where nothing did.

        Raises, after the last frame, CameraError where the camera broke off or its process died, UserError where the
        address is not understood, and EOFError at the end of a camera that has one. `open` tries again.
        """
        with self._arrived:
            self._arrived.wait_for(self._something_waits, timeout_s)
            if self._sounds:
                return self._sounds.popleft()
            frame, self._frame = self._frame, None
            if frame is None and self._end is not None:
                end, self._end = self._end, None
                raise end
        return frame

    def close(self) -> None:
        """Kill the child, whatever it is at; the camera is free afterwards. May be called more than once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # whatever it started dies with it
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DEATH_S)
        self._listener.join(DEATH_S)
        self._pipe.close()
        self._process = None
        self._is_connected = False
        self._sounds.clear()
        self._frame = self._end = None

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        program = f"from device.reader import serve; serve({theirs.fileno()}, {os.getpid()})"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # of its own: Ctrl-C is for the recorder
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        )
        theirs.close()
        self._listener = Thread(target=self._listen, args=(self._pipe,), name="reader", daemon=True)
        self._is_connected = True
        self._listener.start()

    def _something_waits(self) -> bool:
        return bool(self._sounds) or self._frame is not None or self._end is not None

    def _listen(self, pipe: Connection) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._put(pipe.recv())
        self._is_connected = False
        self._put(ReaderDied(f"The process that reads {self.source or 'the camera'} ended.", "It is started again."))

    def _put(self, message: object) -> None:
        with self._arrived:
            if isinstance(message, Frame):
                self.dropped += self._frame is not None
                self._frame = message
            elif isinstance(message, AudioBlock):
                self._sounds.append(message)
                if len(self._sounds) > WAITING_SOUNDS:
                    self._sounds.popleft()
                    self.dropped_sounds += 1
            elif isinstance(message, Opened):
                self.source, self.shape = message.source, message.shape
            elif isinstance(message, Exception):
                self._end = message
            self._arrived.notify()


def serve(descriptor: int, parent_pid: int) -> None:
    """The child: open what is ordered, send what it gives and how it ended, and wait for the next order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before it could be watched
        return
    pipe = Connection(descriptor)
    with suppress(EOFError, OSError):
        while True:
            pipe.send(_read(pipe, pipe.recv()))


def _read(pipe: Connection, order: Order) -> Exception:
    """Send what the camera gives until it ends; returns how it ended."""
    settings = order.camera
    try:
        with closing(Framed(open_camera(settings.uri, order.wanted_fps), settings.rotation, settings.crop)) as camera:
            opened = Opened(camera.source, camera.shape)
            pipe.send(opened)
            for frame in camera.frames(pipe.send if order.want_sound else None):
                if camera.shape != opened.shape:
                    opened = Opened(camera.source, camera.shape)
                    pipe.send(opened)
                pipe.send(frame)
            if camera.length_s is not None:
                return EOFError()
            return CameraError(f"{camera.source} ended.", "It is tried again.")
    except UserError as error:
        return error
    except OSError:
        raise  # the pipe: nobody listens any more
    except Exception as error:  # a fault in a camera must not end the recording
        return CameraError(f"The camera failed: {type(error).__name__}: {error}.", "It is tried again.")
