"""config.toml and the places that the environment names."""

from pathlib import Path

import pytest

from store.config import Capture, Config, Model, config_path, load_config, memory_directory
from store.errors import UserError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_an_absent_file_is_all_defaults(tmp_path: Path):
    config = load_config(tmp_path / "config.toml")
    assert config == Config()
    assert (config.capture.keyframe_every_s, config.capture.jpeg_quality, config.model.checkpoint) == (10, 90, "nano")


def test_what_is_written_replaces_the_default_and_nothing_else(tmp_path: Path):
    path = written(tmp_path, '[capture]\nfps = 5\njpeg_quality = 80\n[model]\ncheckpoint = "7b"\n')
    assert load_config(path) == Config(Capture(fps=5.0, jpeg_quality=80), Model("7b"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[capture]\nfsp = 2\n", r"unknown key in \[capture\]: fsp", "fps"),
        ("[capture]\njpg_quality = 2\n", "jpg_quality", "jpeg_quality"),
        ("[modle]\n", "unknown section: modle", "model"),
        ('[capture]\nfps = "fast"\n', "fps = 'fast' is of the wrong type", "float"),
        ("[capture]\njpeg_quality = true\n", "jpeg_quality = True", "int"),
        ("[capture]\njpeg_quality = 101\n", "jpeg_quality = 101 is out of range", "1 to 100"),
        ("[capture]\nfps = nan\n", "fps = nan", "Choose from"),
        ("model = 3\n", "model = 3 is not a section", r"\[model\]"),
        ("[capture\n", "cannot be read", "Correct the file"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path: Path, text: str, message: str, hint: str):
    with pytest.raises(UserError, match=message) as raised:
        load_config(written(tmp_path, text))
    assert hint.replace("\\", "") in raised.value.hint
    assert str(tmp_path) in raised.value.message


def test_the_memory_is_the_one_asked_for_then_the_environments_then_the_desktops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/wearer")
    monkeypatch.setenv("WHEREABOUTS_HOME", "/mnt/memory")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert memory_directory(Path("/here")) == Path("/here")
    assert memory_directory() == Path("/mnt/memory")
    monkeypatch.delenv("WHEREABOUTS_HOME")
    assert memory_directory() == Path("/data/whereabouts/memory")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert memory_directory() == Path("/home/wearer/.local/share/whereabouts/memory")


def test_the_configuration_lies_where_the_desktop_keeps_such(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/wearer")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config_path() == Path("/home/wearer/.config/whereabouts/config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/wearer")
    assert config_path() == Path("/etc/wearer/whereabouts/config.toml")
