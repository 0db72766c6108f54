"""Film: a recorded video file as a camera, with the clock of the day it was taken.

When it was taken: what the caller says, else what the file says, else the file's modification time less its length.
Phones write their zone beside the time; where nothing is written, this machine's zone of that day is taken.

This file does not know how pictures are decoded, nor what becomes of them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from device.decoder import Decoder
from device.frame import AudioBlock, Frame


class Film:
    """Implements device.camera.Camera. `started_at` is when the film was taken, with its zone."""

    live = False

    def __init__(self, path: Path, wanted_fps: float = 1.0, recorded_at: datetime | None = None) -> None:
        """`recorded_at` without a zone is this machine's local time. Raises CameraError for anything but a film."""
        resolved = path.resolve()
        self.source = str(resolved)
        self._decoder = Decoder(self.source, self.source, wanted_fps)
        self.length_s = self._decoder.duration_s
        if recorded_at and not recorded_at.tzinfo:
            recorded_at = recorded_at.astimezone()
        written = _written_start(self._decoder.metadata)
        self.started_at = recorded_at or written or _start_by_file(resolved, self.length_s or 0.0)

    @property
    def shape(self) -> str:
        return self._decoder.shape

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        """Walked once. Raises CameraError after the last frame if the film ends early or nothing could be decoded."""
        start_at, zone = self.started_at.timestamp(), self.started_at.utcoffset() or timedelta()

        def hear(at_s: float, samples: np.ndarray) -> None:
            if on_sound:
                on_sound(AudioBlock(samples, start_at + at_s))

        for at_s, image in self._decoder.pictures(hear if on_sound else None):
            yield Frame(image, start_at + at_s, int(zone.total_seconds()))

    def close(self) -> None:
        self._decoder.close()


def _written_start(metadata: Mapping[str, str]) -> datetime | None:
    """The start that the film's own metadata gives, if it gives a believable one."""
    with_zone = _read_time(metadata.get("com.apple.quicktime.creationdate", ""))
    if with_zone:
        return with_zone
    in_utc = _read_time(metadata.get("creation_time", ""))
    return in_utc.astimezone() if in_utc else None


def _read_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.year <= 1970:  # a camera whose clock was never set writes the first day of its epoch
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _start_by_file(path: Path, length_s: float) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime - length_s).astimezone()
