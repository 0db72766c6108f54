"""Bytes are durable before the row that points at them: the calls themselves are recorded, in their order."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.disk import replace_file
from store.episodic import EpisodicStore
from store.records import Reduction, Session, Span
from store.upkeep.forgetting import forget

Call = tuple[str, str]
START = 1_760_000_000.0


class Calls:
    """What a process asks of the disk: ("write" | "fsync" | "rename" | "unlink", name) and ("commit", statement)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[Call] = []
        for name, kind in (("write", "write"), ("writev", "write"), ("pwrite", "write"), ("fsync", "fsync")):
            self._watch(monkeypatch, name, kind)
        for name in ("rename", "replace", "unlink"):
            self._watch(monkeypatch, name, name.replace("replace", "rename"))

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
        real = getattr(os, name)

        def watched(target: Any, *rest: Any, **named: Any) -> Any:
            done = real(target, *rest, **named)
            aim = rest[0] if kind == "rename" else target
            path = os.readlink(f"/proc/self/fd/{aim}") if isinstance(aim, int) else os.fspath(aim)
            self.seen.append((kind, Path(path).name.removesuffix(" (deleted)")))
            return done

        monkeypatch.setattr(os, name, watched)

    def commits_of(self, store: EpisodicStore) -> None:
        """Statements that change the database count as well; those of a transaction only by its COMMIT."""

        def note(statement: str) -> None:
            if statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "COMMIT"):
                self.seen.append(("commit", " ".join(statement.split()[:3])))

        store.database._connection.set_trace_callback(note)

    def index(self, kind: str, part: str) -> int:
        """Where the first such call is. StopIteration if there is none."""
        return next(at for at, call in enumerate(self.seen) if call[0] == kind and part in call[1])

    def last(self, kind: str, part: str) -> int:
        return max(at for at, call in enumerate(self.seen) if call[0] == kind and part in call[1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


@pytest.fixture
def session(store: EpisodicStore) -> Session:
    return store.begin_session("glasses", START, 0, 1.0)


@pytest.fixture
def calls(store: EpisodicStore, session: Session, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls(monkeypatch)
    calls.commits_of(store)
    return calls


def add(store: EpisodicStore, session: Session, number: int) -> int:
    return store.add_keyframe(session.id, START + number, 0, b"picture %d" % number * 99, 640, 480, 1.0).id


def test_a_keyframe_is_key_name_bytes_and_then_row(store: EpisodicStore, session: Session, calls: Calls) -> None:
    add(store, session, 0)
    order = [
        calls.index("write", "000001.pack"),
        calls.index("fsync", "000001.pack"),
        calls.index("commit", "INSERT INTO keyframes"),
    ]
    assert order == sorted(order) and calls.index("commit", "INSERT OR IGNORE") < order[0]  # the pack's key
    assert calls.seen[order[0] - 1] in (("fsync", "packs"), ("commit", "INSERT OR IGNORE"))  # the pack's name
    with store.hold_for_recording():
        calls.seen.clear()
        add(store, session, 1)
    assert calls.seen[:3] == [
        ("write", "000001.pack"),
        ("fsync", "000001.pack"),
        ("commit", "INSERT INTO keyframes"),
    ]


def test_a_file_is_replaced_by_a_whole_one_whose_name_is_durable(tmp_path: Path, calls: Calls) -> None:
    replace_file(tmp_path / "keys.json", b"{}")
    assert calls.seen == [
        ("write", f"keys.json.{os.getpid()}.draft"),
        ("fsync", f"keys.json.{os.getpid()}.draft"),
        ("rename", "keys.json"),
        ("fsync", tmp_path.name),
    ]


def test_a_small_picture_is_on_disk_before_its_row_and_the_full_one_goes_afterwards(
    store: EpisodicStore, session: Session, calls: Calls
) -> None:
    keyframe = add(store, session, 0)
    calls.seen.clear()
    store.reduce_keyframes([Reduction(keyframe, b"small", 320, 240)])
    written = [call for call in calls.seen if call[1] == "000001.pack" or call[1].startswith(("COMMIT", "DELETE"))]
    assert written == [
        ("write", "000001.pack"),
        ("fsync", "000001.pack"),
        ("commit", "COMMIT"),
        ("fsync", "000001.pack"),  # of the erased
        ("commit", "DELETE FROM freed"),
    ]


def test_embeddings_are_on_disk_before_they_count(store: EpisodicStore, session: Session, calls: Calls) -> None:
    keyframe = add(store, session, 0)
    calls.seen.clear()
    store.add_embeddings("nano", [keyframe], np.ones((1, 4)), np.ones((1, 2)))
    commit = calls.last("commit", "COMMIT")
    for column in ("recall", "compressed"):
        assert calls.index("write", column) < calls.index("fsync", column) < commit


def test_what_is_kept_is_written_anew_before_the_forgotten_file_goes(
    store: EpisodicStore, session: Session, calls: Calls
) -> None:
    for number in range(4):
        add(store, session, number)
    calls.seen.clear()
    forget(store, [Span(START + 1, START + 3)])
    written = calls.last("fsync", "000002.pack")
    moved = next(at for at, call in enumerate(calls.seen) if at > written and call[1] == "COMMIT")
    assert calls.index("commit", "COMMIT") < written < moved < calls.index("unlink", "000001.pack")  # rows go first
