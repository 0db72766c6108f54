"""`whereabouts train pointer` on small real films: it learns what they show, goes on where cut, and says why not.

Every act has a colour of its own (tests/narrated_films.py), so a pointer that was trained on some films must find the
acts of others. The base is tiny and random, of the hub's own kind: a SigLIP tower and Qwen2.
"""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open

from assistant import checkpoints, prompt
from assistant.adapter import learned, with_adapter
from assistant.adapter_card import FORMAT
from assistant.answer import Answer, ask
from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from assistant.training import pointer_trainer
from assistant.training.pointer_trainer import PointerTrainer
from assistant.training.pointer_training import train_pointer, work_folder
from assistant.training.recipe import PointerRecipe, Recipe
from assistant.training.training_log import read_log
from device.film import Film
from device.recorder import record
from store.config import Capture
from store.episodic import EpisodicStore
from store.errors import CheckpointError, DiskFull, UserError
from tests.narrated_films import ACTS, pictures, plan, shoot, shoot_many, write_csv
from tests.random_base import write_random_base
from tests.small_disk import fill, make_read_only, small_disk
from tui.cli import cli

SHORT = PointerRecipe(steps=4, lessons=2, warm_up=1, lr=1e-2, rank=4, alpha=8, held_out_every=4, measured_lessons=2)
LONG = replace(SHORT, steps=90, lessons=4, warm_up=10, rank=8, alpha=16, held_out_every=10, measured_lessons=16)
LARGEST_BYTES = 70_000  # two a number that learns, and their names


@pytest.fixture(scope="module", autouse=True)
def sums_in_one_order() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base_folder(tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_base(tmp_path_factory.mktemp("bases") / "base", tiny_recipe)


@pytest.fixture
def base(base_folder: Path) -> Checkpoint:
    return checkpoints.load(str(base_folder))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shoot_many(tmp_path_factory.mktemp("data"), 8)


def train(base: Checkpoint, data: Path, out: Path, recipe: PointerRecipe = SHORT) -> list[str]:
    lines: list[str] = []
    train_pointer(base, data, out, pictures, recipe, lines.append)
    return lines


def weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in learned(checkpoint.model).items()}


@pytest.mark.slow
def test_a_trained_pointer_finds_the_acts_of_films_it_has_not_seen(base_folder: Path, tmp_path: Path) -> None:
    data, out = shoot_many(tmp_path / "data", 20), tmp_path / "pointer.safetensors"
    train(checkpoints.load(str(base_folder)), data, out, LONG)
    rows = read_log(work_folder(out) / "train.log")["pointer"]
    held_out = [row for row in rows if "held out first" in row]
    assert rows[-1]["pointer"] < 0.8 * rows[1]["pointer"] and rows[-1]["answer"] < 0.7 * rows[1]["answer"]
    assert held_out[-1]["held out first"] > 0.8 > 0.5 > held_out[0]["held out first"]
    assert out.stat().st_size < LARGEST_BYTES

    trained = with_adapter(checkpoints.load(str(base_folder)), str(out))
    assert (
        first_frames_found(trained, tmp_path)
        > 0.8
        > 0.4
        > first_frames_found(checkpoints.load(str(base_folder)), tmp_path)
    )


def first_frames_found(checkpoint: Checkpoint, tmp_path: Path) -> float:
    """Share of the acts of three new films of which the best frame shows the act that is asked for."""
    found = []
    for seed in (101, 102, 103):
        told = plan(seed)
        film = shoot(tmp_path / f"new-{seed}.mp4", told)
        times_s, images = zip(*pictures(film), strict=True)
        model = checkpoint.model
        compressed = model.compress(model.encode_frames(model.pixels(images)))
        for act in told:
            verb, thing = act.text.split()
            question = prompt.token_ids(prompt.glimpse_text(f"when did I {verb} the {thing}?"), checkpoint.tokenizer)
            best_s = times_s[int(model.glimpse(compressed, question).argmax())]
            found.append(act.start_s - 0.5 <= best_s <= act.end_s + 0.5)
    assert len(found) == 3 * len(ACTS)
    return sum(found) / len(found)


