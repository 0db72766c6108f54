"""EpisodicStore: the one door to a memory on disk.

    memory.db          rows, the truth             embeddings/<checkpoint>/   derived, rebuildable
    packs/000001.pack  the JPEGs they point at     small/000001.pack          those that were reduced
    recording.lock     held by the one who records sounds/000001.pack         sounds

One process records while others index and ask. This file knows the order of things (bytes before rows, lock before
bytes) and leaves the how to the modules it opens. It does not know models, cameras or screens.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from store.database import Database
from store.disk import bytes_under, make_private_directory, writing
from store.embeddings import Embeddings
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, NothingRecorded, UserError
from store.index import RecallIndex
from store.ledger import Ledger
from store.lock import RecordingLock
from store.packs import Packs
from store.records import Coverage, Heard, Keyframe, Reduction, Sound, Span
from store.spans import FIRST_ID, id_range, recorded, total_s, worn
from store.transcripts import UNHEARD, UNREAD

PROCESS_KILLED = "process killed"
# Whoever opens a memory holds the recording lock for the moment it mends; a starting recorder sits that out.
LOCK_WAIT_S = 1.0
COUNTED = ("sessions", "keyframes", "sounds", "gaps", "transcripts", "turns")
CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class EpisodicStore(Ledger):
    """A memory: the ledger of its rows, with the pictures and the embeddings that belong to them.

    Every method may raise DiskFull when it writes, and MemoryDamaged when the disk is not what it was.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(Database(directory / "memory.db"))
        self.packs = Packs(directory / "packs")
        self.small_packs, self._small_lock = Packs(directory / "small"), RecordingLock(directory / "small.lock")
        self.sound_packs = Packs(directory / "sounds")
        self._lock = RecordingLock(directory / "recording.lock")
        self._embeddings: dict[str, Embeddings] = {}
        self._indexes: dict[str, RecallIndex] = {}

    @classmethod
    def open(cls, directory: Path, *, create: bool = True) -> Self:
        """Open a memory, or make one (folder 0700, files 0600); what a dead recorder left behind is mended.

        NothingRecorded: none is there and `create` is False. MemoryDamaged: it is of a newer version.
        """
        if directory.exists() and not directory.is_dir():
            raise UserError(f"{directory} is not a folder.", "A memory is a folder: name another place.")
        if not create and not (directory / "memory.db").exists():
            raise NothingRecorded(
                f"There is no memory in {directory}.", "Record or import something first: whereabouts --help"
            )
        with writing(directory):
            make_private_directory(directory)
        store = cls(directory)
        # While another records, its open session and unfinished bytes are no damage; and a full disk must not keep
        # anyone from asking. The next recording mends what is left.
        with suppress(MemoryBusy, DiskFull), store._lock.held():
            store._mend()
        return store

    def close(self) -> None:
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
        """
        with nullcontext() if self._lock.is_mine else self._lock.held(LOCK_WAIT_S):
            keyframe_id = self.free_keyframe_id(captured_at)
            place = self.packs.append(keyframe_id, jpeg)
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
                crc32=place.crc32,
            )
            self.commit_keyframe(keyframe)
        return keyframe

    def reduce_keyframes(self, reductions: Sequence[Reduction]) -> None:
        """Put small pictures in the place of full ones, whose bytes are given back; a recorder may go on meanwhile."""
        with self._small_lock.held(LOCK_WAIT_S):
            placed = [(small, self.small_packs.append(small.keyframe_id, small.jpeg)) for small in reductions]
        self.replace_pictures(placed)
        self._give_back()

    def add_sound(self, session_id: int, started_at: float, ended_at: float, zone_offset_s: int, ogg: bytes) -> Sound:
        """Remember some seconds of sound, as an Ogg-Opus file; promises and errors are those of `add_keyframe`."""
        with nullcontext() if self._lock.is_mine else self._lock.held(LOCK_WAIT_S):
            sound_id = self.free_sound_id(started_at)
            place = self.sound_packs.append(sound_id, ogg)
            sound = Sound(
                id=sound_id,
                session_id=session_id,
                started_at=float(started_at),
                ended_at=float(ended_at),
                zone_offset_s=zone_offset_s,
                pack=place.pack,
                offset_bytes=place.offset_bytes,
                length_bytes=len(ogg),
                crc32=place.crc32,
                heard=False,
            )
            self.commit_sound(sound)
        return sound

    def sound_bytes(self, sound: Sound) -> bytes:
        """The Ogg-Opus file as recorded, its checksum verified. MemoryDamaged names the sound."""
        return self.sound_packs.read(sound)

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

    def coverage(self, checkpoint: str, span: Span | None = None) -> Coverage:
        """How much of a span (all that is known, if None) was worn, seen, and embedded with this checkpoint."""
        span = span or self.span() or Span(0.0, 0.0)
        sessions, gaps = self.sessions(), self.gaps(span)
        return Coverage(
            span=span,
            worn_s=total_s(worn(sessions, span)),
            recorded_s=total_s(recorded(sessions, gaps, span)),
            keyframes=self.count(span),
            indexed=len(self.indexed_ids(checkpoint, span)),
            gaps=tuple(gaps),
        )

    def unindexed(self, checkpoint: str, limit: int = 64) -> list[Keyframe]:
        """Keyframes without an embedding: first those newer than every embedded one, then what was left out."""
        indexed = self.embeddings(checkpoint).sorted_ids()
        newest = int(indexed[-1]) if len(indexed) else FIRST_ID
        missing = self.keyframe_ids(newest, limit)
        if not missing and len(indexed) != self.count():
            everything = np.array(self.keyframe_ids(), np.int64)
            missing = np.setdiff1d(everything, indexed)[:limit].tolist()
        return self.keyframes_by_id(missing)

    def add_embeddings(self, checkpoint: str, ids: Sequence[int], recall: np.ndarray, compressed: np.ndarray) -> None:
        """Keep recall (n, D) and compressed (n, C) of n keyframes as float16; ones already kept stay as they are.

        ValueError: the shapes disagree with each other or with earlier ones, or a number does not fit.
        """
        self.embeddings(checkpoint).append(ids, recall, compressed)

    def compressed(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, C) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self.embeddings(checkpoint).compressed(ids)

    def recall_of(self, checkpoint: str, ids: Sequence[int]) -> np.ndarray:
        """(n, D) float32 in the order asked. UserError for a keyframe without an embedding."""
        return self.embeddings(checkpoint).recall(ids)

    def recall(
        self, checkpoint: str, query: np.ndarray, limit: int, span: Span | None = None
    ) -> list[tuple[int, float]]:
        """Keyframe ids and their inner product with query (D,), best first."""
        index = self._indexes.setdefault(checkpoint, RecallIndex(self.embeddings(checkpoint)))
        return index.search(query, limit, span)

    def indexed_ids(self, checkpoint: str, span: Span | None = None) -> list[int]:
        """Keyframes with an embedding, in time order."""
        ids = self.embeddings(checkpoint).sorted_ids()
        first, behind = np.searchsorted(ids, id_range(span))
        return [int(each) for each in ids[first:behind]]

    def checkpoints(self) -> list[str]:
        """The checkpoints that embeddings are kept of."""
        return sorted(path.name for path in (self.directory / "embeddings").glob("*") if path.is_dir())

    def embeddings(self, checkpoint: str) -> Embeddings:
        """The rows of one checkpoint. UserError if the name cannot be a folder's."""
        if CHECKPOINT_NAME.fullmatch(checkpoint) is None:
            raise UserError(f"{checkpoint!r} cannot name a checkpoint.", "Use letters, digits, dots and dashes.")
        return self._embeddings.setdefault(checkpoint, Embeddings(self.directory / "embeddings" / checkpoint))

    def status(self) -> dict[str, object]:
        """What is there, in plain values for JSON; times are UTC seconds or None."""
        span, ends, hold = self.span(), self.first_and_last(), self.hold()
        return {
            "directory": str(self.directory),
            "version": self.database.version,
            "recording": self._lock.is_taken(),
            **{table: self.size(table) for table in COUNTED},
            "reduced": self.size("keyframes WHERE reduced = 1"),
            "unheard": self.size(f"sounds WHERE {UNHEARD}"),
            "unread": self.size(f"keyframes WHERE {UNREAD}"),
            "hold": asdict(hold) if hold else None,
            "started_at": span.started_at if span else None,
            "first_captured_at": ends[0].captured_at if ends else None,
            "last_captured_at": ends[1].captured_at if ends else None,
            "indexed": {name: len(self.embeddings(name)) for name in self.checkpoints()},
            "bytes": {
                "database": sum(path.stat().st_size for path in self.directory.glob("memory.db*")),
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
        folders = {"keyframes": self.packs, "sounds": self.sound_packs}
        self.give_back(lambda table, *place: folders[table].erase(*place))
