"""The indexer: embed what the device has added since the last time.

The recorder never waits for it; the two meet only in the store. It may be seconds or days behind, be killed at any
time, and start again where it was. This file does not know cameras, questions or answers.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from assistant.checkpoints import Checkpoint
from assistant.vision import pixels
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.records import Keyframe

KEYFRAMES_A_PASS = 32


def catch_up(store: EpisodicStore, checkpoint: Checkpoint, progress: Callable[[int], None] | None = None) -> int:
    """Embed every keyframe that has no embedding of this checkpoint; returns how many. `progress` hears each pass."""
    done = 0
    while keyframes := store.unindexed(checkpoint.key, KEYFRAMES_A_PASS):
        embed(store, checkpoint, keyframes)
        done += len(keyframes)
        if progress:
            progress(len(keyframes))
    return done


@torch.inference_mode()
def embed(store: EpisodicStore, checkpoint: Checkpoint, keyframes: Sequence[Keyframe]) -> Tensor:
    """Keep the embeddings of n keyframes; returns their visual tokens (n, T, C), which are not kept."""
    images = [decode(store.jpeg(keyframe)) for keyframe in keyframes]
    visual = checkpoint.model.encode_frames(pixels(images, checkpoint.model.config.picture_px))
    compressed = checkpoint.model.compress(visual).float().cpu().numpy()  # (n, C)
    recall = checkpoint.recall.encode_frames(images)  # (n, D)
    store.add_embeddings(checkpoint.key, [keyframe.id for keyframe in keyframes], recall, compressed)
    return visual


def decode(jpeg: bytes) -> np.ndarray:
    """A keyframe's JPEG -> (H, W, 3) uint8 RGB. Raises MemoryDamaged."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:  # its checksum was right, so it was stored like this
        raise MemoryDamaged("A keyframe is not a picture.", "Run: whereabouts check")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
