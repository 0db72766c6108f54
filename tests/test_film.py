"""Films as they really are: turned, cut off, damaged, without times, without pictures, from other zones."""

import os
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.frame import PictureType

from device.film import Film
from device.frame import SAMPLE_RATE_HZ, AudioBlock, Frame
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
    keys: Collection[int] = (),
    size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
    **options: str,
) -> Path:
    """Film noise whose overall brightness tells the frame's number, with a red top left corner.

    A key picture comes every second, or at the numbers in `keys` alone; the sound is silence, then a tone from 1.5 s.
    """
    noise, options = np.random.default_rng(1), {"g": "999" if keys else str(fps), "sc_threshold": "0", **options}
    with av.open(str(path), "w", options={"movflags": "faststart+use_metadata_tags"}) as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(codec, rate=fps, width=size[0], height=size[1], options=options)
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        sound = container.add_stream("aac", rate=8000, layout="mono") if sound_s else None
        for number in range(round(length_s * fps)):
            image = noise.integers(2 * number, 2 * number + 80, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
            image[:32, :32] = (220, 0, 0)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            picture.pict_type = PictureType.I if number in keys else PictureType.NONE
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for block in range(round(sound_s * 8)) if sound else ():
            tone = np.sin(np.arange(1000, dtype=np.float32))[None] * (block >= 12)
            heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 8000, block * 1000, Fraction(1, 8000)
            container.mux(sound.encode(heard))
        if sound:
            container.mux(sound.encode())
    return path


def rewrite(path: Path, change: Callable[[av.Packet], av.Packet | None]) -> Path:
    """A copy whose packets went through `change`; None leaves one out."""
    copy = path.with_name(f"copy_of_{path.name}")
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            changed = change(packet) if packet.size else None
            if changed:
                changed.stream = streams[packet.stream_index]
                target.mux(changed)
    return copy


def damaged(packet: av.Packet) -> av.Packet:
    """The same packet with nothing readable in it."""
    empty = av.Packet(bytes(packet.size))
    empty.pts, empty.dts, empty.time_base, empty.is_keyframe = (
        packet.pts, packet.dts, packet.time_base, packet.is_keyframe,
    )  # fmt: skip
    return empty


def shown(frames: list[Frame]) -> Any:
    """The numbers of these pictures, as far as their brightness tells."""
    return pytest.approx([(frame.image[40:].mean() - 39.5) / 2 for frame in frames], abs=1.5)


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


def test_where_key_pictures_come_often_enough_nothing_else_is_decoded(tmp_path: Path) -> None:
    path = rewrite(shoot(tmp_path / "film.mkv"), lambda packet: packet if packet.is_keyframe else damaged(packet))
    film = Film(path)
    frames = list(film.frames())
    assert seconds(film, frames) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert shown(frames) == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    "keys, given",
    [
        (range(0, 60, 9), [0, 9, 18, 27, 36, 54]),  # the nearest to its second
        (range(0, 60, 4), [0, 8, 20, 28, 40, 48]),
        ([0, 10, 20, 50], [0, 10, 20, 30, 40, 50]),  # one is late
        ([0, 3, 10, 13], [0, 10, 20, 30, 40, 50]),  # none comes any more
        ([0], [0, 10, 20, 30, 40, 50]),
    ],
)
@pytest.mark.parametrize("reordered", ["0", "3"])
def test_key_pictures_that_come_at_any_time_lose_no_picture_and_break_none(
    tmp_path: Path, keys: Collection[int], given: list[int], reordered: str
) -> None:
    film = Film(shoot(tmp_path / "film.mkv", keys=keys, bf=reordered))
    frames = list(film.frames())
    assert shown(frames) == given
    assert seconds(film, frames) == pytest.approx([number / 10 for number in given], abs=0.11)


@pytest.mark.parametrize("group", [5, 10, 20])
def test_groups_that_need_the_one_before_are_given_whole(tmp_path: Path, group: int) -> None:
    film = Film(shoot(tmp_path / "film.mkv", g=str(group), **{"x264-params": "open-gop=1"}))
    frames = list(film.frames())
    assert shown(frames) == [10 * at for at in seconds(film, frames)]
    assert seconds(film, frames) == pytest.approx(range(6), abs=0.21)


def test_pictures_that_only_claim_to_be_key_pictures_are_never_given_alone(tmp_path: Path) -> None:
    def claim(packet: av.Packet) -> av.Packet:
        packet.is_keyframe = True
        return packet

    film = Film(rewrite(shoot(tmp_path / "film.mp4", keys=[0, 25]), claim))
    frames = list(film.frames())
    assert [10 * at for at in seconds(film, frames)] == shown(frames)
    assert len(frames) >= 4


