"""The commands about keeping a memory: locked, forgotten, thinned, copied, mended, and taken away as plain files."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import store.vault
from store.episodic import EpisodicStore
from store.records import Heard, Span
from store.spans import EVER
from tui.cli import cli

START = 1_772_434_800.0
PICTURES = 40
Whereabouts = Callable[..., Result]


@pytest.fixture
def whereabouts(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Whereabouts:
    """The command on a memory with one session of 40 pictures, what was said in it, and a second session."""
    monkeypatch.setattr(store.vault, "SCRYPT", {"n": 2**4, "r": 8, "p": 1})
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    config = tmp_path / "XDG_CONFIG_HOME" / "whereabouts" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[model]\ncheckpoint = "{tiny_folder}"\n')
    monkeypatch.setenv("WHEREABOUTS_HOME", str(tmp_path / "memory"))
    with EpisodicStore.open(tmp_path / "memory") as memory:
        for number in range(2):
            session = memory.begin_session("glasses", START + 1000 * number, 3600, 1.0)
            for at in range(PICTURES):
                memory.add_keyframe(session.id, session.started_at + at, 3600, b"\xff\xd8picture", 4, 3, 1.0)
            said = Heard(session.id, session.started_at + 39, session.started_at + 39, "umbrella", "speech", "x", 1.0)
            memory.keep_heard([], [said], keep_sound=True)
            memory.end_session(session.id, session.started_at + 39, "film ended")

    def run(*arguments: object, typed: str = "") -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=typed)

    return run


def assert_ends(result: Result, code: int, happened: str, hint: str = "") -> None:
    assert result.exit_code == code, (result.stdout, result.stderr)
    told = result.stderr.splitlines()
    assert len(told) == 2 and happened in told[0] and hint in told[1], told


def keyframes(folder: Path, session_id: int | None = None) -> int:
    with EpisodicStore.open(folder, create=False) as memory:
        return len([each for each in memory.keyframes() if session_id in (None, each.session_id)])


# ---------------------------------------------------------------- the key


def test_a_passphrase_locks_and_unlocks_and_the_recovery_key_does_as_well(whereabouts: Whereabouts) -> None:
    key = whereabouts("key").stdout.strip()
    assert_ends(whereabouts("lock"), 2, "is kept in a file", "passwd")
    assert whereabouts("passwd", typed="four good words here\r\n").exit_code == 0
    assert "sealed under a passphrase" in whereabouts("status", "--json").stdout
    assert whereabouts("lock").exit_code == 0 and "locked already" in whereabouts("lock").stdout
    for command in (["status"], ["moments"], ["ask", "where is it?"], ["check"], ["key"], ["forget", "--last", "5m"]):
        assert_ends(whereabouts(*command), 9, "is locked", "whereabouts unlock")
    assert_ends(whereabouts("unlock", typed="four bad words here\n"), 2, "neither the passphrase nor")
    assert_ends(whereabouts("unlock"), 2, "nothing was given")
    assert whereabouts("unlock", typed="four good words here\n").exit_code == 0
    assert whereabouts("status").exit_code == 0
    whereabouts("lock")
    assert whereabouts("unlock", typed=f"{key}\n").exit_code == 0 and whereabouts("key").stdout.strip() == key
    assert "in a file" in whereabouts("passwd", "--remove").stdout


def test_what_is_no_key_or_no_vault_is_named(whereabouts: Whereabouts, tmp_path: Path) -> None:
    path = tmp_path / "memory" / "keys.json"
    content = path.read_text()
    for broken in ("{", '{"memory": 5}', "[" * 100_000, content.replace('"file"', '"nobody"')):
        path.write_text(broken)
        assert_ends(whereabouts("status"), 5, "keys.json is damaged", "backup")
    path.unlink()
    for command in ("status", "unlock"):
        assert_ends(whereabouts(command, typed="x\n"), 5, "keys.json is missing", "every backup")
    EpisodicStore.open(tmp_path / "plain", encrypt=False).close()
    assert_ends(whereabouts("--memory", tmp_path / "plain", "passwd"), 2, "is not encrypted", "export")


def test_a_memory_of_no_bytes_is_begun_anew_and_encrypted(whereabouts: Whereabouts, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "memory.db").touch()
    EpisodicStore.open(tmp_path / "empty").close()
    assert (tmp_path / "empty" / "keys.json").exists()
    assert not (tmp_path / "empty" / "memory.db").read_bytes().startswith(b"SQLite")


# ---------------------------------------------------------------- forgetting and thinning


def test_what_would_go_is_said_before_it_goes(whereabouts: Whereabouts, tmp_path: Path) -> None:
    asked = whereabouts("forget", "--from", "08:16:40", "--to", "08:16:50")
    assert_ends(asked, 2, "Nobody is there to be asked", "--yes")
    assert "10 s worn" in asked.stdout and "10 keyframes" in asked.stdout and keyframes(tmp_path / "memory") == 80
    done = whereabouts("forget", "--from", "08:16:40", "--to", "08:16:50", "--yes")
    assert done.exit_code == 0 and "Forgotten at" in done.stdout and "Keys destroyed: 1" in done.stdout
    assert keyframes(tmp_path / "memory") == 70
    again = whereabouts("forget", "--from", "08:16:40", "--to", "08:16:50", "--yes")
    assert again.exit_code == 0 and "Nothing is known of that time." in again.stdout


def test_a_session_is_forgotten_with_its_last_picture_and_its_last_word(
    whereabouts: Whereabouts, tmp_path: Path
) -> None:
    assert whereabouts("forget", "--session", 1, "--yes").exit_code == 0
    assert (keyframes(tmp_path / "memory", 1), keyframes(tmp_path / "memory", 2)) == (0, PICTURES)
    with EpisodicStore.open(tmp_path / "memory") as memory:
        assert [row.session_id for row in memory.find_words("umbrella")] == [2]
        assert memory.sessions()[0].source == "forgotten"


def test_the_last_minutes_go_by_the_clock_of_a_session_that_is_being_recorded(
    whereabouts: Whereabouts, tmp_path: Path
) -> None:
    ahead = time.time() + 7200
    with EpisodicStore.open(tmp_path / "memory") as memory, memory.hold_for_recording():
        session = memory.begin_session("glasses", ahead, 0, 1.0)
        for at in range(10):
            memory.add_keyframe(session.id, ahead + at, 0, b"\xff\xd8picture", 4, 3, 1.0)
            memory.beat(session.id, ahead + at)
        assert whereabouts("forget", "--last", "5m", "--yes").exit_code == 0
        assert memory.count(Span(ahead - 1, ahead + 100)) == 0 and memory.count() == 80


@pytest.mark.parametrize(
    ("arguments", "happened"),
    [
        ([], "Say what to forget"),
        (["--last", "5m", "--session", "1"], "Say what to forget"),
        (["--last", "-5m"], "'-5m'"),
        (["--last", "0s"], "0 seconds"),
        (["--moment", "12"], "There is no keyframe 12"),
        (["--moment", "9" * 30], "999"),
        (["--session", "7"], "There is no session 7"),
        (["--from", "0001-01-01T00:00:00+12:00"], "too far away"),
        (["--to", "9999-12-31T23:59:59-12:00"], "too far away"),
        (["--from", "08:20", "--to", "08:10"], "not after"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_two_lines(
    whereabouts: Whereabouts, arguments: list[str], happened: str
) -> None:
    assert_ends(whereabouts("forget", *arguments, "--yes"), 2, happened)


def test_a_pinned_moment_outlives_its_day_and_retention_says_what_goes(
    whereabouts: Whereabouts, tmp_path: Path
) -> None:
    assert "kept for ever" in whereabouts("retention").stdout
    first = json.loads(whereabouts("moments", "--json").stdout)[-1]
    assert "Pinned" in whereabouts("pin", first["keyframe"]).stdout
    assert whereabouts("pin").stdout.count(" to ") == 1
    config = tmp_path / "XDG_CONFIG_HOME" / "whereabouts" / "config.toml"
    config.write_text('[retention]\nkeep = "2d"\n')
    assert "nothing stays" in whereabouts("retention").stdout and keyframes(tmp_path / "memory") == 80
    assert whereabouts("retention", "--apply").exit_code == 0
    assert keyframes(tmp_path / "memory") == 30  # the pinned half minute
    assert "Pins taken away: 1" in whereabouts("unpin", first["keyframe"]).stdout
    assert_ends(whereabouts("unpin", first["keyframe"]), 2, "Nothing is pinned")


# ---------------------------------------------------------------- copies


def test_a_backup_comes_back_as_the_memory_and_forgets_with_it(whereabouts: Whereabouts, tmp_path: Path) -> None:
    made = whereabouts("backup", tmp_path / "backup")
    assert made.exit_code == 0 and "recovery key" in made.stderr
    assert "0 files copied" not in made.stdout and "unchanged" in whereabouts("backup", tmp_path / "backup").stdout
    assert str(tmp_path / "backup") in whereabouts("status").stdout.replace("\n", "").replace(" ", "")
    done = whereabouts("forget", "--session", 2, "--yes")
    assert "Forgotten in the backup" in done.stdout and keyframes(tmp_path / "backup") == PICTURES
    assert_ends(whereabouts("restore", tmp_path / "backup"), 2, "is not empty", "mv")
    shutil.rmtree(tmp_path / "memory")
    assert whereabouts("restore", tmp_path / "backup").exit_code == 0
    assert keyframes(tmp_path / "memory") == PICTURES and "whole" in whereabouts("check").stdout


def test_a_backup_that_is_away_is_named_and_the_command_does_not_pretend(
    whereabouts: Whereabouts, tmp_path: Path
) -> None:
    whereabouts("backup", tmp_path / "backup")
    os.rename(tmp_path / "backup", tmp_path / "away")
    assert_ends(whereabouts("forget", "--session", 2, "--yes"), 6, "Not forgotten in", "when that disk is there")
    os.rename(tmp_path / "away", tmp_path / "backup")
    assert whereabouts("forget", "--session", 2, "--yes").exit_code == 0
    assert keyframes(tmp_path / "backup") == PICTURES


def test_a_new_passphrase_holds_for_the_backups_as_well(whereabouts: Whereabouts, tmp_path: Path) -> None:
    whereabouts("backup", tmp_path / "backup")
    assert whereabouts("passwd", typed="four good words here\n").exit_code == 0
    whereabouts("lock")
    assert_ends(whereabouts("--memory", tmp_path / "backup", "status"), 9, "is locked")
    unlocked = whereabouts("--memory", tmp_path / "backup", "unlock", typed="four good words here\n")
    assert unlocked.exit_code == 0 and keyframes(tmp_path / "backup") == 80


def test_an_export_is_plain_and_comes_back(whereabouts: Whereabouts, tmp_path: Path) -> None:
    exported = whereabouts("export", tmp_path / "plain", "--from", "2026-03-02T08:00", "--to", "2026-03-02T08:10")
    assert exported.exit_code == 0 and "They are not encrypted." in exported.stdout
    assert "umbrella" in (tmp_path / "plain" / "transcripts.jsonl").read_text()
    assert_ends(whereabouts("import", tmp_path / "plain"), 2, "is not empty", "--memory")
    assert whereabouts("--memory", tmp_path / "again", "import", tmp_path / "plain").exit_code == 0
    assert keyframes(tmp_path / "again") == PICTURES
    (tmp_path / "plain" / "sessions.jsonl").write_text("{}")
    assert_ends(whereabouts("--memory", tmp_path / "third", "import", tmp_path / "plain"), 2, "sessions.jsonl")


def test_damage_is_mended_and_accounted_for(whereabouts: Whereabouts, tmp_path: Path) -> None:
    pack = tmp_path / "memory" / "packs" / "000001.pack"
    content = bytearray(pack.read_bytes())
    content[25] ^= 1
    pack.write_bytes(content)
    assert_ends(whereabouts("check"), 5, "1 problems", "check --repair")
    repaired = whereabouts("check", "--repair")
    assert repaired.exit_code == 0 and "The memory is whole." in repaired.stdout
    with EpisodicStore.open(tmp_path / "memory") as memory:
        assert memory.count() == 79 and [gap.reason for gap in memory.gaps(EVER)] == ["damaged"]


def test_a_picture_that_is_shown_into_a_file_is_its_owners_alone(whereabouts: Whereabouts, tmp_path: Path) -> None:
    keyframe = json.loads(whereabouts("moments", "--json").stdout)[0]["keyframe"]
    before = os.umask(0)
    try:
        assert whereabouts("show", keyframe, "-o", tmp_path / "shown.jpg").exit_code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "shown.jpg").stat().st_mode & 0o777 == 0o600


def test_a_wrong_argument_is_two_lines_like_every_error(whereabouts: Whereabouts) -> None:
    for arguments in (["moments", "--limit", "0"], ["forget", "--moment", "abc"], ["nothing"], ["--nothing", "status"]):
        assert_ends(whereabouts(*arguments), 2, "", "--help")
    assert "Usage" in whereabouts().output
