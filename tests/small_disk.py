"""A small disk of its own, which a test may fill or make read-only."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """A megabyte, mounted at a new folder inside the block. Skips the test where nothing can be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root and the program mount")
    at.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", at], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mount is not allowed here: {mounted.stderr}")
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
