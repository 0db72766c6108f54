"""Haystacks: every needle of another kind and home, among frames of other homes that never use such a thing."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import numpy as np
import pytest

from assistant.checkpoints import Checkpoint
from assistant.evaluation import haystacks
from assistant.evaluation.haystacks import Recorded, examine_haystacks, recorded
from assistant.evaluation.homes import Examined
from assistant.evaluation.needle import Footage
from assistant.indexer import catch_up
from assistant.training.data_engine import Narration
from store.episodic import EpisodicStore

FRAMES = 8
SEED = next(seed for seed in range(99) if Random(seed).sample(range(3), 3) == [0, 1, 2])  # leaves homes in order
PUTS = (
    ("put the red wallet on the kitchen table", "open the fridge"),
    ("put the blue wallet on the office desk", "put the green mug on the office desk"),
    ("pick up the red mug from the bedroom bed", "put the red keys on the hallway shelf"),
)


@pytest.fixture
def seen() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def homes(tiny_checkpoint: Checkpoint, seen: list[tuple[int, int]]) -> list[Recorded]:
    """Eight seconds each, with one act from 1 to 2 s and another from 5 to 6 s; who looks at a frame is noted."""
    rng = np.random.default_rng(0)
    depth, width = tiny_checkpoint.recall.width, tiny_checkpoint.model.memory_pointer.shape[-1]

    def home(number: int, acts: tuple[str, ...]) -> Recorded:
        def picture(index: int) -> np.ndarray:
            seen.append((number, index))
            return np.zeros((16, 16, 3), np.uint8)

        told = [
            Narration(start, start + 1, f"I {act} with my left hand") for start, act in zip((1, 5), acts, strict=True)
        ]
        recall, compressed = (rng.normal(size=(FRAMES, size)).astype(np.float32) for size in (depth, width))
        return Recorded(told, [float(second) for second in range(FRAMES)], Footage(recall, compressed, picture))

    return [home(number, acts) for number, acts in enumerate(PUTS)]


@pytest.fixture
def everything(tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkpoint]:
    """A checkpoint that looks at every frame of days of 6 and 9."""
    monkeypatch.setattr(haystacks, "LENGTHS", (6, 9, 1000))
    monkeypatch.setattr(haystacks, "DEPTHS", (1.0,))
    config = tiny_checkpoint.model.config
    kept, config.selected = config.selected, 20
    yield tiny_checkpoint
    config.selected = kept


def test_needles_are_of_different_kinds_in_hay_that_never_uses_them(
    everything: Checkpoint, homes: list[Recorded], seen: list[tuple[int, int]]
) -> None:
    grid = examine_haystacks(everything, homes, SEED)
    assert (grid.needles, grid.lengths, grid.depths) == (3, (6, 9), (1.0,))
    assert grid.selected.min() == grid.proposed.min() == 1.0

    def day(hay: list[tuple[int, int]], *needle: tuple[int, int]) -> list[tuple[int, int]]:
        return [*hay[:4], *needle, *hay[:7], *needle]

    without_wallet = [(1, i) for i in (0, 3, 4, 5, 6, 7)] + [(2, i) for i in range(8)]
    without_mug = [(2, 0)] + [(0, i) for i in range(8)]  # what was picked up stays in the hand
    without_keys = [(0, i) for i in range(8)]
    days = [*day(without_wallet, (0, 1), (0, 2)), *day(without_mug, (1, 5), (1, 6)), *day(without_keys, (2, 5), (2, 6))]
    assert seen == days


def test_homes_too_short_for_any_haystack_are_refused(tiny_checkpoint: Checkpoint, homes: list[Recorded]) -> None:
    with pytest.raises(ValueError, match="3 homes have 9 frames for a haystack, and the shortest has 50"):
        examine_haystacks(tiny_checkpoint, homes, SEED)
    with pytest.raises(ValueError, match="0 homes have 0 frames"):
        examine_haystacks(tiny_checkpoint, [], SEED)


def test_a_recorded_home_keeps_its_arrays_and_opens_its_memory_for_pictures_only(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    opened: list[str] = []

    @contextmanager
    def open_home() -> Iterator[Examined]:
        opened.append("open")
        yield Examined(simulated_minute, [], tiny_checkpoint)
        opened.append("closed")

    home, truth = recorded(open_home), Examined(simulated_minute, [], tiny_checkpoint)
    assert opened == ["open", "closed"] and list(home.times_s) == truth.times_s
    np.testing.assert_array_equal(home.footage.recall, truth.recall)
    np.testing.assert_array_equal(home.footage.picture(3), truth.picture(3))
    home.footage.picture(3)
    assert opened == ["open", "closed"] * 2
