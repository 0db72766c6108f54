"""Asking a memory: evidence before words, honest coverage, and no answer where there can be none."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from assistant.answer import BY_SIMILARITY, Answer, EvidenceFound, ask
from assistant.answerer import Answerer
from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.indexer import catch_up
from assistant.prompt import INSTRUCTION, Shown, TokenisedPiece, token_ids
from assistant.recent import Recent
from assistant.recollection import see
from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.records import Heard, Span
from store.upkeep.forgetting import forget

QUESTION = "where did I put the wallet?"
FOLLOW_UP = "where did I put the keys?"


def answered(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None = None) -> Answer:
    *_, last = ask(store, checkpoint, question, span)
    assert isinstance(last, Answer)
    return last


@contextmanager
def counting(checkpoint: Checkpoint) -> Iterator[dict[str, int]]:
    """How many rows the language model reads, and how many pictures the tower."""
    model, counts = checkpoint.model.model, {"rows": 0, "pictures": 0}

    def count(name: str, length: int) -> None:
        counts[name] += length

    hooks = [
        model.language_model.register_forward_pre_hook(
            lambda _, __, inputs: count("rows", inputs["inputs_embeds"].shape[1]), with_kwargs=True
        ),
        model.vision_tower.register_forward_pre_hook(
            lambda _, inputs, __: count("pictures", len(inputs[0])), with_kwargs=True
        ),
    ]
    yield counts
    for hook in hooks:
        hook.remove()


def spoken(store: EpisodicStore, checkpoint: Checkpoint, question: str, recent: Recent) -> tuple[EvidenceFound, Answer]:
    found, *_, last = ask(store, checkpoint, question, recent=recent)
    assert isinstance(found, EvidenceFound) and isinstance(last, Answer)
    return found, last


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


def test_a_follow_up_answers_as_if_it_had_been_the_first_question_and_reads_far_less(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    recent, config = Recent(), tiny_checkpoint.model.config
    with counting(tiny_checkpoint) as first:
        spoken(memory, tiny_checkpoint, QUESTION, recent)
    with counting(tiny_checkpoint) as second:
        found, answer = spoken(memory, tiny_checkpoint, FOLLOW_UP, recent)
    alone, fresh = spoken(memory, tiny_checkpoint, FOLLOW_UP, Recent())
    np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
    assert (answer.text, answer.seen) == (fresh.text, fresh.seen)
    assert answer.confidence == pytest.approx(fresh.confidence, abs=1e-4)
    assert first["pictures"] == config.selected and first["rows"] > memory.count() + config.selected * 16
    assert second["pictures"] < config.selected / 2 and second["rows"] < first["rows"] - memory.count()
    with counting(tiny_checkpoint) as again:
        spoken(memory, tiny_checkpoint, FOLLOW_UP, recent)
    assert again["pictures"] == 0 and again["rows"] < 40


def test_what_is_forgotten_takes_along_all_that_was_kept_of_it(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    recent = Recent()
    spoken(memory, tiny_checkpoint, QUESTION, recent)
    whole = memory.span()
    assert whole is not None and recent.nbytes > 0
    forget(memory, [Span(whole.started_at + 20, whole.started_at + 30)])
    found, answer = spoken(memory, tiny_checkpoint, QUESTION, recent)
    alone, fresh = spoken(memory, tiny_checkpoint, QUESTION, Recent())
    assert len(found.candidates) == memory.count() and found.candidates == alone.candidates
    np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
    assert answer.text == fresh.text
    forget(memory, [whole])
    with pytest.raises(NothingRecorded):
        spoken(memory, tiny_checkpoint, QUESTION, recent)
    assert recent.nbytes == 0


@pytest.mark.parametrize("heard_of", ["EvidenceFound", "str"])
def test_what_is_forgotten_while_it_is_answered_from_leaves_no_answer(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, heard_of: str
) -> None:
    whole = memory.span()
    assert whole is not None
    with pytest.raises(UserError, match="forgotten meanwhile"):
        for step in ask(memory, tiny_checkpoint, QUESTION):
            if type(step).__name__ == heard_of:
                with EpisodicStore.open(memory.directory) as other:
                    forget(other, [Span(whole.started_at + 20, whole.started_at + 30)])
                heard_of = ""
    assert not memory.turns()


def test_words_that_are_forgotten_without_a_picture_are_not_kept_either(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    whole = memory.span()
    assert whole is not None
    diary = memory.begin_session("dictaphone", whole.ended_at + 10, 0, 1.0)
    words = Span(whole.ended_at + 12, whole.ended_at + 14)
    heard = [Heard(diary.id, words.started_at, words.ended_at, "my secret", "speech", "pocketsphinx", 0.9)]
    memory.keep_heard([], heard, keep_sound=True)
    memory.end_session(diary.id, whole.ended_at + 20, "stopped")
    recent = Recent()
    spoken(memory, tiny_checkpoint, QUESTION, recent)
    forget(memory, [words])
    with counting(tiny_checkpoint) as after:
        spoken(memory, tiny_checkpoint, QUESTION, recent)
    assert after["pictures"] == tiny_checkpoint.model.config.selected


def test_without_a_trained_pointer_the_frames_most_like_the_question_are_chosen_and_it_is_said(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = tiny_checkpoint.recall.model.logit_scale
    monkeypatch.setattr(scale, "data", torch.full_like(scale, 7.0))  # as of a trained SigLIP, and more
    untrained = replace(tiny_checkpoint, pointer_trained=False)
    found, answer = spoken(memory, untrained, QUESTION, Recent())
    ids = [keyframe.id for keyframe in found.candidates]
    alike = memory.recall_of(untrained.key, ids) @ untrained.recall.encode_question(QUESTION)
    weights = np.exp(np.exp(7.0) * (alike - alike.max()))
    np.testing.assert_allclose(found.scores, weights / weights.sum(), rtol=1e-2, atol=1e-6)
    best, chosen = found.candidates[int(alike.argmax())], answer.moments[0]
    assert chosen.started_at <= best.captured_at <= chosen.ended_at
    assert answer.note == BY_SIMILARITY and not answered(memory, tiny_checkpoint, QUESTION).note


@pytest.mark.parametrize("is_trained", [True, False])
def test_only_one_that_nobody_trained_is_told_what_to_say_of_what_it_does_not_see(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, is_trained: bool
) -> None:
    checkpoint, read = replace(tiny_checkpoint, pointer_trained=is_trained), list[list[int]]()
    embed = checkpoint.model.embed

    def noted(pieces: Sequence[TokenisedPiece], visual: torch.Tensor) -> torch.Tensor:
        read.extend(piece for piece in pieces if isinstance(piece, list))
        return embed(pieces, visual)

    monkeypatch.setattr(checkpoint.model, "embed", noted)
    spoken(memory, checkpoint, QUESTION, Recent())
    told = INSTRUCTION.format(checkpoint.not_seen_text) + "\n" + QUESTION
    asked = token_ids(QUESTION if is_trained else told, checkpoint.tokenizer)
    assert len(read[-1]) - len(asked) < 8 and " ".join(map(str, asked)) in " ".join(map(str, read[-1]))


class Saying:
    """Words every answer so."""

    name = "somebody"

    def __init__(self, text: str) -> None:
        self._text = text

    def answer(
        self, question: str, images: object, shown: object, **_: object
    ) -> Generator[str, None, tuple[str, float]]:
        yield self._text
        return self._text, 0.9


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("On the table.", True),
        ("I did not see that.", False),
        ("i did not see that in these pictures", False),
        ("", False),
    ],
)
def test_an_answer_that_says_it_was_not_seen_in_more_words_says_so_too(
    memory: EpisodicStore, tiny_checkpoint: Checkpoint, text: str, seen: bool
) -> None:
    answer = answered(memory, replace(tiny_checkpoint, answerer=cast(Answerer, Saying(text))), QUESTION)
    assert answer.seen is seen and answer.text


def test_catching_up_embeds_each_keyframe_once_and_as_the_model_does(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    from assistant.indexer import decode

    heard: list[int] = []
    assert catch_up(simulated_minute, tiny_checkpoint, heard.append) == simulated_minute.count() == sum(heard)
    assert catch_up(simulated_minute, tiny_checkpoint) == 0
    keyframe = simulated_minute.keyframes()[5]
    model = tiny_checkpoint.model
    picture = model.pixels([decode(simulated_minute.jpeg(keyframe))])
    with torch.no_grad():
        wanted = model.compress(model.encode_frames(picture))[0].numpy()
    np.testing.assert_allclose(simulated_minute.compressed(tiny_checkpoint.key, [keyframe.id])[0], wanted, atol=2e-3)
