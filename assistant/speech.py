"""Speech: where in a recording somebody speaks, and recordings out of the Ogg-Opus files that they are kept as.

silero-vad decides, with the model inside its own package. This file does not know what is said, nor when it was.
n samples at 16 kHz.
"""

import io
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from store.errors import MemoryDamaged

RATE_HZ = 16_000
PAD_S = 0.2  # kept before and after: words begin softly
SAME_SPEECH_S = 0.5  # a pause shorter than this parts nothing
SHORTEST_S = 0.25
LONGEST_S = 30.0  # what a transcriber listens to at once


def speech_spans(samples: np.ndarray) -> list[tuple[float, float]]:
    """Samples (n,) int16 -> seconds from and to which somebody speaks, apart from each other and in time order."""
    silero, detector = _silero()
    found = silero.get_speech_timestamps_from_probs(
        detector.audio_forward(samples.astype(np.float32) / 32768).tolist(),
        sampling_rate=RATE_HZ,
        min_speech_duration_ms=0,
        min_silence_duration_ms=round(SAME_SPEECH_S * 1000),
        speech_pad_ms=round(PAD_S * 1000),
        max_speech_duration_s=LONGEST_S,
        audio_length_samples=len(samples),
    )
    spans = [(span["start"] / RATE_HZ, span["end"] / RATE_HZ) for span in found]
    end_s = len(samples) / RATE_HZ
    # The beginning of a word is short, too, where the recording ends.
    return [span for span in spans if span[1] - span[0] >= SHORTEST_S + 2 * PAD_S or span[1] == end_s]


def decode_sound(ogg: bytes) -> np.ndarray:
    """An Ogg-Opus file -> (n,) int16 mono at 16 kHz. Raises MemoryDamaged where it is not one."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    try:
        with av.open(io.BytesIO(ogg), "r") as container:
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
    except (av.FFmpegError, IndexError) as error:  # IndexError: there is no sound in it
        raise MemoryDamaged("A sound is not a recording.", "Run: whereabouts check") from error
    return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray()[0] for frame in frames)])


@cache
def _silero() -> tuple[ModuleType, Any]:
    """The package and its model. Importing it makes torch use one thread in the whole process, which is undone."""
    import torch

    threads = torch.get_num_threads()
    import silero_vad

    torch.set_num_threads(threads)
    return silero_vad, silero_vad.load_silero_vad(sequence=True)
