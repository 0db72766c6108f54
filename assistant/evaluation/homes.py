"""One recorded home under examination, and what every way of looking answers about it.

Questions of a home are answered from one memory by the pointer's choice of frames (recollect, the path a user takes),
by the same number of frames chosen in other ways (baselines.py), by the true key frames (oracle) and by no frame at all
(blind). Two controls of the same size may be asked beside it: one tuned on evenly spread frames, which sees those, and
one tuned on text alone, which sees nothing.

A home is an indexed memory and its narrations. This file does not know how homes are made, who chose the questions or
what becomes of the outcomes. N frames, k of them shown, T tokens, C and D widths.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assistant import prompt
from assistant.answer import propose
from assistant.checkpoints import Checkpoint
from assistant.domain import grain_of
from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.reading import same_answer, weigh
from assistant.indexer import KEYFRAMES_A_PASS, decode, embed, reduce_passed_over
from assistant.pointer import exploration_grid
from assistant.prefix import Prefix
from assistant.recollection import Recollected, Seen, Selected, recollect
from assistant.training.data_engine import Narration, Question, key_frames
from store.episodic import EpisodicStore

POINTER, UNIFORM, ORACLE, BLIND = "pointer", "uniform", "oracle", "blind"
TUNED_ON_UNIFORM, TEXT_ONLY = "tuned on uniform", "text-only"
OWN = "own"
Look = tuple[str, tuple[int, ...]]  # who looks (OWN, or a control's name), at which frames


class Examined:
    """A home's frames in time order, and what `checkpoint` makes of them; pictures are read once a checkpoint.

    `times_s` (N,) count from the beginning of the recording, `clocks` (N,) are the wearer's; `compressed` (N, C) and
    `recall` (N, D) are the store's embeddings.
    """

    def __init__(self, store: EpisodicStore, narrations: Sequence[Narration], checkpoint: Checkpoint) -> None:
        self.narrations, self.checkpoint = narrations, checkpoint
        embedded = dict(_catch_up(store, checkpoint))
        self._store, self._keyframes = store, store.keyframes_by_id(store.indexed_ids(checkpoint.key))
        self._places = {keyframe.id: i for i, keyframe in enumerate(self._keyframes)}
        (session,) = store.sessions()
        self.times_s = [keyframe.captured_at - session.started_at for keyframe in self._keyframes]
        self.clocks = [f"{keyframe.local_time:%H:%M:%S}" for keyframe in self._keyframes]
        self.compressed = torch.from_numpy(store.compressed(checkpoint.key, list(self._places)))
        self.recall = store.recall_of(checkpoint.key, list(self._places))
        self._visual = {(checkpoint.key, self._places[each]): tokens for each, tokens in embedded.items()}
        self._grain: dict[int, np.ndarray] = {}
        self._frames: Prefix | None = None  # as the glimpse read them last

    def __len__(self) -> int:
        return len(self.times_s)

    def picture(self, index: int) -> np.ndarray:
        """RGB (H, W, 3) uint8 as it was recorded."""
        return decode(self._store.jpeg(self._keyframes[index]))

    def shown(self, indices: Sequence[int]) -> list[prompt.Shown]:
        return [prompt.Shown(self.clocks[i]) for i in indices]

    @torch.inference_mode()
    def visual(self, indices: Sequence[int], checkpoint: Checkpoint | None = None) -> Tensor:
        """Visual tokens (k, T, C) of these frames, as this home's checkpoint or another one sees them."""
        seer = checkpoint or self.checkpoint
        fresh = [i for i in dict.fromkeys(indices) if (seer.key, i) not in self._visual]
        pictures = seer.model.pixels([self.picture(i) for i in fresh])
        encoded = seer.model.encode_frames(pictures)
        self._visual.update(zip(((seer.key, i) for i in fresh), encoded, strict=True))
        return torch.stack([self._visual[seer.key, i] for i in indices]) if len(indices) else encoded

    def look(self, indices: Sequence[int]) -> Seen:
        """What recollect asks for, as `see` gives it."""
        domain = self.checkpoint.domain
        in_full = [i for i in indices if not self._keyframes[i].reduced] if domain else []
        for i in in_full:
            if i not in self._grain:
                self._grain[i] = grain_of([self.picture(i)])[0]
        foreign = domain is not None and domain.is_foreign(np.array([self._grain[i] for i in in_full]))
        return Seen(self.visual(indices), self.shown(indices), foreign)

    def candidates(self, question: str) -> list[int]:
        """The frames that recall proposes, in time order: all of a short home's."""
        return [self._places[each] for each in propose(self._store, self.checkpoint, question)]

    def glimpse(self, question: str) -> tuple[list[int], Tensor]:
        """The candidates, and the pointer's score of each."""
        at = self.candidates(question)
        ids = prompt.token_ids(prompt.glimpse_text(question), self.checkpoint.tokenizer)
        self._frames = self.checkpoint.model.read(self.compressed[at], self._frames)
        return at, self.checkpoint.model.glimpse(self._frames, ids).cpu()

    def similarity(self, question: str) -> np.ndarray:
        """The cosine (N,) of the question to every frame in the recall encoder's space."""
        return self.recall @ self.checkpoint.recall.encode_question(question)

    def keys(self, question: Question) -> list[int]:
        """The frames that the answer rests on."""
        return key_frames(question, self.narrations, self.times_s)


