"""Pulling from a hub: all of it comes, checked; what was interrupted goes on; what goes wrong is said."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from assistant import download, registry
from assistant import hub as hub_door
from assistant.checkpoints import load
from assistant.checksums import damaged_files, recorded_sums
from store.errors import CheckpointError, DiskFull
from tests.hub_server import Hub, serving

BASE, RECALL = registry.PUBLISHED["0.5b"].repository, registry.LAPTOP_RECALL
WEIGHTS = "model.safetensors"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def ask(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HF_ENDPOINT does, which is read when the library is imported."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)


@pytest.fixture
def hub(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has 0.5b, as tiny as can be, and another data folder to pull into."""
    files = {BASE: contents(tiny_folder) | {"README.md": b"a page", "onnx/model.onnx": b"not asked for"}}
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_door, "PAUSE_S", 0)
    monkeypatch.setattr(hub_door, "BLOCK_BYTES", 1024)
    with serving(Hub(files | {RECALL: contents(tiny_folder / "recall")})) as running:
        ask(running.url, monkeypatch)
        yield running


def pull(name: str = "0.5b") -> list[int]:
    """What progress heard."""
    heard: list[int] = []
    download.pull(download.plan_pull(name), heard.append)
    return heard


def length(hub: Hub, path: str = WEIGHTS) -> int:
    return len(hub.files[BASE][path])


def test_what_was_pulled_loads_and_lies_in_the_data_folder_with_its_recall_encoder(hub: Hub, tmp_path: Path) -> None:
    plan = download.plan_pull("0.5b")
    heard = pull()
    place = tmp_path / "data" / "whereabouts" / "models" / "0.5b"
    assert sum(heard) == plan.total_bytes == hub.sent_bytes and plan.missing_bytes == 0
    assert sorted(file.name for file in place.iterdir()) == sorted(
        ["SHA256SUMS", "config.json", WEIGHTS, "recall", "tokenizer.json"]
    )
    checkpoint = load("0.5b")
    assert checkpoint.name == "0.5b" and checkpoint.description.recall_folder == place / "recall"
    assert constants.HF_HUB_OFFLINE


def test_the_recorded_checksums_are_those_that_sha256sum_reads(hub: Hub, tmp_path: Path) -> None:
    pull()
    place = registry.place_of("0.5b")
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=place, capture_output=True, text=True)
    assert checked.returncode == 0 and f"recall/{WEIGHTS}: OK" in checked.stdout
    sums = recorded_sums([place])
    assert sums[place / WEIGHTS] == hashlib.sha256(hub.files[BASE][WEIGHTS]).hexdigest()
    with (place / WEIGHTS).open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"\0\1\2\3\4")
    (place / "recall" / "tokenizer.json").unlink()
    found = damaged_files(sums, lambda count: None)
    assert found == [f"{place / WEIGHTS} is damaged", f"{place / 'recall' / 'tokenizer.json'} is missing"]


def test_pulling_again_fetches_only_what_is_damaged_or_gone(hub: Hub) -> None:
    pull()
    place = registry.place_of("0.5b")
    flipped = bytearray((place / WEIGHTS).read_bytes())
    flipped[-1] ^= 1
    (place / WEIGHTS).write_bytes(flipped)
    (place / "tokenizer.json").unlink()
    for name in ("model-00009-of-00009.safetensors", "mine.safetensors", "my_config.json"):
        (place / name).write_bytes(b"of an older version, or a person's own")
    with (place / "SHA256SUMS").open("a") as record:
        record.write(f"{'0' * 64}  model-00009-of-00009.safetensors\n")
    hub.asked.clear()
    pull()
    assert sorted(path for path, _ in hub.asked) == [WEIGHTS, "tokenizer.json"]
    assert not damaged_files(recorded_sums([place]), lambda count: None)
    assert (place / "mine.safetensors").exists() and (place / "my_config.json").exists()
    assert not (place / "model-00009-of-00009.safetensors").exists()


def test_a_connection_that_breaks_off_is_taken_up_where_it_was(hub: Hub) -> None:
    hub.cut_at = {WEIGHTS: 3000}
    heard = pull()
    ranges = [asked for path, asked in hub.asked if path == WEIGHTS]
    assert ranges[0] == "" and ranges[1].startswith("bytes=") and 0 < int(ranges[1][6:-1]) <= 3000
    assert sum(heard) == download.plan_pull("0.5b").total_bytes
    assert registry.describe("0.5b").name == "0.5b"


