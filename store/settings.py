"""Settings: dataclass fields that know their unit, range and meaning, and TOML values read into them.

    keyframe_every_s: float = setting(10.0, "at least one keyframe in this time", unit="s", lowest=0.01, highest=86_400)

is `keyframe_every = "10s"` in a file. A mistake is told with file, line, key and what would be right: a misspelt
setting must not be a silent default. This file does not know which settings there are.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from store.errors import UserError
from store.units import EXAMPLES, read_quantity, say_quantity

Section = TypeVar("Section")
SAID = re.compile(r"""[\w"]+\s*=\s*("(\\.|[^"\\])*"|'[^']*')""")  # a key and a string on one line


def setting(
    default: Any,
    about: str,
    *,
    unit: str = "",
    lowest: float | None = None,
    highest: float | None = None,
    choices: Sequence[Any] = (),
    pattern: str = "",
) -> Any:
    """A dataclass field with what is said about it in documentation and errors."""
    metadata = {
        "about": about,
        "unit": unit,
        "lowest": lowest,
        "highest": highest,
        "choices": choices,
        "pattern": pattern,
    }
    return field(default=default, metadata=metadata)


def key_of(each: Field[Any]) -> str:
    """The key in a file: the unit stands in the value there."""
    unit = each.metadata["unit"]
    return each.name.removesuffix(f"_{unit}") if unit else each.name


def written(each: Field[Any], value: Any) -> str:
    """A value as it is written in a file."""
    if each.metadata["unit"]:
        return f'"{say_quantity(value, each.metadata["unit"])}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML escapes as JSON does
    return repr(list(value) if isinstance(value, tuple) else value)


def _reads(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file: its text, to find the line of a mistake in, and its values."""

    path: Path
    text: str
    values: Mapping[str, Any]

    def section(self, name: str, kind: type[Section], values: object) -> Section:
        """`values` of the table [name] as a `kind`; UserError for what is unknown, of another type or out of range."""
        if not isinstance(values, dict):
            raise self.mistake(
                name, "", f"{name} = {values!r} is not a section", f"Write [{name}] on a line of its own."
            )
        by_key = {key_of(each): each for each in fields(kind)}  # type: ignore[arg-type]
        self.refuse_unknown(name, values, by_key)
        return kind(**{by_key[key].name: self._checked(name, by_key[key], value) for key, value in values.items()})

    def refuse_unknown(self, section: str, given: Iterable[str], known: Iterable[str]) -> None:
        """UserError for the first key or, where `section` is "", section that is not known; names the nearest."""
        known = list(known)
        for key in given:
            if key not in known:
                nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                what = f"unknown key in [{section}]: {key}" if section else f"unknown section: {key}"
                raise self.mistake(section or key, key if section else "", what, f"Did you mean {nearest}?")

    def mistake(self, section: str, key: str, what: str, hint: str) -> UserError:
        """The error for a key, with the line it stands in."""
        line = self._line_of(section, key)
        return UserError(f"{self.path}{f', line {line}' if line else ''}: {what}.", hint)

    def replaced(self, section: str, key: str, value: str) -> str:
        """The text with one setting of [section] changed, or added; every other line of it stays as it is.

        UserError where it is written in a way that this cannot change.
        """
        said = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        lines = self.text.splitlines()
        if number := self._line_of(section, key):
            lines[number - 1] = SAID.sub(lambda _: said, lines[number - 1], count=1)
        elif number := self._line_of(section, ""):
            lines.insert(number, said)
        else:
            lines += [*([""] if lines else []), f"[{section}]", said]
        text = "\n".join([*lines, ""])
        wanted = {**self.values, section: {**self.values.get(section, {}), key: value}}
        if not _reads(text, wanted):
            raise self.mistake(section, key, f"{key} is written in a way that cannot be changed here", f"Write: {said}")
        return text

    def _checked(self, section: str, each: Field[Any], value: Any) -> Any:
        """The value in the type of its default, in the field's own unit, within its range."""
        told, default = each.metadata, each.default
        key, given = key_of(each), value
        if told["unit"] and isinstance(value, str):
            try:
                value = read_quantity(value, told["unit"])
            except UserError as error:
                raise self.mistake(section, key, f"{key} = {given!r} is not understood", error.hint) from error
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, int) and type(value) is float and value.is_integer():
            value = int(value)
        if isinstance(default, tuple) and isinstance(value, list) and len(value) == len(default):
            value = tuple(float(part) if isinstance(part, int) else part for part in value)
        if type(value) is not type(default):
            what, example = (
                f"{key} = {given!r} is of the wrong type",
                EXAMPLES.get(told["unit"], written(each, default)),
            )
            raise self.mistake(section, key, what, f"Write it like {example}.")
        self._check_range(section, each, given, value)
        return value

    def _check_range(self, section: str, each: Field[Any], given: object, value: Any) -> None:
        told, key = each.metadata, key_of(each)
        if told["choices"] and value not in told["choices"]:
            listed = ", ".join(written(each, choice) for choice in told["choices"])
            raise self.mistake(section, key, f"{key} = {given!r} is none of the choices", f"Choose from {listed}.")
        if told["pattern"] and not re.fullmatch(told["pattern"], value):
            raise self.mistake(section, key, f"{key} = {given!r} is not understood", f"It is {told['about']}.")
        if told["lowest"] is None:
            return
        parts = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(part, int | float) and told["lowest"] <= part <= told["highest"] for part in parts):
            lowest, highest = (written(each, told[bound]) for bound in ("lowest", "highest"))
            what = f"{key} = {given!r} is out of range"
            raise self.mistake(section, key, what, f"Choose from {lowest} to {highest}.")

    def _line_of(self, section: str, key: str) -> int | None:
        """Where a key, or a section, stands; None where it cannot be told (inline tables)."""
        within = not section
        wanted = re.compile(rf'\s*"?{re.escape(key or section)}"?\s*=')
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.fullmatch(r"\s*\[([^\[\]]+)\]\s*(#.*)?", line)
            if header:
                within = header[1].replace('"', "").replace(" ", "") == section
                if within and not key:
                    return number
            elif (within or not key) and wanted.match(line):
                return number
        return None
