"""Finding moments by words and by pictures: the two rankings fused by their ranks, each moment once a ranking."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.checkpoints import Checkpoint
from assistant.finding import K, find, fuse
from assistant.indexer import catch_up
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Heard, Span

BEGAN = 1_760_000_010.0  # a half minute begins


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    """A session of five minutes with a keyframe every ten seconds, so three a moment."""
    with EpisodicStore.open(tmp_path / "memory") as opened:
        opened.begin_session("a test", BEGAN, 0, 1.0)
        for at_s in range(0, 300, 10):
            opened.add_keyframe(1, BEGAN + at_s, 0, b"jpeg", 64, 48, 1.0)
        yield opened


def tell(store: EpisodicStore, *rows: tuple[float, str]) -> None:
    told = [Heard(1, BEGAN + at_s, BEGAN + at_s + 2, text, "speech", "an engine", 0.9) for at_s, text in rows]
    store.keep_heard([], told, keep_sound=True)


def picture(store: EpisodicStore, *at_s: int) -> np.ndarray:
    """Embeds the keyframes of these seconds, and returns a vector that the first is nearest to, then the second..."""
    keyframes = {keyframe.captured_at - BEGAN: keyframe.id for keyframe in store.keyframes()}
    recall = np.eye(len(at_s))
    store.add_embeddings("made-up", [keyframes[each] for each in at_s], recall, np.zeros((len(at_s), 1)))
    return np.linspace(1, 0.5, len(at_s))


def test_a_moment_high_in_both_rankings_comes_before_the_first_of_either(store: EpisodicStore) -> None:
    tell(store, (70, "umbrella"), (130, "an umbrella and much else besides"), (250, "no word of it"))
    found = fuse(store, "made-up", "umbrella", picture(store, 200, 210, 140, 130, 20))
    assert [(each.moment.started_at - BEGAN, each.moment.score) for each in found] == [
        (120, pytest.approx(1 / (K + 2) + 1 / (K + 3))),
        (180, pytest.approx(1 / (K + 1))),
        (60, pytest.approx(1 / (K + 1))),
        (210, pytest.approx(1 / (K + 2))),
        (0, pytest.approx(1 / (K + 4))),
    ]
    assert [each.seen for each in found] == [True, True, False, True, True]
    assert [len(each.quoted) for each in found] == [1, 0, 1, 0, 0]


def test_a_moment_is_whole_and_says_by_which_words_and_keyframe_it_was_found(store: EpisodicStore) -> None:
    tell(store, (61, "umbrella"), (79, "my umbrella was here"), (290, "two umbrellas"))
    first, last = fuse(store, "made-up", "umbrella", None)
    assert [row.text for row in first.quoted] == ["umbrella", "my umbrella was here"]
    assert (first.moment.keyframe.captured_at - BEGAN, first.moment.keyframes, first.seen) == (60, 3, False)
    assert last.moment.keyframe.captured_at - BEGAN == 290


def test_with_pictures_alone_or_words_alone_or_neither_there_is_what_there_is(store: EpisodicStore) -> None:
    assert fuse(store, "made-up", "umbrella", np.ones(4)) == []
    vector = picture(store, 200, 20)
    assert [each.moment.started_at - BEGAN for each in fuse(store, "made-up", "umbrella", vector)] == [180, 0]
    assert [each.moment.started_at - BEGAN for each in fuse(store, "made-up", "", vector, limit=1)] == [180]


def test_only_the_span_is_searched(store: EpisodicStore) -> None:
    tell(store, (70, "umbrella"), (250, "umbrella"))
    vector = picture(store, 70, 140, 200)
    found = fuse(store, "made-up", "umbrella", vector, Span(BEGAN + 120, BEGAN + 240))
    assert [each.moment.started_at - BEGAN for each in found] == [120, 180]


def test_words_far_from_any_picture_are_no_moment(store: EpisodicStore) -> None:
    tell(store, (330, "a late umbrella"), (500, "too late an umbrella"))
    (found,) = fuse(store, "made-up", "umbrella", None)
    assert found.moment.started_at == BEGAN + 270 and [row.text for row in found.quoted] == ["a late umbrella"]


def test_a_query_is_encoded_if_the_checkpoint_knows_its_words(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    session, began = simulated_minute.sessions()[0], simulated_minute.keyframes()[0].captured_at
    told = Heard(session.id, began, began + 1, "where is the accordion", "speech", "an engine", 0.9)
    simulated_minute.keep_heard([], [told], keep_sound=True)
    seen = find(simulated_minute, tiny_checkpoint, "where is the wallet?")
    assert sum(each.moment.keyframes for each in seen) == simulated_minute.count()
    assert all(each.seen and not each.quoted for each in seen)
    for query in ("where is the accordion?", '"the accordion"', "accord*"):
        (heard,) = find(simulated_minute, tiny_checkpoint, query)
        assert [row.text for row in heard.quoted] == ["where is the accordion"] and not heard.seen
    with pytest.raises(UserError, match="empty"):
        find(simulated_minute, tiny_checkpoint, "  ")
