"""A memory that was exported comes back as it was; an export that is not whole, or not honest, changes nothing."""

import hashlib
import json
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.episodic import EpisodicStore
from store.errors import DiskFull, UserError
from store.plain.exporting import export
from store.plain.folder import is_export
from store.plain.importing import import_export
from store.records import Heard, Reduction, Span
from store.upkeep.check import check
from tests.filled_memory import START, contents, files, fill, jpeg_of, rows

SECOND_PICTURE = "pictures/2026-11-20/091501.000000+0100.jpg"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with EpisodicStore.open(folder / "memory", encrypt=False) as store:
        fill(store)
        export(store, folder / "export")
    return folder / "export"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(exported, tmp_path / "export")


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "restored", encrypt=request.param) as store:
        yield store


def assert_empty(store: EpisodicStore) -> None:
    assert all(not found for found in contents(store).values())
    assert store.database.rows("SELECT * FROM keys") == []
    assert sum(path.stat().st_size for path in store.directory.rglob("*.pack")) == 0


def seal(folder: Path) -> None:
    """Make the checksums right again, as somebody would who changed the export on purpose."""
    paths = [path for path in files(folder) if path != "whereabouts.sha256"]
    lines = [f"{hashlib.sha256((folder / path).read_bytes()).hexdigest()}  {path}\n" for path in paths]
    seal_as(folder, "".join(lines))


def seal_as(folder: Path, checksums: str) -> None:
    (folder / "whereabouts.sha256").write_text(checksums)
    change_manifest(folder, checksums_sha256=hashlib.sha256(checksums.encode()).hexdigest())


def change_manifest(folder: Path, **values: Any) -> None:
    manifest = json.loads((folder / "whereabouts.json").read_text())
    (folder / "whereabouts.json").write_text(json.dumps({**manifest, **values}))


