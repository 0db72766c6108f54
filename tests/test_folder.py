"""A folder that films are copied into: what is there, what arrives, what is not yet whole, what cannot be read."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread, Timer

import av
import numpy as np
import pytest

import device.folder
from device.film import Film
from device.folder import FilmFolder, record_folder
from device.recorder import record
from device.state import Recorded
from store.config import Capture
from store.episodic import EpisodicStore
from store.errors import CameraError

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SETTINGS = Capture(fps=1.0, keyframe_every_s=1.0)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.folder, "POLL_S", 0.02)
    monkeypatch.setattr(device.folder, "SETTLED_S", 0.2)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


def shoot(path: Path, minute: int | None = 0, length_s: int = 3) -> Path:
    """A film that says it was taken `minute` minutes past noon, or does not say when."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if minute is not None:
            container.metadata["creation_time"] = (NOON + timedelta(minutes=minute)).isoformat()
        video = container.add_stream("libx264", rate=4, width=64, height=48)
        for number in range(4 * length_s):
            image = np.full((48, 64, 3), 20 * (number % 12), np.uint8)
            image[:24, :32] = (200, 90, 30)  # a picture of one colour would pass for a covered lens
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
    return path


def minute(film: Film) -> int:
    return round((film.started_at - NOON).total_seconds() / 60)


def take(films: Iterator[Film], count: int) -> list[int]:
    """The minutes at which the next films were taken."""
    return [minute(next(films)) for _ in range(count)]


def test_films_come_in_the_order_in_which_they_were_taken(card: Path) -> None:
    shoot(card / "DCIM/100GOPRO/GX010003.MP4", 7)
    shoot(card / "DCIM/101GOPRO/GX010001.MP4", 2)
    shoot(card / "a.mov", 9)
    assert take(FilmFolder(card).films(Event()), 3) == [2, 7, 9]


def test_a_film_that_arrives_later_is_given_when_it_is_there(card: Path) -> None:
    shoot(card / "first.mp4", 1)
    films = FilmFolder(card).films(Event())
    assert take(films, 1) == [1]
    shoot(card / "new folder/second.mp4", 2)
    assert take(films, 1) == [2]


