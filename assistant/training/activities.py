"""Questions about human films, written from what their narrations tell, without any model.

Every family asks only what the narrations decide. A name or verb that may mean several acts is asked for by its first
or last one, and only where that one is told in just these words; what an unread narration may be about is not asked.
A quarter is asked in vain: of things, places and verbs that other films tell of and this one does not, and of things of
this film with the wrong verb. No question names its own answer.

Times are clocks from the beginning of the film: "at 00:03:12.". This file does not know frames.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from random import Random

from assistant.training.acts import Acts, given_away, plainly
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from assistant.training.events import Event
from assistant.training.phrasings import clock, opposite, phrase, the, them, told, where
from assistant.training.sentences import read_sentences

WRONG_VERB = "wrong_verb"
TIMES = ("once.", "twice.", "three times.", "four times.", "five times.", "six times.")
NEIGHBOUR_S = 15.0
COMMON_FILMS = 4
_DONE_UNTOLD = ("put", "pick up", "move", "hold")
_ANY_ACT = (("when", ""), ("when", "first"), ("when", "last"), ("how_many", ""), ("after", ""), ("after", "last"),
            ("before", ""), ("before", "first"))  # fmt: skip
_MOVED = {"put": "where_put", "pick up": "where_picked_up"}


@dataclass(frozen=True)
class ActivityWriter:
    """A Writer for human films; `elsewhere` are acts of other films, to ask for in vain where a film tells no such."""

    elsewhere: Sequence[Event]

    def write(self, narrations: Sequence[Narration], rng: Random) -> list[Question]:
        """All questions that these narrations decide, the families by turns; about a quarter cannot be answered."""
        acts = Acts(narrations)
        asked = _by_turns(_Film(acts, rng).questions(), rng)
        vain = _by_turns(_in_vain(acts, self.elsewhere, 3 * len(asked) // 10 + 1, rng), rng)
        answerable = [True] * len(asked) + [False] * len(vain)
        rng.shuffle(answerable)
        asked_next, vain_next = iter(asked), iter(vain)
        return [next(asked_next if seen else vain_next) for seen in answerable]


def common_acts(films: Mapping[str, Sequence[Narration]]) -> list[Event]:
    """What at least COMMON_FILMS of the films tell as done to the same thing, each place once a film."""
    tellers: dict[tuple[str, str], set[str]] = defaultdict(set)
    acts: list[Event] = []
    for film, narrations in films.items():
        unlike = dict.fromkeys(replace(event, index=-1, hand="") for event in read_sentences(narrations).events)
        acts += unlike
        for event in unlike:
            tellers[event.verb, plainly(event.thing)].add(film)
    return [event for event in acts if len(tellers[event.verb, plainly(event.thing)]) >= COMMON_FILMS]


@dataclass(frozen=True)
class _Film:
    """All that can be asked of one film's acts."""

    acts: Acts
    rng: Random

    def questions(self) -> list[Question]:
        events = self.acts.events
        written: list[Question] = []
        for thing in {plainly(event.thing): event.thing for event in events}.values():
            written += self._about_thing(thing) if self.acts.knows_all_of(thing) else ()
        for place in {(e.verb, e.preposition, plainly(e.place)): e for e in events if e.place}.values():
            written += self._about_place(place)
        for verb in dict.fromkeys(event.verb for event in events):
            written += self._about_verb(verb)
        return [question for question in written if not self._given_away(question)]

    def _about_thing(self, thing: str) -> Iterator[Question]:
        about = self.acts.about(thing)
        own = [event for event in about if plainly(event.thing) == plainly(thing)]
        for verb in dict.fromkeys(event.verb for event in own):
            kindred = self.acts.by(verb, about)
            yield from self._where(verb, kindred, own)
            for act in {plainly(event.place): event for event in own if event.verb == verb}.values():
                yield from self._about_act(act, kindred)
        last = about[-1]
        if last in own and len(about) > 1 and all(event.index < last.index for event in self.acts.at(thing)):
            if last.verb == "put" and last.place:
                yield self._ask("last_seen", "last", last, f"{where(last)}.")
            yield self._ask("what_did", "last", last, f"I {told(last, in_past=True, name=them(last.thing))}.")
        if len(own) == len(about):
            yield from self._did_i(own)

    def _where(self, verb: str, kindred: Sequence[Event], own: Sequence[Event]) -> Iterator[Question]:
        """Where something was put or taken from."""
        family = _MOVED.get(verb)
        for which, event in _singled_out(kindred):
            if family and event in own and event.verb == verb and event.place:
                yield self._ask(family, which, event, f"{where(event)}.")

    def _about_act(self, act: Event, kindred: Sequence[Event]) -> Iterator[Question]:
        """When, how often and whether something was done (to a thing, at a place), and what came next to it."""
        near = {id(event) for event in self.acts.at(act.place)} if act.place else set()
        alike = [event for event in kindred if not act.place or not event.place or id(event) in near]
        exact = [event for event in alike if _wording(event) == _wording(act)]
        for which, event in _singled_out(alike):
            if event in exact:
                at_s = self.acts.narrations[event.index].start_s
                yield self._ask("when", which, event, f"at {clock(at_s)}.")
                yield from self._neighbours(which, event)
        if (
            len(exact) == len(alike) <= len(TIMES)
            and self._apart(exact)
            and (len(exact) > 1 or self.rng.random() < 0.2)
        ):
            yield self._ask("how_many", "", act, TIMES[len(exact) - 1], exact)
        if not opposite(act.verb):
            yield self._ask("ever", "", act, "yes.", exact)

    def _neighbours(self, which: str, event: Event) -> Iterator[Question]:
        """What was done right after and right before."""
        for family, step in (("after", 1), ("before", -1)):
            other = self.acts.alone(event.index + step)
            if other and self._in_a_row(event.index + min(step, 0)) and not self._tied(other.index, step):
                yield self._ask(family, which, event, f"I {told(other, in_past=True)}.", [event, other])

    def _did_i(self, own: Sequence[Event]) -> Iterator[Question]:
        """Whether what was opened or switched was closed again; "no" only where its closing is told at other times."""
        turns = [event for event in own if opposite(event.verb)]
        in_turn = all(opposite(event.verb) == following.verb for event, following in pairwise(turns))
        if len(turns) > 1 and in_turn and turns[0].verb in ("open", "turn on"):
            undone = turns[-1].verb != turns[0].verb
            asked = turns[-1] if undone else replace(turns[-1], verb=opposite(turns[-1].verb))
            yield self._ask("did_i", "", asked, "yes." if undone else "no.", [turns[-1]])

    def _about_place(self, place: Event) -> Iterator[Question]:
        """What was put, poured or taken there."""
        alike = self.acts.by(place.verb, self.acts.at(place.place))
        exact = [event for event in alike if (event.verb, where(event)) == (place.verb, where(place))]
        if self.acts.knows_all_of(place.place):
            yield from self._what("what_on", "what_on", alike, exact)

    def _about_verb(self, verb: str) -> Iterator[Question]:
        """What was washed, opened, put down."""
        alike = self.acts.by(verb)
        exact = [event for event in alike if event.verb == verb and not (verb == "put" and event.place)]
        if self.acts.knows_all_by(verb):
            yield from self._what("what_did", "first_last", alike, exact)

    def _what(self, only: str, one: str, alike: Sequence[Event], exact: Sequence[Event]) -> Iterator[Question]:
        """The one thing of these acts, or the first and the last."""
        if len({plainly(event.thing) for event in alike}) == 1:
            if len(exact) == len(alike) <= len(TIMES):
                yield self._ask(only, "", exact[-1], f"{the(exact[-1].thing)}.", exact)
            return
        for which, event in _singled_out(alike):
            if event in exact and self.acts.alone(event.index):
                yield self._ask(one, which, event, f"{the(event.thing)}.")

    def _ask(self, family: str, which: str, event: Event, answer: str, support: Sequence[Event] = ()) -> Question:
        indices = sorted({one.index for one in support or [event]})
        return Question(family, phrase(family, which, event, self.rng), answer, tuple(indices))

    def _apart(self, events: Sequence[Event]) -> bool:
        """Whether these acts were done one after the other, so that they can be counted."""
        told_at = [self.acts.narrations[event.index] for event in events]
        return all(one.end_s <= other.start_s for one, other in pairwise(told_at))

    def _in_a_row(self, index: int) -> bool:
        """Whether this narration and the next tell of one act right after the other."""
        one, other = self.acts.narrations[index : index + 2]
        return other.end_s > one.end_s and one.start_s + one.end_s <= 2 * other.start_s <= 2 * (one.end_s + NEIGHBOUR_S)

    def _tied(self, index: int, step: int) -> bool:
        """Whether this narration and the one beyond it began together."""
        beyond = index + step
        told = self.acts.narrations
        return 0 <= beyond < len(told) and abs(told[beyond].start_s - told[index].start_s) < 0.3

    def _given_away(self, question: Question) -> bool:
        events = [event for index in question.support for event in self.acts.told_at(index)]
        return given_away(question.text, question.answer, [name for e in events for name in (e.thing, e.place)])


