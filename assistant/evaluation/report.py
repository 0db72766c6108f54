"""REPORT.md: what an examination found, as a page for people, with its pictures and the command that made every number.

    render_report(found, command, folder) -> the page; its pictures are written into the folder

`found` are plain values as the examination hands them out; every number on the page is one of them, and a part that was
not examined is left out. Only `whereabouts evaluate --report` makes it. This file does not know how anything was
measured.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.evaluation import illustrated
from assistant.evaluation.markdown import number, table, words
from assistant.evaluation.targets import targets

Found = Mapping[str, Any]
COLUMNS = {
    "pointer": "the frames that the pointer selects: what a user gets",
    "uniform": "as many frames spread evenly",
    "top-k": "those nearest to the question (SigLIP cosine)",
    "AKS": "adaptive keyframe sampling (arXiv 2502.21271)",
    "BOLT": "inverse transform sampling (arXiv 2503.21483)",
    "oracle": "the true key frames",
    "blind": "no frame",
    "tuned on uniform": "the control that was tuned on evenly spread frames, on evenly spread frames",
    "text-only": "the control that never saw a frame, on none",
}


def render_report(found: Found, command: str, folder: Path) -> str:
    """What the examination found, and the command that asked for it -> Markdown. Writes the PNGs that it shows."""
    parts: tuple[tuple[str, Callable[[Any, Path], Iterator[str]]], ...] = (
        ("memoria", illustrated.memoria),
        ("needle", illustrated.needle),
        ("calibration", illustrated.calibration),
        ("curves", illustrated.curves),
    )
    lines = [*_head(found, command), *_asked_and_reached(found), *_ways(found), *_families(found), *_probes(found)]
    for name, part in parts:
        if found.get(name):
            lines += part(found[name], folder)
    return "\n".join(lines).rstrip() + "\n"


def _head(found: Found, command: str) -> Iterator[str]:
    last = found["first_seed"] + found["homes"] - 1
    yield f"# The {found['checkpoint']} checkpoint, examined"
    yield ""
    yield f"Made by `{command}` in {found['seconds']:.0f} s."
    yield ""
    yield f"{found['questions']} questions were asked about {found['homes']} simulated homes, seeds"
    yield f"{found['first_seed']} to {last}. Training, tuning and choosing a checkpoint use seeds below 1000000."
    yield f"k = {found['k']} frames are looked at again, alpha = {found['alpha']}. Shares are of exact answers, from 0"
    yield "to 1; a dash means that it was not measured."
    yield ""


def _asked_and_reached(found: Found) -> Iterator[str]:
    yield "## Asked and reached"
    yield ""
    rows = (
        [each.what, f"{each.sign} {number(each.bound)}", number(each.reached), "yes" if each.met else "**no**"]
        for each in targets(found)
    )
    yield from table(("measure", "asked", "reached", "met"), rows)


def _ways(found: Found) -> Iterator[str]:
    yield "## Ways of looking"
    yield ""
    yield "Every answerable question is answered in each way, by the same model where no control is named."
    yield ""
    every = found["all"]
    yield from table(
        ("way", "answered from", "right"), ([way, COLUMNS[way], number(every[way])] for way in COLUMNS if way in every)
    )
    recalls = " and ".join(number(every[name]) for name in ("recall_at_k", "recall_at_k_uniform"))
    yield f"In {number(every['grounded'])} the pointer's answer is right and one of its frames shows it. Of the key"
    yield f"frames that fit, {recalls} are among the pointer's k and among evenly spread ones."
    yield ""


def _families(found: Found) -> Iterator[str]:
    yield "## Families of questions"
    yield ""
    yield "Shares of the n answerable questions; recall_at_k is the share of the key frames among the k looked at."
    yield ""
    rows = [*found["families"].items(), ("**all**", found["all"])]
    columns = ["n", *(way for way in COLUMNS if way in found["all"]), "grounded", "recall_at_k", "recall_at_k_uniform"]
    yield from table(("family", *columns), ([words(name), *(number(row[c]) for c in columns)] for name, row in rows))
    yield "Shares of all questions asked, the unanswerable included: what guessing is worth. `chance` always gives the"
    yield "family's commonest answer; `refused` are the unanswerable ones to which the pointer's way says “not seen”."
    yield ""
    guesses = ["asked", "chance", *(name for name in ("blind_all", "text-only_all") if name in found["all"])]
    refused = {**found["refused"], "**all**": found["not_seen"]["recall"]}
    names = dict.fromkeys([*found["families"], *found["refused"], "**all**"])
    every = {**found["families"], "**all**": found["all"]}
    yield from table(
        ("family", *guesses, "refused"),
        (
            [words(name), *(number(every.get(name, {}).get(c)) for c in guesses), number(refused.get(name))]
            for name in names
        ),
    )


def _probes(found: Found) -> Iterator[str]:
    swap, absent, wrong = (found["probes"][kind] for kind in ("swap", "absent", "wrong_verb"))
    yield "## Do answers rest on the frames?"
    yield ""
    yield "Frames are chosen from the truth, the pointer plays no part; rows without n are of the whole path."
    yield ""
    rows = (
        ("two acts shown, one asked: names its own place", swap["n"], swap["own"]),
        ("two acts shown, one asked: names the other's place", swap["n"], swap["other"]),
        ("the asked thing is not among the frames: says “not seen”", absent["n"], absent["not_seen"]),
        ("the asked thing was handled the other way: says “not seen”", wrong["n"], wrong["not_seen"]),
        ("asked for the wrong verb: “not seen”", None, found["wrong_verb"]),
        ("of all “not seen”, rightly said", None, found["not_seen"]["precision"]),
        ("of all questions asked in vain, “not seen”", None, found["not_seen"]["recall"]),
    )
    yield from table(("probe", "n", "share"), ([what, number(count), number(share)] for what, count, share in rows))
