"""Frames of films for training: read once, kept small, the same pictures."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant import checkpoints
from assistant.checkpoints import Checkpoint
from assistant.training.film_frames import read_film
from assistant.training.recipe import Recipe
from store.errors import DiskFull
from tests.narrated_films import pictures, plan, shoot
from tests.random_base import write_random_base
from tests.small_disk import fill, small_disk


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


def test_a_film_that_was_replaced_or_whose_frames_are_damaged_is_read_again(base: Checkpoint, tmp_path: Path) -> None:
    film = shoot(tmp_path / "mine.mp4", plan(4))
    first = read_film(film, pictures, base.model, "any", tmp_path, print)
    assert first
    os.utime(shoot(film, plan(5)), ns=(0, 7))
    second = read_film(film, pictures, base.model, "any", tmp_path, print)
    assert second and not torch.equal(second.compressed, first.compressed)
    for damaged in (second.file.read_bytes()[:-100], b"short"):
        second.file.write_bytes(damaged)
        again = read_film(film, pictures, base.model, "any", tmp_path, print)
        assert again and torch.equal(again.compressed, second.compressed)


def test_frames_that_find_no_room_are_a_disk_that_is_full(base: Checkpoint, tmp_path: Path) -> None:
    film = shoot(tmp_path / "mine.mp4", plan(4))
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with pytest.raises(DiskFull, match="mine.safetensors cannot be written"):
            read_film(film, pictures, base.model, "any", disk, print)
