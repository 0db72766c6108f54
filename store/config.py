"""config.toml as frozen dataclasses, and where the memory and the configuration lie on this machine.

An unknown key is an error that names the nearest known one: a misspelt setting must not be a silent default.
This file does not know what the settings do.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from store.errors import UserError


@dataclass(frozen=True, slots=True)
class Capture:
    """[capture]: how often the camera is looked at, and what is worth a keyframe."""

    fps: float = 1.0
    keyframe_every_s: float = 10.0
    novelty_threshold: float = 0.15
    jpeg_quality: int = 90


@dataclass(frozen=True, slots=True)
class Model:
    """[model]: the checkpoint that answers."""

    checkpoint: str = "nano"


@dataclass(frozen=True, slots=True)
class Config:
    """All of config.toml; whatever it leaves out has its default."""

    capture: Capture = field(default_factory=Capture)
    model: Model = field(default_factory=Model)


RANGES = {
    "fps": (0.01, 120.0),
    "keyframe_every_s": (0.01, 86_400.0),
    "novelty_threshold": (0.0, 2.0),
    "jpeg_quality": (1, 100),
}

Section = TypeVar("Section", Capture, Model)


def load_config(path: Path | None = None) -> Config:
    """Read `path`, or the person's own config.toml; an absent file is all defaults.

    UserError: the file cannot be read or is no TOML, a section or key is unknown, a value is of another type or out
    of range.
    """
    path = path if path is not None else config_path()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.", "Correct the file, or remove it to use defaults."
        ) from error
    _refuse_unknown(path, "section", document, fields(Config))
    return Config(capture=_section(path, "capture", document, Capture), model=_section(path, "model", document, Model))


def config_path() -> Path:
    """$XDG_CONFIG_HOME/whereabouts/config.toml."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "whereabouts" / "config.toml"


def memory_directory(explicit: Path | None = None) -> Path:
    """The memory asked for, else $WHEREABOUTS_HOME, else $XDG_DATA_HOME/whereabouts/memory."""
    if explicit is not None:
        return explicit.expanduser()
    if home := os.environ.get("WHEREABOUTS_HOME"):
        return Path(home).expanduser()
    return _xdg("XDG_DATA_HOME", ".local/share") / "whereabouts" / "memory"


def _xdg(variable: str, default: str) -> Path:
    """The XDG base directory rule: an unset or relative path counts as the default below the home directory."""
    chosen = Path(os.environ.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / default


def _section(path: Path, name: str, document: Mapping[str, Any], kind: type[Section]) -> Section:
    values = document.get(name, {})
    if not isinstance(values, dict):
        raise UserError(f"{path}: {name} = {values!r} is not a section.", f"Write [{name}] on a line of its own.")
    _refuse_unknown(path, f"key in [{name}]", values, fields(kind))
    defaults = kind()
    return kind(**{key: _checked(path, key, value, getattr(defaults, key)) for key, value in values.items()})


def _refuse_unknown(path: Path, what: str, given: Iterable[str], known_fields: Iterable[Any]) -> None:
    known = [known_field.name for known_field in known_fields]
    for key in given:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise UserError(f"{path}: unknown {what}: {key}.", f"Did you mean {nearest}?")


def _checked(path: Path, key: str, value: Any, default: object) -> Any:
    """The value in the type of its default, within its range."""
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        wanted = type(default).__name__
        raise UserError(f"{path}: {key} = {value!r} is of the wrong type.", f"Give a {wanted}, such as {default!r}.")
    if isinstance(value, int | float):
        lowest, highest = RANGES[key]
        if not lowest <= value <= highest:
            raise UserError(f"{path}: {key} = {value!r} is out of range.", f"Choose from {lowest} to {highest}.")
    return value
