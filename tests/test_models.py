"""`whereabouts models`: what there is, what comes and goes, and which one answers."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from huggingface_hub import constants

from assistant import download, quantisation, registry
from assistant.checksums import digests_of, write_sums
from store.config import load_config
from tests.hub_server import Hub, serving
from tui import models
from tui.cli import cli

Command = Callable[..., Result]
CONFIG = """# how I like it
[capture]
fps = 2  # more than usual

[model]
# the small one
checkpoint = "nano"  # for now
answerer = ""
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`whereabouts models` with settings and data of its own, and an empty hub cache."""
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments, **options: CliRunner().invoke(cli, ["models", *map(str, arguments)], **options)


@pytest.fixture
def config(command: Command, tmp_path: Path) -> Path:
    path = tmp_path / "XDG_CONFIG_HOME" / "whereabouts" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG)
    return path


@pytest.fixture
def hub(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has 7b, as tiny as can be."""
    base, recall = ({file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
                    for folder in (tiny_folder, tiny_folder / "recall"))  # fmt: skip
    published = registry.PUBLISHED["7b"]
    with serving(Hub({published.repository: base, published.recall: recall})) as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        yield running


def install(tiny_folder: Path, name: str) -> Path:
    """As pull leaves it."""
    place = registry.place_of(name)
    (place / "recall").mkdir(parents=True)
    for file in [each for each in tiny_folder.rglob("*") if each.is_file()]:
        (place / file.relative_to(tiny_folder)).write_bytes(file.read_bytes())
    files = [each for each in place.rglob("*") if each.is_file()]
    write_sums(place, {str(each.relative_to(place)): digests_of(each).sha256 for each in files})
    return place


def rows(command: Command) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(command("list", "--json").stdout)}


def test_the_list_says_what_is_here_what_is_not_and_what_would_fit(
    command: Command, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantisation, "free_bytes", lambda device: 3 * 10**9)
    install(tiny_folder, "me/mine")
    found = rows(command)
    assert list(found) == ["nano", "0.5b", "7b", "me/mine"]
    assert found["nano"]["used"] and found["nano"]["folder"] == str(registry.NANO) and not found["nano"]["problem"]
    assert found["me/mine"]["folder"] == str(registry.place_of("me/mine")) and not found["me/mine"]["used"]
    assert "not on this machine" in str(found["7b"]["problem"]) and found["7b"]["placement"] is None
    placement = found["0.5b"]["placement"]
    assert isinstance(placement, dict) and (placement["precision"], placement["device"]) == ("nf4", "cpu")
    printed = command("list").stdout
    assert "too large" in printed and "*  nano" in printed and "nf4, 2.8 GB" in printed
    assert "3.0 GB of the CPU's memory are free." in printed


def test_the_list_says_what_has_come_of_an_interrupted_pull_and_which_file_is_cut(
    command: Command, tiny_folder: Path
) -> None:
    part = registry.unfinished_place_of("7b")
    part.mkdir(parents=True)
    (part / "model.safetensors.partial").write_bytes(b"x" * 1500)
    weights = install(tiny_folder, "0.5b") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    found = rows(command)
    assert found["7b"]["problem"] == "1.5 kB have come; go on with: whereabouts models pull 7b"
    assert "instead of" in str(found["0.5b"]["problem"])


def test_to_use_one_changes_one_line_of_the_settings(command: Command, config: Path, tiny_folder: Path) -> None:
    install(tiny_folder, "0.5b")
    said = command("use", "0.5b")
    assert said.exit_code == 0 and "says 0.5b now" in said.stdout and "whereabouts index" in said.stdout
    assert config.read_text() == CONFIG.replace('checkpoint = "nano"', 'checkpoint = "0.5b"')
    assert load_config().model.checkpoint == "0.5b" and rows(command)["0.5b"]["used"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, '[model]\ncheckpoint = "nano"\n'),
        ("[index]\nreduce = false\n", '[index]\nreduce = false\n\n[model]\ncheckpoint = "nano"\n'),
        ("[model] # mine\nanswerer = ''\n[disk]\n", "[model] # mine\ncheckpoint = \"nano\"\nanswerer = ''\n[disk]\n"),
        ("[model]\ncheckpoint='a # b' # c\n", '[model]\ncheckpoint = "nano" # c\n'),
    ],
)
def test_a_setting_that_was_not_there_is_added(command: Command, config: Path, before: str | None, after: str) -> None:
    config.write_text(before) if before is not None else config.unlink()
    assert command("use", "nano").exit_code == 0
    assert config.read_text() == after


def test_lines_end_as_they_did(command: Command, config: Path) -> None:
    config.write_bytes(CONFIG.replace('"nano"', '"7b"').replace("\n", "\r\n").encode())
    assert command("use", "nano").exit_code == 0
    assert config.read_bytes() == CONFIG.replace("\n", "\r\n").encode()


