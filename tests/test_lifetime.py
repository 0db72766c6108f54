"""A memory's life in any order: what is appended stays, what is indexed is found, what is forgotten is gone."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from store.episodic import EpisodicStore
from store.records import Heard, Reduction, Span
from store.spans import id_range
from store.upkeep.backup import backup
from store.upkeep.check import check
from store.upkeep.forgetting import forget

CHECKPOINT, WIDTH = "nano", 8
START = 1_760_000_000.0
DAY_S = 86_400


def embedding_of(keyframe_id: int) -> np.ndarray:
    """(WIDTH,) of length 1, the same every time."""
    drawn = np.random.default_rng(keyframe_id % 2**32).normal(size=WIDTH).astype(np.float16)
    return (drawn / np.linalg.norm(drawn.astype(np.float32))).astype(np.float16)


class Lifetime(RuleBasedStateMachine):
    """Beside the store there is a model of it: pictures and words by their times, as plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lifetime-"))
        self.store = EpisodicStore.open(self.folder / "memory")
        self.pictures: dict[int, bytes] = {}
        self.indexed: set[int] = set()
        self.words: dict[str, float] = {}
        self.session = self.store.begin_session("glasses", START, 0, 1.0)
        self.now = START
        self.gone: list[Span] = []

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 6), pause_s=st.sampled_from([1.0, 40.0, DAY_S]), size=st.integers(1, 3000))
    def append(self, count: int, pause_s: float, size: int) -> None:
        for _ in range(count):
            self.now += pause_s
            jpeg = b"picture at %d " % self.now * (1 + size // 20)
            kept = self.store.add_keyframe(self.session.id, self.now, 0, jpeg, 640, 480, 1.0)
            self.pictures[kept.id] = jpeg

    @rule()
    def hear(self) -> None:
        word = f"word{len(self.words)}x"
        heard = Heard(self.session.id, self.now, self.now + 1, f"somebody said {word}", "speech", "x", 1.0)
        self.store.keep_heard([], [heard], keep_sound=True)
        if not any(span.started_at < self.now + 1 and span.ended_at > self.now for span in self.gone):
            self.words[word] = self.now

    @rule(limit=st.integers(1, 20))
    def index(self, limit: int) -> None:
        waiting = self.store.unindexed(CHECKPOINT, limit)
        ids = [keyframe.id for keyframe in waiting]
        if ids:
            rows = np.stack([embedding_of(each) for each in ids])
            self.store.add_embeddings(CHECKPOINT, ids, rows, rows)
            self.indexed.update(ids)

    @precondition(lambda self: self.pictures)
    @rule(data=st.data())
    def reduce(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.pictures)))
        if not self.store.keyframe(chosen).reduced:
            self.pictures[chosen] = b"small %d" % chosen
            self.store.reduce_keyframes([Reduction(chosen, self.pictures[chosen], 320, 240)])

    @rule()
    def seal(self) -> None:
        self.store.seal(CHECKPOINT)

    @rule(data=st.data(), length_s=st.sampled_from([0.5, 3.0, 60.0, 2 * DAY_S]))
    def forget(self, data: st.DataObject, length_s: float) -> None:
        began = data.draw(st.floats(START, self.now + 1))
        span = Span(began, began + length_s)
        forget(self.store, [span])
        first, behind = id_range(span)
        for each in [each for each in self.pictures if first <= each < behind]:
            del self.pictures[each]
            self.indexed.discard(each)
        self.words = {
            word: at for word, at in self.words.items() if not (at < span.ended_at and at + 1 > span.started_at)
        }
        self.gone.append(span)
        self.now = max(self.now, span.ended_at)  # nobody records into the past

    @rule()
    def back_up(self) -> None:
        backup(self.store, self.folder / "backup")
        with EpisodicStore.open(self.folder / "backup", create=False) as copy:
            assert {each.id: copy.jpeg(each) for each in copy.keyframes()} == self.pictures

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = EpisodicStore.open(self.folder / "memory", create=False)
        self.store.reopen_session(self.session.id)

    @invariant()
    def every_picture_is_there_and_no_other(self) -> None:
        assert {each.id: self.store.jpeg(each) for each in self.store.keyframes()} == self.pictures

    @invariant()
    def recall_finds_what_is_indexed_best_first(self) -> None:
        query = embedding_of(7).astype(np.float32)
        found = self.store.recall(CHECKPOINT, query, 300)
        exact = {each: float(embedding_of(each).astype(np.float32) @ query) for each in self.indexed}
        assert {each for each, _ in found} == set(exact)
        np.testing.assert_allclose([score for _, score in found], [exact[each] for each, _ in found], atol=1e-3)
        assert self.store.indexed_ids(CHECKPOINT) == sorted(self.indexed)

    @invariant()
    def words_are_found_until_they_are_forgotten(self) -> None:
        found = {row.text.split()[-1] for row in self.store.find_words("somebody", limit=1000)}
        assert found == set(self.words)

    @invariant()
    def the_memory_is_whole(self) -> None:
        assert list(check(self.store).problems) == []


TestLifetime = Lifetime.TestCase
TestLifetime.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
