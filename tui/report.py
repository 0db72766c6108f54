"""Report: answers, moments and memories as tables for people and as plain values for programs.

This file does not know how anything was found, nor where it is printed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import indent
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from store.config import CameraSettings
from store.records import Coverage, Moment, Session, Transcript, local_time
from store.units import say_bytes
from tui.clock import iso, say_duration

if TYPE_CHECKING:
    from assistant.answer import Answer
    from assistant.finding import Found
    from device.attached import AttachedCamera, AttachedMicrophone

WORN_A_DAY_S, TELLING_S = 16 * 3600, 30.0
MOMENT_LINE = (
    "{:<10}  {:<8}  {:<8}  {:>6}  {:>9}  {}"  # known before the first moment: a year of them is not waited for
)


def to_json(value: object) -> str:
    """Plain values as readable JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def json_list(values: Iterable[object]) -> Iterator[str]:
    """What `to_json` makes of a list, piece by piece as the values come."""
    before = "[\n"
    for value in values:
        yield before + indent(to_json(value), "  ")
        before = ",\n"
    yield "[]" if before == "[\n" else "\n]"


def moment_lines(moments: Iterable[Moment]) -> Iterator[str]:
    """A heading, and one line a moment as they come."""
    yield MOMENT_LINE.format("day", "from", "to", "length", "keyframes", "best keyframe")
    yield from map(say_moment, moments)


def say_moment(moment: Moment) -> str:
    began, ended = (local_time(at, moment.keyframe.zone_offset_s) for at in (moment.started_at, moment.ended_at))
    clock = f"{began:%Y-%m-%d}", f"{began:%H:%M:%S}", f"{ended:%H:%M:%S}"
    length = say_duration(moment.ended_at - moment.started_at)
    return MOMENT_LINE.format(*clock, length, moment.keyframes, moment.keyframe.id)


def status_table(status: dict[str, Any]) -> Table:
    """What `status_json` gave, one line a fact."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    held = ", ".join(f"{name} {say_bytes(count)}" for name, count in status["bytes"].items())
    checkpoint = status["checkpoint"]
    facts = {
        "memory": status["directory"],
        "recorder": _say_recorder(status),
        "recorded": f"{status['sessions']} sessions, {status['keyframes']} keyframes, {status['gaps']} gaps",
        "from": _readable(status["first_captured_at"]),
        "to": _readable(status["last_captured_at"]),
        "indexed": checkpoint["problem"] or f"{checkpoint['indexed']} keyframes by {checkpoint['name']}",
        "in full": f"{status['keyframes'] - status['reduced']} keyframes; {status['reduced']} as small pictures",
        "words": f"{status['transcripts']} lines; {status['unheard']} sounds and {status['unread']} keyframes to go",
        "asked": f"{status['turns']} questions",
        "on disk": f"{held}; {say_bytes(status['disk_free_bytes'])} free",
        "a day": _say_day(status),
        "key": f"in {status['key_kept_in']}" if status["key_kept_in"] else "none: this memory is not encrypted",
        "backups": ", ".join(f"{each['directory']} ({each['made_at'][:10]})" for each in status["backups"]) or "none",
    }
    for name, value in facts.items():
        table.add_row(Text(name, "bold"), Text(str(value)))
    return table


def _say_day(status: dict[str, Any]) -> str:
    if status["bytes_a_day"] is None:
        return "too little is recorded to tell"
    a_day, worn_h = status["bytes_a_day"], WORN_A_DAY_S // 3600
    days = status["disk_free_bytes"] / a_day
    return f"{say_bytes(a_day)} for {worn_h} hours worn; the disk has room for {days:.3g} days"


def _say_recorder(status: dict[str, Any]) -> str:
    if status["recorder"]:
        return say_state(status["recorder"])
    held = f"; the next one starts {status['hold']['reason']}" if status["hold"] else ""
    return "records a film, or does not answer" if status["recording"] else f"not running{held}"


def say_state(state: dict[str, Any]) -> str:
    """How a recorder is, in a line: device.state.State in plain values, or what `request` answers without one."""
    since = f" since {_local(state['since'])}"
    until = f" until {_local(state['until'])}" if state["until"] else ""
    facts = [state["state"] + since + until]
    if state["session"] is not None:
        facts.append(f"{state['keyframes']} keyframes, {state['fps_got']:.2g} of {state['fps_wanted']:g} fps")
    facts += [f"{count} frames dropped ({why})" for why, count in state["drops"].items() if count]
    if state["days_left"] is not None:
        facts.append(f"room for {state['days_left']:.3g} days of recording")
    troubles = [*state["warnings"], state["sound"]["problem"]]
    return "; ".join([*facts, *(trouble.rstrip(".") for trouble in troubles if trouble)])


def _local(at: float) -> str:
    """A time of today by this machine's clock, or another day's with its date."""
    moment = datetime.fromtimestamp(at)
    return f"{moment:%H:%M:%S}" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d %H:%M}"


def say_cameras(
    named: Mapping[str, CameraSettings],
    attached: Sequence["AttachedCamera"],
    microphones: Sequence["AttachedMicrophone"],
    problem: str,
) -> str:
    """Every camera and microphone there is, and below each the command or setting that uses it."""
    known = [(f"{name}, {settings.uri}", f"whereabouts record {name}") for name, settings in named.items()]
    for camera in attached:
        offers = camera.problem or "; ".join(str(offer) for offer in camera.offers[:3])
        known.append((f"{camera.name}: {offers}", f"whereabouts record {camera.address}"))
    if not attached:
        known.append(("No camera is attached; a simulated one is", "whereabouts record 'sim://home?seed=7&minutes=3'"))
    for microphone in microphones:
        known.append((f"{microphone.name}: {microphone.rate_hz} Hz", f'[sound] source = "{microphone.address}"'))
    if not microphones:
        known.append((f"No microphone is attached. {problem}".strip(), ""))
    known.append(("A camera on the network (rtsp, rtmp, http, srt)", "whereabouts record rtsp://HOST/PATH"))
    known.append(("Glasses and phones that send RTMP", "whereabouts record rtmp+listen://0.0.0.0:1935/live"))
    return "\n".join(f"{what}\n    {use}" if use else what for what, use in known)


def _readable(time: str | None) -> str:
    """An ISO time without its fraction."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S %Z}" if time else "-"