def test_settings_written_in_an_unusual_way_are_left_alone(command: Command, config: Path) -> None:
    for text in ('model = { checkpoint = "7b", answerer = "" }\n', 'model.checkpoint = "7b"\n'):
        config.write_text(text)
        said = command("use", "nano")
        assert said.exit_code == 2 and 'Write: checkpoint = "nano"' in said.stderr and config.read_text() == text


def test_only_what_is_here_and_fits_can_be_used(
    command: Command, config: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command("use", "7b")
    assert said.exit_code == 7 and "whereabouts models pull 7b" in said.stderr
    install(tiny_folder, "7b")
    config.write_text(CONFIG + 'precision = "nf4"\n')
    monkeypatch.setattr(quantisation, "free_bytes", lambda device: 1000)
    said = command("use", "7b")
    assert said.exit_code == 7 and "in nf4; 1.0 kB of the CPU's memory are free" in said.stderr
    assert load_config().model.checkpoint == "nano"


def test_a_pulled_one_is_verified_used_and_removed(command: Command, hub: Hub) -> None:
    pulled = command("pull", "7b")
    assert pulled.exit_code == 0 and "7b is whole" in pulled.stdout
    verified = command("verify")
    assert verified.exit_code == 0 and "6 files are what they were" in verified.stdout
    assert command("use", registry.PUBLISHED["7b"].repository).exit_code == 0
    assert load_config().model.checkpoint == "7b"
    assert command("remove", "7b").exit_code == 2
    command("use", "nano")
    assert "Removed 7b" in command("remove", "7b").stdout and not registry.place_of("7b").exists()
    assert "was not pulled" in command("remove", "7b").stderr


def test_an_answerer_comes_alone_and_it_is_said_where_to_name_it(command: Command, hub: Hub, config: Path) -> None:
    base = hub.files[registry.PUBLISHED["7b"].repository]
    hub.files["me/reader"] = {**base, "config.json": b'{"model_type": "qwen2_5_vl"}', "chat_template.jinja": b"{{ x }}"}
    pulled = command("pull", "me/reader")
    assert 'answerer = "me/reader"' in pulled.stdout and "models use" not in pulled.stdout
    assert (registry.place_of("me/reader") / "chat_template.jinja").exists()
    assert not (registry.place_of("me/reader") / "recall").exists()
    used = command("use", "me/reader")
    assert used.exit_code == 7 and 'answerer = "me/reader"' in used.stderr
    config.write_text(CONFIG.replace('answerer = ""', 'answerer = "me/reader"'))
    assert "words the answers" in command("remove", "me/reader").stderr
    config.write_text(CONFIG)
    assert command("remove", "me/reader").exit_code == 0


@pytest.mark.parametrize("name", ["..", ".", "../..", "", "/", "me/..", "../models", "me--mine", "./me/mine", "nano"])
def test_only_what_was_pulled_is_removed(command: Command, tiny_folder: Path, name: str) -> None:
    place = install(tiny_folder, "me/mine")
    before = sorted(place.parent.parent.rglob("*"))
    said = command("remove", name)
    assert said.exit_code == 2 and "was not pulled" in said.stderr
    assert sorted(place.parent.parent.rglob("*")) == before
    assert command("pull", name).exit_code in (2, 7)


def test_what_is_read_to_answer_is_not_removed_by_whatever_name(
    command: Command, config: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    place, recall = install(tiny_folder, "me/mine"), registry.place_of(registry.RECALL)
    (tmp_path / "link").symlink_to(place)
    for path in (place, place / ".." / "me--mine", tmp_path / "link"):
        for setting in ("checkpoint", "answerer"):
            config.write_text(f'[model]\n{setting} = "{path}"\n')
            assert command("remove", "me/mine").exit_code == 2 and place.is_dir()
    (place / "recall").rename(recall)
    config.write_text(f'[model]\ncheckpoint = "{place}"\n')
    assert "is read to answer" in command("remove", registry.RECALL).stderr and recall.is_dir()
    config.write_text(CONFIG)
    assert command("remove", registry.RECALL).exit_code == 0 and not recall.exists()


def test_what_is_being_pulled_is_not_removed(command: Command, tiny_folder: Path) -> None:
    place = install(tiny_folder, "me/mine")
    with download.alone("me/mine"):
        said = command("remove", "me/mine")
    assert said.exit_code == 7 and "Another process" in said.stderr and place.is_dir()


def test_a_folder_that_cannot_be_removed_stays_whole(
    command: Command, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = install(tiny_folder, "me/mine")
    before = sorted(place.rglob("*"))

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    said = command("remove", "me/mine")
    assert said.exit_code == 6 and sorted(place.rglob("*")) == before


def test_a_pulled_one_goes_before_a_folder_of_that_path(
    command: Command, config: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = install(tiny_folder, "me/mine")
    shutil.copytree(tiny_folder, tmp_path / "me" / "mine")
    monkeypatch.chdir(tmp_path)
    assert registry.describe("me/mine").folder == place and registry.describe("./me/mine").name == "mine"
    assert command("use", "me/mine").exit_code == 0 and load_config().model.checkpoint == "me/mine"
    assert command("use", "./me/mine").exit_code == 0
    assert load_config().model.checkpoint == str(tmp_path / "me" / "mine")


def test_one_bad_folder_does_not_hide_the_others(command: Command, tiny_folder: Path) -> None:
    install(tiny_folder, "me/good")
    (install(tiny_folder, "me/list") / "model.safetensors.index.json").write_text("[]")
    looped = install(tiny_folder, "me/loop") / "config.json"
    looped.unlink()
    looped.symlink_to(looped.name)
    found = rows(command)
    assert not found["me/good"]["problem"]
    assert "is damaged" in str(found["me/list"]["problem"]) and "config.json" in str(found["me/loop"]["problem"])


def test_the_list_goes_by_the_precision_that_is_set(
    command: Command, config: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantisation, "free_bytes", lambda device: 3 * 10**9)
    config.write_text(CONFIG + 'precision = "bf16"\n')
    assert rows(command)["0.5b"]["placement"] is None
    config.write_text(CONFIG + 'precision = "nf4"\n')
    assert rows(command)["0.5b"]["placement"]["precision"] == "nf4"  # type: ignore[index]


def test_an_answerer_in_the_list_is_no_problem(command: Command, config: Path, tiny_folder: Path) -> None:
    place = install(tiny_folder, "me/reader")
    (place / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    config.write_text(CONFIG.replace('answerer = ""', 'answerer = "me/reader"'))
    row = rows(command)["me/reader"]
    assert row["used"] and row["folder"] == str(place) and not row["problem"]


def test_verifying_says_of_what_no_checksums_are_recorded_and_whose_record_is_damaged(
    command: Command, tiny_folder: Path
) -> None:
    install(tiny_folder, "me/mine")
    (install(tiny_folder, "me/other") / "SHA256SUMS").unlink()
    said = command("verify")
    assert said.exit_code == 0 and "No checksums of me/other are recorded" in said.stderr
    record = registry.place_of("me/mine") / "SHA256SUMS"
    record.write_bytes(b"\xff\0 garbage\n" + record.read_bytes())
    said = command("verify", "me/mine")
    assert said.exit_code == 7 and f"{record} is damaged" in said.stderr


def test_verifying_names_the_file_that_is_damaged(command: Command, tiny_folder: Path) -> None:
    place = install(tiny_folder, "0.5b")
    (place / "recall" / "tokenizer.json").write_text("{}")
    (place / "config.json").unlink()
    said = command("verify", "0.5b")
    assert said.exit_code == 7 and "whereabouts models pull" in said.stderr
    assert f"{place / 'recall' / 'tokenizer.json'} is damaged" in said.stderr
    assert f"{place / 'config.json'} is missing" in said.stderr
    assert command("verify", "nano").exit_code == 2


def test_what_lies_in_the_hubs_cache_is_verified_by_the_names_of_its_blobs(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    for repository, folder in (("me/mine", tiny_folder), (registry.RECALL, tiny_folder / "recall")):
        cached = tmp_path / "cache" / f"models--{repository.replace('/', '--')}"
        snapshot = cached / "snapshots" / ("1" * 40)
        for part in (cached / "refs", cached / "blobs", snapshot):
            part.mkdir(parents=True)
        (cached / "refs" / "main").write_text("1" * 40)
        for file in [each for each in folder.iterdir() if each.is_file()]:
            digests = digests_of(file)
            name = digests.sha256 if file.suffix == ".safetensors" else digests.git
            (cached / "blobs" / name).write_bytes(file.read_bytes())
            (snapshot / file.name).symlink_to(f"../../blobs/{name}")
    assert "6 files are what they were" in command("verify", "me/mine").stdout
    weights = tmp_path / "cache" / "models--me--mine" / "snapshots" / ("1" * 40) / "model.safetensors"
    weights.resolve().write_bytes(b"\0" * 8)
    assert f"{weights} is damaged" in command("verify", "me/mine").stderr


def test_one_that_the_named_adapter_is_not_for_cannot_be_used(
    command: Command, config: Path, tiny_folder: Path
) -> None:
    install(tiny_folder, "0.5b")
    config.write_text(CONFIG + 'adapter = "gone.safetensors"\n')
    said = command("use", "0.5b")
    assert said.exit_code == 7 and "Take adapter out" in said.stderr and load_config().model.checkpoint == "nano"


def test_much_is_fetched_only_after_a_question(command: Command, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ASKED_ABOVE_BYTES", 1000)
    assert "Nothing was fetched" in command("pull", "7b", input="n\n").stdout
    assert not hub.asked and not registry.place_of("7b").exists()
    assert command("pull", "7b", "--yes").exit_code == 0 and registry.place_of("7b").is_dir()


def test_nano_is_not_pulled(command: Command) -> None:
    assert command("pull", "nano").exit_code == 2
