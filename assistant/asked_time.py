"""The time that a question names, and the question without it.

    "where did I put my wallet yesterday before lunch?"  ->  "where did I put my wallet?", yesterday from 0:00 to 12:00

Days are counted from now; a time of day alone ("at 3 pm") is one of the last day that was recorded. Several times in a
question are read together ("yesterday ... before lunch"); where they do not meet, the question names none. Out of many
days a time of day cuts no single span, so "last week at noon" is all of last week.

GRAMMAR says what counts as a time; all else stays in the question: "before I left", "the 3 cups", "the Monday folder".
This file does not know what was recorded, nor what the words for days and hours are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import product

from assistant.named_time import (
    DAY,
    EXACT,
    JOINT,
    NAMED_DAY,
    NUMBER,
    ONE_DAY,
    PART,
    PARTS,
    TIME,
    UNIT,
    WEEKDAY,
    WEEKDAYS,
    WHEN,
    Interval,
    midnight,
    not_a_time,
    read_amount,
    read_days,
    read_hours,
    split_when,
)
from store.errors import UserError
from store.records import Span

AT, AROUND = timedelta(minutes=15), timedelta(minutes=45)  # to each side
JUST_NOW = timedelta(minutes=5)
NIGHT_ENDS = timedelta(hours=PARTS["night"][1])


@dataclass(frozen=True, slots=True)
class AskedTime:
    """`said`: the words of the time as they were typed; `question`: the question without them."""

    said: str
    span: Span
    question: str


def asked_time(question: str, now: datetime, latest: datetime) -> AskedTime | None:
    """The time that a question names, or None. Both times are aware; `latest` is that of the last recording."""
    found, rest = _take_out(" ".join(question.split()))
    said = " ".join(found)
    try:
        return AskedTime(said, read_time(said, now, latest), rest) if said else None
    except UserError:
        return None


def read_time(said: str, now: datetime, latest: datetime) -> Span:
    """The span that a phrase such as "yesterday morning" or "8:00 to 8:30" names; UserError if it names none."""
    try:
        started_at, ended_at = _Reader(now, latest).read(_plain(said))
        return Span(started_at.timestamp(), ended_at.timestamp())
    except (OverflowError, ValueError) as error:  # no clock goes so far
        raise not_a_time(said) from error


def read_point(said: str, now: datetime, latest: datetime) -> datetime:
    """The moment that "8:30" or "2026-03-02T08:30" names, of "yesterday" its beginning; UserError if it names none."""
    try:
        moment = datetime.fromisoformat(said.strip().upper())
        return moment if moment.tzinfo else moment.replace(tzinfo=latest.tzinfo)
    except ValueError:
        reader, text = _Reader(now, latest), _plain(said)
        return reader.when(reader.last_day, text)[1][0] if split_when(text) else reader.read(text)[0]


def _plain(said: str) -> str:
    return " ".join(said.lower().strip(" ,?!").split())


def _take_out(text: str) -> tuple[list[str], str]:
    """The times that a text names, as they are found, and the text without them."""
    found: list[str] = []
    while matches := [match for row, _ in _rows() if (match := row.search(text))]:
        first = min(matches, key=lambda match: match.start())
        found.append(first[0])
        text = _mend(text[: first.start()], text[first.end() :])
    return found, text


def _mend(before: str, after: str) -> str:
    """A text out of which a phrase was taken, without the spaces and commas that were around it."""
    text = re.sub(r" +(?=[?!.,;]|$)", "", f"{before.rstrip(' ,')} {after.lstrip(' ,')}").strip()
    return text if re.search(r"\w", text) else ""


def _is_one_day(frame: Interval) -> bool:
    return frame[1] - frame[0] <= ONE_DAY


@dataclass(frozen=True, slots=True)
class _Reader:
    """What phrases mean. The methods that GRAMMAR names take the days in which a time of day lies, and words."""

    now: datetime
    latest: datetime

    @property
    def last_day(self) -> Interval:
        return midnight(self.latest), midnight(self.latest) + ONE_DAY

    @property
    def end(self) -> datetime:
        """When all is over that was recorded."""
        return max(self.now, self.latest + timedelta(seconds=1))

    def read(self, text: str) -> Interval:
        """The interval that all times of a phrase name together; those that name a day say where the others lie."""
        if split_when(text):
            return self.at(self.last_day, text)
        pieces, rest = _take_out(text)
        frame, read = self.last_day, list[Interval]()
        for piece in sorted(pieces, key=lambda piece: not re.search(NAMED_DAY, piece)):
            if re.search(NAMED_DAY, piece):
                frame = self._read_piece(frame, piece)
                read.append(frame)
            elif _is_one_day(frame):
                read.append(self._read_piece(frame, piece))
        if rest or not read or (began := max(a for a, _ in read)) >= (ended := min(b for _, b in read)):
            raise not_a_time(text)
        return began, ended

    def _read_piece(self, frame: Interval, piece: str) -> Interval:
        read, match = next((read, match) for row, read in _rows() if (match := row.fullmatch(piece)))
        return read(self, frame, *match.groups())

    def when(self, frame: Interval, text: str) -> tuple[Interval, Interval]:
        """The days that are named, and what is named of them: the same where it is no time of a single day."""
        day, hour = split_when(text) or ("", text)
        days = read_days(day, self.now) if day else frame
        return days, self._times(days, hour)[0] if hour and _is_one_day(days) else days

    def _times(self, days: Interval, hour: str) -> list[Interval]:
        """When a time of day may be, the likeliest first: 8 in "yesterday evening at 8" is 20:00."""
        began = midnight(days[0])
        found = [(began + timedelta(hours=a), began + timedelta(hours=b)) for a, b in read_hours(hour)]
        return sorted(found, key=lambda time: max(days[0] - time[0], time[0] - days[1], timedelta()))

    def at(self, frame: Interval, text: str) -> Interval:
        _, (began, ended) = self.when(frame, text)
        return (began, ended) if began < ended else (began - AT, ended + AT)

    def around(self, frame: Interval, text: str) -> Interval:
        _, (began, ended) = self.when(frame, text)
        return began - AROUND, ended + AROUND

    def since(self, frame: Interval, text: str) -> Interval:
        return self.when(frame, text)[1][0], self.end

    def before(self, frame: Interval, closely: str | None, text: str) -> Interval:
        """From the beginning of the day, or, of a whole day, of all time."""
        days, named = self.when(frame, text)
        if closely:
            return named[0] - AROUND, named[0]
        return datetime.fromtimestamp(0, self.now.tzinfo) if named == days else midnight(days[0]), named[0]

    def until(self, frame: Interval, text: str) -> Interval:
        """As before, but with the whole of the day that is named."""
        days, named = self.when(frame, text)
        return self.before(frame, None, text)[0], named[1] if named == days else named[0]

    def after(self, frame: Interval, closely: str | None, text: str) -> Interval:
        """To the end of the day, or, of midnight, of the night, or, of a whole day, of all that was recorded."""
        days, named = self.when(frame, text)
        if closely:
            return named[1], named[1] + AROUND
        if named == days:
            return named[1], self.end
        day = midnight(days[0])
        ended = max(day + ONE_DAY, days[1])
        return named[1], ended if named[1] < ended else day + NIGHT_ENDS

    def between(self, frame: Interval, first: str, second: str) -> Interval:
        """Of hours that may be two, those that lie nearest: "from 10 to 2", "between 8 and 9 pm"."""
        (day, hour), (other_day, other_hour) = split_when(first) or ("", ""), split_when(second) or ("", "")
        if hour and other_hour and not (day and other_day):
            days, _ = self.when(frame, day or other_day or hour)
            pairs = product(self._times(days, hour), self._times(days, other_hour))
            lengths = [((other - began) % ONE_DAY or ONE_DAY, began) for (began, _), (other, _) in pairs]
            length, began = min(lengths, key=lambda pair: pair[0])
            return began, began + length
        if not day and not other_hour:
            raise not_a_time(first)  # "between 1 and 3 March" is about no hour
        began, ended = self.when(frame, first)[1][0], self.until(frame, second)[1]
        if began >= ended and first.startswith(WEEKDAYS):
            began -= timedelta(weeks=1)
        return began, ended

    def last(self, frame: Interval, number: str | None, unit: str) -> Interval:
        return self.now - read_amount(number or "a", unit)[0], self.now

    def earlier(self, frame: Interval, text: str) -> Interval:
        began, ended = self.at(frame, text)
        return began, min(ended, self.now)

    def just_now(self, frame: Interval) -> Interval:
        return self.now - JUST_NOW, self.now


_CLOSELY = "(?:(right|just|shortly|soon|immediately) )?"
_LAST = rf"(?:(?:in|within|during|over|for) (?:the )?(?:last|past)|(?:the )?(?:last|past)(?= {NUMBER}))"
_NO_TOPIC = r"(?<!about )(?<!of )(?<!for )(?<!like )(?<!than )(?<!\bis )(?<!\bwas )"  # "what day was yesterday?"
# the ways to name a time in a question, and what they mean
GRAMMAR: tuple[tuple[str, Callable[..., Interval]], ...] = (
    (rf"(?:from|between) ({WHEN}) (?:to|until|till|and) ({WHEN})", _Reader.between),
    (rf"({EXACT})(?: ?[-–] ?| to | until )({EXACT})", _Reader.between),
    (rf"since ({WHEN})", _Reader.since),
    (rf"{_CLOSELY}before ({WHEN})", _Reader.before),
    (rf"(?:until|till) ({WHEN})", _Reader.until),
    (rf"{_CLOSELY}after ({WHEN})", _Reader.after),
    (rf"(?:(?:at )?around|at about) ({WHEN})", _Reader.around),
    (rf"(?:at|during) ({TIME}(?:{JOINT}{NAMED_DAY})?)", _Reader.at),
    (rf"in (the {PART}(?:{JOINT}{NAMED_DAY})?)", _Reader.at),
    (rf"(?:at|on|in|over|during) ({NAMED_DAY}(?:{JOINT}{TIME})?)", _Reader.at),
    (rf"earlier ({DAY})", _Reader.earlier),
    (rf"{_LAST} (?:({NUMBER}) )?({UNIT})", _Reader.last),
    (r"just now|a moment ago", _Reader.just_now),
    (rf"{_NO_TOPIC}({DAY}(?:{JOINT}{TIME})?|{WEEKDAY} {PART})", _Reader.at),
)


@cache
def _rows() -> list[tuple[re.Pattern[str], Callable[..., Interval]]]:
    """GRAMMAR, where it stands by itself: not in "today's", "8-10", "the last hour of the film"."""
    alone = r"(?<![\w'’.:/-])(?:{})(?![\w'’]|-\w| of\b|\s*[-–]\s*\d)"
    return [(re.compile(alone.replace("{}", row), re.IGNORECASE), read) for row, read in GRAMMAR]
