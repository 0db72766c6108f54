"""A Writer that asks a language model on this machine: narrations in, questions with answers and their sentences out.

The model is any instruction model that transformers opens from a folder; nothing is fetched. It is told to reply in
records of three fields, which are read with patience for numbering, bullets and letter case; a record that lacks
something is dropped and counted by what it lacks. Answers are taken in good faith: only their form is checked.

This file does not know films, only their sentences.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from assistant.training.data_engine import Narration, Question
from assistant.training.phrasings import clock
from store.errors import CheckpointError

FAMILY = "free"
PASSAGE = 50
REPLY_TOKENS = 512

OUTLINE = """\
Below are notes on what the wearer of a head camera did, in the order of time, each with its number and its clock.
Write up to five questions that the wearer might later ask their own memory, with the answers.

- Ask about what was done, which things were handled and where, about other people, and about colours, shapes and
  positions, but only where the notes say so. Make the questions differ from one another.
- The wearer asks as "I"; the answer speaks of the facts or of "you". In the notes C is the wearer, and single letters
  such as X, Y or O are other people.
- Ask only what the notes answer beyond doubt and what nobody could guess without them. The question must not contain
  its answer. If the notes tell too little, write nothing.
- After every answer list the numbers of all notes that it rests on.

Reply with records of exactly this form and with nothing else:
QUESTION: Where did I leave the scissors?
ANSWER: In the top drawer.
SUPPORT: 3
QUESTION: What did I do after I washed the cup?
ANSWER: You dried your hands.
SUPPORT: 5, 6

The notes:
"""

_FIELD = re.compile(
    r"^[^\w\n]*(?:[0-9]{1,3}[^\w\n]+)?(?i:(?P<line>question|answer|support))[ 0-9]{0,4}\**[ ]?:\**"
    r"|\b(?P<inline>QUESTION|ANSWER|SUPPORT)\**[ ]?:\**",
    re.MULTILINE,
)
_INDICES = re.compile(r"\W*[0-9]{1,6}(?:(?:\W|\band\b)+[0-9]{1,6})*\W*")


@dataclass
class LanguageWriter:
    """Writes with `model`, any causal model of transformers; `dropped` counts the records that could not be used."""

    model: Any
    tokenizer: PreTrainedTokenizerBase
    dropped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, folder: Path) -> "LanguageWriter":
        """The model of a local folder, on the GPU if there is one; CheckpointError if it cannot be opened."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{folder} holds no language model that transformers can open.", "Give a folder with its files."
            ) from error
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer)

    def write(self, narrations: Sequence[Narration], rng: Random) -> list[Question]:
        """The questions of all passages of PASSAGE narrations, in random order."""
        questions: list[Question] = []
        for start in range(0, len(narrations), PASSAGE):
            passage = narrations[start : start + PASSAGE]
            found, dropped = parse_reply(self._reply(outline(passage)), len(passage))
            self.dropped.update(dropped)
            questions += [replace(one, support=tuple(start + index for index in one.support)) for one in found]
        rng.shuffle(questions)
        return questions

    @torch.inference_mode()
    def _reply(self, request: str) -> str:
        marked = bool(self.tokenizer.chat_template)
        if marked:
            turns = [{"role": "user", "content": request}]
            request = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        encoded = self.tokenizer(request, add_special_tokens=not marked, return_tensors="pt").to(self.model.device)
        ids, mask = encoded["input_ids"], encoded["attention_mask"]
        written = self.model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=REPLY_TOKENS)
        return str(self.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))


def outline(passage: Sequence[Narration]) -> str:
    """What the model is asked: the rules, then the numbered sentences."""
    notes = (f"{index}. [{clock(told.start_s)}] {told.text}" for index, told in enumerate(passage))
    return OUTLINE + "\n".join(notes) + "\n"


def parse_reply(reply: str, narrations: int) -> tuple[list[Question], Counter[str]]:
    """The usable records of a reply about so many narrations, and how many others lacked what."""
    questions: dict[str, Question] = {}
    dropped: Counter[str] = Counter()
    records = list(_records(reply))
    if reply.strip() and not records:
        dropped["no record"] += 1
    for record in records:
        asked, answer = record.get("question", ""), record.get("answer", "")
        support, trouble = _support(record.get("support", ""), narrations)
        if trouble := _trouble(asked, answer) or trouble or ("asked twice" if asked in questions else ""):
            dropped[trouble] += 1
        else:
            questions[asked] = Question(FAMILY, asked, answer, support)
    return list(questions.values()), dropped


def _records(reply: str) -> Iterator[dict[str, str]]:
    """Fields by name; a record begins with its question, or where a field comes a second time."""
    record: dict[str, str] = {}
    found = list(_FIELD.finditer(reply))
    ends = [*(match.start() for match in found[1:]), len(reply)]
    for match, end in zip(found, ends, strict=False):
        name = (match["line"] or match["inline"]).lower()
        if record and (name == "question" or name in record):
            yield record
            record = {}
        value = reply[match.end() : end].strip()
        lines = value.splitlines()[:1] if name == "support" else [value]
        record[name] = " ".join(" ".join(lines).split()).strip("*_ ")
    if record:
        yield record


def _trouble(question: str, answer: str) -> str:
    """What is wrong with the words of a record; "" if nothing is."""
    if not question:
        return "no question"
    if not question.endswith("?"):
        return "no question mark"
    if not answer:
        return "no answer"
    said, told = (" ".join(re.findall(r"\w+", text.lower())) for text in (question, answer))
    return "the question holds its answer" if f" {told} " in f" {said} " else ""


def _support(value: str, narrations: int) -> tuple[tuple[int, ...], str]:
    """The indices in a support field, or what is wrong with it."""
    if not value:
        return (), "no support"
    if not _INDICES.fullmatch(value) or "-" in value:
        return (), "unreadable support"
    indices = sorted({int(digits) for digits in re.findall("[0-9]+", value)})
    return (tuple(indices), "") if indices[-1] < narrations else ((), "support out of range")
