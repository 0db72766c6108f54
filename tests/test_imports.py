"""Who may load what, seen in a fresh interpreter after every module of a room has been imported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "textual"}


def modules(room: str) -> list[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / room).rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)


def loaded_by(names: list[str]) -> set[str]:
    """Top-level packages in sys.modules after these imports."""
    program = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in ran.stdout.split()}


@pytest.mark.parametrize(
    ("room", "others"),
    [("store", {"device", "assistant", "tui", "faiss", "cv2"}), ("device", {"assistant", "tui", "faiss"})],
)
def test_the_rooms_that_record_load_no_model_library(room: str, others: set[str]) -> None:
    names = modules(room)
    assert len(names) > 8
    assert not loaded_by(names) & (HEAVY | others)


def test_the_command_itself_loads_nothing_heavy() -> None:
    light = ["tui.cli", "tui.progress", "tui.evidence", "tui.report", "assistant.checkpoints"]
    assert not loaded_by(light) & (HEAVY | {"faiss", "cv2", "av", "panda3d"})
