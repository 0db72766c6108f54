"""The files of a memory: which belong to it, by their path below its folder, and which are only being written.

    memory.db  keys.json                       the truth, and who has its key
    packs/000001.pack  small/...  sounds/...   what its rows point at
    embeddings/<checkpoint>/000001.<what>      what was derived from it

Everything else in the folder is not the memory's and is nobody's to copy or to delete. This file does not know what
is in the files.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

DATABASE, UPKEEP, DRAFT = "memory.db", "upkeep.lock", ".draft"
NEW_DATABASE = f"{DATABASE}.new"  # of a backup that is being made, or a restore
UNCLAIMED = "unclaimed"  # where a repair puts packs of which nobody knows what they hold
PACK_FOLDERS = ("packs", "small", "sounds")
DERIVED = ("recall", "compressed", "axes", "lists")
OWN = re.compile(rf"(?:{'|'.join(PACK_FOLDERS)})/\d{{6,}}\.pack|embeddings/[^/]+/\d{{6,}}\.(?:{'|'.join(DERIVED)})")
AT_THE_TOP = re.compile(
    rf"memory\.db.*|keys\.json.*|{'|'.join(PACK_FOLDERS)}|embeddings|{UNCLAIMED}|[a-z]+\.lock|recorder\.sock"
)


def files_of(directory: Path) -> Iterator[str]:
    """What a memory keeps beside memory.db and keys.json: packs, and what was derived, drafts left out."""
    return (name for name in _below(directory) if OWN.fullmatch(name))


def drafts_of(directory: Path) -> Iterator[str]:
    """Files of a memory that are being written, or that a crash left half written."""
    return (name for name in _below(directory) if OWN.fullmatch(name.removesuffix(DRAFT)) and name.endswith(DRAFT))


def strangers_in(directory: Path) -> list[str]:
    """The names in a folder that no memory has."""
    return sorted(each.name for each in directory.iterdir() if not AT_THE_TOP.fullmatch(each.name))


def _below(directory: Path) -> Iterator[str]:
    """Every file in the folders of a memory, by its path below it."""
    folders = [directory / folder for folder in PACK_FOLDERS]
    with suppress(FileNotFoundError):
        folders += sorted(each for each in (directory / "embeddings").iterdir() if each.is_dir())
    for folder in folders:
        with suppress(FileNotFoundError):
            yield from (f"{folder.relative_to(directory)}/{name}" for name in sorted(os.listdir(folder)))
