"""Small real films in which every act has a colour of its own, and what EPIC-KITCHENS and Ego4D would tell of them."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np

from assistant.training.data_engine import Narration
from assistant.training.phrasings import clock
from device.decoder import Decoder

FPS, SIDE_PX, LENGTH_S, SLOT_S, ACT_S = 2, 64, 60, 10, 3
GREY = (110, 110, 110)
ACTS = {
    "wash plate": (220, 30, 30),
    "cut onion": (30, 200, 30),
    "open drawer": (40, 60, 230),
    "stir soup": (240, 220, 30),
    "peel carrot": (200, 40, 210),
    "wipe table": (30, 210, 220),
}


def plan(seed: int) -> list[Narration]:
    """Every act once, in an order of the seed's own, each somewhere in a slot of its own."""
    rng = Random(seed)
    begins = [slot * SLOT_S + rng.randint(0, SLOT_S - ACT_S) for slot in range(len(ACTS))]
    return [Narration(at_s, at_s + ACT_S, act) for at_s, act in zip(begins, rng.sample(list(ACTS), 6), strict=True)]


def shoot(path: Path, told: list[Narration]) -> Path:
    """The film of a plan."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, width=SIDE_PX, height=SIDE_PX, options={"g": "2"})
        video.pix_fmt = "yuv420p"
        for number in range(LENGTH_S * FPS):
            act = next((n.text for n in told if n.start_s <= number / FPS <= n.end_s), "")
            image = np.full((SIDE_PX, SIDE_PX, 3), ACTS.get(act, GREY), np.uint8)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode())
    return path


def write_csv(path: Path, films: dict[str, list[Narration]]) -> Path:
    """As EPIC-KITCHENS writes it."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video_id", "start_timestamp", "stop_timestamp", "narration"])
        for film, told in films.items():
            rows.writerows([film, f"{clock(n.start_s)}.00", f"{clock(n.end_s)}.00", n.text] for n in told)
    return path


def write_json(path: Path, films: dict[str, list[Narration]]) -> Path:
    """As Ego4D writes it: points in time, "#C C" and a full sentence."""

    def sentence(act: str) -> str:
        verb, thing = act.split()
        return f"#C C {verb}{'es' if verb.endswith('sh') else 's'} the {thing}"

    videos = {
        film: {
            "narration_pass_1": {
                "narrations": [
                    {"timestamp_sec": (n.start_s + n.end_s) / 2, "narration_text": sentence(n.text)} for n in told
                ]
            }
        }
        for film, told in films.items()
    }
    path.write_text(json.dumps({"videos": videos}))
    return path


def shoot_many(folder: Path, count: int) -> Path:
    """Films of both collections, some of each, with their narrations, as they lie side by side on a disk."""
    plans = {f"P01_{i:02d}" if i % 2 else f"uid-{i}": plan(i) for i in range(count)}
    for name, told in plans.items():
        shoot(folder / ("epic/P01" if name.startswith("P") else "ego4d/v2") / f"{name}.mp4", told)
    write_csv(folder / "epic" / "EPIC_100_train.csv", {n: t for n, t in plans.items() if n.startswith("P")})
    write_json(folder / "ego4d" / "narration.json", {n: t for n, t in plans.items() if n.startswith("u")})
    return folder


def pictures(film: Path) -> Iterator[tuple[float, np.ndarray]]:
    """A film decoded at a picture a second."""
    with closing(Decoder(str(film), str(film), 1.0)) as decoder:
        yield from decoder.pictures()
