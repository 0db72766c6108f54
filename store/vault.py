"""The vault of a memory: its master key, who keeps it, and how a passphrase seals it.

keys.json beside memory.db names the keeper; nothing secret is in it. A memory without it is plain, as older versions
made them. Under a passphrase (scrypt, RFC 7914) nobody keeps the key: `unlock` lays it into main memory. Whoever has
the recovery key, which is the master key in letters, can always unlock.
This file does not know what the keys open.
"""

import base64
import binascii
import json
import os
import secrets
import unicodedata
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from store.disk import make_private_directory, replace_file, writing
from store.errors import MemoryDamaged, MemoryLocked, UserError
from store.keepers import Keeper, default_keeper, keeper_named
from store.sealing import KEY_BYTES, BrokenSeal, Encryption

FILE = "keys.json"
SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and some tenths of a second for every guess
MOST_SCRYPT = 2**24  # n r p: more is no cost that this program ever set, but damage
LEAST_PASSPHRASE = 8


@dataclass(frozen=True, slots=True)
class Vault:
    """The master key (32 bytes) with what keys.json says; `sealed` is the key under a passphrase, if there is one."""

    directory: Path
    memory_id: str
    keeper: str
    master: bytes = field(repr=False)
    sealed: dict[str, Any] | None = None

    @property
    def database_key(self) -> bytes:
        """The key of memory.db, 32 bytes."""
        return _derived(self.master, b"database")

    @property
    def recovery_key(self) -> str:
        """The master key in groups of four letters and digits, to be written down."""
        letters = base64.b32encode(self.master).decode().rstrip("=")
        return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))

    @property
    def place(self) -> str:
        """Where the key is, for a person."""
        return "nobody's hands but yours, sealed under a passphrase" if self.sealed else self._keeper.place

    @classmethod
    def make(cls, directory: Path) -> Self:
        """A new master key, kept by the keyring where there is one; all on disk on return."""
        vault = cls(directory, str(uuid.uuid4()), default_keeper(), secrets.token_bytes(KEY_BYTES))
        vault._settle()
        return vault

    @classmethod
    def open(cls, directory: Path) -> Self | None:
        """None for a plain memory. MemoryLocked: the keeper has no key. MemoryDamaged: it has another memory's."""
        described = _described(directory)
        if described is None:
            return None
        key = keeper_named(described["keeper"]).get(described["memory"])
        if key is None:
            raise _locked(directory, described["keeper"])
        if _proof(key) != described["proof"]:
            what = f"The key in {keeper_named(described['keeper']).place} does not open {directory}."
            raise MemoryDamaged(what, "Give its passphrase or recovery key: whereabouts unlock")
        return cls(directory, described["memory"], described["keeper"], key, described.get("sealed"))

    @classmethod
    def unlock(cls, directory: Path, secret: str) -> Self:
        """Open with a passphrase or the recovery key; from now on `open` does as well. UserError: it is neither."""
        described = _described(directory)
        if described is None:
            raise UserError(f"{directory} is not encrypted.", "Every new memory is: export this one and import it.")
        sealed = described.get("sealed")
        for key in (_key_in_letters(secret), _key_under(sealed, secret, described["memory"])):
            if key is not None and _proof(key) == described["proof"]:
                keeper_named(described["keeper"]).put(described["memory"], key)
                return cls(directory, described["memory"], described["keeper"], key, sealed)
        what = "neither the passphrase nor" if sealed else "not"
        raise UserError(f"This is {what} the recovery key of {directory}.", "Try again; nothing was changed.")

    def lock(self) -> None:
        """Whoever opens next must unlock. UserError where a keyring or a file keeps the key."""
        if self.sealed is None:
            raise UserError(f"The key of {self.directory} is kept in {self.place}.", "Run first: whereabouts passwd")
        self._keeper.remove(self.memory_id)

    def with_passphrase(self, passphrase: str) -> Self:
        """Seal the key under a passphrase, and take it from keyring or file. UserError: it is too short."""
        if len(passphrase.strip()) < LEAST_PASSPHRASE:
            what = f"A passphrase of {len(passphrase.strip())} characters is too easily guessed."
            raise UserError(what, f"Take at least {LEAST_PASSPHRASE}; four words are good.")
        salt = os.urandom(16)
        closed = Encryption(_stretched(passphrase, salt, SCRYPT)).close(self.master, self.memory_id.encode())
        sealed = {**SCRYPT, "salt": salt.hex(), "key": closed.hex()}
        return self._handed_to(replace(self, keeper="passphrase", sealed=sealed))

    def without_passphrase(self) -> Self:
        """Give the key to the keyring, or to a file where there is none."""
        return self._handed_to(replace(self, keeper=default_keeper(), sealed=None))

    def destroy(self) -> None:
        """Take the key from its keeper; what its memory left anywhere then opens with the recovery key only."""
        self._keeper.remove(self.memory_id)

    @property
    def _keeper(self) -> Keeper:
        return keeper_named(self.keeper)

    def _handed_to(self, successor: Self) -> Self:
        successor._settle()
        if successor.keeper != self.keeper:
            self._keeper.remove(self.memory_id)
        return successor

    def _settle(self) -> None:
        """The keeper has the key before keys.json names the keeper."""
        self._keeper.put(self.memory_id, self.master)
        described: dict[str, Any] = {"memory": self.memory_id, "keeper": self.keeper, "proof": _proof(self.master)}
        described |= {"sealed": self.sealed} if self.sealed else {}
        with writing(self.directory):
            make_private_directory(self.directory)
            replace_file(self.directory / FILE, json.dumps(described, indent=1).encode())


