"""Quotation: questions about words, answered with the words themselves: what was read, heard or noted, and when.

    find_quotation(store, "what did the sign say?", "read") -> I read "BAKERY / OPEN 9-17" at 10:03.

No model: full text and the time in view tell what is quoted. This file does not know checkpoints or pictures.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.asking import CARRIERS, Kind, content_words
from assistant.told import NEAR_S
from assistant.transcription import ROUGH_ENGINES
from assistant.words import waiting_for_words
from store.episodic import EpisodicStore
from store.records import Keyframe, Moment, Span, Transcript, local_time
from store.transcripts import NOTE

QUOTED = 3
SEARCHED = 60  # rows of full text, before those of another source are left out
SOURCES = {
    "read": ("scene-text", NOTE),
    "heard": ("speech",),
    "either": ("scene-text", "speech", NOTE),
    None: ("scene-text", "speech", NOTE),
}
SAID = {"scene-text": "I read", "speech": "I heard", NOTE: "You noted"}


@dataclass(frozen=True, slots=True)
class Quotation:
    """What can be quoted, as an answer; `quoted` is empty, and `text` says so, where there is nothing."""

    text: str
    quoted: tuple[Transcript, ...]
    moments: tuple[Moment, ...]
    note: str


def quote(store: EpisodicStore, question: str, kind: Kind | None, span: Span | None = None) -> list[Transcript]:
    """At most QUOTED transcripts of a span that answer a question, best first.

    Those with its words; where there are none, the texts longest in view, unless it was `heard`. A question without
    any words of its own ("what did she say?") asks for what was heard last. Of kind None full text alone decides.
    """
    wanted = content_words(question)
    if kind in ("read", "either"):
        wanted = [word for word in wanted if word not in CARRIERS]  # a sign does not say "sign"
    sources = SOURCES[kind]
    hits = [row for row in store.find_words(" ".join(wanted), span, SEARCHED) if row.source in sources]
    if hits or kind is None:
        return _distinct(hits)
    if kind == "heard":
        return [] if wanted else _distinct(row for row in reversed(store.transcripts(span)) if row.source == "speech")
    return _distinct(_longest_in_view(row for row in store.transcripts(span) if row.source == "scene-text"))


def find_quotation(store: EpisodicStore, question: str, kind: Kind | None, span: Span | None = None) -> Quotation:
    """The answer that quotes, with a moment for each quoted row and a note of where it comes from."""
    quoted = quote(store, question, kind, span)
    if not quoted:
        nothing = {"read": "I read nothing of it.", "heard": "I heard nothing of it."}
        return Quotation(nothing.get(kind or "", "I neither read nor heard it."), (), (), _searched(store, kind, span))
    seen = [(row, _nearest(store, row)) for row in quoted]
    moments = [Moment(row.started_at, row.ended_at, near, 1, row.confidence) for row, near in seen if near]
    engines = " and ".join(dict.fromkeys("you" if row.source == NOTE else row.engine for row in quoted))
    rough = any(row.engine in ROUGH_ENGINES for row in quoted)
    note = f"Quoted as {engines} wrote it down." + (" Rough transcripts are often misheard." if rough else "")
    zones = {session.id: session.zone_offset_s for session in store.sessions()}
    text = " ".join(_sentence(row, zones[row.session_id]) for row in quoted)
    return Quotation(text, tuple(quoted), tuple(moments), note)


def _longest_in_view(rows: Iterable[Transcript]) -> list[Transcript]:
    """Every distinct text once, as it was last read: those first that are surest and were longest in view."""
    texts: dict[str, list[Transcript]] = {}
    for row in rows:
        texts.setdefault(_letters(row.text), []).append(row)

    def presence(same: list[Transcript]) -> float:
        in_view_s = sum(row.ended_at - row.started_at for row in same)
        return max(row.confidence for row in same) * math.log1p(in_view_s)

    return [same[-1] for same in sorted(texts.values(), key=presence, reverse=True)]


def _distinct(rows: Iterable[Transcript]) -> list[Transcript]:
    """The first QUOTED rows that say more than the ones before them."""
    kept: list[Transcript] = []
    for row in rows:
        if not any(_letters(row.text) in _letters(other.text) for other in kept):
            kept.append(row)
        if len(kept) == QUOTED:
            break
    return kept


def _letters(text: str) -> str:
    """What two readings of the same text have in common."""
    return "".join(filter(str.isalnum, text.casefold()))


def _sentence(row: Transcript, zone_offset_s: int) -> str:
    rough = " (rough transcript)" if row.engine in ROUGH_ENGINES else ""
    return f'{SAID[row.source]} "{row.text}" at {local_time(row.started_at, zone_offset_s):%H:%M}{rough}.'


def _nearest(store: EpisodicStore, row: Transcript) -> Keyframe | None:
    found = store.nearest_keyframe(row.session_id, row.started_at, NEAR_S)
    return None if found is None else store.keyframe(found)


def _searched(store: EpisodicStore, kind: Kind | None, span: Span | None) -> str:
    """How much was looked through in vain."""
    waiting, keyframes = waiting_for_words(store, span), store.count(span, in_full=True)
    transcripts = sum(row.source == "speech" for row in store.transcripts(span))
    read = f"keyframes read: {keyframes - waiting.keyframes} of {keyframes}"
    heard = f"transcripts of speech: {transcripts}, sounds not yet listened to: {waiting.sounds}"
    told = {"read": read, "heard": heard}.get(kind or "", f"{read}; {heard}")
    return f"Looked through so far: {told}."
