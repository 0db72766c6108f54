"""config.toml and the places that the environment names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.config import CameraSettings, Capture, Config, Model, config_path, load_config, memory_directory
from store.errors import UserError
from store.units import UNITS, read_quantity, say_bytes, say_quantity


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
    assert load_config(path) == Config(Capture(fps=5.0, jpeg_quality=80), model=Model("7b"))


def test_quantities_carry_their_units_and_cameras_their_names(tmp_path: Path):
    path = written(
        tmp_path,
        """
        [capture]
        fps = "2 fps"
        keyframe_every = "1m"
        [disk]
        reserve = "40 GiB"
        [cameras.glasses]
        uri = "rtsp://10.0.0.2/live"
        rotation = 90
        crop = [0, 0.1, 1, 1]
        [cameras."left eye"]
        uri = "usb:0"
        """,
    )
    config = load_config(path)
    assert (config.capture.fps, config.capture.keyframe_every_s, config.disk.reserve_bytes) == (2.0, 60.0, 40 * 2**30)
    assert config.cameras["glasses"] == CameraSettings("rtsp://10.0.0.2/live", 90, (0.0, 0.1, 1.0, 1.0))
    assert config.cameras["left eye"].uri == "usb:0"


@given(st.sampled_from(sorted(UNITS)), st.integers(1, 10**6))
def test_a_quantity_that_is_said_is_read_back(unit: str, count: int):
    for factor in UNITS[unit].values():
        value = count * factor
        assert read_quantity(say_quantity(value, unit), unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (2_345_678, "2.3 MB"), (5 * 10**12, "5.0 TB")]
)
def test_sizes_are_said_in_the_units_that_matter(count: int, said: str):
    assert say_bytes(count) == said


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[capture]\nfsp = 2\n", r"unknown key in \[capture\]: fsp", "fps"),
        ("[capture]\njpg_quality = 2\n", "jpg_quality", "jpeg_quality"),
        ("[modle]\n", "unknown section: modle", "model"),
        ('[capture]\nfps = "fast"\n', "line 2: fps = 'fast' is not understood", "1 fps"),
        ("[capture]\n\n# why\nkeyframe_every_s = 3\n", "line 4: unknown key", "keyframe_every"),
        ('[capture]\nkeyframe_every = "3 GiB"\n', "keyframe_every = '3 GiB'", "90s"),
        ('[sound]\nkeep = "yes"\n', "keep = 'yes' is of the wrong type", "false"),
        ('[disk]\nreserve = "1 KiB"\n', "reserve = '1 KiB' is out of range", "64 MiB"),
        ('[cameras.a]\nuri = "usb:0"\n[cameras.b]\nuri = "usb:1"\nrotation = 45\n', "line 5: rotation = 45", "90"),
        ('[cameras.a]\nuri = "usb:0"\ncrop = [0.5, 0, 0.5, 1]\n', "line 3: crop", "left < right"),
        ('[cameras.a]\nuri = "usb:0"\ncrop = [0, 0, 1]\n', "crop = .* wrong type", "0.0, 0.0, 1.0, 1.0"),
        ('[sound]\nsource = "mircophone"\n', "line 2: source = 'mircophone' is not understood", "microphone:NAME"),
        ('[cameras.a]\nuri = "usb:0"\nsound = "trumpet"\n', "line 3: sound = 'trumpet'", "microphone"),
        ("[cameras.a]\n", "line 1: the camera a has no uri", "usb:0"),
        ("cameras = 3\n", "cameras = 3 is not a section", r"\[cameras.NAME\]"),
        ("[capture]\njpeg_quality = true\n", "jpeg_quality = True", "90"),
        ("[capture]\njpeg_quality = 101\n", "line 2: jpeg_quality = 101 is out of range", "1 to 100"),
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
