"""How long does one wait for moments and words in a memory of a year: 500,000 moments, a million transcripts?

    python benchmarks/moments.py --work DIR [--moments 500000] [--times 40]

The memory is made in DIR once, through the schema and by the thousand: 300 sessions of 14 hours a year, a keyframe
every five seconds, a transcript every fifteen with words drawn from a Zipf vocabulary. Its keyframes are rows only: no
picture lies behind them, as none of the queries looks at one. The newest third of them has embeddings of 64 numbers. It
is then opened as a user's memory is and asked; a query's time is that of the whole call, records and all. The time of
the text encoder, which is a model's, is not in it: the hybrid search is given a vector.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from assistant.finding import Found, fuse
from store.episodic import EpisodicStore
from store.records import Span

BEGAN = 1_735_711_200.0  # 2025-01-01 06:00 UTC
SESSIONS_A_YEAR, YEAR_S = 300, 365 * 86_400.0
KEYFRAME_EVERY_S, TRANSCRIPT_EVERY_S, MOMENT_S = 5, 15, 30
EMBEDDED_SHARE, WIDTH, CHECKPOINT = 1 / 3, 64, "made-up"
EMBEDDED_AT_ONCE = 50_000
LIMIT_S = 0.3
VOCABULARY, COMMONEST = 50_000, ["the", "and", "you", "that", "it", "is", "of", "to", "in", "a", "what", "where"]
KEYFRAMES = """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)
    INSERT INTO keyframes
    SELECT CAST((:began + i * :every) * 1000000 AS INTEGER), :session, :began + i * :every, 3600, 1280, 720, 0.5,
        :session, i * 60000, 60000, 0, i % 6 = 5
    FROM n
"""
TRANSCRIPTS = """
    INSERT INTO transcripts (session_id, started_at, ended_at, text, source, engine, confidence)
    SELECT :session, :began + key * :every, :began + key * :every + 6, value,
        CASE key % 5 WHEN 0 THEN 'scene-text' ELSE 'speech' END, 'made up', 0.9
    FROM json_each(:texts)
"""


class Writer:
    """Draws words as people use them: the k-th commonest about 1/k as often as the commonest."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
        made = ("".join(self._random.choice(syllables, self._random.integers(2, 5))) for _ in range(VOCABULARY))
        self.words = np.array([*COMMONEST, *made])
        share = 1 / (np.arange(len(self.words)) + 2.7)
        self._cumulated = np.cumsum(share / share.sum())

    def draw(self, count: int) -> list[str]:
        return [str(each) for each in self.words[np.searchsorted(self._cumulated, self._random.random(count))]]

    def sentences(self, count: int) -> list[str]:
        """About twelve words each."""
        lengths = self._random.poisson(11, count) + 1
        words = iter(self.draw(int(lengths.sum())))
        return [" ".join(islice(words, int(length))) for length in lengths]


def build(store: EpisodicStore, moments: int) -> None:
    """Every session in one transaction."""
    writer, each_s = Writer(1), moments * MOMENT_S / SESSIONS_A_YEAR
    for number in range(SESSIONS_A_YEAR):
        began = BEGAN + number * YEAR_S / SESSIONS_A_YEAR
        texts = json.dumps(writer.sentences(int(each_s / TRANSCRIPT_EVERY_S)))
        with store.database.transaction():
            session = store.begin_session(f"camera {number % 2}", began, 3600, 1.0).id
            rows = {"session": session, "began": began}
            count = int(each_s / KEYFRAME_EVERY_S)
            store.database.execute(KEYFRAMES, {**rows, "count": count, "every": KEYFRAME_EVERY_S})
            store.database.execute(TRANSCRIPTS, {**rows, "texts": texts, "every": TRANSCRIPT_EVERY_S})
            store.end_session(session, began + each_s, "stopped")


def embed(store: EpisodicStore, ids: list[int], checkpoint: str, recall_width: int, compressed_width: int) -> None:
    """Vectors that drift, as neighbouring pictures do."""
    random = np.random.default_rng(2)
    for start in range(0, len(ids), EMBEDDED_AT_ONCE):
        part = ids[start : start + EMBEDDED_AT_ONCE]
        rows = random.normal(size=(len(part), recall_width)) + 3 * np.sin(
            np.outer(part, np.arange(recall_width)) / 3e11
        )
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        store.add_embeddings(checkpoint, part, rows, np.zeros((len(part), compressed_width), np.float16))


