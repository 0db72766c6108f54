"""The frames that answers are learned on, and questions that are true of just these frames.

An answer must rest on the frames shown, so a set's questions are written from the narrations that its frames really
show: over the same frames different questions have different answers, and about a quarter ask of what is not shown.
Sets that hold one event only teach a model to read out whatever it is shown.

A set is made of the key frames of a few acts and of distractors, up to k, as the pointer will hand them over: acts on
the same thing, in the same place, or done with the same verb are the likeliest company. This file does not know models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from assistant.training.data_engine import Narration, Question, key_frames
from assistant.training.dataset import Day
from assistant.training.events import Event, read_events
from assistant.training.grammar import WRONG_VERB

SCARCE = ("after", "before", "last_seen", "first_last")
ORDERED = ("after", "before", "first_last")
MOVES = ("put", "pick up")
VAIN_SHARE = 0.3
MIXED_SHARE = 0.65


@dataclass(frozen=True)
class FrameSet:
    """A few frames of a day, in time order, with their clocks, and questions whose `support` indexes `narrations`."""

    frames: tuple[int, ...]
    clocks: tuple[str, ...]
    narrations: tuple[Narration, ...]
    questions: tuple[Question, ...]

    def support(self, question: Question, day: Day) -> list[int]:
        """Positions within the set of the frames that show what the answer rests on."""
        return key_frames(question, self.narrations, [float(day.times_s[i]) for i in self.frames])


def choose_frames(day: Day, size: int, rng: Random) -> list[int]:
    """At most `size` frames: some of two to five acts, the rest anything else of the day.

    The acts are such as are easily confused, or follow one another.
    """
    acts = [(event, day.proofs[event.index]) for event in day.events if day.proofs[event.index]]
    chosen: set[int] = set()
    if acts:
        first = rng.randrange(len(acts))
        ranked = acts[first:]
        if rng.random() < MIXED_SHARE:
            ranked = sorted(acts, key=lambda act: -_likeness(acts[first][0], act[0]) + 4 * rng.random())
        for event, proof in ranked[: rng.randint(2, 5)]:
            within = day.within(day.narrations[event.index], slack_s=1.0)
            frames = within if rng.random() < 0.5 else rng.sample(proof, min(len(proof), rng.choice((1, 1, 2))))
            if len(chosen | set(frames)) <= size:
                chosen |= set(frames)
    spare = [i for i in range(len(day)) if i not in chosen]
    fill = rng.randint(0, max(0, size - len(chosen)))
    return sorted(chosen | set(rng.sample(spare, min(fill, len(spare)))))


def frame_set(day: Day, frames: Sequence[int], count: int, rng: Random) -> FrameSet:
    """These frames with up to `count` questions whose answers they show, or rightly do not show.

    Of an act of which frames are shown, but none that proves it, nothing is asked; of one that a single frame shows,
    nobody can tell whether the thing was put or picked up, so the wrong verb is not asked either.
    """
    shown = set(frames)
    proven, single, doubtful = [], [], []
    for narration, proof in zip(day.narrations, day.proofs, strict=True):
        within = shown & set(day.within(narration, slack_s=0.6))
        if within & set(proof):
            proven.append(narration)
            if len(within) < 2:
                single += read_events([narration])
        elif within:
            doubtful += read_events([narration])
    midnight_s = rng.randrange(24 * 3600)
    written = day.writer(list(frames), rng, midnight_s).write(proven, rng)
    asked = [q for q in written if not _touches(q, doubtful) and not (q.family == WRONG_VERB and _touches(q, single))]
    return FrameSet(tuple(frames), clocks(day, frames, midnight_s), tuple(proven), tuple(_balanced(asked, count)))


def uniform_set(day: Day, frames: Sequence[int], count: int, rng: Random) -> FrameSet:
    """These frames with questions about the whole day, whether or not the frames show it: ordinary video tuning."""
    midnight_s = rng.randrange(24 * 3600)
    questions = day.writer(range(len(day)), rng, midnight_s).write(day.narrations, rng)
    return FrameSet(tuple(frames), clocks(day, frames, midnight_s), day.narrations, tuple(_balanced(questions, count)))


def clocks(day: Day, frames: Sequence[int], began_s: float) -> tuple[str, ...]:
    """What the wearer's clock showed at these frames of a day that began at this second of it."""
    return tuple(_clock(began_s + float(day.times_s[i])) for i in frames)


def _likeness(one: Event, other: Event) -> float:
    """How easily two acts are taken for each other."""
    same_piece = one.place != "" and one.place.removeprefix(one.room) == other.place.removeprefix(other.room)
    return 3.0 * (one.thing == other.thing) + 1.5 * same_piece + (one.colour == other.colour) + (one.verb == other.verb)


def _touches(question: Question, events: Sequence[Event]) -> bool:
    """Whether the question asks of a thing, place or fixture of these acts, or of an order they may belong to."""
    words = f" {question.text.rstrip('?')} "
    named = any(f" {event.thing} " in words or (event.place and f" {event.place} " in words) for event in events)
    return named or (question.family in ORDERED and any(event.verb in MOVES for event in events))


def _balanced(questions: Sequence[Question], count: int) -> list[Question]:
    """At most `count`, the scarce families first, at most VAIN_SHARE of them unanswerable."""
    vain = [q for q in questions if not q.answerable][: max(1, round(count * VAIN_SHARE))]
    present = sorted((q for q in questions if q.answerable), key=lambda question: question.family not in SCARCE)
    return present[: count - len(vain)] + vain


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