def answer_json(answer: "Answer", zone_offset_s: int) -> dict[str, Any]:
    return {
        "question": answer.question,
        "answer": answer.text,
        "seen": answer.seen,
        "confidence": round(answer.confidence, 4),
        "moments": [moment_json(moment) for moment in answer.moments],
        "quoted": [quoted_json(row, zone_offset_s) for row in answer.quoted],
        "coverage": coverage_json(answer.coverage, zone_offset_s),
        "timings_ms": answer.timings_ms,
        "checkpoint": answer.checkpoint,
        "note": answer.note,
    }


def moment_json(moment: Moment) -> dict[str, Any]:
    offset_s = moment.keyframe.zone_offset_s
    return {
        "start": iso(moment.started_at, offset_s),
        "end": iso(moment.ended_at, offset_s),
        "keyframe": moment.keyframe.id,
        "keyframes": moment.keyframes,
        "score": None if moment.score is None else round(moment.score, 4),
    }


def found_json(found: "Found", zone_offset_s: int) -> dict[str, Any]:
    quoted = [quoted_json(row, zone_offset_s) for row in found.quoted]
    return {**moment_json(found.moment), "seen": found.seen, "quoted": quoted}


def quoted_json(row: Transcript, zone_offset_s: int) -> dict[str, Any]:
    return {
        "start": iso(row.started_at, zone_offset_s),
        "end": iso(row.ended_at, zone_offset_s),
        "text": row.text,
        "source": row.source,
        "engine": row.engine,
        "confidence": round(row.confidence, 4),
    }


def coverage_json(coverage: Coverage, zone_offset_s: int) -> dict[str, Any]:
    return {
        "start": iso(coverage.span.started_at, zone_offset_s),
        "end": iso(coverage.span.ended_at, zone_offset_s),
        "worn_s": round(coverage.worn_s, 3),
        "recorded_s": round(coverage.recorded_s, 3),
        "keyframes": coverage.keyframes,
        "indexed": coverage.indexed,
        "gaps": [
            {
                "start": iso(gap.started_at, zone_offset_s),
                "end": iso(gap.ended_at, zone_offset_s),
                "reason": gap.reason,
            }
            for gap in coverage.gaps
        ],
    }


def status_json(
    status: dict[str, Any],
    checkpoint: dict[str, Any],
    sessions: Sequence[Session],
    recorder: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The store's status with its times as the wearer's clock showed them, how far the checkpoint has indexed, and how
    the recorder is (None where none runs)."""
    zones = {"started_at": sessions[:1], "first_captured_at": sessions[:1], "last_captured_at": sessions[-1:]}
    times = {key: iso(status[key], zone[0].zone_offset_s) for key, zone in zones.items() if status[key] is not None}
    waiting = {
        "keyframes": status["keyframes"] - checkpoint["indexed"],
        "sounds": status["unheard"],
        "scene_text": status["unread"],
    }
    latest = sessions[-1].zone_offset_s if sessions else 0
    backups = [{**each, "made_at": iso(each["made_at"], latest)} for each in status["backups"]]
    derived = {"backups": backups, "bytes_a_day": _bytes_a_day(status), "waiting": waiting}
    return {**status, **times, **derived, "checkpoint": checkpoint, "recorder": recorder}


def _bytes_a_day(status: dict[str, Any]) -> float | None:
    """What a day of WORN_A_DAY_S takes, at the pace so far; None before that can be told."""
    if status["recorded_s"] < TELLING_S:
        return None
    return sum(status["bytes"].values()) / status["recorded_s"] * WORN_A_DAY_S
