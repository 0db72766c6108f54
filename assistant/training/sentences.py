"""What a human narration says, as events: "put down knife", "#C C puts the cup on the table with his left hand".

The readers of both styles are one small grammar: a verb, a particle, one or more things, at most one place. A sentence
that it cannot read surely says nothing here, but its index is kept, because it may be about anything: an act that goes
on ("still washing the plate"), one with two places, one by somebody else, one about "it" or "something".

This file does not know questions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from assistant.training.data_engine import Narration
from assistant.training.english import listed, plain_form
from assistant.training.events import Event

VERBS = listed(
    "add adjust apply arrange attach beat bend blow boil break bring brush carry change check chop clean clear clip "
    "close collect cook cover crack crush cut damp debone detach dice dip discard distribute divide drain drink "
    "drizzle drop dry dust eat empty extract fill flatten flip fold fry gather get grab grate grill grind halve hang "
    "heat hit hold insert inspect knead ladle lather lay lick lift light load lock lower mash measure melt mince "
    "mix mop move open pack pat peel pick place plug poke pour press pull push put read rearrange refill remove "
    "replace return rinse rip roll rotate rub scoop scour scrape screw scrub seal season separate serve set shake "
    "sharpen shred sieve skin slice slide smash smell soak soap sort spill split spoon spray spread sprinkle squash "
    "squeeze squirt stab stack stir stir-fry store strain stretch submerge sweep switch take tap taste tear test throw "
    "tie tip toss touch transfer trim turn twist unfold unlock unpack unplug unroll unscrew unwrap wash wear weigh wet "
    "whisk wipe wrap wring"
)
# Verbs that name things just as often, so that after "and" they are taken for things.
_ALSO_THINGS = listed(
    "beat boil brush can clip cover dice drink fry grill heat ladle light mash mop peel plug press roll salt seal "
    "skin slice soap spoon spray spread squash stack tap wrap"
)
_FILLERS = listed(
    "the a an my his her their its some another one both all again slightly carefully properly more still down"
)
_VAGUE = listed(
    "it them this that these those something anything thing things stuff content contents item items object objects "
    "other others everything nothing and or to as so then while until up out off away around over back for from with "
    "into in on onto at is are be being not no don't try used use using look more less few lots wearer together apart "
    "action towards amount outside past himself herself"
)
_PARTS = listed(
    "piece pieces bit bits half halves top tops bottom side sides front end ends part parts rest cutting chopping"
)
_SPELLED = (
    (r"\b(washing|drying) up\b(?= (?:\w+ )?(?:liquid|bowl|rack|gloves?|brush|sponge|powder|cloth|soap))", r"\1-up"),
    (r"\bdrying-up rack\b", "drying rack"), (r"\b(down|the|up) \1\b", r"\1"),
    (r"^stir fry\b", "stir-fry"),
    (r"\bon(?:to)? (?:the )?top of\b", "on"), (r"\b(?:out|off) of\b", "from"), (r"\bin to\b", "into"),
    (r"\bon to\b", "onto"), (r"\bnext to\b", "beside"), (r"\binside(?: of)?\b", "in"), (r"\bunderneath\b", "under"),
    (r"\bback (?=in|on|into|onto|from|under|beside)\b", ""), (r"[,;&]| and then | then ", " and "),
    (r"\band(?: +and\b)+", "and"), (r"\band *$", ""),
)  # fmt: skip
_PREPOSITIONS = {"in": "in", "into": "into", "on": "on", "onto": "onto", "from": "from", "off": "from", "to": "to",
                 "under": "under", "over": "over", "beside": "beside", "behind": "behind"}  # fmt: skip
_PARTICLES = ("up", "down", "out", "away", "off", "on", "over", "back")
_SWITCHED = listed("tap taps faucet light lights gas flame hob stove cooker heat water lamp")
_TAKEN = ("take", "get", "grab", "pick")
_SHAPED = ("cut", "chop", "slice", "dice", "break", "tear", "divide", "split", "fold", "roll", "shred", "halve")
_HAND = re.compile(r" (?:with|in|using) (?:the |his |her |my |your |their )?(left|right|both) hands?\b")


@dataclass(frozen=True, slots=True)
class Told:
    """What one film's narrations say: events in time order, and the indices of narrations that were not understood."""

    events: list[Event]
    unread: list[int]


def read_sentences(narrations: Sequence[Narration]) -> Told:
    """The events of human narrations in either style; every narration is read or listed as unread."""
    told = Told([], [])
    for index, narration in enumerate(narrations):
        acts = read_sentence(narration.text)
        told.events.extend(Event(index, **act) for act in map(dict, acts))
        if not acts:
            told.unread.append(index)
    return told


