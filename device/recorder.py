"""record: the capture loop, from a camera through the gate into the store, until the camera ends or is stopped.

Whatever happens, what was acknowledged stays, and every second of the session is either recorded or accounted for
by a gap. A keyframe is acknowledged once `store.add_keyframe` has returned; `on_keyframe` is called after that.

This file does not know which camera it reads, how signals arrive, nor that models exist. The camera is closed by
whoever opened it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

import cv2

from device.camera import Camera
from device.frame import Frame
from device.gate import NoveltyGate
from store.config import Capture
from store.episodic import EpisodicStore
from store.errors import CameraError, DiskFull, UserError
from store.records import Keyframe, Session, local_time

HEARTBEAT_S = 5.0
GAP_S = 5.0
GAP_TICKS = 3
SAME_START_S = 1.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far a recording is. `session` is None before the first frame, `ended_because` until it has ended."""

    session: Session | None = None
    frames: int = 0
    kept: int = 0
    gaps: int = 0
    last_at: float = 0.0
    ended_because: str | None = None

    @property
    def duration_s(self) -> float:
        return self.last_at - self.session.started_at if self.session else 0.0


def record(
    store: EpisodicStore,
    camera: Camera,
    settings: Capture,
    progress: Callable[[Recorded], None] | None = None,
    stop: Event | None = None,
    on_keyframe: Callable[[Keyframe], None] | None = None,
) -> Recorded:
    """Record one session; `progress` is called after every frame, `stop` is looked at before every frame.

    Raises MemoryBusy where another recorder holds the memory, UserError where this film is already in it, CameraError
    and DiskFull after ending the session: what was committed before stays.
    """
    with store.hold_for_recording():
        recording = _Recording(store, camera.source, settings, on_keyframe)
        try:
            because = "end of film" if camera.length_s is not None else "camera ended"
            for frame in camera.frames():
                if stop and stop.is_set():
                    because = "stopped"
                    break
                recording.take(frame)
                if progress:
                    progress(recording.so_far)
        except BaseException as error:
            with suppress(DiskFull):  # opening the memory again ends the session at its last heartbeat
                recording.end(_why(error))
            raise
        recording.end(because)
        return recording.so_far


class _Recording:
    """One session while it is being recorded; `so_far` says how far it is."""

    def __init__(
        self,
        store: EpisodicStore,
        source: str,
        settings: Capture,
        on_keyframe: Callable[[Keyframe], None] | None,
    ) -> None:
        self._store, self._source, self._settings, self._on_keyframe = store, source, settings, on_keyframe
        self._gate = NoveltyGate(settings.novelty_threshold, settings.keyframe_every_s)
        self._gap_s = max(GAP_TICKS / settings.fps, GAP_S)
        self._beaten_at = 0.0
        self.so_far = Recorded()

    def take(self, frame: Frame) -> None:
        """One frame from the camera: into the session, past the gate, into the store."""
        session = self.so_far.session or self._begin(frame)
        self._account(session, frame)
        verdict = self._gate.worth(frame)
        if verdict.keep:
            self._keep(session, frame, verdict.novelty)
        self.so_far = replace(self.so_far, frames=self.so_far.frames + 1, last_at=frame.captured_at)

    def end(self, because: str) -> None:
        if self.so_far.session:
            self._store.end_session(self.so_far.session.id, self.so_far.last_at, because)
        self.so_far = replace(self.so_far, ended_because=because)

    def _begin(self, frame: Frame) -> Session:
        self._refuse_twice(frame.captured_at)
        fps = self._settings.fps
        session = self._store.begin_session(self._source, frame.captured_at, frame.zone_offset_s, fps)
        self._beaten_at = frame.captured_at
        self.so_far = replace(self.so_far, session=session, last_at=frame.captured_at)
        return session

    def _refuse_twice(self, started_at: float) -> None:
        for session in self._store.sessions():
            if session.source == self._source and abs(session.started_at - started_at) < SAME_START_S:
                when = local_time(session.started_at, session.zone_offset_s)
                raise UserError(
                    f"{self._source} is already in this memory: session {session.id} of {when:%Y-%m-%d %H:%M:%S}.",
                    "Give another start time, or another memory, to record it again.",
                )

    def _account(self, session: Session, frame: Frame) -> None:
        """A gap where the camera was silent for long, and the heartbeat before the next frame would be too late."""
        last_at, at = self.so_far.last_at, frame.captured_at
        if at - last_at > self._gap_s:
            self._store.add_gap(session.id, last_at, at, "no picture from the camera")
            self.so_far = replace(self.so_far, gaps=self.so_far.gaps + 1)
        if at + 1 / self._settings.fps - self._beaten_at > HEARTBEAT_S:
            self._store.beat(session.id, at)
            self._beaten_at = at

    def _keep(self, session: Session, frame: Frame, novelty: float) -> None:
        height_px, width_px = frame.image.shape[:2]
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality])[1].tobytes()
        keyframe = self._store.add_keyframe(
            session.id, frame.captured_at, frame.zone_offset_s, jpeg, width_px, height_px, novelty
        )
        self.so_far = replace(self.so_far, kept=self.so_far.kept + 1)
        if self._on_keyframe:
            self._on_keyframe(keyframe)


def _why(error: BaseException) -> str:
    """The reason a session remembers."""
    if isinstance(error, CameraError):
        return f"camera failed: {error.message}"
    if isinstance(error, DiskFull):
        return "disk full"
    return "stopped" if isinstance(error, KeyboardInterrupt) else f"recorder failed: {type(error).__name__}"
