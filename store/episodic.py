"""EpisodicStore: the one door to a memory on disk.

    memory.db          rows, the truth             embeddings/<checkpoint>/   derived, rebuildable
    packs/000001.pack  the JPEGs they point at     small/000001.pack          those that were reduced
    recording.lock     held by the one who records sounds/000001.pack         sounds

One process records while others index and ask. This file knows the order of things (bytes before rows, lock before
bytes) and leaves the how to the modules it opens. It does not know models, cameras or screens.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from store.database import Database
from store.disk import bytes_under, make_private_directory, writing
from store.embedded import EmbeddedLedger
from store.entry import holds_database, require_place
from store.errors import DiskFull, MemoryBusy, MemoryDamaged
from store.layout import DATABASE, UPKEEP
from store.lock import LOCK_WAIT_S, RECORDING, RecordingLock
from store.packs import NOWHERE, Packs
from store.records import Heard, Keyframe, Reduction, Sound
from store.rewriting import resume
from store.sealing import FileKeys
from store.spans import recorded, total_s
from store.transcripts import UNHEARD, UNREAD
from store.vault import Vault, is_encrypted

PROCESS_KILLED = "process killed"
COUNTED = ("sessions", "keyframes", "sounds", "gaps", "transcripts", "turns")


class EpisodicStore(EmbeddedLedger):
    """A memory: the ledger of its rows, with the pictures, sounds and embeddings that belong to them.

    Every method may raise DiskFull when it writes, and MemoryDamaged when the disk is not what it was.
    """

    def __init__(self, directory: Path, vault: Vault | None) -> None:
        self.directory, self.vault = directory, vault
        self._lock = RecordingLock(directory / RECORDING)
        key = vault.database_key if vault else None
        database = Database(directory / DATABASE, key, self._held_in_passing)
        self.keys = FileKeys(database, encrypted=vault is not None)
        super().__init__(database, directory / "embeddings", self.keys)
        self.packs = Packs(directory / "packs", self.keys)
        self.small_packs = Packs(directory / "small", self.keys)
        self.sound_packs = Packs(directory / "sounds", self.keys)

    @classmethod
    def open(cls, directory: Path, *, create: bool = True, encrypt: bool = True) -> Self:
        """Open a memory, or make one (folder 0700, files 0600); what a dead recorder left behind is mended.

        On a disk that is full or read-only nothing is mended, and what was committed can be read.
        A new one is encrypted unless `encrypt` is False, as for homes that are only simulated. NothingRecorded: none
        is there and `create` is False. MemoryLocked: its key is not at hand. MemoryDamaged: it is of a newer version.
        """
        require_place(directory, create)
        with writing(directory):
            make_private_directory(directory)
        if encrypt and not holds_database(directory):
            _make_vault(directory)
        store = cls(directory, Vault.open(directory))
        # While another records, its open session and unfinished bytes are no damage; and a full disk must not keep
        # anyone from asking. The next recording mends what is left.
        with suppress(MemoryBusy, DiskFull), store._lock.held(in_passing=True):
            store._mend()
        with suppress(DiskFull):
            resume(store)
        return store

    def close(self) -> None:
        for packs in (self.packs, self.small_packs, self.sound_packs):
            packs.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def hold_for_recording(self) -> Iterator[None]:
        """Be the one recorder inside the block. MemoryBusy, naming the process, if another one is."""
        with self._lock.held(LOCK_WAIT_S):
            self._mend()
            yield

    def recorder_pid(self) -> int | None:
        """The process that records now, None where none does."""
        return self._lock.holder()

    def _held_in_passing(self) -> AbstractContextManager[None]:
        """For one change; nothing more to do where this store records."""
        return nullcontext() if self._lock.is_mine else self._lock.held(LOCK_WAIT_S, in_passing=True)

    def add_keyframe(
        self,
        session_id: int,
        captured_at: float,
        zone_offset_s: int,
        jpeg: bytes,
        width_px: int,
        height_px: int,
        novelty: float,
    ) -> Keyframe:
        """Remember one picture: when this returns, no crash loses it. Outside a hold it holds the lock by itself.

        DiskFull: nothing was remembered, and the memory is as before. MemoryBusy: another process records.
        What was forgotten while it was on its way here is let go.
        """
        with self._held_in_passing(), self.packs.turn():
            keyframe_id = self.free_keyframe_id(captured_at)
            is_gone = self.is_gone(session_id, captured_at, captured_at)
            place = NOWHERE if is_gone else self.packs.append(keyframe_id, jpeg)
            keyframe = Keyframe(
                id=keyframe_id,
                session_id=session_id,
                captured_at=float(captured_at),
                zone_offset_s=zone_offset_s,
                width_px=width_px,
                height_px=height_px,
                novelty=float(novelty),
                pack=place.pack,
                offset_bytes=place.offset_bytes,
                length_bytes=len(jpeg),
                checksum=place.checksum,
            )
            if not is_gone:
                self.commit_keyframe(keyframe)
        return keyframe

    def reduce_keyframes(self, reductions: Sequence[Reduction]) -> None:
        """Put small pictures in the place of full ones, whose bytes are given back; a recorder may go on meanwhile."""
        with self.small_packs.turn():
            here = self.present([small.keyframe_id for small in reductions])  # the others were forgotten meanwhile
            wanted = [small for small in reductions if small.keyframe_id in here]
            placed = [(small, self.small_packs.append(small.keyframe_id, small.jpeg)) for small in wanted]
            self.replace_pictures(placed)
        self._give_back()

    def add_sound(self, session_id: int, started_at: float, ended_at: float, zone_offset_s: int, ogg: bytes) -> Sound:
        """Remember some seconds of sound, as an Ogg-Opus file; promises and errors are those of `add_keyframe`."""
        with self._held_in_passing(), self.sound_packs.turn():
            sound_id, is_gone = self.free_sound_id(started_at), self.is_gone(session_id, started_at, ended_at)
            place = NOWHERE if is_gone else self.sound_packs.append(sound_id, ogg)
            sound = Sound(
                id=sound_id,
                session_id=session_id,
                started_at=float(started_at),
                ended_at=float(ended_at),
                zone_offset_s=zone_offset_s,
                pack=place.pack,
                offset_bytes=place.offset_bytes,
                length_bytes=len(ogg),
                checksum=place.checksum,
                heard=False,
            )
            if not is_gone:
                self.commit_sound(sound)
        return sound

    def sound_bytes(self, sound: Sound) -> bytes:
        """The Ogg-Opus file as recorded, its checksum verified. MemoryDamaged names the sound."""
        try:
            return self.sound_packs.read(sound)
        except MemoryDamaged:
            now = self.sound(sound.id)
            if now is None or now == sound:
                raise
            return self.sound_packs.read(now)

    def keep_heard(self, sound_ids: Sequence[int], transcripts: Iterable[Heard], keep_sound: bool) -> None:
        """What was said in some sounds; they count as heard and, without `keep_sound`, are erased."""
        super().keep_heard(sound_ids, transcripts, keep_sound)
        self._give_back()

    def jpeg(self, keyframe: Keyframe) -> bytes:
        """The bytes as captured, or as reduced since; checksum verified. MemoryDamaged names the keyframe."""
        try:
            return self._packs_of(keyframe).read(keyframe)
        except MemoryDamaged:
            now = self.keyframe(keyframe.id)
            if now == keyframe:
                raise
            return self._packs_of(now).read(now)

    def _packs_of(self, keyframe: Keyframe) -> Packs:
        return self.small_packs if keyframe.reduced else self.packs

    def status(self) -> dict[str, object]:
        """What is there, in plain values for JSON; times are UTC seconds or None."""
        span, ends, hold = self.span(), self.first_and_last(), self.hold()
        recorded_s = total_s(recorded(self.sessions(), self.gaps(), span)) if span else 0.0
        return {
            "directory": str(self.directory),
            "version": self.database.version,
            "key_kept_in": self.vault.place if self.vault else None,
            "backups": self.database.rows("SELECT * FROM backups ORDER BY made_at DESC"),
            "recorded_s": recorded_s,
            "recording": self.recorder_pid() is not None,
            **{table: self.size(table) for table in COUNTED},
            "reduced": self.size("keyframes WHERE reduced = 1"),
            "unheard": self.size(f"sounds WHERE {UNHEARD}"),
            "unread": self.size(f"keyframes WHERE {UNREAD}"),
            "hold": asdict(hold) if hold else None,
            "started_at": span.started_at if span else None,
            "first_captured_at": ends[0].captured_at if ends else None,
            "last_captured_at": ends[1].captured_at if ends else None,
            "indexed": {name: self.embedded_count(name) for name in self.checkpoints()},
            "bytes": {
                "database": sum(path.stat().st_size for path in self.directory.glob(f"{DATABASE}*")),
                "packs": self.packs.disk_bytes(),
                "small": self.small_packs.disk_bytes(),
                "sounds": self.sound_packs.disk_bytes(),
                "embeddings": bytes_under(self.directory / "embeddings"),
            },
            "disk_free_bytes": shutil.disk_usage(self.directory).free,
        }

    def _mend(self) -> None:
        """With the lock held: no recorder lives, so close what one left open and cut what it left torn."""
        self.close_left_open(PROCESS_KILLED)
        self._give_back()
        self.packs.heal(partial(self.claimed_end, "keyframes"))
        self.sound_packs.heal(partial(self.claimed_end, "sounds"))

    def _give_back(self) -> None:
        """While a backup is being made, or a thing forgotten, it waits for the next time."""
        folders = {"keyframes": self.packs, "sounds": self.sound_packs}
        with suppress(MemoryBusy), RecordingLock(self.directory / UPKEEP).held():
            self.give_back(lambda table, pack, places: folders[table].erase(pack, places))


def _make_vault(directory: Path) -> None:
    """Give a new memory its master key, once: another process may be making the same memory."""
    with RecordingLock(directory / RECORDING).held(LOCK_WAIT_S):
        if not holds_database(directory) and not is_encrypted(directory):
            Vault.make(directory)
