"""The folder of an export: plain files that any program reads, a checksum of each, and a manifest that comes last.

    whereabouts.sha256   as sha256sum writes and checks it, a line for every file but these two
    whereabouts.json     the manifest: what it is, of which version, and the checksum of the checksums

Without its manifest an export was interrupted. Nothing in it is trusted: a path that leads out of the folder, by its
name or by a link, is refused. This file does not know what the files say.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from store.disk import make_private_directory, replace_file, sync_disk, writing
from store.errors import UserError
from store.records import local_time
from store.spans import MICROSECONDS

FORMAT, VERSION = "Whereabouts export", 1
MANIFEST, CHECKSUMS = "whereabouts.json", "whereabouts.sha256"
EXPORT_AGAIN = "Export it once more, or restore the folder from a copy."

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds; `files` and `bytes` without checksums and manifest."""

    sessions: int
    keyframes: int
    sounds: int
    gaps: int
    transcripts: int
    turns: int
    pins: int
    files: int
    bytes: int


class PlainFolder:
    """A folder that is being written, all of it private. Every method may raise DiskFull."""

    def __init__(self, directory: Path) -> None:
        """UserError if the folder is not empty."""
        self.directory, self.files, self.bytes = directory, 0, 0
        with writing(directory):
            if os.path.lexists(directory) and (not directory.is_dir() or any(directory.iterdir())):
                raise UserError(f"{directory} is not an empty folder.", "Export into a folder that does not exist yet.")
            make_private_directory(directory)
            os.close(self._create(CHECKSUMS))

    def add(self, path: str, content: bytes) -> None:
        """Write one whole file."""
        with writing(self.directory / path), os.fdopen(self._create(path), "wb") as file:
            file.write(content)
        self._note(path, hashlib.sha256(content).hexdigest(), len(content))

    @contextmanager
    def growing(self, path: str) -> Iterator[BinaryIO]:
        """A file to write piece by piece inside the block, seekable."""
        with writing(self.directory / path), os.fdopen(self._create(path), "w+b") as file:
            yield file
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256")
        self._note(path, digest.hexdigest(), (self.directory / path).stat().st_size)

    @contextmanager
    def rows(self, table: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """TABLE.jsonl, to which the function that is handed over adds one row."""
        with self.growing(f"{table}.jsonl") as file:

            def add(row: dict[str, Any]) -> None:
                file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

            yield add

    def finish(self, manifest: dict[str, Any]) -> None:
        """From here on it is an export: everything is on disk, and the manifest says so."""
        with writing(self.directory):
            sync_disk(self.directory)
            checksum = _sha256(self.directory / CHECKSUMS)
            whole = {"format": FORMAT, "version": VERSION, **manifest, "checksums_sha256": checksum}
            replace_file(self.directory / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False).encode() + b"\n")

    def _create(self, path: str) -> int:
        file = self.directory / path
        make_private_directory(file.parent)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def _note(self, path: str, digest: str, length_bytes: int) -> None:
        with writing(self.directory / CHECKSUMS), (self.directory / CHECKSUMS).open("ab") as checksums:
            checksums.write(f"{digest}  {path}\n".encode())
        self.files, self.bytes = self.files + 1, self.bytes + length_bytes


def own_path(folder: str, row_id: int, zone_offset_s: int, suffix: str) -> str:
    """Where the file of a row lies: named after the microsecond and the zone, so no two rows share a file."""
    at = local_time(row_id / MICROSECONDS, zone_offset_s)
    return f"{folder}/{at:%Y-%m-%d}/{at:%H%M%S.%f%z}.{suffix}"


def is_export(directory: Path) -> bool:
    """Was an export written into this folder, or at least begun?"""
    return (directory / MANIFEST).is_file() or (directory / CHECKSUMS).is_file()


def manifest_of(directory: Path) -> tuple[Exported, str]:
    """What an export holds, and the SHA-256 of its checksums.

    UserError if the folder holds no export, one that was interrupted, or one of a newer version.
    """
    if not is_export(directory):
        raise UserError(f"{directory} holds no export.", "Name the folder that was exported into.")
    if not (directory / MANIFEST).exists():
        raise UserError(f"The export in {directory} was interrupted: it has no {MANIFEST}.", EXPORT_AGAIN)
    try:
        manifest = json.loads(path_inside(directory, MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise ValueError(f"its format is {manifest['format']!r}")
        if manifest["version"] > VERSION:
            raise UserError(
                f"{directory} is of version {manifest['version']}; this program knows up to version {VERSION}.",
                "Update whereabouts.",
            )
        exported = Exported(**{field.name: int(manifest[field.name]) for field in fields(Exported)})
        return exported, str(manifest["checksums_sha256"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{directory / MANIFEST} is not that of an export: {error!r}.", EXPORT_AGAIN) from error


def verified(directory: Path, checksums_sha256: str) -> Iterator[str]:
    """The path of every file, once its checksum was found right. UserError names the first one that is not."""
    checksums = path_inside(directory, CHECKSUMS)
    if _sha256(checksums) != checksums_sha256:
        raise UserError(f"{checksums} was changed since it was exported.", EXPORT_AGAIN)
    with checksums.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            digest, _, path = line.rstrip("\n").partition("  ")
            if _sha256(path_inside(directory, path)) != digest:
                raise UserError(f"{directory / path} was changed since it was exported.", EXPORT_AGAIN)
            yield path


def path_inside(directory: Path, path: str) -> Path:
    """A plain file of the folder. UserError if it is missing or lies elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise UserError(f"{directory} names {path!r}, which is not a file inside of it.", EXPORT_AGAIN)
    file = directory.joinpath(*parts)
    if os.path.realpath(file) != os.path.join(os.path.realpath(directory), *parts):
        raise UserError(f"{file} is a link, or lies behind one.", "An export holds its files itself.")
    if not os.path.isfile(file):  # False, too, for a name no disk can have
        raise UserError(f"{file} is missing.", EXPORT_AGAIN)
    return file


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", "May you read it, and is its disk whole?"
        ) from error
