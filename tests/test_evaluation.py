"""The examination: shares that add up, probes that show what they say, and the promised object on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from assistant.checkpoints import Checkpoint
from assistant.evaluation.homes import WAYS, Examined, Outcome, Probe, examine, probe, summarise
from assistant.evaluation.report import render_report
from assistant.indexer import catch_up
from assistant.training.data_engine import read_narrations
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from device.simulated.home import THING_KINDS
from store.config import Capture
from store.episodic import EpisodicStore

SEED = 900_100


@pytest.fixture
def home(tmp_path: Path, tiny_checkpoint: Checkpoint) -> Examined:
    store = EpisodicStore.open(tmp_path / "memory")
    truth = tmp_path / "truth.csv"
    camera = SimulatedCamera(SEED, 2.0, 1.0, width_px=160, height_px=120, narrations=truth)
    record(store, camera, Capture())
    catch_up(store, tiny_checkpoint)
    return Examined(store, read_narrations(truth)[f"home{SEED}"], tiny_checkpoint)


def outcome(family: str, answer: str, pointer: bool, *, said_not_seen: bool = False, recall: float = 1.0) -> Outcome:
    return Outcome(family, answer, {**dict.fromkeys(WAYS, False), "pointer": pointer}, said_not_seen, recall, 0.0)


def test_shares_are_counted_over_the_answerable_questions_and_refusals_over_all() -> None:
    outcomes = [
        outcome("colour", "red.", True),
        outcome("colour", "red.", False, recall=0.5),
        outcome("colour", "blue.", True),
        outcome("room", "the kitchen.", False, said_not_seen=True, recall=0.0),
        Outcome("room", "I did not see that.", {"pointer": True}, True, 0.0, 0.0),
        Outcome("room", "I did not see that.", {"pointer": False}, False, 0.0, 0.0),
    ]
    probes = [
        Probe("swap", own=True, other=False, not_seen=False),
        Probe("swap", own=False, other=True, not_seen=False),
        Probe("absent", own=False, other=False, not_seen=True),
    ]
    found = summarise(outcomes, probes)
    assert found["questions"] == 6
    families = found["families"]
    assert isinstance(families, dict)
    assert families["colour"]["n"] == 3 and families["colour"]["pointer"] == pytest.approx(2 / 3, abs=1e-4)
    assert families["colour"]["chance"] == pytest.approx(2 / 3, abs=1e-4)
    assert families["colour"]["recall_at_k"] == pytest.approx(2.5 / 3, abs=1e-4)
    assert families["room"]["n"] == 1 and families["room"]["pointer"] == 0.0
    assert found["swap_probe"] == {"own": 0.5, "other": 0.5} and found["absent_probe"] == 1.0
    assert found["not_seen"] == {"precision": 0.5, "recall": 0.5}


def test_every_answerable_question_is_answered_in_every_way_and_repeats_exactly(home: Examined) -> None:
    first, second = (list(examine(home, THING_KINDS, Random(1))) for _ in range(2))
    assert first == second and any(o.answerable for o in first) and any(not o.answerable for o in first)
    for one in first:
        assert set(one.right) == (set(WAYS) if one.answerable else {"pointer"})
        assert 0.0 <= one.recall_at_k <= 1.0 and 0.0 <= one.recall_at_k_uniform <= 1.0


def test_probes_come_in_pairs_of_shown_and_absent(home: Examined) -> None:
    probes = list(probe(home, THING_KINDS, Random(1)))
    assert probes and [p.kind for p in probes] == ["swap", "absent"] * (len(probes) // 2)
    assert not any(p.own and p.other for p in probes)


def test_an_events_frames_lie_within_it(home: Examined) -> None:
    for index, narration in enumerate(home.narrations):
        times = [home.times_s[i] for i in home.frames_of(index)]
        assert len(times) <= 3 and times == sorted(times)
        assert all(narration.start_s <= at_s <= narration.end_s for at_s in times)


def test_the_page_shows_every_family_every_probe_and_the_command() -> None:
    found = {
        **summarise([outcome("colour", "red.", True), outcome("room", "the kitchen.", False)], []),
        "checkpoint": "nano", "homes": 1, "first_seed": 900_100, "k": 8, "alpha": 0.1, "seconds": 2.0,
    }  # fmt: skip
    page = render_report(found, "whereabouts evaluate --homes 1")
    assert "`whereabouts evaluate --homes 1`" in page
    assert "| colour | 1 | 1.000 |" in page and "| room | 1 | 0.000 |" in page and "| **all** | 2 | 0.500 |" in page


@pytest.mark.slow
def test_the_command_prints_the_promised_object(tiny_folder: Path) -> None:
    command = [sys.executable, "-c", "from tui.cli import main; main()", "evaluate", "--homes", "1",
               "--first-seed", "900200", "--checkpoint", str(tiny_folder), "--json"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) == {
        "checkpoint", "homes", "first_seed", "questions", "families", "all", "swap_probe", "absent_probe", "not_seen",
        "k", "alpha", "seconds",
    }  # fmt: skip
    row = {"n", "pointer", "uniform", "oracle", "blind", "chance", "recall_at_k", "recall_at_k_uniform"}
    assert set(found["all"]) == row and all(set(each) == row for each in found["families"].values())
    assert (found["homes"], found["first_seed"]) == (1, 900_200)
