"""The examination: what is asked, in which ways, whether answers rest on frames, and the shares that it comes to."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
import torch

from assistant.answer import Answer, ask
from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.homes import Examined, Outcome, examine
from assistant.evaluation.planning import plan_questions
from assistant.evaluation.probes import ABSENT, SWAP, WRONG_VERB, Probe, probe
from assistant.evaluation.summary import summarise
from assistant.recollection import see
from assistant.training.data_engine import NOT_SEEN, Narration, Question
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from store.config import Capture
from store.episodic import EpisodicStore
from tui.laboratory import Home, record_home, write_questions

SEED = 900_100
OWN_WAYS = {"pointer", "oracle", "blind", *BASELINES}
CONTROL_WAYS = {"tuned on uniform", "text-only"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two minutes in small pictures, laid out as the examination lays them out."""
    home = Home(SEED, 2.0, tmp_path_factory.mktemp("homes"))
    with EpisodicStore.open(home.folder / "memory") as store:
        camera = SimulatedCamera(SEED, home.minutes, 1.0, width_px=160, height_px=120, narrations=home.truth)
        record(store, camera, Capture())
    return home


@pytest.fixture
def home(recorded: Home, tiny_folder: Path) -> Iterator[Examined]:
    with recorded.opened(str(tiny_folder)) as home:
        yield home


@pytest.fixture
def planned(recorded: Home) -> list[Question]:
    return plan_questions({"home": write_questions(recorded)})["home"]


# ---------------------------------------------------------------- one home


