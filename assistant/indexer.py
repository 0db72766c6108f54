"""The indexer: embed what the device has added since the last time, and reduce what shows nothing.

The recorder never waits for it; the two meet only in the store. It may be seconds or days behind, be killed at any
time, and start again where it was. This file does not know cameras, questions or answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from assistant.checkpoints import Checkpoint
from assistant.domain import grain_of
from assistant.salience import Kept, worth_keeping
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged, UserError
from store.records import Keyframe, Reduction
from store.rewriting import resume

KEYFRAMES_A_PASS = 32
JUDGED_A_PASS = 4  # pictures by which it is told whether the checkpoint knows such pictures
SMALL_PX = 240  # the shorter side of a reduced picture: enough to browse, and to embed again
SMALL_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Embedded:
    """n keyframes: their pictures, visual tokens (n, T, C), compressed (n, C) and recall (n, D) embeddings."""

    images: Sequence[np.ndarray]
    visual: Tensor
    compressed: np.ndarray
    recall: np.ndarray


def catch_up(
    store: EpisodicStore,
    checkpoint: Checkpoint,
    progress: Callable[[int], None] | None = None,
    reduce: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Embed every keyframe that has no embedding of this checkpoint; returns how many. `progress` hears each pass.

    With `reduce`, those that show nothing new become small pictures (assistant/salience.py). `stop` is asked between
    passes.
    """
    done = 0
    while not stop() and (keyframes := store.unindexed(checkpoint.key, KEYFRAMES_A_PASS)):
        try:
            embedded = embed(store, checkpoint, keyframes)
        except UserError:
            if len(store.present([keyframe.id for keyframe in keyframes])) == len(keyframes):
                raise
            continue  # some were forgotten meanwhile
        resume(store)  # or were after they had been read
        if reduce:
            reduce_passed_over(store, checkpoint, keyframes, embedded)
        done += len(keyframes)
        if progress:
            progress(len(keyframes))
    return done


@torch.inference_mode()
def embed(store: EpisodicStore, checkpoint: Checkpoint, keyframes: Sequence[Keyframe]) -> Embedded:
    """Keep the embeddings of n keyframes; the visual tokens are not kept."""
    images = [decode(store.jpeg(keyframe)) for keyframe in keyframes]
    visual = checkpoint.model.encode_frames(checkpoint.model.pixels(images))
    compressed = checkpoint.model.compress(visual).float().cpu().numpy()
    recall = checkpoint.recall.encode_frames(images)
    store.add_embeddings(checkpoint.key, [keyframe.id for keyframe in keyframes], recall, compressed)
    return Embedded(images, visual, compressed, recall)


def reduce_passed_over(
    store: EpisodicStore, checkpoint: Checkpoint, keyframes: Sequence[Keyframe], embedded: Embedded
) -> set[int]:
    """Of these keyframes, in time order, let those become small pictures that show nothing; returns their ids."""
    step = max(1, len(keyframes) // JUDGED_A_PASS)
    foreign = checkpoint.domain is not None and checkpoint.domain.is_foreign(grain_of(embedded.images[::step]))
    salience = None if foreign else checkpoint.salience
    embeddings = embedded.compressed if salience else embedded.recall
    last = _kept_before(store, checkpoint, keyframes[0], is_recall=salience is None)
    in_full = set(worth_keeping([keyframe.captured_at for keyframe in keyframes], embeddings, salience, last))
    reductions = [
        _reduction(keyframe, image)
        for i, (keyframe, image) in enumerate(zip(keyframes, embedded.images, strict=True))
        if i not in in_full and min(image.shape[:2]) > SMALL_PX and not keyframe.reduced
    ]
    store.reduce_keyframes(reductions)
    return {each.keyframe_id for each in reductions}


def _kept_before(store: EpisodicStore, checkpoint: Checkpoint, first: Keyframe, is_recall: bool) -> Kept | None:
    """The keyframe in full before this one, if its embedding is there."""
    before = store.last_in_full(first.id)
    if before is None:
        return None
    read = store.recall_of if is_recall else store.compressed
    try:
        return Kept(before.captured_at, read(checkpoint.key, [before.id])[0])
    except UserError:  # indexed out of order
        return None


def _reduction(keyframe: Keyframe, image: np.ndarray) -> Reduction:
    height, width = image.shape[:2]
    scale = SMALL_PX / min(height, width)
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY])[1].tobytes()
    return Reduction(keyframe.id, jpeg, small.shape[1], small.shape[0])


def decode(jpeg: bytes) -> np.ndarray:
    """A keyframe's JPEG -> (H, W, 3) uint8 RGB. Raises MemoryDamaged."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:  # its checksum was right, so it was stored like this
        raise MemoryDamaged("A keyframe is not a picture.", "Run: whereabouts check")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
