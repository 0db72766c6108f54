"""A memory as plain files: any program can read them, and nothing is in them that was not asked for."""

import io
import json
import resource
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from store.episodic import EpisodicStore
from store.errors import DiskFull, UserError
from store.plain.exif import with_time, without_time
from store.plain.exporting import export
from store.plain.folder import is_export
from store.plain.slideshow import film_size
from store.records import Span, local_time
from tests.filled_memory import BERLIN_S, NASTY, START, add_picture, files, fill, jpeg_of, rows

FOREIGN_EXIF = Image.Exif()
FOREIGN_EXIF[0x010F] = "another maker"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        fill(store)
        yield store


@pytest.fixture
def folder(store: EpisodicStore, tmp_path: Path) -> Path:
    export(store, tmp_path / "export")
    return tmp_path / "export"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (2 + len(content)).to_bytes(2, "big") + content


ODD_JPEGS = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda content: b"\xff\xd8" + content),
    st.lists(st.builds(segment, st.integers(0xE0, 0xFE), st.binary(max_size=60)), max_size=5).map(
        lambda segments: b"\xff\xd8" + b"".join(segments) + b"\xff\xd9"
    ),
    st.sampled_from([jpeg_of("red"), jpeg_of("red", exif=FOREIGN_EXIF)]),
)


@given(ODD_JPEGS, st.text(max_size=400), st.datetimes(datetime(1971, 1, 1), timezones=st.just(UTC)))
def test_the_time_goes_into_any_jpeg_and_out_again_without_a_trace(jpeg: bytes, camera: str, taken: datetime) -> None:
    dated = with_time(jpeg, taken, camera)
    assert without_time(dated) == jpeg
    assert without_time(without_time(with_time(dated, taken, camera))) == jpeg


def test_a_picture_says_when_it_was_taken_and_looks_the_same(store: EpisodicStore, folder: Path) -> None:
    path = folder / "pictures/2026-11-20/091502.123456+0100.jpg"
    keyframe = store.keyframes()[2]
    with Image.open(path) as dated, Image.open(io.BytesIO(store.jpeg(keyframe))) as kept:
        exif = dated.getexif()
        times = exif.get_ifd(0x8769)
        assert dated.tobytes() == kept.tobytes()
    assert (times[0x9003], times[0x9291], times[0x9011]) == ("2026:11:20 09:15:02", "123456", "+01:00")
    assert exif[0x0131] == "Whereabouts"
    assert exif[0x010E].encode("latin-1").decode() == "glasses in the Küche"
    assert without_time(path.read_bytes()) == store.jpeg(keyframe)


def test_a_jpeg_with_exif_of_its_own_says_first_what_the_memory_knows() -> None:
    dated = with_time(jpeg_of("red", exif=FOREIGN_EXIF), local_time(START, BERLIN_S), "glasses")
    with Image.open(io.BytesIO(dated)) as image:
        assert image.getexif()[0x0131] == "Whereabouts"


def test_every_file_is_private_and_sha256sum_finds_each_as_it_was_written(folder: Path) -> None:
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [folder, *folder.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "whereabouts.sha256"], cwd=folder, check=True)
    listed = {line.split("  ")[1] for line in (folder / "whereabouts.sha256").read_text().splitlines()}
    assert listed | {"whereabouts.sha256"} == set(files(folder))


