"""The examination of a checkpoint: `whereabouts evaluate`, from no home at all to one object of plain values.

    record   every home, into its own folder, with the truth beside it
    plan     what is asked of each home, from the narrations alone
    examine  one home a job, as many at a time as there are cores; each leaves its result in its folder
    sum up   the results of all homes

What is done is not done again in the same folder, so that an examination that was cut goes on. This file does not know
how homes are made or answers scored.
"""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tui.laboratory import Home, loaded, record_home, write_questions
from tui.progress import counted

if TYPE_CHECKING:
    from assistant.evaluation.egomemoria import MultipleChoice
    from assistant.model import MMEgoConfig
    from assistant.training.data_engine import Question

MINUTES = 3.0
FULL = 100  # with so many homes, films of all lengths (EgoMemoria) and needles are examined, too
OTHER_LENGTHS = ((0.75, 16), (1.5, 16), (7.0, 8), (15.0, 5), (30.0, 3), (50.0, 2))  # minutes, homes
OTHER_SEEDS, SEEDS_A_LENGTH = 10_000, 100
MEMORIA_HOMES = 12  # of those of MINUTES
CURVES = 3  # homes of which the report shows a question's scores
CONTROLS = ("pre-trained", "uniform", "text-only")

Result = dict[str, Any]  # of one home: plain values by part


@dataclass(frozen=True, slots=True)
class Job:
    """One home, and what is asked about it."""

    home: Home
    questions: "Sequence[Question]"
    choices: "Sequence[MultipleChoice]" = ()
    with_curve: bool = False


def evaluate_homes(checkpoint: str, homes: int, first_seed: int, controls: Path | None, work: Path) -> dict[str, Any]:
    """Examine a checkpoint on `homes` homes from `first_seed` on, and where these are FULL, in everything else, too.

    `controls` is a folder of checkpoints with the names of CONTROLS. What is made on the way stays in `work`. Raises
    CheckpointError.
    """
    began, config = time.monotonic(), loaded(checkpoint).model.config
    main = [_home(work, first_seed + i, MINUTES) for i in range(homes)]
    others = _other_lengths(work, first_seed) if homes >= FULL else []
    every = [*reversed(others), *main]  # the longest first: in the end no core waits for it
    with ProcessPoolExecutor(_cores(), mp_context=get_context("spawn"), initializer=_take_one_thread) as pool:
        with counted(f"recording  {len(every)} homes", len(every)) as advance:
            for _ in pool.map(record_home, every):
                advance(1)
        jobs, results = plan(main, others), []
        with counted(f"examining  {len(jobs)} homes", len(jobs)) as advance:
            for result in pool.map(partial(examine_home, checkpoint, controls), jobs):
                results.append(result)
                advance(1)
    return {
        "checkpoint": checkpoint,
        "homes": homes,
        "first_seed": first_seed,
        **_sum_up(results, config),
        "needle": _seek_needles(every, checkpoint) if others else None,
        "k": config.selected,
        "alpha": config.exploration,
        "seconds": round(time.monotonic() - began, 1),
    }


def _home(work: Path, seed: int, minutes: float) -> Home:
    return Home(seed, minutes, work / f"home-{seed}-{minutes:g}")


def _other_lengths(work: Path, first_seed: int) -> list[Home]:
    """The shortest first."""
    return [
        _home(work, first_seed + OTHER_SEEDS + SEEDS_A_LENGTH * row + i, minutes)
        for row, (minutes, count) in enumerate(OTHER_LENGTHS)
        for i in range(count)
    ]


def plan(main: Sequence[Home], others: Sequence[Home]) -> list[Job]:
    """What is asked: open questions and probes of the main homes, and, if there are others, choices of all lengths.

    The others come first, in the reverse of their order.
    """
    from assistant.evaluation.egomemoria import Film, build_benchmark
    from assistant.evaluation.planning import plan_questions

    written = {home: write_questions(home) for home in (*main, *others)}
    planned = plan_questions({home.name: written[home] for home in main})
    films = [
        Film(home.name, 0.0, 60 * home.minutes, home.narrations(), written[home])
        for home in ((*main[:MEMORIA_HOMES], *others) if others else ())
    ]
    choices = build_benchmark(films, seed=main[0].seed)
    return [
        Job(
            home,
            planned.get(home.name, []),
            [choice for choice in choices if choice.film == home.name],
            with_curve=home in main[:CURVES],
        )
        for home in (*reversed(others), *main)
    ]


def examine_home(checkpoint: str, controls: Path | None, job: Job) -> Result:
    """Examine one home and keep the result beside its recording, unless it is there already."""
    beside = {name: loaded(str(controls / name)) for name in CONTROLS} if controls else {}
    asked = repr([job.questions, job.choices, job.with_curve, [each.key for each in beside.values()]])
    fingerprint = sha256(asked.encode()).hexdigest()
    finished = job.home.folder / f"examined-{loaded(checkpoint).key}.json"
    known: Result = json.loads(finished.read_text()) if finished.exists() else {}
    if known.get("asked") == fingerprint:
        return known
    result = {"asked": fingerprint, **_examine(checkpoint, beside, job)}
    draft = finished.with_suffix(".draft")
    draft.write_text(json.dumps(result))
    draft.rename(finished)
    return result


def _examine(checkpoint: str, controls: dict[str, Any], job: Job) -> Result:
    from assistant.evaluation.curves import pointer_curve
    from assistant.evaluation.homes import examine
    from assistant.evaluation.memoria_exam import examine_memoria
    from assistant.evaluation.probes import probe

    with job.home.opened(checkpoint) as home:
        answerable = [question for question in job.questions if question.answerable]
        return {
            "outcomes": [asdict(each) for each in examine(home, job.questions, controls)],
            "probes": [asdict(each) for each in probe(home, Random(job.home.seed))] if job.questions else [],
            "marked": [asdict(each) for each in examine_memoria(home, job.choices, controls)],
            "curves": [pointer_curve(home, each).to_json() for each in answerable[:1] if job.with_curve],
        }


def _sum_up(results: Sequence[Result], config: "MMEgoConfig") -> dict[str, Any]:
    from assistant.evaluation.homes import Outcome
    from assistant.evaluation.memoria_exam import Marked
    from assistant.evaluation.memoria_tables import summarise_memoria
    from assistant.evaluation.probes import Probe
    from assistant.evaluation.summary import summarise

    outcomes = [Outcome(**each) for result in results for each in result["outcomes"]]
    probes = [Probe(**each) for result in results for each in result["probes"]]
    marked = [Marked(**each) for result in results for each in result["marked"]]
    return {
        **summarise(outcomes, probes, config.calibration),
        "memoria": summarise_memoria(marked, config.selected, config.exploration) if marked else None,
        "curves": [each for result in results for each in result["curves"]],
    }


def _seek_needles(homes: Sequence[Home], checkpoint: str) -> dict[str, object]:
    from assistant.evaluation.haystacks import examine_haystacks, recorded

    days = [recorded(partial(home.opened, checkpoint)) for home in homes]
    return examine_haystacks(loaded(checkpoint), days, seed=homes[0].seed).to_json()


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _take_one_thread() -> None:
    import torch

    torch.set_num_threads(1)
