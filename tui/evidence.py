"""Evidence: an answer as it streams, and beneath it the moments it rests on, each with its picture, time and place in
the day, and how much of the asked time was recorded at all.

This file does not know how the moments were found.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from store.episodic import EpisodicStore
from store.records import Coverage, Moment, Span, Transcript, local_time
from store.spans import worn
from store.transcripts import NOTE
from tui.clock import say_duration, zone_offset_s
from tui.picture import Picture

if TYPE_CHECKING:
    from assistant.answer import Answer, EvidenceFound

MOMENTS_SHOWN = 3
GAPS_TOLD = 3
PICTURE_CELLS = 32
STRIP_CELLS = 24
DAY_S = 86_400.0


def screen(quiet: bool = False) -> Console:
    """Standard output for text that is printed as it stands."""
    return Console(highlight=False, markup=False, quiet=quiet)


def print_answer(steps: "Iterable[EvidenceFound | str | Answer]", console: Console) -> "Answer":
    """Print what ask() yields as it comes, and hand back the whole Answer that it ends with."""
    from assistant.answer import Answer

    said = ""
    for step in steps:
        if isinstance(step, str):
            console.print(step if said else step[:1].upper() + step[1:], style="bold", end="", soft_wrap=True)
            said += step
        elif isinstance(step, Answer):
            answer = step
    console.print("" if said else answer.text, style="bold", soft_wrap=True)
    return answer


def print_evidence(store: EpisodicStore, answer: "Answer", console: Console, shown: int = MOMENTS_SHOWN) -> None:
    """The note, what is quoted, the first moments with their pictures, and the coverage."""
    if answer.note:
        console.print(answer.note)
    for row in answer.quoted:
        console.print(say_quoted(row, zone_offset_s(store)), style="dim")
    if answer.moments and not answer.seen:
        console.print("Looked at, and found nothing of it:", style="dim")
    for moment in answer.moments[:shown]:
        jpeg, day = store.jpeg(moment.keyframe), recorded_day(store, moment)
        console.print(_moment_beside_picture(moment, jpeg, day))
    console.print(say_coverage(answer.coverage, zone_offset_s(store)), style="dim")


def _moment_beside_picture(moment: Moment, jpeg: bytes, day: Span) -> RenderableType:
    """A small picture, and beside it when that was, where in the day, and how strongly it was chosen."""
    seen = moment.keyframe.local_time
    lines = [
        Text(f"{seen:%H:%M:%S}", "bold"),
        Text(f"{seen:%A, %d %B %Y}"),
        Text(day_strip(moment, day), "cyan"),
        Text(f"{say_duration(moment.keyframe.captured_at - day.started_at)} into the recorded day"),
    ]
    if moment.score is not None:
        lines.append(Text(f"score {moment.score:.2f}"))
    lines.append(Text(f"keyframe {moment.keyframe.id}", "dim"))
    table = Table.grid(padding=(0, 2))
    table.add_row(Picture(jpeg, PICTURE_CELLS), Group(*lines))
    return table


def day_strip(moment: Moment, day: Span, cells: int = STRIP_CELLS) -> str:
    """The place in the recorded part of the day: 08:00 ────●─────────── 08:04."""
    offset_s = moment.keyframe.zone_offset_s
    share = (moment.keyframe.captured_at - day.started_at) / max(day.duration_s, 1.0)
    place = min(cells - 1, max(0, int(share * cells)))
    line = "─" * place + "●" + "─" * (cells - 1 - place)
    return f"{local_time(day.started_at, offset_s):%H:%M} {line} {local_time(day.ended_at, offset_s):%H:%M}"


def say_quoted(row: Transcript, zone_offset_s: int) -> str:
    """When words were heard or in view, and how sure the engine is that wrote them down; or what they were noted to."""
    began, ended = (local_time(at, zone_offset_s) for at in (row.started_at, row.ended_at))
    if row.source == NOTE:
        return f"{began:%H:%M:%S} to {ended:%H:%M:%S} noted: {row.text}"
    verb = "heard" if row.source == "speech" else "read"
    return f"{began:%H:%M:%S} to {ended:%H:%M:%S} {verb} by {row.engine}, confidence {row.confidence:.2f}: {row.text}"


def say_coverage(coverage: Coverage, zone_offset_s: int) -> str:
    """How much of the asked time was seen at all: an answer is worth no more than that."""
    told = [f"Recorded {say_duration(coverage.recorded_s)} of {say_duration(coverage.worn_s)} worn"]
    for gap in coverage.gaps[:GAPS_TOLD]:
        began, ended = (local_time(at, zone_offset_s) for at in (gap.started_at, gap.ended_at))
        told.append(f"gap {began:%H:%M:%S} to {ended:%H:%M:%S} ({gap.reason})")
    if len(coverage.gaps) > GAPS_TOLD:
        told.append(f"{len(coverage.gaps) - GAPS_TOLD} more gaps")
    if coverage.indexed < coverage.keyframes:
        told.append(f"{coverage.keyframes - coverage.indexed} of {coverage.keyframes} keyframes not indexed")
    return "; ".join(told) + "."


def recorded_day(store: EpisodicStore, moment: Moment) -> Span:
    """From the first to the last second recorded on the moment's day, by the wearer's clock."""
    midnight = moment.keyframe.local_time.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    # a session that goes on may be known only to a second before the moment
    parts = [Span(moment.started_at, moment.ended_at), *worn(store.sessions(), Span(midnight, midnight + DAY_S))]
    return Span(min(part.started_at for part in parts), max(part.ended_at for part in parts))
