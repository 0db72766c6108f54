"""The ground truth of a simulated day, in the form in which head-camera datasets publish theirs.

One row an act: when it began and ended (seconds from the film's start), and a first-person sentence. The CSV has
EPIC-KITCHENS' columns, so one reader serves both. Recorder and model never see it.
"""

import csv
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from device.simulated.home import Home
from device.simulated.script import Act
from device.simulated.wearer import Wearer

COLUMNS = (
    "narration_id", "participant_id", "video_id", "narration_timestamp", "start_timestamp", "stop_timestamp",
    "narration", "verb", "noun", "video_complete",
)  # fmt: skip


def narrate(home: Home, act: Act) -> str:
    """What a person would say of this act: "I put the red wallet on the kitchen table with my left hand"."""
    if act.thing is None:
        said = f"I {act.verb} the {home.furniture[act.furniture].fixture}"
    else:
        preposition = "on" if act.verb == "put" else "from"
        said = f"I {act.verb} the {home.things[act.thing].name} {preposition} the {home.place_name(act.furniture)}"
    return f"{said} with my {act.hand} hand"


def write_narrations(wearer: Wearer, path: Path) -> None:
    """Write every act that ends within the day as a row."""
    home = wearer.home
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, act in enumerate(narrated(wearer)):
            noun = home.furniture[act.furniture].fixture if act.thing is None else home.things[act.thing].kind
            start, stop = _clock(act.start_s), _clock(act.end_s)
            row = (f"home{home.seed}_{number}", "simulated", f"home{home.seed}", start, start, stop)
            writer.writerow((*row, narrate(home, act), act.verb.replace(" ", "-"), noun, True))


def narrated(wearer: Wearer) -> Sequence[Act]:
    """The acts that were finished before the day ended."""
    return [act for act in wearer.acts if act.end_s < wearer.duration_s]


def _clock(seconds: float) -> str:
    """12.5 -> "00:00:12.500"."""
    milliseconds = round(seconds * 1000)
    whole = timedelta(seconds=milliseconds // 1000)
    return f"{str(whole):0>8}.{milliseconds % 1000:03d}"
