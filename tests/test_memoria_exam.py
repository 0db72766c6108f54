"""The choices of one home: every way looks where it says, and what is looked at twice is read once."""

import pytest

from assistant.checkpoints import Checkpoint
from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.choosing import score_options
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.evaluation.homes import BLIND, Examined
from assistant.evaluation.memoria_exam import ALPHAS, MM_EGO, examine_memoria, way
from assistant.indexer import catch_up
from assistant.pointer import exploration_grid, select
from store.episodic import EpisodicStore

OPTIONS = ("on the kitchen table.", "on the bedroom bed.", "red.", "I did not see that.")
QUESTIONS = ("where did I put my wallet?", "what colour is my wallet?")
CHOICES = [
    MultipleChoice("home7", 0.0, 60.0, "where_put", question, OPTIONS, gold, ())
    for gold, question in enumerate(QUESTIONS)
]


def grid(home: Examined, k: int) -> tuple[int, ...]:
    return tuple(exploration_grid(len(home), k).tolist())


def selected(home: Examined, question: str, k: int, alpha: float | None = None) -> tuple[int, ...]:
    """What the pointer selects with this bonus, or with the checkpoint's own."""
    at, scores = home.glimpse(question)
    config = home.checkpoint.model.config
    bonus = config.exploration if alpha is None else alpha
    return tuple(at[i] for i in select(scores, k, bonus, config.least_share).tolist())


@pytest.fixture
def home(simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint) -> Examined:
    catch_up(simulated_minute, tiny_checkpoint)
    return Examined(simulated_minute, [], tiny_checkpoint)


def test_every_system_answers_every_choice_in_every_way(home: Examined, tiny_checkpoint: Checkpoint) -> None:
    found = examine_memoria(home, CHOICES, {"uniform": tiny_checkpoint, "text-only": tiny_checkpoint})
    assert [(each.family, each.length_class) for each in found] == [("where_put", "short")] * 2
    names = {way("uniform", "uniform", k) for k in (8, 4, 2, 1)} | {way("uniform", BLIND), way(MM_EGO, BLIND)}
    own = tiny_checkpoint.model.config.exploration
    names |= {way(MM_EGO, "pointer", k, own) for k in (8, 4, 2, 1)} | {way(MM_EGO, name, 8) for name in BASELINES}
    names |= {way(MM_EGO, "pointer", 8, alpha) for alpha in ALPHAS}
    assert all(set(each.right) == names for each in found)


def test_a_way_is_right_where_its_frames_alone_make_the_right_option_likeliest(home: Examined) -> None:
    found = examine_memoria(home, CHOICES, {})
    own = home.checkpoint.model.config.exploration
    looks = {
        way(MM_EGO, BLIND): lambda question: (),
        way(MM_EGO, "uniform", 8): lambda question: grid(home, 8),
        way(MM_EGO, "pointer", 2, own): lambda question: selected(home, question, 2),
        way(MM_EGO, "pointer", 8, 0.0): lambda question: selected(home, question, 8, 0.0),
    }
    for choice, each in zip(CHOICES, found, strict=True):
        for name, look in looks.items():
            frames = look(choice.question)
            scores = score_options(home.checkpoint, home.visual(frames), home.shown(frames), [choice])
            assert each.right[name] == (scores[0].argmax() == choice.gold)


def test_what_several_choices_and_ways_look_at_is_read_once(home: Examined, tiny_checkpoint: Checkpoint) -> None:
    config, language_model = tiny_checkpoint.model.config, tiny_checkpoint.model.model.language_model
    reads: list[int] = []
    hook = language_model.register_forward_hook(lambda module, arguments, output: reads.append(1))
    try:
        examine_memoria(home, [], {"uniform": tiny_checkpoint})
        assert not reads
        examine_memoria(home, CHOICES * 3, {"uniform": tiny_checkpoint})
    finally:
        hook.remove()
    glimpses = 1 + len(CHOICES * 3)  # the frames, once, and every question
    looks = {grid(home, k) for k in (8, 4, 2, 1)} | {()}
    own: set[tuple[int, ...]] = {()}
    for question in QUESTIONS:
        own |= {selected(home, question, k) for k in (8, 4, 2, 1)}
        own |= {selected(home, question, 8, alpha) for alpha in ALPHAS}
        own |= {tuple(pick(home.similarity(question), config.selected).tolist()) for pick in BASELINES.values()}
    assert len(reads) == glimpses + len(looks) + len(own)
