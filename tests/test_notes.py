"""What the wearer writes to a moment is kept, found, forgotten, copied and taken away as all words are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store import transcripts
from store.config import Retention
from store.episodic import EpisodicStore
from store.errors import UserError
from store.records import Heard, Session, Span
from store.spans import moment_span
from store.transcripts import NOTE
from store.upkeep.backup import backup
from store.upkeep.check import check
from store.upkeep.forgetting import forget, plan
from store.upkeep.retention import apply

START = 1_760_000_010.0  # a half minute begins
DAY_S = 86_400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:  # what lies in its files can be read
        yield store


@pytest.fixture
def session(store: EpisodicStore) -> Session:
    """Two minutes with a keyframe every ten seconds and a word in each."""
    session = store.begin_session("glasses", START, 3600, 1.0)
    for at in range(0, 120, 10):
        store.add_keyframe(session.id, START + at, 3600, b"jpeg", 4, 3, 0.5)
        store.keep_heard([], [said(session, at, "the bus")], keep_sound=True)
    store.end_session(session.id, START + 120, "stopped")
    return store.sessions()[0]


def said(session: Session, at_s: float, text: str) -> Heard:
    return Heard(session.id, START + at_s, START + at_s + 2, text, "speech", "whisper", 0.5)


def part(from_s: float, to_s: float) -> Span:
    return Span(START + from_s, START + to_s)


def bytes_of(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def test_a_note_is_found_by_its_words_and_in_its_time(store: EpisodicStore, session: Session) -> None:
    note = store.add_note(session.id, part(30, 50), "Lent to Anna")
    assert (note.text, note.source, note.engine, note.confidence) == ("Lent to Anna", "note", "wearer", 1.0)
    assert store.find_words("anna") == store.find_words("lend, lent", part(0, 60)) == [note]
    assert store.find_words("anna", part(60, 90)) == []
    assert note in store.transcripts(part(40, 41)) and note not in store.transcripts(part(50, 60))
    assert store.find_words("anna bus")[0] == note and len(store.find_words("anna bus")) == 13
    assert len(store.find_words("anna bus", limit=2)) == 2
    assert check(store).clean


def test_a_note_stands_on_one_line_and_steers_no_terminal(store: EpisodicStore, session: Session) -> None:
    note = store.add_note(session.id, part(0, 9), " lent\r\n\tto\x00 \x1b[31mAnna\x9b\u2029Käthe \udc80👩\u200d🔧 ")
    assert note.text == "lent to [31mAnna Käthe 👩\u200d🔧"
    assert store.transcripts(part(0, 0.5)) == [note, *store.transcripts(part(0, 0.5))[1:]]
    for empty in ("", " \n\x00\u2028"):
        with pytest.raises(UserError, match="empty"):
            store.add_note(session.id, part(0, 9), empty)


def test_a_note_is_taken_away_and_nothing_else_by_its_id(store: EpisodicStore, session: Session) -> None:
    heard, (first, second) = store.transcripts(), [store.add_note(session.id, part(0, 9), each) for each in "ab"]
    store.remove_note(first.id)
    assert store.find_words("a") == [] and store.find_words("b") == [second]
    for missing in (first.id, heard[0].id, 99):
        with pytest.raises(UserError, match=f"no note {missing}"):
            store.remove_note(missing)
    store.remove_note(second.id)
    assert store.transcripts() == heard and check(store).clean


def test_the_notes_of_a_moment_are_those_of_its_session_and_half_minute(store: EpisodicStore, session: Session) -> None:
    other = store.begin_session("phone", START, 0, 1.0)
    theirs = store.add_keyframe(other.id, START + 31, 0, b"jpeg", 4, 3, 0.5)
    notes = [store.add_note(session.id, part(30, 50), "mine"), store.add_note(other.id, part(31, 31), "theirs")]
    keyframes = {round(each.captured_at - START): each for each in store.keyframes()}
    assert store.notes_of(keyframes[30].id) == store.notes_of(keyframes[50].id) == notes[:1]
    assert store.notes_of(theirs.id) == notes[1:] and store.notes_of(keyframes[60].id) == []


def test_notes_to_old_days_keep_nobody_from_finding_what_was_said_then(
    store: EpisodicStore, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "RANKED", 10)
    store.keep_heard([], [said(session, 200 + n, "the bus") for n in range(30)], keep_sound=True)
    store.keep_heard([], [said(session, 300, "rarely")], keep_sound=True)
    note = store.add_note(session.id, part(0, 9), "the blue bus")
    found = store.find_words("the bus rarely", part(0, 20))
    assert note in found and [row.text for row in found if row != note] == ["the bus"] * 2
    assert note in store.find_words("the bus")


def test_of_a_note_that_is_forgotten_no_byte_is_left_and_it_is_counted(store: EpisodicStore, session: Session) -> None:
    kept = store.add_note(session.id, part(60, 80), "zkept stays")
    gone = store.add_note(session.id, part(30, 50), "zsecret lent")
    store.add_turn(START + 999, "Where?", f'You noted "{gone.text}" at 09:00.', True, 1.0, "nano", [])
    assert b"zsecret" in bytes_of(store.directory)
    planned = plan(store, [moment_span(store.keyframes()[4].id)])
    assert (planned.notes, planned.speech, planned.scene_text, planned.turns) == (1, 3, 0, 1)
    assert forget(store, planned.spans).destroyed == planned
    assert b"zsecret" not in bytes_of(store.directory) and b"zkept" in bytes_of(store.directory)
    assert store.find_words("zsecret") == [] and store.find_words("zkept") == [kept]
    assert plan(store, planned.spans).is_nothing and check(store).clean


def test_a_note_alone_is_something_to_forget(store: EpisodicStore) -> None:
    session = store.begin_session("glasses", START, 0, 1.0)
    store.end_session(session.id, START, "camera unplugged")
    store.add_note(session.id, part(0, 0), "all that is left of it")
    assert not plan(store, [part(0, 1)]).is_nothing
    assert forget(store, [part(0, 1)]).destroyed.notes == 1 and store.transcripts() == []


@pytest.mark.parametrize("reason", ["forgotten", "expired"])
def test_nothing_is_noted_to_a_time_of_which_nothing_is_kept(
    store: EpisodicStore, session: Session, reason: str
) -> None:
    store.add_gap(session.id, START + 30, START + 40, reason)
    for span in (part(35, 35), part(0, 31), part(39, 90)):
        with pytest.raises(UserError, match="Nothing is kept of that time"):
            store.add_note(session.id, span, "too late")
    assert store.add_note(session.id, part(40, 50), "beside it") in store.transcripts()


def test_a_note_outlives_the_pictures_and_goes_when_its_whole_day_does(store: EpisodicStore, session: Session) -> None:
    note = store.add_note(session.id, part(30, 50), "Lent to Anna")
    apply(store, Retention(budget_bytes=1), START + 2 * DAY_S)
    assert store.count() == 0 and store.find_words("anna") == [note]
    apply(store, Retention(keep_s=DAY_S), START + 3 * DAY_S)
    assert store.transcripts() == [] == store.find_words("anna")
    assert check(store).clean


def test_a_note_is_in_the_backup_and_one_that_was_taken_away_no_longer(
    store: EpisodicStore, session: Session, tmp_path: Path
) -> None:
    notes = [store.add_note(session.id, part(30, 50), each) for each in ("Lent to Anna", "to be painted")]
    backup(store, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert copy.transcripts() == store.transcripts() and copy.find_words("anna") == notes[:1]
    store.remove_note(notes[0].id)
    backup(store, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert copy.find_words("anna") == [] and copy.find_words("paint") == notes[1:]
        assert check(copy).clean


def test_a_text_in_view_that_says_the_same_does_not_make_a_note_longer(store: EpisodicStore, session: Session) -> None:
    note = store.add_note(session.id, part(30, 50), "EXIT")
    seen = Heard(session.id, START + 50, START + 60, "EXIT", "scene-text", "rapidocr", 0.9)
    store.keep_read([store.keyframes()[5].id], [seen])
    assert [row for row in store.transcripts() if row.source == NOTE] == [note]
    assert len(store.find_words("exit")) == 2
