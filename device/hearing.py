"""Hearing: the sound of one session, gathered into chunks of about 10 s and kept as Opus.

This file does not know where sound comes from, nor who listens to it later.
"""

from device.frame import AudioBlock
from device.opus import Chunk, SoundGatherer, encode
from store.config import Sound
from store.episodic import EpisodicStore


class Hearing:
    """`kept_bytes` counts what stays on disk for good, which is nothing where sound is not to be kept."""

    def __init__(self, store: EpisodicStore, settings: Sound) -> None:
        self.kept_bytes = 0
        self._store, self._settings = store, settings
        self._gatherer = SoundGatherer()

    def add(self, session_id: int, zone_offset_s: int, block: AudioBlock) -> None:
        """Keep the chunks that this block finishes. DiskFull: they are lost."""
        self._keep(session_id, zone_offset_s, self._gatherer.add(block))

    def flush(self, session_id: int, zone_offset_s: int) -> None:
        """Keep what was heard up to now, because it will not go on."""
        self._keep(session_id, zone_offset_s, self._gatherer.flush())

    def _keep(self, session_id: int, zone_offset_s: int, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            ogg = encode(chunk.samples, round(self._settings.bitrate_kbps))
            self._store.add_sound(session_id, chunk.started_at, chunk.ended_at, zone_offset_s, ogg)
            self.kept_bytes += len(ogg) if self._settings.keep else 0