def test_a_run_that_was_cut_goes_on_to_the_very_same_adapter(
    base_folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointer_trainer, "SAVED_EVERY", 1)
    whole, cut, again = (checkpoints.load(str(base_folder)) for _ in range(3))
    train(whole, data, tmp_path / "whole.safetensors")
    learn, calls = PointerTrainer.learn, list[int]()

    def killed(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 8:  # the second half of the third step, behind two that measure
            raise KeyboardInterrupt
        return learn(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(PointerTrainer, "learn", killed)
        train(cut, data, tmp_path / "cut.safetensors")
    assert not (tmp_path / "cut.safetensors").exists()
    with monkeypatch.context() as patched:
        patched.setattr("tests.narrated_films.Decoder", None)  # no film is read a second time
        lines = train(again, data, tmp_path / "cut.safetensors")
    assert sum("pointer step" in line and "held out" in line for line in lines) == 1
    assert (tmp_path / "cut.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert all(torch.equal(weight, weights(again)[name]) for name, weight in weights(whole).items())


def trained_on(file: Path) -> dict[str, float]:
    with safe_open(file, "pt") as opened:
        return dict(json.loads(opened.metadata()[FORMAT])["trained_on"])


def test_another_run_to_the_same_file_begins_anew_and_claims_only_what_it_learned(
    base_folder: Path, data: Path, tmp_path: Path
) -> None:
    out, recipe = tmp_path / "pointer.safetensors", replace(SHORT, steps=2)
    other = shoot_many(tmp_path / "other", 3)
    for folder, asked in ((other, recipe), (data, SHORT), (data, recipe)):
        train(checkpoints.load(str(base_folder)), folder, out, asked)
    train(checkpoints.load(str(base_folder)), data, tmp_path / "alone.safetensors", recipe)
    assert out.read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    assert trained_on(out)["steps"] == 2 and trained_on(out)["films"] == 6  # of 8, two are held out


def test_steps_that_are_damaged_and_a_folder_that_is_a_file_are_named(
    base_folder: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pointer.safetensors"
    train(checkpoints.load(str(base_folder)), data, out)
    (steps,) = work_folder(out).glob("steps-*.pt")
    for damaged in (b"", b"junk", steps.read_bytes()[:-1000]):
        steps.write_bytes(damaged)
        with pytest.raises(UserError, match=f"{steps.name} is damaged"):
            train(checkpoints.load(str(base_folder)), data, out)
    work_folder(tmp_path / "second").touch()
    with pytest.raises(UserError, match="second.work is a file"):
        train(checkpoints.load(str(base_folder)), data, tmp_path / "second")


def test_a_disk_that_takes_nothing_is_named(base: Checkpoint, data: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with pytest.raises(DiskFull, match="No space left"):
            train(base, data, disk / "pointer.safetensors")
        make_read_only(disk)
        with pytest.raises(DiskFull, match="Read-only"):
            train(base, data, disk / "other.safetensors")


def test_of_two_films_one_is_held_out_and_of_one_none(base_folder: Path, tmp_path: Path) -> None:
    folder = shoot_many(tmp_path / "data", 2)
    for count in (2, 1):
        lines = train(checkpoints.load(str(base_folder)), folder, tmp_path / f"{count}.safetensors")
        assert sum(bool(re.search(r"step \d held out", line)) for line in lines) == 2 * (count - 1)
        assert any("only one film" in line for line in lines) == (count == 1)
        assert trained_on(tmp_path / f"{count}.safetensors")["films"] == 1
        next(folder.rglob("*.mp4")).unlink()


def test_only_the_adapter_learns(base: Checkpoint, data: Path, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    train(base, data, tmp_path / "pointer.safetensors")
    after = {name.replace("_proj.layer.", "_proj."): weight for name, weight in base.model.state_dict().items()}
    changed = {name for name, weight in before.items() if not torch.equal(after[name], weight)}
    assert changed == {"memory_pointer"}
    assert all(weight.abs().sum() > 0 for weight in weights(base).values())


def test_the_files_say_what_they_were_trained_on_and_another_base_is_refused(
    base: Checkpoint, data: Path, tmp_path: Path, tiny_folder: Path
) -> None:
    out = tmp_path / "pointer.safetensors"
    lines = train(base, data, out)
    other = checkpoints.load(str(tiny_folder))
    with pytest.raises(CheckpointError) as caught:
        with_adapter(other, str(out))
    assert base.description.weights_hash in caught.value.message
    assert other.description.weights_hash in caught.value.message
    assert any("film 8 of 8" in line for line in lines) and "adapter written" in lines[-1]
    assert str(data).encode() not in out.read_bytes()


@pytest.mark.slow
def test_the_same_base_in_four_bits_learns_and_the_adapter_fits_the_whole_one(
    base_folder: Path, data: Path, tmp_path: Path
) -> None:
    in_bits = checkpoints.load(str(base_folder), "nf4")
    out = tmp_path / "pointer.safetensors"
    train(in_bits, data, out, replace(SHORT, steps=25))
    rows = read_log(work_folder(out) / "train.log")["pointer"]
    losses = [row["pointer"] + row["answer"] for row in rows if "pointer" in row]
    assert losses[-1] < 0.9 * losses[0]
    frames = torch.randn(9, 64)
    found = [
        with_adapter(checkpoints.load(str(base_folder), precision), str(out)).model.glimpse(frames, [5, 6]).log()
        for precision in ("nf4", "fp32")
    ]
    assert torch.corrcoef(torch.stack(found))[0, 1] > 0.9


def test_a_memory_is_answered_with_the_trained_pointer_and_without_a_note(
    base_folder: Path, data: Path, tmp_path: Path
) -> None:
    plain = replace(checkpoints.load(str(base_folder)), pointer_trained=False)
    out = tmp_path / "pointer.safetensors"
    train(checkpoints.load(str(base_folder)), data, out)
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        with closing(Film(next(data.rglob("*.mp4")), 1.0)) as film:
            record(store, film, Capture())
        catch_up(store, plain, reduce=False)
        grown = with_adapter(checkpoints.load(str(base_folder)), str(out))
        assert not store.unindexed(grown.key)
        notes = []
        for checkpoint in (plain, grown):
            *_, answer = ask(store, checkpoint, "when did I wash the plate?")
            assert isinstance(answer, Answer)
            notes.append(answer.note)
    assert "pointer" in notes[0] and notes[1] == ""


def test_what_has_no_counterpart_or_cannot_be_read_is_passed_over_and_named(
    base: Checkpoint, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    (folder / "copy").mkdir(parents=True)
    for film in data.rglob("P01_0*.mp4"):
        (folder / film.name).symlink_to(film)
        (folder / "copy" / film.name).symlink_to(film)
    shoot(folder / "silent.MP4", plan(1))
    (folder / "broken.mp4").write_bytes(b"no film")
    told = {film.stem: plan(int(film.stem[-2:])) for film in data.rglob("P01_0*.mp4")}
    write_csv(folder / "told.csv", {**told, "broken": plan(2), "elsewhere": plan(3)})
    (folder / "verbs.csv").write_text("id,key\n0,take\n")
    (folder / "notes.json").write_text("[1, 2]")
    lines = train(base, folder, tmp_path / "pointer.safetensors", replace(SHORT, held_out_every=3))
    passed_over = " ".join(lines)
    for named in (
        "verbs.csv lacks the column",
        "notes.json is not laid out",
        "copy/P01_01.mp4",
        "broken.mp4 cannot be",
    ):
        assert named in passed_over
    assert re.search("films without narrations: silent", passed_over)
    assert re.search("narrations without films: elsewhere", passed_over)


def test_nothing_usable_is_an_error_that_says_what_was_found(base: Checkpoint, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        train(base, tmp_path / "nowhere", tmp_path / "out.safetensors")
    (tmp_path / "data").mkdir()
    film = shoot(tmp_path / "data" / "mine.mp4", plan(1))
    with pytest.raises(UserError, match="1 films and narrations of 0"):
        train(base, tmp_path / "data", tmp_path / "out.safetensors")
    write_csv(tmp_path / "data" / "told.csv", {film.stem: plan(1)[:1]})
    with pytest.raises(UserError, match="too little"):
        train(base, tmp_path / "data", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_the_command_trains_and_ask_uses_what_config_names(
    base_folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    out = tmp_path / "pointer.safetensors"
    arguments = [
        "train",
        "pointer",
        "--base",
        base_folder,
        "--data",
        data,
        "--out",
        out,
        "--steps",
        "2",
        "--precision",
        "fp32",
    ]
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    assert done.exit_code == 0 and "adapter written" in done.output
    config = tmp_path / "config" / "whereabouts" / "config.toml"
    config.parent.mkdir(parents=True)
    memory = ["--memory", str(tmp_path / "memory")]
    film = str(next(data.rglob("*.mp4")))
    config.write_text(f'[model]\ncheckpoint = "{base_folder}"\nadapter = "{out}"\n')
    CliRunner().invoke(cli, [*memory, "import", film])
    asked = CliRunner().invoke(cli, [*memory, "ask", "when did I wash the plate?"])
    assert asked.exit_code == 0, asked.output
    config.write_text(f'[model]\ncheckpoint = "nano"\nadapter = "{out}"\n')
    refused = CliRunner().invoke(cli, [*memory, "ask", "when did I wash the plate?"])
    assert refused.exit_code == 7 and "was trained on the base" in refused.output
