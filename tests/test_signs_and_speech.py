"""The whole way of words: a film with a sign and a voice in it, recorded, written down, asked, and quoted.

Everything is real: FFmpeg, the recorder, silero-vad, PocketSphinx, rapidocr and the shipped checkpoint.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from assistant import checkpoints
from assistant.answer import Answer, EvidenceFound, ask
from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from assistant.words import catch_up_on_words
from device.film import Film
from device.recorder import record
from device.simulated.voice import speak
from store.config import Capture, Sound, Words
from store.episodic import EpisodicStore

BEGAN = datetime(2026, 3, 2, 10, 3, tzinfo=UTC)
LENGTH_S, FPS = 12, 5
RATE_HZ = 16_000
SIGN_S = (4.0, 9.0)
SPOKEN_S = 3.0
SENTENCE = "please remember to buy milk and bread"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("espeak-ng"), reason="the command espeak-ng is not installed"),
]


def picture(at_s: float) -> np.ndarray:
    """A walk past a shop: a moving, noisy, photo-like background, and for some seconds the sign."""
    coarse = np.random.default_rng(0).integers(40, 210, (24, 48, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (1280, 480), interpolation=cv2.INTER_CUBIC)
    left = round(at_s * 50)
    noise = np.random.default_rng(round(at_s * FPS)).normal(0, 6, (480, 640, 3))
    image = (wide[:, left : left + 640] + noise).clip(0, 255).astype(np.uint8)
    if SIGN_S[0] <= at_s < SIGN_S[1]:
        shift = round((at_s - SIGN_S[0]) * 10)
        cv2.rectangle(image, (110 + shift, 120), (480 + shift, 300), (250, 245, 235), -1)
        for number, line in enumerate(("BAKERY", "OPEN 9-17")):
            place = (130 + shift, 190 + 80 * number)
            cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 1.9, (90, 20, 20), 5)
    return image


def shoot(path: Path) -> Path:
    """The film: pictures in H.264 and a voice in AAC."""
    voice = speak(SENTENCE)
    samples = np.random.default_rng(0).normal(0, 8, LENGTH_S * RATE_HZ).astype(np.int16)
    samples[round(SPOKEN_S * RATE_HZ) :][: len(voice)] += voice
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, width=640, height=480, options={"preset": "ultrafast"})
        sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number in range(LENGTH_S * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number / FPS), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        heard = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(sound.encode(heard))
        container.mux(sound.encode())
    return path


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return checkpoints.load("nano")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory, nano: Checkpoint) -> Iterator[EpisodicStore]:
    """The film as the recorder keeps it, embedded and its words written down."""
    folder = tmp_path_factory.mktemp("words")
    film = Film(shoot(folder / "film.mp4"), recorded_at=BEGAN)
    with EpisodicStore.open(folder / "memory") as store, closing(film):
        record(store, film, Capture(), sound=Sound())
        catch_up(store, nano)
        done = catch_up_on_words(store, Words(), keep_sound=False)
        assert not done.damaged and done.keyframes == store.count(in_full=True) and done.sounds > 0
        yield store


def answered(store: EpisodicStore, checkpoint: Checkpoint, question: str) -> Answer:
    *steps, last = ask(store, checkpoint, question)
    assert isinstance(last, Answer)
    evidence = [step for step in steps if isinstance(step, EvidenceFound)]
    assert last.moments == (evidence[-1].moments if evidence else ())
    return last


def test_a_sign_is_quoted_with_the_moment_it_was_seen(memory: EpisodicStore, nano: Checkpoint) -> None:
    answer = answered(memory, nano, "what did the sign at the shop say?")
    assert answer.seen and answer.text.startswith('I read "BAKERY / OPEN 9-17" at 10:03.')
    (moment,) = answer.moments
    began = BEGAN.timestamp()
    assert began + SIGN_S[0] <= moment.keyframe.captured_at < began + SIGN_S[1]
    assert answer.confidence > 0.8 and answer.quoted[0].engine == "rapidocr" and "rapidocr" in answer.note


def test_what_the_checkpoint_cannot_answer_is_answered_by_the_words_of_the_question(
    memory: EpisodicStore, nano: Checkpoint
) -> None:
    answer = answered(memory, nano, "when is the bakery open?")
    assert answer.seen and "BAKERY / OPEN 9-17" in answer.text
    assert "does not know" in answer.note and "rapidocr" in answer.note


def test_speech_lies_within_the_seconds_in_which_it_was_spoken(memory: EpisodicStore, nano: Checkpoint) -> None:
    (said,) = [row for row in memory.transcripts() if row.source == "speech"]
    began, ended = said.started_at - BEGAN.timestamp(), said.ended_at - BEGAN.timestamp()
    assert began == pytest.approx(SPOKEN_S, abs=0.3)
    assert ended == pytest.approx(SPOKEN_S + len(np.trim_zeros(speak(SENTENCE))) / RATE_HZ, abs=0.4)
    answer = answered(memory, nano, "what did I say about the milk?")
    assert answer.text == f'I heard "{said.text}" at 10:03 (rough transcript).' and "milk" in said.text
    assert answer.seen and answer.confidence == said.confidence <= 0.5


def test_what_was_neither_read_nor_heard_is_not_made_up(memory: EpisodicStore, nano: Checkpoint) -> None:
    answer = answered(memory, nano, "what did she say about the dentist?")
    assert not answer.seen and answer.text == "I heard nothing of it." and not answer.moments
    assert "transcripts of speech: 1" in answer.note and answer.confidence == 0.0
    assert memory.turns()[-1].answer == answer.text
