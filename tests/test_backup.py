"""A backup is the memory once more: made beside a recorder, renewed cheaply, never half, and the way back from it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryBusy, MemoryDamaged, NothingRecorded, UserError
from store.layout import DATABASE
from store.lock import RecordingLock
from store.records import Reduction
from store.upkeep.backup import backup, restore
from store.upkeep.check import check
from store.upkeep.copying import COARSEST_CLOCK_NS
from store.upkeep.ownership import open_backup, renew_keys
from store.vault import Vault

JPEG_BYTES = 30_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 1000.0, 0, 2)
        add(store, session.id, range(5))
        store.add_sound(session.id, 1000.0, 1010.0, 0, b"some sound")
        store.end_session(session.id, 1005.0, "film ended")
        age(store.directory)
        yield store


def add(store: EpisodicStore, session_id: int, numbers: range) -> None:
    for number in numbers:
        store.add_keyframe(session_id, 1000.0 + number, 0, os.urandom(JPEG_BYTES), 4, 3, 0.5)


def age(directory: Path) -> None:
    """As if nothing had been written for some seconds."""
    for path in directory.rglob("*.pack"):
        before = path.stat().st_mtime_ns - 2 * COARSEST_CLOCK_NS
        os.utime(path, ns=(before, before))


def pictures(store: EpisodicStore) -> list[bytes]:
    return [store.jpeg(keyframe) for keyframe in store.keyframes()]


def contents(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def assert_same(directory: Path, store: EpisodicStore) -> None:
    with EpisodicStore.open(directory, create=False) as copy:
        assert pictures(copy) == pictures(store)
        assert copy.sessions() == store.sessions()
        assert [copy.sound_bytes(sound) for sound in copy.sounds()] == [
            store.sound_bytes(each) for each in store.sounds()
        ]
        assert check(copy).clean


def test_a_backup_is_a_memory_and_the_memory_knows_where_it_is(store: EpisodicStore, tmp_path: Path):
    copied = backup(store, tmp_path / "backup")
    assert (copied.files, copied.unchanged, copied.removed) == (2, 0, 0)
    assert copied.bytes > 5 * JPEG_BYTES
    assert_same(tmp_path / "backup", store)
    assert [row["directory"] for row in store.database.rows("SELECT * FROM backups")] == [str(tmp_path / "backup")]


def test_a_backup_is_as_private_as_the_memory(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    assert (tmp_path / "backup" / DATABASE).read_bytes()[:15] != b"SQLite format 3"
    assert {path.stat().st_mode & 0o077 for path in [tmp_path / "backup", *(tmp_path / "backup").rglob("*")]} == {0}


def test_only_what_changed_is_copied_again_and_what_is_gone_is_deleted(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    again = backup(store, tmp_path / "backup")
    assert (again.files, again.bytes, again.unchanged) == (0, 0, 2)
    add(store, 1, range(10, 12))
    store.keep_heard([sound.id for sound in store.sounds()], [], keep_sound=False)
    store.sound_packs.path(1).unlink()
    renewed = backup(store, tmp_path / "backup")
    assert (renewed.files, renewed.unchanged, renewed.removed) == (1, 0, 1)
    assert_same(tmp_path / "backup", store)
    assert not (tmp_path / "backup" / "sounds" / "000001.pack").exists()


def test_a_file_that_changed_a_moment_ago_is_copied_again_as_its_clock_may_be_coarse(
    store: EpisodicStore, tmp_path: Path
):
    pack = store.packs.path(1)
    before = pack.stat()
    backup(store, tmp_path / "backup")
    add(store, 1, range(10, 11))
    backup(store, tmp_path / "backup")
    assert backup(store, tmp_path / "backup").files == 1
    content = pack.read_bytes()
    pack.write_bytes(bytes(len(content)))
    os.utime(pack, ns=(before.st_atime_ns, time.time_ns()))
    backup(store, tmp_path / "backup")
    assert (tmp_path / "backup" / "packs" / "000001.pack").read_bytes() == bytes(len(content))


def test_erased_pictures_are_holes_in_the_backup_too(store: EpisodicStore, tmp_path: Path):
    store.reduce_keyframes([Reduction(keyframe.id, b"small", 2, 1) for keyframe in store.keyframes()])
    backup(store, tmp_path / "backup")
    pack = tmp_path / "backup" / "packs" / "000001.pack"
    assert pack.stat().st_size == store.packs.path(1).stat().st_size
    assert pack.stat().st_blocks <= store.packs.path(1).stat().st_blocks < pack.stat().st_size // 512
    assert_same(tmp_path / "backup", store)


def test_what_is_not_of_a_memory_is_never_deleted(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    kept = [tmp_path / "backup" / "packs" / "notes.txt", tmp_path / "backup" / "memory.db.before-2"]
    for path in kept:
        path.write_text("mine")
    backup(store, tmp_path / "backup")
    assert [path.read_text() for path in kept] == ["mine", "mine"]


RECORDER = """
import os, sys
from pathlib import Path
from store.episodic import EpisodicStore
from store.records import Reduction

