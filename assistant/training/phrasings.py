"""How a person words acts and the questions about them: "took the milk from the fridge", "where did I put my hands?".

This file does not know which question can be answered.
"""

from random import Random

from assistant.training.english import is_plural, past, singular
from assistant.training.events import Event

# family and which of several acts is meant: the ways people ask it
PHRASINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("where_put", ""): ("where did I put {thing}?", "where did I leave {thing}?"),
    ("where_put", "first"): ("where did I first put {thing}?", "where did I put {thing} the first time?"),
    ("where_put", "last"): ("where did I last put {thing}?", "where did I put {thing} the last time?"),
    ("where_picked_up", ""): ("where did I take {thing} from?", "what did I take {thing} from?"),
    ("where_picked_up", "first"): ("where did I first take {thing} from?",),
    ("where_picked_up", "last"): ("where did I last take {thing} from?",),
    ("last_seen", "last"): ("where did I last see {thing}?", "where did I see {thing} last?"),
    ("what_on", ""): ("what did I {verb} {place}?",),
    ("what_on", "first"): ("what did I {verb} {place} first?", "what was the first thing I {done} {place}?"),
    ("what_on", "last"): ("what did I {verb} {place} last?", "what was the last thing I {done} {place}?"),
    ("what_did", ""): ("what did I {verb_alone}?",),
    ("what_did", "last"): ("what did I do with {thing} last?", "what was the last thing I did with {thing}?"),
    ("first_last", "first"): ("what did I {verb_alone} first?", "what was the first thing I {done_alone}?"),
    ("first_last", "last"): ("what did I {verb_alone} last?", "what was the last thing I {done_alone}?"),
    ("how_many", ""): ("how many times did I {act}?", "how often did I {act}?"),
    ("when", ""): ("when did I {act}?", "at what time did I {act}?"),
    ("when", "first"): ("when did I {act} for the first time?", "when did I first {act}?"),
    ("when", "last"): ("when did I {act} for the last time?", "when did I last {act}?"),
    ("ever", ""): ("did I ever {act}?", "did I {act}?"),
    ("did_i", ""): ("did I {act}?", "did I {act} in the end?"),
    ("after", ""): ("what did I do right after I {did}?", "what did I do next after I {did}?"),
    ("after", "first"): ("what did I do right after I {did} for the first time?",),
    ("after", "last"): ("what did I do right after I {did} for the last time?",),
    ("before", ""): ("what did I do right before I {did}?", "what did I do just before I {did}?"),
    ("before", "first"): ("what did I do right before I {did} for the first time?",),
    ("before", "last"): ("what did I do right before I {did} for the last time?",),
}  # fmt: skip
_MINE = ("hand", "finger", "thumb", "face", "hair", "mouth", "nose")
_PARTS = ("top", "bottom", "side", "half", "end", "rest", "front", "lid", "cap", "handle", "edge", "skin", "core")
_OPPOSITE = {"open": "close", "close": "open", "turn on": "turn off", "turn off": "turn on"}


def clock(at_s: float) -> str:
    """Seconds of a film as hours:minutes:seconds."""
    whole = int(at_s)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def phrase(family: str, which: str, event: Event, rng: Random) -> str:
    """One way of asking a family's question about this act."""
    return rng.choice(PHRASINGS[family, which]).format(
        thing=the(event.thing),
        place=where(event) if event.place else "",
        act=told(event),
        did=told(event, in_past=True),
        verb=worded(event.verb, placed=True),
        done=past(worded(event.verb, placed=True)),
        verb_alone=_alone(event.verb),
        done_alone=past(_alone(event.verb)),
    )


def _alone(verb: str) -> str:
    """The verb as people say it where neither thing nor place follows."""
    return "put down" if verb == "put" else verb


def the(name: str) -> str:
    """The name with its article: "the knife", "my hands", "the bag of rice", "the top of the bag"."""
    part, of, whole = name.partition(" of ")
    name = f"{part} of the {whole}" if of and singular(part) in _PARTS else name
    return f"my {name}" if singular(name.split()[-1]) in _MINE else f"the {name}"


def them(name: str) -> str:
    return "them" if is_plural(name) else "it"


def told(event: Event, in_past: bool = False, placed: bool = True, name: str = "") -> str:
    """The act in words, without "I": "put the knife in the drawer", "took the milk"; `name` in place of its thing."""
    placed = placed and bool(event.place)
    verb, _, particle = worded(event.verb, placed).partition(" ")
    verb = past(verb) if in_past else verb
    name = name or the(event.thing)
    words = [verb, name, particle] if name in ("it", "them") else [verb, particle, name]
    return " ".join(word for word in [*words, where(event) if placed else ""] if word)


def worded(verb: str, placed: bool) -> str:
    """The verb as people say it: a thing is taken, and put down where no place is named."""
    return {"pick up": "take", "put": "put" if placed else "put down"}.get(verb, verb)


def where(event: Event) -> str:
    """The place in words: "in the drawer"."""
    return f"{event.preposition} {the(event.place)}"


def opposite(verb: str) -> str:
    """What undoes opening, closing and switching; "" for any other verb."""
    return _OPPOSITE.get(verb, "")
