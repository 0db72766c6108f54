"""What does recall cost, and what does it miss? Beside it, the scans and indexes that could be in its place.

    python benchmarks/index.py --work DIR [--rows 1000000] [--width 1152] [--baselines] [--json]

It embeds a synthetic life (lifelog.py) day by day into a new encrypted memory in DIR, as the indexer does: a day's
embeddings, then the days that are over are sealed. The exact neighbours are found while the days go by. All figures are
CPU on one thread, of the second time that a query is asked; recall is the share of the 300 nearest. With --baselines
the same rows go into a flat scan of bytes (FAISS SQ8), and into hnswlib, usearch and LanceDB where these are installed.
The memory stays in DIR, and is used again if it has as many rows.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import faiss  # noqa: E402
import numpy as np  # noqa: E402
from lifelog import FRAMES_A_DAY, Lifelog, Nearest  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from store.episodic import EpisodicStore  # noqa: E402
from store.recall.shards import DAY_IDS  # noqa: E402

CHECKPOINT, LIMIT, QUERIES = "synthetic", 300, 300
DAY_S, FIRST_DAY, MORNING, SECOND = 86_400, 20_000, 6 * 3600, 1_000_000
EMBED_AT_ONCE = 4800
INSERT_KEYFRAMES = """
    INSERT INTO keyframes (
        id, session_id, captured_at, zone_offset_s, width_px, height_px, novelty, pack, offset_bytes, length_bytes,
        checksum
    ) SELECT value, ?, value / 1e6, 0, 0, 0, 0, 1, 0, 0, 0 FROM json_each(?)
"""
Search = Callable[[np.ndarray], np.ndarray]


def ids_of(day: int) -> np.ndarray:
    """(FRAMES_A_DAY,) keyframe ids."""
    return (FIRST_DAY + day) * DAY_IDS + (MORNING + np.arange(FRAMES_A_DAY)) * SECOND


def resident_bytes() -> int:
    """Memory that is this process's own, files that the kernel caches left out."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def measured(search: Search, queries: np.ndarray, nearest: Nearest) -> dict[str, Any]:
    """CPU ms a query once warm, and the recall of the three kinds of queries."""
    found = [search(query) for query in queries]
    spent = []
    for query in queries:
        began = time.process_time()
        search(query)
        spent.append(1000 * (time.process_time() - began))
    recall = nearest.recall(found)
    kinds = dict(zip(("revisits", "mixtures", "texts"), map(float, recall.reshape(3, -1).mean(axis=1)), strict=True))
    ms = {"ms": statistics.mean(spent), "p50": statistics.median(spent), "p95": float(np.quantile(spent, 0.95))}
    return {"recall": float(recall.mean()), **kinds, **ms}


def embedded(store: EpisodicStore, life: Lifelog, days: int, nearest: Nearest) -> list[dict[str, float]]:
    """Embed and seal days that are not there yet; what it cost, CPU s and bytes a day."""
    costs = []
    there = store.embedded_count(CHECKPOINT)
    session = store.begin_session("synthetic", FIRST_DAY * DAY_S, 0, 1.0).id
    for day in range(days):
        rows, ids = life.day(day), ids_of(day)
        nearest.see(ids, rows)
        if (day + 1) * FRAMES_A_DAY <= there:
            continue
        store.database.execute(INSERT_KEYFRAMES, (session, json.dumps(ids.tolist())))
        began = time.process_time()
        for start in range(0, len(ids), EMBED_AT_ONCE):
            part = slice(start, start + EMBED_AT_ONCE)
            store.add_embeddings(CHECKPOINT, ids[part].tolist(), rows[part], np.zeros((len(ids[part]), 4)))
        added = time.process_time()
        sealed = store.seal(CHECKPOINT)
        costs.append({"day": day, "add_s": added - began, "seal_s": time.process_time() - added, "sealed": sealed})
        print(json.dumps(costs[-1]), flush=True)
    return costs