@cache
def read_sentence(text: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The acts that one sentence tells, each as an Event's fields but its index; none if it is not understood."""
    words, hand = _words(text)
    acts: list[tuple[tuple[str, str], ...]] = []
    for clause in _clauses(words):
        read = _read_clause(clause)
        if not read:
            return ()
        verb, things, preposition, place = read
        fields = {"verb": verb, "preposition": preposition, "place": place, "hand": hand}
        acts += [tuple({**fields, "thing": thing}.items()) for thing in things]
    return tuple(acts)


def _words(text: str) -> tuple[list[str], str]:
    """The sentence in lower-case words without its marks; and the hand, if it was one; no words if not the wearer's."""
    text = re.sub(r"^#?c c\b|#unsure", " ", text.lower().strip())
    text = " ".join(re.sub(r"[.!?\"()\[\]]", " ", text).split())
    hand = _HAND.search(f" {text}")
    text = _HAND.sub("", f" {text}").strip()
    for pattern, spelled in _SPELLED:
        text = re.sub(pattern, spelled, text)
    mine = not text.startswith(("#", "continue", "still", "keep", "start", "stop", "try")) and "/" not in text
    return text.split() if mine else [], hand[1] if hand and hand[1] != "both" else ""


def _clauses(words: Sequence[str]) -> Iterator[list[str]]:
    """Split where "and" is followed by another verb in the same form; "spoon and cutting board" stays together."""
    clause: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 2 < len(words) else ""
        verb = plain_form(following, VERBS) if following.endswith("ing") == words[0].endswith("ing") else ""
        if word == "and" and verb and verb not in _ALSO_THINGS:
            yield clause
            clause = []
        else:
            clause.append(word)
    yield clause


def _read_clause(words: Sequence[str]) -> tuple[str, list[str], str, str] | None:
    """Verb, things, preposition and place of one clause; None where one of them is in doubt."""
    verb = plain_form(words[0], VERBS) if words else ""
    words = _without_tool(verb, [word for word in words[1:] if word not in _FILLERS or word == "down"])
    if not verb or not words:
        return None
    particle, words = _take_particle(words)
    starts = [place for place, word in enumerate(words) if word in _PREPOSITIONS]
    ends = [*starts[1:], len(words)]
    things = _things(words[: starts[0]] if starts else words)
    places = [(_PREPOSITIONS[words[a]], " ".join(words[a + 1 : b])) for a, b in zip(starts, ends, strict=False)]
    if not things or not all(_is_name(name.split()) for _, name in places) or _tells_why(places):
        return None
    named = _named(verb, particle, things[-1], places)
    return named and (named[0], things, *named[1])


def _tells_why(places: Sequence[tuple[str, str]]) -> bool:
    """Whether a "to" leads to a verb: "shake onions to remove water"."""
    return any(preposition == "to" and name.split()[0] in VERBS - _ALSO_THINGS for preposition, name in places)


def _without_tool(verb: str, words: list[str]) -> list[str]:
    """Without "with a spoon" at the end; what is put or taken with something is left in doubt."""
    tool = next((place for place, word in enumerate(words) if word in ("with", "using", "against")), len(words))
    if tool < len(words) and (verb in ("put", "place", *_TAKEN) or set(words[tool:]) & set(_PREPOSITIONS)):
        return []
    return words[:tool]


def _take_particle(words: list[str]) -> tuple[str, list[str]]:
    """The particle after the verb or after the things ("put down the knife", "turn the tap on")."""
    if words[0] in _PARTICLES:
        return words[0], words[1:]
    bare = [word for word in words if word != "down"]
    if len(bare) < len(words):
        return "down", bare
    ends = next((place for place, word in enumerate(words) if word in _PREPOSITIONS), len(words))
    if words[-1] in _PARTICLES:
        return words[-1], words[:-1]
    if 0 < ends < len(words) and words[ends - 1] in ("out", "away", "up", "back"):
        return words[ends - 1], [*words[: ends - 1], *words[ends:]]
    return "", words


def _things(words: Sequence[str]) -> list[str]:
    """The names joined by "and"; none if one of them is no name."""
    names = [name.split() for name in " ".join(words).split(" and ")]
    return [" ".join(name) for name in names] if all(map(_is_name, names)) else []


def _is_name(words: Sequence[str]) -> bool:
    """Whether these words name one thing: up to four, none vague, at most one "of" within, no mere part."""
    names = [word for word in words if word != "of"]
    joined = len(words) - len(names) == (1 if "of" in words[1:-1] else 0)
    known = all(re.fullmatch(r"[a-z][a-z0-9'-]+", word) and word not in _VAGUE for word in names)
    return joined and known and 0 < len(names) <= 4 and not (len(names) == 1 and names[0] in _PARTS)


def _named(
    verb: str, particle: str, thing: str, places: Sequence[tuple[str, str]]
) -> tuple[str, tuple[str, str]] | None:
    """The normal verb with its preposition and place; None for places or particles the verb is unsure with."""
    if verb in ("open", "close") and not particle and thing.split()[-1] in _SWITCHED:
        verb, particle = "turn", "on" if verb == "open" else "off"
    if verb in ("turn", "switch") and particle in ("on", "off"):
        return (f"turn {particle}", ("", "")) if not places else None
    if verb in _TAKEN and particle in ("", "up", "out", "down", "away"):
        return _one_place("pick up", [place for place in places if place[0] == "from"], len(places))
    if len(places) == 2:
        places = [place for place in places if place[0] != "from"]
    if verb == "place" or (verb == "put" and particle != "on") or (verb, particle) == ("set", "down"):
        put = [
            (preposition.replace("to", ""), place) for preposition, place in places if preposition not in ("from", "to")
        ]
        return _one_place("put", put, len(places)) if particle in ("", "down", "away", "back") else None
    if particle in ("on", "back") or (verb, particle) == ("take", "over") or verb in ("put", "get", "switch"):
        return None
    if verb in _SHAPED:
        places = [place for place in places if place[0] not in ("into", "in")]
    return _one_place(f"{verb} {particle}".strip(), places[:1], len(places))


def _one_place(verb: str, places: Sequence[tuple[str, str]], told: int) -> tuple[str, tuple[str, str]] | None:
    if len(places) != told or told > 1:
        return None
    return verb, places[0] if places else ("", "")
