"""EgoMemoria, sat: the choices about one recorded home, answered by every system in every way.

    MM-Ego        the checkpoint under examination looks again at what its pointer selects, at several k and exploration
                  bonuses; its weights also answer from frames that the baselines select, and from none
    uniform       the control that was tuned on evenly spread frames (the paper's Ego-SFT) looks at evenly spread frames
    pre-trained   the control that was never tuned does the same

An option is chosen if it is the likeliest answer, as in choosing.py. Choices about the same frames are read in one
pass, and the same frames once for all ways that select them. This file does not know how choices are built, homes
recorded or tables made of what comes out (memoria_tables.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.checkpoints import Checkpoint
from assistant.evaluation.baselines import BASELINES
from assistant.evaluation.choosing import score_options
from assistant.evaluation.egomemoria import MultipleChoice
from assistant.evaluation.homes import BLIND, POINTER, UNIFORM, Examined
from assistant.pointer import exploration_grid, select

MM_EGO = "MM-Ego"
SYSTEMS = ("pre-trained", "uniform", MM_EGO)  # as the paper's tables list LLaVA-OV, Ego-SFT and MM-Ego
ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.2)
Frames = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """One choice: whether each system chose right in each way, by `way(...)`."""

    family: str
    length_class: str
    right: dict[str, bool]


def way(system: str, frames: str, k: int = 0, alpha: float | None = None) -> str:
    """The name of one way of answering: who, from whose selection of how many frames, with which bonus."""
    return f"{system}: {frames}" + (f" k={k}" if k else "") + ("" if alpha is None else f" alpha={alpha:g}")


def frame_counts(selected: int) -> list[int]:
    """k of the checkpoint, its half, quarter and eighth, as the paper's 32, 16, 8 and 4."""
    return [selected >> halvings for halvings in range(4) if selected >> halvings]


def examine_memoria(
    home: Examined, choices: Sequence[MultipleChoice], controls: Mapping[str, Checkpoint]
) -> list[Marked]:
    """The choices about this home, answered by its checkpoint and by those controls that are among SYSTEMS."""
    right: list[dict[str, bool]] = [{} for _ in choices]
    for system in SYSTEMS:
        checkpoint = home.checkpoint if system == MM_EGO else controls.get(system)
        if checkpoint is None:
            continue
        looks: dict[Frames, list[tuple[int, str]]] = defaultdict(list)  # which choice looks there in which way
        for number, choice in enumerate(choices):
            for name, frames in _ways(home, system, choice.question).items():
                looks[frames].append((number, name))
        for frames, lookers in looks.items():
            numbers = sorted({number for number, _ in lookers})
            hits = _choose(home, checkpoint, frames, [choices[number] for number in numbers])
            for number, name in lookers:
                right[number][name] = hits[numbers.index(number)]
    return [Marked(choice.family, choice.length_class, own) for choice, own in zip(choices, right, strict=True)]


def _ways(home: Examined, system: str, question: str) -> dict[str, Frames]:
    """What a system looks at for a question, by the way's name."""
    counts = frame_counts(home.checkpoint.model.config.selected)
    looks = _own_ways(home, question, counts) if system == MM_EGO else _even_ways(home, system, counts)
    return {**looks, way(system, BLIND): ()}


def _own_ways(home: Examined, question: str, counts: Sequence[int]) -> dict[str, Frames]:
    """What the pointer selects, and, of as many frames as it has at most, what each baseline does."""
    candidates, scores = home.glimpse(question)
    config, share = home.checkpoint.model.config, home.checkpoint.model.config.least_share
    sweep = dict.fromkeys([*((k, config.exploration) for k in counts), *((counts[0], each) for each in ALPHAS)])
    own = {
        way(MM_EGO, POINTER, k, each): tuple(candidates[i] for i in select(scores, k, each, share).tolist())
        for k, each in sweep
    }
    similarity = home.similarity(question)
    picked = {name: pick(similarity, counts[0]) for name, pick in BASELINES.items()}
    return {**own, **{way(MM_EGO, name, counts[0]): tuple(frames.tolist()) for name, frames in picked.items()}}


def _even_ways(home: Examined, system: str, counts: Sequence[int]) -> dict[str, Frames]:
    return {way(system, UNIFORM, k): tuple(exploration_grid(len(home), k).tolist()) for k in counts}


def _choose(home: Examined, checkpoint: Checkpoint, frames: Frames, choices: Sequence[MultipleChoice]) -> list[bool]:
    """Whether the likeliest option of each choice is the right one, given these frames or none."""
    scores = score_options(checkpoint, home.visual(frames, checkpoint), home.shown(frames), choices)
    return [int(row.argmax()) == choice.gold for row, choice in zip(scores, choices, strict=True)]