def is_encrypted(directory: Path) -> bool:
    """Has the memory in this folder a vault?"""
    return (directory / FILE).exists()


def _described(directory: Path) -> dict[str, Any] | None:
    path = directory / FILE
    if not path.exists():
        return None
    try:
        described = json.loads(path.read_text())
        uuid.UUID(described["memory"])
        keeper_named(described["keeper"])
        bytes.fromhex(described["proof"])
        return dict(described)
    except PermissionError as error:
        raise UserError(f"{path} may not be read.", "Only its owner may: log in as who recorded it.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MemoryDamaged(f"{path} is damaged.", "Put it back from a backup of this memory.") from error


def _locked(directory: Path, keeper: str) -> MemoryLocked:
    if keeper == "passphrase":
        return MemoryLocked(f"{directory} is locked.", "Run: whereabouts unlock")
    what = f"The key of {directory} is not in {keeper_named(keeper).place}."
    return MemoryLocked(what, "Log in where it was recorded, or give its recovery key: whereabouts unlock")


def _derived(master: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"whereabouts " + purpose).derive(master)


def _proof(master: bytes) -> str:
    """Tells the right key from a wrong one, and nothing else about it."""
    return _derived(master, b"proof").hex()


def _stretched(passphrase: str, salt: bytes, cost: dict[str, Any]) -> bytes:
    """The same letters are the same passphrase, however a keyboard composes them. ValueError: no sane cost."""
    n, r, p = int(cost["n"]), int(cost["r"]), int(cost["p"])
    if n * r * p > MOST_SCRYPT:
        raise ValueError(f"scrypt with n {n}, r {r}, p {p}")
    return Scrypt(salt, KEY_BYTES, n, r, p).derive(unicodedata.normalize("NFC", passphrase).encode())


def _key_under(sealed: dict[str, Any] | None, passphrase: str, memory_id: str) -> bytes | None:
    try:
        if sealed is None:
            return None
        key = _stretched(passphrase, bytes.fromhex(sealed["salt"]), sealed)
        return Encryption(key).open(bytes.fromhex(sealed["key"]), memory_id.encode())
    except (BrokenSeal, ValueError, KeyError, TypeError):
        return None


def _key_in_letters(text: str) -> bytes | None:
    letters = "".join(text.split()).replace("-", "").upper()
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
