"""config.toml as frozen dataclasses, and where the memory and the configuration lie on this machine.

What each key means stands beside it here, and nowhere else. This file does not know what the settings do.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from store.disk import make_private_directory, replace_file, writing
from store.errors import UserError
from store.settings import Document, key_of, setting, written

GIB = 2**30
SOUND_SOURCES = "camera|microphone(:.+)?|off"
LEAST_CROP = 0.01
PRECISIONS = ("auto", "bf16", "int8", "nf4")


@dataclass(frozen=True, slots=True)
class Capture:
    """[capture]: how often the camera is looked at, and what is worth a keyframe."""

    fps: float = setting(1.0, "pictures looked at a second", unit="fps", lowest=0.01, highest=120.0)
    keyframe_every_s: float = setting(
        10.0, "a keyframe is kept at least so often", unit="s", lowest=0.01, highest=86_400.0
    )
    novelty_threshold: float = setting(
        0.15, "how much a picture must differ from the last one kept, in its contrast", lowest=0.0, highest=2.0
    )
    jpeg_quality: int = setting(90, "of the pictures that are kept", lowest=1, highest=100)


@dataclass(frozen=True, slots=True)
class Sound:
    """[sound]: what is heard, and whether the sound itself is kept."""

    source: str = setting(
        "camera", 'the "camera"\'s own sound, "microphone", "microphone:NAME" or "off"', pattern=SOUND_SOURCES
    )
    keep: bool = setting(False, "keep the sound after its words have been written down")
    bitrate_kbps: float = setting(24.0, "of the Opus files", unit="kbps", lowest=6.0, highest=256.0)


@dataclass(frozen=True, slots=True)
class Words:
    """[words]: what is written down of speech and of text in the scene."""

    speech: bool = setting(True, "write down what is said")
    whisper: str = setting("", "folder of a faster-whisper checkpoint; without one, pocketsphinx, which is rough")
    scene_text: bool = setting(True, "write down what is to be read in keyframes")


@dataclass(frozen=True, slots=True)
class Index:
    """[index]: what becomes of keyframes once a model has seen them."""

    reduce: bool = setting(True, "keep only a small picture of keyframes in which nothing happens")


@dataclass(frozen=True, slots=True)
class Disk:
    """[disk]: how much room recording leaves."""

    reserve_bytes: int = setting(
        2 * GIB, "recording stands still below it", unit="bytes", lowest=64 * 2**20, highest=2**50
    )
    warn_bytes: int = setting(10 * GIB, "status warns below it", unit="bytes", lowest=64 * 2**20, highest=2**50)


@dataclass(frozen=True, slots=True)
class Retention:
    """[retention]: how long what was recorded is kept, and how much room it may take; pins and answers keep theirs."""

    keep_s: float = setting(
        0.0,
        "older days go as a whole: pictures, sounds and words alike; 0s keeps them for ever",
        unit="s",
        lowest=0.0,
        highest=36_525 * 86_400.0,
    )
    budget_bytes: int = setting(
        0,
        "beyond it old days lose pictures, then sounds, but never words; 0 is all of the disk",
        unit="bytes",
        lowest=0,
        highest=2**60,
    )


@dataclass(frozen=True, slots=True)
class Model:
    """[model]: the checkpoint that answers."""

    checkpoint: str = setting("nano", "its name, owner/name of one of the hub, or the path of its folder")
    precision: str = setting(
        "auto",
        'of its language model: "bf16", "int8", "nf4", or the best that fits into free memory',
        choices=PRECISIONS,
    )
    adapter: str = setting("", "file of a pointer trained for it, as `whereabouts train pointer` writes them")
    answerer: str = setting("", "a model that words the answers instead, a folder or a hub id that was fetched")


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """[cameras.NAME]: a camera that can be recorded by its name, and how it is worn."""

    uri: str = setting("", "where it is, as for `whereabouts record`")
    rotation: int = setting(0, "degrees clockwise that turn its picture upright", choices=(0, 90, 180, 270))
    crop: tuple[float, float, float, float] = setting(
        (0.0, 0.0, 1.0, 1.0),
        "left, top, right, bottom of the part of the upright picture",
        lowest=0.0,
        highest=1.0,
    )
    sound: str = setting(
        "",
        'in place of [sound] source: "camera", "microphone", "microphone:NAME" or "off"',
        pattern=f"|{SOUND_SOURCES}",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All of config.toml; whatever it leaves out has its default."""

    capture: Capture = field(default_factory=Capture)
    sound: Sound = field(default_factory=Sound)
    words: Words = field(default_factory=Words)
    index: Index = field(default_factory=Index)
    disk: Disk = field(default_factory=Disk)
    retention: Retention = field(default_factory=Retention)
    model: Model = field(default_factory=Model)
    cameras: Mapping[str, CameraSettings] = field(default_factory=dict)


