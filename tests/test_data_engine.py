"""The data engine: what a question rests on is where its key frames are."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.training.data_engine import NOT_SEEN, Narration, Question, key_frames

DAY = [
    Narration(1, 4, "I pick up the red wallet from the kitchen table"),
    Narration(9, 12, "I put the red wallet on the office desk"),
    Narration(30, 33, "I put the blue mug on the living room coffee table"),
]
SECONDS = [float(second) for second in range(40)]


def test_key_frames_are_the_frames_within_the_supporting_narrations() -> None:
    assert key_frames(Question("after", "", "", (1, 2)), DAY, SECONDS) == [9, 10, 11, 12, 30, 31, 32, 33]


def test_what_was_not_seen_has_no_key_frames() -> None:
    question = Question("where_put", "where are my keys?", NOT_SEEN, ())
    assert not question.answerable and key_frames(question, DAY, SECONDS) == []


@given(st.sets(st.integers(0, 2)), st.lists(st.floats(0, 40), max_size=30))
def test_a_frame_is_key_exactly_if_one_of_the_narrations_spans_it(support: set[int], times_s: list[float]) -> None:
    question = Question("", "", "", tuple(sorted(support)))
    found = key_frames(question, DAY, times_s)
    assert found == sorted(set(found))
    for i, at_s in enumerate(times_s):
        assert (i in found) == any(DAY[told].start_s <= at_s <= DAY[told].end_s for told in support)
