"""Films as they really are: turned, cut off, damaged, without times, without pictures, from other zones."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from device.film import Film
from device.frame import Frame
from store.errors import CameraError

REAL = Path(__file__).resolve().parent.parent.parent / "shared/real/kitchen.mp4"
HEIGHT_PX, WIDTH_PX = 96, 160


def shoot(
    path: Path,
    length_s: float = 6.0,
    fps: int = 10,
    codec: str = "libx264",
    metadata: dict[str, str] | None = None,
    rotation_deg: int = 0,
    sound_s: float = 0.0,
) -> Path:
    """Film noise whose overall brightness tells the frame's number, with a red top left corner."""
    noise = np.random.default_rng(1)
    with av.open(str(path), "w", options={"movflags": "faststart+use_metadata_tags"}) as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(codec, rate=fps, width=WIDTH_PX, height=HEIGHT_PX, options={"g": str(fps)})
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        sound = container.add_stream("aac", rate=8000, layout="mono") if sound_s else None
        for number in range(round(length_s * fps)):
            image = noise.integers(2 * number, 2 * number + 80, (HEIGHT_PX, WIDTH_PX, 3)).clip(0, 255).astype(np.uint8)
            image[:32, :32] = (220, 0, 0)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for block in range(round(sound_s * 8)) if sound else ():
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts, silence.time_base = 8000, block * 1000, Fraction(1, 8000)
            container.mux(sound.encode(silence))
        if sound:
            container.mux(sound.encode())
    return path