def change_row(folder: Path, table: str, number: int, **values: Any) -> None:
    changed = rows(folder, table)
    changed[number].update(values)
    (folder / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    seal(folder)


def test_everything_comes_back_with_the_same_ids_and_bytes(exported: Path, store: EpisodicStore) -> None:
    steps: list[tuple[int, int]] = []
    told = import_export(exported, store, lambda done, total: steps.append((done, total)))
    with EpisodicStore.open(exported.parent / "memory") as original:
        assert contents(store) == contents(original)
        assert [each.id for each in store.unread(-1)] == [each.id for each in original.unread(-1)]
        assert [words.text for words in store.find_words("night")] == ["good night"]
        assert told.keyframes == original.count()
    assert check(store).clean
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_reduced_pictures_lie_among_the_small_ones_again(exported: Path, store: EpisodicStore) -> None:
    import_export(exported, store)
    (reduced,) = (keyframe for keyframe in store.keyframes() if keyframe.reduced)
    assert store.small_packs.read(reduced) == jpeg_of("blue", (40, 30))


def test_an_export_of_the_import_has_the_very_same_files(exported: Path, store: EpisodicStore, tmp_path: Path) -> None:
    import_export(exported, store)
    export(store, tmp_path / "again")
    assert files(tmp_path / "again") == files(exported)


def test_the_memory_goes_on_after_an_import(exported: Path, store: EpisodicStore) -> None:
    import_export(exported, store)
    session = store.begin_session("glasses", START + 1000, 0, 1.0)
    keyframe = store.add_keyframe(session.id, START + 1000, 0, b"new", 1, 1, 0.5)
    assert store.jpeg(keyframe) == b"new" and session.id == 4
    assert check(store).clean


def test_a_recorded_minute_comes_back(simulated_minute: EpisodicStore, store: EpisodicStore, tmp_path: Path) -> None:
    ids = [keyframe.id for keyframe in simulated_minute.keyframes()]
    simulated_minute.reduce_keyframes([Reduction(ids[3], jpeg_of("grey"), 32, 24)])
    (session,) = simulated_minute.sessions()
    words = Heard(session.id, session.started_at + 1, session.started_at + 2, "hello", "speech", "whisper", 0.5)
    simulated_minute.keep_heard([], [words], keep_sound=True)
    export(simulated_minute, tmp_path / "minute")
    import_export(tmp_path / "minute", store)
    assert len(ids) > 5 and contents(store) == contents(simulated_minute)


def test_a_span_comes_back_as_a_memory_of_its_own(exported: Path, store: EpisodicStore, tmp_path: Path) -> None:
    with EpisodicStore.open(exported.parent / "memory") as original:
        export(original, tmp_path / "span", Span(START + 5, START + 55))
    import_export(tmp_path / "span", store)
    assert store.count() == 5 and check(store).clean
    assert store.span() == Span(START + 5, START + 55)


def test_an_export_is_told_from_a_folder_of_pictures(folder: Path, tmp_path: Path) -> None:
    assert is_export(folder)
    assert not is_export(folder / "pictures")
    assert not is_export(tmp_path / "nowhere")


def test_a_memory_that_holds_something_is_not_mixed_with_another(folder: Path, store: EpisodicStore) -> None:
    session = store.begin_session("glasses", START, 0, 1.0)
    store.end_session(session.id, START + 1, "stopped")
    before = contents(store)
    with pytest.raises(UserError, match="not empty") as error:
        import_export(folder, store)
    assert "--memory" in error.value.hint and contents(store) == before


def test_packs_whose_rows_were_lost_are_not_written_over(folder: Path, store: EpisodicStore) -> None:
    place = store.packs.append(1, b"all that is left")
    with pytest.raises(UserError, match="not empty"):
        import_export(folder, store)
    assert store.packs.sizes()[place.pack] > 0


def spoil_a_byte(folder: Path) -> str:
    path = folder / SECOND_PICTURE
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    return f"{re.escape(SECOND_PICTURE)} was changed"


def lose_a_picture(folder: Path) -> str:
    (folder / SECOND_PICTURE).unlink()
    return f"{re.escape(SECOND_PICTURE)} is missing"


def lose_the_manifest(folder: Path) -> str:
    (folder / "whereabouts.json").unlink()
    return "interrupted"


def lose_everything(folder: Path) -> str:
    shutil.rmtree(folder)
    return "holds no export"


def break_the_manifest(folder: Path) -> str:
    (folder / "whereabouts.json").write_text("[]")
    return "whereabouts.json is not that of an export"


def become_newer(folder: Path) -> str:
    change_manifest(folder, version=2)
    return "is of version 2"


def change_a_checksum(folder: Path) -> str:
    checksums = folder / "whereabouts.sha256"
    checksums.write_text(checksums.read_text().replace("0", "1"))
    return "whereabouts.sha256 was changed"


def put_a_link_for_a_picture(folder: Path) -> str:
    picture = (folder / SECOND_PICTURE).rename(folder.parent / "elsewhere.jpg")
    (folder / SECOND_PICTURE).symlink_to(picture)
    return f"{re.escape(SECOND_PICTURE)} is a link"


def put_a_link_for_a_folder(folder: Path) -> str:
    pictures = (folder / "pictures").rename(folder.parent / "elsewhere")
    (folder / "pictures").symlink_to(pictures)
    return "lies behind one"


def put_a_link_to_itself(folder: Path) -> str:
    (folder / SECOND_PICTURE).unlink()
    (folder / SECOND_PICTURE).symlink_to(folder / SECOND_PICTURE)
    return f"{re.escape(SECOND_PICTURE)} is missing"


def lead_checksums_out(folder: Path) -> str:
    (folder.parent / "secret").write_bytes(b"")
    seal_as(folder, f"{hashlib.sha256(b'').hexdigest()}  pictures/../../secret\n")
    return "names 'pictures/../../secret'"


def lead_a_row_out(folder: Path) -> str:
    shutil.copy(folder / SECOND_PICTURE, folder.parent / "secret.jpg")
    change_row(folder, "keyframes", 1, file="../secret.jpg")
    return r"Line 2 of .*keyframes.jsonl .*\.\./secret.jpg"


def lead_a_sound_out(folder: Path) -> str:
    change_row(folder, "sounds", 2, file="/etc/hostname")
    return "Line 3 of .*sounds.jsonl .*/etc/hostname"


def name_a_session_that_is_not_there(folder: Path) -> str:
    change_row(folder, "transcripts", 1, session_id=99)
    return "Line 2 of .*transcripts.jsonl .*FOREIGN KEY"


def mix_up_the_columns(folder: Path) -> str:
    change_row(folder, "pins", 0, started_at="yesterday")
    return "Line 1 of .*pins.jsonl"


def take_the_time_out_of_a_picture(folder: Path) -> str:
    (folder / SECOND_PICTURE).write_bytes(jpeg_of("red"))
    seal(folder)
    return "Line 2 of .*keyframes.jsonl .*EXIF"


FAULTS = (
    spoil_a_byte, lose_a_picture, lose_the_manifest, lose_everything, break_the_manifest, become_newer,
    change_a_checksum, put_a_link_for_a_picture, put_a_link_for_a_folder, put_a_link_to_itself, lead_checksums_out,
    lead_a_row_out, lead_a_sound_out, name_a_session_that_is_not_there, mix_up_the_columns,
    take_the_time_out_of_a_picture,
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_export_that_is_not_what_was_written_is_refused_by_name_and_leaves_nothing(
    fault: Any, folder: Path, store: EpisodicStore
) -> None:
    told = fault(folder)
    with pytest.raises(UserError, match=told):
        import_export(folder, store)
    assert_empty(store)


IMPOSSIBLE = [
    ("sessions", {"zone_offset_s": 1e9}, "zone"),
    ("sessions", {"zone_offset_s": -86_400}, "zone"),
    ("sessions", {"started_at": -1e18}, "started_at"),
    ("sessions", {"ended_at": 1e300}, "ended_at"),
    ("sessions", {"ended_at": None}, "TypeError"),
    ("sessions", {"heartbeat_at": float("nan")}, "heartbeat_at"),
    ("keyframes", {"captured_at": float("inf")}, "captured_at"),
    ("keyframes", {"captured_at": -5e12}, "captured_at"),
    ("keyframes", {"captured_at": START + 90}, "another time"),
    ("keyframes", {"captured_at": START - 90}, "another time"),
    ("keyframes", {"width_px": 0}, "pixels"),
    ("keyframes", {"height_px": -24}, "pixels"),
    ("sounds", {"started_at": START - 90}, "another time"),
    ("gaps", {"started_at": START + 31}, "ends before it begins"),
    ("pins", {"ended_at": START}, "ends before it begins"),
    ("transcripts", {"source": "hearsay"}, "hearsay"),
    ("turns", {"asked_at": float("-inf")}, "asked_at"),
    ("turns", {"keyframe_ids": "abc"}, "keyframe ids"),
    ("turns", {"keyframe_ids": [1.5]}, "keyframe ids"),
    ("turns", {"keyframe_ids": [10**30]}, "keyframe ids"),
]


@pytest.mark.parametrize(("table", "values", "told"), IMPOSSIBLE)
def test_a_row_that_no_memory_can_have_is_refused_by_its_line(
    table: str, values: dict[str, Any], told: str, folder: Path, store: EpisodicStore
) -> None:
    change_row(folder, table, 0, **values)
    with pytest.raises(UserError, match=rf"Line 1 of .*{table}\.jsonl cannot .*{told}"):
        import_export(folder, store)
    assert_empty(store)


def test_a_line_that_is_nested_without_end_is_refused(folder: Path, store: EpisodicStore) -> None:
    (folder / "gaps.jsonl").write_text("[" * 200_000)
    seal(folder)
    with pytest.raises(UserError, match=r"Line 1 of .*gaps\.jsonl cannot .*RecursionError"):
        import_export(folder, store)
    assert_empty(store)


@pytest.mark.parametrize("size_bytes", [700, 5000, 200_000])
def test_a_full_disk_leaves_the_memory_empty_and_a_second_try_succeeds(
    folder: Path, store: EpisodicStore, size_bytes: int
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        with pytest.raises(DiskFull):
            import_export(folder, store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_empty(store)
    import_export(folder, store)
    with EpisodicStore.open(store.directory) as reopened:
        assert reopened.count() == 10 and check(reopened).clean


def test_an_import_that_was_stopped_leaves_the_memory_empty(folder: Path, store: EpisodicStore) -> None:
    def stop(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_export(folder, store, stop)
    assert_empty(store)
