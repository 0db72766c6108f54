"""What was heard and read: nothing lost, nothing twice, found by its words, and bytes that go are really gone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import transcripts
from store.database import MIGRATIONS
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.form import HEADER_BYTES
from store.records import Heard, Reduction, Session, Span
from store.upkeep.check import check

START = 1_760_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:  # what lies in its files can be read
        yield store


@pytest.fixture
def session(store: EpisodicStore) -> Session:
    return store.begin_session("glasses", START, 3600, 1.0)


@pytest.fixture(scope="module")
def clock_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path_factory.mktemp("words")) as store:
        session = store.begin_session("glasses", START, 0, 1.0)
        store.keep_heard([], [said(session, 0, "nine o'clock")], keep_sound=True)
        yield store


def said(session: Session, at_s: float, text: str, source: str = "speech") -> Heard:
    return Heard(session.id, START + at_s, START + at_s + 2, text, source, "whisper", 0.5)


def add_sounds(store: EpisodicStore, session: Session, count: int) -> list[int]:
    return [
        store.add_sound(session.id, START + 10 * n, START + 10 * n + 10, 3600, b"ogg %d " % n * 3000).id
        for n in range(count)
    ]


def test_a_sound_comes_back_as_it_was_given_and_waits_to_be_heard(store: EpisodicStore, session: Session) -> None:
    ids = add_sounds(store, session, 3)
    assert [sound.id for sound in store.unheard()] == ids == [sound.id for sound in store.sounds()]
    assert [store.sound_bytes(sound)[:6] for sound in store.sounds()] == [b"ogg 0 ", b"ogg 1 ", b"ogg 2 "]
    assert [sound.id for sound in store.sounds(Span(START + 12, START + 15))] == [ids[1]]
    assert check(store).clean


def test_words_and_the_mark_that_they_were_heard_come_together(store: EpisodicStore, session: Session) -> None:
    ids = add_sounds(store, session, 3)
    store.keep_heard(ids[:2], [said(session, 1, "take the bus"), said(session, 12, "at nine")], keep_sound=True)
    assert [sound.id for sound in store.unheard()] == ids[2:]
    assert [(t.text, t.engine, t.started_at - START) for t in store.transcripts()] == [
        ("take the bus", "whisper", 1),
        ("at nine", "whisper", 12),
    ]
    broken = Heard(session.id + 1, START, START + 1, "of no session", "speech", "whisper", 1.0)
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.keep_heard(ids[2:], [said(session, 21, "lost"), broken], keep_sound=False)
    assert [sound.id for sound in store.unheard()] == ids[2:]
    assert store.find_words("lost") == []


def test_a_sound_that_is_not_kept_leaves_no_byte_behind(store: EpisodicStore, session: Session) -> None:
    ids = add_sounds(store, session, 3)
    before = store.sound_packs.disk_bytes()
    store.keep_heard(ids[:2], [], keep_sound=False)
    left = store.sound_packs.path(1).read_bytes()
    assert b"ogg 0" not in left and b"ogg 1" not in left and b"ogg 2" in left
    assert [sound.id for sound in store.sounds()] == ids[2:]
    assert store.sound_packs.disk_bytes() < before
    assert check(store).clean


def test_a_crash_between_the_rows_and_the_bytes_is_made_good(store: EpisodicStore, session: Session) -> None:
    ids = add_sounds(store, session, 2)
    store.release_sounds(ids)  # the process dies here
    store.close()
    with EpisodicStore.open(store.directory) as again:
        path = again.sound_packs.path(1)
        assert b"ogg" not in path.read_bytes() and path.stat().st_blocks * 512 < 2 * 21000
        (kept,) = add_sounds(again, session, 1)
        assert again.sound_bytes(again.sounds()[0])[:5] == b"ogg 0" and again.sounds()[0].id == kept
        assert check(again).clean


def test_a_reduced_keyframe_is_a_small_picture_and_its_neighbours_stay(store: EpisodicStore, session: Session) -> None:
    kept = [store.add_keyframe(session.id, START + n, 3600, b"picture %d " % n * 2000, 640, 480, 1.0) for n in range(4)]
    before = store.packs.disk_bytes()
    store.reduce_keyframes([Reduction(kept[n].id, b"small %d" % n, 320, 240) for n in (1, 3)])
    assert [keyframe.id for keyframe in store.keyframes()] == [keyframe.id for keyframe in kept]
    assert [keyframe.reduced for keyframe in store.keyframes()] == [False, True, False, True]
    assert [store.jpeg(keyframe)[:7] for keyframe in store.keyframes()] == [
        b"picture",
        b"small 1",
        b"picture",
        b"small 3",
    ]
    assert store.jpeg(kept[1]) == b"small 1"  # asked for by one who read the row before
    assert b"picture 1" not in store.packs.path(1).read_bytes() and store.packs.disk_bytes() < before
    assert store.last_in_full(kept[3].id) == kept[2]
    store.reduce_keyframes([Reduction(kept[1].id, b"again", 10, 10)])
    assert store.jpeg(store.keyframe(kept[1].id)) == b"small 1"
    assert check(store).clean


def test_a_crash_before_the_full_picture_was_given_back_is_made_good(store: EpisodicStore, session: Session) -> None:
    keyframe = store.add_keyframe(session.id, START, 3600, b"picture " * 2000, 640, 480, 1.0)
    place = store.small_packs.append(keyframe.id, b"small")
    store.replace_pictures([(Reduction(keyframe.id, b"small", 320, 240), place)])
    store.close()
    with EpisodicStore.open(store.directory) as again:
        assert b"picture" not in again.packs.path(1).read_bytes()
        assert again.jpeg(again.keyframe(keyframe.id)) == b"small"
        assert check(again).clean


def test_keyframes_are_read_newest_first_and_once(store: EpisodicStore, session: Session) -> None:
    ids = [store.add_keyframe(session.id, START + n, 0, b"jpeg", 64, 48, 1.0).id for n in range(5)]
    assert [keyframe.id for keyframe in store.unread(2)] == [ids[4], ids[3]]
    store.keep_read(ids[3:], [said(session, 3, "EXIT", "scene-text")])
    assert [keyframe.id for keyframe in store.unread()] == [ids[2], ids[1], ids[0]]
    store.reduce_keyframes([Reduction(ids[1], b"small", 32, 24)])
    assert [keyframe.id for keyframe in store.unread()] == [ids[2], ids[0]]


def test_a_text_that_stays_in_view_is_one_row_that_grows(store: EpisodicStore, session: Session) -> None:
    for at_s in (10, 0, 25, 100):
        store.keep_read([], [said(session, at_s, "BAKERY", "scene-text")])
    store.keep_read([], [said(session, 11, "OPEN", "scene-text")])
    spans = [(t.text, t.started_at - START, t.ended_at - START) for t in store.transcripts()]
    assert spans == [("BAKERY", 0, 27), ("OPEN", 11, 13), ("BAKERY", 100, 102)]


def test_words_are_found_by_their_stems_best_first_and_within_a_span(store: EpisodicStore, session: Session) -> None:
    ids = add_sounds(store, session, 1)
    lines = ["the bus leaves at nine", "nine apples", "take the bus to the bus station", "Café crème"]
    store.keep_heard(ids, [said(session, 10 * n, text) for n, text in enumerate(lines)], keep_sound=True)
    assert [t.text for t in store.find_words("bus")] == [lines[2], lines[0]]
    assert {t.text for t in store.find_words("apple, station")} == {lines[1], lines[2]}
    assert [t.text for t in store.find_words("cafe")] == [lines[3]]
    assert [t.text for t in store.find_words("nine", Span(START + 9, START + 15))] == [lines[1]]
    assert len(store.find_words("the nine", limit=1)) == 1


def test_words_in_quotes_stand_in_a_row_and_a_star_ends_a_beginning(store: EpisodicStore, session: Session) -> None:
    lines = ["the bus leaves at nine", "nine leave the bus", "a business of nineteen"]
    store.keep_heard([], [said(session, 10 * n, text) for n, text in enumerate(lines)], keep_sound=True)
    assert [t.text for t in store.find_words('"bus leaves"')] == [lines[0]]
    assert {t.text for t in store.find_words("bus*")} == set(lines)
    assert {t.text for t in store.find_words('"at nin"*, business')} == {lines[0], lines[2]}
    assert {t.text for t in store.find_words('"bus')} == set(lines[:2])


def test_of_words_that_are_everywhere_the_newest_are_ranked_and_rarer_ones_decide(
    store: EpisodicStore, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the the fox"] + ["the"] * 20 + ["see the fox", "a fox", "the the bus", "the hound"]
    store.keep_heard([], [said(session, 10 * n, text) for n, text in enumerate(texts)], keep_sound=True)
    wanted = [t.text for t in store.find_words("the fox")]
    monkeypatch.setattr(transcripts, "RANKED", 5)
    assert [t.text for t in store.find_words("the fox")] == [text for text in wanted if "fox" in text]
    assert "the the fox" not in [t.text for t in store.find_words("the")]
    assert [t.text for t in store.find_words("the", Span(START, START + 9))] == ["the the fox"]


@given(query=st.text(max_size=40) | st.text('"*(){}^:-+ANDORNT nine', max_size=12))
def test_no_query_is_an_error(clock_memory: EpisodicStore, query: str) -> None:
    assert len(clock_memory.find_words(query)) <= 1


def test_a_memory_of_the_first_version_is_brought_up_to_date_with_its_words(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    old = sqlite3.connect(path)
    old.executescript(MIGRATIONS[0])
    old.execute("INSERT INTO sessions VALUES (1, 'film', 0, 0, 1, 9, 9, 'end of film')")
    old.execute("INSERT INTO transcripts VALUES (1, 1, 2, 4, 'the quick fox', 'speech', 0.5)")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    with EpisodicStore.open(tmp_path) as store:
        assert store.database.version == len(MIGRATIONS)
        assert [(t.text, t.engine) for t in store.find_words("foxes")] == [("the quick fox", "")]
        assert store.unheard() == [] and store.hold() is None


def test_a_sound_whose_bytes_are_not_what_they_were_is_named(store: EpisodicStore, session: Session) -> None:
    (sound_id,) = add_sounds(store, session, 1)
    path = store.sound_packs.path(1)
    path.write_bytes(path.read_bytes()[:HEADER_BYTES] + b"x" * 21000)
    with pytest.raises(MemoryDamaged, match=f"Sound {sound_id}"):
        store.sound_bytes(store.sounds()[0])
    assert [problem.kind for problem in check(store).problems] == ["sound"]


def test_a_moment_shows_the_picture_in_full_that_is_nearest_to_its_middle(
    store: EpisodicStore, session: Session
) -> None:
    ids = [store.add_keyframe(session.id, START + n, 0, b"jpeg", 640, 480, 1.0).id for n in range(9)]
    store.reduce_keyframes([Reduction(ids[n], b"small", 320, 240) for n in (0, 3, 4, 5, 8)])
    (moment,) = store.moments()
    assert (moment.keyframe.id, moment.keyframes) == (ids[2], 9)
