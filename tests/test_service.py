"""The recorder as a daemon, on a real memory, with a real camera on the network that comes and goes."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest

import device.link
from device.clock import since_boot_s
from device.control import request
from device.frame import AudioBlock, Frame
from device.link import Link
from device.reader import Reader
from device.service import Service
from device.state import Rate, State, days_left
from store.config import CameraSettings, Capture, Config, Sound
from store.episodic import EpisodicStore
from store.errors import MemoryBusy, MemoryDamaged, UserError
from store.records import Hold
from store.upkeep.check import check
from tests.live_server import LiveServer

CONFIG = Config(capture=Capture(fps=5.0, keyframe_every_s=0.3), sound=Sound(source="off"))


class Running:
    """A service in a thread of its own."""

    def __init__(
        self, memory: Path, uri: str, config: Config = CONFIG, on_state: Callable[[State], None] | None = None
    ) -> None:
        self.store, self.stop = EpisodicStore.open(memory), Event()
        self.states: list[State] = []
        self.service = Service(self.store, CameraSettings(uri=uri), config, self.stop, on_state or self.states.append)
        self.failed: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def until(self, met: Callable[[State], bool], within_s: float = 15.0) -> State:
        deadline_s = time.monotonic() + within_s
        while not met(self.service.state):
            assert self._thread.is_alive() and time.monotonic() < deadline_s, self.service.state
            time.sleep(0.02)
        return self.service.state

    def reaches(self, state: str, within_s: float = 15.0) -> State:
        return self.until(lambda now: now.state == state, within_s)

    def keeps_more(self, within_s: float = 15.0) -> State:
        before = self.service.state.keyframes
        return self.until(lambda now: now.keyframes > before + 1, within_s)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.store.close()

    def _run(self) -> None:
        try:
            self.service.run()
        except BaseException as error:
            self.failed = error


@pytest.fixture
def server() -> Iterator[LiveServer]:
    server = LiveServer()
    yield server
    server.stop()


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def start(memory: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service on the memory; stopped at the end."""
    started: list[Running] = []

    def run(uri: str, config: Config = CONFIG) -> Running:
        started.append(Running(memory, uri, config))
        return started[-1]

    yield run
    for running in started:
        if not running.stop.is_set():
            running.end()


def reasons(memory: Path) -> list[str]:
    with EpisodicStore.open(memory) as store:
        assert check(store).clean
        return [gap.reason for gap in store.gaps()]


def silences_s(memory: Path) -> list[float]:
    """The pauses between keyframes, in order of length."""
    with EpisodicStore.open(memory) as store:
        times = [keyframe.captured_at for keyframe in store.keyframes()]
    return sorted(after - before for before, after in zip(times, times[1:], strict=False))


