"""One question's pointer over a home's time, as plain values for a picture.

This file does not know how it is drawn (figures.py) or who chose the question.
"""

from dataclasses import asdict, dataclass

from assistant.evaluation.homes import Examined
from assistant.pointer import select
from assistant.training.data_engine import Question


@dataclass(frozen=True, slots=True)
class PointerCurve:
    """The pointer's `scores` of the n candidates at `times_s`; `keys` and `selected` are indices of them."""

    question: str
    times_s: list[float]
    scores: list[float]
    keys: list[int]
    selected: list[int]

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def pointer_curve(home: Examined, question: Question) -> PointerCurve:
    """What the glimpse makes of a question about a home, and which frames are looked at again."""
    config = home.checkpoint.model.config
    at, scores = home.glimpse(question.text)
    keys = set(home.keys(question))
    return PointerCurve(
        question=question.text,
        times_s=[round(home.times_s[i], 3) for i in at],
        scores=[round(score, 6) for score in scores.tolist()],
        keys=[place for place, i in enumerate(at) if i in keys],
        selected=select(scores, config.selected, config.exploration, config.least_share).tolist(),
    )
