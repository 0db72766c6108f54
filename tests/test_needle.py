"""Needles: they lie where they should, recall decides what is seen of them, and the haystack does not answer."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.evaluation.needle import Footage, Needle, NeedleGrid, clear_frames, clock, examine_needles, join, seek
from assistant.training.data_engine import Narration

QUESTION = "where did I put the wallet?"


def footage(checkpoint: Checkpoint, count: int, likeness: float, seed: int = 0) -> Footage:
    """Noise, whose recall embeddings have this cosine with the question."""
    rng = np.random.default_rng(seed)
    query = checkpoint.recall.encode_question(QUESTION)
    aside = rng.normal(size=(count, len(query)))
    aside -= np.outer(aside @ query, query)
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    recall = likeness * query + np.sqrt(1 - likeness**2) * aside
    width = checkpoint.model.memory_pointer.shape[-1]
    pictures = rng.integers(0, 256, (count, 16, 16, 3), np.uint8)
    return Footage(recall.astype(np.float32), rng.normal(size=(count, width)).astype(np.float32), pictures.__getitem__)


@pytest.fixture
def even(tiny_checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    """A checkpoint that looks at the first and the last of at most 20 candidates, whatever is asked."""
    config = tiny_checkpoint.model.config
    kept = config.candidates, config.selected, config.exploration, config.least_share
    config.candidates, config.selected, config.exploration, config.least_share = 20, 2, 1.0, 0.0
    yield tiny_checkpoint
    config.candidates, config.selected, config.exploration, config.least_share = kept


def test_the_needle_lies_at_its_depth(even: Checkpoint) -> None:
    needle = Needle(QUESTION, "on the sofa.", footage(even, 1, 0.0))
    trials = seek(even, needle, footage(even, 30, 0.0, seed=1), [0.0, 0.02, 0.5, 1.0], length=20)
    assert [trial.selected for trial in trials] == [1.0, 1.0, 0.0, 1.0]
    assert [trial.proposed for trial in trials] == [1.0] * 4


def test_a_long_day_shows_what_recall_proposes(even: Checkpoint) -> None:
    haystack = footage(even, 80, 0.2, seed=1)
    near, far = (Needle(QUESTION, "on the sofa.", footage(even, 3, likeness)) for likeness in (0.9, -0.9))
    assert [t.proposed for t in seek(even, near, haystack, [0.0, 0.7, 1.0], length=80)] == [1.0, 1.0, 1.0]
    missed = seek(even, far, haystack, [0.0, 0.7, 1.0], length=80)
    assert [(t.proposed, t.selected, t.right) for t in missed] == [(0.0, 0.0, False)] * 3
    assert seek(even, near, haystack, [0.0], length=80)[0].selected == 0.5  # the first frame, of two that are looked at


def test_the_answer_rests_on_the_pictures_of_the_selected_frames(even: Checkpoint) -> None:
    needle, haystack = Needle(QUESTION, "", footage(even, 2, 0.9)), footage(even, 60, 0.0, seed=1)
    asked: list[str] = []

    def watched(name: str, source: Footage) -> Footage:
        return Footage(source.recall, source.compressed, lambda i: (asked.append(f"{name} {i}"), source.picture(i))[1])

    shown = Needle(needle.question, needle.answer, watched("needle", needle.footage))
    seek(even, shown, watched("hay", haystack), [1.0], length=12)
    assert asked == ["hay 0", "needle 1"]


def test_only_the_needles_answer_is_right(even: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    width = grain_of([np.zeros((8, 8, 3), np.uint8)]).shape[1]
    elsewhere = Domain(np.full(width, 9.0, np.float32), np.eye(width, dtype=np.float32), 1.0)
    monkeypatch.setattr(type(even), "domain", elsewhere, raising=False)  # so that it says that it did not see that
    event, haystack = footage(even, 2, 0.9), footage(even, 20, 0.0, seed=1)
    said = [
        seek(even, Needle(QUESTION, answer, event), haystack, [0.5], length=12)[0].right
        for answer in ("i did not see that", "I did not see that.", "on the sofa.")
    ]
    assert said == [True, True, False]


def test_the_grid_is_the_mean_over_needles_and_becomes_plain_values(even: Checkpoint) -> None:
    haystack = footage(even, 60, 0.2, seed=1)
    needles = [(Needle(QUESTION, "on the sofa.", footage(even, 2, likeness)), haystack) for likeness in (0.9, -0.9)]
    grid = examine_needles(even, needles, depths=(0.0, 0.5, 1.0), lengths=(10, 60))
    assert isinstance(grid, NeedleGrid) and grid.needles == 2
    assert grid.right.shape == grid.selected.shape == (3, 2)
    assert grid.proposed.tolist() == [[1.0, 0.5]] * 3
    assert grid.selected.tolist() == [[0.5, 0.25], [0.0, 0.0], [0.5, 0.25]]
    assert json.loads(json.dumps(grid.to_json()))["lengths"] == [10, 60]


@pytest.mark.parametrize("length", [2, 34])
def test_a_day_must_hold_the_needle_and_have_hay_enough(even: Checkpoint, length: int) -> None:
    with pytest.raises(ValueError, match=f"a day of {length} frames"):
        seek(even, Needle(QUESTION, "", footage(even, 3, 0.0)), footage(even, 30, 0.0), [0.5], length)


def test_joined_footage_keeps_every_picture_and_number_in_place(tiny_checkpoint: Checkpoint) -> None:
    parts = [footage(tiny_checkpoint, count, 0.5, seed) for seed, count in enumerate((3, 1, 4))]
    whole = join(parts)
    picked = whole.part([7, 0, 3])
    assert len(whole) == 8 and len(picked) == 3
    for i, (part, own) in enumerate(((2, 3), (0, 0), (1, 0))):
        np.testing.assert_array_equal(picked.picture(i), parts[part].picture(own))
        np.testing.assert_array_equal(picked.recall[i], parts[part].recall[own])
        np.testing.assert_array_equal(picked.compressed[i], parts[part].compressed[own])


@pytest.mark.parametrize("length", [1, 300, 100_000])
def test_clocks_follow_one_day(length: int) -> None:
    clocks = [clock(place, length) for place in range(length)]
    assert clocks[0] == "06:00:00" and clocks == sorted(clocks) and clocks[-1] < "24:00:00"


def test_clear_frames_show_neither_the_thing_in_use_nor_in_the_hand() -> None:
    narrations = [
        Narration(2, 3, "I put the red cup on the sofa with my left hand"),
        Narration(5, 6, "I open the cupboard with my right hand"),
        Narration(8, 9, "I pick up the red Cup from the sofa with my left hand"),
        Narration(11, 12, "I put the red cup on the desk with my left hand"),
        Narration(14, 15, "I pick up the blue cup from the desk with my left hand"),
    ]
    assert clear_frames("cup", narrations, range(18)) == [0, 1, 4, 5, 6, 7, 13]
    assert clear_frames("wallet", narrations, range(4)) == [0, 1, 2, 3]
