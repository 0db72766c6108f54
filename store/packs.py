"""Packs: append-only files of JPEGs or of sounds, the bytes that the rows point at.

A record (form.py) is written in one writev() and fsynced; its row is committed afterwards, so whatever lies behind the
last committed record is either whole and unclaimed (harmless) or torn. Erasing a record leaves its header where it is.
This file does not know SQL: who heals must hold the recording lock.
"""

import ctypes
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from store.disk import make_private_directory, open_private, sync_directory, write_whole, writing
from store.errors import MemoryDamaged
from store.form import HEADER_BYTES, EncryptedForm, Form, PlainForm
from store.lock import Turn
from store.records import Keyframe, Sound
from store.sealing import BrokenSeal, FileKeys

PACK_BYTES = 256 * 1024 * 1024
PACK_NAMES = "[0-9]" * 6 + ".pack"
PUNCH_HOLE, KEEP_SIZE = 0x02, 0x01  # of fallocate(2)


class Place(NamedTuple):
    """Where a content lies: its own first byte, just behind the header."""

    pack: int
    offset_bytes: int
    checksum: int


NOWHERE = Place(0, 0, 0)


class Packs:
    """The numbered pack files of one folder of a memory."""

    def __init__(self, directory: Path, keys: FileKeys, pack_bytes: int = PACK_BYTES) -> None:
        self.directory, self.keys = directory, keys
        self._form: Form = EncryptedForm(keys) if keys.encrypted else PlainForm()
        self._turn = Turn(directory / "turn.lock")
        self._pack_bytes = pack_bytes
        self._newest, self._listed_ns = 0, 0
        self._appending, self._descriptor = 0, -1  # the pack that is appended to, kept open: this is the hot path

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else appends inside the block: neither a record nor its row can come between."""
        with writing(self.directory):
            if not os.path.isdir(self.directory):
                self.directory.parent.stat()  # a memory that vanished is not begun anew
                make_private_directory(self.directory)
            with self._turn.held():
                yield

    def append(self, row_id: int, content: bytes) -> Place:
        """Write one content, on disk on return. DiskFull: nothing of it is left behind."""
        with self.turn():
            end = self._open_with_room(HEADER_BYTES + len(content) + self._form.trailer_bytes)
            record, checksum = self._form.record(self.name(self._appending), row_id, content)
            _append_or_undo(self._descriptor, record, end)
            return Place(self._appending, end + HEADER_BYTES, checksum)

    def read(self, row: Keyframe | Sound) -> bytes:
        """What a row points at. MemoryDamaged, naming the row, if it is not what was written."""
        path, length = self.path(row.pack), HEADER_BYTES + row.length_bytes + self._form.trailer_bytes
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise _damaged(row, f"{path} is missing") from None
        try:
            record = os.pread(descriptor, length, row.offset_bytes - HEADER_BYTES)
        finally:
            os.close(descriptor)
        try:
            return self._form.content(self.name(row.pack), row, record)
        except BrokenSeal as broken:
            raise _damaged(row, f"{path} at {row.offset_bytes}: {broken}") from None

    def erase(self, pack: int, places: Iterable[tuple[int, int]]) -> None:
        """Give contents (offset_bytes, length_bytes) back to the disk; where it cannot take them, they become zeros."""
        with writing(self.path(pack)):
            try:
                descriptor = os.open(self.path(pack), os.O_WRONLY)
            except FileNotFoundError:  # it was written anew without them
                return
            try:
                for offset_bytes, length_bytes in places:
                    _punch(descriptor, offset_bytes, length_bytes + self._form.trailer_bytes)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def set_aside(self) -> int:
        """A new pack that nobody appends to, for copies; nor does anybody to those before it, from now on."""
        with self.turn():
            pack = self._newest_pack()
            pack += pack == 0 or self.path(pack).stat().st_size > 0
            for each in (pack, pack + 1):  # the second is for whoever appends
                os.close(open_private(self.path(each), os.O_WRONLY))
        return pack

    def copy(self, rows: Iterable[Keyframe | Sound], pack: int) -> dict[int, Place]:
        """Copy what rows point at into a pack set aside, on disk on return: the new places by row id.

        What is damaged is left out. DiskFull: some of it may be there.
        """
        places = {}
        with writing(self.path(pack)), open(self.path(pack), "ab") as copies:
            for row in rows:
                try:
                    content = self.read(row)
                except MemoryDamaged:
                    continue
                record, checksum = self._form.record(self.name(pack), row.id, content)
                places[row.id] = Place(pack, copies.tell() + HEADER_BYTES, checksum)
                copies.writelines(record)
            copies.flush()
            os.fsync(copies.fileno())
        return places

    def drop(self, pack: int) -> None:
        """Delete a pack that no row points at; its bytes go even where another process has it open."""
        with writing(self.directory), suppress(FileNotFoundError):
            os.truncate(self.path(pack), 0)
            self.path(pack).unlink()
            sync_directory(self.directory)

    def has_room(self, pack: int) -> bool:
        """Is it still smaller than a pack is to be?"""
        return self.path(pack).stat().st_size < self._pack_bytes

    def heal(self, claimed_end: Callable[[int], int]) -> int:
        """Cut a torn record off the newest pack and return how many bytes went; whole ones stay, claimed or not.

        `claimed_end(pack)`, asked only where something is torn, is where the last content that a row points at ends:
        before it nothing is cut, whatever a header says.
        """
        pack = self._newest_pack()
        if pack == 0:
            return 0
        with writing(self.path(pack)):
            descriptor = os.open(self.path(pack), os.O_RDWR)
            try:
                size = os.fstat(descriptor).st_size
                end = self._end_of_whole(descriptor, size)
                if end == size or end < claimed_end(pack):
                    return 0
                os.ftruncate(descriptor, end)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return size - end

    def sizes(self) -> dict[int, int]:
        """Bytes of every pack file by its number."""
        return {int(path.stem): path.stat().st_size for path in self.directory.glob(PACK_NAMES)}

    def disk_bytes(self) -> int:
        """What the packs really take; erased records take nothing."""
        return sum(512 * path.stat().st_blocks for path in self.directory.glob(PACK_NAMES))

    def path(self, pack: int) -> Path:
        return self.directory / f"{pack:06d}.pack"

    def name(self, pack: int) -> str:
        """By which the pack's key is known."""
        return f"{self.directory.name}/{pack:06d}.pack"

    def close(self) -> None:
        self._turn.close()
        self._leave()

    def _end_of_whole(self, descriptor: int, size: int) -> int:
        """Where the last whole record ends, or the file where that cannot be told."""
        end = 0
        while end < size:
            header = os.pread(descriptor, HEADER_BYTES, end)
            if len(header) < HEADER_BYTES:
                break
            if not header.startswith(self._form.magic):
                return size  # damage, or the hole of an older version, which erased headers as well
            next_end = end + HEADER_BYTES + self._form.length(header) + self._form.trailer_bytes
            if next_end > size:
                break
            end = next_end
        return end

    def _newest_pack(self) -> int:
        """The highest number there is, 0 for none; the folder is listed when it has changed, then looked ahead in."""
        changed_ns = os.stat(self.directory).st_mtime_ns if os.path.isdir(self.directory) else 0
        if changed_ns != self._listed_ns:
            self._newest = max((int(path.stem) for path in self.directory.glob(PACK_NAMES)), default=0)
            self._listed_ns = changed_ns
        while os.path.exists(self.path(self._newest + 1)):  # a coarse clock hides a change that comes at once
            self._newest += 1
        return self._newest

    def _open_with_room(self, record_bytes: int) -> int:
        """Have the pack open that the next record goes into; where it ends, in bytes."""
        pack = max(1, self._newest_pack())
        end = self._open(pack)
        if end and end + record_bytes > self._pack_bytes:
            end = self._open(pack + 1)
        return end

    def _open(self, pack: int) -> int:
        if pack != self._appending:
            self._leave()
            self._descriptor = open_private(self.path(pack), os.O_RDWR | os.O_APPEND)
            self._appending = pack
        found = os.fstat(self._descriptor)
        if found.st_nlink == 0:
            raise FileNotFoundError(self.path(pack))
        return found.st_size

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._appending, self._descriptor = 0, -1


def _append_or_undo(descriptor: int, record: list[bytes], end: int) -> None:
    try:
        write_whole(descriptor, *record)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _punch(descriptor: int, start: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, ctypes.c_long(start), ctypes.c_long(length)) == 0:
        return
    if ctypes.get_errno() not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.pwrite(descriptor, bytes(length), start)


def _damaged(row: Keyframe | Sound, what: str) -> MemoryDamaged:
    when = row.local_time.isoformat(sep=" ", timespec="seconds")
    return MemoryDamaged(f"{type(row).__name__} {row.id} ({when}) cannot be read: {what}.", "Run: whereabouts check")
