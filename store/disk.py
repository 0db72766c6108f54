"""Private files and folders, and what a disk says when it will take no more.

Everything of a memory is written through here, so that folders are 0700 and files 0600 whatever the umask was, and
so that a full, read-only or failing disk is one named error. This file does not know what is written.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import DiskFull, MemoryDamaged

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def disk_full(path: Path, reason: str) -> DiskFull:
    """The error a person reads when `path` cannot be written because of `reason`."""
    return DiskFull(
        f"{path} cannot be written: {reason}.",
        "Make room on that disk or allow writing there; everything committed before stays readable.",
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the OSErrors of a disk that cannot be written into DiskFull, of a folder that vanished into MemoryDamaged;
    all others pass."""
    try:
        yield
    except FileNotFoundError as error:
        raise MemoryDamaged(f"{path} is gone, or its folder is.", "Is its disk mounted?") from error
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise disk_full(path, os.strerror(error.errno)) from error


def make_private_directory(directory: Path) -> None:
    """Make the folder, and those above it, with 0700 where absent; an existing one keeps its permissions."""
    if not directory.is_dir():
        make_private_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)


def open_private(path: Path, flags: int) -> int:
    """Open `path`, made with 0600 where absent; its name is on disk on return. Returns a descriptor."""
    if path.exists():
        return os.open(path, flags)
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    sync_directory(path.parent)
    return descriptor


def write_whole(descriptor: int, *parts: bytes) -> None:
    """One writev() and one fsync(). OSError (ENOSPC) if not all of it went in."""
    written, length = os.writev(descriptor, parts), sum(map(len, parts))
    if written < length:
        raise OSError(errno.ENOSPC, f"{written} of {length} bytes written")
    os.fsync(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another, or of none: after a crash it is the one or the other.

    Each process has a draft of its own, so two that write the same file both succeed.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_whole(descriptor, content)
        os.rename(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a folder survive a power cut, as fsync does for a file's bytes."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_disk(directory: Path) -> None:
    """Everything written to a file system is on disk: one call instead of one for each of millions of files."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)


def bytes_under(path: Path) -> int:
    """Bytes of all files in and below a folder; 0 where it is absent."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
