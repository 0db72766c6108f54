"""Searching: what was typed as words and a time, and the moments that fit by words alone, while pictures follow.

    "bus yesterday"  ->  "bus", from midnight to midnight

This file does not know widgets, nor how moments are ranked.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.config import Config
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Span
from tui.clock import wearers_clock, zone_offset_s
from tui.evidence import say_coverage

if TYPE_CHECKING:
    from assistant.finding import Found

NEVER = r"(?!)"  # what no text has


@dataclass(frozen=True, slots=True)
class Sought:
    """`line` as it was typed, of which `words` are to be found in `span`."""

    line: str
    words: str
    span: Span | None


def read_line(store: EpisodicStore, line: str) -> Sought:
    from assistant.asked_time import asked_time

    asked = asked_time(line, *wearers_clock(store))
    return Sought(line, asked.question, asked.span) if asked else Sought(line, line, None)


def by_words(store: EpisodicStore, sought: Sought, limit: int) -> "tuple[Found, ...]":
    """Without any model; of a time without words its newest moments."""
    from assistant.finding import Found, find_by_words

    if sought.words:
        return tuple(find_by_words(store, sought.words, sought.span, limit))
    return tuple(Found(moment, (), seen=False) for moment in store.moments(sought.span, limit=limit))


def hits_of(sought: Sought) -> re.Pattern[str]:
    """Words that begin as those that were looked for, as far as their endings matter."""
    from assistant.asking import content_words

    stems = [re.escape(word.rstrip("s") or word) for word in content_words(sought.words)]
    return re.compile(rf"\b(?:{'|'.join(stems)})\w*" if stems else NEVER, re.IGNORECASE)


def say_looked_through(store: EpisodicStore, sought: Sought, config: Config, *, with_pictures: bool) -> str:
    """What there was to find something in."""
    span = sought.span or store.span()
    if span is None:
        return "Nothing is remembered yet."
    texts = len(store.transcripts(span)) if sought.span else store.size("transcripts")
    pictures = f", pictures: {store.count(span)}" if with_pictures else ""
    said = say_coverage(store.coverage(_checkpoint_key(config), span), zone_offset_s(store))
    return f"Looked through what was said, read or noted: {texts}{pictures}. {said}"


def _checkpoint_key(config: Config) -> str:
    """Whose embeddings are looked through; a name that has none, where there is no such checkpoint."""
    from assistant.registry import describe

    try:
        return describe(config.model.checkpoint).key
    except UserError:
        return "none"
