"""Quantities as people write and read them: "1 fps", "10s", "40 GiB". This file does not know what is measured."""

import re
from collections.abc import Mapping

from store.errors import UserError

UNITS: Mapping[str, Mapping[str, float]] = {
    "fps": {"fps": 1},
    "kbps": {"kbps": 1},
    "s": {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800},
    "bytes": {
        **{"B": 1, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40},
        **{"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    },
}
EXAMPLES = {"fps": "1 fps", "kbps": "24 kbps", "s": "90s, 30m, 2h or 1d", "bytes": "40 GiB"}
QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)\s*")


def read_quantity(text: str, unit: str) -> float:
    """A number and a unit of the kind of `unit`, in `unit`s; UserError says what would be understood."""
    match = QUANTITY.fullmatch(text)
    known = {name.casefold(): factor for name, factor in UNITS[unit].items()}
    if match is None or match[2].casefold() not in known:
        raise UserError(f"{text!r} is not understood.", f"Write, for example, {EXAMPLES[unit]}.")
    return float(match[1]) * known[match[2].casefold()]


def say_quantity(value: float, unit: str) -> str:
    """The shortest exact way to write it: 86400 s is "1d"."""
    exact = [(name, value / factor) for name, factor in UNITS[unit].items() if value / factor >= 1]
    whole = [(name, count) for name, count in exact if count == int(count)]
    name, count = min(whole or [(unit, value)], key=lambda pair: pair[1])
    return f"{count:.15g}{'' if unit == 's' else ' '}{name}"


def say_bytes(count: float) -> str:
    """2_345_678 -> "2.3 MB"."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