def test_a_hub_that_understands_no_ranges_sends_all_of_it_once_more(hub: Hub) -> None:
    hub.cut_at, hub.deaf = {WEIGHTS: 3000}, True
    assert sum(pull()) == download.plan_pull("0.5b").total_bytes
    assert not damaged_files(recorded_sums([registry.place_of("0.5b")]), lambda count: None)


def test_a_pull_that_gives_up_leaves_no_checkpoint_and_goes_on_next_time(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_door, "TRIES", 1)
    hub.cut_at = {WEIGHTS: length(hub) // 2}
    with pytest.raises(CheckpointError, match="cannot be reached") as caught:
        pull()
    assert "kept" in caught.value.hint
    with pytest.raises(CheckpointError, match="not on this machine"):
        registry.describe("0.5b")
    missing = download.plan_pull("0.5b").missing_bytes
    before = hub.sent_bytes
    pull()
    assert hub.sent_bytes - before == missing < download.plan_pull("0.5b").total_bytes - length(hub) // 3
    assert not damaged_files(recorded_sums([registry.place_of("0.5b")]), lambda count: None)


def test_a_pull_that_is_killed_in_the_middle_goes_on_next_time(hub: Hub, tmp_path: Path) -> None:
    hub.stalling = WEIGHTS
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    program = "import sys, assistant.hub as h; h.BLOCK_BYTES = 1024; from tui.cli import main; main()"
    running = subprocess.Popen([sys.executable, "-c", program, "models", "pull", "0.5b"], env=environment)
    assert hub.stalled.wait(30)
    part = registry.unfinished_place_of("0.5b")
    while not any(file.stat().st_size > length(hub) // 3 for file in part.glob("model*.partial")):
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    hub.stalling = ""
    hub.asked.clear()
    pull()
    (asked, *_) = [asked for path, asked in hub.asked if path == WEIGHTS]
    assert int(asked.removeprefix("bytes=").rstrip("-")) > length(hub) // 3
    assert load("0.5b").name == "0.5b" and not part.exists()


def test_one_wrong_bit_is_found_and_not_kept(hub: Hub) -> None:
    for path in (WEIGHTS, "config.json"):  # of which the hub has a SHA-256, and git's SHA-1
        hub.altered = {path}
        with pytest.raises(CheckpointError, match=f"{path} of {BASE} came damaged"):
            pull()
        folder = registry.unfinished_place_of("0.5b")
        assert not [file for file in folder.iterdir() if file.name.startswith(path)]
    hub.altered = set()
    pull()
    assert registry.describe("0.5b").name == "0.5b"


def test_where_there_is_no_room_it_is_said_before_anything_comes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free=1000))
    with pytest.raises(DiskFull, match=r"are still to come and 1\.0 kB are free"):
        pull()
    assert not hub.asked


def test_a_name_that_the_hub_does_not_know_is_said(hub: Hub) -> None:
    for name, message in (("nobody/nothing", "knows no nobody/nothing"), ("no name at all/", "No checkpoint")):
        with pytest.raises(CheckpointError, match=message):
            download.plan_pull(name)


def test_conditions_to_accept_are_said(hub: Hub) -> None:
    hub.gated = {BASE}
    with pytest.raises(CheckpointError, match="accepted its conditions") as caught:
        pull()
    assert "hf auth login" in caught.value.hint


def test_a_repository_without_safetensors_is_refused(hub: Hub) -> None:
    hub.files["some/pickles"] = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    hub.files["some/index"] = {"config.json": b"{}", "model.safetensors.index.json": b"{}"}
    for name in ("some/pickles", "some/index"):
        with pytest.raises(CheckpointError, match="no safetensors"):
            download.plan_pull(name)


def test_any_repository_comes_with_a_recall_encoder_unless_it_brings_one_or_is_one(hub: Hub, tiny_folder: Path) -> None:
    hub.files["me/mine"] = hub.files[BASE] | {
        f"recall/{name}": content for name, content in contents(tiny_folder / "recall").items()
    }
    assert {each.repository for each in download.plan_pull("me/mine").files} == {"me/mine"}
    assert {each.repository for each in download.plan_pull(RECALL).files} == {RECALL}
    hub.files["me/other"], hub.files[registry.RECALL] = hub.files[BASE], hub.files[RECALL]
    assert {each.repository for each in download.plan_pull("me/other").files} == {"me/other", registry.RECALL}
    pull("me/mine")
    assert load("me/mine").name == "me--mine" and registry.pulled_names() == ["me/mine"]


