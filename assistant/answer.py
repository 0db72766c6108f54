"""ask(): a question in, an answer with its evidence out; the only meeting of store and model.

    recall      at most N candidate keyframes of the asked span: all of them, or those the index proposes
    glimpse     one score each
    fallback    the best k reloaded as full pictures, with their times and what was said, and the answer

What comes out says which moments it rests on, how much of the span was recorded at all, and, where the wearer's
pictures do not show it, that it was not seen. What a checkpoint cannot answer, because it cannot spell or does not
know such words or pictures, is answered by quoting what was read and heard. This file does not know how answers are
printed.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from assistant import prompt
from assistant.asking import Kind, asks_for_words
from assistant.checkpoints import Checkpoint
from assistant.looking import SAME_MOMENT_S, look
from assistant.quotation import find_quotation
from assistant.recent import Recent
from assistant.recollection import Recollected, Selected, recollect
from assistant.told import keyframes_told
from store.episodic import EpisodicStore
from store.errors import NothingRecorded, UserError
from store.records import Coverage, Gap, Keyframe, Moment, Span, Transcript
from store.transcripts import EXPIRED, FORGOTTEN

UNHEARD_OF = "Zyxwv 9-17"  # known only to a tokenizer that spells
FOREIGN = "These pictures are unlike anything the {} checkpoint was trained on, so it does not answer from them."
BY_SIMILARITY = "Chosen by similarity: this checkpoint has no trained memory pointer."
TOLD_SHARE = 0.1  # of the candidates: at most so many were proposed by what was said and read around them
CITED_SHARE = 0.25  # a moment is evidence while its score is above this share of the best one's


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The glimpse is over: every candidate's score, and the moments that the answer will rest on, best first."""

    candidates: tuple[Keyframe, ...]
    scores: np.ndarray
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked and answered. `moments` are the evidence, or, where not seen, the likeliest that were rejected.

    `quoted` are the words that the answer quotes; it is empty where the checkpoint answered by itself.
    """

    question: str
    text: str
    seen: bool
    confidence: float
    moments: tuple[Moment, ...]
    coverage: Coverage
    checkpoint: str
    timings_ms: dict[str, int]
    note: str = ""
    quoted: tuple[Transcript, ...] = ()


def ask(
    store: EpisodicStore,
    checkpoint: Checkpoint,
    question: str,
    span: Span | None = None,
    recent: Recent | None = None,
) -> Iterator[EvidenceFound | str | Answer]:
    """Yields the evidence, then the answer's text in pieces, then the whole Answer, which is also kept as a turn.

    Whoever asks again hands in the same `recent` each time, and follow-ups do not read the same frames again.
    Raises UserError for an empty question and where something was forgotten before the answer was finished, and
    NothingRecorded where the span holds no indexed keyframe.
    """
    question = " ".join(question.split()).rstrip(" ?!.") + "?"  # one way of asking, whatever was typed
    if question == "?":
        raise UserError("The question is empty.", 'Ask, for example: whereabouts ask "where did I put my wallet?"')
    clock, recent, gone = _Clock(), recent or Recent(), _gone(store)
    recent.renew((checkpoint.model, *gone), store.present)
    candidates = _recall(store, checkpoint, question, span)
    clock.mark("recall")
    coverage = store.coverage(checkpoint.key, span)
    not_seen = _sentence(checkpoint.not_seen_text)
    answer = Answer(question, not_seen, False, 0.0, (), coverage, _name(checkpoint), clock.timings_ms)
    kind = asks_for_words(question)
    can_answer = kind is None or spells(checkpoint)
    unknown = _unknown(checkpoint, question) if can_answer else ""
    if unknown:
        answer = replace(answer, note=unknown)
    elif can_answer:
        try:
            answer = yield from _recollect(store, checkpoint, candidates, answer, clock, recent)
        except UserError:
            _require(store, candidates, gone)  # a picture cannot be read because it was forgotten
            raise
    if answer.note or not can_answer:
        answer = yield from _quote(store, kind, span, answer)
        clock.mark("quotation")
    elif not checkpoint.pointer_trained:
        answer = replace(answer, note=BY_SIMILARITY)
    kept = [moment.keyframe.id for moment in answer.moments]
    with store.database.transaction():
        _require(store, candidates, gone)
        store.add_turn(time.time(), question, answer.text, answer.seen, answer.confidence, checkpoint.key, kept)
    yield answer


def spells(checkpoint: Checkpoint) -> bool:
    """Whether it can read any word there is: a tokenizer of whole words knows a few hundred."""
    return not prompt.unknown_words(checkpoint.tokenizer, UNHEARD_OF)


def propose(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None = None) -> list[int]:
    """The ids of at most N candidate keyframes in time order: all of the span's, or those nearest to the question."""
    limit = checkpoint.model.config.candidates
    if store.embedded_count(checkpoint.key, span) <= limit:
        return store.indexed_ids(checkpoint.key, span)
    query = checkpoint.recall.encode_question(question)
    told = keyframes_told(store, checkpoint.key, question, int(TOLD_SHARE * limit), span)
    found = [each for each, _ in store.recall(checkpoint.key, query, limit, span) if each not in told]
    return sorted([*told, *found[: limit - len(told)]])


