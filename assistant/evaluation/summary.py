"""What an examination of many homes comes to: shares by family and in all, probes, refusals and confidences.

Outcomes in, plain values out. This file does not know homes or models, nor how a page is made of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from assistant.evaluation.calibration import refusals, summarise_calibration
from assistant.evaluation.homes import BLIND, POINTER, TEXT_ONLY, Outcome
from assistant.evaluation.probes import ABSENT, SWAP, WRONG_VERB, Probe
from assistant.training import grammar


def summarise(
    outcomes: Sequence[Outcome], probes: Sequence[Probe], calibration: Sequence[float] = (1.0, 0.0)
) -> dict[str, object]:
    """`families` and `all` have rows of shares (`_row`); families that are only asked in vain have none.

    `refused` is, by family, the share of its unanswerable questions that the pointer's way refuses; that of the wrong
    verb stands beside it, too. `calibration` are the checkpoint's two numbers.
    """
    by_family = _by_family(outcomes)
    answerable = {name: own for name, own in by_family.items() if any(o.answerable for o in own)}
    refused = {
        name: _share(not o.seen for o in own if not o.answerable)
        for name, own in sorted(by_family.items())
        if not all(o.answerable for o in own)
    }
    said = refusals([not o.seen for o in outcomes], [not o.answerable for o in outcomes])
    return {
        "questions": len(outcomes),
        "families": {name: _row(answerable[name]) for name in sorted(answerable)},
        "all": _row(outcomes),
        "refused": refused,
        "wrong_verb": refused.get(grammar.WRONG_VERB),
        "not_seen": {"precision": round(said.precision, 4), "recall": round(said.recall, 4)},
        "probes": {kind: _shares([p for p in probes if p.kind == kind]) for kind in (SWAP, ABSENT, WRONG_VERB)},
        "calibration": summarise_calibration(
            [o.confidence for o in outcomes], [o.right[POINTER] for o in outcomes], calibration
        ),
        "seconds_a_question": _share(o.seconds for o in outcomes),
    }


def _row(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """`n` answerable questions, and of them the share right in every way, and right from a key frame (`grounded`).

    Guessing is held against all the `asked`, in vain or not: `chance` is what always giving each family's commonest
    answer would score, `blind_all` and `text-only_all` are what was right without any frame.
    """
    known = [o for o in outcomes if o.answerable]
    commonest = sum(Counter(o.answer for o in own).most_common(1)[0][1] for own in _by_family(outcomes).values())
    blind = [way for way in (BLIND, TEXT_ONLY) if all(way in o.right for o in outcomes)]
    return {
        "n": len(known),
        "asked": len(outcomes),
        **{way: _share(o.right[way] for o in known) for way in (known[0].right if known else {})},
        "grounded": _share(o.grounded[POINTER] for o in known),
        "chance": round(commonest / max(1, len(outcomes)), 4),
        **{f"{way}_all": _share(o.right[way] for o in outcomes) for way in blind},
        "recall_at_k": _share(o.recall_at_k for o in known),
        "recall_at_k_uniform": _share(o.recall_at_k_uniform for o in known),
    }


def _shares(probes: Sequence[Probe]) -> dict[str, float | None]:
    """None where no home allowed the probe."""
    names = ("own", "other", "not_seen")
    return {"n": len(probes), **{name: _share(getattr(p, name) for p in probes) if probes else None for name in names}}


def _by_family(outcomes: Sequence[Outcome]) -> Mapping[str, list[Outcome]]:
    found = defaultdict(list)
    for outcome in outcomes:
        found[outcome.family].append(outcome)
    return found


def _share(values: Iterable[float]) -> float:
    each = list(values)
    return round(float(np.mean(each)), 4) if each else 0.0