with EpisodicStore.open(Path(sys.argv[1])) as store, store.hold_for_recording():
    session = store.begin_session("camera", 2000.0, 0, 2.0)
    for number in range(100_000):
        store.add_keyframe(session.id, 2000.0 + number, 0, os.urandom(20_000), 640, 480, 0.5)
        print(number, flush=True)
"""


def test_beside_a_live_recorder_every_row_of_the_backup_finds_its_bytes(store: EpisodicStore, tmp_path: Path):
    command = [sys.executable, "-c", RECORDER, str(store.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        for round_number in range(3):
            recorder.stdout.readline()
            before = store.count()
            backup(store, tmp_path / "backup")
            with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
                assert copy.count() >= before
                assert check(copy).clean, round_number
        recorder.kill()


def test_a_backup_waits_while_something_is_being_forgotten(
    store: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backup(store, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    monkeypatch.setattr("store.upkeep.backup.UPKEEP_WAIT_S", 0.0)
    with RecordingLock(store.directory / "upkeep.lock").held(), pytest.raises(MemoryBusy):
        backup(store, tmp_path / "backup")
    with RecordingLock(tmp_path / "backup" / "recording.lock").held(), pytest.raises(MemoryBusy, match="as a backup"):
        backup(store, tmp_path / "backup")
    assert contents(tmp_path / "backup") == before


def test_a_backup_waits_while_its_folder_is_being_written(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "backup" / "recording.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert backup(store, tmp_path / "backup").unchanged == 2


HOLDER = """
import sys, time
from pathlib import Path
from store.lock import RecordingLock

with RecordingLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(1)
"""


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from store.upkeep import backup
from store.episodic import EpisodicStore

steps, at = 0, int(sys.argv[3])

def counted(real):
    def step(*arguments, **named):
        global steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return step

backup.copy_file, backup.sync_directory = counted(backup.copy_file), counted(backup.sync_directory)
backup.replace_file = counted(backup.replace_file)
backup._Mirror._remove_all_but = counted(backup._Mirror._remove_all_but)
with EpisodicStore.open(Path(sys.argv[1])) as store:
    backup.backup(store, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("step", range(1, 10))
def test_a_backup_killed_at_any_step_leaves_one_that_is_whole_and_is_finished_by_the_next(
    store: EpisodicStore, tmp_path: Path, step: int
):
    backup(store, tmp_path / "backup")
    before = pictures(store)
    add(store, 1, range(10, 13))
    store.add_sound(1, 1012.0, 1013.0, 0, b"more sound")
    after = pictures(store)
    command = [sys.executable, "-c", INTERRUPTED, str(store.directory), str(tmp_path / "backup"), str(step)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert pictures(copy) in (before, after)
        assert check(copy).clean
    backup(store, tmp_path / "backup")
    assert_same(tmp_path / "backup", store)
    assert list((tmp_path / "backup").rglob("*.draft")) == []


LIMITED = """
import resource, sys
from pathlib import Path
from store.upkeep.backup import backup
from store.episodic import EpisodicStore
from store.errors import DiskFull

