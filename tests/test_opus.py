"""Sound in chunks: nothing lost, nothing reordered, times right; and what the Ogg-Opus files of it hold."""

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.frame import SAMPLE_RATE_HZ, AudioBlock
from device.opus import ADJOIN_S, Chunk, SoundGatherer, decode, encode

START_AT = 1_760_000_000.0
CHUNK_S = 0.5
BREAKS_S = (0.0, 0.001, -0.001, 0.1, -0.1, 0.3, 5.0, -5.0, 3600.0)


@st.composite
def blocks(draw: st.DrawFn) -> list[AudioBlock]:
    """Blocks of numbered samples; most adjoin, some come a little or much too late or too early."""
    made, at, number = [], START_AT, 0
    for length, gap_s in draw(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(BREAKS_S)), max_size=12)):
        at += gap_s
        samples = (np.arange(number, number + length) % 30_000).astype(np.int16)
        made.append(AudioBlock(samples, at))
        at, number = at + length / SAMPLE_RATE_HZ, number + length
    return made


def gather(made: list[AudioBlock], chunk_s: float = CHUNK_S) -> list[Chunk]:
    gatherer = SoundGatherer(chunk_s)
    return [chunk for block in made for chunk in gatherer.add(block)] + gatherer.flush()


@given(blocks())
@settings(deadline=None, max_examples=60)
def test_no_sample_is_lost_added_or_reordered(made: list[AudioBlock]) -> None:
    heard = [block.samples for block in made]
    gathered = [chunk.samples for chunk in gather(made)]
    assert np.array_equal(np.concatenate([*heard, []]), np.concatenate([*gathered, []]))


@given(blocks())
@settings(deadline=None, max_examples=60)
def test_every_sample_keeps_its_time_to_a_quarter_of_a_second(made: list[AudioBlock]) -> None:
    def times_s(started_at: float, samples: np.ndarray) -> np.ndarray:
        return started_at + np.arange(len(samples)) / SAMPLE_RATE_HZ

    heard = np.concatenate([*(times_s(block.captured_at, block.samples) for block in made), []])
    gathered = np.concatenate([*(times_s(chunk.started_at, chunk.samples) for chunk in gather(made)), []])
    assert np.all(np.abs(heard - gathered) <= ADJOIN_S + 0.001)


@given(blocks())
@settings(deadline=None, max_examples=60)
def test_a_chunk_is_as_long_as_it_says_and_never_empty_or_too_long(made: list[AudioBlock]) -> None:
    for chunk in gather(made):
        assert 0 < len(chunk.samples) <= CHUNK_S * SAMPLE_RATE_HZ
        assert chunk.ended_at - chunk.started_at == pytest.approx(len(chunk.samples) / SAMPLE_RATE_HZ, abs=1e-6)
        assert chunk.samples.dtype == np.int16


def second(number: int, late_s: float = 0.0) -> AudioBlock:
    return AudioBlock(np.full(SAMPLE_RATE_HZ, number, np.int16), START_AT + number + late_s)


def test_a_chunk_is_given_as_soon_as_it_is_full_and_the_rest_waits_for_flush() -> None:
    gatherer = SoundGatherer(chunk_s=2.5)
    finished = [len(gatherer.add(second(number))) for number in range(6)]
    assert finished == [0, 0, 1, 0, 1, 0]
    [rest] = gatherer.flush()
    assert (rest.started_at - START_AT, rest.ended_at - START_AT) == (5.0, 6.0)
    assert gatherer.flush() == []


def test_a_silent_source_closes_the_chunk_and_a_little_lateness_does_not() -> None:
    late = [second(0), second(1, 0.2), second(2, 0.2), second(3, 4.0), second(4, 4.0)]
    spans = [(chunk.started_at - START_AT, chunk.ended_at - START_AT) for chunk in gather(late, chunk_s=10.0)]
    assert spans == [(0.0, 3.0), (7.0, 9.0)]


@pytest.mark.parametrize("length", [1, 2, 319, 960, 12_345, 16_000, 160_000])
def test_the_length_is_kept_to_the_sample(length: int) -> None:
    hum = (8000 * np.sin(np.arange(length) / 6)).astype(np.int16)
    assert decode(encode(hum)).shape == (length,)


def test_sound_comes_back_in_its_place_and_alike() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 4 * SAMPLE_RATE_HZ)
    smooth = np.convolve(noise, np.ones(12) / 12, "same")  # most of it below 1 kHz, as speech is
    smooth[:20_000] = 0
    sound = (9000 * smooth).astype(np.int16)
    back = decode(encode(sound, 32)).astype(float)
    likeness = np.fft.irfft(np.fft.rfft(back, 2**18) * np.conj(np.fft.rfft(sound.astype(float), 2**18)))
    assert likeness.argmax() == 0
    assert np.abs(back[:19_000]).max() < 300
    assert np.corrcoef(back, sound)[0, 1] > 0.8


def test_a_file_stands_alone_is_small_and_always_the_same() -> None:
    hum = (8000 * np.sin(np.arange(10 * SAMPLE_RATE_HZ) / 6)).astype(np.int16)
    ogg = encode(hum, bitrate_kbps=24)
    assert len(ogg) < 1.1 * 24_000 / 8 * 10
    assert len(encode(np.zeros_like(hum))) < len(ogg) / 5
    assert encode(hum) == ogg
    with av.open(io.BytesIO(ogg)) as container:
        [stream] = container.streams
        assert (container.format.name, stream.codec.name, stream.codec_context.channels) == ("ogg", "opus", 1)


def test_stereo_at_another_rate_is_read_as_mono_at_ours() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[np.newaxis], format="s16", layout="stereo")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
    samples = decode(file.getvalue())
    assert samples.shape == (SAMPLE_RATE_HZ,)
    assert np.abs(np.fft.rfft(samples.astype(float))).argmax() == 440
