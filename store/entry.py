"""Entry: what must be true of a folder before it is opened as a memory, told in words a person can act on.

This file does not open anything.
"""

from collections.abc import Iterator
from pathlib import Path

from store.errors import MemoryDamaged, NothingRecorded, UserError
from store.form import EncryptedForm
from store.layout import DATABASE, PACK_FOLDERS, files_of
from store.vault import FILE as VAULT_FILE
from store.vault import is_encrypted

PLAIN_DATABASE = b"SQLite format 3\0"


def require_place(directory: Path, create: bool) -> None:
    """UserError: no memory can be there. NothingRecorded: none is, and none is to be made. MemoryDamaged: the file
    that everything hangs on is gone."""
    if directory.is_symlink() and not directory.exists():
        raise UserError(f"{directory} leads to {directory.readlink()}, where nothing is.", "Is its disk mounted?")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is not a folder.", "A memory is a folder: name another place.")
    if holds_database(directory):
        refuse_without_keys(directory)
    elif any(pack.stat().st_size for pack in _packs(directory)):
        what = f"{directory / DATABASE} is missing or empty, though there are pictures beside it."
        raise MemoryDamaged(what, "Restore a backup: whereabouts restore --help")
    elif not create:
        raise NothingRecorded(
            f"There is no memory in {directory}.", "Record or import something first: whereabouts --help"
        )


def holds_database(directory: Path) -> bool:
    """A file without a byte is what a full disk or a crash left of the first try."""
    database = directory / DATABASE
    return database.exists() and database.stat().st_size > 0


def refuse_without_keys(directory: Path) -> None:
    """MemoryDamaged, if keys.json is missing from an encrypted memory, which else looks like damage everywhere."""
    if is_encrypted(directory) or _beginning(directory / DATABASE, len(PLAIN_DATABASE)) == PLAIN_DATABASE:
        return
    begins = {_beginning(pack, len(EncryptedForm.magic)) for pack in _packs(directory)} - {b""}
    if not begins or EncryptedForm.magic in begins:
        what = f"{directory / VAULT_FILE} is missing, without which nothing in this memory can be read."
        raise MemoryDamaged(what, f"Put it back: every backup of this memory has the same {VAULT_FILE}.")


def _packs(directory: Path) -> Iterator[Path]:
    return (directory / name for name in files_of(directory) if name.split("/")[0] in PACK_FOLDERS)


def _beginning(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)
