"""Recording: one session while it is recorded, from frames and sound to keyframes, chunks of sound and gaps.

Whatever happens, what was acknowledged stays, and every second of the session is either recorded or accounted for by
a gap. A keyframe is acknowledged once `store.add_keyframe` has returned; `on_keyframe` is called after that. Nothing
waits in here: a frame is judged and committed, or let go, before `take` returns.

This file does not know which camera is read, nor when to read it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2

from device.account import Account
from device.frame import AudioBlock, Frame
from device.gate import NoveltyGate, is_covered
from device.hearing import Hearing
from device.room import Room
from device.state import Recorded
from store.config import Capture, Sound
from store.episodic import PROCESS_KILLED, EpisodicStore
from store.errors import DiskFull, MemoryDamaged, UserError
from store.layout import DATABASE
from store.records import Keyframe, Session, local_time

HEARTBEAT_S, COVERED_S = 5.0, 5.0
GAP_S, GAP_TICKS = 5.0, 3
SAME_START_S = 1.0

NO_PICTURE, LENS_COVERED, DISK_FULL = "no picture from the camera", "lens covered", "disk full"


def nothing(*_: object) -> None:
    """What is called when nobody listens."""


class Recording:
    """One session of `source`; `so_far` says how far it is, `lapsed` why nothing is recorded now ("" while it is).

    With a `room` a full disk is a lapse, without one it is raised; a memory that is gone is MemoryDamaged. A silence
    longer than `gap_s` is a gap. `on_commit` is called when the disk holds a sign of life: a keyframe, or why none.
    """

    def __init__(
        self,
        store: EpisodicStore,
        source: str,
        settings: Capture,
        sound: Sound | None = None,
        room: Room | None = None,
        *,
        reopen_within_s: float = 0.0,
        on_keyframe: Callable[[Keyframe], None] = nothing,
        on_commit: Callable[[], None] = nothing,
    ) -> None:
        """A session of any camera whose recorder was killed at most `reopen_within_s` ago is gone on with."""
        self.source, self.so_far, self.lapsed = source, Recorded(), ""
        self._store, self._settings, self._room = store, settings, room
        self._hearing = Hearing(store, sound or Sound())
        self._reopen_within_s, self._on_keyframe, self._on_commit = reopen_within_s, on_keyframe, on_commit
        self.gap_s = max(GAP_TICKS / settings.fps, GAP_S)
        self._account: Account | None = None
        self._covered_since: float | None = None
        self._beaten_at, self._zone_offset_s = 0.0, 0
        self._forget_the_last_picture()

    @property
    def until(self) -> float:
        """The last second accounted for; before any session, long ago."""
        return self._account.until if self._account else float("-inf")

    @property
    def kept_bytes(self) -> int:
        """Of pictures and sound, since this recorder began."""
        return self.so_far.kept_bytes + self._hearing.kept_bytes

    def require_memory(self) -> None:
        """MemoryDamaged where it was deleted, moved or unmounted meanwhile."""
        if not (self._store.directory / DATABASE).exists():
            raise MemoryDamaged(f"The memory {self._store.directory} is gone.", "Is its disk mounted?")

    def take(self, frame: Frame) -> None:
        """One frame from the camera: into the session, past the gate, into the store."""
        at = frame.captured_at
        if self._room and not self._room.is_left(at):
            self.lapse(DISK_FULL, at)
            return
        with self._writing(at):
            self._take(frame)

    def hear(self, block: AudioBlock) -> None:
        """One block of sound. Before the first frame there is no session yet that it could belong to."""
        if self.so_far.session and self.lapsed != DISK_FULL:
            with self._writing(self.until):
                self._hearing.add(self.so_far.session.id, self._zone_offset_s, block)

    def flush_sound(self) -> None:
        """Keep what was heard up to now, because it will not go on."""
        if self.so_far.session:
            with self._writing(self.until):
                self._hearing.flush(self.so_far.session.id, self._zone_offset_s)

    def lapse(self, reason: str, at: float) -> None:
        """Nothing is recorded now, up to `at`; to be called again while it lasts. The next good frame ends it."""
        self.lapsed = reason
        try:
            account = self._account or self._reopen(at)
            if account is None or account.lapse(reason, at):
                self._on_commit()
        except DiskFull:  # the account has it, and writes it later
            if self._room is None:
                raise
            self._room.refuse(at)
        self._count_gaps()

    def end(self, because: str) -> None:
        """Write what is left, and end the session at the last second accounted for."""
        session, account = self.so_far.session, self._account
        if session and account:
            self.flush_sound()
            account.write()
            self._store.end_session(session.id, max(account.until, self.so_far.last_at), because)
        self.so_far = replace(self.so_far, ended_because=because)

    def _take(self, frame: Frame) -> None:
        account = self._account_of(frame)
        self._zone_offset_s = frame.zone_offset_s
        if is_covered(frame.image):
            self._endure_covered(account, frame.captured_at)
        else:
            self._covered_since = None
            self._settle(account, frame.captured_at)
            self._judge(account.session_id, frame)
            account.recorded(frame.captured_at)
            self._beat(account.session_id, frame.captured_at)
        self.so_far = replace(self.so_far, frames=self.so_far.frames + 1, last_at=frame.captured_at)
        self._count_gaps()

    def _account_of(self, frame: Frame) -> Account:
        """The session this frame belongs to: the one under way, one to go on with, or a new one."""
        account = self._account or self._reopen(frame.captured_at)
        if account and self.so_far.session and self.so_far.session.source == self.source:
            return account
        if account:
            self.end("another camera")
            self.so_far = Recorded()
        return self._begin(frame)

    def _begin(self, frame: Frame) -> Account:
        self._refuse_twice(frame.captured_at)
        at = frame.captured_at
        session = self._store.begin_session(self.source, at, frame.zone_offset_s, self._settings.fps)
        return self._go_on_with(session, at, at)

    def _reopen(self, at: float) -> Account | None:
        """Go on with the session of a recorder that was killed a moment ago; what it missed is a gap."""
        newest = max(self._store.sessions(), key=lambda session: session.id, default=None)
        if newest is None or newest.ended_at is None or newest.ended_because != PROCESS_KILLED:
            return None
        if not 0 <= at - newest.ended_at <= self._reopen_within_s:
            return None
        self._store.reopen_session(newest.id)
        account = self._go_on_with(newest, newest.ended_at, at)
        account.lapse(PROCESS_KILLED, at, over=True)
        return account

    def _go_on_with(self, session: Session, until: float, at: float) -> Account:
        self._account = Account(self._store, session.id, until)
        self._beaten_at = until
        self.so_far = replace(self.so_far, session=session, began_at=at, last_at=at)
        return self._account

    def _refuse_twice(self, started_at: float) -> None:
        for session in self._store.sessions():
            if session.source == self.source and abs(session.started_at - started_at) < SAME_START_S:
                when = local_time(session.started_at, session.zone_offset_s)
                raise UserError(
                    f"{self.source} is already in this memory: session {session.id} of {when:%Y-%m-%d %H:%M:%S}.",
                    "Give another start time, or another memory, to record it again.",
                )

    def _settle(self, account: Account, at: float) -> None:
        """Before this frame: a lapse ends here, a long silence of the camera was a gap."""
        if self.lapsed:
            account.lapse(self.lapsed, at, over=True)
            self.lapsed = ""
            self._forget_the_last_picture()
        elif at - account.until > self.gap_s:
            account.lapse(NO_PICTURE, at, over=True)

    def _endure_covered(self, account: Account, at: float) -> None:
        """A picture of nothing is not kept, and when there is no other for some seconds that is a lapse."""
        if self._covered_since is None:
            if self.lapsed != LENS_COVERED:
                self._settle(account, at)
                account.recorded(at)
            self._covered_since = at
        elif at - self._covered_since >= COVERED_S:
            self.lapse(LENS_COVERED, at)

    def _judge(self, session_id: int, frame: Frame) -> None:
        verdict = self._gate.worth(frame)
        if not verdict.keep:
            return
        height_px, width_px = frame.image.shape[:2]
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality])[1].tobytes()
        keyframe = self._store.add_keyframe(
            session_id, frame.captured_at, frame.zone_offset_s, jpeg, width_px, height_px, verdict.novelty
        )
        so_far = self.so_far
        self.so_far = replace(
            so_far, kept=so_far.kept + 1, kept_bytes=so_far.kept_bytes + len(jpeg), last_kept_at=frame.captured_at
        )
        self._on_commit()
        self._on_keyframe(keyframe)

    def _beat(self, session_id: int, at: float) -> None:
        """A sign of life before the one after the next frame would come too late."""
        if at + 1 / self._settings.fps - self._beaten_at > HEARTBEAT_S:
            self._store.beat(session_id, at)
            self._beaten_at = at
            if at - self.so_far.last_kept_at <= self._settings.keyframe_every_s:
                self._on_commit()

    @contextmanager
    def _writing(self, at: float) -> Iterator[None]:
        """Where the disk is full recording stands still; where the memory is gone it ends."""
        try:
            self.require_memory()
            yield
        except DiskFull:
            if self._room is None:
                raise
            self._room.refuse(at)
            self.lapse(DISK_FULL, at)

    def _forget_the_last_picture(self) -> None:
        """The next one is kept, whatever it shows."""
        self._gate = NoveltyGate(self._settings.novelty_threshold, self._settings.keyframe_every_s)

    def _count_gaps(self) -> None:
        if self._account:
            self.so_far = replace(self.so_far, gaps=self._account.gaps)