with EpisodicStore.open(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    try:
        backup(store, Path(sys.argv[2]))
    except DiskFull as error:
        print(error.message)
"""


@pytest.mark.parametrize(("room_bytes", "full"), [(100_000, "packs/000001.pack"), (60, "sounds/"), (250_000, DATABASE)])
def test_a_full_disk_leaves_the_memory_and_the_backup_before_it_as_they_were(
    store: EpisodicStore, tmp_path: Path, room_bytes: int, full: str
):
    backup(store, tmp_path / "backup")
    before, source = pictures(store), store.sessions()
    if full == "sounds/":
        store.add_sound(1, 1012.0, 1013.0, 0, bytes(100))
    else:
        add(store, 1, range(10, 12))
    for number in range(3000 if full == DATABASE else 0):
        store.beat(1, 2000.0)
        store.add_gap(1, 1000.0 + number, 1001.0 + number, "covered")
    command = [sys.executable, "-c", LIMITED, str(store.directory), str(tmp_path / "backup"), str(room_bytes)]
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert f"{tmp_path / 'backup' / full}" in child.stdout and "cannot be written" in child.stdout
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert pictures(copy) == before
        assert copy.sessions() == source
    assert check(store).clean
    backup(store, tmp_path / "backup")
    assert_same(tmp_path / "backup", store)


def test_too_small_a_disk_is_refused_before_anything_is_copied(
    store: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskFull, match=r"has room for 100\.0 kB; this needs \d+\.\d kB") as raised:
        backup(store, tmp_path / "backup")
    assert "larger" in raised.value.hint
    assert contents(tmp_path / "backup") == {}


@pytest.mark.parametrize("place", ["memory", "memory/backup", ".", "absent/backup", "file"])
def test_a_place_that_cannot_be_a_backup_is_refused(store: EpisodicStore, tmp_path: Path, place: str):
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UserError):
        backup(store, tmp_path / place)
    assert contents(tmp_path) == before


def test_a_folder_with_something_else_or_of_another_memory_is_refused(store: EpisodicStore, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("mine")
    with pytest.raises(UserError, match="something else: cat.jpg"):
        backup(store, tmp_path / "photos")
    for encrypt in (True, False):
        with EpisodicStore.open(tmp_path / f"other-{encrypt}", encrypt=encrypt) as other:
            other.begin_session("film", 5.0, 0, 2)
            with pytest.raises(UserError, match="another memory"):
                backup(store, other.directory)
            backup(store, tmp_path / "backup")
            with pytest.raises(UserError, match="another memory"):
                backup(other, tmp_path / "backup")


def test_a_plain_memory_is_backed_up_plain_and_not_into_that_of_another(tmp_path: Path):
    for name, began in (("first", 1.0), ("second", 2.0)):
        with EpisodicStore.open(tmp_path / name, encrypt=False) as store:
            store.begin_session("film", began, 0, 2)
            add(store, 1, range(2))
            store.end_session(1, 1002.0, "film ended")
            if name == "first":
                assert backup(store, tmp_path / "backup").portable
                assert_same(tmp_path / "backup", store)
            else:
                with pytest.raises(UserError, match="another memory"):
                    backup(store, tmp_path / "backup")


def test_only_a_backup_under_a_passphrase_opens_on_another_machine(store: EpisodicStore, tmp_path: Path):
    assert not backup(store, tmp_path / "backup").portable
    assert store.vault is not None
    store.vault.with_passphrase("correct horse battery")
    with EpisodicStore.open(store.directory) as reopened:
        assert backup(reopened, tmp_path / "backup").portable
    vault = Vault.open(tmp_path / "backup")
    assert vault is not None and vault.sealed


def test_a_backup_that_somebody_looks_at_is_not_changed_under_them(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup") as looking:
        looking.add_turn(1.0, "where?", "there", True, 1.0, "nano", [])
        with pytest.raises(MemoryBusy, match="open in another program"):
            backup(store, tmp_path / "backup")
        assert len(looking.turns()) == 1
    backup(store, tmp_path / "backup")


def test_a_restored_memory_is_the_one_that_was_backed_up_and_knows_that_backup(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "older")
    backup(store, tmp_path / "backup")
    seen: list[tuple[int, int]] = []
    copied = restore(tmp_path / "backup", tmp_path / "again", lambda *done: seen.append(done))
    assert copied.files == 2
    assert seen[-1][0] == seen[-1][1] > 0
    assert_same(tmp_path / "again", store)
    with EpisodicStore.open(tmp_path / "again") as again:
        known = {row["directory"] for row in again.database.rows("SELECT * FROM backups")}
    assert known == {str(tmp_path / "older"), str(tmp_path / "backup")}


def test_a_restore_goes_into_an_empty_folder_only(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    with pytest.raises(NothingRecorded):
        restore(tmp_path / "nothing", tmp_path / "again")
    with pytest.raises(UserError, match="not empty") as raised:
        restore(tmp_path / "backup", store.directory)
    assert "mv " in raised.value.hint
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "backup", tmp_path / "empty")
    assert_same(tmp_path / "empty", store)


def test_an_interrupted_restore_is_no_memory_and_goes_on(
    store: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backup(store, tmp_path / "backup")
    with monkeypatch.context() as power_cut:
        power_cut.setattr("store.upkeep.backup._Mirror._put_in_place", lambda mirror, keys: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(tmp_path / "backup", tmp_path / "again")
    with pytest.raises(NothingRecorded):
        EpisodicStore.open(tmp_path / "again", create=False)
    assert restore(tmp_path / "backup", tmp_path / "again").bytes == 0
    assert_same(tmp_path / "again", store)


def test_a_restore_interrupted_before_its_database_was_in_place_goes_on_from_the_same_memory_only(
    store: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backup(store, tmp_path / "backup")
    with monkeypatch.context() as power_cut:
        power_cut.setattr("store.upkeep.backup._close_log", lambda path, store: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(tmp_path / "backup", tmp_path / "again")
    assert (tmp_path / "again" / "keys.json").exists()
    with EpisodicStore.open(tmp_path / "other") as other:
        backup(other, tmp_path / "backup of the other")
    with pytest.raises(UserError, match="not empty"):
        restore(tmp_path / "backup of the other", tmp_path / "again")
    assert restore(tmp_path / "backup", tmp_path / "again").bytes == 0
    assert_same(tmp_path / "again", store)


def test_what_only_a_backup_holds_is_not_written_over(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "older")
    store.begin_session("film", 2000.0, 0, 2)
    add(store, 1, range(10, 12))
    backup(store, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    with (
        EpisodicStore.open(tmp_path / "older") as older,
        pytest.raises(UserError, match="has sessions that this memory has not"),
    ):
        backup(older, tmp_path / "backup")
    assert contents(tmp_path / "backup") == before
    assert backup(store, tmp_path / "backup").removed == 0


def test_a_backup_opens_with_its_memorys_key_and_gets_its_passphrase(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    assert store.vault is not None
    store.vault.with_passphrase("correct horse battery").lock()
    with open_backup(store, tmp_path / "backup") as copy:
        assert pictures(copy) == pictures(store)
    store.database.execute("INSERT INTO backups VALUES (?, 0)", (str(tmp_path / "away"),))
    assert list(renew_keys(store)) == [str(tmp_path / "away")]
    assert (tmp_path / "backup" / "keys.json").read_bytes() == (store.directory / "keys.json").read_bytes()


def test_what_was_derived_goes_along_and_is_not_made_again(store: EpisodicStore, tmp_path: Path):
    ids = store.keyframe_ids()
    store.add_embeddings("nano", ids, np.eye(len(ids)), np.eye(len(ids)))
    backup(store, tmp_path / "backup")
    store.remove_embeddings(ids[:1])
    backup(store, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup") as copy:
        assert copy.indexed_ids("nano") == ids[1:]
        assert copy.recall("nano", np.eye(len(ids))[2], 1) == [(ids[2], 1.0)]
        assert check(copy).clean and not check(copy).orphans


@pytest.mark.parametrize("lost", ["the pack", "its end", "the folder"])
def test_a_memory_that_lost_pictures_does_not_take_them_from_its_backup(
    store: EpisodicStore, tmp_path: Path, lost: str
):
    backup(store, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    pack = store.packs.path(1)
    if lost == "the pack":
        pack.unlink()
    elif lost == "its end":
        os.truncate(pack, pack.stat().st_size // 2)
    else:
        shutil.rmtree(store.packs.directory)
    with pytest.raises(MemoryDamaged, match="has lost pictures") as refused:
        backup(store, tmp_path / "backup")
    assert "check --repair" in refused.value.hint and contents(tmp_path / "backup") == before


@pytest.mark.parametrize("name", ["sounds/20240101.mp3", "small/000123.jpg", "packs/000001.pack", "photo.jpg"])
def test_a_folder_with_somebodys_files_is_refused_and_left_alone(store: EpisodicStore, tmp_path: Path, name: str):
    path = tmp_path / "usb" / name
    path.parent.mkdir(parents=True)
    path.write_text("somebody's")
    with pytest.raises(UserError, match="holds something else"):
        backup(store, tmp_path / "usb")
    assert path.read_text() == "somebody's"
