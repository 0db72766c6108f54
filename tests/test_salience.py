"""Which keyframes stay in full: those of acts, what differs, one a minute; the others become small and are not lost."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import checkpoints
from assistant.checkpoints import Checkpoint
from assistant.indexer import SMALL_PX, catch_up, decode
from assistant.salience import ALWAYS_AFTER_S, UNREAD_ALWAYS_AFTER_S, Kept, Salience, cosine, worth_keeping
from assistant.training.narrations import read_narrations
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from store.config import Capture
from store.episodic import EpisodicStore
from store.upkeep.check import check

FIRST = Salience(np.array([1.0, 0.0, 0.0], np.float32), -0.5)  # salient where the first number is above a half
ACT, WALK, OTHER_ACT = (1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1.0, -1.0)


def rows(*frames: tuple[float, float, float]) -> np.ndarray:
    return np.array(frames, np.float32)


def test_acts_are_kept_once_and_the_way_between_them_is_not() -> None:
    seen = rows(WALK, ACT, ACT, WALK, OTHER_ACT, ACT)
    assert worth_keeping(range(6), seen, FIRST, Kept(-1.0, rows(WALK)[0])) == [1, 4, 5]


def test_the_same_act_later_is_kept_again_and_something_is_kept_every_minute() -> None:
    at = [0.0, 1.0, 10.0, ALWAYS_AFTER_S + 9, ALWAYS_AFTER_S + 11]
    assert worth_keeping(at, rows(ACT, ACT, ACT, WALK, WALK), FIRST, None) == [0, 2, 4]


def test_without_a_reading_what_differs_from_the_last_one_kept_is_kept() -> None:
    seen = rows(WALK, WALK, ACT, ACT, WALK, WALK)
    at = [0, 1, 2, 3, 4, 4 + UNREAD_ALWAYS_AFTER_S]
    assert worth_keeping(at, seen, None, None) == [0, 2, 4, 5]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.integers(0, 3)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.booleans(),
)
def test_judging_in_passes_keeps_what_judging_at_once_keeps(
    frames: list[tuple[float, int]], size: int, read: bool
) -> None:
    at = np.cumsum([step for step, _ in frames]).tolist()
    seen = rows(*((ACT, WALK, OTHER_ACT, (0.6, 0.5, 0.0))[kind] for _, kind in frames))
    salience = FIRST if read else None
    together = worth_keeping(at, seen, salience, None)
    kept: list[int] = []
    for begin in range(0, len(at), size):
        last = Kept(at[kept[-1]], seen[kept[-1]]) if kept else None
        part = worth_keeping(at[begin : begin + size], seen[begin : begin + size], salience, last)
        kept += [begin + i for i in part]
    assert kept == together
    assert kept[0] == 0
    assert max(np.diff([at[i] for i in kept], append=at[-1]), default=0) < ALWAYS_AFTER_S + 30


def test_a_reading_is_learned_saved_and_read_back(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    is_key = chance.random(2000) < 0.2
    compressed = chance.normal(size=(2000, 24)).astype(np.float32) + is_key[:, None] * np.linspace(0, 1, 24)
    Salience.fit(compressed, is_key, 0.25).save(tmp_path)
    reading = Salience.load(tmp_path)
    found = reading.is_salient(compressed)
    assert found.mean() == pytest.approx(0.25, abs=0.01)
    assert found[is_key].mean() > 0.9


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return checkpoints.load("nano")


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory, nano: Checkpoint) -> Iterator[EpisodicStore]:
    """A simulated minute and a half, indexed as a user's memory is, with its truth beside it."""
    folder = tmp_path_factory.mktemp("morning")
    with EpisodicStore.open(folder / "memory") as store:
        record(store, SimulatedCamera(900_700, 1.5, 1.0, narrations=folder / "narrations.csv"), Capture())
        assert catch_up(store, nano) == store.count()
        yield store


def test_every_act_of_a_morning_stays_in_full_and_most_of_it_becomes_small(morning: EpisodicStore) -> None:
    (narrations,) = read_narrations(morning.directory.parent / "narrations.csv").values()
    began_at = morning.sessions()[0].started_at
    in_full = [each.captured_at - began_at for each in morning.keyframes() if not each.reduced]
    for narration in narrations:
        assert any(narration.start_s <= at_s <= narration.end_s for at_s in in_full), narration.text
    assert len(in_full) < 0.35 * morning.count()
    assert check(morning).clean


def test_what_became_small_can_be_seen_and_embedded_again(morning: EpisodicStore, nano: Checkpoint) -> None:
    small = [keyframe for keyframe in morning.keyframes() if keyframe.reduced]
    images = [decode(morning.jpeg(keyframe)) for keyframe in small[:8]]
    assert {image.shape for image in images} == {(SMALL_PX, 320, 3)}
    assert {(keyframe.width_px, keyframe.height_px) for keyframe in small} == {(320, SMALL_PX)}
    again = nano.recall.encode_frames(images)
    before = morning.recall_of(nano.key, [keyframe.id for keyframe in small[:8]])
    assert min(cosine(a, b) for a, b in zip(again, before, strict=True)) > 0.95
    assert catch_up(morning, nano) == 0
