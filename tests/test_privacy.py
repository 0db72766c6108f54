"""Nothing leaves the machine, and nothing that was seen, said or asked lies in clear on its disk."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from assistant.answer import ask
from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from store.episodic import EpisodicStore
from store.records import Heard

SAID = "the spare key hangs behind the blue curtain"
COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]
ALONE = ["unshare", "--net", "--map-root-user"]


def in_every_guise(at: float) -> Iterator[bytes]:
    """How a time might be written: as a number or as text."""
    for number in (int(at * 1e6), int(at * 1e3)):
        yield from (number.to_bytes(8, "little"), number.to_bytes(8, "big"), str(number).encode())
    yield from (struct.pack("<d", at), struct.pack(">d", at), str(int(at)).encode())
    when = datetime.fromtimestamp(at, UTC)
    yield from (when.strftime(form).encode() for form in ("%Y-%m-%d", "%H:%M:%S", "%Y%m%d"))


def slices(content: bytes) -> Iterator[bytes]:
    """Pieces of 16 bytes, of which some would be found wherever a part of the content lies."""
    for start in range(0, len(content) - 16, max(16, len(content) // 20)):
        piece = content[start : start + 16]
        if len(set(piece)) > 4:
            yield piece


def known_things(store: EpisodicStore, key: str) -> Iterator[bytes]:
    """Pixels, words, times and embeddings of a memory, as they were before they were written."""
    for keyframe in store.keyframes()[::3]:
        yield from slices(store.jpeg(keyframe))
        yield from in_every_guise(keyframe.captured_at)
        yield from slices(store.recall_of(key, [keyframe.id]).astype(np.float16).tobytes())
        yield from slices(store.compressed(key, [keyframe.id]).astype(np.float16).tobytes())
    yield from (b"curtain", b"wallet", b"CREATE TABLE", b"sim://", b"\xff\xd8\xff")


def test_no_pixel_word_time_or_embedding_is_in_clear_on_the_disk(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    store = simulated_minute
    session = store.sessions()[0]
    store.keep_heard(
        [], [Heard(session.id, session.started_at, session.started_at + 2, SAID, "speech", "x", 1.0)], True
    )
    catch_up(store, tiny_checkpoint)
    list(ask(store, tiny_checkpoint, "where did I put my wallet?"))
    known = set(known_things(store, tiny_checkpoint.key))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written = {path: path.read_bytes() for path in files}
    assert len(known) > 500 and sum(map(len, written.values())) > 100_000
    found = [(path.name, each) for path, content in written.items() for each in known if each in content]
    assert found == []
    names = " ".join(str(path.relative_to(tmp_path)) for path in files)
    year = datetime.fromtimestamp(session.started_at, UTC).strftime("%Y")
    assert year not in names and str(int(session.started_at))[:6] not in names


@pytest.mark.slow
def test_everything_works_where_there_is_no_network(tmp_path: Path, tiny_folder: Path) -> None:
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("unshare: this machine makes no network namespaces")
    (tmp_path / "whereabouts").mkdir()
    (tmp_path / "whereabouts" / "config.toml").write_text(f'[model]\ncheckpoint = "{tiny_folder}"\n')
    environment = {**os.environ, "WHEREABOUTS_HOME": str(tmp_path / "memory"), "XDG_CONFIG_HOME": str(tmp_path)}
    environment.pop("OMP_NUM_THREADS", None)

    def alone(*arguments: str) -> str:
        ran = subprocess.run(
            [*ALONE, *COMMAND, *arguments], capture_output=True, text=True, env=environment, check=False
        )
        assert ran.returncode == 0, (arguments, ran.stderr)
        return ran.stdout

    interfaces = subprocess.run([*ALONE, "cat", "/proc/net/dev"], capture_output=True, text=True).stdout
    assert interfaces.count(":") <= 1  # the loopback, and it is down
    assert "Recorded" in alone("record", "sim://home?seed=7&minutes=0.3&width=160&height=120")
    assert "Indexed" in alone("index")
    assert alone("ask", "where did I put my wallet?").strip()
    assert alone("find", "wallet").strip()
    alone("export", str(tmp_path / "exported"))
    alone("backup", str(tmp_path / "backup"))
    assert "whole" in alone("check")
