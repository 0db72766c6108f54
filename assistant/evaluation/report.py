"""REPORT.md: what an examination found, as a page for people, with the command that made every number.

Only `whereabouts evaluate --report` writes it. This file does not know how anything was measured.
"""

from typing import Any

COLUMNS = ("n", "pointer", "uniform", "oracle", "blind", "chance", "recall_at_k", "recall_at_k_uniform")


def render_report(found: dict[str, Any], command: str) -> str:
    """What `summarise` found, and the command that asked for it -> Markdown."""
    swap, refusals = found["swap_probe"], found["not_seen"]
    rows = [*found["families"].items(), ("**all**", found["all"])]
    return "\n".join(
        [
            f"# The {found['checkpoint']} checkpoint, examined",
            "",
            f"Made by `{command}` in {found['seconds']:.0f} s: {found['questions']} questions about {found['homes']}",
            f"simulated homes with seeds from {found['first_seed']} on, none of which training, tuning or the choice",
            f"of a checkpoint ever saw; k = {found['k']}, alpha = {found['alpha']}. Shares are exact answers.",
            "",
            "Each answerable question is asked four ways: with the frames that the pointer picks (what a user gets),",
            "with k frames spread evenly, with the true key frames, and with none. Chance is the commonest answer.",
            "",
            "| family | " + " | ".join(COLUMNS) + " |",
            "|---" * (len(COLUMNS) + 1) + "|",
            *(f"| {name} | " + " | ".join(_number(row[column]) for column in COLUMNS) + " |" for name, row in rows),
            "",
            "| does the answer rest on the frames? | share |",
            "|---|---|",
            f"| two events shown, one asked: names its own place | {_number(swap['own'])} |",
            f"| two events shown, one asked: names the other's place | {_number(swap['other'])} |",
            f"| the asked thing not among the frames shown: says so | {_number(found['absent_probe'])} |",
            f"| of all refusals through the whole path, rightly refused | {_number(refusals['precision'])} |",
            f"| of all unanswerable questions, refused | {_number(refusals['recall'])} |",
            "",
        ]
    )


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
