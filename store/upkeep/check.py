"""Is the memory whole? Every row against the bytes it points at, and against what was derived; nothing is changed.

Bytes and files that nothing claims are counted and are no problem: a crash between bytes and row leaves them, and so
does a picture that was reduced, whose bytes went back to the disk. This file does not know how to repair anything.
"""

from collections import Counter
from dataclasses import dataclass, field

from store.database import Database
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.form import HEADER_BYTES, EncryptedForm, PlainForm
from store.upkeep.contents import TABLES, examined, packs_of
from store.upkeep.orphans import orphan_files, orphan_keys

STRANGE = 'SELECT "table", parent, count(*) AS rows FROM pragma_foreign_key_check GROUP BY "table", parent'
REVERSED = "SELECT count(*) FROM {table} WHERE ended_at < started_at"
TIMED = ("sessions", "gaps", "sounds", "transcripts")
# What is being forgotten just now is no problem.
STRAY_EMBEDDINGS = """
    FROM embedded JOIN shards ON shards.id = shard
    WHERE NOT EXISTS (SELECT 1 FROM keyframes WHERE keyframes.id = keyframe_id)
    AND 'embeddings/' || day NOT IN (SELECT file FROM rewrites)
"""
UNMATCHED_WORDS = "SELECT (SELECT count(*) FROM transcripts) - (SELECT count(*) FROM words_docsize)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be.

    `kind` is "database", "pack", "keyframe", "sound", "embedding" or "index"; the last two can be made again.
    """

    kind: str
    detail: str


@dataclass(slots=True)
class Report:
    """What was looked at and what was wrong with it, as far as it could be looked at.

    `rows` are counts by table, `sizes` the bytes of every pack and `claimed` those of them that rows point at, by its
    path; `embeddings` are counts by checkpoint. `orphans` are files, by their paths, and keys that nothing claims.
    """

    rows: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, int] = field(default_factory=dict)
    claimed: Counter[str] = field(default_factory=Counter)
    embeddings: dict[str, int] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.problems

    @property
    def sessions(self) -> int:
        return self.rows["sessions"]

    @property
    def keyframes(self) -> int:
        return self.rows["keyframes"]

    @property
    def packs(self) -> int:
        return len(self.sizes)

    @property
    def pack_bytes(self) -> int:
        return sum(self.sizes.values())

    @property
    def orphan_bytes(self) -> int:
        return sum(max(0, size - self.claimed[name]) for name, size in self.sizes.items())


def check(store: EpisodicStore) -> Report:
    """Read the whole memory once. Safe beside a live recorder: what it adds meanwhile is left out or orphan bytes."""
    report = Report()
    try:
        _look_at_database(store, report)
        for packs in (store.packs, store.small_packs, store.sound_packs):
            report.sizes |= {packs.name(number): size for number, size in packs.sizes().items()}
        for table in TABLES:
            _look_at_contents(store, table, report)
        _look_at_derived(store, report)
        report.orphans += orphan_files(store, report.claimed)
        report.orphans += [f"the key of {name}" for name in orphan_keys(store, report.claimed)]
    except MemoryDamaged as error:  # so much that the rest cannot be told
        report.problems.append(Problem("database", error.message))
    return report


def database_faults(database: Database, encrypted: bool) -> list[str]:
    """What is wrong with the file itself, its indexes and its full text. MemoryDamaged: it cannot even be asked."""
    if encrypted and (broken := unreadable_pages(database)):
        return broken
    verdicts = [next(iter(row.values())) for row in database.rows("PRAGMA integrity_check")]
    faults = [f"{database.path.name}: {verdict}" for verdict in verdicts if verdict != "ok"]
    unmatched = database.value(UNMATCHED_WORDS)
    if unmatched:
        faults.append(f"the full text differs from the transcripts by {abs(unmatched)} rows")
    return faults


def unreadable_pages(database: Database) -> list[str]:
    """Of an encrypted file, where every page has a seal. SQLCipher reads nothing at all any more after one of them."""
    for _ in range(2):  # one may just be being written
        rows = database.rows("PRAGMA cipher_integrity_check")
        if not rows:
            return []
    return [f"{database.path.name}: {next(iter(row.values()))}" for row in rows]


def _look_at_database(store: EpisodicStore, report: Report) -> None:
    faults = database_faults(store.database, store.keys.encrypted)
    report.problems += [Problem("database", fault) for fault in faults]
    report.rows["sessions"] = store.size("sessions")
    for row in store.database.rows(STRANGE):
        what = f"{row['rows']} rows of {row['table']} name missing ones of {row['parent']}"
        report.problems.append(Problem("database", what))
    for table in TIMED:
        count = store.database.value(REVERSED.format(table=table))
        if count:
            report.problems.append(Problem("database", f"{count} rows of {table} end before they begin"))


def _look_at_contents(store: EpisodicStore, table: str, report: Report) -> None:
    """A pack of which nothing can be read is one problem, however many rows point into it."""
    trailer_bytes = EncryptedForm.trailer_bytes if store.keys.encrypted else PlainForm.trailer_bytes
    unreadable: Counter[str] = Counter()
    for row, fault in examined(store, table):
        report.rows[table] += 1
        report.claimed[packs_of(store, row).name(row.pack)] += HEADER_BYTES + row.length_bytes + trailer_bytes
        if fault and fault.of_pack:
            unreadable[fault.why] += 1
        elif fault:
            report.problems.append(Problem(table.removesuffix("s"), fault.why))
    report.problems += [Problem("pack", f"{why}, with {count} {table} in it") for why, count in unreadable.items()]


def _look_at_derived(store: EpisodicStore, report: Report) -> None:
    strays = store.database.value(f"SELECT count(*) {STRAY_EMBEDDINGS}")
    if strays:
        report.problems.append(Problem("embedding", f"{strays} are of keyframes that are gone"))
    for checkpoint in store.checkpoints():
        report.embeddings[checkpoint] = store.embedded_count(checkpoint)
        for shard, why in store.damaged_shards(checkpoint).items():
            report.problems.append(Problem("embedding", f"{checkpoint}, shard {shard}: {why}"))
        for index, why in store.damaged_indexes(checkpoint).items():
            report.problems.append(Problem("index", f"{checkpoint}, index {index}: {why}"))
