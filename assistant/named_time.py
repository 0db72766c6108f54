"""The days and the times of day that words name: "yesterday", "the 3rd", "last week"; "8:30", "half past nine", "noon".

DAY, NAMED_DAY, TIME and WHEN are patterns of lower-case words, `read_days` and `read_hours` say what they mean. What
may as well be something else is a time only where no noun follows it. dateparser reads what names a month; for
anything else it is not strict enough. This file does not know what a preposition or a question makes of a time.
"""

import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta

from store.errors import UserError

Interval = tuple[datetime, datetime]

ONE_DAY = timedelta(days=1)
AGO_SHARE = 0.25  # "two hours ago" may be this share of them more or less
# from which hour of the day until which; noon and midnight are moments, and the night reaches into the next day
PARTS: dict[str, tuple[float, float]] = {
    "breakfast": (7, 9), "morning": (5, 12), "noon": (12, 12), "midday": (12, 12), "lunch": (12, 13.5),
    "lunchtime": (12, 13.5), "afternoon": (12, 18), "evening": (18, 23), "dinner": (18, 20), "dinnertime": (18, 20),
    "supper": (18, 20), "night": (18, 29), "midnight": (24, 24),
}  # fmt: skip
DAYTIME = range(7, 19)  # an hour that may be one of the morning or of the evening is first taken for one of these
PERIODS = {"day": 1, "week": 7, "month": 31, "year": 366}  # how many days they have at most
UNITS = {"sec": timedelta(seconds=1), "min": timedelta(minutes=1), "hour": timedelta(hours=1), "day": ONE_DAY,
         "week": timedelta(weeks=1), "month": timedelta(days=30)}  # fmt: skip
HOURS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
         "eleven": 11, "twelve": 12}  # fmt: skip
NUMBERS: dict[str, float] = {**HOURS, "a": 1, "an": 1, "half a": 0.5, "half an": 0.5, "a couple of": 2, "a few": 5,
                             "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40}  # fmt: skip
TURNS = {"half past": 0.5, "quarter past": 0.25, "quarter to": -0.25}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def any_of(words: Iterable[str]) -> str:
    """The pattern of one of these words or patterns, the longest first."""
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


# an hour is one in "after 9 in the hall", but not in "after 9 cups"
_NO_NOUN = any_of([
    *PARTS, *WEEKDAYS, "i|you|he|she|it|we|they|who|what|where|when|why|how|which|did|do|does|was|were|is|are|am|have",
    "had|has|can|could|on|in|at|with|from|to|and|or|but|while|after|before|until|till|since|between|during|around",
    "today|yesterday|tonight|this|last|the|my|a|an|there|please",
])  # fmt: skip
END = rf"(?=\s*(?:$|[?!.,;:)]+(?:\s|$)|\s[-–]|\s{_NO_NOUN}\b))"

_HOUR = rf"(?:2[0-4]|[01]?\d|{any_of(HOURS)})"
_HALF = r"(?: ?[ap]m\b| ?[ap]\.m\.| in the (?:morning|afternoon|evening)\b| at night\b)"
EXACT = any_of((  # a time of day and nothing else
    rf"(?:2[0-4]|[01]?\d)[:.][0-5]\d(?::[0-5]\d)?\b{_HALF}?",
    rf"{_HOUR}(?:{_HALF}| o['’]?clock\b{_HALF}?)",
    rf"(?:a )?{any_of(TURNS)} {_HOUR}\b{_HALF}?",
))  # fmt: skip
PART = rf"{any_of(PARTS)}\b{END}"
TIME = rf"(?:{EXACT}|(?!one\b){_HOUR}\b{END}|(?:the )?{PART})"

NUMBER = rf"(?:\d{{1,3}}|{any_of(NUMBERS)})"
UNIT = r"(?:sec(?:ond)?|min(?:ute)?|hour|day|week|month)s?\b"
WEEKDAY = any_of(WEEKDAYS)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b"
)
_YEAR, _OF_MONTH, _TH = r"(?:,? (?:19|20)\d\d\b)", r"(?:3[01]|[12]?\d)", r"(?:(?:st|nd|rd|th)\b)"
_DATE = rf"(?:{_OF_MONTH}{_TH}?(?: of)? {_MONTH}|{_MONTH} {_OF_MONTH}(?:{_TH}|\b)){_YEAR}?{END}"
DAY = any_of((  # it tells a day, or days, by itself
    r"today\b", r"tonight\b", r"yesterday\b", r"(?:the )?day before yesterday\b", r"last night\b",
    r"this (?:morning|afternoon|evening)\b", rf"(?:this|last) (?:{WEEKDAY}|week(?:end)?|month|year)\b",
    rf"{NUMBER} {UNIT} ago\b", rf"(?:{WEEKDAY},? )?(?:the )?(?:\d{{4}}-\d\d-\d\d\b|{_DATE})",
))  # fmt: skip
NAMED_DAY = rf"(?:{DAY}|(?:{WEEKDAY}\b|{_MONTH}{_YEAR}?|the {_OF_MONTH}{_TH}|the weekend\b){END})"  # or with "on", "in"

JOINT = r",? (?:(?:at|in|on|during) )?"
WHEN = rf"(?:{NAMED_DAY}(?:{JOINT}{TIME})?|{TIME}(?:{JOINT}{NAMED_DAY})?)"  # a day, a time of day, or both

_CLOCK = re.compile(
    rf"(?:(?:a )?(?P<turn>{any_of(TURNS)}) )?(?P<hour>\d+|[a-z]+?)(?:[:.](?P<minute>\d\d))?(?::(?P<second>\d\d))?"
    r"(?: o['’]?clock)?(?: ?(?P<half>[ap])\.?m\.?| (?P<part>in the \w+|at night))?"
)