def _wording(event: Event) -> tuple[str, str, str]:
    return event.verb, plainly(event.thing), plainly(event.place)


def _singled_out(events: Sequence[Event]) -> Iterator[tuple[str, Event]]:
    """Those of the events that need no more than "first" or "last" to be told from the others."""
    if len(events) == 1:
        yield "", events[0]
    else:
        yield from (("first", events[0]), ("last", events[-1])) if events else ()


def _in_vain(acts: Acts, elsewhere: Sequence[Event], count: int, rng: Random) -> list[Question]:
    """Up to `count` questions whose right answer is that it was not seen, the families as even as may be."""
    asked: dict[str, Question] = {}
    often: Counter[str] = Counter()
    for event in rng.sample(elsewhere, min(len(elsewhere), 6 * count)):
        if len(asked) == count:
            break
        if not (ways := _vain_ways(acts, event)):
            continue
        label, family, which = min(ways, key=lambda way: (often[way[0]], rng.random()))
        about = replace(event, verb=opposite(event.verb)) if family == "did_i" else event
        text = phrase(family, which, about, rng)
        if text not in asked:
            often[label] += 1
            asked[text] = Question(label, text, NOT_SEEN, ())
    return list(asked.values())


def _vain_ways(acts: Acts, event: Event) -> list[tuple[str, str, str]]:
    """How an act of another film can be asked for in vain here: label, family, and which one."""
    ways: list[tuple[str, str]] = []
    if event.place and acts.never_names(event.place):
        ways += [("what_on", which) for which in ("", "first", "last")]
    if acts.never_tells(event.verb):
        ways += [("what_did", ""), ("first_last", "first"), ("first_last", "last")]
    if acts.never_names(event.thing):
        ways += _ANY_ACT
        ways += [("did_i", "")] if event.verb in ("open", "turn on") else []
        ways += [("ever", "")] if not opposite(event.verb) else []
        if event.verb in _MOVED:
            ways += [(_MOVED[event.verb], which) for which in ("", "first", "last")]
            ways += [("what_did", "last"), ("last_seen", "last")]
    elif (
        not (event.verb in _DONE_UNTOLD or opposite(event.verb))
        and acts.knows_all_of(event.thing)
        and acts.knows_all_by(event.verb)
    ):
        about = acts.about(event.thing)
        if about and not acts.by(event.verb, about):
            return [(WRONG_VERB, family, "") for family in ("when", "how_many", "after", "before")]
    return [(family, family, which) for family, which in ways]


def _by_turns(questions: Sequence[Question], rng: Random) -> list[Question]:
    """The questions in random order, but one of each family before the second of any."""
    families: dict[str, list[Question]] = defaultdict(list)
    for question in rng.sample(questions, len(questions)):
        families[question.family].append(question)
    turns = list(families.values())
    rng.shuffle(turns)
    return [question for turn in zip_longest(*turns) for question in turn if question]
