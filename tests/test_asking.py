"""Which questions ask for words, and for which: a table of what people say."""

import pytest

from assistant.asking import asks_for_words, content_words
from assistant.training.grammar import PHRASINGS

READ = """
what did the sign at the shop say?
What does the label on the bottle read?
what was written on the whiteboard?
what's written there?
tell me what the menu said
what did I read on the poster
what was on the receipt?
what text was on the screen?
what did the letter tell me
what time did the clock show?
which words were on the banner?
"""
HEARD = """
what did she say about the meeting?
What did I say?
what did the doctor tell me?
what did the man with the sign say?
who said hello?
what was said about the bus?
what did I hear at nine?
what were we talking about?
did anyone mention the bus?
what name did he tell me?
when did she say the train leaves?
have I told her about the wallet?
what did my wife talk about?
did I tell Anna where I put the keys?
what did I say to the bank about the letter?
"""
EITHER = """
what was the name of the man?
what's her name?
what did it say?
what did the announcement say?
what is the price?
what does the message say?
"""
NEITHER = """
where did I put the note?
where did I put my letter?
where did I put the book that she read?
where did I put the note that said hello?
where did I leave the newspaper I read?
what did I put down when she said hello?
what did I put on the sign?
what did she show me?
what colour is the book?
which room is the label in?
what is the number of keys?
what did I do?
"""


@pytest.mark.parametrize(("kind", "questions"), [("read", READ), ("heard", HEARD), ("either", EITHER), (None, NEITHER)])
def test_a_question_asks_for_words_that_were_read_or_heard_or_for_none(kind: str | None, questions: str) -> None:
    asked = questions.strip().splitlines()
    assert {question: asks_for_words(question) for question in asked} == dict.fromkeys(asked, kind)


def test_no_question_that_a_checkpoint_was_taught_is_taken_for_one_about_words() -> None:
    taught = [way.format(thing) for ways in PHRASINGS.values() for way in ways for thing in ("book", "letter", "phone")]
    assert [question for question in taught if asks_for_words(question)] == []


def test_the_words_of_a_question_are_those_that_say_what_it_is_about() -> None:
    assert content_words("What did she say about Anna's bus?") == ["anna", "bus"]
    assert content_words("where did I put the red umbrella?") == ["red", "umbrella"]
    assert content_words("what did I say?") == []