def test_a_live_camera_is_recorded_until_it_is_stopped(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    time.sleep(2.5)
    state = running.keeps_more()
    running.end()
    assert [each.state for each in running.states][0] == "waiting for camera"
    assert (state.source, state.shape) == (server.address, "160 x 96 at 10 fps, mjpeg")
    assert state.last_keyframe_at == pytest.approx(time.time(), abs=5)
    assert state.lag_s < 3 and 1 < state.fps_got < 7 and state.fps_wanted == 5
    assert state.pid == os.getpid() and state.disk_free_bytes > 0
    with EpisodicStore.open(memory) as store:
        [session] = store.sessions()
        assert (session.source, session.ended_because) == (server.address, "stopped")
        assert abs(session.started_at - time.time()) < 20
    assert reasons(memory) == []


def test_a_state_is_plain_json(server: LiveServer, start: Callable[..., Running]) -> None:
    running = start(server.address)
    running.reaches("recording")
    assert json.loads(json.dumps(asdict(running.service.state)))["state"] == "recording"


@pytest.mark.slow
def test_a_camera_that_comes_back_is_recorded_again_within_five_seconds(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    running.keeps_more()
    server.stop()
    state = running.reaches("camera unplugged", 3)
    assert any("live.mkv" in warning for warning in state.warnings)
    time.sleep(4)
    server.start()
    running.reaches("recording", 5)
    running.keeps_more()
    running.end()
    assert reasons(memory) == ["camera unplugged"]
    with EpisodicStore.open(memory) as store:
        [gap] = store.gaps()
        assert gap.ended_at - gap.started_at == pytest.approx(silences_s(memory)[-1], abs=0.5)
        assert len(store.sessions()) == 1


def test_a_camera_that_is_not_there_yet_is_waited_for(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    server.stop()
    running = start(server.address)
    time.sleep(1.5)
    assert running.service.state.state == "waiting for camera" and running.service.state.session is None
    server.start()
    running.reaches("recording", 5)
    running.end()
    assert reasons(memory) == []


@pytest.mark.slow
def test_a_camera_that_falls_silent_is_killed_and_read_again(
    memory: Path, server: LiveServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.link, "STALLED_S", 2.0)
    running = start(server.address)
    running.reaches("recording")
    running.keeps_more()
    server.silent.set()
    running.reaches("camera stalled", 5)
    server.silent.clear()
    running.reaches("recording", 8)
    running.keeps_more()
    running.end()
    assert set(reasons(memory)) == {"camera stalled"}


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGKILL, "camera process died"), (signal.SIGSTOP, "camera stalled")]
)
def test_whatever_becomes_of_the_process_that_reads_the_recorder_goes_on(
    memory: Path,
    server: LiveServer,
    start: Callable[..., Running],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    reason: str,
) -> None:
    monkeypatch.setattr(device.link, "STALLED_S", 2.0)
    running = start(server.address)
    running.reaches("recording")
    reader = running.service._link.reader.pid
    assert reader is not None
    os.kill(reader, number)
    running.reaches(reason, 6)
    running.reaches("recording", 8)
    running.keeps_more()
    running.end()
    assert reasons(memory) == [reason]
    assert not Path(f"/proc/{reader}").exists()