def queries(store: EpisodicStore) -> Iterator[tuple[str, Callable[[np.random.Generator], object]]]:
    """What is measured, by name; each call draws its own place, words or vector."""
    year, writer = store.span() or Span(0, 1), Writer(1)
    rare = [str(each) for each in writer.words[2000:20_000]]

    def day(random: np.random.Generator) -> Span:
        began = random.uniform(year.started_at, year.ended_at)
        return Span(began, began + 86_400)

    def place(random: np.random.Generator) -> Span:
        return Span(year.started_at, random.uniform(year.started_at, year.ended_at))

    def vector(random: np.random.Generator) -> np.ndarray:
        return random.normal(size=WIDTH)

    def a_word(random: np.random.Generator) -> str:
        return str(random.choice(rare))

    def find(query: str, random: np.random.Generator, span: Span | None = None) -> list[Found]:
        return fuse(store, CHECKPOINT, query, vector(random), span)

    yield "a page of moments: the newest", lambda _: store.moments(limit=50)
    yield "a page of moments: the oldest", lambda _: store.moments(newest_first=False, limit=50)
    yield "a page of moments: before a time", lambda random: store.moments(place(random), limit=50)
    yield "a page of moments: of a day", lambda random: store.moments(day(random), limit=50)
    yield "moment_of a keyframe", lambda random: store.moment_of(store.moments(place(random), limit=1)[0].keyframe.id)
    yield "sessions and span", lambda _: (store.sessions(), store.span())
    yield "find_words: a rare word", lambda random: store.find_words(a_word(random))
    yield "find_words: the", lambda _: store.find_words("the")
    yield "find_words: the and a", lambda _: store.find_words("what is that and where is the")
    yield "find_words: common and rare", lambda random: store.find_words(f"where is the {a_word(random)}")
    yield "find_words: a phrase", lambda _: store.find_words('"in the"')
    yield "find_words: a beginning", lambda _: store.find_words("ba*")
    yield "find_words: the, before a time", lambda random: store.find_words("the", place(random))
    yield "find_words: the, of a day", lambda random: store.find_words("the", day(random))
    yield "find_words: rare, of a day", lambda random: store.find_words(a_word(random), day(random))
    yield "transcripts of a minute", lambda random: store.transcripts(Span(at := day(random).started_at, at + 60))
    yield "hybrid: rare", lambda random: find(a_word(random), random)
    yield "hybrid: common and rare", lambda random: find(f"where is the {a_word(random)}", random)
    yield "hybrid: of a day", lambda random: find("where is the", random, day(random))


def measure(query: Callable[[np.random.Generator], object], times: int) -> dict[str, float]:
    """p50 and p95 in seconds, after one call that opens what is opened once."""
    random = np.random.default_rng(3)
    query(random)
    clocks = [time.perf_counter()]
    for _ in range(times):
        query(random)
        clocks.append(time.perf_counter())
    took = [after - before for before, after in pairwise(clocks)]
    return {"p50_s": float(np.percentile(took, 50)), "p95_s": float(np.percentile(took, 95))}


def show(found: dict[str, dict[str, float]]) -> None:
    print(json.dumps(found, indent=2))
    table = Table("query", "p50, ms", "p95, ms", "", box=None, header_style="bold")
    for name, took in found.items():
        late = "" if took["p95_s"] < LIMIT_S else "too slow"
        table.add_row(name, f"{took['p50_s'] * 1000:.1f}", f"{took['p95_s'] * 1000:.1f}", late)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--moments", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=40)
    arguments = parser.parse_args()
    folder = arguments.work / f"memory-{arguments.moments}"
    if not folder.exists():
        draft = folder.with_suffix(".draft")
        began = time.perf_counter()
        with EpisodicStore.open(draft) as store:
            build(store, arguments.moments)
            ids = store.keyframe_ids()
            embed(store, ids[-int(EMBEDDED_SHARE * len(ids)) :], CHECKPOINT, WIDTH, 2)
        draft.rename(folder)
        print(f"built in {time.perf_counter() - began:.0f} s")
    with EpisodicStore.open(folder, create=False) as store:
        show({name: measure(query, arguments.times) for name, query in queries(store)})


if __name__ == "__main__":
    main()
