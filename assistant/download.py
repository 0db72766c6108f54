"""Download: a checkpoint from the hub into the models folder, and out of it again.

    plan = plan_pull("7b")          what the hub has of it
    pull(plan, progress)            what is not there yet, each file checked, then the folder under its name

It lies in NAME.part until all of it is whole, so whoever finds the folder finds a checkpoint. An update grows there,
too, with links to the files that are right already, and takes the older one's place at the end. What came before an
interruption is gone on from. The hub's own downloader would start a file of 5 GB anew after every interruption.

This file does not know which checkpoint is used, how progress is shown, nor what is said to the hub (hub.py).
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.checksums import FILE as SUMS
from assistant.checksums import digests_of, recorded_sums, write_sums
from assistant.hub import Progress, Wanted, ask, fetch, needed_of, online
from assistant.registry import MODEL_TYPE, PUBLISHED, RECALL, place_of, short_name, unfinished_place_of
from store.disk import disk_full, sync_disk, writing
from store.errors import CheckpointError
from store.units import say_bytes

PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Plan:
    """A checkpoint to pull: all of its files."""

    name: str
    files: tuple[Wanted, ...]

    @property
    def total_bytes(self) -> int:
        return sum(each.size_bytes for each in self.files)

    @property
    def missing_bytes(self) -> int:
        """What is still to come, as far as sizes and recorded checksums tell."""
        recorded = recorded_sums([place_of(self.name)])
        return sum(each.size_bytes - _present_bytes(each, self.name, recorded) for each in self.files)


def plan_pull(name: str) -> Plan:
    """Ask the hub what a checkpoint and the recall encoder beside it consist of. Raises CheckpointError.

    What is no LLaVA-OneVision can be an answerer (answerer.py) or a recall encoder, and comes alone.
    """
    short = short_name(name)
    place_of(short)  # raises where it is no name
    repository = PUBLISHED[short].repository if short in PUBLISHED else short
    with online(short):
        told = ask(repository)
        files = needed_of(told, repository, "")
        has_recall = any(each.name.startswith("recall/") for each in files)
        if not has_recall and (told.config or {}).get("model_type") == MODEL_TYPE:
            recall = PUBLISHED[short].recall if short in PUBLISHED else RECALL
            files += needed_of(ask(recall), recall, "recall/")
    return Plan(short, tuple(files))


def pull(plan: Plan, progress: Progress) -> Path:
    """Fetch what is missing and hand back the folder; `progress` hears of the bytes, those that are there included.

    Raises DiskFull where there is no room for it, CheckpointError where the hub or what it sends is at fault, or
    another process is at the same checkpoint.
    """
    place = place_of(plan.name)
    with alone(plan.name) as part:
        missing, free = plan.missing_bytes, shutil.disk_usage(part).free
        if missing > free:
            raise disk_full(part, f"{say_bytes(missing)} are still to come and {say_bytes(free)} are free")
        with online(plan.name):
            sums = {each.name: _bring(each, place, part, progress) for each in plan.files}
        _clear(part, set(sums))
        _take_over(place, part, set(sums))
        write_sums(part, sums)
        sync_disk(part)
        put_away(place)
        return part.rename(place)


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """Inside the block no other process pulls or removes the checkpoint; hands out the folder in which it grows."""
    part = unfinished_place_of(name)
    with writing(part):
        part.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_RDONLY)
        try:
            if not _is_mine(descriptor, part):
                raise CheckpointError(f"Another process is pulling or removing {name}.", "Wait until it is done.")
            yield part
        finally:
            os.close(descriptor)


def _is_mine(descriptor: int, part: Path) -> bool:
    """Take the lock; it is worth nothing where the one who held it has just put the folder elsewhere."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def put_away(folder: Path) -> None:
    """Remove a folder, or a link to one, if it is there: its name first, so that none is ever found half removed."""
    away = folder.with_name(f".{folder.name}")
    shutil.rmtree(away, ignore_errors=True)  # of one that was interrupted
    if not os.path.lexists(folder):
        return
    folder.rename(away)
    if away.is_symlink():
        away.unlink()
    else:
        shutil.rmtree(away)


def _bring(wanted: Wanted, place: Path, part: Path, progress: Progress) -> str:
    """The SHA-256 of a file that is in `part` afterwards, and right."""
    target = part / wanted.name
    target.parent.mkdir(exist_ok=True)
    for path in (target, place / wanted.name):
        if path.is_file() and path.stat().st_size == wanted.size_bytes:
            found = digests_of(path)
            if found.match(wanted.checksum):
                _share(path, target)
                progress(wanted.size_bytes)
                return found.sha256
    return _fetch_whole(wanted, part, progress)


def _fetch_whole(wanted: Wanted, part: Path, progress: Progress) -> str:
    came = _partial(wanted, part)
    if came.exists():
        progress(came.stat().st_size)
    fetch(wanted, came, progress)
    found = digests_of(came)
    if not found.match(wanted.checksum):
        came.unlink()
        raise CheckpointError(
            f"{wanted.path} of {wanted.repository} came damaged: its checksum is not {wanted.checksum}.",
            "It was removed; run the same again.",
        )
    came.rename(part / wanted.name)
    return found.sha256


def _share(path: Path, target: Path) -> None:
    """Have a file in both folders: linked, or copied where the file system knows no links."""
    if path == target:
        return
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def _partial(wanted: Wanted, part: Path) -> Path:
    """Named by its checksum: what has come of another version is not gone on from."""
    return part / f"{wanted.name}.{wanted.checksum[:12]}{PARTIAL}"


def _present_bytes(wanted: Wanted, name: str, recorded: dict[Path, str]) -> int:
    place, part = place_of(name), unfinished_place_of(name)
    for path in (part / wanted.name, place / wanted.name):
        is_here = path.is_file() and path.stat().st_size == wanted.size_bytes
        known = recorded.get(path, wanted.checksum)
        if is_here and (known == wanted.checksum or len(known) != len(wanted.checksum)):
            return wanted.size_bytes
    came = _partial(wanted, part)
    return min(came.stat().st_size, wanted.size_bytes) if came.is_file() else 0


def _clear(part: Path, kept: set[str]) -> None:
    """Remove what is left of versions that never became whole."""
    for path in [each for each in part.rglob("*") if each.is_file()]:
        if str(path.relative_to(part)) not in kept:
            path.unlink()


def _take_over(place: Path, part: Path, kept: set[str]) -> None:
    """What a person put into the older one's folder stays; what was pulled then, and is no part of it now, goes."""
    pulled = recorded_sums([place])
    for path in [each for each in place.rglob("*") if each.is_file()]:
        name = path.relative_to(place)
        if path not in pulled and str(name) not in kept | {SUMS} and path.suffix != PARTIAL:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            _share(path, part / name)
