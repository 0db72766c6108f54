"""What a narration says, as an event: who was moved, opened or switched, where, with which hand.

Reads the sentences that the simulated home narrates. This file does not know questions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from assistant.training.data_engine import Narration

ROOMS = ("kitchen", "bedroom", "living room", "bathroom", "office", "hallway", "dining room")
UNSET = {"open": "close", "turn on": "turn off"}

_HAND = r"(?: with my (?P<hand>left|right) hand)?"
_MOVED = re.compile(
    r"I (?P<verb>put|pick up) the (?P<colour>\w+) (?P<thing>.+?) (?P<preposition>on|from) the (?P<place>.+?)" + _HAND
)
_SWITCHED = re.compile(r"I (?P<verb>open|close|turn on|turn off) the (?P<thing>.+?)" + _HAND)


@dataclass(frozen=True, slots=True)
class Event:
    """One act of the wearer. What its narration does not tell is an empty string.

    `verb` is "put", "pick up", "open", "close", "turn on", "turn off", or any other verb in its plain form; `place`
    goes with its `preposition` ("on", "kitchen table"); `index` is the narration's.
    """

    index: int
    verb: str
    thing: str
    colour: str = ""
    preposition: str = ""
    place: str = ""
    hand: str = ""

    @property
    def room(self) -> str:
        return next((room for room in ROOMS if self.place.startswith(room)), "")

    @property
    def name(self) -> str:
        """The thing as a person names it: "red wallet"."""
        return f"{self.colour} {self.thing}".strip()


def read_events(narrations: Sequence[Narration]) -> list[Event]:
    """The events of one film in time order; sentences that say none are left out."""
    said = ((index, _parse(narration.text)) for index, narration in enumerate(narrations))
    return [Event(index, **parts) for index, parts in said if parts]


@cache
def _parse(sentence: str) -> dict[str, str]:
    found = _MOVED.fullmatch(sentence) or _SWITCHED.fullmatch(sentence)
    return {name: value or "" for name, value in found.groupdict().items()} if found else {}
