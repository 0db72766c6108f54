"""Packs: append-only files of JPEGs or of sounds, the bytes that the rows point at.

A record is a header {magic, row id, length, crc32} and its content, written in one write() and fsynced; its row is
committed afterwards, so whatever lies behind the last committed record is either whole and unclaimed (harmless) or
torn. This file does not know SQL: who appends or heals must hold the recording lock.
"""

import ctypes
import errno
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from store.disk import make_private_directory, open_private, write_whole, writing
from store.errors import MemoryDamaged
from store.records import Keyframe, Sound

PACK_BYTES = 256 * 1024 * 1024
PACK_NAMES = "[0-9]" * 6 + ".pack"
MAGIC = b"WKF1"
HEADER = struct.Struct("<4sqII")  # magic, row id, length_bytes, crc32
PUNCH_HOLE, KEEP_SIZE = 0x02, 0x01  # of fallocate(2)


class Place(NamedTuple):
    """Where a content lies: its own first byte, just behind the header."""

    pack: int
    offset_bytes: int
    crc32: int


class Packs:
    """The numbered pack files of one folder."""

    def __init__(self, directory: Path, pack_bytes: int = PACK_BYTES) -> None:
        self.directory = directory
        self._pack_bytes = pack_bytes
        self._newest = 0

    def append(self, row_id: int, content: bytes) -> Place:
        """Write one content, on disk on return. DiskFull: nothing of it is left behind."""
        crc32 = zlib.crc32(content)
        record = HEADER.pack(MAGIC, row_id, len(content), crc32) + content
        with writing(self.directory):
            self.directory.parent.stat()  # a memory that vanished is not begun anew
            make_private_directory(self.directory)
            pack = self._pack_with_room(len(record))
            descriptor = open_private(self.path(pack), os.O_RDWR | os.O_APPEND)
            try:
                end = os.fstat(descriptor).st_size
                _append_or_undo(descriptor, record, end)
            finally:
                os.close(descriptor)
        return Place(pack, end + HEADER.size, crc32)

    def read(self, row: Keyframe | Sound) -> bytes:
        """What a row points at. MemoryDamaged, naming the row, if it is not what was written."""
        try:
            descriptor = os.open(self.path(row.pack), os.O_RDONLY)
        except FileNotFoundError:
            raise _damaged(row, f"{self.path(row.pack)} is missing") from None
        try:
            record = os.pread(descriptor, HEADER.size + row.length_bytes, row.offset_bytes - HEADER.size)
        finally:
            os.close(descriptor)
        header, content = record[: HEADER.size], record[HEADER.size :]
        if header != HEADER.pack(MAGIC, row.id, row.length_bytes, row.crc32):
            raise _damaged(row, f"{self.path(row.pack)} holds no such record at {row.offset_bytes}")
        if zlib.crc32(content) != row.crc32:
            raise _damaged(row, f"its bytes in {self.path(row.pack)} have another checksum")
        return content

    def erase(self, pack: int, offset_bytes: int, length_bytes: int) -> None:
        """Give the bytes of one record back to the disk; where it cannot take them, they become zeros."""
        if not self.path(pack).exists():
            return
        start, length = offset_bytes - HEADER.size, HEADER.size + length_bytes
        with writing(self.path(pack)):
            descriptor = os.open(self.path(pack), os.O_WRONLY)
            try:
                _punch(descriptor, start, length)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def heal(self, claimed_end: Callable[[int], int]) -> int:
        """Cut a torn record off the newest pack and return how many bytes went.

        `claimed_end(pack)` is where the last claimed record of that pack ends; whole records behind it stay.
        """
        pack = self._newest_pack()
        if pack == 0:
            return 0
        with writing(self.path(pack)):
            descriptor = os.open(self.path(pack), os.O_RDWR)
            try:
                size = os.fstat(descriptor).st_size
                end = claimed_end(pack)
                while (next_end := _record_end(descriptor, end)) is not None:
                    end = next_end
                if end < size:
                    os.ftruncate(descriptor, end)
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return max(0, size - end)

    def sizes(self) -> dict[int, int]:
        """Bytes of every pack file by its number."""
        return {int(path.stem): path.stat().st_size for path in self.directory.glob(PACK_NAMES)}

    def disk_bytes(self) -> int:
        """What the packs really take; erased records take nothing."""
        return sum(512 * path.stat().st_blocks for path in self.directory.glob(PACK_NAMES))

    def path(self, pack: int) -> Path:
        return self.directory / f"{pack:06d}.pack"

    def _newest_pack(self) -> int:
        """The highest number there is, 0 for none; the folder is listed once, then only looked ahead in."""
        if self._newest == 0:
            self._newest = max((int(path.stem) for path in self.directory.glob(PACK_NAMES)), default=0)
        while self.path(self._newest + 1).exists():
            self._newest += 1
        return self._newest

    def _pack_with_room(self, record_bytes: int) -> int:
        pack = self._newest_pack()
        if pack == 0:
            return 1
        size = self.path(pack).stat().st_size
        return pack if size == 0 or size + record_bytes <= self._pack_bytes else pack + 1


def _append_or_undo(descriptor: int, record: bytes, end: int) -> None:
    try:
        write_whole(descriptor, record)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _record_end(descriptor: int, offset: int) -> int | None:
    """Where the whole record that starts at `offset` ends, None if none does."""
    header = os.pread(descriptor, HEADER.size, offset)
    if len(header) < HEADER.size:
        return None
    magic, _, length, crc32 = HEADER.unpack(header)
    end = offset + HEADER.size + length
    if magic != MAGIC or end > os.fstat(descriptor).st_size:
        return None
    content = os.pread(descriptor, length, offset + HEADER.size)
    return int(end) if zlib.crc32(content) == crc32 else None


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