def test_without_a_network_it_is_said_what_cannot_be_reached(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ask(f"http://127.0.0.1:{nobody.getsockname()[1]}", monkeypatch)
        with pytest.raises(CheckpointError, match="cannot be reached"):
            download.plan_pull("0.5b")
    assert constants.HF_HUB_OFFLINE


def test_an_update_that_breaks_off_leaves_the_older_version_whole(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pull()
    place, before = registry.place_of("0.5b"), registry.describe("0.5b").fingerprint
    changed = [path for path in hub.files[BASE] if path in (WEIGHTS, "config.json")]
    for path in changed:
        hub.files[BASE][path] += b" "
    monkeypatch.setattr(hub_door, "TRIES", 1)
    hub.cut_at = {changed[1]: 10}
    with pytest.raises(CheckpointError, match="cannot be reached"):
        pull()
    assert registry.describe("0.5b").fingerprint == before
    assert not damaged_files(recorded_sums([place]), lambda count: None)
    hub.asked.clear()
    pull()
    assert [path for path, _ in hub.asked] == changed[1:]
    assert contents(place) == {
        **{name: content for name, content in hub.files[BASE].items() if "/" not in name and name != "README.md"},
        "SHA256SUMS": (place / "SHA256SUMS").read_bytes(),
    }
    assert [folder.name for folder in registry.models_directory().iterdir()] == ["0.5b"]


def test_a_new_version_of_the_same_size_is_still_to_come(hub: Hub) -> None:
    pull()
    assert download.plan_pull("0.5b").missing_bytes == 0
    hub.files[BASE][WEIGHTS] = hub.files[BASE][WEIGHTS][:-1] + b"\1"
    assert download.plan_pull("0.5b").missing_bytes == length(hub)


def test_two_do_not_pull_the_same_at_once(hub: Hub) -> None:
    plan = download.plan_pull("0.5b")
    with download.alone("0.5b"), pytest.raises(CheckpointError, match="Another process") as caught:
        download.pull(plan, lambda count: None)
    assert caught.value.exit_code == 7 and not hub.asked
    download.pull(plan, lambda count: None)


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("portal_type", ["text/html; charset=utf-8", "binary/octet-stream"])
def test_a_page_to_log_in_to_a_network_takes_nothing_of_what_has_come(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, portal_type: str, says_length: bool
) -> None:
    monkeypatch.setattr(hub_door, "TRIES", 1)
    hub.cut_at = {WEIGHTS: 3000}
    with pytest.raises(CheckpointError):
        pull()
    (came,) = registry.unfinished_place_of("0.5b").glob("model*.partial")
    before = came.read_bytes()
    hub.portal, hub.portal_type, hub.says_length = b"<html>log in</html>", portal_type, says_length
    with pytest.raises(CheckpointError) as caught:
        pull()
    assert "kept" in caught.value.hint and came.read_bytes() == before
    hub.portal, hub.says_length = b"", True
    pull()
    assert registry.describe("0.5b").name == "0.5b"


def test_more_than_was_said_is_never_taken(hub: Hub) -> None:
    plan = download.plan_pull("0.5b")
    hub.portal, hub.portal_type, hub.says_length = b"x" * (length(hub) + 10**6), "binary/octet-stream", False
    with pytest.raises(CheckpointError, match="is no hub"):
        download.pull(plan, lambda count: None)
    assert sum(file.stat().st_size for file in registry.models_directory().rglob("*.partial")) <= length(hub)


@pytest.mark.parametrize("told", [b"<html>log in</html>", b"[1, 2]", b'{"id": "a/b", "siblings": [{}]}', b'{"sha": 5}'])
def test_what_is_no_hub_is_said(hub: Hub, told: bytes) -> None:
    hub.told_instead = told
    with pytest.raises(CheckpointError, match=f"{hub.url} is no hub"):
        download.plan_pull("0.5b")


def test_without_checksums_nothing_is_fetched(hub: Hub) -> None:
    hub.told_instead = b'{"id": "a/b", "sha": "1", "siblings": [{"rfilename": "model.safetensors", "size": 9}]}'
    with pytest.raises(CheckpointError, match=r"lacks the size or checksum of model\.safetensors"):
        download.plan_pull("0.5b")


def test_the_hub_does_not_hear_what_is_installed_here(hub: Hub) -> None:
    pull()
    assert hub.agents and not any("torch" in agent for agent in hub.agents)


def test_a_link_to_a_folder_elsewhere_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    download.put_away(tmp_path / "link")
    assert [each.name for each in tmp_path.iterdir()] == ["elsewhere"]
