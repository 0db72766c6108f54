"""Looking again: the chosen keyframes in full, for whoever answers, and whether such pictures are known to it at all.

What was made of a keyframe for the last questions is not made again (recent.py). This file does not know questions,
nor how keyframes were chosen.
"""

from collections.abc import Sequence

import numpy as np
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.indexer import decode
from assistant.pointer import exploration_grid
from assistant.recent import Recent
from assistant.recollection import Seen, visual_tokens
from assistant.told import words_around
from store.episodic import EpisodicStore
from store.records import Keyframe

SAME_MOMENT_S = 6.0
LOOKED_AROUND = 12  # candidates by which it is told whether the checkpoint knows such pictures at all


def look(
    store: EpisodicStore,
    checkpoint: Checkpoint,
    candidates: Sequence[Keyframe],
    recent: Recent,
    reads: bool,
    chosen: Sequence[int],
) -> Seen:
    """The chosen keyframes as full pictures, each with the wearer's clock.

    If whoever answers `reads` any word, also with those heard and read around it.
    """
    keyframes = [candidates[i] for i in chosen]
    words = words_around(store, keyframes, SAME_MOMENT_S) if reads else [""] * len(keyframes)
    shown = [
        prompt.Shown(f"{keyframe.local_time:%H:%M:%S}", told) for keyframe, told in zip(keyframes, words, strict=True)
    ]
    domain = checkpoint.domain
    foreign = domain is not None and _is_foreign(store, domain, candidates, keyframes, recent)
    if checkpoint.answerer:
        return Seen(visual_tokens(checkpoint, []), shown, foreign, _pictures(store, keyframes))

    def visual(unseen: Sequence[Keyframe]) -> list[torch.Tensor]:
        return [tokens.clone() for tokens in visual_tokens(checkpoint, _pictures(store, unseen))]

    return Seen(torch.stack(recent.each("visual", keyframes, visual)), shown, foreign)


def _is_foreign(
    store: EpisodicStore, domain: Domain, candidates: Sequence[Keyframe], chosen: Sequence[Keyframe], recent: Recent
) -> bool:
    """Whether the chosen pictures are, or some of all; several, because a few chosen ones may look familiar by chance.

    Small pictures tell nothing.
    """
    in_full = [candidate for candidate in candidates if not candidate.reduced]
    spread = [in_full[i] for i in exploration_grid(len(in_full), LOOKED_AROUND).tolist()]
    looked_at = [keyframe for keyframe in chosen if not keyframe.reduced]

    def grain(unseen: Sequence[Keyframe]) -> np.ndarray:
        return grain_of(_pictures(store, unseen))

    return any(domain.is_foreign(np.array(recent.each("grain", part, grain))) for part in (looked_at, spread))


def _pictures(store: EpisodicStore, keyframes: Sequence[Keyframe]) -> list[np.ndarray]:
    return [decode(store.jpeg(keyframe)) for keyframe in keyframes]
