"""How long does a person wait for nano's first word, as a first question and as a follow-up?

Everything is as in use: a simulated home of five minutes is recorded and indexed, and asked through `ask`.
benchmarks/answer.py prints it beside its other figures.
"""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from assistant import checkpoints
from assistant.answer import EvidenceFound, ask
from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from assistant.recent import Recent
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from store.config import Capture
from store.episodic import EpisodicStore

HOME, MINUTES = 900_003, 5.0
THINGS = ("wallet", "keys", "book", "phone", "glasses")


def ask_in_earnest(rounds: int) -> dict[str, float]:
    """Median seconds to the first word of nano's answers about a home, as first questions and as follow-ups."""
    checkpoint, first, later = checkpoints.load("nano"), [], []
    known = set(checkpoint.tokenizer.get_vocab())
    opening, *questions = [f"where did I put the {thing}?" for thing in THINGS if thing in known]
    with TemporaryDirectory() as folder, EpisodicStore.open(Path(folder) / "memory") as store:
        record(store, SimulatedCamera(HOME, MINUTES, 1.0), Capture(keyframe_every_s=1.0))
        catch_up(store, checkpoint)
        for _ in range(rounds):
            recent = Recent()
            first_word_s(store, checkpoint, opening, recent)
            for question in questions:
                first.append(first_word_s(store, checkpoint, question, Recent()))
                later.append(first_word_s(store, checkpoint, question, recent))
    return {"first question": median(first), "follow-up": median(later), "times faster": median(first) / median(later)}


def first_word_s(store: EpisodicStore, checkpoint: Checkpoint, question: str, recent: Recent) -> float:
    began = time.perf_counter()
    for step in ask(store, checkpoint, question, recent=recent):
        if not isinstance(step, EvidenceFound):
            break
    return time.perf_counter() - began
