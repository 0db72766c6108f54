"""The data engine: timed narrations in, questions with answers and supporting narrations out (MM-Ego, section 2.1).

Reads narrations in EPIC-KITCHENS' CSV form and writes question-answer pairs from the sentences alone by a small
grammar; no picture and no model is looked at. Every question lists the narrations that support its answer; their
times become the key-frame labels. Unanswerable questions ask of things that no narration mentions.

This file does not know who narrated (a person or the simulated home), nor what a frame or a token is.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from store.errors import UserError

NOT_SEEN = "I did not see that."

_MOVED = re.compile(r"I (?P<verb>put|pick up) the (?P<colour>\w+) (?P<thing>.+?) (?:on|from) the (?P<place>.+)")
_SWITCHED = re.compile(r"I (?P<verb>open|close|turn on|turn off) the (?P<fixture>.+)")
_ROOMS = ("kitchen", "bedroom", "living room", "bathroom", "office", "hallway", "dining room")
_UNSET = {"open": "close", "turn on": "turn off"}

# family: the ways people ask it; {} is the thing, the place, or the verb and fixture asked about
PHRASINGS: dict[str, tuple[str, ...]] = {
    "where_put": (
        "where did I put the {}?", "where did I put my {}?", "where is my {}?", "where is the {}?",
        "where did I leave my {}?",
    ),
    "where_picked_up": (
        "where did I pick up the {}?", "where did I pick up my {}?", "where did I pick the {} up?",
        "where was the {} when I picked it up?",
    ),
    "room": ("which room did I put the {} in?", "which room is my {} in?", "what room is the {} in?"),
    "colour": ("what colour is the {}?", "what colour is my {}?", "what color is the {}?"),
    "what_on": ("what did I put on the {}?", "what is on the {}?", "what did I leave on the {}?"),
    "after": ("what did I put down after the {}?", "what did I put down after my {}?"),
    "did_i": ("did I {}?",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Narration:
    """A sentence about what the wearer did between two seconds of a film."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one film; `support` are the indices of the narrations its answer rests on (none: not seen)."""

    family: str
    text: str
    answer: str
    support: tuple[int, ...]

    @property
    def answerable(self) -> bool:
        return bool(self.support)


@dataclass(frozen=True, slots=True)
class _Move:
    """A put or pick-up read from a narration: who goes where."""

    index: int
    verb: str
    colour: str
    thing: str
    room: str
    place: str


def read_narrations(path: Path) -> dict[str, list[Narration]]:
    """video_id -> its narrations in time order, from a CSV with EPIC-KITCHENS' columns."""
    films: dict[str, list[Narration]] = {}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        needed = {"video_id", "start_timestamp", "stop_timestamp", "narration"}
        if missing := needed - set(reader.fieldnames or ()):
            raise UserError(
                f"{path} lacks the column {sorted(missing)[0]!r}.", "Give a CSV with EPIC-KITCHENS' columns."
            )
        for row in reader:
            narration = Narration(_seconds(row["start_timestamp"]), _seconds(row["stop_timestamp"]), row["narration"])
            films.setdefault(row["video_id"], []).append(narration)
    return {film: sorted(rows, key=lambda n: (n.start_s, n.end_s)) for film, rows in films.items()}


