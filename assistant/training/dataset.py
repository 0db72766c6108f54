"""Training material: simulated days from their files, whole for the vision tower and light for the model.

An `Episode` has pictures and dense labels; a `Day` is what remains once a frozen tower has read the pictures: times,
narrations, which frames prove them, what is in view. This file does not know any model; see
device/simulated/episodes.py for the layout of the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import cv2
import numpy as np

from assistant.training.data_engine import Narration, Question
from assistant.training.events import Event, read_events
from assistant.training.grammar import GrammarWriter

LABELS = ("thing_cells", "colour_cells", "furniture_cells", "rooms", "held", "held_colours", "hands")
VOCABULARY = ("things", "colours", "furniture", "room_kinds")
OTHER_KINDS, OTHER_PLACES = 4, 3


@dataclass(frozen=True)
class Episode:
    """One day: n JPEGs, what is narrated, and dense labels by name, each (n, ...)."""

    name: str
    jpegs: tuple[np.ndarray, ...]
    times_s: np.ndarray
    narrations: tuple[Narration, ...]
    labels: dict[str, np.ndarray]
    vocabulary: dict[str, tuple[str, ...]]

    def pictures(self, frames: Sequence[int]) -> np.ndarray:
        """RGB uint8 (len(frames), P, P, 3)."""
        return np.stack([decode(self.jpegs[i]) for i in frames])


@dataclass(frozen=True)
class Day:
    """n frames, which are these `rows` (n,) of the features: their times, what is narrated, and what proves it.

    `proofs` are, for each narration, the frames that show it; `in_view` (n, things) and `held` (n,) say which things a
    frame shows at all, and which one in the hand (1 + its number, 0 for none).
    """

    name: str
    rows: np.ndarray
    times_s: np.ndarray
    narrations: tuple[Narration, ...]
    proofs: tuple[tuple[int, ...], ...]
    in_view: np.ndarray
    held: np.ndarray
    things: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.times_s)

    def window(self, start: int, end: int) -> "Day":
        """The frames start..end and the narrations that lie wholly within them."""
        return self.thinned(range(start, end))

    def thinned(self, frames: Sequence[int]) -> "Day":
        """Just these frames, in time order, and the narrations between the first and the last."""
        first_s, last_s = float(self.times_s[frames[0]]), float(self.times_s[frames[-1]])
        inside = [i for i, n in enumerate(self.narrations) if n.start_s >= first_s and n.end_s <= last_s]
        place, kept = {frame: i for i, frame in enumerate(frames)}, list(frames)
        return replace(
            self,
            rows=self.rows[kept],
            times_s=self.times_s[kept],
            narrations=tuple(self.narrations[i] for i in inside),
            proofs=tuple(tuple(place[frame] for frame in self.proofs[i] if frame in place) for i in inside),
            in_view=self.in_view[kept],
            held=self.held[kept],
        )

    def joined(self, later: "Day", gap_s: float) -> "Day":
        """This day and another one behind it, as one."""
        shift_s = float(self.times_s[-1] - later.times_s[0]) + gap_s
        moved = tuple(Narration(n.start_s + shift_s, n.end_s + shift_s, n.text) for n in later.narrations)
        return replace(
            self,
            rows=np.concatenate([self.rows, later.rows]),
            times_s=np.concatenate([self.times_s, later.times_s + np.float32(shift_s)]),
            narrations=self.narrations + moved,
            proofs=self.proofs + tuple(tuple(frame + len(self) for frame in proof) for proof in later.proofs),
            in_view=np.concatenate([self.in_view, later.in_view]),
            held=np.concatenate([self.held, later.held]),
        )

    def within(self, narration: Narration, slack_s: float = 0.0) -> list[int]:
        """The frames of a narration."""
        begins, ends = narration.start_s - slack_s, narration.end_s + slack_s
        return np.flatnonzero((self.times_s >= begins) & (self.times_s <= ends)).tolist()

    def questions(self, rng: Random) -> list[Question]:
        """What can be asked of the whole of it, in vain or not."""
        return self.writer(range(len(self)), rng).write(self.narrations, rng)

    def writer(self, frames: Sequence[int], rng: Random, began_s: float = 0.0) -> GrammarWriter:
        """A writer that knows what these frames show: it asks in vain mostly of things that other frames show.

        A thing in the hand in any of the frames was touched, whatever is narrated.
        """
        shown, held = self.in_view[frames].T, set(self.held[frames].tolist())
        here = {event.thing for event in self.events if event.thing in self.things}
        others = [kind for kind in self.things if kind not in here]
        asked = [*sorted(here), *rng.sample(others, min(OTHER_KINDS, len(others)))]
        untouched = [kind for kind in asked if self.things.index(kind) + 1 not in held]
        unseen = [kind for kind, seen in zip(self.things, shown, strict=True) if not seen.any()]
        return GrammarWriter(untouched, rng.sample(unseen, min(OTHER_KINDS, len(unseen))), self._places(rng), began_s)

    @property
    def events(self) -> list[Event]:
        return read_events(self.narrations)

    def _places(self, rng: Random) -> list[str]:
        """Surfaces to ask for in vain: those of this day, and rooms of the day with pieces from other rooms."""
        moves = [event for event in self.events if event.room]
        if not moves:
            return []
        mixed = [
            f"{rng.choice(moves).room} {(e := rng.choice(moves)).place.removeprefix(e.room).strip()}" for _ in "ab"
        ]
        return list(dict.fromkeys([*mixed, *(rng.choice(moves).place for _ in range(OTHER_PLACES))]))


def read_episode(path: Path) -> Episode:
    """One day from its file."""
    with np.load(path) as file:
        spans, texts = file["narration_times_s"], file["narrations"]
        return Episode(
            name=path.stem,
            jpegs=tuple(np.split(file["jpegs"], file["jpeg_ends"][:-1])),
            times_s=file["times_s"],
            narrations=tuple(Narration(float(a), float(b), str(t)) for (a, b), t in zip(spans, texts, strict=True)),
            labels={name: file[name] for name in LABELS},
            vocabulary={name: tuple(map(str, file[name])) for name in VOCABULARY},
        )


def day_of(episode: Episode, first_row: int) -> Day:
    """What the model's training needs of an episode."""
    kinds = len(episode.vocabulary["things"])
    cells = episode.labels["thing_cells"].reshape(len(episode.times_s), -1)
    in_view = (cells[:, :, None] == np.arange(1, kinds + 1)).any(axis=1)
    return Day(
        name=episode.name,
        rows=np.arange(first_row, first_row + len(episode.times_s)),
        times_s=episode.times_s,
        narrations=episode.narrations,
        proofs=tuple(tuple(proof_frames(episode, narration)) for narration in episode.narrations),
        in_view=in_view,
        held=episode.labels["held"].copy(),
        things=episode.vocabulary["things"],
    )


def proof_frames(episode: Episode, narration: Narration) -> list[int]:
    """The frames of a narration that prove it: of a thing moved, those that show it in the hand; else its middle."""
    times_s = episode.times_s
    within = np.flatnonzero((times_s >= narration.start_s) & (times_s <= narration.end_s))
    (event,) = read_events([narration])
    if event.verb not in ("put", "pick up"):
        return [int(i) for i in within if narration.start_s + 0.3 <= times_s[i] <= narration.end_s]
    held, cells = episode.labels["held"], episode.labels["thing_cells"]
    return [int(i) for i in within if held[i] and (cells[i] == held[i]).any()]


def decode(jpeg: np.ndarray) -> np.ndarray:
    """A stored JPEG -> RGB uint8 (P, P, 3)."""
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None, "a stored JPEG is whole"
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
