"""Every way in which the data engine asks, of simulated homes and of human films, as one list of questions."""

from functools import cache
from random import Random

from assistant.training.data_engine import Narration
from assistant.training.events import Event
from assistant.training.grammar import GrammarWriter
from assistant.training.phrasings import PHRASINGS, phrase
from device.simulated.home import THING_KINDS, make_home
from device.simulated.narrations import narrate, narrated
from device.simulated.wearer import Wearer

HOMES = 12
ACTS = (
    Event(0, "put", "watch", preposition="on", place="second shelf"),
    Event(1, "put", "lunch box", preposition="in", place="night stand"),
    Event(2, "pick up", "breakfast bars", preposition="from", place="Monday folder"),
    Event(3, "set", "timer", preposition="on", place="oven"),
    Event(4, "check", "time", preposition="on", place="wall"),
    Event(5, "open", "evening paper", preposition="over", place="dinner plate"),
    Event(6, "turn on", "sun lamp", preposition="beside", place="bed"),
    Event(7, "wash", "spring onions", preposition="in", place="sink"),
)


@cache
def taught_questions() -> tuple[str, ...]:
    """Different questions, in a fixed order."""
    films = [phrase(*way, act, Random(seed)) for way in PHRASINGS for act in ACTS for seed in range(6)]
    return tuple(dict.fromkeys([*films, *(text for seed in range(HOMES) for text in _about_home(seed))]))


def _about_home(seed: int) -> list[str]:
    home = make_home(seed)
    film = [Narration(act.start_s, act.end_s, narrate(home, act)) for act in narrated(Wearer(home, 240.0))]
    return [question.text for question in GrammarWriter(THING_KINDS, THING_KINDS).write(film, Random(seed))]
