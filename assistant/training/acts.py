"""The acts of one film as they can be asked for: all that may be meant by a name or a verb.

A narrator calls one pan "pan", then "saucepan"; whoever asks of the pan may mean either. So acts are looked up by
all that a name or a verb may mean, and a name that a narration not understood mentions is never sure.

This file does not know questions.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from assistant.training.data_engine import Narration
from assistant.training.english import kin, kindred_verbs, plain_form, singular, verb_root
from assistant.training.events import Event
from assistant.training.sentences import VERBS, read_sentences


class Acts:
    """The acts that one film's narrations tell, in time order."""

    def __init__(self, narrations: Sequence[Narration]) -> None:
        told = read_sentences(narrations)
        self.narrations = narrations
        self.events = told.events
        self._roots = {verb_root(event.verb) for event in self.events}
        self._words = frozenset[str]().union(*(words_in(narration.text) for narration in narrations))
        self._unread = frozenset[str]().union(*(words_in(narrations[index].text) for index in told.unread))
        self._unread_verbs = {plain_form(word, VERBS) for i in told.unread for word in narrations[i].text.split()}
        self._by_index: dict[int, list[Event]] = defaultdict(list)
        self._by_thing, self._by_place = _Names(), _Names()
        for event in self.events:
            self._by_index[event.index].append(event)
            self._by_thing.add(event.thing, event)
            self._by_place.add(event.place, event)

    def about(self, thing: str) -> list[Event]:
        """Acts on anything that may be meant by this name."""
        return self._by_thing.find(thing)

    def at(self, place: str) -> list[Event]:
        """Acts that end or begin at any place that may be meant by this name."""
        return self._by_place.find(place)

    def by(self, verb: str, events: Sequence[Event] | None = None) -> list[Event]:
        """Those of the events (else all) that may have been told by this verb."""
        kindred = kindred_verbs(verb)
        return [event for event in (self.events if events is None else events) if verb_root(event.verb) in kindred]

    def alone(self, index: int) -> Event | None:
        """The act of this narration, if it tells exactly one."""
        events = self.told_at(index)
        return events[0] if len(events) == 1 else None

    def told_at(self, index: int) -> list[Event]:
        """The acts of this narration."""
        return self._by_index.get(index, [])

    def knows_all_of(self, name: str) -> bool:
        """Whether no narration that was not understood speaks of it."""
        return _words(name)[-1] not in self._unread

    def knows_all_by(self, verb: str) -> bool:
        """Whether no narration that was not understood uses this verb or its kin."""
        return not self._unread_verbs & kindred_verbs(verb)

    def never_tells(self, verb: str) -> bool:
        """Whether no narration uses this verb or its kin."""
        return self.knows_all_by(verb) and not self._roots & kindred_verbs(verb)

    def never_names(self, name: str) -> bool:
        """Whether no narration speaks of any part of this name."""
        return not self._words & set(_words(name))


class _Names:
    """Acts found by a name, whatever the narrator called it."""

    def __init__(self) -> None:
        self._by_word: dict[str, list[Event]] = defaultdict(list)
        self._by_head: dict[str, list[Event]] = defaultdict(list)

    def add(self, name: str, event: Event) -> None:
        if name:
            self._by_head[_words(name)[-1]].append(event)
            for word in set(_words(name)):
                self._by_word[word].append(event)

    def find(self, name: str) -> list[Event]:
        """Acts whose name contains the head of this one, or the other way round, in time order."""
        words = _words(name)
        lists = [self._by_word.get(words[-1], []), *(self._by_head.get(word, []) for word in words)]
        found = {id(event): event for events in lists for event in events}
        return sorted(found.values(), key=lambda event: event.index)


@cache
def plainly(name: str) -> str:
    """The name with every word in the singular: what two spellings of the same name share."""
    return " ".join(singular(word) for word in name.split())


@cache
def words_in(text: str) -> frozenset[str]:
    """What the words of a text may mean, each by one word."""
    return frozenset(kin(word) for word in re.findall(r"[a-z][a-z0-9'-]*", text.lower()))


@cache
def _words(name: str) -> tuple[str, ...]:
    """What the words of a name may mean; the last is what it is: "bag of rice" is a bag, "rice bag" too."""
    head, _, rest = name.partition(" of ")
    return tuple(kin(word) for word in [*rest.split(), *head.split()])


def given_away(question: str, answer: str, names: Iterable[str]) -> bool:
    """Whether the answer names something that the question names already."""
    return bool(words_in(question) & words_in(answer) & {word for name in names if name for word in _words(name)})
