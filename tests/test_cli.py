"""The command as a person meets it: what it prints, how it ends, and what it says when something is wrong."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

from assistant.adapter_card import FORMAT
from assistant.registry import describe
from store.config import load_config
from store.episodic import EpisodicStore
from store.records import Heard
from tui.cli import cli

SECONDS = 40
WHERE = "where is my wallet?"
COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]

Whereabouts = Callable[..., Result]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SECONDS of noise that no gate finds dull."""
    path = tmp_path_factory.mktemp("films") / "film.mkv"
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=2, width=96, height=64, options={"g": "2"})
        for _ in range(2 * SECONDS):
            squares = noise.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            picture = av.VideoFrame.from_ndarray(squares.repeat(16, 0).repeat(16, 1), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
    return path


@pytest.fixture
def whereabouts(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Whereabouts:
    """The command on a memory of its own, answering with the tiny checkpoint."""
    config = tmp_path / "config" / "whereabouts" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[model]\ncheckpoint = "{tiny_folder}"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("WHEREABOUTS_HOME", str(tmp_path / "memory"))
    return lambda *arguments: CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def recorded(whereabouts: Whereabouts, film: Path) -> Whereabouts:
    result = whereabouts("import", film, "--recorded-at", "2026-03-02T08:00:00+0100", "--fps", 1)
    assert result.exit_code == 0, result.stderr
    return whereabouts


def assert_ends(result: Result, code: int, happened: str, hint: str = "") -> None:
    assert result.exit_code == code, (result.stdout, result.stderr)
    told = result.stderr.splitlines()
    assert len(told) == 2 and "Traceback" not in result.stderr
    assert happened in told[0] and hint in told[1]


# ---------------------------------------------------------------- recording and looking


def test_a_film_is_imported_and_its_moments_listed(recorded: Whereabouts) -> None:
    moments = json.loads(recorded("moments", "--json").stdout)
    assert [moment["start"] for moment in moments] == ["2026-03-02T08:00:30.000+01:00", "2026-03-02T08:00:00.000+01:00"]
    assert sum(moment["keyframes"] for moment in moments) == SECONDS
    table = recorded("moments", "--limit", 1).stdout
    assert "08:00:30" in table and "08:00:00" not in table


def test_moments_of_a_time_of_the_day_are_listed_whole(recorded: Whereabouts) -> None:
    moments = json.loads(recorded("moments", "--since", "08:00:10", "--until", "08:00:15", "--json").stdout)
    assert [moment["keyframes"] for moment in moments] == [30]


def test_a_keyframe_is_written_as_it_was_captured(recorded: Whereabouts, tmp_path: Path) -> None:
    keyframe = json.loads(recorded("moments", "--json").stdout)[0]["keyframe"]
    assert recorded("show", keyframe, "-o", tmp_path / "shown.jpg").exit_code == 0
    with EpisodicStore.open(tmp_path / "memory") as store:
        assert (tmp_path / "shown.jpg").read_bytes() == store.jpeg(store.keyframe(keyframe))
    assert "2026-03-02 08:00" in recorded("show", keyframe).stdout


def test_status_counts_what_is_there(recorded: Whereabouts) -> None:
    status = json.loads(recorded("status", "--json").stdout)
    assert (status["sessions"], status["keyframes"], status["recording"]) == (1, SECONDS, False)
    assert status["first_captured_at"] == "2026-03-02T08:00:00.000+01:00"
    assert f"{SECONDS} keyframes" in recorded("status").stdout


def test_status_loads_no_model_library(recorded: Whereabouts) -> None:
    program = (
        "import sys\nfrom tui.cli import cli\ncli(['status'], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'faiss', 'cv2', 'av', 'panda3d', 'textual'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_simulated_home_is_recorded(whereabouts: Whereabouts) -> None:
    result = whereabouts("record", "sim://home?seed=3&minutes=0.1&width=96&height=72", "--fps", 1)
    assert result.exit_code == 0 and result.stdout.startswith("Recorded 5 s of sim://home?seed=3&minutes=0.1: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_recording_ends_its_session(whereabouts: Whereabouts, tmp_path: Path, number: int) -> None:
    camera = "sim://home?seed=3&minutes=9&speed=1&width=96&height=72"
    recorder = subprocess.Popen([*COMMAND, "record", camera, "--fps", "5"], stdout=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 60
    while not _keyframes(tmp_path / "memory") and time.monotonic() < deadline_s:
        time.sleep(0.05)
    recorder.send_signal(number)
    told, _ = recorder.communicate(timeout=30)
    assert recorder.returncode == 0 and told.startswith("Recorded ")
    with EpisodicStore.open(tmp_path / "memory") as store:
        assert [session.ended_because for session in store.sessions()] == ["stopped"]


def _keyframes(memory: Path) -> int:
    if not (memory / "memory.db").exists():
        return 0
    with EpisodicStore.open(memory) as store:
        return store.count()


# ---------------------------------------------------------------- asking


def test_an_answer_as_json_says_what_it_rests_on(recorded: Whereabouts) -> None:
    result = recorded("ask", WHERE, "--since", "08:00:20", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0 and answer["question"] == WHERE
    assert set(answer) == {
        *(
            "question",
            "answer",
            "seen",
            "confidence",
            "moments",
            "coverage",
            "timings_ms",
            "checkpoint",
            "note",
            "quoted",
        )
    }
    assert {"start", "end", "keyframe", "score"} <= set(answer["moments"][0])
    assert all("2026-03-02T08:00:20" <= moment["start"] <= moment["end"] for moment in answer["moments"])
    assert answer["coverage"]["keyframes"] == answer["coverage"]["indexed"] == SECONDS - 20


def test_an_answer_for_people_shows_moment_picture_and_coverage(recorded: Whereabouts) -> None:
    told = recorded("ask", WHERE).stdout
    assert re.search("08:00 ─*●─* 08:00", told) and "Monday, 02 March 2026" in told and "score" in told
    assert f"Recorded {SECONDS - 1} s of {SECONDS - 1} s worn." in told


def test_a_word_never_learned_is_named_instead_of_answered(recorded: Whereabouts) -> None:
    answer = json.loads(recorded("ask", "where is my zebra?", "--json").stdout)
    assert not answer["seen"] and "'zebra'" in answer["note"]


def test_indexing_twice_embeds_once(recorded: Whereabouts) -> None:
    assert recorded("index").stdout.startswith(f"Indexed {SECONDS} keyframes")
    assert recorded("index").stdout.startswith("Indexed 0 keyframes")


# ---------------------------------------------------------------- questions without a memory


def test_questions_are_written_from_narrations_and_stay_the_same(whereabouts: Whereabouts, tmp_path: Path) -> None:
    acts = ("open fridge", "take milk", "close fridge", "wash cup", "put cup on rack", "cut onion", "put knife in sink")
    rows = [f"P01,00:00:{4 * i:02},00:00:{4 * i + 2:02},{act}" for i, act in enumerate(acts * 2)]
    path = tmp_path / "told.csv"
    path.write_text("\n".join(["video_id,start_timestamp,stop_timestamp,narration", *rows]))
    first, again = (whereabouts("questions", path, "--sample", 2, "--seed", 7) for _ in range(2))
    assert first.exit_code == 0 and first.stdout == again.stdout and not (tmp_path / "memory").exists()
    heads = [line for line in first.stdout.splitlines() if not line.startswith(" ")]
    assert 0 < len(heads) <= 2 and all(head.startswith("P01  00:00:") for head in heads)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "code", "happened", "hint"),
    [
        (["record", "no-such.mp4"], 4, "no-such.mp4 cannot be read", "camera"),
        (["record", "rtps://head"], 2, "Unknown kind of camera rtps://", "rtsp"),
        (["record", "sim://home?sead=3"], 2, "sead", "Did you mean seed?"),
        (["record", "usb:0", "--fps", "0"], 2, "0.0 frames a second", "above 0"),
        (["import", "nowhere.mp4"], 4, "nowhere.mp4 cannot be read", "Give a video file"),
        (["import", __file__], 4, "test_cli.py", "Give a video file"),
        (["import", "a.mp4", "b.mp4", "--recorded-at", "2026-03-02T08:00"], 2, "there are 2", "one by one"),
        (["questions", "nowhere.csv"], 2, "nowhere.csv cannot be read", "Check the path"),
        (["questions", __file__], 2, "neither a .csv nor a .json", "EPIC-KITCHENS"),
        (["evaluate", "--report", "nowhere/page.md"], 2, "There is no folder nowhere", "Make it first"),
        (["evaluate", "--checkpoint", "nowhere"], 7, "No checkpoint 'nowhere'", "folder"),
        (["ask", WHERE], 3, "no memory", "Record or import"),
        (["moments"], 3, "no memory", "Record or import"),
        (["status"], 3, "no memory", "Record or import"),
    ],
)
def test_bad_input_on_an_empty_machine(
    whereabouts: Whereabouts, tmp_path: Path, arguments: list[str], code: int, happened: str, hint: str
) -> None:
    assert_ends(whereabouts(*arguments), code, happened, hint)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "happened", "hint"),
    [
        (["ask", "  "], 2, "The question is empty.", "where did I put"),
        (["ask", WHERE, "--until", "07:00"], 3, "Nothing was recorded", "between 2026-03-02 08:00"),
        (["moments", "--since", "the cup"], 2, "'the cup' is not a time", "yesterday morning"),
        (["moments", "--since", "09:00", "--until", "08:00"], 2, "not after", "Exchange"),
        (["show", "7"], 2, "no keyframe 7", "nearest"),
        (["show", "1772434800000000", "-o", "/nowhere/a.jpg"], 2, "no folder /nowhere", "Make it"),
    ],
)
def test_bad_input_on_a_memory(
    recorded: Whereabouts, arguments: list[str], code: int, happened: str, hint: str
) -> None:
    assert_ends(recorded(*arguments), code, happened, hint)


def test_a_film_cut_off_is_kept_as_far_as_it_goes(whereabouts: Whereabouts, film: Path, tmp_path: Path) -> None:
    cut = shutil.copy(film, tmp_path / "cut.mkv")
    os.truncate(cut, os.path.getsize(cut) // 2)
    result = whereabouts("import", cut, "--fps", 1)
    assert_ends(result, 4, "The film ends early", "kept")
    assert result.stdout.startswith("Recorded ") and 5 < _keyframes(tmp_path / "memory") < SECONDS


def test_a_film_is_not_recorded_twice(recorded: Whereabouts, film: Path) -> None:
    assert_ends(recorded("import", film, "--recorded-at", "2026-03-02T08:00:00+0100"), 2, "already in this memory")


def test_a_memory_of_a_newer_version_is_left_alone(recorded: Whereabouts, tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory") as store:
        store.database.execute("PRAGMA user_version = 999")
    for arguments in (["ask", WHERE], ["status"], ["record", "sim://home?seed=3&minutes=0.1"]):
        assert_ends(recorded(*arguments), 5, "version 999", "Update")


def test_a_damaged_picture_is_found_and_named(recorded: Whereabouts, tmp_path: Path) -> None:
    assert recorded("check").stdout.endswith("The memory is whole.\n")
    pack = tmp_path / "memory" / "packs" / "000001.pack"
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    pack.write_bytes(damaged)
    result = recorded("check")
    assert_ends(result, 5, "1 problem")
    assert "keyframe: " in result.stdout


def test_a_damaged_checkpoint_is_named_and_the_memory_stays(
    recorded: Whereabouts, tiny_folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder, broken)
    os.truncate(broken / "model.safetensors", 100)
    (tmp_path / "config" / "whereabouts" / "config.toml").write_text(f'[model]\ncheckpoint = "{broken}"\n')
    assert_ends(recorded("ask", WHERE), 7, f"Checkpoint {broken} cannot be loaded", "again")
    (broken / "config.json").unlink()
    assert_ends(recorded("ask", WHERE), 7, "config.json is missing", "again")
    assert "config.json is missing" in json.loads(recorded("status", "--json").stdout)["checkpoint"]["problem"]


def test_a_camera_that_is_not_there_is_waited_for_and_named(tmp_path: Path) -> None:
    command = [*COMMAND, "--memory", str(tmp_path / "memory"), "record", "usb:99"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as recorder:
        assert recorder.stderr
        said = recorder.stderr.readline()
        while "No camera" not in said:
            said = recorder.stderr.readline()
            assert said
        assert "waiting for camera" in said and "/dev/video99" in said
        recorder.terminate()
        assert recorder.wait(20) == 0


def test_a_pause_without_a_recorder_waits_for_the_next_one(recorded: Whereabouts) -> None:
    assert "for 30 min" in recorded("pause", "30m").stdout
    assert "starts paused" in " ".join(recorded("status").stdout.split())
    assert "until you run: whereabouts resume" in recorded("private").stdout
    assert json.loads(recorded("status", "--json").stdout)["hold"]["reason"] == "private"
    assert "goes on" in recorded("resume").stdout
    assert json.loads(recorded("status", "--json").stdout)["hold"] is None
    assert_ends(recorded("pause", "soon"), 2, "'soon' is not understood", "30m")
    assert_ends(recorded("pause", "0.1s"), 2, "held for 0.1s", "1s")
    assert_ends(recorded("private", "99999999d"), 2, "held for 99999999d", "3650d")


def test_nobody_reading_what_it_says_does_not_end_a_recording(tmp_path: Path) -> None:
    camera = "sim://home?seed=7&minutes=5&width=96&height=72&speed=1"
    command = [*COMMAND, "--memory", str(tmp_path / "memory"), "record", camera]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as recorder:
        assert recorder.stderr and recorder.stderr.readline()
        recorder.stderr.close()
        deadline_s = time.monotonic() + 60
        while _keyframes(tmp_path / "memory") < 3 and time.monotonic() < deadline_s:
            time.sleep(0.2)
        recorder.send_signal(signal.SIGHUP)  # the terminal is closed
        assert recorder.wait(20) == 0
    with EpisodicStore.open(tmp_path / "memory") as store:
        assert store.count() >= 3 and store.sessions()[-1].ended_because == "stopped"


def test_cameras_are_listed_with_the_command_that_uses_them(whereabouts: Whereabouts, tmp_path: Path) -> None:
    config = tmp_path / "config" / "whereabouts" / "config.toml"
    config.write_text('[cameras.glasses]\nuri = "rtsp://10.0.0.2/live"\n')
    result = whereabouts("cameras")
    assert result.exit_code == 0 and "whereabouts record glasses" in result.stdout
    assert "rtmp+listen://" in result.stdout
    assert json.loads(whereabouts("cameras", "--json").stdout)["configured"]["glasses"]["rotation"] == 0


def test_the_settings_are_shown_as_a_file_that_reads_back(whereabouts: Whereabouts, tmp_path: Path) -> None:
    config = tmp_path / "config" / "whereabouts" / "config.toml"
    config.write_text(
        "[capture]\nnovelty_threshold = 0.123456789\n"
        '[cameras."left \\"eye\\""]\nuri = "rtsp://u:p\\\\x@h/é"\ncrop = [0, 0, 0.5, 1]\n'
    )
    before = load_config(config)
    config.write_text(whereabouts("config", "show").stdout)
    assert load_config(config) == before
    assert 'left "eye"' in whereabouts("config", "check").stdout
    config.write_text("[disk]\nreserv = 3\n")
    assert_ends(whereabouts("config", "check"), 2, "line 2: unknown key", "reserve")


def test_models_that_config_names_and_that_are_not_there_are_not_right(
    whereabouts: Whereabouts, tmp_path: Path, tiny_folder: Path
) -> None:
    config, adapter = tmp_path / "config" / "whereabouts" / "config.toml", tmp_path / "mine.safetensors"
    model = f'[model]\ncheckpoint = "{tiny_folder}"\n'

    def checked(line: str) -> Result:
        config.write_text(model + line)
        return whereabouts("config", "check")

    assert_ends(checked(f'adapter = "{adapter}"\n'), 7, "There is no adapter", "train pointer")
    for base, code in (("0123456789ab", 7), (describe(str(tiny_folder)).weights_hash, 0)):
        card = {"base": base, "rank": 4, "alpha": 8, "trained_on": {}}
        save_file({"memory_pointer": np.zeros((1, 4), np.float16)}, adapter, {FORMAT: json.dumps(card)})
        assert checked(f'adapter = "{adapter}"\n').exit_code == code
    assert_ends(checked('answerer = "owner/nowhere"\n'), 7, "'owner/nowhere' is not on this machine", "models pull")
    assert_ends(checked('answerer = "~nosuch/x"\n'), 7, "is not on this machine")
    assert checked(f'answerer = "{tiny_folder}"\n').exit_code == 0


def test_the_service_is_written_for_the_camera_and_removed(whereabouts: Whereabouts, tmp_path: Path) -> None:
    result = whereabouts("service", "install", "usb:0")
    unit = tmp_path / "config" / "systemd" / "user" / "whereabouts.service"
    assert '"record" "usb:0"' in unit.read_text() and str(tmp_path / "memory") in unit.read_text()
    assert result.exit_code == 0 or "systemctl --user" in result.stderr
    whereabouts("service", "uninstall")
    assert not unit.exists()
    assert_ends(whereabouts("service", "uninstall"), 2, "No service is installed", "service install")


def test_what_was_to_be_read_is_found_by_its_words(recorded: Whereabouts, tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory") as store:
        keyframe = store.keyframes()[3]
        at = keyframe.captured_at
        sign = Heard(keyframe.session_id, at, at + 2, "BAKERY / OPEN 9-17", "scene-text", "rapidocr", 0.98)
        store.keep_read([keyframe.id], [sign])
    result = recorded("words", "bakeries open")
    assert "08:00:03 to 08:00:05 read by rapidocr, confidence 0.98: BAKERY / OPEN 9-17" in result.stdout
    assert json.loads(recorded("words", "bakery", "--json").stdout)[0]["source"] == "scene-text"
    assert "Nothing like that" in recorded("words", "florist").stdout


def test_a_second_recorder_is_turned_away(recorded: Whereabouts, tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory") as store, store.hold_for_recording():
        result = recorded("record", "sim://home?seed=3&minutes=0.1&width=96&height=72")
    assert_ends(result, 8, f"pid {os.getpid()}", "Stop that recorder")


def test_a_full_disk_ends_the_recording_and_loses_nothing(whereabouts: Whereabouts, film: Path, tmp_path: Path) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    ran = subprocess.run(
        [*COMMAND, "import", film, "--fps", "2"], capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert ran.returncode == 6, ran.stderr
    assert "cannot be written" in ran.stderr.splitlines()[0] and len(ran.stderr.splitlines()) == 2
    kept = int(ran.stdout.split(": ")[1].split()[0])
    assert kept == _keyframes(tmp_path / "memory") > 0
    assert whereabouts("check").exit_code == 0


def test_a_misspelt_setting_is_answered_with_the_right_one(whereabouts: Whereabouts, tmp_path: Path) -> None:
    (tmp_path / "config" / "whereabouts" / "config.toml").write_text("[capture]\nfsp = 1\n")
    assert_ends(whereabouts("record", "usb:0"), 2, "fsp", "Did you mean fps?")


def test_every_command_has_a_help_text() -> None:
    for name, command in cli.commands.items():
        assert isinstance(command, click.Command) and command.help, name
        assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0
