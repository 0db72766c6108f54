"""Quoting what was read and heard: by its words, else by what stayed in view, and honest where there is nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.asking import Kind
from assistant.quotation import QUOTED, find_quotation, quote
from store.episodic import EpisodicStore
from store.records import Heard, Span

BEGAN = 1_772_434_800.0  # 08:00 an hour east of UTC
SIGN = "what did the sign say?"


def row(at_s: float, text: str, engine: str = "rapidocr", confidence: float = 0.9, length_s: float = 10.0) -> Heard:
    source = "scene-text" if engine == "rapidocr" else "speech"
    return Heard(1, BEGAN + at_s, BEGAN + at_s + length_s, text, source, engine, confidence)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    """A session with a keyframe every ten seconds, two of them not yet read."""
    with EpisodicStore.open(tmp_path / "memory") as opened:
        opened.begin_session("a test", BEGAN, 3600, 1.0)
        ids = [opened.add_keyframe(1, BEGAN + at_s, 3600, b"jpeg", 64, 48, 1.0).id for at_s in range(0, 150, 10)]
        opened.keep_read(ids[:-2], [])
        yield opened


def told(store: EpisodicStore, *rows: Heard) -> EpisodicStore:
    store.keep_heard([], rows, keep_sound=True)
    return store


def test_the_words_asked_for_come_first(store: EpisodicStore) -> None:
    told(store, row(0, "EXIT", length_s=500), row(70, "BAKERY / OPEN 9-17"), row(80, "the bakery", "whisper"))
    found = find_quotation(store, "what did the sign at the bakery say?", "read")
    assert found.text == 'I read "BAKERY / OPEN 9-17" at 08:01.'
    (moment,) = found.moments
    assert moment.keyframe.captured_at == BEGAN + 70 and moment.score == 0.9
    assert (moment.started_at, moment.ended_at) == (BEGAN + 70, BEGAN + 80)
    assert found.note == "Quoted as rapidocr wrote it down."


def test_without_such_words_it_is_what_was_surest_and_longest_in_view(store: EpisodicStore) -> None:
    told(store, row(0, "brief", length_s=1), row(20, "EXIT"), row(40, "unsure", confidence=0.61), row(60, "exit"))
    assert [each.text for each in quote(store, SIGN, "read")] == ["exit", "unsure", "brief"]
    told(store, *(row(100 + 20 * n, f"TEXT {n}") for n in range(9)))
    assert len(quote(store, SIGN, "read")) == QUOTED


def test_what_is_part_of_a_better_text_is_not_quoted_again(store: EpisodicStore) -> None:
    told(store, row(0, "BAKERY / OPEN 9-17", length_s=20), row(20, "OPEN 9-17"))
    assert [each.text for each in quote(store, SIGN, "read")] == ["BAKERY / OPEN 9-17"]


def test_what_was_heard_is_found_by_its_words_alone_and_called_rough(store: EpisodicStore) -> None:
    told(store, row(130, "take the bus at nine", "pocketsphinx", 0.2, 3.0), row(140, "hello", "pocketsphinx"))
    found = find_quotation(store, "what did she say about the bus?", "heard")
    assert found.text == 'I heard "take the bus at nine" at 08:02 (rough transcript).'
    assert "pocketsphinx" in found.note and "misheard" in found.note
    assert quote(store, "what did she say about the train?", "heard") == []


def test_who_asks_for_anything_said_hears_the_last_of_it(store: EpisodicStore) -> None:
    told(store, *(row(10 * n, f"sentence {n}", "whisper") for n in range(5)))
    said = [each.text for each in quote(store, "what did I say?", "heard")]
    assert said == ["sentence 4", "sentence 3", "sentence 2"]
    assert [each.text for each in quote(store, "what did I say?", "heard", Span(BEGAN, BEGAN + 10))] == ["sentence 0"]


@pytest.mark.parametrize("kind", ["read", "either", None])
def test_what_the_wearer_noted_is_quoted_as_that(store: EpisodicStore, kind: Kind | None) -> None:
    store.add_note(1, Span(BEGAN + 60, BEGAN + 80), "the boiler is Anna's")
    found = find_quotation(store, "what does my note say about the boiler?", kind)
    assert found.text == 'You noted "the boiler is Anna\'s" at 08:01.'
    assert found.note == "Quoted as you wrote it down."
    (moment,) = found.moments
    assert moment.keyframe.captured_at == BEGAN + 60 and moment.score == 1.0


def test_what_was_noted_was_not_heard(store: EpisodicStore) -> None:
    store.add_note(1, Span(BEGAN + 60, BEGAN + 80), "the boiler is Anna's")
    assert quote(store, "what did she say about the boiler?", "heard") == []
    assert quote(store, "what did I say?", "heard") == quote(store, SIGN, "read") == []


def test_a_name_may_have_been_read_or_heard(store: EpisodicStore) -> None:
    told(store, row(0, "Michael / Sales"), row(10, "my name is michael", "whisper"))
    texts = {each.text for each in quote(store, "what is the name of Michael's firm?", "either")}
    assert texts == {"Michael / Sales", "my name is michael"}


def test_where_nothing_was_found_it_says_how_much_was_looked_through(store: EpisodicStore) -> None:
    found = find_quotation(store, SIGN, "read")
    assert (found.text, found.quoted, found.moments) == ("I read nothing of it.", (), ())
    assert found.note == "Looked through so far: keyframes read: 13 of 15."
    store.add_sound(1, BEGAN, BEGAN + 10, 3600, b"ogg")
    told(store, row(0, "hello", "whisper"))
    heard = find_quotation(store, "what did she say about the bus?", "heard")
    assert heard.text == "I heard nothing of it."
    assert heard.note == "Looked through so far: transcripts of speech: 1, sounds not yet listened to: 1."


def test_only_the_asked_span_is_quoted(store: EpisodicStore) -> None:
    told(store, row(0, "EXIT"), row(300, "BAKERY"))
    assert [each.text for each in quote(store, SIGN, "read", Span(BEGAN + 200, BEGAN + 600))] == ["BAKERY"]
    assert quote(store, "where is the exit?", None, Span(BEGAN + 200, BEGAN + 600)) == []


def test_a_sentence_without_a_picture_is_quoted_without_a_moment(store: EpisodicStore) -> None:
    other = store.begin_session("a microphone", BEGAN, 0, 1.0)
    words = Heard(other.id, BEGAN, BEGAN + 3, "take the bus", "speech", "whisper", 0.8)
    found = find_quotation(told(store, words), "who said bus?", "heard")
    assert found.text == 'I heard "take the bus" at 07:00.' and found.moments == ()
