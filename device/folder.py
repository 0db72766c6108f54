"""FilmFolder: a folder that films are copied into, such as the card of an action camera, and record_folder.

The films that are there come in the order in which they were taken, and later ones as they arrive. A film counts as
copied once its size and time have rested for some seconds and it opens; what does not open is passed over by name,
and looked at again when it changes.

This file does not know how films are decoded.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from device.camera import Camera
from device.film import Film
from device.frame import AudioBlock, Frame
from device.recorder import record
from device.state import Recorded
from store.config import Capture, Sound
from store.episodic import EpisodicStore
from store.errors import CameraError
from store.records import Keyframe, Session

SUFFIXES = {".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm"}
POLL_S = 1.0
SETTLED_S = 3.0
SAME_START_S = 1.0
SAME_PICTURE_S = 0.001

State = tuple[int, int]  # size in bytes, time of change in ns


class FilmFolder:
    """The films in a folder and the folders below it; `passed_over` says why for each film that is not recorded."""

    def __init__(self, path: Path, wanted_fps: float = 1.0) -> None:
        """Raises CameraError where there is no such folder; it may vanish and come back later."""
        if not path.is_dir():
            raise CameraError(f"No folder at {path}.", "Give the folder that the films are copied into.")
        self._path, self._fps = path.resolve(), wanted_fps
        self.passed_over: dict[Path, str] = {}
        self._resting: dict[Path, tuple[State, float]] = {}  # since when each film has been as it is
        self._given: set[tuple[Path, State]] = set()

    def films(self, stop: Event) -> Iterator[Film]:
        """Every film once it is copied, each open until the next is asked for; ends when `stop` is set.

        What was taken away and comes back is given again.
        """
        while not stop.is_set():
            for path in self._in_order(self._copied()):
                if stop.is_set():
                    return
                if film := self._open(path):
                    try:
                        yield film
                    finally:
                        film.close()
            stop.wait(POLL_S)

    def _copied(self) -> list[Path]:
        """Films that have rested long enough and were not given before as they are now."""
        now_s, present = time.monotonic(), dict(self._present())
        rested_before, self._resting = self._resting, {}
        for path, state in present.items():
            before = rested_before.get(path)
            self._resting[path] = before if before and before[0] == state else (state, now_s)
        self._given &= set(present.items())
        copied = [(path, state) for path, (state, since_s) in self._resting.items() if now_s - since_s >= SETTLED_S]
        new = [item for item in copied if item not in self._given]
        self._given.update(new)
        return [path for path, _ in new]

    def _present(self) -> Iterator[tuple[Path, State]]:
        for folder, below, names in os.walk(self._path):
            below[:] = [name for name in below if not name.startswith(".")]
            for path in (Path(folder, name) for name in names):
                if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                    try:
                        status = path.stat()
                    except OSError:  # gone since the folder was listed
                        continue
                    if stat.S_ISREG(status.st_mode):  # a pipe would be waited for
                        yield path, (status.st_size, status.st_mtime_ns)

    def _in_order(self, paths: list[Path]) -> list[Path]:
        """Those that open, in the order in which they were taken."""
        taken_at: dict[Path, float] = {}
        for path in paths:
            if film := self._open(path):
                taken_at[path] = film.started_at.timestamp()
                film.close()
        return sorted(taken_at, key=lambda path: (taken_at[path], path))

    def _open(self, path: Path) -> Film | None:
        self.passed_over.pop(path, None)
        try:
            return Film(path, self._fps)
        except CameraError as error:
            self.passed_over[path] = error.message
            return None


def record_folder(
    store: EpisodicStore,
    folder: FilmFolder,
    settings: Capture,
    stop: Event,
    progress: Callable[[Recorded], None] | None = None,
    on_keyframe: Callable[[Keyframe], None] | None = None,
    sound: Sound | None = None,
) -> None:
    """Record every film of the folder as a session of its own, until `stop` is set.

    A film that is in the memory already is passed over in silence; of one whose recording was interrupted only the
    rest is recorded. Raises MemoryBusy and DiskFull; a film that breaks off is named in `folder.passed_over`.
    """
    for film in folder.films(stop):
        camera = _missing(store, film)
        if camera:
            try:
                record(store, camera, settings, progress, stop, on_keyframe, sound)
            except CameraError as error:
                folder.passed_over[Path(film.source)] = error.message


def _missing(store: EpisodicStore, film: Film) -> Camera | None:
    """What of this film the memory does not hold: all of it, the rest of it, or nothing."""
    of_path = [session for session in store.sessions() if session.source == film.source]
    moved_s = _moved_s(film, of_path)
    began_at = film.started_at.timestamp() - moved_s - SAME_START_S
    until_at = began_at + (film.length_s or 0.0) + 2 * SAME_START_S
    held = [session for session in of_path if began_at < session.started_at < until_at]
    if not held:
        return film
    last = max(held, key=lambda session: session.started_at)
    if last.ended_because == "end of film" or last.ended_at is None:
        return None
    return Rest(film, last.ended_at, moved_s)


def _moved_s(film: Film, of_path: Sequence[Session]) -> float:
    """How much later this film says it began than when it was recorded half copied.

    A film that does not say when it was taken is dated by its file, whose time copying moves. One that ended early has
    told how long it would be, and by that it is known again.
    """
    early = f"of {film.length_s or 0.0:.1f} s of {film.source} could be read"
    cut_short = [session for session in of_path if early in (session.ended_because or "")]
    return film.started_at.timestamp() - cut_short[0].started_at if cut_short else 0.0


class Rest:
    """A film behind `after`, where an earlier recording of it ended; it began `moved_s` before what it now says.

    Implements device.camera.Camera.
    """

    def __init__(self, film: Film, after: float, moved_s: float) -> None:
        """`after` in UTC seconds, of the film as it was recorded."""
        self.source, self.length_s, self.live, self.shape = film.source, film.length_s, film.live, film.shape
        self._film, self._after, self._moved_s = film, after + SAME_PICTURE_S, moved_s

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        def hear(block: AudioBlock) -> None:
            block = replace(block, captured_at=block.captured_at - self._moved_s)
            if on_sound and block.captured_at > self._after:
                on_sound(block)

        for frame in self._film.frames(on_sound and hear):
            frame = replace(frame, captured_at=frame.captured_at - self._moved_s)
            if frame.captured_at > self._after:
                yield frame

    def close(self) -> None:
        self._film.close()
