"""What was asked of the checkpoint and what it reached: every target of the examination, one row each.

The bounds stand here and nowhere else; what was reached comes from the findings alone. This file does not know how
anything was measured or how rows are printed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.evaluation.memoria_exam import MM_EGO

FAR = 100_000
NEAR = 1_600


@dataclass(frozen=True, slots=True)
class Target:
    """A measure and its bound: at least that, or at most. `reached` is None where it was not measured."""

    what: str
    sign: str
    bound: float | None
    reached: float | None

    @property
    def met(self) -> bool:
        if self.reached is None or self.bound is None:
            return False
        return self.reached >= self.bound if self.sign == "≥" else self.reached <= self.bound


def targets(found: Mapping[str, Any]) -> list[Target]:
    """All targets in the order in which they were asked."""
    memoria, needle = found.get("memoria"), found.get("needle")
    return [*_of_answers(found), *_of_memoria(memoria or {}), *_of_needle(needle or {})]


def _of_answers(found: Mapping[str, Any]) -> Iterator[Target]:
    """Whether answers rest on the frames, are right in every family, and know what they do not know."""
    probes, families, every, said = found["probes"], found["families"], found["all"], found["not_seen"]
    yield _least("two acts shown, one asked: its own place is named", 0.98, probes["swap"]["own"])
    yield _most("two acts shown, one asked: the other act's place is named", 0.01, probes["swap"]["other"])
    yield _least("the asked thing not among the frames shown: not seen, it says", 0.95, probes["absent"]["not_seen"])
    yield _least(
        "asked for the wrong verb about a shown act: not seen, it says", 0.85, probes["wrong_verb"]["not_seen"]
    )
    yield _least("asked for the wrong verb through the whole path: not seen, it says", 0.85, found["wrong_verb"])
    yield _least("where something was put", 0.97, families.get("where_put", {}).get("pointer"))
    yield _least("all answerable questions", 0.92, every["pointer"])
    weakest = min(families, key=lambda name: families[name]["pointer"])
    yield _least(f"the weakest family ({_words(weakest)})", 0.80, families[weakest]["pointer"])
    for way, words in (("blind", "without any frame"), ("text-only", "the control that never saw a frame")):
        above = {name: _less(row[f"{way}_all"], row["chance"]) for name, row in families.items() if f"{way}_all" in row}
        most = max(above, key=lambda name: above[name] or 0.0, default="")
        yield _most(f"{words}, above chance, where it is most ({_words(most)})", 0.05, above.get(most))
    yield _least(f"key-frame recall@{found['k']}", 0.97, every["recall_at_k"])
    yield _least("of all “I did not see that.”, rightly said", 0.92, said["precision"])
    yield _least("of all questions asked in vain, “I did not see that.”", 0.92, said["recall"])
    yield _most("expected calibration error", 0.05, found["calibration"]["calibrated"]["ece"])


def _of_memoria(memoria: Mapping[str, Any]) -> Iterator[Target]:
    """Whether the pointer pays: MDA against the control and the baselines, and with fewer frames."""
    table, drop = memoria.get("table", {}).get("MDA", {}), memoria.get("drop", {})
    own, even = (table.get(system, {}).get("average") for system in (MM_EGO, "uniform"))
    yield _least("MDA of MM-Ego above that of the control tuned on evenly spread frames", 0.10, _less(own, even))
    others = {name: row["average"] for name, row in memoria.get("selections", {}).items() if name != "pointer"}
    best = max(others, key=lambda name: others[name] or 0.0, default="")
    what = f"MDA of the pointer above the best other selection of as many frames ({best})"
    yield _least(what, 0.10, _less(own, others.get(best)))
    yield _most("share of MDA that MM-Ego loses from most frames to fewest", 0.0459, drop.get(MM_EGO))
    yield Target("the same, against what the control loses", "≤", drop.get("uniform"), drop.get(MM_EGO))


def _of_needle(needle: Mapping[str, Any]) -> Iterator[Target]:
    """The mean over all places, and the worst one: of few needles a place has, one wrong answer weighs much there."""
    columns = dict(zip(needle.get("lengths", ()), zip(*needle.get("right", ()), strict=True), strict=True))
    near = [share for length, column in columns.items() if length <= NEAR for share in column]
    for days, bound, shares in (
        (f"days up to {NEAR:,} frames", 0.95, near),
        (f"{FAR:,} frames", 0.90, columns.get(FAR)),
    ):
        mean = round(sum(shares) / len(shares), 4) if shares else None
        yield _least(f"needle answered in {days}, mean of all places", bound, mean)
        yield _least(f"needle answered in {days}, the worst place", bound, min(shares) if shares else None)


def _least(what: str, bound: float, reached: float | None) -> Target:
    return Target(what, "≥", bound, reached)


def _most(what: str, bound: float, reached: float | None) -> Target:
    return Target(what, "≤", bound, reached)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 4)


def _words(family: str) -> str:
    return family.replace("_", " ")
