"""Checksums: that a checkpoint's files are what they were when they came.

A pulled checkpoint has a SHA256SUMS, which `sha256sum -c` reads, too; in the hub's own cache every file is a link to
one that is named by its checksum. The hub names large files by SHA-256 and small ones as git does, by SHA-1. This file
does not know where checkpoints lie.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  ((?:recall/)?[^/]+)")
BLOCK_BYTES = 1 << 22
GIT_DIGITS, SHA256_DIGITS = 40, 64


@dataclass(frozen=True, slots=True)
class Digests:
    """Both checksums of a file, in hexadecimal digits."""

    sha256: str
    git: str

    def match(self, expected: str) -> bool:
        """Whether `expected`, of either kind, is this file's."""
        return expected in (self.sha256, self.git)


def digests_of(path: Path, progress: Callable[[int], None] = lambda count: None) -> Digests:
    """Read a file once; `progress` hears of the bytes."""
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sha256.update(block)
            git.update(block)
            progress(len(block))
    return Digests(sha256.hexdigest(), git.hexdigest())


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Record the SHA-256 of files, by their names within the folder."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def recorded_sums(folders: Iterable[Path]) -> dict[Path, str]:
    """What the files of these folders should have for a checksum, as far as it was recorded.

    A record that is damaged itself is among them, with a checksum that nothing has.
    """
    found: dict[Path, str] = {}
    for folder in folders:
        if (folder / FILE).is_file():
            for line in (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines():
                match = LINE.fullmatch(line)
                found |= {folder / match[2]: match[1]} if match else {folder / FILE: ""}
        for path in (each for each in folder.glob("*") if each.is_symlink()):
            name = path.readlink().name
            if len(name) in (GIT_DIGITS, SHA256_DIGITS) and not name.strip("0123456789abcdef"):
                found[path] = name
    return found


def damaged_files(sums: Mapping[Path, str], progress: Callable[[int], None]) -> list[str]:
    """Read every file again; those that are gone or not what they were, each as a line to read."""
    found = []
    for path, expected in sums.items():
        if not path.is_file():
            found.append(f"{path} is missing")
        elif not digests_of(path, progress).match(expected):
            found.append(f"{path} is damaged")
    return found
