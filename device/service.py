"""Service: the recorder as a daemon, for a camera that is live.

It reads, and where there is nothing to read it says why and goes on for ever: whatever becomes of the camera, the disk
or the clock is a gap of the session and a state to be asked for, not the end of the recording. It stands still while
somebody wants it to.

This file does not know how signals arrive, how a camera is read or found again, nor what a frame is worth.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from threading import Event

from device.clock import Reading, SessionClock
from device.control import listening
from device.frame import AudioBlock, Frame
from device.holding import Holding, hold_for
from device.link import Link
from device.listener import Listener
from device.notify import notify
from device.reader import Reader
from device.recorder import why
from device.recording import DISK_FULL, LENS_COVERED, Recording, nothing
from device.room import LOOK_EVERY_S, Room
from device.state import Rate, Recorded, State, days_left
from store.config import CameraSettings, Config
from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryDamaged
from store.records import Hold

RECORDING, WAITING, SUSPENDED = "recording", "waiting for camera", "suspended"
SUSPENDED_S = 1.0
REOPEN_S = 15 * 60.0
POLL_S = 0.25
TELL_EVERY_S = 1.0
OBEY_S = 2.0
LATE, LATE_SOUND = "recorder was late", "sound waited too long"


class Service:
    """Records one camera into one memory until `stop` is set. `on_state` is called about once a second."""

    def __init__(
        self,
        store: EpisodicStore,
        camera: CameraSettings,
        config: Config,
        stop: Event,
        on_state: Callable[[State], None] = nothing,
    ) -> None:
        self._store, self._config, self._stop, self._on_state = store, config, stop, on_state
        self._clock = SessionClock()
        self._started_at = self._clock.now()
        self._holding = Holding(store)
        sound = replace(config.sound, source=camera.sound or config.sound.source)
        self._sound_kind, _, name = sound.source.partition(":")
        self._listener = Listener(name) if self._sound_kind == "microphone" else None
        self._link = Link(Reader(camera, config.capture.fps, self._sound_kind == "camera"), config.capture.fps)
        self._room = Room(store.directory, config.disk)
        self._recording = Recording(
            store, "", config.capture, sound, self._room, reopen_within_s=REOPEN_S, on_commit=self._live
        )
        self._rate, self._lag_s, self._recorded_s = Rate(self._started_at), 0.0, 0.0
        self._standing, self._is_waiting = "", True  # why it stands still; for a first picture, also after that
        self._read_at = float("inf")  # the clock, in the turn before
        self._lived_s, self._told_s, self._told = 0.0, 0.0, Event()
        self._told.set()
        self.state = self._describe(WAITING, self._started_at)

    def run(self) -> Recorded:
        """Record until `stop`, or to the end of a camera that has one.

        Raises MemoryBusy where another recorder holds the memory, MemoryDamaged where the memory goes away, and
        UserError for an address not understood.
        """
        with ExitStack() as held:
            if self._hold_memory(held):
                held.enter_context(listening(self._store.directory, self.answer))
                self._record_on()
        return self._recording.so_far

    def answer(self, do: str, for_s: float | None) -> dict[str, object]:
        """What another process asks for, in a thread of its own; returns the state that it led to."""
        if do != "status":
            self._holding.change(hold_for(do, self._clock.now(), for_s))
            self._told.clear()
            self._told.wait(OBEY_S)  # from then on no picture is kept that was not meant to be
        return asdict(self.state)

    def _hold_memory(self, held: ExitStack) -> bool:
        """Be the one recorder, as soon as the disk has room for that; False where `stop` came before."""
        while not self._stop.is_set():
            try:
                held.enter_context(self._store.hold_for_recording())
                return True
            except DiskFull:
                notify("READY=1\nWATCHDOG=1")  # to wait is no failure
                self._say(DISK_FULL)
                self._stop.wait(LOOK_EVERY_S)
        return False

    def _record_on(self) -> None:
        because = "stopped"
        notify("READY=1")
        try:
            while not self._stop.is_set():
                self._step()
        except EOFError:
            because = "camera ended"
        except Exception as error:
            because = why(error)
            self._recording.require_memory()  # where that has gone, it is what went wrong
            raise
        finally:
            self._finish(because)

    def _step(self) -> None:
        """One turn of the loop: stand still, or record what comes within a moment."""
        self._recording.require_memory()
        hold = self._holding.current(self._clock.now())
        if hold:
            self._stand_still(hold)
        else:
            self._record()
        self._tell()

    def _stand_still(self, hold: Hold) -> None:
        """Neither picture nor sound: camera and microphone are let go."""
        self._let_go()
        self._recording.flush_sound()
        self._standing, self._is_waiting = hold.reason, True
        self._read_at = self._clock.read().at
        self._recording.lapse(hold.reason, self._read_at)
        time.sleep(POLL_S)

    def _record(self) -> None:
        self._standing = ""
        if self._listener:
            self._listener.start()
        item = self._link.next(POLL_S)
        reading = self._read_clock()
        if self._holding.current(reading.at):  # asked for while this was on its way
            return
        missing = self._link.trouble or (WAITING if self._is_waiting else "")
        if isinstance(item, Frame):
            self._see(item, reading)
        elif missing:
            self._recording.lapse(missing, reading.at)
        heard = self._listener.take() if self._listener else [item] if isinstance(item, AudioBlock) else []
        for block in heard:
            self._recording.hear(self._clock.date_sound(block, reading))

    def _read_clock(self) -> Reading:
        """The time. That the machine or this loop stood still since the turn before is not the camera's doing."""
        before_at, reading = self._read_at, self._clock.read()
        self._read_at = reading.at
        if reading.suspended_s >= SUSPENDED_S:
            self._recording.lapse(SUSPENDED, reading.at)
        elif reading.at - before_at > self._recording.gap_s:
            self._recording.lapse(LATE, reading.at)
        return reading

    def _see(self, frame: Frame, reading: Reading) -> None:
        before_at = self._recording.until
        dated = self._clock.date(frame, reading, later_than=before_at)
        self._recording.source = self._link.reader.source
        self._recording.take(dated)
        self._is_waiting = False
        self._lag_s = max(0.0, reading.at - dated.captured_at)
        self._rate.count(reading.at)
        if not self._recording.lapsed:
            self._recorded_s += min(dated.captured_at - before_at, POLL_S + 1 / self._config.capture.fps)

    def _let_go(self) -> None:
        self._link.let_go()
        if self._listener:
            self._listener.stop()

    def _finish(self, because: str) -> None:
        notify("STOPPING=1")
        self._let_go()
        with suppress(DiskFull, MemoryDamaged):  # opening the memory again ends the session at its last sign of life
            if self._recording.lapsed:
                self._recording.lapse(self._recording.lapsed, self._clock.now())
            self._recording.end(because)

    def _live(self) -> None:
        """The disk holds a sign of life: let systemd know."""
        if time.monotonic() - self._lived_s >= TELL_EVERY_S:
            self._lived_s = time.monotonic()
            notify("WATCHDOG=1")

    def _tell(self) -> None:
        """How things are now, to whoever listens, when that changes or is waited for, and about once a second."""
        hold = self._holding.current(self._clock.now())
        if hold and hold.reason != self._standing:  # asked for during this turn, in force in the next
            return
        name, is_due = self._name(hold), time.monotonic() - self._told_s >= TELL_EVERY_S
        if is_due or name != self.state.state or not self._told.is_set():
            self._say(name)

    def _say(self, name: str) -> None:
        self._told_s = time.monotonic()
        self.state = self._describe(name, self.state.since if name == self.state.state else self._clock.now())
        self._told.set()
        notify(f"STATUS={name}, {self.state.keyframes} keyframes")
        try:
            self._on_state(self.state)
        except Exception:  # whoever watches has gone, and must not end the recording
            self._on_state = nothing

    def _name(self, hold: Hold | None) -> str:
        if hold:
            return hold.reason
        if self._link.trouble and self._recording.so_far.session:
            return self._link.trouble
        if self._link.trouble or self._is_waiting:
            return WAITING
        return self._recording.lapsed if self._recording.lapsed in (LENS_COVERED, DISK_FULL) else RECORDING

    def _describe(self, name: str, since: float) -> State:
        at, so_far, reader, listener = self._clock.now(), self._recording.so_far, self._link.reader, self._listener
        hold = self._holding.current(at)
        self._room.is_left(at)
        room_bytes = self._room.free_bytes - self._config.disk.reserve_bytes
        return State(
            state=name,
            since=since,
            until=hold.until if hold else None,
            source=reader.source,
            shape=reader.shape,
            session=so_far.session.id if so_far.session else None,
            last_keyframe_at=so_far.last_kept_at if so_far.kept else None,
            keyframes=so_far.kept,
            fps_wanted=self._config.capture.fps,
            fps_got=self._rate.fps(at),
            drops={LATE: reader.dropped, LATE_SOUND: reader.dropped_sounds + (listener.dropped if listener else 0)},
            lag_s=self._lag_s,
            gaps=so_far.gaps,
            sound={"source": self._sound_kind, "problem": listener.problem if listener else ""},
            disk_free_bytes=self._room.free_bytes,
            days_left=days_left(room_bytes, self._recording.kept_bytes, self._recorded_s),
            warnings=tuple(self._warnings()),
            pid=os.getpid(),
            started_at=self._started_at,
        )

    def _warnings(self) -> Iterator[str]:
        if self._link.problem:
            yield self._link.problem
        if shortage := self._room.shortage:
            yield shortage
        if not self._holding.is_kept:
            yield "The disk would not take that recording is to stand still: a restarted recorder would go on."
