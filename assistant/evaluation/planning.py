"""Which of all questions that homes allow are asked: as many of the rare families as of the common ones.

Planned from narrations alone, before any frame is looked at, and the same whoever is examined. This file does not know
homes, frames or models.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from assistant.training.data_engine import Question

QUESTIONS_A_HOME = 12
VAIN_A_HOME = 3  # of them, unanswerable


def plan_questions(
    written: Mapping[str, Sequence[Question]], count: int = QUESTIONS_A_HOME, vain: int = VAIN_A_HOME
) -> dict[str, list[Question]]:
    """Of what was written about each home, up to `count` questions, `vain` of them unanswerable.

    The answerable ones are of the families that are rarest in the plan so far, and so are the unanswerable ones.
    """
    present: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    plan = {}
    for name, questions in written.items():
        distinct = list({question.text: question for question in questions}.values())
        plan[name] = [
            *_rarest([question for question in distinct if question.answerable], count - vain, present),
            *_rarest([question for question in distinct if not question.answerable], vain, absent),
        ]
    return plan


def _rarest(questions: Sequence[Question], count: int, planned: Counter[str]) -> list[Question]:
    """Up to `count` of them, one after the other of the family of which fewest are planned; `planned` is kept up."""
    waiting, chosen = list(questions), list[Question]()
    while waiting and len(chosen) < count:
        chosen.append(min(waiting, key=lambda question: planned[question.family]))
        waiting.remove(chosen[-1])
        planned[chosen[-1].family] += 1
    return chosen
