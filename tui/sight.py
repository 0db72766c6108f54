"""A sight: all there is to say of a keyframe: its moment, its place in the day, what was said, read and noted then,
and what lies between it and the keyframes beside it.

This file does not know widgets, nor how one came here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from store.episodic import EpisodicStore
from store.records import Keyframe, Moment, Session, Span, Transcript
from store.spans import clipped, moment_span
from store.transcripts import NOTE
from store.upkeep.pins import pins
from tui.clock import say_duration
from tui.evidence import recorded_day
from tui.walk import calendar_day


@dataclass(frozen=True, slots=True)
class Sight:
    """`number`: which of the `count` keyframes of its calendar day, of which `day` is the recorded part.

    `words` are those that overlap its half minute. `before` and `after` say what lies between it and the keyframes
    beside it, "" for nothing.
    """

    keyframe: Keyframe
    moment: Moment
    camera: str
    day: Span
    number: int
    count: int
    pinned: bool
    words: tuple[Transcript, ...]
    before: str
    after: str

    @property
    def notes(self) -> list[str]:
        """What the wearer wrote to the moment."""
        return [row.text for row in self.words if row.source == NOTE and row.session_id == self.keyframe.session_id]


def sight_of(store: EpisodicStore, keyframe_id: int) -> Sight:
    """As it is now. UserError, naming the nearest one, if there is no such keyframe."""
    row = store.keyframes_beside(keyframe_id, 1, 1)
    place = [each.id for each in row].index(keyframe_id)
    keyframe, moment = row[place], store.moment_of(keyframe_id)
    sessions = {each.id: each for each in store.sessions()}
    whole_day = calendar_day(keyframe)
    return Sight(
        keyframe=keyframe,
        moment=moment,
        camera=sessions[keyframe.session_id].source,
        day=recorded_day(store, moment),
        number=1 + store.count(Span(whole_day.started_at, keyframe.captured_at)),
        count=store.count(whole_day),
        pinned=any(each.started_at <= keyframe.captured_at < each.ended_at for each in pins(store)),
        words=tuple(store.transcripts(moment_span(keyframe_id))),
        before=_say_between(store, keyframe, row[place - 1], sessions) if place else "the first keyframe",
        after=_say_between(store, keyframe, row[place + 1], sessions) if row[place + 1 :] else "the newest keyframe",
    )


def _say_between(store: EpisodicStore, keyframe: Keyframe, other: Keyframe, sessions: Mapping[int, Session]) -> str:
    """Every gap on the way from a keyframe to the other, and that the session changes."""
    between = Span(*sorted((keyframe.captured_at, other.captured_at)))
    told = []
    for gap in store.gaps(between):
        missed = clipped(Span(gap.started_at, gap.ended_at), between)
        if missed.duration_s > 0 and gap.session_id in (keyframe.session_id, other.session_id):
            told.append(f"gap of {say_duration(missed.duration_s)}: {gap.reason}")
    if keyframe.session_id != other.session_id:
        told.append(f"another session, {say_duration(between.duration_s)} away: {sessions[other.session_id].source}")
    return "; ".join(told)
