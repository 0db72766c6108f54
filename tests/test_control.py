"""The control socket: asked by other processes, and by those who mean no good."""

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import device.holding
from device.control import listening, request
from device.holding import Holding
from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.records import Hold


class Asked:
    """A recorder that notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float | None]] = []

    def answer(self, do: str, for_s: float | None) -> dict[str, Any]:
        self.calls.append((do, for_s))
        return {"state": "recording", "number": len(self.calls)}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    EpisodicStore.open(tmp_path / "memory").close()
    return tmp_path / "memory"


@pytest.fixture
def asked(memory: Path) -> Iterator[Asked]:
    asked = Asked()
    with listening(memory, asked.answer):
        yield asked


def send(memory: Path, content: bytes, *, end: bool = True) -> bytes:
    """What comes back for these bytes; with `end` nothing follows them."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        line.connect(str(memory / "recorder.sock"))
        try:
            line.sendall(content)
            if end:
                line.shutdown(socket.SHUT_WR)
            return line.recv(100_000)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_a_request_is_answered(memory: Path, asked: Asked) -> None:
    assert request(memory, "status") == {"state": "recording", "number": 1, "running": True}
    assert request(memory, "pause", 1800)["number"] == 2
    assert asked.calls == [("status", None), ("pause", 1800.0)]


def test_the_socket_is_the_owners_alone_and_goes_when_the_recorder_goes(memory: Path) -> None:
    with listening(memory, Asked().answer):
        mode = (memory / "recorder.sock").stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert not (memory / "recorder.sock").exists()


def test_a_dead_recorders_socket_is_replaced(memory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(memory / "recorder.sock"))
    asked = Asked()
    with listening(memory, asked.answer):
        assert request(memory, "status")["state"] == "recording"


def test_a_folder_with_a_long_path_does_as_well(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    EpisodicStore.open(deep).close()
    with listening(deep, Asked().answer):
        assert request(deep, "status")["state"] == "recording"


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"status\n",
        b"[]\n",
        b"{}\n",
        b'{"do": "shutdown"}\n',
        b'{"do": ["pause"]}\n',
        b'{"do": "pause", "for_s": -1}\n',
        b'{"do": "pause", "for_s": "soon"}\n',
        b'{"do": "pause", "for_s": NaN}\n',
        b'{"do": "pause", "for_s": 1e999}\n',
        b'{"do": "pa',
        b"\xff\xfe\x00\n",
        b"[" * 900 + b"\n",
        b"x" * 1_000_000,
    ],
)
def test_what_makes_no_sense_is_answered_with_what_would_and_harms_nobody(
    memory: Path, asked: Asked, content: bytes
) -> None:
    answer = send(memory, content)
    assert answer == b"" or "Ask it for one of" in json.loads(answer)["hint"]
    assert asked.calls == []
    assert request(memory, "status")["number"] == 1


def test_who_says_nothing_is_not_waited_for(memory: Path, asked: Asked) -> None:
    began_s = time.monotonic()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(memory / "recorder.sock"))
        silent.sendall(b'{"do"')
        assert request(memory, "status")["number"] == 1
    assert time.monotonic() - began_s < 3


def test_who_hangs_up_before_the_answer_harms_nobody(memory: Path, asked: Asked) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(memory / "recorder.sock"))
            line.sendall(b'{"do": "status"}\n')
    assert request(memory, "status")["state"] == "recording"


def test_without_a_recorder_its_state_cannot_be_told(memory: Path) -> None:
    with pytest.raises(UserError, match="No recorder is running on this memory") as refused:
        request(memory, "status")
    assert "whereabouts record" in refused.value.hint


def test_without_a_recorder_the_next_one_is_told_to_stand_still(memory: Path) -> None:
    told = request(memory, "private", 60)
    assert (told["state"], told["running"]) == ("private", False)
    assert told["until"] == pytest.approx(time.time() + 60, abs=5)
    with EpisodicStore.open(memory) as store:
        hold = store.hold()
        assert isinstance(hold, Hold) and (hold.reason, hold.until) == ("private", told["until"])
    assert request(memory, "resume") == {"state": None, "until": None, "running": False}
    with EpisodicStore.open(memory) as store:
        assert store.hold() is None


def test_where_there_is_no_memory_there_is_nothing_to_hold(tmp_path: Path) -> None:
    with pytest.raises(NothingRecorded):
        request(tmp_path / "nowhere", "pause")
    assert not (tmp_path / "nowhere").exists()


def test_a_recorder_that_says_nothing_is_given_up(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.control.ANSWER_S", 0.2)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(memory / "recorder.sock"))
        hung.listen()
        with pytest.raises(UserError, match="does not answer"):
            request(memory, "status")


def test_no_descriptor_is_left_open(memory: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with listening(memory, Asked().answer):
            request(memory, "status")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_recorder_that_cannot_be_heard_is_not_taken_for_none(memory: Path) -> None:
    with EpisodicStore.open(memory) as store, store.hold_for_recording():
        with pytest.raises(UserError, match=rf"pid {os.getpid()}\) does not listen") as refused:
            request(memory, "private")
        assert "stop that process" in refused.value.hint
        holding = Holding(store)
        assert holding.current(time.time()) is not None  # what was noted is in force all the same


def test_a_hold_that_is_only_in_the_memory_is_found_there(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.holding, "LOOK_AGAIN_S", 0.0)
    with EpisodicStore.open(memory) as store, EpisodicStore.open(memory) as other:
        holding = Holding(store)
        assert holding.current(5.0) is None
        other.set_hold(Hold("private", 5.0, None))
        assert holding.current(6.0) == Hold("private", 5.0, None)
        other.set_hold(None)
        assert holding.current(7.0) is None


@pytest.mark.parametrize("for_s", [1e308, 11 * 365 * 86_400.0])
def test_nothing_is_held_for_longer_than_a_life(memory: Path, asked: Asked, for_s: float) -> None:
    with pytest.raises(UserError, match="does not understand"):
        request(memory, "pause", for_s)
    assert asked.calls == []


def test_something_else_in_the_sockets_place_is_named(memory: Path) -> None:
    (memory / "recorder.sock").mkdir()
    with pytest.raises(UserError, match="recorder.sock in the memory cannot be removed"), listening(memory, dict):
        pass