def load_config(path: Path | None = None) -> Config:
    """Read `path`, or the person's own config.toml; an absent file is all defaults.

    UserError: the file cannot be read or is no TOML, a section or key is unknown, a value is of another type or out
    of range.
    """
    document = _read(path if path is not None else config_path())
    values = dict(document.values)
    cameras = _cameras(document, values.pop("cameras", {}))
    sections: dict[str, Any] = {each.name: each.default_factory for each in fields(Config) if each.name != "cameras"}
    document.refuse_unknown("", values, [*sections, "cameras"])
    read: dict[str, Any] = {name: document.section(name, sections[name], part) for name, part in values.items()}
    return Config(**read, cameras=cameras)


def write_setting(section: str, key: str, value: str) -> Path:
    """Change one setting in the person's own config.toml, whose other lines stay; hands back its path.

    UserError: the file is not right as it is, or writes this setting in an unusual way. DiskFull: it cannot be written.
    """
    path = config_path()
    load_config(path)
    text = _read(path).replaced(section, key, value)
    with writing(path):
        make_private_directory(path.parent)
        newline = "\r\n" if path.exists() and b"\r\n" in path.read_bytes() else "\n"
        replace_file(path.resolve(), text.replace("\n", newline).encode())
    return path


def _read(path: Path) -> Document:
    """An absent file says nothing."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return Document(path, text, tomllib.loads(text))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.", "Correct the file, or remove it to use defaults."
        ) from error


def documented(config: Config) -> str:
    """Every setting as a config.toml would say it, with what it means."""
    lines: list[str] = []
    for name, section in [(each.name, getattr(config, each.name)) for each in fields(Config) if each.name != "cameras"]:
        lines += [f"[{name}]", *(_documented_line(each, getattr(section, each.name)) for each in fields(section)), ""]
    for name, camera in config.cameras.items() or [("NAME", CameraSettings())]:
        lines.append(f"[cameras.{json.dumps(name, ensure_ascii=False)}]" if config.cameras else "# [cameras.NAME]")
        comment = "" if config.cameras else "# "
        lines += [comment + _documented_line(each, getattr(camera, each.name)) for each in fields(camera)]
        lines.append("")
    return "\n".join(lines)


def _documented_line(each: Field[Any], value: object) -> str:
    return f"{f'{key_of(each)} = {written(each, value)}':<32} # {each.metadata['about']}"


def _cameras(document: Document, tables: object) -> dict[str, CameraSettings]:
    if not isinstance(tables, dict):
        what = f"cameras = {tables!r} is not a section"
        raise document.mistake("cameras", "", what, "Write [cameras.NAME] on a line of its own.")
    cameras = {name: document.section(f"cameras.{name}", CameraSettings, part) for name, part in tables.items()}
    for name, camera in cameras.items():
        if not camera.uri:
            hint = 'Write where it is, such as uri = "usb:0".'
            raise document.mistake(f"cameras.{name}", "", f"the camera {name} has no uri", hint)
        left, top, right, bottom = camera.crop
        if min(right - left, bottom - top) < LEAST_CROP:
            what, hint = f"crop = {list(camera.crop)} leaves nothing", "Give left < right and top < bottom."
            raise document.mistake(f"cameras.{name}", "crop", what, hint)
    return cameras


def config_path() -> Path:
    """$XDG_CONFIG_HOME/whereabouts/config.toml."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "whereabouts" / "config.toml"


def memory_directory(explicit: Path | None = None) -> Path:
    """The memory asked for, else $WHEREABOUTS_HOME, else $XDG_DATA_HOME/whereabouts/memory."""
    if explicit is not None:
        return explicit.expanduser()
    if home := os.environ.get("WHEREABOUTS_HOME"):
        return Path(home).expanduser()
    return data_directory() / "memory"


def data_directory() -> Path:
    """$XDG_DATA_HOME/whereabouts."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "whereabouts"


def _xdg(variable: str, default: str) -> Path:
    """The XDG base directory rule: an unset or relative path counts as the default below the home directory."""
    chosen = Path(os.environ.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / default
