"""Keepers: where the master key of a memory lies while nobody uses it, outside of the memory itself.

    "keyring"     the keyring of the desktop, which opens when its owner logs in
    "file"        a file of this account, where there is no keyring: it protects copies of the memory, not this account
    "passphrase"  a file in main memory, from `unlock` until `lock` or until the machine stops

This file does not know what the keys open.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from store.config import data_directory
from store.disk import make_private_directory, replace_file, sync_directory, writing
from store.errors import UserError

SERVICE = "whereabouts"


class Keeper(Protocol):
    """Keeps the keys of memories by their ids. `place` tells a person where."""

    place: str

    def put(self, memory_id: str, key: bytes) -> None: ...

    def get(self, memory_id: str) -> bytes | None:
        """None where it has none."""
        ...

    def remove(self, memory_id: str) -> None: ...


class DesktopKeyring:
    """The Secret Service, KWallet, Keychain or whatever the library keyring finds."""

    place = "the keyring of this desktop"

    def put(self, memory_id: str, key: bytes) -> None:
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(SERVICE, memory_id, key.hex())
        except KeyringError as error:
            raise UserError(
                f"The keyring of this desktop takes no key: {error}.", "Unlock it, and try again."
            ) from error

    def get(self, memory_id: str) -> bytes | None:
        import keyring
        from keyring.errors import KeyringError

        with suppress(KeyringError):
            return _from_hex(keyring.get_password(SERVICE, memory_id))
        return None

    def remove(self, memory_id: str) -> None:
        import keyring
        from keyring.errors import KeyringError

        with suppress(KeyringError):
            keyring.delete_password(SERVICE, memory_id)


class KeyFolder:
    """A private folder with a file for each memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = f"a file in {folder}"

    def put(self, memory_id: str, key: bytes) -> None:
        with writing(self.folder):
            make_private_directory(self.folder)
            self._refuse_foreign()
            replace_file(self.folder / memory_id, key.hex().encode())

    def get(self, memory_id: str) -> bytes | None:
        if not self.folder.exists():
            return None
        self._refuse_foreign()
        path = self.folder / memory_id
        return _from_hex(path.read_bytes()) if path.is_file() else None

    def remove(self, memory_id: str) -> None:
        path = self.folder / memory_id
        with writing(path), suppress(FileNotFoundError):
            path.unlink()
            sync_directory(self.folder)

    def _refuse_foreign(self) -> None:
        """/dev/shm is everybody's: a folder or a link that another account laid there is not ours."""
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise UserError(f"{self.folder} is not a folder of yours.", "Set XDG_RUNTIME_DIR to one that is.")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise UserError(f"{self.folder} can be read by others.", f"Make it your own: chmod 700 {self.folder}")


def keeper_named(name: str) -> Keeper:
    """ "keyring", "file" or "passphrase"; ValueError for another name."""
    if name == "keyring":
        return DesktopKeyring()
    if name == "file":
        return KeyFolder(data_directory() / "keys")
    if name == "passphrase":
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        return KeyFolder(Path(runtime) / SERVICE if runtime else Path("/dev/shm") / f"{SERVICE}-{os.getuid()}")
    raise ValueError(f"no keeper is called {name!r}")


def default_keeper() -> str:
    """The keyring where one answers, else a file."""
    import keyring

    return "keyring" if keyring.get_keyring().priority >= 1 else "file"


def _from_hex(text: str | bytes | None) -> bytes | None:
    with suppress(ValueError):
        return bytes.fromhex(text.decode() if isinstance(text, bytes) else text) if text else None
    return None
