"""The time that a question names: what is one and when it is, what is none, and what is left of the question."""

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.asked_time import asked_time, read_point, read_time
from store.errors import UserError
from store.records import Span
from tests.taught_questions import taught_questions

ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 3, 4, 10, 0, tzinfo=ZONE)  # a Wednesday
LATEST = datetime(2026, 3, 3, 21, 0, tzinfo=ZONE)
EARLIEST = "01.01.70 01:00"


def shown(span: Span) -> str:
    """The span on the wearer's calendar."""
    began, ended = (datetime.fromtimestamp(at, ZONE) for at in (span.started_at, span.ended_at))
    return f"{began:%d.%m.%y %H:%M} - {ended:%d.%m.%y %H:%M}"


DAYS = {
    "today": "04.03.26 00:00 - 05.03.26 00:00",
    "yesterday": "03.03.26 00:00 - 04.03.26 00:00",
    "the day before yesterday": "02.03.26 00:00 - 03.03.26 00:00",
    "on Monday": "02.03.26 00:00 - 03.03.26 00:00",
    "on Wednesday": "04.03.26 00:00 - 05.03.26 00:00",
    "last Wednesday": "25.02.26 00:00 - 26.02.26 00:00",
    "last Tuesday": "03.03.26 00:00 - 04.03.26 00:00",
    "3 March": "03.03.26 00:00 - 04.03.26 00:00",
    "on March 3rd, 2025": "03.03.25 00:00 - 04.03.25 00:00",
    "on the 5th of March": "05.03.25 00:00 - 06.03.25 00:00",
    "on Tuesday, 3 March 2026": "03.03.26 00:00 - 04.03.26 00:00",
    "on the 3rd": "03.03.26 00:00 - 04.03.26 00:00",
    "on the 31st": "31.01.26 00:00 - 01.02.26 00:00",
    "on 2026-02-03": "03.02.26 00:00 - 04.02.26 00:00",
    "in March": "01.03.26 00:00 - 01.04.26 00:00",
    "in May": "01.05.25 00:00 - 01.06.25 00:00",
    "this week": "02.03.26 00:00 - 09.03.26 00:00",
    "last week": "23.02.26 00:00 - 02.03.26 00:00",
    "last weekend": "28.02.26 00:00 - 02.03.26 00:00",
    "on the weekend": "28.02.26 00:00 - 02.03.26 00:00",
    "this weekend": "07.03.26 00:00 - 09.03.26 00:00",
    "last month": "01.02.26 00:00 - 01.03.26 00:00",
    "last year": "01.01.25 00:00 - 01.01.26 00:00",
    "two days ago": "02.03.26 00:00 - 03.03.26 00:00",
    "a week ago": "23.02.26 00:00 - 02.03.26 00:00",
    "this morning": "04.03.26 05:00 - 04.03.26 12:00",
    "last night": "03.03.26 18:00 - 04.03.26 05:00",
    "tonight": "04.03.26 18:00 - 05.03.26 05:00",
}
FROM_NOW = {
    "two hours ago": "04.03.26 07:30 - 04.03.26 08:30",
    "half an hour ago": "04.03.26 09:22 - 04.03.26 09:37",
    "a couple of hours ago": "04.03.26 07:30 - 04.03.26 08:30",
    "in the last 20 minutes": "04.03.26 09:40 - 04.03.26 10:00",
    "the past two hours": "04.03.26 08:00 - 04.03.26 10:00",
    "in the last hour": "04.03.26 09:00 - 04.03.26 10:00",
    "just now": "04.03.26 09:55 - 04.03.26 10:00",
    "earlier today": "04.03.26 00:00 - 04.03.26 10:00",
    "since Monday": "02.03.26 00:00 - 04.03.26 10:00",
    "since yesterday evening": "03.03.26 18:00 - 04.03.26 10:00",
    "since 9": "03.03.26 09:00 - 04.03.26 10:00",
    "since two hours ago": "04.03.26 07:30 - 04.03.26 10:00",
    "before yesterday": f"{EARLIEST} - 03.03.26 00:00",
    "until yesterday": f"{EARLIEST} - 04.03.26 00:00",
    "after Monday": "03.03.26 00:00 - 04.03.26 10:00",
}
OF_THE_LAST_DAY = {
    "at 3 pm": "03.03.26 14:45 - 03.03.26 15:15",
    "at 3 p.m.": "03.03.26 14:45 - 03.03.26 15:15",
    "at 3": "03.03.26 14:45 - 03.03.26 15:15",
    "at 03:00": "03.03.26 02:45 - 03.03.26 03:15",
    "at 3 in the morning": "03.03.26 02:45 - 03.03.26 03:15",
    "at 12 at night": "02.03.26 23:45 - 03.03.26 00:15",
    "at nine": "03.03.26 08:45 - 03.03.26 09:15",
    "at one o'clock": "03.03.26 12:45 - 03.03.26 13:15",
    "at a quarter to nine": "03.03.26 08:30 - 03.03.26 09:00",
    "at half past eight": "03.03.26 08:15 - 03.03.26 08:45",
    "at noon": "03.03.26 11:45 - 03.03.26 12:15",
    "around noon": "03.03.26 11:15 - 03.03.26 12:45",
    "at about 8:15": "03.03.26 07:30 - 03.03.26 09:00",
    "before lunch": "03.03.26 00:00 - 03.03.26 12:00",
    "right before lunch": "03.03.26 11:15 - 03.03.26 12:00",
    "after lunch": "03.03.26 13:30 - 04.03.26 00:00",
    "after 08:30": "03.03.26 08:30 - 04.03.26 00:00",
    "after midnight": "04.03.26 00:00 - 04.03.26 05:00",
    "between 8 and 9": "03.03.26 08:00 - 03.03.26 09:00",
    "between 8 and 9 pm": "03.03.26 20:00 - 03.03.26 21:00",
    "from 8:00 to 8:30": "03.03.26 08:00 - 03.03.26 08:30",
    "8:00 – 8:30": "03.03.26 08:00 - 03.03.26 08:30",
    "from 10 to 2": "03.03.26 10:00 - 03.03.26 14:00",
    "from 10 pm to 2 am": "03.03.26 22:00 - 04.03.26 02:00",
    "until 10": "03.03.26 00:00 - 03.03.26 10:00",
    "in the morning": "03.03.26 05:00 - 03.03.26 12:00",
    "in the evening": "03.03.26 18:00 - 03.03.26 23:00",
    "at night": "03.03.26 18:00 - 04.03.26 05:00",
}
COMBINED = {
    "yesterday morning": "03.03.26 05:00 - 03.03.26 12:00",
    "yesterday before lunch": "03.03.26 00:00 - 03.03.26 12:00",
    "after lunch on Monday": "02.03.26 13:30 - 03.03.26 00:00",
    "on Monday at 3 pm": "02.03.26 14:45 - 02.03.26 15:15",
    "at 3 pm on Monday": "02.03.26 14:45 - 02.03.26 15:15",
    "on Monday morning": "02.03.26 05:00 - 02.03.26 12:00",
    "yesterday between 8 and 9 am": "03.03.26 08:00 - 03.03.26 09:00",
    "from yesterday 8 to 9": "03.03.26 08:00 - 03.03.26 09:00",
    "on 1 March between 8 and 9": "01.03.26 08:00 - 01.03.26 09:00",
    "this morning after 9": "04.03.26 09:00 - 04.03.26 12:00",
    "yesterday evening at 8": "03.03.26 19:45 - 03.03.26 20:15",
    "last night at 2": "04.03.26 01:45 - 04.03.26 02:15",
    "last night after 10": "03.03.26 22:00 - 04.03.26 05:00",
    "from yesterday evening until this morning": "03.03.26 18:00 - 04.03.26 12:00",
    "from Monday to Wednesday": "02.03.26 00:00 - 05.03.26 00:00",
    "from Wednesday to Tuesday": "25.02.26 00:00 - 04.03.26 00:00",
    "two days ago in the afternoon": "02.03.26 12:00 - 02.03.26 18:00",
    "last week at noon": "23.02.26 00:00 - 02.03.26 00:00",
}
TIMES = DAYS | FROM_NOW | OF_THE_LAST_DAY | COMBINED