def write_questions(narrations: Sequence[Narration], kinds: Iterable[str], rng: Random) -> list[Question]:
    """All questions the grammar can ask of one film; `kinds` are things that homes can hold, for the unanswerable.

    The order is random; about a quarter cannot be answered from the film.
    """
    moves, switches = _read_moves(narrations), _read_switches(narrations)
    asked = [
        *_about_things(moves, rng),
        *_about_surfaces(moves, rng),
        *_about_order(moves, rng),
        *_about_fixtures(switches, rng),
    ]
    absent = sorted(set(kinds) - {move.thing for move in moves})
    asked += _about_absent(absent, moves, switches, count=max(2, len(asked) // 4), rng=rng)
    rng.shuffle(asked)
    return asked


def key_frames(question: Question, narrations: Sequence[Narration], frame_times_s: Sequence[float]) -> list[int]:
    """Indices of the frames that lie within a supporting narration."""
    spans = [(narrations[i].start_s, narrations[i].end_s) for i in question.support]
    return [i for i, at_s in enumerate(frame_times_s) if any(start <= at_s <= end for start, end in spans)]


PLURAL = ("keys", "glasses", "headphones", "scissors")
ABOUT_A_THING = ("where_put", "where_picked_up", "room", "colour", "after")


def phrase(family: str, about: str, rng: Random) -> str:
    """One way of asking a family's question."""
    text = rng.choice(PHRASINGS[family]).format(about)
    if about in PLURAL:
        text = text.replace(" is ", " are ").replace(" was ", " were ").replace(" it ", " them ")
    return text


def _about_things(moves: Sequence[_Move], rng: Random) -> list[Question]:
    """Where put (the last time), where picked up (if only once), which room, what colour."""
    questions = []
    for thing in dict.fromkeys(move.thing for move in moves):
        own = [move for move in moves if move.thing == thing]
        puts, picks = [m for m in own if m.verb == "put"], [m for m in own if m.verb == "pick up"]
        if puts:
            last = puts[-1]
            questions.append(
                Question("where_put", phrase("where_put", thing, rng), f"on the {last.place}.", (last.index,))
            )
            questions.append(Question("room", phrase("room", thing, rng), f"the {last.room}.", (last.index,)))
        if len(picks) == 1:
            only = picks[0]
            questions.append(
                Question(
                    "where_picked_up", phrase("where_picked_up", thing, rng), f"on the {only.place}.", (only.index,)
                )
            )
        support = tuple(move.index for move in own)
        questions.append(Question("colour", phrase("colour", thing, rng), f"{own[0].colour}.", support))
    return questions


def _about_surfaces(moves: Sequence[_Move], rng: Random) -> list[Question]:
    """What was put on a surface, where that was one thing."""
    questions = []
    puts = [move for move in moves if move.verb == "put"]
    for place in dict.fromkeys(move.place for move in puts):
        own = [move for move in puts if move.place == place]
        if len({move.thing for move in own}) == 1:
            answer = f"the {own[-1].colour} {own[-1].thing}."
            questions.append(Question("what_on", phrase("what_on", place, rng), answer, tuple(m.index for m in own)))
    return questions


def _about_order(moves: Sequence[_Move], rng: Random) -> list[Question]:
    """What was put down next after a thing, where that thing was put down once and something followed."""
    questions = []
    puts = [move for move in moves if move.verb == "put"]
    for first, following in zip(puts, puts[1:], strict=False):
        if sum(move.thing == first.thing for move in puts) == 1 and first.thing != following.thing:
            answer = f"the {following.colour} {following.thing}."
            questions.append(
                Question("after", phrase("after", first.thing, rng), answer, (first.index, following.index))
            )
    return questions


def _about_fixtures(switches: Sequence[tuple[int, str, str]], rng: Random) -> list[Question]:
    """Did I close the fridge: yes if the last thing done to it was to close it, no if it was left open."""
    questions = []
    for fixture in dict.fromkeys(fixture for _, _, fixture in switches):
        own = [(index, verb) for index, verb, name in switches if name == fixture]
        set_verb = next((verb for _, verb in own if verb in _UNSET), None)
        if set_verb:
            index, last = own[-1]
            answer = "yes." if last == _UNSET[set_verb] else "no."
            questions.append(
                Question("did_i", phrase("did_i", f"{_UNSET[set_verb]} the {fixture}", rng), answer, (index,))
            )
    return questions


def _about_absent(
    absent: Sequence[str], moves: Sequence[_Move], switches: Sequence[tuple[int, str, str]], count: int, rng: Random
) -> list[Question]:
    """Questions of every family whose right answer is that it was not seen."""
    asked: list[Question] = []
    for thing in rng.sample(absent, min(count, len(absent))):
        family = rng.choice(ABOUT_A_THING)
        asked.append(Question(family, phrase(family, thing, rng), NOT_SEEN, ()))
    used = {move.place for move in moves}
    rooms = sorted({move.room for move in moves})
    pieces = sorted({move.place.removeprefix(move.room).strip() for move in moves})
    if rooms and pieces:
        for _ in range(2):
            place = f"{rng.choice(rooms)} {rng.choice(pieces)}"
            if place not in used:
                asked.append(Question("what_on", phrase("what_on", place, rng), NOT_SEEN, ()))
    touched = {fixture for _, _, fixture in switches}
    for verb, fixture in (
        ("close", "fridge"),
        ("close", "drawer"),
        ("turn off", "tap"),
        ("turn off", "stove"),
        ("turn off", "lamp"),
    ):
        if fixture not in touched and rng.random() < 0.4:
            asked.append(Question("did_i", phrase("did_i", f"{verb} the {fixture}", rng), NOT_SEEN, ()))
    return asked


def _read_moves(narrations: Sequence[Narration]) -> list[_Move]:
    moves = []
    for index, narration in enumerate(narrations):
        if found := _MOVED.fullmatch(narration.text):
            place = found["place"]
            room = next((room for room in _ROOMS if place.startswith(room)), "")
            moves.append(_Move(index, found["verb"], found["colour"], found["thing"], room, place))
    return moves


def _read_switches(narrations: Sequence[Narration]) -> list[tuple[int, str, str]]:
    found = ((index, _SWITCHED.fullmatch(narration.text)) for index, narration in enumerate(narrations))
    return [(index, match["verb"], match["fixture"]) for index, match in found if match]


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
