"""The demo: a simulated morning through the real recorder, store and model, and its answers held against the script.

The home's script (what the wearer did, and when) is written beside the film as narrations. Questions and right answers
are made from it; recorder, index and model never see it. This file does not know how any of them works.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from assistant.training.data_engine import Narration, Question
from assistant.training.grammar import GrammarWriter
from assistant.training.narrations import read_narrations
from device.camera import open_camera
from device.simulated.home import THING_KINDS, make_home
from store.config import load_config
from store.episodic import EpisodicStore
from tui.evidence import print_answer, print_evidence
from tui.progress import watch_indexing, watch_loading, watch_recording

if TYPE_CHECKING:
    from assistant.answer import Answer

SEED, MINUTES, FPS = 2_000_002, 4, 1.0
WALLET = "where did I put my wallet?"
FAMILIES = ("colour", "room", "did_i", "what_on")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A question of the script and what was answered."""

    question: Question
    answer: "Answer"

    @property
    def right(self) -> bool:
        if not self.question.answerable:
            return not self.answer.seen and not self.answer.note  # "I cannot tell" is not "it was not there"
        return _plain(self.answer.text) == _plain(self.question.answer)

    @property
    def mark(self) -> str:
        return "right" if self.right else "WRONG"


def run(console: Console, keep: Path | None) -> bool:
    """Run the whole demo, keeping the memory in `keep` if given; True if the wallet question was answered rightly."""
    began_s = monotonic()
    with _folder(keep) as memory, EpisodicStore.open(memory) as store:
        narrations = record_morning(store)
        verdicts = _ask_all(store, choose_questions(narrations), console)
        if store.vault and not keep:
            store.vault.destroy()
    console.print(_closing_table(verdicts))
    console.print(f"{sum(each.right for each in verdicts)} of {len(verdicts)} right, in {monotonic() - began_s:.0f} s.")
    if keep:
        console.print(f'Go on asking: whereabouts --memory {keep} ask "{WALLET}"', soft_wrap=True)
    return verdicts[0].right


def record_morning(store: EpisodicStore) -> list[Narration]:
    """Record the simulated morning; returns its script, which the store has not seen."""
    with TemporaryDirectory(prefix="whereabouts-script-") as folder:
        script = Path(folder) / "script.csv"
        uri = f"sim://home?seed={SEED}&minutes={MINUTES}&narrations={quote(str(script))}"
        with closing(open_camera(uri, FPS)) as camera:
            watch_recording(store, camera, replace(load_config().capture, fps=FPS))
        return read_narrations(script)[f"home{SEED}"]


def choose_questions(narrations: Sequence[Narration]) -> list[Question]:
    """The wallet first, then one of each family, then one about a thing that this home never held."""
    absent = sorted(set(THING_KINDS) - {thing.kind for thing in make_home(SEED).things})
    asked = GrammarWriter(untouched=(), unseen=absent).write(narrations, Random(SEED))
    answerable = [question for question in asked if question.answerable]
    wallet = next(q for q in answerable if q.family == "where_put" and "wallet" in q.text)
    others = [next(q for q in answerable if q.family == family) for family in FAMILIES]
    missing = next(q for q in asked if not q.answerable and any(thing in q.text for thing in absent))
    return [replace(wallet, text=WALLET), *others, missing]


def _ask_all(store: EpisodicStore, questions: Sequence[Question], console: Console) -> list[Verdict]:
    """Index what was recorded, ask each question, and print each answer with its evidence and what the script says."""
    from assistant.answer import ask
    from assistant.recent import Recent

    checkpoint = watch_loading(load_config().model, to_answer=True)
    console.print(f"Indexed {watch_indexing(store, checkpoint)} keyframes with the {checkpoint.name} checkpoint.\n")
    verdicts, recent = [], Recent()
    for question in questions:
        console.print(f"> {question.text}", style="bold cyan")
        answer = print_answer(ask(store, checkpoint, question.text, recent=recent), console)
        print_evidence(store, answer, console, shown=1)
        verdicts.append(Verdict(question, answer))
        console.print(f"{verdicts[-1].mark}  The script says: {question.answer}\n")
    return verdicts


def _closing_table(verdicts: Sequence[Verdict]) -> Table:
    table = Table("question", "answer", "the script", "", box=None, header_style="bold")
    for verdict in verdicts:
        table.add_row(verdict.question.text, verdict.answer.text, verdict.question.answer, verdict.mark)
    return table


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep
    else:
        with TemporaryDirectory(prefix="whereabouts-demo-") as folder:
            yield Path(folder)


def _plain(text: str) -> str:
    return text.casefold().strip().rstrip(".")