NO_TIME = """
where did I put my watch?
what time was it when I opened the fridge?
what did I do after I opened the fridge?
where was the cup before I picked it up?
where is the second book?
may I open it?
did I march up the stairs?
did I see the sun?
what was on the table last?
where did I last see my keys?
did I lock the door before leaving?
how many times did I wash my hands?
where is the Monday folder?
where did I put yesterday's newspaper?
did I pack the lunch box before the dinner plates?
did I read the morning paper?
what colour is the night lamp?
what was on page 3?
where are the 3 cups?
which one did I take?
what did I put down after 9 cups?
what did I put down before 3 of the cups?
what was on the 3rd shelf?
what is in room 12?
what was at the table?
will I be back in a minute?
what did I do at the last minute?
what happened in the last 20 minutes of the film?
what did she say about yesterday?
what day was yesterday?
who lives at 12 Main Street?
how long ago did I wash the cup?
did I do it for the last time?
where was I on 31 February?
where was I between 1 and 3 March?
did I lock the door yesterday or on Monday?
"""


@pytest.mark.parametrize("said", TIMES)
def test_a_time_is_found_and_the_question_is_left(said: str) -> None:
    found = asked_time(f"where did I put my wallet {said}?", NOW, LATEST)
    assert found and (found.said, found.question) == (said, "where did I put my wallet?")
    assert shown(found.span) == TIMES[said]


