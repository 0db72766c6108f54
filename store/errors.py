"""UserError: the one way this program tells a person that something went wrong.

Every error says what happened, with the value, and then what to do about it; the command line prints the two
lines and ends with `exit_code`. Exit codes are part of the interface and are listed in the README:

    2  the command or its arguments are wrong         6  the disk is full or cannot be written
    3  nothing there to answer from                   7  a checkpoint is missing or damaged
    4  a camera or film cannot be read                8  another recorder holds this memory
    5  the memory is damaged or of a newer version    9  the memory is locked

This file does not know who raises which error.
"""


class UserError(Exception):
    """Something a person can act on: `message` is what happened, `hint` is what to do."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NothingRecorded(UserError):
    """The asked memory or span holds no keyframe."""

    exit_code = 3


class CameraError(UserError):
    """A camera or film is absent, unreadable or broke off."""

    exit_code = 4


class MemoryDamaged(UserError):
    """The store on disk is not what its rows say, or was made by a newer version."""

    exit_code = 5


class DiskFull(UserError):
    """No room, or no permission, to write; what was committed before stays readable."""

    exit_code = 6


class CheckpointError(UserError):
    """A model folder is missing, incomplete or damaged."""

    exit_code = 7


class MemoryBusy(UserError):
    """A second recorder was started on the same memory."""

    exit_code = 8


class MemoryLocked(UserError):
    """Nobody here has the key of this memory."""

    exit_code = 9
