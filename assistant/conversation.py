"""What a line means that is typed into a conversation: a question of its own, or one completed from the one before it.

    where did I put my wallet yesterday?
    and the keys?          where did I put the keys?     yesterday
    what about today?      where did I put the keys?     today
    are they there now?    are the keys there now?       at any time

A few rules about English questions. What they do not surely complete is taken as it was typed. This file does not know
what was answered, so "and before that?" is not understood.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from assistant.asked_time import asked_time, read_time
from assistant.asking import SAYING, STOP
from assistant.named_time import split_when
from store.errors import UserError
from store.records import Span


@dataclass(frozen=True, slots=True)
class Understood:
    """A whole question with the span that it is about and the words that named it, "" for all that was recorded."""

    question: str
    span: Span | None
    said: str
    is_follow_up: bool


_AND = re.compile(r"^(?:and|but|so|ok|okay|well),? (?=\w)", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:what|how) about ", re.IGNORECASE)
_DETERMINER = "(?:the|my|your|his|her|our|their|this|that|these|those|a|an)"
_PLACING = "open|closed|shut|between|behind|beside|near|next|inside|outside|above|below|without|right|still|end|day"
_NAME = rf"(?: (?!(?:{'|'.join(sorted(STOP | SAYING))}|{_PLACING})\b)[\w'’-]+)"
_THING = re.compile(rf"\b{_DETERMINER}{_NAME}{{1,4}}(?: of(?: {_DETERMINER})?{_NAME}{{1,3}})?", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:(?P<one>it)|(?P<more>them|(?<=are )they|(?<=were )they))\b(?!['’-])", re.IGNORECASE)
_NOTHING_MEANT = re.compile(  # by "it"
    r"\b(?:time|day|date|late|far|long|like) (?:is|was) it\b"
    r"|\bit (?:rain|snow|get dark)|\b(?:is|was) it (?:rain|snow|dark|cold|warm|hot|late|early|true|that)",
    re.IGNORECASE,
)
_MORE = {"is": "are", "was": "were", "it": "them"}
_ONE = {more: one for one, more in _MORE.items()}


def understand(typed: str, before: Understood | None, now: datetime, latest: datetime) -> Understood:
    """What is asked by a line after the question `before`, None for the first; the times are those of asked_time.

    A follow-up is about the span of the question before it, unless it names another, or the present ("now"). Raises
    UserError for an empty line, and for a time where nothing was asked yet.
    """
    line = _AND.sub("", " ".join(typed.split()).rstrip(" ?!."))
    if not line:
        raise UserError("The question is empty.", 'Ask, for example: "where did I put my wallet?"')
    if before:
        words, span, said = _timed(_ABOUT.sub("", line), now, latest)
        if question := _complete(words, before.question.rstrip("?")):
            if not said and not re.search(r"\bnow\b", words, re.IGNORECASE):
                span, said = before.span, before.said
            return Understood(f"{question}?", span, said, is_follow_up=True)
    words, span, said = _timed(line, now, latest)
    if not words:
        raise UserError(
            f"{line!r} is a time, not a question.", f'Ask, for example: "where did I put my wallet {line}?"'
        )
    return Understood(f"{words}?", span, said, is_follow_up=False)


def _timed(line: str, now: datetime, latest: datetime) -> tuple[str, Span | None, str]:
    """The line without its time, the span, and the words of the time; "Monday" or "the evening" may be all of it."""
    if found := asked_time(line, now, latest):
        return found.question, found.span, found.said
    day, hour = split_when(line.lower()) or ("", "")
    is_time = day or hour.startswith("the ")
    return ("", read_time(line, now, latest), line) if is_time else (line, None, "")


def _complete(words: str, earlier: str) -> str:
    """The whole question that these words are short for after an earlier one; "" if they are not."""
    if not words:
        return earlier
    thing = _THING.search(earlier)
    if thing and _THING.fullmatch(words):
        return _exchange(earlier, thing, words)
    return _put_in(words, thing[0]) if thing else ""


def _exchange(question: str, thing: re.Match[str], other: str) -> str:
    """The question about another thing: "where is my wallet", "the keys" -> "where are the keys"."""
    forms = _MORE if _is_plural(other) else _ONE
    start, end = question[: thing.start()], question[thing.end() :]
    start = re.sub(r"\b(?:is|was|are|were)(?= $)", lambda verb: forms.get(verb[0], verb[0]), start)
    return (
        start
        + other[0].lower()
        + other[1:]
        + re.sub(r"\b(?:it|them)\b", lambda pronoun: forms.get(pronoun[0], pronoun[0]), end)
    )


def _put_in(question: str, thing: str) -> str:
    """The question with the thing in place of a pronoun; "" if none means the thing."""
    means = "more" if _is_plural(thing) else "one"
    found = _PRONOUN.search(question)
    if not found or not found.start() or not found[means] or _NOTHING_MEANT.search(question):
        return ""
    start, end = question[: found.start()], question[found.end() :]
    return "" if _THING.search(start) else start + thing + end


def _is_plural(thing: str) -> bool:
    head = thing.split(" of ")[0].lower()
    return head.endswith("s") and not head.endswith(("ss", "us", "is", "'s", "’s"))
