"""Catching up on words: each once, at its time, whatever is cut, damaged, waiting or killed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from assistant import words
from assistant.speech import RATE_HZ
from assistant.words import Waiting, WrittenDown, catch_up_on_words, runs_of, waiting_for_words
from device.opus import encode
from device.simulated.voice import speak
from store.config import Words
from store.episodic import EpisodicStore
from store.lock import RecordingLock
from store.records import Sound, Span

BEGAN = 1_772_434_800.0
SOUND_S = 3.0


class Counting:
    """An engine that says how many seconds it was given, so that tests of order and time take no time."""

    name, rough = "counting", False

    def transcribe(self, samples: np.ndarray) -> tuple[str, float]:
        return f"{len(samples) / RATE_HZ:.1f} s", 0.9


@pytest.fixture
def voice() -> np.ndarray:
    """One spoken sentence, without the silence around it."""
    if not shutil.which("espeak-ng"):
        pytest.skip("the command espeak-ng is not installed")
    return np.trim_zeros(speak("please remember to buy milk and bread"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EpisodicStore]:
    """A memory in which one session goes on."""
    monkeypatch.setattr(words, "open_engine", lambda settings: Counting())
    with EpisodicStore.open(tmp_path / "memory") as opened:
        opened.begin_session("a test", BEGAN, 3600, 1.0)
        yield opened


def laid(length_s: float, *spoken: tuple[float, np.ndarray]) -> np.ndarray:
    """A quiet room in which something is said at some seconds."""
    samples = np.random.default_rng(0).normal(0, 8, round(length_s * RATE_HZ)).astype(np.int16)
    for at_s, said in spoken:
        start = round(at_s * RATE_HZ)
        samples[start : start + len(said)] += said[: len(samples) - start]
    return samples


def keep(store: EpisodicStore, samples: np.ndarray, session_id: int = 1, at_s: float = 0.0) -> list[Sound]:
    """Sounds of SOUND_S that follow each other."""
    step, kept = round(SOUND_S * RATE_HZ), []
    for start in range(0, len(samples), step):
        part, began = samples[start : start + step], BEGAN + at_s + start / RATE_HZ
        kept.append(store.add_sound(session_id, began, began + len(part) / RATE_HZ, 3600, encode(part)))
    return kept


def listen(store: EpisodicStore, keep_sound: bool = False) -> WrittenDown:
    return catch_up_on_words(store, Words(scene_text=False), keep_sound)


def heard(store: EpisodicStore) -> list[tuple[float, float]]:
    """Seconds of the test at which something was written down."""
    return [(row.started_at - BEGAN, row.ended_at - BEGAN) for row in store.transcripts()]


def test_a_sentence_over_the_end_of_a_file_is_one_transcript_at_its_time(
    store: EpisodicStore, voice: np.ndarray
) -> None:
    keep(store, laid(12.0, (2.0, voice), (7.5, voice)))
    done = listen(store)
    length_s = len(voice) / RATE_HZ
    first, second = heard(store)
    assert first == pytest.approx((2.0, 2.0 + length_s), abs=0.3)
    assert second == pytest.approx((7.5, 7.5 + length_s), abs=0.3)
    assert done == WrittenDown(4, 0, []) and not store.sounds()


def test_sound_is_kept_where_it_is_to_be_kept(store: EpisodicStore, voice: np.ndarray) -> None:
    keep(store, laid(6.0, (2.0, voice)))
    listen(store, keep_sound=True)
    assert [sound.heard for sound in store.sounds()] == [True, True] and len(heard(store)) == 1


def test_what_is_being_said_waits_for_the_rest_of_its_sentence(store: EpisodicStore, voice: np.ndarray) -> None:
    samples = laid(9.0, (0.5, voice[:RATE_HZ]), (4.9, voice))
    keep(store, samples[: 6 * RATE_HZ])
    assert listen(store).sounds == 1 and len(heard(store)) == 1
    assert listen(store).sounds == 0 and len(heard(store)) == 1
    keep(store, samples[6 * RATE_HZ :], at_s=6.0)
    assert listen(store).sounds == 2
    assert heard(store)[1] == pytest.approx((4.9, 4.9 + len(voice) / RATE_HZ), abs=0.3)


def test_a_sentence_beside_one_that_waits_is_written_down_once(store: EpisodicStore, voice: np.ndarray) -> None:
    samples = laid(6.0, (0.3, voice[: RATE_HZ // 2]), (1.9, voice))
    keep(store, samples[: 3 * RATE_HZ])
    assert listen(store).sounds == 0 and len(heard(store)) == 1
    keep(store, samples[3 * RATE_HZ :], at_s=3.0)
    assert listen(store).sounds == 2 and len(heard(store)) == 2


def test_nothing_waits_once_its_session_has_ended_or_the_sound_breaks_off(
    store: EpisodicStore, voice: np.ndarray
) -> None:
    keep(store, laid(3.0, (1.5, voice)))
    keep(store, laid(3.0), at_s=20.0)
    assert listen(store).sounds == 2 and len(heard(store)) == 1
    keep(store, laid(3.0, (1.5, voice)), at_s=23.0)
    assert listen(store).sounds == 0
    store.end_session(1, BEGAN + 26, "stopped")
    assert listen(store).sounds == 1 and len(heard(store)) == 2


def test_who_does_not_stop_talking_is_written_down_without_a_second_lost_or_doubled(
    store: EpisodicStore, voice: np.ndarray
) -> None:
    length_s = 84
    keep(store, np.tile(voice, length_s * RATE_HZ // len(voice) + 1)[: length_s * RATE_HZ])
    listen(store)
    store.end_session(1, BEGAN + length_s, "stopped")
    listen(store)
    spans = heard(store)
    assert spans[0][0] < 0.5 and spans[-1][1] > length_s - 0.5 and not store.sounds()
    assert all(-0.01 < after[0] - before[1] < 0.5 for before, after in zip(spans, spans[1:], strict=False))


def test_two_sessions_of_one_time_are_not_mixed(store: EpisodicStore, voice: np.ndarray) -> None:
    other = store.begin_session("another camera", BEGAN, 3600, 1.0)
    keep(store, laid(6.0, (2.0, voice)))
    keep(store, laid(6.0, (2.0, voice)), session_id=other.id)
    listen(store)
    assert [row.session_id for row in store.transcripts()] == [1, other.id]


def test_a_damaged_sound_is_named_and_the_others_are_heard(store: EpisodicStore, voice: np.ndarray) -> None:
    keep(store, laid(3.0, (0.3, voice)))
    store.add_sound(1, BEGAN + 3, BEGAN + 6, 3600, b"no sound")
    keep(store, laid(3.0, (0.3, voice)), at_s=6.0)
    done = listen(store)
    assert done.damaged == ["Sound of 2026-03-02 08:00:03: A sound is not a recording."]
    assert done.sounds == 3 and len(heard(store)) == 2 and not store.unheard()


def test_a_kill_between_batches_loses_and_doubles_nothing(store: EpisodicStore, voice: np.ndarray) -> None:
    for number in range(3):
        keep(store, laid(3.0, (0.3, voice)), at_s=20.0 * number)

    def kill(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catch_up_on_words(store, Words(scene_text=False), False, progress=kill)
    assert len(heard(store)) == 1 and len(store.unheard()) == 2
    listen(store)
    assert [round(start) for start, _ in heard(store)] == [0, 20, 40]


def test_a_kill_while_listening_leaves_the_sound_unheard(
    store: EpisodicStore, voice: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, laid(9.0, (0.5, voice), (5.0, voice)))
    given = iter([("first", 0.9)])
    monkeypatch.setattr(Counting, "transcribe", lambda self, samples: next(given))
    with pytest.raises(StopIteration):
        listen(store)
    assert not heard(store) and len(store.unheard()) == 3


def test_only_one_process_catches_up_and_who_is_told_to_stop_stops(store: EpisodicStore) -> None:
    keep(store, laid(3.0))
    with RecordingLock(store.directory / "words.lock").held():
        assert listen(store) == WrittenDown(0, 0, [])
    assert catch_up_on_words(store, Words(), False, stop=lambda: True) == WrittenDown(0, 0, [])
    assert catch_up_on_words(store, Words(speech=False, scene_text=False), False) == WrittenDown(0, 0, [])
    assert waiting_for_words(store) == Waiting(keyframes=0, sounds=1)
    assert waiting_for_words(store, Span(BEGAN + 3, BEGAN + 9)) == Waiting(keyframes=0, sounds=0)


def test_runs_are_parted_by_silence_by_session_and_when_they_are_full() -> None:
    def sound(at_s: float, session_id: int = 1) -> Sound:
        return Sound(1, session_id, BEGAN + at_s, BEGAN + at_s + 10, 0, 1, 0, 1, 0, False)

    sounds = [sound(10 * n) for n in range(8)] + [sound(90.2), sound(100.3), sound(80, 2), sound(90.1, 2)]
    runs = runs_of(sounds, ended_sessions={1})
    assert [(len(run.sounds), run.goes_on, run.is_full) for run in runs] == [
        (6, True, True), (2, False, False), (2, False, False), (2, True, False),
    ]  # fmt: skip


def picture(*lines: str) -> bytes:
    image = np.full((240, 320, 3), 128, np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(image, line, (20, 90 + 70 * number), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 4)
    return cv2.imencode(".jpg", image)[1].tobytes()


def test_what_stays_in_view_is_one_row_and_a_damaged_picture_is_named(store: EpisodicStore) -> None:
    jpegs = [picture(), picture("BAKERY", "OPEN 9-17"), picture("BAKERY", "OPEN 9-17"), b"no picture", picture("EXIT")]
    for at_s, jpeg in zip((0, 4, 12, 16, 20), jpegs, strict=True):
        store.add_keyframe(1, BEGAN + at_s, 3600, jpeg, 320, 240, 1.0)
    store.end_session(1, BEGAN + 23, "stopped")
    done = catch_up_on_words(store, Words(), False)
    sign, leaving = store.transcripts()
    assert (sign.text, sign.source, sign.engine) == ("BAKERY / OPEN 9-17", "scene-text", "rapidocr")
    assert (sign.started_at - BEGAN, sign.ended_at - BEGAN) == (4, 16) and 0.6 <= sign.confidence <= 1
    assert (leaving.text, leaving.started_at - BEGAN, leaving.ended_at - BEGAN) == ("EXIT", 20, 23)
    assert done.keyframes == 5 and len(done.damaged) == 1 and "not a picture" in done.damaged[0]
    assert catch_up_on_words(store, Words(), False) == WrittenDown(0, 0, [])