def _catch_up(store: EpisodicStore, checkpoint: Checkpoint) -> Iterator[tuple[int, Tensor]]:
    """Index as a user's memory is indexed, and keep what is seen on the way: keyframe ids and visual tokens (T, C).

    Those that became small pictures are left out: a user's answers rest on what was kept of them.
    """
    while keyframes := store.unindexed(checkpoint.key, KEYFRAMES_A_PASS):
        embedded = embed(store, checkpoint, keyframes)
        reduced = reduce_passed_over(store, checkpoint, keyframes, embedded)
        for keyframe, tokens in zip(keyframes, embedded.visual, strict=True):
            if keyframe.id not in reduced:
                yield keyframe.id, tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: whether each way's answer is exactly right (`right`), and rests on a key frame, too (`grounded`).

    Nothing has to be seen to refuse rightly. `said`, `seen`, `confidence` and `seconds` are the pointer's. The recalls
    are shares of the key frames among the k looked at, of as many as fit.
    """

    family: str
    question: str
    answer: str
    answerable: bool
    right: dict[str, bool]
    grounded: dict[str, bool]
    said: str
    seen: bool
    confidence: float
    recall_at_k: float
    recall_at_k_uniform: float
    seconds: float


def examine(home: Examined, questions: Sequence[Question], controls: Mapping[str, Checkpoint]) -> list[Outcome]:
    """Each question asked in every way; those whose answer no recorded frame shows are left out."""
    asked = [question for question in questions if not question.answerable or home.keys(question)]
    looks = [_looks(home, question, controls) for question in asked]
    said = _weigh(home, asked, looks, {OWN: home.checkpoint, **controls})
    return [_ask(home, *each) for each in zip(asked, looks, said, strict=True)]


def _looks(home: Examined, question: Question, controls: Mapping[str, Checkpoint]) -> dict[str, Look]:
    """Every way but the pointer's own."""
    k, similarity, keys = home.checkpoint.model.config.selected, home.similarity(question.text), home.keys(question)
    looks = {way: (OWN, tuple(pick(similarity, k).tolist())) for way, pick in BASELINES.items()}
    looks[BLIND] = OWN, ()
    if question.answerable:
        looks[ORACLE] = OWN, tuple(keys[i] for i in exploration_grid(len(keys), k).tolist())
    if UNIFORM in controls:
        looks[TUNED_ON_UNIFORM] = UNIFORM, looks[UNIFORM][1]
    if TEXT_ONLY in controls:
        looks[TEXT_ONLY] = TEXT_ONLY, ()
    return looks


def _weigh(
    home: Examined,
    asked: Sequence[Question],
    looks: Sequence[Mapping[str, Look]],
    checkpoints: Mapping[str, Checkpoint],
) -> list[dict[str, bool]]:
    """Which ways say the right answer to each question. What is asked of the same frames is read together."""
    together: dict[Look, list[tuple[int, str]]] = defaultdict(list)
    for number, ways in enumerate(looks):
        for way, look in ways.items():
            together[look].append((number, way))
    right: list[dict[str, bool]] = [{} for _ in asked]
    for (name, frames), askers in together.items():
        checkpoint = checkpoints[name]
        texts = [(asked[number].text, [asked[number].answer]) for number, _ in askers]
        weighed = weigh(checkpoint, home.visual(frames, checkpoint), home.shown(frames), texts)
        for (number, way), (answer,) in zip(askers, weighed, strict=True):
            right[number][way] = answer.said
    return right


def _ask(home: Examined, question: Question, looks: Mapping[str, Look], right: Mapping[str, bool]) -> Outcome:
    """The way a user takes, beside the others."""
    began, at = time.monotonic(), home.candidates(question.text)
    selected: tuple[int, ...] = ()
    answered = Recollected("", seen=False, confidence=0.0, foreign=False)
    for step in recollect(
        home.checkpoint,
        question.text,
        home.compressed[at],
        lambda chosen: home.look([at[i] for i in chosen]),
        home.recall[at],
    ):
        if isinstance(step, Selected):
            selected = tuple(at[i] for i in step.indices)
        elif isinstance(step, Recollected):
            answered = step
    frames = {POINTER: selected, **{way: each for way, (_, each) in looks.items()}}
    hits = {POINTER: same_answer(answered.text, question.answer), **{way: right[way] for way in looks}}
    keys = set(home.keys(question))
    reachable = min(home.checkpoint.model.config.selected, len(keys)) or 1
    return Outcome(
        family=question.family,
        question=question.text,
        answer=question.answer,
        answerable=question.answerable,
        right=hits,
        grounded={way: hit and (not keys or not keys.isdisjoint(frames[way])) for way, hit in hits.items()},
        said=answered.text,
        seen=answered.seen,
        confidence=answered.confidence,
        recall_at_k=len(keys.intersection(frames[POINTER])) / reachable,
        recall_at_k_uniform=len(keys.intersection(frames[UNIFORM])) / reachable,
        seconds=round(time.monotonic() - began, 3),
    )
