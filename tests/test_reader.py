"""A live camera in a process of its own: what it gives, how it ends, and that nothing of it is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.frame import AudioBlock, Frame
from device.reader import Reader
from store.config import CameraSettings
from store.errors import CameraError, UserError
from tests.live_server import LiveServer

SIMULATED = "sim://home?seed=7&minutes=0.05&speed=1&width=160&height=120"


@pytest.fixture
def server() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.stop()


@pytest.fixture
def read() -> Iterator[Callable[..., Reader]]:
    """Opens a reader of an address; closed at the end."""
    readers: list[Reader] = []

    def make(uri: str, wanted_fps: float = 5.0, **settings: object) -> Reader:
        readers.append(Reader(CameraSettings(uri=uri, **settings), wanted_fps))
        readers[-1].open()
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def next_frame(reader: Reader, within_s: float = 10.0) -> Frame:
    item: Frame | AudioBlock | None = None
    deadline_s = time.monotonic() + within_s
    while not isinstance(item, Frame):
        item = reader.next(0.5)
        assert time.monotonic() < deadline_s, "no frame came"
    return item


def lives(pid: int | None) -> bool:
    """Whether there is such a process, a zombie counting as dead only once it is reaped."""
    return pid is not None and Path(f"/proc/{pid}").exists()


def test_a_camera_is_read_as_it_goes(server: LiveServer, read: Callable[..., Reader]) -> None:
    reader = read(server.address)
    first, second = next_frame(reader), next_frame(reader)
    assert first.image.shape == (96, 160, 3)
    assert abs(first.captured_at - time.time()) < 3
    assert 0.1 < second.captured_at - first.captured_at < 1
    assert (reader.source, reader.shape) == (server.address, "160 x 96 at 10 fps, mjpeg")


def test_pictures_are_turned_and_cut_as_the_camera_is_worn(server: LiveServer, read: Callable[..., Reader]) -> None:
    reader = read(server.address, rotation=90, crop=(0.0, 0.0, 1.0, 0.5))
    assert next_frame(reader).image.shape == (80, 96, 3)


def test_only_the_newest_frame_waits_and_the_others_are_counted(
    server: LiveServer, read: Callable[..., Reader]
) -> None:
    reader = read(server.address)
    before = next_frame(reader)
    time.sleep(2)
    after = next_frame(reader)
    assert 8 <= reader.dropped <= 10
    assert after.captured_at - before.captured_at > 1.5
    assert reader.next(0.0) is None


def test_a_camera_that_breaks_off_is_named_and_may_be_opened_again_without_a_new_process(
    server: LiveServer, read: Callable[..., Reader]
) -> None:
    reader = read(server.address)
    next_frame(reader)
    pid = reader.pid
    server.stop()
    with pytest.raises(CameraError, match="live.mkv"):
        while True:
            next_frame(reader)
    reader.open()
    with pytest.raises(CameraError, match="connection refused"):
        next_frame(reader)
    server.start()
    reader.open()
    assert next_frame(reader) and reader.pid == pid


def test_a_process_that_is_killed_is_a_camera_that_broke_off(server: LiveServer, read: Callable[..., Reader]) -> None:
    reader = read(server.address)
    next_frame(reader)
    killed = reader.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(CameraError, match="ended"):
        while True:
            next_frame(reader)
    reader.open()
    assert next_frame(reader) and reader.pid != killed


@pytest.mark.parametrize("hung", ["silent", "stopped"])
def test_a_camera_that_hangs_is_closed_at_once_and_nothing_of_it_stays(
    server: LiveServer, read: Callable[..., Reader], hung: str
) -> None:
    if hung == "silent":
        server.silent.set()
    reader = read(server.address)
    pid = reader.pid
    assert pid is not None
    assert reader.next(1.0) is None or hung == "stopped"
    if hung == "stopped":
        os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    reader.close()
    assert time.monotonic() - began_s < 1
    assert not lives(pid)
    reader.close()


def test_an_address_that_is_not_understood_is_the_callers_mistake(read: Callable[..., Reader]) -> None:
    with pytest.raises(UserError, match="Unknown kind of camera") as refused:
        next_frame(read("sin://home"))
    assert not isinstance(refused.value, CameraError)
    assert "sim" in refused.value.hint


def test_a_camera_that_has_an_end_ends(read: Callable[..., Reader]) -> None:
    reader = read(SIMULATED, 2.0)
    with pytest.raises(EOFError):
        while True:
            next_frame(reader)
    assert reader.source.startswith("sim://home")


PARENT = """
import sys, time
from device.reader import Reader
from store.config import CameraSettings
reader = Reader(CameraSettings(uri=sys.argv[1]), 5.0)
reader.open()
while reader.next(10.0) is None:
    pass
print(reader.pid, flush=True)
time.sleep(60)
"""


def test_the_process_dies_with_its_parent(server: LiveServer) -> None:
    command = [sys.executable, "-c", PARENT, server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert lives(child)
        parent.kill()
    deadline_s = time.monotonic() + 3
    while is_running(child) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    """Nobody may be there to reap an orphan, so a zombie counts as dead."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_no_password_is_to_be_seen_in_the_process_list(server: LiveServer, read: Callable[..., Reader]) -> None:
    reader = read(server.address.replace("//", "//me:secret@"))
    next_frame(reader)
    assert b"secret" not in Path(f"/proc/{reader.pid}/cmdline").read_bytes()
    assert reader.source == server.address


def test_the_process_that_reads_loads_no_model_library() -> None:
    program = "import sys, device.reader; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "textual", "faiss", "panda3d", "sounddevice"} & set(loaded)
