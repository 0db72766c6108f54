"""Do answers rest on the frames? Questions about a few frames that were picked so that reading them out is not enough.

    swap        two acts are shown and one is asked for: its own place is right, the other's a mix-up
    absent      one act is shown and a thing of another one is asked for: only "not seen" is right
    wrong verb  a thing is shown being picked up that was never put anywhere, and is asked for as put, or the other way
                round: only "not seen" is right

This file does not know how homes are made or what becomes of the outcomes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from assistant.evaluation.homes import Examined
from assistant.evaluation.reading import weigh
from assistant.training.data_engine import NOT_SEEN
from assistant.training.events import Event, read_events
from assistant.training.grammar import phrase

FRAMES_AN_ACT = 3
NEIGHBOUR_S = 1.0
WRONG_VERBS = 2  # at most, a home
OTHER_KIND = {"put": "where_picked_up", "pick up": "where_put/put"}
SWAP, ABSENT, WRONG_VERB = "swap", "absent", "wrong_verb"


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer: the place of the asked act, that of the other (or wrongly asked) act, or that it was not seen."""

    kind: str
    own: bool
    other: bool
    not_seen: bool


def probe(home: Examined, rng: Random) -> list[Probe]:
    """Two swap and two absent probes on a pair of acts, and up to WRONG_VERBS others, as far as the home has them."""
    return [*_on_a_pair(home, rng), *_on_wrong_verbs(home, rng)]


def _on_a_pair(home: Examined, rng: Random) -> Iterator[Probe]:
    """Two acts of putting different things down in different places, each asked for with both and with the other."""
    puts = [(event, _middle(home, event)) for event in read_events(home.narrations) if event.verb == "put"]
    pairs = [
        (one, other)
        for i, one in enumerate(puts)
        for other in puts[i + 1 :]
        if one[0].thing != other[0].thing and one[0].place != other[0].place
        if one[1] and other[1] and not set(one[1]) & set(other[1])
    ]
    for (one, one_frames), (other, other_frames) in rng.sample(pairs, min(1, len(pairs))):
        for asked, rest, its_frames in ((one, other, other_frames), (other, one, one_frames)):
            question, places = phrase("where_put/put", asked.thing, rng), (asked, rest)
            yield Probe(SWAP, *_said(home, [*one_frames, *other_frames], question, places))
            yield Probe(ABSENT, *_said(home, its_frames, question, places))


def _on_wrong_verbs(home: Examined, rng: Random) -> Iterator[Probe]:
    """Things that were only ever picked up, or only put down, asked for the other way with their act in view."""
    moved = [event for event in read_events(home.narrations) if event.verb in OTHER_KIND]
    done = {(event.verb, event.thing) for event in moved}
    single = [(e, f) for e in moved if not {(verb, e.thing) for verb in OTHER_KIND} <= done and (f := _whole(home, e))]
    for event, frames in rng.sample(single, min(WRONG_VERBS, len(single))):
        question = phrase(OTHER_KIND[event.verb], event.thing, rng)
        yield Probe(WRONG_VERB, False, *_said(home, frames, question, (event,)))


def _said(home: Examined, frames: Sequence[int], question: str, acts: Sequence[Event]) -> list[bool]:
    """Whether the place of each of these acts is the answer to a question about these frames, or "not seen"."""
    frames = sorted(frames)
    answers = [*(f"on the {act.place}." for act in acts), NOT_SEEN]
    (weighed,) = weigh(home.checkpoint, home.visual(frames), home.shown(frames), [(question, answers)])
    return [answer.said for answer in weighed]


def _middle(home: Examined, event: Event) -> list[int]:
    """The frames in the middle of an act, where the hand is at work."""
    span = home.narrations[event.index]
    middle = (span.start_s + span.end_s) / 2
    return sorted(sorted(_within(home, event, 0.0), key=lambda i: abs(home.times_s[i] - middle))[:FRAMES_AN_ACT])


def _whole(home: Examined, event: Event) -> list[int]:
    """An act's frames and their neighbours, by which one can tell whether a thing was put or picked up."""
    return _within(home, event, NEIGHBOUR_S)[: home.checkpoint.model.config.selected]


def _within(home: Examined, event: Event, slack_s: float) -> list[int]:
    span = home.narrations[event.index]
    return [i for i, at_s in enumerate(home.times_s) if span.start_s - slack_s <= at_s <= span.end_s + slack_s]
