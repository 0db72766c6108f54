"""The grammar: questions about simulated days, written from their events without any model.

Every family asks only what its events decide: a thing that was moved twice is asked for by its last place, a surface by
the one thing that still lies on it. Each family also asks in vain, of what was never handled and of what was handled
the other way (the wrong verb), and the right answer to that is that it was not seen.

This file does not know frames, and of a film nothing but its narrations.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from assistant.training.data_engine import NOT_SEEN, Narration, Question
from assistant.training.events import UNSET, Event, read_events

# family/kind: the ways people ask it; {} is the thing, the place or the act asked about
PHRASINGS: dict[str, tuple[str, ...]] = {
    "where_put/put": ("where did I put the {}?", "where did I put my {}?", "where did I leave my {}?"),
    "where_put/is": ("where is my {}?", "where is the {}?"),
    "where_picked_up": (
        "where did I pick up the {}?", "where did I pick up my {}?", "where did I pick the {} up?",
        "where was the {} when I picked it up?",
    ),
    "last_seen": ("where did I last see my {}?", "where did I last have the {}?", "where did I see the {} last?"),
    "room/put": ("which room did I put the {} in?", "in which room did I put my {}?"),
    "room/is": ("which room is my {} in?", "what room is the {} in?"),
    "colour": ("what colour is the {}?", "what colour is my {}?", "what color is the {}?"),
    "hand/put": ("which hand did I put the {} down with?", "with which hand did I put down my {}?"),
    "hand/picked_up": ("which hand did I pick the {} up with?", "with which hand did I pick up my {}?"),
    "what_on/put": ("what did I put on the {}?", "what did I leave on the {}?"),
    "what_on/is": ("what is on the {}?",),
    "after/put": ("what did I put down after the {}?", "what did I put down after my {}?"),
    "after/picked_up": ("what did I pick up after the {}?", "what did I pick up after my {}?"),
    "before/put": ("what did I put down before the {}?", "what did I put down before my {}?"),
    "before/picked_up": ("what did I pick up before the {}?", "what did I pick up before my {}?"),
    "how_many/put": ("how many times did I put the {} down?", "how often did I put down my {}?"),
    "how_many/picked_up": ("how many times did I pick up the {}?", "how often did I pick up my {}?"),
    "how_many/switched": ("how many times did I {}?", "how often did I {}?"),
    "did_i/do": ("did I {}?",),
    "did_i/leave": ("did I leave the {}?",),
    "when/put": ("when did I put down the {}?", "at what time did I put my {} down?"),
    "when/picked_up": ("when did I pick up the {}?", "at what time did I pick up my {}?"),
    "ever/seen": ("did I ever see the {}?", "have I seen my {}?"),
    "ever/touched": ("did I ever touch the {}?", "did I touch my {}?", "did I have the {} in my hand?"),
    "first_last/first_place": ("where did I put the {} first?", "where did I first put my {}?"),
    "first_last/first_put": ("what did I put down first?", "what was the first thing I put down?"),
    "first_last/last_put": ("what did I put down last?", "what was the last thing I put down?"),
    "first_last/first_picked_up": ("what did I pick up first?", "what was the first thing I picked up?"),
    "first_last/last_picked_up": ("what did I pick up last?", "what was the last thing I picked up?"),
}  # fmt: skip
WRONG_VERB = "wrong_verb"
CAPTION = "what did I do?"
PLURAL = ("keys", "glasses", "headphones", "scissors")
TIMES = ("once.", "twice.", "three times.", "four times.")
STATES = {"open": "open", "turn on": "on"}
FIXTURE_ACTS = ("close the fridge", "close the drawer", "turn off the tap", "turn off the stove", "turn off the lamp")

# asked in vain of things that were never handled, and how readily: families that few events answer are rarely asked in
# vain either. What a film may show without a word of it is asked only of things that it does not show.
_OF_UNTOUCHED = {
    "where_put/put": 4, "where_picked_up": 4, "room/put": 3, "hand/put": 2, "hand/picked_up": 2,
    "after/put": 1, "after/picked_up": 1, "before/put": 1, "before/picked_up": 1, "how_many/put": 2,
    "how_many/picked_up": 2, "when/put": 2, "when/picked_up": 2, "ever/touched": 4, "first_last/first_place": 1,
}  # fmt: skip
_OF_UNSEEN = ("where_put/is", "room/is", "last_seen", "colour", "colour", "ever/seen", "ever/seen")


def vocabulary_words(vocabulary: Mapping[str, Sequence[str]]) -> list[str]:
    """Every word that narrations, questions and answers over this vocabulary are made of."""
    sentences = [" ".join(names) for names in vocabulary.values()]
    sentences += [phrasing for ways in PHRASINGS.values() for phrasing in ways]
    sentences += [NOT_SEEN, *TIMES, *FIXTURE_ACTS, "at yes no put pick up open close turn on off the from with"]
    sentences += ["my left right hand are were them drawer", CAPTION]
    return sorted({word for sentence in sentences for word in re.findall(r"[a-z]+", sentence.lower())})


@dataclass(frozen=True, slots=True)
class GrammarWriter:
    """A Writer for simulated days.

    `untouched` are things that may be asked for in vain wherever the film narrates nothing of them; of `unseen` the
    film does not even show any. `places` are surfaces to ask for in vain. `began_s` is the second of the day at which
    the film began.
    """

    untouched: Sequence[str]
    unseen: Sequence[str]
    places: Sequence[str] = ()
    began_s: float = 0.0

    def write(self, narrations: Sequence[Narration], rng: Random) -> list[Question]:
        """All questions that these narrations decide, and a third as many that they do not answer."""
        film = _Film(narrations, read_events(narrations), self.began_s, rng)
        asked = [*_about_things(film), *_about_surfaces(film), *_about_order(film), *_about_fixtures(film)]
        wrong, vain = [*_wrong_verbs(film)], [*_in_vain(film, self)]
        rng.shuffle(wrong)
        rng.shuffle(vain)
        count = max(3, len(asked) // 3)
        asked += [*wrong[: count // 4 + 1], *vain[:count]]
        rng.shuffle(asked)
        return asked


@dataclass
class _Film:
    """What the families are written from."""

    narrations: Sequence[Narration]
    events: Sequence[Event]
    began_s: float
    rng: Random
    puts: list[Event] = field(init=False)
    picks: list[Event] = field(init=False)

    def __post_init__(self) -> None:
        self.puts = [event for event in self.events if event.verb == "put"]
        self.picks = [event for event in self.events if event.verb == "pick up"]

    @property
    def handled(self) -> set[str]:
        return {event.thing for event in [*self.puts, *self.picks]}

    def question(self, kind: str, about: str, answer: str, *support: Event) -> Question:
        indices = tuple(sorted({event.index for event in support}))
        return Question(kind.partition("/")[0], phrase(kind, about, self.rng), answer, indices)

    def minute(self, event: Event) -> str:
        """The clock at which an act was done; empty where it reaches into another minute."""
        narration = self.narrations[event.index]
        start, end = (int(self.began_s + at_s) // 60 for at_s in (narration.start_s, narration.end_s))
        return f"at {start // 60 % 24:02d}:{start % 60:02d}." if start == end else ""


def phrase(kind: str, about: str, rng: Random) -> str:
    """One way of asking."""
    text = rng.choice(PHRASINGS[kind]).format(about)
    if about in PLURAL:
        text = text.replace(" is ", " are ").replace(" was ", " were ").replace(" it ", " them ")
    return text


def _about_things(film: _Film) -> Iterator[Question]:
    """Where, which room, what colour, which hand, how often, when: of every thing that was handled."""
    for thing in sorted(film.handled):
        puts = [event for event in film.puts if event.thing == thing]
        picks = [event for event in film.picks if event.thing == thing]
        own = sorted([*puts, *picks], key=lambda event: event.index)
        yield from _about_places(film, thing, puts, picks, own)
        yield film.question("colour", thing, f"{own[-1].colour}.", own[-1])
        yield film.question(film.rng.choice(("ever/seen", "ever/touched")), thing, "yes.", own[-1])
        for verb, events in (("put", puts), ("picked_up", picks)):
            if len(events) == 1:
                yield film.question(f"hand/{verb}", thing, f"the {events[0].hand} hand.", events[0])
                if minute := film.minute(events[0]):
                    yield film.question(f"when/{verb}", thing, minute, events[0])
            if 0 < len(events) <= len(TIMES) and (len(events) > 1 or film.rng.random() < 0.35):
                yield film.question(f"how_many/{verb}", thing, TIMES[len(events) - 1], *events)


def _about_places(
    film: _Film, thing: str, puts: Sequence[Event], picks: Sequence[Event], own: Sequence[Event]
) -> Iterator[Question]:
    """Where one thing went, the last time and the first, and where it came from."""
    if puts:
        last, lies = puts[-1], own[-1] is puts[-1]
        kind = film.rng.choice(("put", "is") if lies else ("put",))
        yield film.question(f"where_put/{kind}", thing, f"on the {last.place}.", last)
        yield film.question(f"room/{kind}", thing, f"the {last.room}.", last)
        if len(own) > 2 and lies:
            yield film.question("last_seen", thing, f"on the {last.place}.", last)
    if len(puts) > 1:
        yield film.question("first_last/first_place", thing, f"on the {puts[0].place}.", puts[0])
    if picks:
        yield film.question("where_picked_up", thing, f"on the {picks[-1].place}.", picks[-1])


def _about_surfaces(film: _Film) -> Iterator[Question]:
    """What was put on a surface, where that was one thing, and it was not taken away again."""
    for place in dict.fromkeys(event.place for event in film.puts):
        own = [event for event in film.puts if event.place == place]
        taken = any(event.place == place and event.index > own[-1].index for event in film.picks)
        if len({event.thing for event in own}) == 1 and not taken:
            kind = film.rng.choice(("what_on/put", "what_on/is"))
            yield film.question(kind, place, f"the {own[-1].name}.", own[-1])


def _about_order(film: _Film) -> Iterator[Question]:
    """What came next or just before a thing that was put down (or picked up) once; what came first and last."""
    for verb, events in (("put", film.puts), ("picked_up", film.picks)):
        often = Counter(event.thing for event in events)
        for one, other in zip(events, events[1:], strict=False):
            if one.thing != other.thing and often[one.thing] == 1:
                yield film.question(f"after/{verb}", one.thing, f"the {other.name}.", one, other)
            if one.thing != other.thing and often[other.thing] == 1:
                yield film.question(f"before/{verb}", other.thing, f"the {one.name}.", one, other)
        if len(events) > 1:
            yield film.question(f"first_last/first_{verb}", "", f"the {events[0].name}.", events[0])
            yield film.question(f"first_last/last_{verb}", "", f"the {events[-1].name}.", events[-1])


def _about_fixtures(film: _Film) -> Iterator[Question]:
    """Did I close the fridge, did I leave it open: decided by the last thing done to it; and how often."""
    switches = [event for event in film.events if event.verb in (*UNSET, *UNSET.values())]
    for fixture in dict.fromkeys(event.thing for event in switches):
        own = [event for event in switches if event.thing == fixture]
        if set_verb := next((event.verb for event in own if event.verb in UNSET), ""):
            unset = own[-1].verb == UNSET[set_verb]
            done, left = f"{UNSET[set_verb]} the {fixture}", f"{fixture} {STATES[set_verb]}"
            yield film.question("did_i/do", done, "yes." if unset else "no.", own[-1])
            yield film.question("did_i/leave", left, "no." if unset else "yes.", own[-1])
        for verb, count in Counter(event.verb for event in own).items():
            if count <= len(TIMES):
                times = [event for event in own if event.verb == verb]
                yield film.question("how_many/switched", f"{verb} the {fixture}", TIMES[count - 1], *times)


def _wrong_verbs(film: _Film) -> Iterator[Question]:
    """Where did I put what was only picked up, and the other way round."""
    put, picked = ({event.thing for event in events} for events in (film.puts, film.picks))
    for things, kinds in (
        (picked - put, ("where_put/put", "when/put")),
        (put - picked, ("where_picked_up", "when/picked_up")),
    ):
        for thing in sorted(things):
            yield Question(WRONG_VERB, phrase(film.rng.choice(kinds), thing, film.rng), NOT_SEEN, ())


def _in_vain(film: _Film, writer: GrammarWriter) -> Iterator[Question]:
    """Questions of every family about what was never handled, never switched, or never even there."""
    for thing in (thing for thing in writer.untouched if thing not in film.handled):
        for kind in dict.fromkeys(film.rng.choices([*_OF_UNTOUCHED], [*_OF_UNTOUCHED.values()], k=3)):
            yield film.question(kind, thing, NOT_SEEN)
    for thing in (thing for thing in writer.unseen if thing not in film.handled):
        for kind in film.rng.sample(_OF_UNSEEN, 2):
            yield film.question(kind, thing, NOT_SEEN)
    used, switched = {event.place for event in film.events}, {event.thing for event in film.events}
    for place in (place for place in writer.places if place not in used):
        yield film.question("what_on/put", place, NOT_SEEN)
    for act in (act for act in FIXTURE_ACTS if act.partition(" the ")[2] not in switched):
        yield film.question(film.rng.choice(("did_i/do", "how_many/switched")), act, NOT_SEEN)
    for verb, events in (("put", film.puts), ("picked_up", film.picks)):
        if not events:
            yield film.question(f"first_last/{film.rng.choice(('first', 'last'))}_{verb}", "", NOT_SEEN)
