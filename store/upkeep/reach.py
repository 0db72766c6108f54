"""Reach: what a memory forgets goes from its backups as well, from those that are there now.

A backup is a memory, so it forgets as one does; besides, half made and older copies in its folder go. This file does
not know what is forgotten, nor how a backup is made.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from store.disk import writing
from store.episodic import EpisodicStore
from store.errors import UserError
from store.layout import DATABASE, NEW_DATABASE, UPKEEP, drafts_of, files_of
from store.lock import RECORDING, UPKEEP_WAIT_S, RecordingLock
from store.rewriting import Progress, rewrite
from store.upkeep.ownership import backups_of, hand_keys, open_backup


def is_there(directory: Path) -> bool:
    """Is a backup there, or what an interrupted one left? Without its disk its folder is empty, or is not."""
    with suppress(OSError):
        return any((directory / name).exists() for name in (DATABASE, RECORDING))
    return False


def forget_in_backups(
    store: EpisodicStore, remove: Callable[[EpisodicStore], None], progress: Progress
) -> tuple[list[str], dict[str, str]]:
    """Let `remove` take rows from every backup, and destroy what they pointed at; where that was done, and where it
    could not be, with the reason."""
    reached, unreached = [], {}
    for each in backups_of(store):
        progress(each)
        try:
            _forget_in_backup(store, Path(each), remove)
            reached.append(each)
        except (UserError, OSError) as error:
            unreached[each] = str(error)
    return reached, unreached


def _forget_in_backup(store: EpisodicStore, directory: Path, remove: Callable[[EpisodicStore], None]) -> None:
    if _discard_unfinished(directory):
        return
    with (
        open_backup(store, directory) as backup,
        backup.hold_for_recording(),
        RecordingLock(directory / UPKEEP).held(UPKEEP_WAIT_S),
    ):
        if store.vault:
            hand_keys(store, directory)
        before = _times_ns(directory)
        remove(backup)
        _delete(directory, [*drafts_of(directory), *_matching(directory, NEW_DATABASE)])
        for old in ("before-", "damaged"):  # also where it was renewed since, and so has forgotten already
            _delete(directory, _matching(directory, f"{DATABASE}.{old}"))
        rewrite(backup)
        for file, at_ns in _times_ns(directory).items():
            if before.get(file) != at_ns:  # it is no copy of a file of the memory that has its name
                os.utime(directory / file, ns=(0, 0))


def _discard_unfinished(directory: Path) -> bool:
    """Of a first backup that was interrupted, and so has no database, nothing stays. Was it one?"""
    if (directory / DATABASE).exists() or not is_there(directory):
        return False
    with RecordingLock(directory / RECORDING).held(UPKEEP_WAIT_S):
        if (directory / DATABASE).exists():
            return False
        placed = files_of(directory) if (directory / NEW_DATABASE).exists() else ()
        _delete(directory, [*drafts_of(directory), *placed, *_matching(directory, NEW_DATABASE)])
        return not any(files_of(directory))


def _matching(directory: Path, beginning: str) -> list[str]:
    return [path.name for path in directory.glob(f"{beginning}*")]


def _delete(directory: Path, names: Iterable[str]) -> None:
    with writing(directory):
        for name in names:
            (directory / name).unlink(missing_ok=True)


def _times_ns(directory: Path) -> dict[str, int]:
    return {file: (directory / file).stat().st_mtime_ns for file in files_of(directory)}
