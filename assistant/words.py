"""Words: write down what was said, and what was to be read, since the last time.

The recorder never waits for it; the two meet only in the store. It may be killed at any time: the words of a batch and
the mark that it was taken down are one transaction. Sounds that follow each other without a pause are listened to
together, so that no sentence is cut where a file ends. This file does not know how speech or text is recognised.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from assistant.asking import Kind
from assistant.scene_text import SceneReader
from assistant.speech import PAD_S, RATE_HZ, SAME_SPEECH_S, decode_sound, speech_spans
from assistant.transcription import Engine, open_engine
from store.config import Words
from store.episodic import EpisodicStore
from store.errors import MemoryBusy, MemoryDamaged, UserError
from store.lock import RecordingLock
from store.records import Heard, Keyframe, Sound, Span

SOUNDS_A_PASS = 64
KEYFRAMES_A_PASS = 8  # half a second each, so a kill costs little
RUN_S = 60.0  # what is listened to at once
ADJOINING_S = 0.25  # sounds less far apart are one stretch of sound
STAYS_S = 10.0  # a keyframe is kept at least so often, so what it shows is not known to have stayed for longer


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of how many keyframes and sounds of a span the words are not yet written down."""

    keyframes: int
    sounds: int


@dataclass(slots=True)
class WrittenDown:
    """What a catch-up took down, and a line about each sound and keyframe that is damaged and holds no words."""

    sounds: int
    keyframes: int
    damaged: list[str]


def waiting_for_words(store: EpisodicStore, span: Span | None = None) -> Waiting:
    """What a catch-up would find to do."""
    span = span or Span(float("-inf"), float("inf"))
    sounds, keyframes = store.unheard(limit=-1), store.unread(limit=-1)
    return Waiting(
        keyframes=sum(span.started_at <= each.captured_at < span.ended_at for each in keyframes),
        sounds=sum(each.started_at < span.ended_at and each.ended_at > span.started_at for each in sounds),
    )


def only(words: Words, kind: Kind) -> Words:
    """The settings without the words that a question of this kind does not ask for."""
    return replace(words, speech=words.speech and kind != "read", scene_text=words.scene_text and kind != "heard")