def test_what_is_counted_is_there_and_progress_ends_where_it_said(store: EpisodicStore, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    exported = export(store, tmp_path / "export", None, lambda done, total: steps.append((done, total)))
    assert (exported.sessions, exported.keyframes, exported.sounds, exported.gaps) == (3, 10, 3, 2)
    assert (exported.transcripts, exported.turns, exported.pins) == (4, 2, 1)
    found = files(tmp_path / "export")
    del found["whereabouts.sha256"]
    assert (exported.files, exported.bytes) == (len(found), sum(map(len, found.values())))
    assert steps == [(done, 20) for done in range(1, 21)]


def test_times_are_given_in_utc_and_as_the_wearers_clock_showed_them(folder: Path) -> None:
    kitchen, street, _ = rows(folder, "sessions")
    assert (kitchen["started_at"], kitchen["started_iso"]) == (START, "2026-11-20T09:15:00.000000+01:00")
    assert street["started_iso"] == "2026-11-20T10:15:35.000000+02:00"
    assert {row["captured_iso"][-6:] for row in rows(folder, "keyframes")} == {"+01:00", "+02:00"}
    assert rows(folder, "turns")[0]["asked_iso"] == "2026-11-20T08:16:05.000000+00:00"


def test_moments_name_their_best_picture_and_what_was_said(folder: Path) -> None:
    moments = [(row["session_id"], row["keyframes"], row["words"]) for row in rows(folder, "moments")]
    assert moments == [(1, 5, [NASTY]), (1, 2, []), (2, 2, []), (2, 1, [])]
    for row in rows(folder, "moments"):
        assert (folder / row["file"]).is_file()


def test_a_film_shows_every_picture_at_its_time_and_black_in_a_gap(folder: Path) -> None:
    with av.open(str(folder / "films/000001.mp4")) as film:
        video = film.streams.video[0]
        assert (video.width, video.height) == (160, 120)
        assert film.duration / av.time_base == pytest.approx(60, abs=0.001)
        frames = [
            (round(float(frame.time), 3), frame.to_ndarray(format="rgb24").mean()) for frame in film.decode(video)
        ]
        assert film.metadata["creation_time"].startswith("2026-11-20T08:15:00")
    assert [at for at, _ in frames] == [0, 1, 2.123, 2.163, 10, 20, 31, 40, 50]
    assert [at for at, brightness in frames if brightness < 5] == [20, 50]


def test_pictures_of_any_shape_fit_a_film() -> None:
    assert film_size(1920, 1080) == (960, 540)
    assert film_size(99, 75) == (98, 74)
    assert film_size(1, 9000) == (2, 960)


def test_players_read_the_subtitles_with_the_films_own_times(folder: Path) -> None:
    text = (folder / "transcripts/000001.vtt").read_text()
    assert "<b>" not in text and text.count("-->") == 3
    with av.open(str(folder / "transcripts/000001.vtt")) as subtitles:
        cues = [(p.pts * p.time_base, p.duration * p.time_base, bytes(p).decode()) for p in subtitles.demux() if p.size]
    said = "Tom &amp; Jerry: &lt;b&gt;5 &gt; 3&lt;/b&gt; --&gt; 00:00.000 --&gt; ok"
    assert cues == [(1, 2, said), (2, 29, "[EXIT]"), (31, 9, "(lent to Anna)")]


def test_a_session_of_words_alone_has_subtitles_from_its_own_start(folder: Path) -> None:
    diary = rows(folder, "sessions")[2]
    assert (diary["film"], diary["subtitles"]) == (None, "transcripts/000003.vtt")
    assert "00:00:01.000 --> 00:00:02.000\ngood night" in (folder / diary["subtitles"]).read_text()


def test_a_span_holds_nothing_from_outside_of_it(store: EpisodicStore, tmp_path: Path) -> None:
    span, folder = Span(START + 5, START + 55), tmp_path / "export"
    export(store, folder, span)
    for table in ("sessions", "keyframes", "gaps", "sounds", "transcripts", "turns", "pins", "moments"):
        for row in rows(folder, table):
            times = [row[name] for name in row if name.endswith("_at") and name != "made_at"]
            assert all(span.started_at <= at <= span.ended_at for at in times), (table, row)
    assert [row["captured_at"] - START for row in rows(folder, "keyframes")] == [10, 31, 35, 36.5, 40]
    assert [(row["started_at"] - START, row["ended_at"] - START) for row in rows(folder, "gaps")] == [
        (20, 30),
        (50, 55),
    ]
    sessions = [
        (row["started_at"] - START, row["ended_at"] - START, row["ended_because"]) for row in rows(folder, "sessions")
    ]
    assert sessions == [(5, 55, "cut by the export"), (35, 55, "cut by the export")]
    assert [row["started_at"] - START for row in rows(folder, "sounds")] == [10, 40]
    assert [row["text"] for row in rows(folder, "transcripts")] == ["lent to Anna"]
    assert rows(folder, "turns") == []
    assert [row["words"] for row in rows(folder, "moments")] == [[], [], []]
    assert len(list((folder / "pictures").rglob("*.jpg"))) == 5
    with av.open(str(folder / "films/000001.mp4")) as film:
        assert film.duration / av.time_base == pytest.approx(45, abs=0.001)


def test_a_question_whose_evidence_lies_outside_of_the_span_stays_out(store: EpisodicStore, tmp_path: Path) -> None:
    export(store, tmp_path / "export", Span(START + 60, START + 70))
    assert rows(tmp_path / "export", "turns") == []


def test_what_is_being_recorded_is_exported_as_far_as_it_is_known(tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        session = store.begin_session("glasses", START, BERLIN_S, 1.0)
        for at in (0, 1):
            add_picture(store, session.id, at, BERLIN_S, (32, 24))

        def record_more(done: int, total: int) -> None:
            add_picture(store, session.id, 10 + done, BERLIN_S, (32, 24))

        exported = export(store, tmp_path / "export", None, record_more)
        (row,) = rows(tmp_path / "export", "sessions")
        assert (exported.keyframes, row["ended_at"], row["ended_because"]) == (
            2,
            START + 1,
            "still recording when exported",
        )
        assert store.count() == 6


def test_a_folder_in_use_and_the_memory_itself_are_refused(store: EpisodicStore, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "letter.txt").write_text("dear")
    for directory in (tmp_path / "used", tmp_path / "used" / "letter.txt", store.directory / "export"):
        with pytest.raises(UserError, match=str(directory)):
            export(store, directory)
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("size_bytes", "unwritable"), [(100, "README.txt"), (60_000, "000004.mp4")])
def test_a_full_disk_leaves_an_export_that_says_it_is_none(
    store: EpisodicStore, tmp_path: Path, size_bytes: int, unwritable: str
) -> None:
    noisy = store.begin_session("glasses", START + 200, BERLIN_S, 1.0)
    for at in range(6):  # each smaller than the limit, their film larger
        image, file = Image.effect_noise((160, 160), 100).convert("RGB"), io.BytesIO()
        image.save(file, "JPEG", quality=90)
        store.add_keyframe(noisy.id, START + 200 + at, BERLIN_S, file.getvalue(), 160, 160, 0.5)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        with pytest.raises(DiskFull, match=unwritable):
            export(store, tmp_path / "export")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_export(tmp_path / "export")
    assert not (tmp_path / "export" / "whereabouts.json").exists()


def test_an_empty_memory_makes_an_export_that_says_so(tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        assert export(store, tmp_path / "export").keyframes == 0
    assert json.loads((tmp_path / "export" / "whereabouts.json").read_text())["keyframes"] == 0