@pytest.mark.parametrize("said", TIMES)
def test_a_time_by_itself_is_read_alike_in_any_case(said: str) -> None:
    assert shown(read_time(said, NOW, LATEST)) == shown(read_time(f" {said.upper()} ", NOW, LATEST)) == TIMES[said]


@pytest.mark.parametrize("question", NO_TIME.strip().splitlines())
def test_what_is_no_time_is_left_alone(question: str) -> None:
    assert asked_time(question, NOW, LATEST) is None


def test_no_question_of_the_data_engine_names_a_time() -> None:
    assert len(taught_questions()) > 700
    assert [question for question in taught_questions() if asked_time(question, NOW, LATEST)] == []


@pytest.mark.parametrize(
    ("typed", "said", "left"),
    [
        ("Yesterday, where did I put my wallet?", "Yesterday", "where did I put my wallet?"),
        ("what did I do yesterday, before lunch, with it?", "yesterday before lunch", "what did I do with it?"),
        ("where was I  at   3  pm", "at 3 pm", "where was I"),
        ("yesterday morning?", "yesterday morning", ""),
    ],
)  # fmt: skip
def test_what_is_left_is_tidy(typed: str, said: str, left: str) -> None:
    found = asked_time(typed, NOW, LATEST)
    assert found and (found.said, found.question) == (said, left)


def test_a_memory_that_is_ahead_of_the_clock_is_read_to_its_end() -> None:
    ahead = NOW + timedelta(hours=3)
    assert read_time("since yesterday", NOW, ahead).ended_at > ahead.timestamp()


@pytest.mark.parametrize(("said", "when"), [("Monday", "02.03.26 00:00"), ("8:15", "03.03.26 08:15"),
                                            ("yesterday at 3 pm", "03.03.26 15:00"), ("lunch", "03.03.26 12:00"),
                                            ("2026-02-01T08:30", "01.02.26 08:30"), ("2026-02-01", "01.02.26 00:00"),
                                            ("2026-02-01T08:30Z", "01.02.26 09:30"), ("March", "01.03.26 00:00"),
                                            ("two hours ago", "04.03.26 07:30")])  # fmt: skip
def test_a_point_is_the_moment_itself_or_the_beginning_of_what_lasts(said: str, when: str) -> None:
    assert f"{read_point(said, NOW, LATEST).astimezone(ZONE):%d.%m.%y %H:%M}" == when


@pytest.mark.parametrize("said", ["", "soonish", "31 February", "yesterday on Monday", "25:00", "my wallet yesterday"])
def test_what_is_not_understood_is_answered_with_an_example(said: str) -> None:
    for read in (read_time, read_point):
        with pytest.raises(UserError, match="is not a time") as error:
            read(said, NOW, LATEST)
        assert "yesterday morning" in error.value.hint


WORDS = st.sampled_from(
    [*TIMES, *" ".join(TIMES).split(), *NO_TIME.split(), ",", "?", "ſ", "-", "…", "’s", "٣", "K", "24:59:59", "0", "99"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=9).map(" ".join)))
def test_whatever_is_typed_a_span_lasts_and_a_second_look_finds_nothing_more(typed: str) -> None:
    found = asked_time(typed, NOW, LATEST)
    if found:
        assert found.span.ended_at > found.span.started_at
        assert found.span == read_time(found.said, NOW, LATEST)
        assert asked_time(found.question, NOW, LATEST) is None
        assert {*re.findall(r"\w+", f"{found.question} {found.said}")} <= {*re.findall(r"\w+", typed)}


@pytest.mark.parametrize("read", [read_time, read_point])
@settings(max_examples=60, deadline=None)
@given(said=st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=5).map(" ".join)))
def test_a_phrase_is_read_or_refused(read: type, said: str) -> None:
    try:
        assert read(said, NOW, LATEST)
    except UserError as error:
        assert error.hint


def test_dateparser_is_loaded_only_for_a_date() -> None:
    program = "import sys, assistant.asked_time; print('dateparser' in sys.modules, 'numpy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("said", ["9999-12-31", "until 9999-12-31", "after 9999-12-31"])
def test_beyond_all_clocks_there_is_no_time(said: str) -> None:
    with pytest.raises(UserError, match="is not a time"):
        read_time(said, NOW, NOW)
    assert asked_time(f"where was it {said}?", NOW, NOW) is None
