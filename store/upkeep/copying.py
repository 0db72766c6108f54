"""Copies of files: with their holes, on disk before they count, and known again by size and time.

A copy has the modification time of its source, so that what has not changed need not be copied again. Coarse clocks
(2 s on FAT) could hide a change that comes right after a copy, so a file that is younger than that is stamped as one
that must be copied again. This file does not know what is in the files.
"""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from sqlcipher3 import dbapi2

from store.database import Database
from store.disk import disk_full, make_private_directory, writing
from store.errors import MemoryDamaged

COARSEST_CLOCK_NS = 2_000_000_000
UNKNOWN_NS = 0  # the time of what is no copy of any other file
CHUNK_BYTES = 1 << 20


def copy_file(source: Path, target: Path, found: os.stat_result) -> None:
    """Copy what `found`, the source's stat, speaks of; the file (0600) is on disk on return. DiskFull: nothing stays.

    FileNotFoundError: the source is gone. MemoryDamaged: its disk cannot read it.
    """
    reading = os.open(source, os.O_RDONLY)
    try:
        with writing(target):
            make_private_directory(target.parent)
            copying = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with writing(target):
                os.ftruncate(copying, found.st_size + 1)  # until it is finished, no stat takes it for a copy
            _copy_data(source, reading, target, copying, found.st_size)
            with writing(target):
                os.fsync(copying)
                os.ftruncate(copying, found.st_size)
                os.utime(copying, ns=(found.st_atime_ns, _stamp(found)))
                os.fsync(copying)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(copying)
    finally:
        os.close(reading)


def copy_database(database: Database, path: Path) -> None:
    """Write a database as it is committed now to another file, on disk on return. DiskFull: nothing stays.

    MemoryDamaged: some of its pages cannot be read.
    """
    try:
        database.copy(path)
    except dbapi2.DatabaseError as error:  # unlike other statements, a copy tells no code
        if "malformed" in str(error) or "not a database" in str(error):
            raise MemoryDamaged(f"{database.path} is damaged: {error}.", "Run: whereabouts check") from error
        raise disk_full(path, str(error)) from error
    finally:
        for left in path.parent.glob(f"{path.name}.draft*"):
            left.unlink()


def is_copy(target: Path, found: os.stat_result) -> bool:
    """Was the file copied from one that is as `found` since before its last change?"""
    with suppress(FileNotFoundError):
        here = target.stat()
        same_time = found.st_mtime_ns != UNKNOWN_NS and abs(here.st_mtime_ns - found.st_mtime_ns) < COARSEST_CLOCK_NS
        return same_time and here.st_size == found.st_size
    return False


def data_bytes(found: os.stat_result) -> int:
    """What a copy with holes takes on a disk."""
    return min(found.st_size, 512 * found.st_blocks)


def _copy_data(source: Path, reading: int, target: Path, copying: int, size: int) -> None:
    start, end = _next_data(reading, 0, size)
    while start < size:
        while start < end:
            try:
                chunk = os.pread(reading, min(CHUNK_BYTES, end - start), start)
            except OSError as error:
                what = f"{source} cannot be read at {start}: {os.strerror(error.errno or errno.EIO)}."
                raise MemoryDamaged(what, "Save what can be read: its disk is failing.") from error
            if not chunk:
                return  # it was cut meanwhile, and will be found changed
            with writing(target):
                start += os.pwrite(copying, chunk, start)
        start, end = _next_data(reading, end, size)


def _next_data(descriptor: int, start: int, size: int) -> tuple[int, int]:
    """Where the next bytes that are no hole begin and end, at most at `size`."""
    try:
        begins = os.lseek(descriptor, start, os.SEEK_DATA)
        return min(begins, size), min(os.lseek(descriptor, begins, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size, size


def _stamp(found: os.stat_result) -> int:
    """The time of a copy, in ns: unknown while the source may change without its time changing."""
    if found.st_mtime_ns == UNKNOWN_NS:
        return time.time_ns()
    return found.st_mtime_ns if time.time_ns() - found.st_mtime_ns > COARSEST_CLOCK_NS else UNKNOWN_NS