@pytest.mark.slow
def test_private_means_neither_camera_nor_picture_until_it_is_over(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    running.keeps_more()
    told = request(memory, "private")
    asked_at = time.time()
    assert (told["state"], told["running"], told["until"]) == ("private", True, None)
    assert running.service._link.reader.pid is None
    time.sleep(1.5)
    assert running.store.keyframes()[-1].captured_at < asked_at
    resumed_at = time.time()
    assert request(memory, "resume")["state"] in ("waiting for camera", "recording")
    running.reaches("recording")
    running.keeps_more()
    running.end()
    with EpisodicStore.open(memory) as store:
        private, waiting = store.gaps()
        assert (private.reason, waiting.reason) == ("private", "waiting for camera")
        assert private.started_at < asked_at and private.ended_at == waiting.started_at
        assert private.ended_at == pytest.approx(resumed_at, abs=1) and waiting.ended_at > resumed_at
        assert not [k for k in store.keyframes() if private.started_at < k.captured_at < waiting.ended_at]


def test_a_pause_ends_by_itself(memory: Path, server: LiveServer, start: Callable[..., Running]) -> None:
    running = start(server.address)
    running.reaches("recording")
    told = request(memory, "pause", 1.5)
    assert told["state"] == "paused" and told["until"] == pytest.approx(time.time() + 1.5, abs=1)
    running.reaches("recording", 8)
    assert running.store.hold() is None
    running.end()
    assert reasons(memory) == ["paused", "waiting for camera"]
    with EpisodicStore.open(memory) as store:
        assert store.gaps()[0].ended_at == pytest.approx(told["until"], abs=1)


def test_a_recorder_that_starts_while_private_opens_no_camera(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    request_without_recorder = Hold("private", time.time(), None)
    with EpisodicStore.open(memory) as store:
        store.set_hold(request_without_recorder)
    running = start(server.address)
    running.reaches("private")
    time.sleep(0.5)
    assert running.service._link.reader.pid is None
    running.end()
    with EpisodicStore.open(memory) as store:
        assert store.hold() == request_without_recorder and store.sessions() == []


def test_private_again_before_the_camera_was_back_lets_it_go_again(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    for _ in range(3):
        assert request(memory, "private")["state"] == "private"
        assert running.service._link.reader.pid is None
        request(memory, "resume")


def test_a_machine_that_slept_has_a_gap_as_long_as_its_sleep(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    running.keeps_more()
    running.service._clock._boot = lambda: since_boot_s() + 600
    running.keeps_more()
    running.end()
    assert reasons(memory) == ["suspended"]
    with EpisodicStore.open(memory) as store:
        [gap] = store.gaps()
        assert 600 <= gap.ended_at - gap.started_at < 602
        assert store.keyframes()[-1].captured_at == pytest.approx(time.time() + 600, abs=3)


def test_an_address_that_is_not_understood_is_said_at_once(memory: Path) -> None:
    with EpisodicStore.open(memory) as store, pytest.raises(UserError, match="Unknown kind of camera"):
        Service(store, CameraSettings(uri="sin://home"), CONFIG, Event()).run()


def test_a_second_recorder_is_refused_by_name(memory: Path, server: LiveServer, start: Callable[..., Running]) -> None:
    start(server.address).reaches("recording")
    with EpisodicStore.open(memory) as store, pytest.raises(MemoryBusy, match=f"pid {os.getpid()}"):
        Service(store, CameraSettings(uri=server.address), CONFIG, Event()).run()
    assert request(memory, "status")["state"] == "recording"


def test_a_microphone_that_is_missing_stops_no_picture(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address, replace(CONFIG, sound=Sound(source="microphone:no such microphone")))
    running.reaches("recording")
    state = running.until(lambda now: bool(now.sound["problem"]))
    assert state.sound["source"] == "microphone"
    running.keeps_more()


def test_a_disk_below_its_reserve_is_a_state_and_recording_goes_on_with_room(
    memory: Path, server: LiveServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.room.LOOK_EVERY_S", 0.2)
    running = start(server.address)
    running.reaches("recording")
    room = running.service._room
    settings = room._settings
    room._settings = replace(settings, reserve_bytes=2**60, warn_bytes=2**60)
    state = running.reaches("disk full", 5)
    assert any("are kept in reserve" in each for each in state.warnings)
    room._settings = settings
    running.reaches("recording", 5)
    running.keeps_more()
    running.end()
    assert reasons(memory) == ["disk full"]


def test_what_little_room_there_is_is_told_in_megabytes(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=24 * 10**6))
    with EpisodicStore.open(memory) as store:
        state = Service(store, CameraSettings(uri="usb:0"), CONFIG, Event()).state
    assert state.warnings == ("Only 24.0 MB are free on the disk of the memory, and 2.1 GB are kept in reserve.",)


def test_a_disk_without_room_even_to_begin_is_waited_for(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.service.LOOK_EVERY_S", 0.2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with EpisodicStore.open(memory) as killed:
        killed.begin_session("camera", time.time() - 9, 0, 1.0)  # to be ended by whoever records next
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            running = Running(memory, "http://127.0.0.1:9/live.mkv")
            running.reaches("disk full")
            time.sleep(0.5)
            assert [state.state for state in running.states] == ["disk full"] * len(running.states)
            running.end()
            assert running.failed is None and running.service.state.session is None
            running = Running(memory, "http://127.0.0.1:9/live.mkv")
            running.reaches("disk full")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        running.reaches("camera unplugged")
        running.end()
    assert running.failed is None


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("no such format")])
def test_an_error_of_whoever_watches_ends_the_telling_and_not_the_recording(
    memory: Path, server: LiveServer, error: Exception
) -> None:
    told: list[str] = []

    def watch(state: State) -> None:
        told.append(state.state)
        raise error

    running = Running(memory, server.address, on_state=watch)
    running.reaches("recording")
    running.keeps_more()
    running.end()
    assert told == ["waiting for camera"] and running.failed is None


def test_a_memory_that_goes_away_ends_the_recording_by_name_and_nothing_is_made_in_its_place(
    memory: Path, server: LiveServer, start: Callable[..., Running]
) -> None:
    running = start(server.address)
    running.reaches("recording")
    running.keeps_more()
    memory.rename(memory.with_name("elsewhere"))
    running.end()
    assert isinstance(running.failed, MemoryDamaged) and f"The memory {memory} is gone" in running.failed.message
    assert not memory.exists()


RECORDER = """
import signal, sys
from pathlib import Path
from threading import Event
from device.service import Service
from store.config import CameraSettings, Capture, Config, Sound
from store.episodic import EpisodicStore
stop = Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
config = Config(capture=Capture(fps=5.0, keyframe_every_s=0.3), sound=Sound(source="off"))
with EpisodicStore.open(Path(sys.argv[1])) as store:
    camera = CameraSettings(uri=sys.argv[2])
    Service(store, camera, config, stop, lambda state: print(state.keyframes, flush=True)).run()
"""


def recorder(memory: Path, address: str, **environment: str) -> subprocess.Popen[str]:
    """A real recorder process that has kept some keyframes."""
    command = [sys.executable, "-c", RECORDER, str(memory), address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stdout is not None
    while int(process.stdout.readline() or 99) < 3:
        pass
    return process


def test_sigterm_ends_the_session_and_the_process_well(memory: Path, server: LiveServer) -> None:
    with recorder(memory, server.address) as process:
        process.terminate()
        assert process.wait(5) == 0
    with EpisodicStore.open(memory) as store:
        assert store.sessions()[0].ended_because == "stopped" and store.count() >= 3
        assert check(store).clean
    assert not (memory / "recorder.sock").exists()


@pytest.mark.slow
def test_while_the_recorder_itself_stood_still_it_was_late_and_the_camera_was_well(
    memory: Path, server: LiveServer
) -> None:
    with recorder(memory, server.address) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(7)
        process.send_signal(signal.SIGCONT)
        time.sleep(2)
        process.terminate()
    assert reasons(memory) == ["recorder was late"]
    with EpisodicStore.open(memory) as store:
        [gap] = store.gaps()
        assert gap.ended_at - gap.started_at == pytest.approx(7, abs=1.5)
        assert store.keyframes()[-1].captured_at > gap.ended_at


def test_a_recorder_that_stood_still_does_not_take_the_camera_for_stalled(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.link, "STALLED_S", 2.0)
    reader = Reader(CameraSettings(uri=server.address), 5.0)
    link = Link(reader, 5.0)
    while not isinstance(link.next(0.25), Frame):
        pass
    listen = reader.next

    def stand_still(timeout_s: float) -> Frame | AudioBlock | None:
        time.sleep(3)
        return None

    monkeypatch.setattr(reader, "next", stand_still)
    link.next(0.25)
    monkeypatch.setattr(reader, "next", listen)
    assert isinstance(link.next(0.25), Frame) and link.trouble == ""
    link.let_go()


def test_a_recorder_killed_while_paused_stays_paused_and_its_session_goes_on(memory: Path, server: LiveServer) -> None:
    with recorder(memory, server.address) as process:
        assert request(memory, "pause")["state"] == "paused"
        process.kill()
    running = Running(memory, server.address)
    running.reaches("paused")
    assert request(memory, "resume")["running"]
    running.reaches("recording")
    running.end()
    assert reasons(memory) == ["paused", "process killed", "paused", "waiting for camera"]
    with EpisodicStore.open(memory) as store:
        [session] = store.sessions()
        gaps = store.gaps()
        assert session.ended_because == "stopped"
        assert all(before.ended_at == after.started_at for before, after in zip(gaps, gaps[1:], strict=False))


@pytest.mark.parametrize("kind", ["in the file system", "abstract"])
def test_systemd_is_told_when_it_is_ready_alive_and_about_to_end(
    memory: Path, server: LiveServer, tmp_path: Path, kind: str
) -> None:
    address = str(tmp_path / "notify") if kind == "in the file system" else f"@whereabouts-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        systemd.settimeout(10)
        with recorder(memory, server.address, NOTIFY_SOCKET=address) as process:
            process.terminate()
        told = []
        while told[-1:] != ["STOPPING=1"]:
            told.append(systemd.recv(1000).decode())
    assert told[0] == "READY=1"
    assert "WATCHDOG=1" in told and "STATUS=waiting for camera, 0 keyframes" in told
    assert any(each.startswith("STATUS=recording, ") for each in told)


def test_how_long_the_disk_lasts_is_told_from_the_pace_so_far() -> None:
    assert days_left(100 * 10**9, 10**9, 86_400.0) == pytest.approx(100)
    assert days_left(-1, 10**9, 86_400.0) == 0
    assert days_left(10**9, 10**9, 59.0) is None and days_left(10**9, 0, 3600.0) is None


def test_the_rate_is_that_of_the_last_minute() -> None:
    rate = Rate(1000.0)
    for tick in range(300):
        rate.count(1000.0 + tick / 2)
    assert rate.fps(1150.0) == pytest.approx(2, abs=0.05)
    assert rate.fps(1180.0) == pytest.approx(1, abs=0.05)
    assert rate.fps(1300.0) == 0