def catch_up_on_words(
    store: EpisodicStore,
    words: Words,
    keep_sound: bool,
    progress: Callable[[int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> WrittenDown:
    """Write down all that waits, sounds first, then keyframes, the newest first.

    `progress` hears how many sounds or keyframes were done each time; `stop` is asked between batches. While another
    process does the same, nothing is done. Raises CheckpointError where `words` names an engine that cannot be used.
    """
    catching_up = _CatchUp(store, progress or (lambda count: None), stop)
    with suppress(MemoryBusy), RecordingLock(store.directory / "words.lock").held():
        if words.speech and store.unheard(limit=1):
            catching_up.listen(open_engine(words), keep_sound)
        if words.scene_text and store.unread(limit=1):
            catching_up.read(SceneReader())
    return catching_up.done


@dataclass(frozen=True, slots=True)
class Run:
    """Sounds of one session that adjoin; `goes_on`: the sound that follows may not have been looked at, or recorded."""

    sounds: tuple[Sound, ...]
    goes_on: bool

    @property
    def span(self) -> Span:
        return Span(self.sounds[0].started_at, self.sounds[-1].ended_at)

    @property
    def is_full(self) -> bool:
        """It cannot wait to become longer."""
        return self.span.duration_s >= RUN_S or len(self.sounds) == SOUNDS_A_PASS


def runs_of(sounds: Sequence[Sound], ended_sessions: Collection[int]) -> list[Run]:
    """The sounds of a pass, parted where a session is silent, has changed, or RUN_S are full."""
    runs: list[list[Sound]] = []
    for sound in sorted(sounds, key=lambda sound: (sound.session_id, sound.started_at)):
        if runs and _adjoin(runs[-1][-1], sound) and runs[-1][-1].ended_at - runs[-1][0].started_at < RUN_S:
            runs[-1].append(sound)
        else:
            runs.append([sound])
    following = [run[0] for run in runs[1:]]
    return [
        Run(tuple(run), _goes_on(run[-1], next_sound, len(sounds), ended_sessions))
        for run, next_sound in zip_longest(runs, following)
    ]


def _goes_on(last: Sound, following: Sound | None, looked_at: int, ended_sessions: Collection[int]) -> bool:
    if following and following.session_id == last.session_id:
        return _adjoin(last, following)
    return last.session_id not in ended_sessions or looked_at == SOUNDS_A_PASS


def _adjoin(sound: Sound, following: Sound) -> bool:
    same_session = sound.session_id == following.session_id
    return same_session and abs(following.started_at - sound.ended_at) <= ADJOINING_S


class _CatchUp:
    """One catch-up while it lasts; `done` says how far it is."""

    def __init__(self, store: EpisodicStore, progress: Callable[[int], None], stop: Callable[[], bool]) -> None:
        self._store, self._progress, self._stop = store, progress, stop
        self._ended = {each.id: each.ended_at for each in store.sessions() if each.ended_at is not None}
        self.done = WrittenDown(0, 0, [])

    def listen(self, engine: Engine, keep_sound: bool) -> None:
        """Every sound, save those in whose last words a session still goes on."""
        before = -1
        while self.done.sounds > before:
            before = self.done.sounds
            for run in runs_of(self._store.unheard(SOUNDS_A_PASS), self._ended):
                if self._stop():
                    return
                self._listen_to(run, engine, keep_sound)

    def _listen_to(self, run: Run, engine: Engine, keep_sound: bool) -> None:
        began = self._taken_down_until(run)
        samples = self._samples(run)[round((began - run.span.started_at) * RATE_HZ) :]
        spans, settled = speech_spans(samples), run.sounds
        if run.goes_on and spans and spans[-1][1] > len(samples) / RATE_HZ - SAME_SPEECH_S + PAD_S:
            ended = tuple(sound for sound in run.sounds if sound.ended_at <= began + spans[-1][0])
            if ended or not run.is_full:
                spans, settled = spans[:-1], ended  # the last words wait for the rest of their sentence
        heard = []
        for start_s, end_s in spans:
            text, confidence = engine.transcribe(samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)])
            if text:
                said = run.sounds[0].session_id, began + start_s, began + end_s, text
                heard.append(Heard(*said, source="speech", engine=engine.name, confidence=confidence))
        self._store.keep_heard([sound.id for sound in settled], heard, keep_sound)
        self.done.sounds += len(settled)
        self._progress(len(settled))

    def _samples(self, run: Run) -> np.ndarray:
        """The run's sound, each part at its time; silent where it is damaged."""
        span = run.span
        samples = np.zeros(round(span.duration_s * RATE_HZ), np.int16)
        for sound in run.sounds:
            place = samples[round((sound.started_at - span.started_at) * RATE_HZ) :]
            try:
                decoded = decode_sound(self._store.sound_bytes(sound))[: len(place)]
            except MemoryDamaged as error:
                if self._store.sound(sound.id):  # else it was forgotten meanwhile
                    self._name(f"Sound of {sound.local_time:%Y-%m-%d %H:%M:%S}: {error.message}")
            else:
                place[: len(decoded)] = decoded
        return samples

    def _taken_down_until(self, run: Run) -> float:
        """The run's beginning, or the end of the last sentence that was taken down of a sound that then had to wait."""
        rows = [row for row in self._store.transcripts(run.span) if row.source == "speech"]
        ends = [row.ended_at for row in rows if row.session_id == run.sounds[0].session_id]
        return max([run.span.started_at, *ends])

    def read(self, reader: SceneReader) -> None:
        """Every keyframe."""
        while not self._stop() and (keyframes := self._store.unread(KEYFRAMES_A_PASS)):
            found = [self._read_one(keyframe, reader) for keyframe in reversed(keyframes)]  # a text grows with time
            self._store.keep_read([each.id for each in keyframes], [text for text in found if text])
            self.done.keyframes += len(keyframes)
            self._progress(len(keyframes))

    def _read_one(self, keyframe: Keyframe, reader: SceneReader) -> Heard | None:
        from assistant.indexer import decode

        try:
            lines = reader.read(decode(self._store.jpeg(keyframe)))
        except MemoryDamaged as error:
            self._name(f"Keyframe {keyframe.id}: {error.message}")
            return None
        except UserError:  # it was forgotten meanwhile
            return None
        if not lines:
            return None
        text, confidence = " / ".join(line.text for line in lines), sum(line.confidence for line in lines) / len(lines)
        span = self._in_view(keyframe)
        when = keyframe.session_id, span.started_at, span.ended_at
        return Heard(*when, text, source="scene-text", engine="rapidocr", confidence=confidence)

    def _in_view(self, keyframe: Keyframe) -> Span:
        """From a keyframe to the next of its session, or to the session's end, but for STAYS_S at most."""
        began, longest = keyframe.captured_at, keyframe.captured_at + STAYS_S
        near = self._store.keyframes_of_session(keyframe.session_id, Span(began, longest))
        following = [each.captured_at for each in near if each.id > keyframe.id]
        return Span(began, max(began, min([longest, self._ended.get(keyframe.session_id, longest), *following])))

    def _name(self, damage: str) -> None:
        """Once: a sound that waits is decoded again."""
        if damage not in self.done.damaged:
            self.done.damaged.append(damage)
