"""Markdown as the report is made of: tables, numbers, pictures. A dash stands for what was not measured."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table and the empty one behind it."""
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""


def number(value: float | None) -> str:
    """Counts whole, shares with three digits."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def words(name: str) -> str:
    """A family as people read it."""
    return name.replace("_", " ")


def picture(path: Path) -> str:
    """A picture that lies beside the page."""
    return f"![{path.stem.replace('-', ' ')}]({path.name})\n"
