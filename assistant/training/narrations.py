"""Files of timed narrations: EPIC-KITCHENS' CSV and Ego4D's JSON, read into narrations by film.

In the CSV a narration has a span. In the JSON it is a point in time; its span reaches half-way to its neighbours, at
most two seconds either way. Sentences stay as they were written, but for Ego4D's mark of doubt, "#unsure".

This file does not know what a sentence says.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.training.data_engine import Narration
from store.errors import UserError

COLUMNS = ("video_id", "start_timestamp", "stop_timestamp", "narration")
PASSES = ("narration_pass_1", "narration_pass_2")
REACH_S = 2.0

LATEST_S = 100 * 3600.0  # in a film: what is told of later is a mistake, and would be cut into windows for ever

_CLOCK = re.compile(r"(\d\d?):([0-5]?\d):([0-5]?\d(?:\.\d+)?)")


def read_narrations(path: Path) -> dict[str, list[Narration]]:
    """Film -> its narrations in time order, from a .csv or a .json; UserError says what is wrong with the file."""
    read = {".csv": _read_csv, ".json": _read_json}.get(path.suffix.lower())
    if read is None:
        raise UserError(f"{path} is neither a .csv nor a .json.", "Give EPIC-KITCHENS' CSV or Ego4D's narration JSON.")
    try:
        films = read(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except csv.Error as error:
        raise UserError(f"{path} is no CSV: {error}.", "Fetch the file again.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    return {film: sorted(told, key=lambda n: (n.start_s, n.end_s)) for film, told in films.items() if told}


def _read_csv(path: Path) -> dict[str, list[Narration]]:
    films: dict[str, list[Narration]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, restval="")
        if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
            raise UserError(f"{path} lacks the column {missing[0]!r}.", "Give a CSV with EPIC-KITCHENS' columns.")
        for number, row in enumerate(rows, start=1):
            start_s, end_s = (_seconds(row[column], path, number) for column in COLUMNS[1:3])
            if end_s < start_s:
                raise UserError(f"{path}, row {number}: the narration ends before it starts.", "Correct the row.")
            films.setdefault(row["video_id"], []).append(Narration(start_s, end_s, row["narration"].strip()))
    return films


def _seconds(clock: str, path: Path, row: int) -> float:
    if not (found := _CLOCK.fullmatch(clock.strip())):
        hint = "Write times as hours:minutes:seconds, below 100 hours."
        raise UserError(f"{path}, row {row}: {clock!r} is not a time.", hint)
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _read_json(path: Path) -> dict[str, list[Narration]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        videos = content.get("videos", content)
        return {film: _spans([_moment(told, path) for told in _fullest_pass(video)]) for film, video in videos.items()}
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: this is not JSON.", "Fetch the file again.") from error
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{path} is not laid out as Ego4D's narrations are.", "Give Ego4D's narration JSON.") from error


def _fullest_pass(video: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The narrations of the annotator who wrote more: both tell of the same acts."""
    return max((video.get(name, {}).get("narrations", []) for name in PASSES), key=len)


def _moment(told: Mapping[str, Any], path: Path) -> tuple[float, str]:
    text = re.sub(r"#unsure\b", " ", told["narration_text"], flags=re.IGNORECASE)
    at_s = float(told["timestamp_sec"])
    if not abs(at_s) < LATEST_S:
        raise UserError(f"{path}: {told['timestamp_sec']!r} is no time in a film.", "Give seconds, below 100 hours.")
    return at_s, " ".join(text.split())


def _spans(moments: Sequence[tuple[float, str]]) -> list[Narration]:
    """Spans around moments: half-way to each neighbour, but no farther than REACH_S."""
    ordered = sorted(moments)
    times_s = [at_s for at_s, _ in ordered]
    before_s = [2 * REACH_S, *(b - a for a, b in zip(times_s, times_s[1:], strict=False))]
    after_s = [*before_s[1:], 2 * REACH_S]
    return [
        Narration(max(0.0, at_s - min(REACH_S, before / 2)), at_s + min(REACH_S, after / 2), text)
        for (at_s, text), before, after in zip(ordered, before_s, after_s, strict=True)
    ]
