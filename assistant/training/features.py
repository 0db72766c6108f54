"""What the frozen vision tower sees in every frame of the days, read once, and what the projector makes of it.

This file does not know questions or losses. N frames, T visual tokens, D width of the tower, C of the language model.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from assistant.encoder import RecallModel
from assistant.model import MMEgo
from assistant.training.dataset import Day, day_of, read_episode

PICTURES_A_PASS = 256


def workers() -> int:
    """Processes that draw batches ahead; on two cores there is nothing to gain."""
    return max(0, len(os.sched_getaffinity(0)) - 2)


class _Pictures(Dataset[tuple[Day, Tensor]]):
    """Days by number, without their pictures, and beside them the pictures, decoded."""

    def __init__(self, paths: Sequence[Path], first_rows: Sequence[int]) -> None:
        self._paths, self._first_rows = paths, first_rows

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> tuple[Day, Tensor]:
        episode = read_episode(self._paths[number])
        pictures = torch.from_numpy(episode.pictures(range(len(episode.jpegs))))  # (n, P, P, 3) uint8
        return day_of(episode, self._first_rows[number]), pictures


@torch.inference_mode()
def read_days(recall: RecallModel, paths: Sequence[Path], device: torch.device, work: Path) -> tuple[list[Day], Tensor]:
    """The days without their pictures, and what the frozen tower sees in them: (frames, patches, D) float16.

    On a GPU the features stay in its memory; on a CPU they are a file that is mapped.
    """
    tower, finished = recall.vision_model, work / "features.done"
    ends = np.cumsum([_count(path) for path in paths]).tolist()
    shape = (ends[-1], (tower.config.image_size // tower.config.patch_size) ** 2, tower.config.hidden_size)
    if device.type == "cpu":
        features = torch.from_file(str(work / "features.f16"), True, math.prod(shape), dtype=torch.float16).view(shape)
    else:
        features = torch.empty(shape, dtype=torch.float16, device=device)
    days = []
    read = device.type == "cpu" and finished.exists()
    for day, pictures in DataLoader(_Pictures(paths, [0, *ends[:-1]]), batch_size=None, num_workers=workers()):
        days.append(day)
        row = int(day.rows[0])
        for part in () if read else pictures.split(PICTURES_A_PASS):
            pixel_values = part.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.autocast(device.type, torch.bfloat16):
                patches = tower(pixel_values, output_hidden_states=True).hidden_states[-1]
            features[row : row + len(part)] = patches.half()
            row += len(part)
    if device.type == "cpu":
        finished.touch()
    return days, features


def _count(path: Path) -> int:
    with np.load(path) as file:
        return len(file["times_s"])


def project(model: MMEgo, features: Tensor, pooling: Tensor) -> Tensor:
    """The tower's patches (N, patches, D) -> visual tokens (N, T, C), as MMEgo.encode_frames makes them of pixels."""
    dtype = model.model.multi_modal_projector.linear_1.weight.dtype
    return pooling.to(features.device) @ model.model.multi_modal_projector(features.to(dtype))


@torch.no_grad()
def pooling_matrix(model: MMEgo) -> Tensor:
    """LLaVA-OneVision's own pooling as a matrix (T, patches): on a GPU the interpolation of many small grids crawls."""
    config = model.config.vision_config
    patches = (config.image_size // config.patch_size) ** 2
    return model.model.apply_pooling(torch.eye(patches)[None])[0]
