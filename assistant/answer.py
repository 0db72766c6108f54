"""ask(): a question in, an answer with its evidence out; the only meeting of store and model.

    recall      at most N candidate keyframes of the asked span: all of them, or those the index proposes
    glimpse     one score each
    fallback    the best k reloaded as full pictures, with their times and what was said, and the answer

What comes out says which moments it rests on, how much of the span was recorded at all, and, where the wearer's
pictures do not show it, that it was not seen. This file does not know how answers are printed.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.indexer import decode
from assistant.pointer import exploration_grid
from assistant.recollection import Recollected, Seen, Selected, recollect, see
from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.records import Coverage, Keyframe, Moment, Span

SAME_MOMENT_S = 6.0
LOOKED_AROUND = 12  # candidates by which it is told whether the checkpoint knows such pictures at all
CITED_SHARE = 0.25  # a moment is evidence while its score is above this share of the best one's


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The glimpse is over: every candidate's score, and the moments that the answer will rest on, best first."""

    candidates: tuple[Keyframe, ...]
    scores: np.ndarray
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked and answered. `moments` are the evidence, or, where not seen, the likeliest that were rejected."""

    question: str
    text: str
    seen: bool
    confidence: float
    moments: tuple[Moment, ...]
    coverage: Coverage
    checkpoint: str
    timings_ms: dict[str, int]
    note: str = ""


def ask(
    store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None = None
) -> Iterator[EvidenceFound | str | Answer]:
    """Yields the evidence, then the answer's text in pieces, then the whole Answer, which is also kept as a turn.

    Raises UserError for an empty question and NothingRecorded where the span holds no indexed keyframe.
    """
    question = " ".join(question.split()).rstrip(" ?!.") + "?"  # one way of asking, whatever was typed
    if question == "?":
        raise UserError("The question is empty.", 'Ask, for example: whereabouts ask "where did I put my wallet?"')
    clock = _Clock()
    candidates = _recall(store, checkpoint, question, span)
    clock.mark("recall")
    moments: tuple[Moment, ...] = ()
    note = _unknown(checkpoint, question)
    result = Recollected(checkpoint.model.config.not_seen_text, seen=False, confidence=0.0, foreign=False)
    if not note:
        compressed = torch.from_numpy(store.compressed(checkpoint.key, [k.id for k in candidates]))
        for step in recollect(checkpoint, question, compressed, partial(_look, store, checkpoint, candidates)):
            if isinstance(step, Selected):
                clock.mark("glimpse")
                moments = _moments(candidates, step)
                yield EvidenceFound(tuple(candidates), step.scores, moments)
            elif isinstance(step, Recollected):
                clock.mark("fallback")
                result = step
            else:
                yield step
    if result.foreign:
        note = (
            f"These pictures are unlike anything the {checkpoint.name} checkpoint was trained on, "
            "so it does not answer from them."
        )
    text = result.text[:1].upper() + result.text[1:]
    coverage = store.coverage(checkpoint.key, span)
    kept = [moment.keyframe.id for moment in moments]
    store.add_turn(time.time(), question, text, result.seen, result.confidence, checkpoint.key, kept)
    yield Answer(
        question,
        text,
        result.seen,
        result.confidence,
        moments,
        coverage,
        checkpoint.name,
        clock.timings_ms,
        note,
    )


def propose(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None = None) -> list[int]:
    """The ids of at most N candidate keyframes in time order: all of the span's, or those nearest to the question."""
    ids = store.indexed_ids(checkpoint.key, span)
    limit = checkpoint.model.config.candidates
    if len(ids) > limit:
        query = checkpoint.recall.encode_question(question)
        ids = sorted(found for found, _ in store.recall(checkpoint.key, query, limit, span))
    return ids


def _recall(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None) -> list[Keyframe]:
    """At least one candidate."""
    ids = propose(store, checkpoint, question, span)
    if not ids:
        where = "in the asked span" if span else "in this memory"
        raise NothingRecorded(f"Nothing was recorded {where}.", "Record first: whereabouts record --help")
    return store.keyframes_by_id(ids)


def _look(store: EpisodicStore, checkpoint: Checkpoint, candidates: Sequence[Keyframe], chosen: Sequence[int]) -> Seen:
    """The chosen keyframes as full pictures, each with the wearer's clock and the words heard since the one before."""
    keyframes = [candidates[i] for i in chosen]
    images = [decode(store.jpeg(keyframe)) for keyframe in keyframes]
    shown, since = [], keyframes[0].captured_at - SAME_MOMENT_S
    for keyframe in keyframes:
        begin = max(since, keyframe.captured_at - SAME_MOMENT_S)
        heard = store.transcripts(Span(begin, keyframe.captured_at))
        shown.append(prompt.Shown(f"{keyframe.local_time:%H:%M:%S}", " ".join(t.text for t in heard)))
        since = keyframe.captured_at
    spread = exploration_grid(len(candidates), LOOKED_AROUND).tolist() if checkpoint.domain else []
    return see(checkpoint, images, shown, [decode(store.jpeg(candidates[i])) for i in spread])


def _moments(candidates: Sequence[Keyframe], selected: Selected) -> tuple[Moment, ...]:
    """Selected keyframes whose score counts, joined where they follow each other, best first."""
    best = max(selected.scores[i] for i in selected.indices)
    counted = [i for i in selected.indices if selected.scores[i] >= CITED_SHARE * best]
    runs: list[list[int]] = []
    for i in counted:
        if runs and candidates[i].captured_at - candidates[runs[-1][-1]].captured_at <= SAME_MOMENT_S:
            runs[-1].append(i)
        else:
            runs.append([i])
    moments = [
        Moment(
            started_at=candidates[run[0]].captured_at,
            ended_at=candidates[run[-1]].captured_at,
            keyframe=candidates[max(run, key=lambda i: selected.scores[i])],
            keyframes=len(run),
            score=float(selected.scores[run].sum()),
        )
        for run in runs
    ]
    return tuple(sorted(moments, key=lambda moment: -(moment.score or 0.0)))


def _unknown(checkpoint: Checkpoint, question: str) -> str:
    """Why this checkpoint cannot read the question, or nothing."""
    words = prompt.unknown_words(checkpoint.tokenizer, question)
    if not words:
        return ""
    listed = ", ".join(f"{word!r}" for word in words)
    return f"The {checkpoint.name} checkpoint does not know {listed}, so it cannot tell what is asked."


class _Clock:
    """Milliseconds between marks."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.timings_ms: dict[str, int] = {}

    def mark(self, step: str) -> None:
        now = time.monotonic()
        self.timings_ms[step] = round((now - self._last) * 1000)
        self.timings_ms["total"] = round((now - self._began) * 1000)
        self._last = now