def flat(life: Lifelog, days: int) -> tuple[str, Search]:
    rows = faiss.IndexScalarQuantizer(life.width, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    rows.train(life.day(0))
    for day in range(days):
        rows.add(life.day(day))
    return "flat scan, SQ8", lambda query: ids_at(rows.search(query[None], LIMIT)[1][0])


def hnswlib(life: Lifelog, days: int) -> tuple[str, Search]:
    import hnswlib

    index = hnswlib.Index("ip", life.width)
    index.init_index(days * FRAMES_A_DAY, M=16, ef_construction=64)
    for day in range(days):
        index.add_items(life.day(day), ids_of(day), num_threads=1)
    index.set_ef(800)
    return "hnswlib M 16, ef 800", lambda query: index.knn_query(query, LIMIT, num_threads=1)[0][0].astype(np.int64)


def usearch(life: Lifelog, days: int) -> tuple[str, Search]:
    from usearch.index import Index

    index = Index(ndim=life.width, metric="ip", dtype="f16", connectivity=16, expansion_add=64, expansion_search=800)
    for day in range(days):
        index.add(ids_of(day), life.day(day), threads=1)
    return "usearch f16, ef 800", lambda query: index.search(query, LIMIT, threads=1).keys.astype(np.int64)


def lancedb(life: Lifelog, days: int, work: Path) -> tuple[str, Search]:
    import lancedb
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for day in range(days):
            vectors = pa.FixedSizeListArray.from_arrays(life.day(day).ravel(), life.width)
            yield pa.RecordBatch.from_arrays([pa.array(ids_of(day)), vectors], names=["id", "vector"])

    form = pa.schema({"id": pa.int64(), "vector": pa.list_(pa.float32(), life.width)})
    table = lancedb.connect(work / "lancedb").create_table("rows", batches(), schema=form, mode="overwrite")
    table.create_index("dot", num_partitions=1024, num_sub_vectors=96, vector_column_name="vector")

    def search(query: np.ndarray) -> np.ndarray:
        asked = table.search(query).distance_type("dot").nprobes(32).refine_factor(4).limit(LIMIT).select(["id"])
        return asked.to_arrow()["id"].to_numpy()

    return "LanceDB IVF_PQ, nprobe 32, refine 4", search


def ids_at(places: np.ndarray) -> np.ndarray:
    """The keyframes at places in the order of all days."""
    day, second = np.divmod(places, FRAMES_A_DAY)
    return (FIRST_DAY + day) * DAY_IDS + (MORNING + second) * SECOND


def of_the_store(store: EpisodicStore, queries: np.ndarray, nearest: Nearest) -> dict[str, Any]:
    def search(query: np.ndarray) -> np.ndarray:
        return np.array([each for each, _ in store.recall(CHECKPOINT, query, LIMIT)])

    before, began = resident_bytes(), time.process_time()
    search(queries[0])
    opened = {"open_s": time.process_time() - began, "memory_mb": (resident_bytes() - before) / 1e6}
    return {"name": "whereabouts", **opened, **measured(search, queries, nearest)}


def of_baselines(
    life: Lifelog, days: int, work: Path, queries: np.ndarray, nearest: Nearest
) -> Iterator[dict[str, Any]]:
    for make in (flat, hnswlib, usearch, lambda life, days: lancedb(life, days, work)):
        try:
            name, search = make(life, days)
        except ImportError as error:
            print(f"left out: {error.name} is not installed")
            continue
        yield {"name": name, **measured(search, queries, nearest)}


def show(found: list[dict[str, Any]], costs: list[dict[str, float]]) -> None:
    scan = next((each["ms"] for each in found if each["name"].startswith("flat")), None)
    table = Table("index", f"recall@{LIMIT}", "revisits, mixtures, texts", "CPU ms", "p50", "p95", "of a scan")
    for each in found:
        kinds = ", ".join(f"{each[kind]:.3f}" for kind in ("revisits", "mixtures", "texts"))
        ms = [f"{each[key]:.2f}" for key in ("ms", "p50", "p95")]
        of_a_scan = f"1/{scan / each['ms']:.1f}" if scan else "-"
        table.add_row(each["name"], f"{each['recall']:.4f}", kinds, *ms, of_a_scan)
    Console(width=120).print(table)
    print(f"index in memory: {found[0]['memory_mb']:.0f} MB, loaded in CPU {found[0]['open_s']:.1f} s")
    single = [each["seal_s"] for each in costs if each["sealed"] == 1]
    if len(single) >= 2:
        part = max(1, len(single) // 4)
        first, last = statistics.median(single[:part]), statistics.median(single[-part:])
        print(f"to seal a day: CPU {first:.1f} s among the first {part} days, {last:.1f} s among the last")
        print(f"to add a day: CPU {statistics.median(each['add_s'] for each in costs):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=1152)
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    days = round(arguments.rows / FRAMES_A_DAY)
    life = Lifelog(arguments.width)
    queries = life.queries(QUERIES, days)
    nearest = Nearest(queries, LIMIT)
    with EpisodicStore.open(arguments.work / "memory") as store:
        costs = embedded(store, life, days, nearest)
    with EpisodicStore.open(arguments.work / "memory", create=False) as store:
        found = [of_the_store(store, queries, nearest)]
    if arguments.baselines:
        found += of_baselines(life, days, arguments.work, queries, nearest)
    if arguments.json:
        print(json.dumps({"indexes": found, "days": costs}))
    else:
        show(found, costs)


if __name__ == "__main__":
    main()
