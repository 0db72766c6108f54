"""Asking a memory: evidence before words, honest coverage, and no answer where there can be none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.answer import Answer, EvidenceFound, ask
from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.indexer import catch_up
from assistant.prompt import Shown
from assistant.recollection import see
from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.records import Span

QUESTION = "where did I put the wallet?"


def answered(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None = None) -> Answer:
    *_, last = ask(store, checkpoint, question, span)
    assert isinstance(last, Answer)
    return last


@pytest.fixture
def memory(simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint) -> EpisodicStore:
    catch_up(simulated_minute, tiny_checkpoint)
    return simulated_minute


def test_the_evidence_comes_first_then_words_then_the_whole_answer(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    first, *words, last = ask(memory, tiny_checkpoint, QUESTION)
    assert isinstance(first, EvidenceFound) and isinstance(last, Answer)
    assert all(isinstance(word, str) for word in words)
    assert "".join(map(str, words)).casefold() == last.text.casefold()
    assert first.scores.sum() == pytest.approx(1.0, abs=1e-4) and len(first.scores) == memory.count()
    assert last.moments == first.moments and 0.0 <= last.confidence <= 1.0


def test_moments_cite_selected_keyframes_best_first_and_do_not_overlap(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    moments = answered(memory, tiny_checkpoint, QUESTION).moments
    scores = [moment.score for moment in moments]
    assert moments and scores == sorted(scores, reverse=True)
    assert sum(moment.keyframes for moment in moments) <= tiny_checkpoint.model.config.selected
    in_time = sorted(moments, key=lambda moment: moment.started_at)
    assert all(a.ended_at < b.started_at for a, b in zip(in_time, in_time[1:], strict=False))
    assert all(m.started_at <= m.keyframe.captured_at <= m.ended_at for m in moments)


def test_only_the_asked_span_is_looked_at(memory: EpisodicStore, tiny_checkpoint: Checkpoint) -> None:
    whole = memory.span()
    assert whole is not None
    half = Span(whole.started_at, whole.started_at + 30)
    answer = answered(memory, tiny_checkpoint, QUESTION, half)
    assert all(half.started_at <= m.started_at and m.ended_at < half.ended_at for m in answer.moments)
    assert answer.coverage.span == half and answer.coverage.keyframes == memory.count(half)


def test_more_keyframes_than_candidates_go_through_the_index(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    config = tiny_checkpoint.model.config
    config.candidates, kept = 20, config.candidates
    try:
        found = next(iter(ask(memory, tiny_checkpoint, QUESTION)))
    finally:
        config.candidates = kept
    assert isinstance(found, EvidenceFound) and len(found.candidates) == 20 == len(found.scores)
    times = [keyframe.captured_at for keyframe in found.candidates]
    query = tiny_checkpoint.recall.encode_question(QUESTION)
    assert times == sorted(times)
    assert {k.id for k in found.candidates} == {i for i, _ in memory.recall(tiny_checkpoint.key, query, 20)}


def test_every_answer_is_kept_as_a_turn(memory: EpisodicStore, tiny_checkpoint: Checkpoint) -> None:
    answer = answered(memory, tiny_checkpoint, "  where did I\nput the wallet?  ")
    (turn,) = memory.turns()
    assert (turn.question, turn.answer, turn.seen) == (QUESTION, answer.text, answer.seen)
    assert turn.keyframe_ids == tuple(moment.keyframe.id for moment in answer.moments)


def test_words_the_checkpoint_does_not_know_are_named_and_nothing_is_claimed(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    answer = answered(memory, tiny_checkpoint, "what is the meaning of life?")
    assert not answer.seen and answer.text == "I did not see that."
    assert "'meaning'" in answer.note and "'life'" in answer.note and "'what'" not in answer.note


def test_pictures_unlike_the_training_pictures_are_named_and_not_answered_from(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    width = grain_of([np.zeros((8, 8, 3), np.uint8)]).shape[1]
    elsewhere = Domain(np.full(width, 9.0, np.float32), np.eye(width, dtype=np.float32), 1.0)
    monkeypatch.setattr(type(tiny_checkpoint), "domain", elsewhere, raising=False)
    answer = answered(memory, tiny_checkpoint, QUESTION)
    assert not answer.seen and "unlike anything" in answer.note


def test_a_familiar_picture_among_foreign_ones_is_not_answered_from(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    familiar = np.zeros((48, 64, 3), np.uint8)
    foreign = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    grain = grain_of([familiar])[0]
    known = Domain(grain, np.eye(len(grain), dtype=np.float32), 1.0)
    monkeypatch.setattr(type(tiny_checkpoint), "domain", known, raising=False)
    shown = [Shown("08:00:00")]
    assert not see(tiny_checkpoint, [familiar], shown, [[familiar], [familiar, familiar, foreign]]).foreign
    assert see(tiny_checkpoint, [familiar], shown, [[familiar], [familiar, foreign, foreign]]).foreign


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused(memory: EpisodicStore, tiny_checkpoint: Checkpoint, question: str) -> None:
    with pytest.raises(UserError, match="empty") as caught:
        answered(memory, tiny_checkpoint, question)
    assert caught.value.exit_code == 2


def test_an_empty_memory_or_span_says_that_nothing_was_recorded(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with EpisodicStore.open(tmp_path / "empty") as empty, pytest.raises(NothingRecorded, match="in this memory"):
        answered(empty, tiny_checkpoint, QUESTION)
    with pytest.raises(NothingRecorded, match="in the asked span"):
        answered(memory, tiny_checkpoint, QUESTION, Span(0.0, 1.0))


def test_catching_up_embeds_each_keyframe_once_and_as_the_model_does(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    from assistant.indexer import decode
    from assistant.vision import pixels

    heard: list[int] = []
    assert catch_up(simulated_minute, tiny_checkpoint, heard.append) == simulated_minute.count() == sum(heard)
    assert catch_up(simulated_minute, tiny_checkpoint) == 0
    keyframe = simulated_minute.keyframes()[5]
    model = tiny_checkpoint.model
    picture = pixels([decode(simulated_minute.jpeg(keyframe))], model.config.picture_px)
    with torch.no_grad():
        wanted = model.compress(model.encode_frames(picture))[0].numpy()
    np.testing.assert_allclose(simulated_minute.compressed(tiny_checkpoint.key, [keyframe.id])[0], wanted, atol=2e-3)
