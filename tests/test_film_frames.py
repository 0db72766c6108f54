"""Frames of films for training: read once, kept small, the same pictures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant import checkpoints
from assistant.checkpoints import Checkpoint
from assistant.training.film_frames import read_film
from assistant.training.recipe import Recipe
from tests.narrated_films import pictures, plan, shoot
from tests.random_base import write_random_base


@pytest.fixture
def base(tiny_recipe: Recipe, tmp_path: Path) -> Checkpoint:
    return checkpoints.load(str(write_random_base(tmp_path / "base", tiny_recipe)))


def test_frames_are_kept_small_and_read_again_for_another_base(base: Checkpoint, tmp_path: Path) -> None:
    film = shoot(tmp_path / "mine.mp4", plan(4))
    seen, said = [], list[str]()

    def counted(path: Path) -> Iterator[tuple[float, np.ndarray]]:
        seen.append(path)
        yield from pictures(path)

    for kind in ("one", "one", "other"):
        frames = read_film(film, counted, base.model, kind, tmp_path, said.append)
    assert frames and len(seen) == 2 and not said
    times_s, images = zip(*pictures(film), strict=True)
    assert frames.times_s.tolist() == list(times_s)
    wanted = base.model.compress(base.model.encode_frames(base.model.pixels(images)))
    torch.testing.assert_close(frames.compressed.float(), wanted, atol=0.2, rtol=1e-2)
    for square, image in zip(frames.pictures([7, 3]), (images[7], images[3]), strict=True):
        assert np.abs(square.astype(int) - image).mean() < 4