def _recall(store: EpisodicStore, checkpoint: Checkpoint, question: str, span: Span | None) -> list[Keyframe]:
    """At least one candidate."""
    ids = propose(store, checkpoint, question, span)
    if ids:
        return store.keyframes_by_id(ids)
    ends = store.first_and_last()
    if span is None or ends is None:
        raise NothingRecorded("Nothing was recorded in this memory.", "Record first: whereabouts record --help")
    began, ended = (f"{keyframe.local_time:%Y-%m-%d %H:%M}" for keyframe in ends)
    raise NothingRecorded(
        "Nothing was recorded in the asked span.", f"Ask about a time between {began} and {ended}, or about any."
    )


def _recollect(
    store: EpisodicStore,
    checkpoint: Checkpoint,
    candidates: Sequence[Keyframe],
    answer: Answer,
    clock: "_Clock",
    recent: Recent,
) -> Generator[EvidenceFound | str, None, Answer]:
    """The evidence and the text as they come; returns the answer from the candidates."""
    ids = [keyframe.id for keyframe in candidates]
    compressed = torch.from_numpy(store.compressed(checkpoint.key, ids))
    recall = None if checkpoint.pointer_trained else store.recall_of(checkpoint.key, ids)
    reads = spells(checkpoint) or checkpoint.answerer is not None
    at = partial(look, store, checkpoint, candidates, recent, reads)
    recent.show(candidates)
    for step in recollect(checkpoint, answer.question, compressed, at, recall, recent):
        if isinstance(step, Selected):
            clock.mark("glimpse")
            answer = replace(answer, moments=_moments(candidates, step))
            yield EvidenceFound(tuple(candidates), step.scores, answer.moments)
        elif isinstance(step, Recollected):
            clock.mark("fallback")
            answer = replace(answer, text=_sentence(step.text), seen=step.seen, confidence=step.confidence)
            if step.foreign:
                answer = replace(answer, note=FOREIGN.format(checkpoint.name))
        else:
            yield step
    return answer


def _quote(
    store: EpisodicStore, kind: Kind | None, span: Span | None, answer: Answer
) -> Generator[EvidenceFound | str, None, Answer]:
    """What was read and heard, instead of an answer that the checkpoint cannot give, or `answer` if nothing was."""
    found = find_quotation(store, answer.question, kind, span)
    if kind is None and not found.quoted:
        return answer
    if found.moments:
        scores = np.array([moment.score for moment in found.moments], dtype=np.float32)
        yield EvidenceFound(tuple(moment.keyframe for moment in found.moments), scores, found.moments)
    yield found.text
    return replace(
        answer,
        text=found.text,
        seen=bool(found.quoted),
        confidence=found.quoted[0].confidence if found.quoted else 0.0,
        moments=found.moments,
        note=f"{answer.note} {found.note}".strip(),
        quoted=found.quoted,
    )


def _require(store: EpisodicStore, candidates: Sequence[Keyframe], gone_before: Sequence[Gap]) -> None:
    """UserError if anything was forgotten since: what was made of it must leave nothing behind."""
    if _gone(store) != gone_before or len(store.present([each.id for each in candidates])) < len(candidates):
        raise UserError("Some of what was looked at was forgotten meanwhile, so there is no answer.", "Ask again.")


def _gone(store: EpisodicStore) -> list[Gap]:
    """What was taken from the memory together with its words."""
    return [gap for gap in store.gaps() if gap.reason in (FORGOTTEN, EXPIRED)]


def _name(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.name}, worded by {checkpoint.answerer.name}" if checkpoint.answerer else checkpoint.name


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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


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