def test_a_damaged_key_picture_costs_no_more_than_its_group(tmp_path: Path) -> None:
    path = shoot(tmp_path / "film.mp4")
    with av.open(str(path)) as container:
        key = next(packet for packet in container.demux() if packet.is_keyframe and packet.pts * packet.time_base == 2)
    with path.open("r+b") as file:
        file.seek(key.pos)
        file.write(bytes(key.size))
    film = Film(path)
    frames = list(film.frames())
    elsewhere = [frame for frame, at in zip(frames, seconds(film, frames), strict=True) if not 2 <= at < 3]
    assert shown(elsewhere) == [0, 10, 30, 40, 50]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_a_film_joined_midway_begins_with_a_whole_picture(tmp_path: Path, codec: str) -> None:
    path = shoot(
        tmp_path / "film.mkv", codec=codec, keys=[0, 25], sc_threshold="1000000000" if "mpeg2" in codec else "0"
    )
    joined = rewrite(path, lambda packet: packet if packet.pts >= 500 else None)
    assert shown([next(Film(joined).frames())]) == [25]


def test_a_film_that_changes_its_size_on_the_way_goes_on(tmp_path: Path) -> None:
    small, large = shoot(tmp_path / "small.ts", 2), shoot(tmp_path / "large.ts", 2, size=(320, 192))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    assert [frame.image.shape[1] for frame in Film(both).frames()] == [160, 160, 320, 320]


def test_enormous_pictures_are_refused(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((8200, 8200), np.uint8))[1].tobytes()
    path = tmp_path / "film.avi"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=10, width=8200, height=8200)
        video.pix_fmt = "yuvj420p"
        packet = av.Packet(jpeg)
        packet.pts, packet.time_base, packet.stream = 0, Fraction(1, 10), video
        container.mux(packet)
    with pytest.raises(CameraError, match="8200 x 8200 pixels"):
        Film(path)


def test_the_sound_is_given_beside_the_pictures_by_the_same_clock(tmp_path: Path) -> None:
    film, blocks = Film(shoot(tmp_path / "film.mkv", length_s=2, sound_s=3.5)), list[AudioBlock]()
    assert len(list(film.frames(blocks.append))) == 2
    assert [block.samples.size for block in blocks[:-1]] == [SAMPLE_RATE_HZ] * 3
    start_at = film.started_at.timestamp()
    assert [round(block.captured_at - start_at) for block in blocks] == [0, 1, 2, 3]
    loud = np.abs(np.concatenate([block.samples for block in blocks])) > 1000
    assert blocks[0].captured_at - start_at + loud.argmax() / SAMPLE_RATE_HZ == pytest.approx(1.5, abs=0.1)
    assert loud.size / SAMPLE_RATE_HZ == pytest.approx(3.5, abs=0.2)


def test_damaged_sound_is_passed_over_and_what_follows_keeps_its_time(tmp_path: Path) -> None:
    def damage(packet: av.Packet) -> av.Packet:
        broken = isinstance(packet.stream, av.AudioStream) and 500 <= packet.pts < 1200
        return damaged(packet) if broken else packet

    film, blocks = Film(rewrite(shoot(tmp_path / "film.mkv", length_s=3, sound_s=3), damage)), list[AudioBlock]()
    assert len(list(film.frames(blocks.append))) == 3
    heard = [at for at, level in levels(film, blocks) if level > 1000]
    assert min(heard) == pytest.approx(1.5, abs=0.15) and max(heard) == pytest.approx(3, abs=0.15)


def levels(film: Film, blocks: list[AudioBlock]) -> list[tuple[float, int]]:
    """The loudness of every hundredth of a second, with its second."""
    return [
        (
            block.captured_at - film.started_at.timestamp() + at / SAMPLE_RATE_HZ,
            int(np.abs(block.samples[at : at + 160]).max()),
        )
        for block in blocks
        for at in range(0, block.samples.size, SAMPLE_RATE_HZ // 100)
    ]


def test_a_film_says_what_it_shows_once_it_has_shown_something(tmp_path: Path) -> None:
    film = Film(shoot(tmp_path / "film.mp4", 1, fps=30, rotation_deg=90))
    assert film.shape == "" and not film.live
    next(film.frames())
    assert film.shape == "96 x 160 at 30 fps, h264"


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