def test_a_film_is_not_given_while_it_is_being_copied(card: Path, tmp_path: Path) -> None:
    whole = shoot(tmp_path / "whole.ts", 3, length_s=8).read_bytes()  # opens however little of it is there
    parts = 10
    copied = Event()

    def copy() -> None:
        with (card / "film.ts").open("wb", buffering=0) as file:
            for part in range(parts):
                file.write(whole[len(whole) * part // parts : len(whole) * (part + 1) // parts])
                copied.wait(0.05)
        copied.set()

    copying = Thread(target=copy)
    copying.start()
    films = FilmFolder(card).films(Event())
    film = next(films)
    assert copied.is_set()
    assert len(list(film.frames())) == 8
    copying.join()


def test_hidden_partial_and_other_files_are_not_looked_at(card: Path) -> None:
    film = shoot(card / "film.mp4")
    for name in (".film.mp4", "._film.mp4", "film.mp4.part", "film.mp4.crdownload", ".Trashes/film.mp4", "film.thm"):
        (card / name).parent.mkdir(exist_ok=True)
        shutil.copy(film, card / name)
    folder, stop = FilmFolder(card), Event()
    seen: list[str] = []
    for found in folder.films(stop):
        seen.append(found.source)
        stop.set()
    assert seen == [str(film)] and folder.passed_over == {}


def test_what_is_no_file_is_not_looked_at_and_a_link_to_a_film_is(card: Path, tmp_path: Path) -> None:
    os.mkfifo(card / "pipe.mp4")
    (card / "folder.mp4").mkdir()
    (card / "to a pipe.mp4").symlink_to(card / "pipe.mp4")
    (card / "link.mp4").symlink_to(shoot(tmp_path / "film.mp4", 3))
    folder = FilmFolder(card)
    assert take(folder.films(Event()), 1) == [3]
    assert folder.passed_over == {}


def test_what_cannot_be_read_is_named_and_the_others_come(card: Path) -> None:
    (card / "broken.mp4").write_bytes(b"no film at all" * 100)
    shoot(card / "whole.mp4", 4)
    folder = FilmFolder(card)
    films = folder.films(Event())
    assert take(films, 1) == [4]
    assert list(folder.passed_over) == [card / "broken.mp4"]
    assert "broken.mp4 cannot be read" in folder.passed_over[card / "broken.mp4"]
    shoot(card / "broken.mp4", 5)
    assert take(films, 1) == [5]
    assert folder.passed_over == {}


def test_each_film_is_given_once_and_a_stop_is_heeded(card: Path) -> None:
    shoot(card / "one.mp4", 1)
    shoot(card / "two.mp4", 2)
    stop, seen = Event(), list[int]()
    reading = Thread(target=lambda: seen.extend(minute(film) for film in FilmFolder(card).films(stop)))
    reading.start()
    stop.wait(0.7)
    stop.set()
    reading.join(2)
    assert not reading.is_alive() and seen == [1, 2]


def test_a_folder_that_is_taken_out_and_put_back_goes_on(card: Path) -> None:
    shoot(card / "one.mp4", 1)
    films = FilmFolder(card).films(Event())
    assert take(films, 1) == [1]
    card.rename(card.with_name("elsewhere"))
    shoot(card / "two.mp4", 2)
    assert take(films, 1) == [2]


def test_a_card_that_is_pulled_out_between_two_films_is_no_error_and_may_come_back(card: Path) -> None:
    shoot(card / "one.mp4", 1)
    shoot(card / "two.mp4", 2)
    folder = FilmFolder(card)
    films = folder.films(Event())
    assert take(films, 1) == [1]
    card.rename(card.with_name("elsewhere"))
    Timer(0.5, card.with_name("elsewhere").rename, (card,)).start()
    assert take(films, 2) == [1, 2]
    assert folder.passed_over == {}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="No folder at .*missing"):
        FilmFolder(tmp_path / "missing")


def record_all(store: EpisodicStore, folder: FilmFolder, films: int) -> list[Recorded]:
    """Record until so many films have ended, and a little longer."""
    stop, ended = Event(), list[Recorded]()

    def run() -> None:
        with EpisodicStore.open(store.directory) as own:
            record_folder(own, folder, SETTINGS, stop, ended.append)

    recording = Thread(target=run)
    recording.start()
    for _ in range(300):
        if len([s for s in store.sessions() if s.ended_at]) >= films:
            break
        stop.wait(0.02)
    stop.wait(0.3)
    stop.set()
    recording.join(5)
    assert not recording.is_alive()
    return ended


def sessions(store: EpisodicStore) -> list[tuple[str, float, str | None]]:
    start = NOON.timestamp()
    return [(Path(s.source).name, s.started_at - start, s.ended_because) for s in store.sessions()]


def test_every_film_becomes_a_session_and_none_becomes_two(store: EpisodicStore, card: Path) -> None:
    shoot(card / "b.mp4", 1)
    shoot(card / "a.mp4", 2)
    expected = [("b.mp4", 60.0, "end of film"), ("a.mp4", 120.0, "end of film")]
    record_all(store, FilmFolder(card), 2)
    assert sessions(store) == expected and store.count() == 6
    assert record_all(store, FilmFolder(card), 2) == []
    assert sessions(store) == expected


def test_of_a_film_whose_recording_was_interrupted_only_the_rest_is_recorded(store: EpisodicStore, card: Path) -> None:
    path, stop = shoot(card / "long.mp4", length_s=10), Event()

    def stop_after_four(recorded: Recorded) -> None:
        if recorded.frames == 4:
            stop.set()

    record(store, Film(path), SETTINGS, stop_after_four, stop)
    record_all(store, FilmFolder(card), 2)
    assert sessions(store) == [("long.mp4", 0.0, "stopped"), ("long.mp4", 4.0, "end of film")]
    assert [round(k.captured_at - NOON.timestamp()) for k in store.keyframes()] == list(range(10))
    assert record_all(store, FilmFolder(card), 2) == []


def test_a_film_that_ends_early_is_kept_as_far_as_it_goes_and_named(store: EpisodicStore, card: Path) -> None:
    path = shoot(card / "cut.mkv", length_s=10)
    whole = path.read_bytes()
    os.truncate(path, len(whole) * 2 // 3)
    shoot(card / "whole.mp4", 5)
    folder = FilmFolder(card)
    record_all(store, folder, 2)
    assert [name for name, _, _ in sessions(store)] == ["cut.mkv", "whole.mp4"]
    assert "ends early" in folder.passed_over[path]
    assert record_all(store, FilmFolder(card), 2) == []
    path.write_bytes(whole)  # copying had only been slow
    record_all(store, FilmFolder(card), 3)
    kept = [round(k.captured_at - NOON.timestamp()) for k in store.keyframes()]
    assert sorted(kept) == [*range(10), 300, 301, 302]


@pytest.mark.parametrize("moved_s", [7, -5, 3600, -9_000_000])
def test_a_film_dated_by_its_file_whose_copying_paused_is_recorded_once(
    store: EpisodicStore, card: Path, moved_s: int
) -> None:
    path, whole_at = card / "copied.mkv", NOON.timestamp() + 10
    whole = shoot(path, minute=None, length_s=10).read_bytes()
    for part, changed_at in [(0.5, 0), (0.75, moved_s / 2), (1, moved_s)]:
        path.write_bytes(whole[: int(len(whole) * part)])
        os.utime(path, (whole_at + changed_at, whole_at + changed_at))
        record_all(store, FilmFolder(card), len(store.sessions()) + 1)
    first, _, last = store.sessions()
    assert "ends early" in (first.ended_because or "") and last.ended_because == "end of film"
    kept = [keyframe.captured_at - first.started_at for keyframe in store.keyframes()]
    assert kept == pytest.approx(range(10), abs=0.01)
    assert record_all(store, FilmFolder(card), 3) == []


def test_another_film_of_the_name_of_one_that_ended_early_is_recorded_whole(store: EpisodicStore, card: Path) -> None:
    path = shoot(card / "00001.mkv", length_s=10)
    os.truncate(path, path.stat().st_size * 2 // 3)
    record_all(store, FilmFolder(card), 1)
    shoot(path, minute=90, length_s=4)
    record_all(store, FilmFolder(card), 2)
    assert sessions(store)[1] == ("00001.mkv", 5400.0, "end of film")
    assert [k.captured_at - NOON.timestamp() - 5400 for k in store.keyframes()][-4:] == [0, 1, 2, 3]
