"""What a line means in a conversation: which lines are completed, and how, and that no whole question is changed."""

import re
from datetime import datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.asked_time import read_time
from assistant.conversation import Understood, understand
from store.errors import UserError
from store.records import Span
from tests.taught_questions import taught_questions

ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 3, 4, 10, 0, tzinfo=ZONE)
LATEST = datetime(2026, 3, 3, 21, 0, tzinfo=ZONE)
WALLET = "where did I put my wallet?"


def after(*lines: str) -> Understood:
    """What the last line means after those before it."""
    before: Understood | None = None
    for line in lines:
        before = understand(line, before, NOW, LATEST)
    assert before
    return before


COMPLETED = [
    (WALLET, "and the keys?", "where did I put the keys?"),
    (WALLET, "what about my keys?", "where did I put my keys?"),
    (WALLET, "And what about her red scarf", "where did I put her red scarf?"),
    (WALLET, "the keys?", "where did I put the keys?"),
    (WALLET, "my keys", "where did I put my keys?"),
    (WALLET, "and the bag of rice?", "where did I put the bag of rice?"),
    (WALLET, "where is it now?", "where is my wallet now?"),
    (WALLET, "what colour is it?", "what colour is my wallet?"),
    (WALLET, "did I leave it there?", "did I leave my wallet there?"),
    (WALLET, "and did I leave it on the table?", "did I leave my wallet on the table?"),
    (WALLET, "and yesterday?", WALLET),
    (WALLET, "what about this morning?", WALLET),
    (WALLET, "Monday?", WALLET),
    (WALLET, "and the evening?", WALLET),
    (WALLET, "The Monday folder?", "where did I put the Monday folder?"),
    ("where is my wallet?", "and the keys?", "where are the keys?"),
    ("where are my glasses?", "and the cup?", "where is the cup?"),
    ("where are my glasses?", "did I clean them?", "did I clean my glasses?"),
    ("where are my glasses?", "are they on the table?", "are my glasses on the table?"),
    ("where was the cup when I picked it up?", "the keys?", "where were the keys when I picked them up?"),
    ("did I leave the fridge open?", "and the drawer?", "did I leave the drawer open?"),
    ("what did I put on the kitchen table?", "and the sofa?", "what did I put on the sofa?"),
    ("which hand did I put the mug down with?", "and the plate?", "which hand did I put the plate down with?"),
    ("what did the sign say?", "and the menu?", "what did the menu say?"),
    ("where did I see my wallet last?", "and my keys?", "where did I see my keys last?"),
]
NOT_COMPLETED = [
    (WALLET, "where are the keys?"),
    (WALLET, "what time was it when I opened the fridge?"),
    (WALLET, "what time is it?"),
    (WALLET, "was it raining?"),
    (WALLET, "did I wash them?"),
    (WALLET, "where was the cup when I picked it up?"),
    (WALLET, "what did they say?"),
    (WALLET, "before that?"),
    (WALLET, "what about it?"),
    (WALLET, "what about the keys on the table?"),
    (WALLET, "the last time?"),
    (WALLET, "why?"),
    ("what did I do?", "the keys?"),
    ("what did I do?", "where is it?"),
    ("what was the first thing I put down?", "my keys?"),
]


@pytest.mark.parametrize(("earlier", "typed", "meant"), COMPLETED)
def test_what_is_left_out_is_taken_from_the_question_before(earlier: str, typed: str, meant: str) -> None:
    understood = after(earlier, typed)
    assert (understood.question, understood.is_follow_up) == (meant, True)


@pytest.mark.parametrize(("earlier", "typed"), NOT_COMPLETED)
def test_what_is_not_surely_short_for_something_is_taken_as_typed(earlier: str, typed: str) -> None:
    assert after(earlier, typed) == Understood(typed, None, "", False)


def test_a_follow_up_is_about_the_same_time_until_another_is_named() -> None:
    yesterday, today = (read_time(said, NOW, LATEST) for said in ("yesterday", "today"))
    lines = [f"{WALLET[:-1]} yesterday?", "and the keys?", "and today?", "what about my cup yesterday?"]
    assert [after(*lines[: i + 1]) for i in range(4)] == [
        Understood(WALLET, yesterday, "yesterday", False),
        Understood("where did I put the keys?", yesterday, "yesterday", True),
        Understood("where did I put the keys?", today, "today", True),
        Understood("where did I put my cup?", yesterday, "yesterday", True),
    ]


def test_now_and_a_question_of_its_own_leave_the_time_of_the_one_before() -> None:
    asked = f"{WALLET[:-1]} yesterday?"
    assert after(asked, "where is it now?") == Understood("where is my wallet now?", None, "", True)
    assert after(asked, "where are my keys?") == Understood("where are my keys?", None, "", False)
    assert after(asked, "where is it?").said == "yesterday"


def test_an_empty_line_and_a_time_without_a_question_are_answered_with_an_example() -> None:
    for typed, message in ((" ?! ", "empty"), ("yesterday?", "not a question"), ("Monday", "not a question")):
        with pytest.raises(UserError, match=message) as error:
            after(typed)
        assert "wallet" in error.value.hint


def test_a_question_of_the_data_engine_is_what_was_typed_after_any_other() -> None:
    taught = taught_questions()
    earlier = Random(0).sample(taught, len(taught))
    assert [
        question
        for question, other in zip(taught, earlier, strict=True)
        if after(other, question) != Understood(question, None, "", False)
    ] == []


LINES = st.lists(
    st.sampled_from([*" ".join(map(" ".join, COMPLETED)).split(), "yesterday", "at 3 pm", "since", "’s", "İt"]),
    max_size=7,
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(LINES, st.one_of(LINES, st.text(max_size=30)))
def test_any_line_is_refused_or_made_of_words_that_were_typed(first: str, second: str) -> None:
    try:
        understood = after(first, second)
    except UserError as error:
        assert error.hint
        return
    agreeing = "is are was were it them"
    assert understood.question.endswith("?") and len(understood.question) > 1
    assert {*re.findall(r"\w+", understood.question)} <= {*re.findall(r"\w+", f"{first} {second} {agreeing}")}
    assert isinstance(understood.span, Span) == bool(understood.said)
