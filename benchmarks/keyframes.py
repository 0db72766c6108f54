"""Which keyframes stay in full once a model has seen them, and what is lost? Beside it, plain gates on the embeddings.

    python benchmarks/keyframes.py --work DIR [--homes 20] [--first-seed 1000000] [--checkpoint nano]
    python benchmarks/keyframes.py --work DIR --day HOURS

It records simulated homes with the real recorder at default settings, three minutes each, or one home for so many
hours; the recordings stay in DIR and are not made again. A copy of each is indexed as a user's memory is, with the
reduction, and the narrations say whether every act still has a picture in full. A plain gate keeps what differs from
the last frame it kept: it sees the same embeddings, of the same keyframes, and nothing else.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from assistant.indexer import catch_up
from assistant.salience import cosine
from store.episodic import EpisodicStore
from tui.laboratory import HOME_MINUTES, Home, loaded, record_home

PROCESSES = 2
THRESHOLDS = (0.97, 0.95, 0.9, 0.8)
RECORDED, REDUCED = "recorded, nothing reduced", "as indexed by default"
TARGET_A_SECOND = 0.20
DAY_S = 16 * 3600  # worn

Spans = Sequence[tuple[float, float]]


def plain_gate(embeddings: np.ndarray, threshold: float) -> list[int]:
    """Which of n frames in time order, embeddings (n, C), have a cosine below `threshold` to the last one kept."""
    kept: list[int] = []
    for i, embedding in enumerate(embeddings):
        if not kept or cosine(embedding, embeddings[kept[-1]]) < threshold:
            kept.append(i)
    return kept


def gates(store: EpisodicStore, key: str, ids: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """What each plain gate is called, and which of the keyframes it keeps."""
    for name, read in (("recall", store.recall_of), ("compressed", store.compressed)):
        embeddings = read(key, ids)
        for threshold in THRESHOLDS:
            yield f"cosine of {name} below {threshold:g}", plain_gate(embeddings, threshold)


def lost(acts: Spans, at_s: Sequence[float]) -> int:
    """How many acts have no picture among those taken at `at_s`."""
    return sum(not any(start_s <= each <= end_s for each in at_s) for start_s, end_s in acts)


def measure_home(checkpoint_name: str, home: Home) -> Counter[str]:
    """Counts of one home, recorded where it is not: seconds, acts, bytes and, by way of choosing, kept and lost."""
    record_home(home)
    checkpoint, acts = loaded(checkpoint_name), [(each.start_s, each.end_s) for each in home.narrations()]
    found = Counter({"seconds": round(home.minutes * 60), "acts": len(acts)})
    with TemporaryDirectory(prefix="keyframes-") as folder:
        copy = Path(folder) / "memory"
        shutil.copytree(home.folder / "memory", copy, ignore=shutil.ignore_patterns("embeddings"))
        with EpisodicStore.open(copy, create=False) as store:
            recorded = store.keyframes()
            catch_up(store, checkpoint)
            indexed = store.keyframes()
            in_full = [i for i, each in enumerate(indexed) if not each.reduced]
            ways = {RECORDED: list(range(len(recorded))), REDUCED: in_full}
            ways.update(gates(store, checkpoint.key, [each.id for each in recorded]))
            began_at = store.sessions()[0].started_at
    for way, kept in ways.items():
        found[f"kept: {way}"] = len(kept)
        found[f"lost: {way}"] = lost(acts, [recorded[i].captured_at - began_at for i in kept])
    found["bytes recorded"] = sum(each.length_bytes for each in recorded)
    found["bytes in full"] = sum(indexed[i].length_bytes for i in in_full)
    found["bytes small"] = sum(each.length_bytes for each in indexed if each.reduced)
    return found


def take_one_thread() -> None:
    torch.set_num_threads(1)


def measure(homes: Sequence[Home], checkpoint: str) -> Counter[str]:
    """The counts of all homes together."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=take_one_thread) as pool:
        return sum(pool.map(partial(measure_home, checkpoint), homes), Counter())


def show(found: Counter[str]) -> None:
    table = Table("in full", "a second", "of the keyframes", "acts lost")
    recorded = found[f"kept: {RECORDED}"]
    for way in (each.removeprefix("kept: ") for each in found if each.startswith("kept: ")):
        kept, acts_lost = found[f"kept: {way}"], found[f"lost: {way}"]
        target = f" (target <= {TARGET_A_SECOND:.2f})" if way == REDUCED else ""
        a_second = f"{kept / found['seconds']:.3f}{target}"
        table.add_row(way, a_second, f"{kept / recorded:.1%}", f"{acts_lost} of {found['acts']}")
    Console().print(table)
    in_full = found[f"kept: {REDUCED}"]
    full_bytes, small_bytes = found["bytes in full"], found["bytes small"]
    small_each = small_bytes / max(1, recorded - in_full)
    print(f"bytes a keyframe: {full_bytes / in_full:,.0f} in full, {small_each:,.0f} small")
    a_day = DAY_S / found["seconds"] / 1e9
    before, after = found["bytes recorded"] * a_day, (full_bytes + small_bytes) * a_day
    print(f"pictures of a day of 16 h: {before:.2f} GB, reduced {after:.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--homes", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    parser.add_argument("--checkpoint", default="nano")
    parser.add_argument("--day", type=float, metavar="HOURS", help="one home, for so long, in the place of many")
    arguments = parser.parse_args()
    minutes, count = (arguments.day * 60, 1) if arguments.day else (HOME_MINUTES, arguments.homes)
    seeds = range(arguments.first_seed, arguments.first_seed + count)
    homes = [Home(seed, minutes, arguments.work / f"home-{seed}-{minutes:g}") for seed in seeds]
    show(measure(homes, arguments.checkpoint))


if __name__ == "__main__":
    main()
