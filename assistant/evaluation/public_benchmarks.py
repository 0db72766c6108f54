"""Public benchmarks of egocentric question answering, read from their own files as they are published.

    EgoSchema     questions.json, and subset_answers.json beside it for the answers that are public
    QAEgo4D       annotations.QaEgo4D_<split>.json, open or with wrong answers or options
    QAEgo4D-MC    test_mc.json: films, each with its conversations
    EgoTempo      egotempo_openQA.json
    HD-EPIC       vqa-benchmark/<kind>.json

The layout is told from the content. Seconds count from the beginning of the named film. This file opens no film, and
does not know how questions are asked or scored.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.errors import UserError

EGO4D_FPS = 30  # QAEgo4D gives moments in frames of Ego4D's canonical films
Record = dict[str, Any]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PublicQuestion:
    """A question about the film `video` from `start_s` to `end_s` (None: to its end).

    Without `options` it is open. `gold` and `answer` are None where the publishers keep them to themselves. `kind` is
    empty, and `evidence_s` (where the answer is seen, never to be shown to who is asked) has no span, where the file
    does not tell. Raises ValueError for what cannot be asked.
    """

    dataset: str
    video: str
    start_s: float
    end_s: float | None
    question: str
    options: tuple[str, ...]
    gold: int | None
    answer: str | None
    kind: str = ""
    evidence_s: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        texts = (self.video, self.question, *self.options, *([] if self.answer is None else [self.answer]))
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError("a text is empty or none")
        if self.gold is not None and self.gold not in range(len(self.options)):
            raise ValueError(f"there is no option {self.gold}")
        if self.end_s is not None and self.end_s < self.start_s:
            raise ValueError(f"it ends at {self.end_s} s, before it starts at {self.start_s} s")


def read_benchmark(path: Path) -> list[PublicQuestion]:
    """All questions of a file in any known layout, in its order. Raises UserError."""
    records = _records(_content(path))
    for name, (marks, read) in LAYOUTS.items():
        if any(isinstance(record, dict) and marks <= record.keys() for record in records):
            if name == "EgoSchema":
                records = _with_answers(records, path.with_name("subset_answers.json"))
            return [question for number, record in enumerate(records) for question in _read(read, record, number, path)]
    wanted = "; ".join(f"{name} ({', '.join(sorted(marks))})" for name, (marks, _) in LAYOUTS.items())
    raise UserError(f"{path} is in no known benchmark's layout.", f"Its records must have the keys of one: {wanted}.")


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Fetch that benchmark's file again.") from error


def _records(content: Any) -> list[Any]:
    """The list itself, the list under "annotations", or what stands under ids, each with its id."""
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        return list(content["annotations"])
    if isinstance(content, dict):
        return [{"id": key, **value} if isinstance(value, dict) else value for key, value in content.items()]
    return content if isinstance(content, list) else []


def _with_answers(records: list[Any], path: Path) -> list[Any]:
    answers = _content(path) if path.exists() else {}
    if not isinstance(answers, dict):
        raise UserError(f"{path} holds no answers by question.", "Fetch that benchmark's file again.")
    return [
        {"answer": answers.get(record.get("q_uid")), **record} if isinstance(record, dict) else record
        for record in records
    ]


def _read(
    read: Callable[[Record], Iterator[PublicQuestion]], record: Record, number: int, path: Path
) -> list[PublicQuestion]:
    """The questions of one record. Raises UserError naming it."""
    try:
        return list(read(record))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        name = next((record[key] for key in IDS if isinstance(record, dict) and key in record), f"number {number}")
        hint = "Take that record out, or fetch the file again."
        raise UserError(f"{path}: record {name} cannot be used: {reason}.", hint) from error


def _egoschema(record: Record) -> Iterator[PublicQuestion]:
    options = tuple(record[f"option {number}"] for number in range(5))
    gold = record["answer"]
    answer = None if gold is None else options[_index(gold, options)]
    yield PublicQuestion("EgoSchema", record["q_uid"], 0.0, None, record["question"], options, gold, answer)


def _qaego4d(record: Record) -> Iterator[PublicQuestion]:
    """Wrong answers without an order come sorted with the right one, so that its place tells nothing."""
    answer, options = record["answer"], tuple(record.get("options") or ())
    if not options and record.get("wrong_answers"):
        options = tuple(sorted({answer, *record["wrong_answers"]}))
    gold, answer = _find(answer, options) if options else (None, answer)
    evidence: tuple[Span, ...] = ()
    if record.get("moment_start_frame") is not None:
        evidence = ((record["moment_start_frame"] / EGO4D_FPS, record["moment_end_frame"] / EGO4D_FPS),)
    yield PublicQuestion(
        "QAEgo4D", record["video_id"], 0.0, None, record["question"], options, gold, answer, evidence_s=evidence
    )


def _qaego4d_mc(record: Record) -> Iterator[PublicQuestion]:
    video, end_s = record["video_id"], float(record["duration"])
    for asked in record["conversations"]:
        options = tuple(asked["choices"])
        evidence = tuple((float(start_s), float(stop_s)) for start_s, stop_s in asked.get("temporal_windows") or ())
        yield PublicQuestion(
            "QAEgo4D-MC", video, 0.0, end_s, asked["question"], options, *_find(asked["answer"], options), "", evidence
        )


def _egotempo(record: Record) -> Iterator[PublicQuestion]:
    """A clip's id is its film's, and the seconds that it was cut from, some a little before the film begins."""
    video, start_s, end_s = record["clip_id"].rsplit("_", 2)
    yield PublicQuestion(
        "EgoTempo",
        video,
        max(0.0, float(start_s)),
        float(end_s),
        record["question"],
        (),
        None,
        record["answer"],
        record["question_type"],
    )


def _hd_epic(record: Record) -> Iterator[PublicQuestion]:
    """Pictures among the inputs are frames of the film; questions about several films are refused."""
    videos = [value for name, value in record["inputs"].items() if name.startswith("video")]
    if len(videos) != 1:
        raise ValueError(f"it asks about {len(videos)} films, not one")
    (video,) = videos
    start_s = _seconds(video["start_time"]) if "start_time" in video else 0.0
    end_s = _seconds(video["end_time"]) if "end_time" in video else None
    options, gold = tuple(record["choices"]), record["correct_idx"]
    answer, kind = options[_index(gold, options)], record["id"].rpartition("_")[0]
    yield PublicQuestion("HD-EPIC", video["id"], start_s, end_s, record["question"], options, gold, answer, kind)


def _index(gold: int, options: tuple[str, ...]) -> int:
    if gold not in range(len(options)):
        raise ValueError(f"there is no option {gold}")
    return gold


def _find(answer: str, options: tuple[str, ...]) -> tuple[int, str]:
    """Which option `answer` says, the first of several, or else names by its letter."""
    texts = [option.strip().casefold() for option in options]
    letters = [chr(ord("A") + number) for number in range(len(options))]
    for names, name in ((texts, answer.strip().casefold()), (letters, answer.strip())):
        if name in names:
            return names.index(name), options[names.index(name)]
    raise ValueError(f"its answer {answer!r} is none of its options")


def _seconds(clock: str) -> float:
    """ "00:03:1.8" -> 181.8."""
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


# of every layout: what marks its records, and how one is read
LAYOUTS: dict[str, tuple[frozenset[str], Callable[[Record], Iterator[PublicQuestion]]]] = {
    "EgoSchema": (frozenset({"q_uid", "option 0"}), _egoschema),
    "QAEgo4D": (frozenset({"video_id", "sample_id", "answer"}), _qaego4d),
    "QAEgo4D-MC": (frozenset({"video_id", "conversations"}), _qaego4d_mc),
    "EgoTempo": (frozenset({"question_id", "clip_id"}), _egotempo),
    "HD-EPIC": (frozenset({"inputs", "choices"}), _hd_epic),
}
IDS = ("q_uid", "question_id", "sample_id", "video_id", "id")
