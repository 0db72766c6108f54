"""WebVTT: words with their times, as players show them under a film.

This file does not know memories or films: it is given cues in the order of their beginnings, in seconds.
"""

from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

SHORTEST_MS = 1  # a cue must end after it begins
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\N{REPLACEMENT CHARACTER}"})


class Cue(NamedTuple):
    """One line of text between two times, in seconds since the film began."""

    started_s: float
    ended_s: float
    text: str


def write_subtitles(file: BinaryIO, note: str, cues: Iterable[Cue]) -> None:
    """A whole WebVTT file. What was said before the film began stands at its beginning."""
    file.write(f"WEBVTT\n\nNOTE\n{_one_line(note)}\n".encode())
    for cue in cues:
        started_ms = max(0, round(1000 * cue.started_s))
        ended_ms = max(started_ms + SHORTEST_MS, round(1000 * cue.ended_s))
        file.write(f"\n{_clock(started_ms)} --> {_clock(ended_ms)}\n{_one_line(cue.text)}\n".encode())


def _one_line(text: str) -> str:
    """Without line breaks, as an empty line would end the cue, and with nothing left that could be a tag or arrow."""
    return " ".join(text.split()).translate(ESCAPES)


def _clock(at_ms: int) -> str:
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"
