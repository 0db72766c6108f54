"""The frames of films for training: read once by the frozen tower, and kept small.

Of every frame a film's file holds its time, its compressed embedding and a JPEG of the size that the tower reads. The
visual tokens are made again of the few pictures that a step shows: those of a 7B would take 1.4 MB a frame. A film is
read whole or not at all, and is read again where its file is damaged, or came from another base or another film.

This file does not know narrations, nor how films are decoded. N frames, C width of the language model.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from assistant.model import MMEgo
from assistant.training.dataset import decode
from assistant.vision import square
from store.disk import writing
from store.errors import CameraError

PICTURES_A_PASS = 32
JPEG_QUALITY = 90

Pictures = Callable[[Path], Iterator[tuple[float, np.ndarray]]]  # seconds since the beginning, RGB uint8 (H, W, 3)


@dataclass(frozen=True, slots=True)
class FilmFrames:
    """One film's frames: `times_s` (N,), `compressed` (N, C) in half precision, and the file of their pictures."""

    times_s: np.ndarray
    compressed: Tensor
    ends: tuple[int, ...]
    file: Path

    def pictures(self, frames: Sequence[int]) -> list[np.ndarray]:
        """The pictures of these frames, square, RGB uint8."""
        with safe_open(self.file, "np") as file:
            jpegs = file.get_slice("jpegs")
            starts = (0, *self.ends[:-1])
            return [decode(jpegs[starts[i] : self.ends[i]]) for i in frames]


def read_film(
    film: Path, pictures: Pictures, model: MMEgo, kind: str, folder: Path, say: Callable[[str], None]
) -> FilmFrames | None:
    """A film's frames from their file in `folder`, which is made first where there is none of this `kind` and film.

    A film that breaks off is kept as far as it goes, and said; None where it holds no picture at all. Raises DiskFull.
    """
    file, kind = folder / f"{film.stem}.safetensors", f"{kind} {state_of(film)}"
    if _kind(file) != kind:
        times_s, compressed, jpegs = _encode(film, pictures, model, say)
        if not times_s:
            return None
        tensors = {
            "times_s": torch.tensor(times_s, dtype=torch.float64),
            "compressed": torch.cat(compressed),
            "jpegs": torch.from_numpy(np.concatenate(jpegs)),
            "jpeg_ends": torch.tensor([len(jpeg) for jpeg in jpegs]).cumsum(0),
        }
        unfinished = file.with_suffix(".part")
        with writing(file):
            unfinished.write_bytes(save(tensors, {"kind": kind}))
            unfinished.rename(file)
    with safe_open(file, "pt") as kept:
        times, compressed_all, ends = (kept.get_tensor(name) for name in ("times_s", "compressed", "jpeg_ends"))
    return FilmFrames(times.numpy(), compressed_all, tuple(ends.tolist()), file)


def state_of(film: Path) -> str:
    """What tells a film from another of the same name: its size and when it was written."""
    found = film.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


@torch.inference_mode()
def _encode(
    film: Path, pictures: Pictures, model: MMEgo, say: Callable[[str], None]
) -> tuple[list[float], list[Tensor], list[np.ndarray]]:
    """Times, compressed embeddings by pass, and JPEGs."""
    times_s: list[float] = []
    compressed: list[Tensor] = []
    jpegs: list[np.ndarray] = []
    stream = _as_far_as_it_goes(film, pictures, say)
    while part := list(islice(stream, PICTURES_A_PASS)):
        squares = [square(image, model.config.picture_px, model.config.resampling) for _, image in part]
        visual = model.encode_frames(model.pixels(squares))
        compressed.append(model.compress(visual).half().cpu())
        times_s += [at_s for at_s, _ in part]
        jpegs += [_jpeg(square) for square in squares]
    return times_s, compressed, jpegs


def _as_far_as_it_goes(
    film: Path, pictures: Pictures, say: Callable[[str], None]
) -> Iterator[tuple[float, np.ndarray]]:
    try:
        yield from pictures(film)
    except CameraError as error:
        say(f"{film.name}: {error.message}")


def _jpeg(square: np.ndarray) -> np.ndarray:
    bgr = cv2.cvtColor(square, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].ravel()


def _kind(file: Path) -> str:
    """Nothing where the file is absent or damaged."""
    try:
        with safe_open(file, "pt") as kept:
            return str((kept.metadata() or {}).get("kind"))
    except (OSError, SafetensorError):
        return ""