def not_a_time(said: str) -> UserError:
    """What a person is told whose words name no time."""
    return UserError(f"{said!r} is not a time.", 'Write, for example, "yesterday morning" or "on Monday from 8 to 9".')


def midnight(at: datetime) -> datetime:
    """The beginning of its day."""
    return datetime.combine(at, time(), at.tzinfo)


def split_when(text: str) -> tuple[str, str] | None:
    """The day and the time of day of what matches WHEN, one of them maybe ""; None for anything else."""
    if both := re.fullmatch(rf"({NAMED_DAY})(?:{JOINT}({TIME}))?", text):
        return both[1], both[2] or ""
    both = re.fullmatch(rf"({TIME})(?:{JOINT}({NAMED_DAY}))?", text)
    return both and (both[2] or "", both[1])


def read_amount(number: str, unit: str) -> tuple[timedelta, str]:
    """How long "two" "hours" are, and their name in UNITS."""
    name = next(name for name in UNITS if unit.startswith(name))
    return float(NUMBERS.get(number, number)) * UNITS[name], name


def read_hours(text: str) -> list[tuple[float, float]]:
    """From which hour until which what matches TIME may last, the likeliest first: 8 is 8:00 or 20:00."""
    if text.removeprefix("the ") in PARTS:
        return [PARTS[text.removeprefix("the ")]]
    said = _CLOCK.fullmatch(text)
    if not said:
        raise not_a_time(text)
    past = TURNS.get(said["turn"], 0) + int(said["minute"] or 0) / 60 + int(said["second"] or 0) / 3600
    hours = _whole_hours(said["hour"], said["half"] or said["part"] or "")
    return [(hour + past, hour + past) for hour in [*hours, *(hour + 24 for hour in hours)]]


def _whole_hours(said: str, half: str) -> list[int]:
    hour = HOURS.get(said) or int(said)
    if half:
        morning = half in ("a", "in the morning") or half == "at night" and hour % 12 < 6
        return [hour % 12 + 12 * (not morning)]
    if hour > 12 or said.startswith("0"):
        return [hour]
    return sorted((hour % 12, hour % 12 + 12), key=lambda hour: hour not in DAYTIME)


def read_days(text: str, now: datetime) -> Interval:
    """From when until when what matches NAMED_DAY lasts. UserError for a date that no calendar has."""
    today, (which, *_), name = midnight(now), text.split(), text.split()[-1]
    if name in ("today", "yesterday"):
        return _period("day", today - ONE_DAY * {"today": 0, "yesterday": 1, "the": 2, "day": 2}[which])
    if name in WEEKDAYS:
        last = which == "last"
        return _period("day", today - ONE_DAY * ((today.weekday() - WEEKDAYS.index(name) - last) % 7 + last))
    if name in PARTS or name == "tonight":
        began_at, ended_at = PARTS.get(name, PARTS["night"])
        day = today - ONE_DAY * (which == "last")
        return day + timedelta(hours=began_at), day + timedelta(hours=ended_at)
    if name == "weekend":
        return _weekend(which, today)
    if name in PERIODS:
        this = _period(name, today)
        return this if which == "this" else _period(name, this[0] - ONE_DAY)
    return _ago(text, now) if name == "ago" else _date(text, today)


def _period(name: str, at: datetime) -> Interval:
    """The day, the week from Monday, the month or the year in which a moment lies."""

    def begin(at: datetime) -> datetime:
        back = {"day": 0, "week": at.weekday(), "month": at.day - 1, "year": at.timetuple().tm_yday - 1}[name]
        return midnight(at) - back * ONE_DAY

    return begin(at), begin(begin(at) + PERIODS[name] * ONE_DAY)


def _weekend(which: str, today: datetime) -> Interval:
    """This week's if it is asked for as such; else one that has begun, and "last" one that is over."""
    saturday = _period("week", today)[0] + 5 * ONE_DAY
    if which == "last" or which == "the" and today < saturday:
        saturday -= 7 * ONE_DAY
    return saturday, saturday + 2 * ONE_DAY


def _ago(text: str, now: datetime) -> Interval:
    number, unit = text.removesuffix(" ago").rsplit(" ", 1)
    ago, name = read_amount(number, unit)
    return _period(name, now - ago) if name in PERIODS else (now - (1 + AGO_SHARE) * ago, now - (1 - AGO_SHARE) * ago)


def _date(text: str, today: datetime) -> Interval:
    """The latest such day or month that has begun."""
    if nth := re.fullmatch(r"the (\d+)\w\w", text):
        days = (today - back * ONE_DAY for back in range(62))
        return _period("day", next(day for day in days if day.day == int(nth[1])))
    plain = re.sub(rf"^{WEEKDAY},? |\b(?:the|of) |,", "", text)
    if plain[:4].isdigit():
        return _period("day", _iso_day(plain).replace(tzinfo=today.tzinfo))
    from dateparser import parse

    settings = {
        "RELATIVE_BASE": today.replace(tzinfo=None),
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
    }
    found = parse(plain, languages=["en"], settings={**settings, "PARSERS": ["absolute-time"]})
    if found is None:
        raise not_a_time(text)
    is_month = re.fullmatch(rf"{_MONTH}{_YEAR}?", plain)
    return _period("month" if is_month else "day", found.replace(tzinfo=today.tzinfo))


def _iso_day(text: str) -> datetime:
    """dateparser takes the 13th month for a day."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise not_a_time(text) from error
