"""The control socket: how other processes ask a recorder how it is, and to stand still or go on.

`recorder.sock` lies in the memory, for its owner only. One connection carries one line of JSON, {"do": "pause",
"for_s": 1800}, and one line back. The recorder's side has a thread of its own, reads no more than it must, and waits
for nobody longer than a moment.

This file does not know what the recorder does about it.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from device.holding import HOLDS, hold_for
from store.episodic import EpisodicStore
from store.errors import UserError

NAME = "recorder.sock"
VERBS = ("status", *HOLDS, "resume")
LONGEST_BYTES = 1000
LONGEST_HOLD_S = 10 * 365 * 86_400.0
PATIENCE_S = 1.0  # of the recorder with whoever asks
ANSWER_S = 10.0  # of whoever asks with the recorder

Answer = Callable[[str, float | None], dict[str, Any]]


def request(directory: Path, do: str, for_s: float | None = None) -> dict[str, Any]:
    """Ask the recorder of this memory; returns its state afterwards, as device.state.State in plain values.

    Where none is running, "pause", "private" and "resume" are left in the memory for the next one, and the answer is
    {"state": "paused", "until": ..., "running": False}; for "status" that is a UserError. UserError also where the
    recorder refuses or says nothing.
    """
    try:
        with _connected(directory) as line:
            line.sendall(json.dumps({"do": do, "for_s": for_s}).encode() + b"\n")
            answer = json.loads(_read_line(line, 1_000_000, ANSWER_S))
    except (FileNotFoundError, ConnectionRefusedError):
        return _without_recorder(directory, do, for_s)
    except (OSError, ValueError) as error:
        raise UserError(f"The recorder of {directory} does not answer: {error}.", "Try again in a moment.") from error
    if "error" in answer:
        raise UserError(answer["error"], answer["hint"])
    return {**answer, "running": True}


@contextmanager
def listening(directory: Path, answer: Answer) -> Iterator[None]:
    """Inside the block, answer what is asked; to be entered only by who holds the recording lock.

    `answer` is called in another thread with a verb of VERBS and the seconds it is meant for.
    """
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        with suppress(FileNotFoundError):
            _unlink(folder)  # a dead recorder's: the lock proves that no other lives
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(_address(folder))
        listener.listen()
        thread = Thread(target=_serve, args=(listener, answer), name="control", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)
            with suppress(FileNotFoundError, UserError):
                _unlink(folder)
            os.close(folder)


def _without_recorder(directory: Path, do: str, for_s: float | None) -> dict[str, Any]:
    if do == "status":
        raise UserError("No recorder is running on this memory.", "Start one: whereabouts record usb:0")
    hold = hold_for(do, time.time(), for_s)
    with EpisodicStore.open(directory, create=False) as store:
        store.set_hold(hold)
        if pid := store.recorder_pid():
            raise UserError(
                f"What records this memory (pid {pid}) does not listen.",
                "It was noted, and a live camera's recorder follows within seconds; to be sure, stop that process.",
            )
    return {"state": hold.reason if hold else None, "until": hold.until if hold else None, "running": False}


def _unlink(folder: int) -> None:
    try:
        os.unlink(NAME, dir_fd=folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{NAME} in the memory cannot be removed: {error.strerror}.", "Remove it yourself.") from error


def _address(folder: int) -> str:
    """The socket by way of the open folder: an address may have only 108 bytes, a folder's path more."""
    return f"/proc/self/fd/{folder}/{NAME}"


@contextmanager
def _connected(directory: Path) -> Iterator[socket.socket]:
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_S)
            line.connect(_address(folder))
            yield line
    finally:
        os.close(folder)


def _serve(listener: socket.socket, answer: Answer) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:  # shut down
            return
        with line, suppress(OSError):
            reply = _reply(line, answer)
            line.settimeout(PATIENCE_S)
            line.sendall(json.dumps(reply).encode() + b"\n")


def _reply(line: socket.socket, answer: Answer) -> dict[str, Any]:
    try:
        return answer(*_understood(_read_line(line, LONGEST_BYTES, PATIENCE_S)))
    except UserError as error:
        return {"error": error.message, "hint": error.hint}


def _understood(text: bytes) -> tuple[str, float | None]:
    """The verb and the seconds. UserError for anything else."""
    try:
        asked = json.loads(text)
        do, for_s = asked["do"], asked.get("for_s")
        is_meant = do in VERBS and (for_s is None or 0 < float(for_s) <= LONGEST_HOLD_S)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        is_meant = False
    if not is_meant:
        raise UserError("The recorder does not understand that.", f"Ask it for one of: {', '.join(VERBS)}.")
    return do, None if for_s is None else float(for_s)


def _read_line(line: socket.socket, longest_bytes: int, patience_s: float) -> bytes:
    """Up to a line's end. TimeoutError and ValueError for one that takes too long or is too long."""
    deadline_s, text = time.monotonic() + patience_s, b""
    while not text.endswith(b"\n"):
        line.settimeout(max(0.001, deadline_s - time.monotonic()))
        piece = line.recv(4096)
        text += piece
        if not piece or len(text) > longest_bytes:
            raise UserError("The recorder reads one short line.", f"Ask it for one of: {', '.join(VERBS)}.")
    return text
