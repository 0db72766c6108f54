"""What a person is told when something goes wrong."""

import errno
from pathlib import Path

import pytest

from store import errors
from store.disk import writing

NAMED = [
    errors.NothingRecorded,
    errors.CameraError,
    errors.MemoryDamaged,
    errors.DiskFull,
    errors.CheckpointError,
    errors.MemoryBusy,
]


def test_every_named_error_has_its_own_exit_code():
    codes = [error.exit_code for error in [errors.UserError, *NAMED]]
    assert codes == [2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("kind", NAMED)
def test_an_error_carries_what_happened_and_what_to_do(kind: type[errors.UserError]):
    error = kind("the camera is gone", "plug it in")
    assert isinstance(error, errors.UserError)
    assert (str(error), error.message, error.hint) == ("the camera is gone", "the camera is gone", "plug it in")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_one_named_error(code: int):
    with pytest.raises(errors.DiskFull, match="/memory/packs cannot be written"), writing(Path("/memory/packs")):
        raise OSError(code, "no")


def test_a_folder_that_vanished_is_damage_and_no_full_disk():
    with pytest.raises(errors.MemoryDamaged, match="/memory is gone") as raised, writing(Path("/memory")):
        raise FileNotFoundError(errno.ENOENT, "gone")
    assert "mounted" in raised.value.hint


def test_any_other_trouble_of_the_system_passes_unchanged():
    with pytest.raises(NotADirectoryError), writing(Path("/memory")):
        raise NotADirectoryError(errno.ENOTDIR, "no folder")