def test_frames_are_seen_as_their_pictures_are(home: Examined, recorded: Home, tiny_folder: Path) -> None:
    frames, model = [3, 50, 7], home.checkpoint.model
    with torch.inference_mode():
        wanted = model.encode_frames(model.pixels([home.picture(i) for i in frames]))
    torch.testing.assert_close(home.visual(frames), wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(home.look(frames).visual, wanted, atol=1e-4, rtol=1e-4)
    assert [shown.clock for shown in home.shown(frames)] == ["08:00:03", "08:00:50", "08:00:07"]
    assert home.visual([]).shape == (0, *wanted.shape[1:])
    with recorded.opened(str(tiny_folder)) as again:  # indexed before: nothing was seen on the way
        torch.testing.assert_close(again.visual(frames), wanted, atol=1e-4, rtol=1e-4)


def test_foreign_pictures_are_foreign_here_as_they_are_to_a_user(home: Examined) -> None:
    frames = range(0, len(home), 10)
    images, shown = [home.picture(i) for i in frames], home.shown(frames)
    known = Domain.fit(grain_of(images))
    for domain, foreign in ((known, False), (replace(known, mean=known.mean + 9), True), (None, False)):
        home.checkpoint = replace(home.checkpoint, domain=domain)
        assert home.look(frames).foreign == see(home.checkpoint, images, shown, [images]).foreign == foreign


def test_the_glimpse_is_of_what_recall_proposes(home: Examined) -> None:
    config, question = home.checkpoint.model.config, "where did I put my wallet?"
    at, scores = home.glimpse(question)
    assert at == list(range(len(home))) and float(scores.sum()) == pytest.approx(1.0, abs=1e-4)
    kept, config.candidates = config.candidates, 20
    try:
        near, scores = home.glimpse(question)
    finally:
        config.candidates = kept
    assert near == sorted(home.similarity(question).argsort()[-20:].tolist()) and len(scores) == 20


def test_the_pointers_way_says_what_a_user_is_told(home: Examined, planned: list[Question], recorded: Home) -> None:
    outcomes = examine(home, planned[:2], {})
    with EpisodicStore.open(recorded.folder / "memory") as store:
        for outcome in outcomes:
            *_, told = ask(store, home.checkpoint, outcome.question)
            assert isinstance(told, Answer) and told.text.casefold() == outcome.said.casefold()
            assert (told.seen, told.confidence) == (outcome.seen, pytest.approx(outcome.confidence, abs=1e-3))


def test_every_question_is_answered_in_every_way(
    home: Examined, planned: list[Question], tiny_checkpoint: Checkpoint
) -> None:
    controls = {"uniform": tiny_checkpoint, "text-only": tiny_checkpoint}
    outcomes = examine(home, planned, controls)
    assert len(outcomes) == len(planned) and {o.answerable for o in outcomes} == {True, False}
    for outcome in outcomes:
        ways = (OWN_WAYS | CONTROL_WAYS) - (set() if outcome.answerable else {"oracle"})
        assert set(outcome.right) == set(outcome.grounded) == ways
        assert all(outcome.right[way] for way in ways if outcome.grounded[way])
        assert 0.0 <= outcome.recall_at_k <= 1.0 and 0.0 <= outcome.recall_at_k_uniform <= 1.0
    assert {way for o in examine(home, planned[:1], {}) for way in o.right} == OWN_WAYS


def test_an_outcome_survives_its_file(home: Examined, planned: list[Question]) -> None:
    (outcome,) = examine(home, planned[:1], {})
    assert Outcome(**json.loads(json.dumps(asdict(outcome)))) == outcome


def test_a_question_that_no_frame_answers_is_not_asked(home: Examined) -> None:
    home.narrations = [Narration(0.1, 0.2, "I open the fridge with my left hand")]
    assert examine(home, [Question("did_i", "did I close the fridge?", "no.", (0,))], {}) == []


# ---------------------------------------------------------------- probes


def test_probes_weigh_the_places_of_both_acts(home: Examined) -> None:
    probes = probe(home, Random(1))
    assert Counter(p.kind for p in probes)[SWAP] == Counter(p.kind for p in probes)[ABSENT] == 2
    assert all(p.own + p.other + p.not_seen <= 1 for p in probes) and probes == probe(home, Random(1))


def test_the_wrong_verb_is_asked_of_things_that_were_only_moved_one_way(home: Examined) -> None:
    def told(*acts: str) -> list[str]:
        home.narrations = [
            Narration(10.0 * i, 10.0 * i + 2, f"I {act} with my left hand") for i, act in enumerate(acts)
        ]
        return [p.kind for p in probe(home, Random(1))]

    pick, put = "pick up the red mug from the kitchen table", "put the red mug on the office desk"
    assert told(pick) == told(put) == [WRONG_VERB] and told(pick, put) == []
    assert told(put, "put the red mug on the kitchen table") == [WRONG_VERB, WRONG_VERB]


# ---------------------------------------------------------------- the plan


def questions(**counts: int) -> list[Question]:
    """So many answerable ones of each family, and as many in vain."""
    return [
        Question(family, f"{family} {i} {vain}?", NOT_SEEN if vain else "yes.", () if vain else (0,))
        for family, count in counts.items()
        for i in range(count)
        for vain in (False, True)
    ]


def test_rare_families_are_asked_where_they_can_be() -> None:
    plan = plan_questions({"a": questions(room=9), "b": questions(room=9, after=2, colour=9)}, count=8, vain=2)
    for own in plan.values():
        assert len(own) == 8 and sum(not question.answerable for question in own) == 2
    asked = Counter(question.family for question in plan["b"] if question.answerable)
    assert asked == {"after": 2, "colour": 4}  # of room there are six already
    assert {question.family for question in plan["b"] if not question.answerable} == {"after", "colour"}


def test_nothing_is_asked_twice_of_one_home() -> None:
    plan = plan_questions({"a": questions(room=3) * 2}, count=8, vain=2)
    assert len({question.text for question in plan["a"]}) == len(plan["a"]) == 5


def test_a_home_that_was_recorded_is_not_recorded_again_and_asks_the_same(recorded: Home) -> None:
    before = {path: path.stat().st_mtime_ns for path in recorded.folder.rglob("*") if path.is_file()}
    record_home(recorded)
    assert before == {path: path.stat().st_mtime_ns for path in recorded.folder.rglob("*") if path.is_file()}
    assert write_questions(recorded) == write_questions(recorded) != []


# ---------------------------------------------------------------- what it comes to


def outcome(family: str, answer: str, *right: str, seen: bool = True, recall: float = 1.0) -> Outcome:
    ways = {way: way in right for way in ("pointer", "uniform", "blind")}
    present = answer != NOT_SEEN
    return Outcome(family, "?", answer, present, ways, {**ways, "blind": False}, "", seen, 0.5, recall, 0.0, 0.1)


def test_shares_are_of_the_answerable_and_guesses_are_held_against_all() -> None:
    found = summarise(
        [
            outcome("colour", "red.", "pointer", "uniform"),
            outcome("colour", "red.", recall=0.5),
            outcome("colour", "blue.", "pointer"),
            outcome("colour", NOT_SEEN, "pointer", "blind", seen=False, recall=0.0),
            outcome("room", "the kitchen.", "blind", seen=False, recall=0.0),
            outcome("wrong_verb", NOT_SEEN, recall=0.0),
        ],
        [],
    )
    families = found["families"]
    assert isinstance(families, dict) and list(families) == ["colour", "room"]
    colour = families["colour"]
    assert (colour["n"], colour["asked"]) == (3, 4)
    assert colour["pointer"] == colour["grounded"] == pytest.approx(2 / 3, abs=1e-4)
    assert (colour["uniform"], colour["blind"], colour["blind_all"]) == (pytest.approx(1 / 3, abs=1e-4), 0.0, 0.25)
    assert colour["chance"] == 0.5 and colour["recall_at_k"] == pytest.approx(2.5 / 3, abs=1e-4)
    every = found["all"]
    assert isinstance(every, dict) and (every["n"], every["asked"]) == (4, 6)
    assert every["chance"] == pytest.approx(4 / 6, abs=1e-4)
    assert found["not_seen"] == {"precision": 0.5, "recall": 0.5}
    assert found["refused"] == {"colour": 1.0, "wrong_verb": 0.0} and found["wrong_verb"] == 0.0


def test_probes_are_counted_by_kind() -> None:
    found = summarise(
        [outcome("colour", "red.", "pointer")],
        [Probe(SWAP, True, False, False), Probe(SWAP, False, True, False), Probe(ABSENT, False, False, True)],
    )
    assert found["probes"] == {
        "swap": {"n": 2, "own": 0.5, "other": 0.5, "not_seen": 0.0},
        "absent": {"n": 1, "own": 0.0, "other": 0.0, "not_seen": 1.0},
        "wrong_verb": {"n": 0, "own": None, "other": None, "not_seen": None},
    }
