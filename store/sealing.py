"""Sealing: what lies in files is read and changed by nobody without its key.

A sealed content is nonce (12 bytes) | ciphertext | tag (16 bytes) of AES-256-GCM. The context is not stored but must
be the same again when it is opened, so that a content cannot be moved to where another belongs. A plain memory, as
older versions made them, has checksums instead. Every file has a random key of its own, and the keys lie in SQLite:
with its row a key is gone, and with the key the content of every copy of that file.
This file does not know what is sealed, nor where the master key is kept.
"""

import os
import struct
import zlib
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.database import Database
from store.errors import MemoryDamaged

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
CHECKSUM = struct.Struct("<I")


class BrokenSeal(Exception):
    """What was opened is not what was sealed there."""


class Seal(Protocol):
    """How the contents of one file are closed and opened."""

    overhead_bytes: int

    def close(self, content: bytes, context: bytes = b"") -> bytes:
        """The content with what proves that it is whole; `overhead_bytes` longer."""
        ...

    def open(self, closed: bytes, context: bytes = b"") -> bytes:
        """The content again. BrokenSeal if it, the context or the key is another."""
        ...


class Encryption:
    """AES-256-GCM under one key."""

    overhead_bytes = NONCE_BYTES + TAG_BYTES

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, content: bytes, context: bytes = b"") -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, context)

    def open(self, closed: bytes, context: bytes = b"") -> bytes:
        if len(closed) < self.overhead_bytes:
            raise BrokenSeal(f"{len(closed)} bytes are too few")
        try:
            return self._cipher.decrypt(closed[:NONCE_BYTES], closed[NONCE_BYTES:], context)
        except InvalidTag:
            raise BrokenSeal("another key, or other bytes than were sealed") from None


class Checksum:
    """CRC-32 of context and content, for memories without a key."""

    overhead_bytes = CHECKSUM.size

    def close(self, content: bytes, context: bytes = b"") -> bytes:
        return CHECKSUM.pack(zlib.crc32(content, zlib.crc32(context))) + content

    def open(self, closed: bytes, context: bytes = b"") -> bytes:
        content = closed[CHECKSUM.size :]
        if closed[: CHECKSUM.size] != CHECKSUM.pack(zlib.crc32(content, zlib.crc32(context))):
            raise BrokenSeal("another checksum")
        return content


class FileKeys:
    """The keys of a memory's files, by their path below its folder."""

    def __init__(self, database: Database, encrypted: bool) -> None:
        self._database, self.encrypted = database, encrypted
        self._seals: dict[str, Seal] = {}

    def make(self, file: str) -> Seal:
        """A new key, committed on return: the file may be begun. One that another process has just made is taken."""
        if self.encrypted and file not in self._seals:
            sql = "INSERT OR IGNORE INTO keys VALUES (?, ?)"
            self._database.execute(sql, (file, os.urandom(KEY_BYTES)))
        return self.find(file)

    def find(self, file: str) -> Seal:
        """The seal of a file that was begun. MemoryDamaged if its key is gone."""
        if not self.encrypted:
            return Checksum()
        if file in self._seals:
            return self._seals[file]
        key = self._database.value("SELECT key FROM keys WHERE file = ?", (file,))
        if key is None:
            raise MemoryDamaged(f"The key of {file} is gone, so it cannot be read.", "Run: whereabouts check")
        seal = Encryption(key)
        if not self._database.in_transaction:  # a key that is rolled back must not be remembered
            self._seals[file] = seal
        return seal

    def destroy(self, file: str) -> None:
        """From the next commit on nobody can read the file, nor any copy of it."""
        self._seals.pop(file, None)
        self._database.execute("DELETE FROM keys WHERE file = ?", (file,))
