"""The form of a record in a pack: a header, its content, and what seals it.

    encrypted   {magic, length, nonce} ciphertext, tag      AES-256-GCM under the pack's own key, bound to the row id
    plain       {magic, row id, length, crc32} content      in memories without a key

Both headers have 20 bytes and tell where the next record begins. This file does not know where records lie.
"""

import struct
import zlib
from typing import Protocol

from store.records import Keyframe, Sound
from store.sealing import TAG_BYTES, BrokenSeal, FileKeys

HEADER_BYTES = 20


class Form(Protocol):
    """How a content becomes a record and a record a content; `trailer_bytes` lie behind the content."""

    magic: bytes
    trailer_bytes: int

    def record(self, file: str, row_id: int, content: bytes) -> tuple[list[bytes], int]:
        """The parts of a record, to be written behind each other, and its checksum."""
        ...

    def content(self, file: str, row: Keyframe | Sound, record: bytes) -> bytes:
        """What a row points at. BrokenSeal if the record is not what was written for it."""
        ...

    def length(self, header: bytes) -> int:
        """Of the content, in bytes."""
        ...


class PlainForm:
    """Readable by everyone; a CRC-32 tells whether it is whole."""

    magic, trailer_bytes = b"WKF1", 0
    _header = struct.Struct("<4sqII")  # magic, row id, length_bytes, crc32

    def record(self, file: str, row_id: int, content: bytes) -> tuple[list[bytes], int]:
        crc32 = zlib.crc32(content)
        return [self._header.pack(self.magic, row_id, len(content), crc32), content], crc32

    def content(self, file: str, row: Keyframe | Sound, record: bytes) -> bytes:
        header, content = record[:HEADER_BYTES], record[HEADER_BYTES:]
        if header != self._header.pack(self.magic, row.id, row.length_bytes, row.checksum):
            raise BrokenSeal("no such record is there")
        if zlib.crc32(content) != row.checksum:
            raise BrokenSeal("its bytes have another checksum")
        return content

    def length(self, header: bytes) -> int:
        return int(self._header.unpack(header)[2])


class EncryptedForm:
    """Readable with the pack's key only; the row's checksum is the beginning of the tag."""

    magic, trailer_bytes = b"WKS1", TAG_BYTES
    _start = struct.Struct("<4sI")  # magic, length_bytes; the nonce is the rest of the header
    _context = struct.Struct("<q")  # row id

    def __init__(self, keys: FileKeys) -> None:
        self._keys = keys

    def record(self, file: str, row_id: int, content: bytes) -> tuple[list[bytes], int]:
        closed = self._keys.make(file).close(content, self._context.pack(row_id))
        return [self._start.pack(self.magic, len(content)), closed], _beginning(closed)

    def content(self, file: str, row: Keyframe | Sound, record: bytes) -> bytes:
        start, closed = record[: self._start.size], record[self._start.size :]
        if start != self._start.pack(self.magic, row.length_bytes):
            raise BrokenSeal("no such record is there")
        if _beginning(closed) != row.checksum:
            raise BrokenSeal("its bytes have another checksum")
        return self._keys.find(file).open(closed, self._context.pack(row.id))

    def length(self, header: bytes) -> int:
        return int(self._start.unpack_from(header)[1])


def _beginning(record: bytes) -> int:
    """The first four bytes of the tag that a record ends with."""
    return int.from_bytes(record[-TAG_BYTES:][:4], "little")