def seconds(film: Film, frames: list[Frame]) -> list[float]:
    return [round(frame.captured_at - film.started_at.timestamp(), 3) for frame in frames]


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[timezone]:
    """A machine whose local zone is UTC+05:45."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield timezone(timedelta(hours=5, minutes=45))
    monkeypatch.undo()
    time.tzset()


def test_the_first_picture_at_or_after_every_tick_is_given(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.mp4"), wanted_fps=1.5)
    assert seconds(film, list(film.frames())) == [0.0, 0.7, 1.4, 2.0, 2.7, 3.4, 4.0, 4.7, 5.4]


def test_the_picture_given_is_the_one_of_its_time(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.mp4"), wanted_fps=2.0)
    for number, frame in enumerate(film.frames()):
        assert abs(frame.image[40:].mean() - (2 * 5 * number + 39.5)) < 3


@pytest.mark.parametrize("codec, name", [("mjpeg", "film.avi"), ("libx264", "film.mp4")])
def test_a_film_much_faster_than_wanted_is_given_within_a_tenth_of_a_second_of_each_tick(
    tmp_path: Path, codec: str, name: str
) -> None:
    film = Film(shoot(tmp_path / name, length_s=3, fps=30, codec=codec))
    frames = seconds(film, list(film.frames()))
    assert len(frames) == 3
    assert all(0 <= at - tick < 0.1 for tick, at in enumerate(frames))


def test_a_film_slower_than_wanted_gives_every_picture_once(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.mkv", length_s=3, fps=2), wanted_fps=10)
    assert seconds(film, list(film.frames())) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


@pytest.mark.parametrize(
    "rotation_deg, corner", [(0, (0, 0)), (90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))]
)  # degrees are counter-clockwise
def test_a_turned_film_is_shown_upright(tmp_path: Path, rotation_deg: int, corner: tuple[int, int]) -> None:
    image = next(Film(shoot(tmp_path / "film.mp4", 0.5, rotation_deg=rotation_deg)).frames()).image
    turned = abs(rotation_deg) == 90
    assert image.shape == ((WIDTH_PX, HEIGHT_PX, 3) if turned else (HEIGHT_PX, WIDTH_PX, 3))
    row, column = (16 if side == 0 else -16 for side in corner)
    red, green, _ = image[row, column].astype(int)
    assert red - green > 120


def test_the_films_own_time_is_believed(tmp_path: Path, kathmandu: timezone) -> None:
    film = Film(shoot(tmp_path / "film.mp4", 1, metadata={"creation_time": "2024-05-01T10:00:00Z"}))
    assert film.started_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert next(film.frames()).zone_offset_s == 20_700


def test_a_phones_zone_is_kept(tmp_path: Path, kathmandu: timezone) -> None:
    phone = {"creation_time": "2024-05-01T10:00:00Z", "com.apple.quicktime.creationdate": "2024-05-01T12:00:00+0200"}
    film = Film(shoot(tmp_path / "film.mov", 1, metadata=phone))
    assert film.started_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert next(film.frames()).zone_offset_s == 7200


@pytest.mark.parametrize("metadata", [{}, {"creation_time": "1970-01-01T00:00:07Z"}])
def test_a_film_without_a_believable_time_ended_when_its_file_was_written(
    tmp_path: Path, kathmandu: timezone, metadata: dict[str, str]
) -> None:
    path = shoot(tmp_path / "film.mp4", 2, metadata=metadata)
    os.utime(path, (1_714_550_400, 1_714_550_400))
    film = Film(path)
    assert film.started_at.timestamp() == 1_714_550_398
    assert next(film.frames()).zone_offset_s == 20_700


def test_a_start_that_the_caller_gives_wins(tmp_path: Path, kathmandu: timezone) -> None:
    path = shoot(tmp_path / "film.mp4", 1, metadata={"creation_time": "2024-05-01T10:00:00Z"})
    in_utc = Film(path, recorded_at=datetime(2023, 1, 1, 8, tzinfo=UTC))
    local = Film(path, recorded_at=datetime(2023, 1, 1, 8))
    assert next(in_utc.frames()).captured_at == datetime(2023, 1, 1, 8, tzinfo=UTC).timestamp()
    assert next(local.frames()).captured_at == datetime(2023, 1, 1, 8, tzinfo=kathmandu).timestamp()


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_film_cut_off_gives_what_it_has_and_then_says_so(tmp_path: Path, name: str) -> None:
    path = shoot(tmp_path / name)
    os.truncate(path, path.stat().st_size // 2)
    given: list[Frame] = []
    with pytest.raises(CameraError, match=r"The film ends early: [23]\.\d of 6\.0 s"):
        given.extend(Film(path).frames())
    frames = Film(path).frames()
    assert [round(next(frames).captured_at - Film(path).started_at.timestamp()) for _ in range(3)] == [0, 1, 2]


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = shoot(tmp_path / "film.mkv")
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size_bytes // 2)
        file.write(bytes(size_bytes // 50))
    film = Film(path, wanted_fps=2.0)
    frames = seconds(film, list(film.frames()))
    assert 10 <= len(frames) <= 12
    assert frames[-1] == 5.5


def test_sound_that_lasts_longer_than_the_picture_is_no_early_end(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.mkv", length_s=2, sound_s=6))
    assert film.length_s == pytest.approx(6, abs=0.2)
    assert seconds(film, list(film.frames())) == [0.0, 1.0]


def test_a_clock_that_starts_over_within_a_film_goes_on(tmp_path: Path) -> None:
    path = shoot(tmp_path / "part.ts", length_s=3)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(path.read_bytes() * 2)
    film = Film(twice)
    frames = seconds(film, list(film.frames()))
    assert frames == sorted(set(frames))
    assert frames[-1] == pytest.approx(5, abs=0.2)


def test_a_film_without_times_is_counted_in_pictures(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.h264", length_s=5, fps=10))  # FFmpeg takes 25 a second for such a file
    assert film.length_s is None
    assert seconds(film, list(film.frames())) == [0.0, 1.0]


def bad_films(folder: Path) -> dict[str, Path]:
    bad = {name: folder / name for name in ("missing.mp4", "empty.mp4", "garbage.mp4", "notes.txt", "sound.wav")}
    bad["empty.mp4"].touch()
    bad["garbage.mp4"].write_bytes(np.random.default_rng(0).bytes(50_000))
    bad["notes.txt"].write_text("milk, bread, the keys are on the sideboard\n" * 20)
    with av.open(str(bad["sound.wav"]), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
    return bad | {"folder": folder}


def test_what_is_no_film_is_refused_by_name(tmp_path: Path) -> None:
    for name, path in bad_films(tmp_path).items():
        with pytest.raises(CameraError) as refused:
            Film(path)
        assert str(path) in refused.value.message, name
        assert refused.value.hint and refused.value.exit_code == 4, name


def test_a_film_of_which_nothing_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    path = shoot(tmp_path / "film.avi", codec="mjpeg")
    content = path.read_bytes()
    start, end = content.index(b"movi") + 4, content.rindex(b"idx1")
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    with pytest.raises(CameraError):
        list(Film(path).frames())


@pytest.mark.skipif(not REAL.exists(), reason="shared/real/kitchen.mp4 is not here")
def test_a_real_head_camera_film_is_read_to_its_end() -> None:
    film = Film(REAL, wanted_fps=0.5)
    frames = list(film.frames())
    assert film.length_s == pytest.approx(41.1, abs=0.1)
    assert len(frames) == 21
    assert all(frame.image.shape == (480, 640, 3) for frame in frames)
