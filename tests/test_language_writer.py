"""The language writer: whatever a model replies is read or counted, and no index ever points outside the passage."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2Config, Qwen2ForCausalLM

from assistant.prompt import build_word_tokenizer
from assistant.training import language_writer
from assistant.training.data_engine import Narration, Question
from assistant.training.language_writer import FAMILY, OUTLINE, LanguageWriter, outline, parse_reply
from store.errors import CheckpointError

CUP = Question(FAMILY, "Where did I leave the cup?", "In the sink.", (3,))
HANDS = Question(FAMILY, "What did I do after that?", "You dried your hands.", (0, 5))
TOLD = [Narration(i, i + 1, text) for i, text in enumerate(["open fridge", "take milk", "wash cup"] * 20)]


@pytest.mark.parametrize(
    "reply",
    [
        "QUESTION: Where did I leave the cup?\nANSWER: In the sink.\nSUPPORT: 3\n"
        "QUESTION: What did I do after that?\nANSWER: You dried your hands.\nSUPPORT: 0, 5",
        "QUESTION: Where did I leave the cup? ANSWER: In the sink. SUPPORT: 3 "
        "QUESTION: What did I do after that? ANSWER: You dried your hands. SUPPORT: 0, 5\n\n",
        "Sure! Here they are:\n\n1. Question:   Where did I leave\n  the cup?\n  answer : In the sink.\n support: [3]\n"
        "2) Question 2: What did I do after that?\n  Answer: You dried your hands.\n  Support: 0 and 5.\nBye!",
        "- **QUESTION:** Where did I leave the cup?\n- **ANSWER:** In the sink.\n- **SUPPORT:** 3\n\n"
        "* **Question**: What did I do after that?\n* **Answer**: You dried your hands.\n* **Support**: 5,0",
    ],
)
def test_records_are_read_with_patience(reply: str) -> None:
    questions, dropped = parse_reply(reply, 6)
    assert questions == [CUP, HANDS] and not dropped


@pytest.mark.parametrize(
    ("record", "lacks"),
    [
        ("I cannot help with that.", "no record"),
        ("ANSWER: In the sink.\nSUPPORT: 3", "no question"),
        ("QUESTION: Where is it\nANSWER: In the sink.\nSUPPORT: 3", "no question mark"),
        ("QUESTION: Where is it?\nSUPPORT: 3", "no answer"),
        ("QUESTION: Is the cup in the sink?\nANSWER: In the sink.\nSUPPORT: 3", "the question holds its answer"),
        ("QUESTION: Where is it?\nANSWER: In the sink.", "no support"),
        ("QUESTION: Where is it?\nANSWER: In the sink.\nSUPPORT: the third", "unreadable support"),
        ("QUESTION: Where is it?\nANSWER: In the sink.\nSUPPORT: 2-4", "unreadable support"),
        ("QUESTION: Where is it?\nANSWER: In the sink.\nSUPPORT: 3, 6", "support out of range"),
        ("QUESTION: Where did I leave the cup?\nANSWER: Here.\nSUPPORT: 1", "asked twice"),
    ],
)
def test_what_lacks_something_is_dropped_and_counted_and_the_rest_is_kept(record: str, lacks: str) -> None:
    whole = f"QUESTION: {CUP.text}\nANSWER: {CUP.answer}\nSUPPORT: 3\n"
    questions, dropped = parse_reply(record if lacks == "no record" else whole + record, 6)
    assert dropped == {lacks: 1} and questions == ([] if lacks == "no record" else [CUP])


def test_an_empty_reply_is_no_mistake() -> None:
    assert parse_reply(" \n", 6) == ([], {})


WRITTEN = [
    "QUESTION",
    "ANSWER:",
    "SUPPORT:",
    "question:",
    "\n",
    " ",
    "? ",
    "**",
    "- ",
    "1. ",
    "0, 3",
    "²",
    "٣",
    "9" * 5000,
]
PIECES = st.one_of(st.sampled_from(WRITTEN), st.text(max_size=3))


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)), st.integers(0, 4))
def test_no_reply_breaks_the_reader_or_points_outside(reply: str, narrations: int) -> None:
    questions, dropped = parse_reply(reply, narrations)
    assert all(one.support and max(one.support) < narrations and one.text.endswith("?") for one in questions)
    assert questions or dropped or not reply.strip()


def tiny_model(folder: Path, words: str) -> Path:
    """A folder with a small untrained language model over these words."""
    tokenizer = build_word_tokenizer(words.split())
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096}
    ends = {"eos_token_id": 3, "pad_token_id": 3, "bos_token_id": None}
    Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **size, **heads, **ends)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("template", [None, "{% for turn in messages %}{{ turn['content'] }}{% endfor %}"])
def test_the_garbage_of_an_untrained_model_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str | None
) -> None:
    monkeypatch.setattr(language_writer, "REPLY_TOKENS", 24)
    writer = LanguageWriter.open(tiny_model(tmp_path, "question answer support fridge"))
    writer.tokenizer.chat_template = template
    assert writer.write(TOLD, Random(0)) == []
    assert 1 <= sum(writer.dropped.values()) <= 2 * 24


def test_the_supports_of_later_passages_point_into_the_whole_film(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = iter(["QUESTION: first?\nANSWER: a.\nSUPPORT: 2", "QUESTION: later?\nANSWER: b.\nSUPPORT: 0, 9"])
    monkeypatch.setattr(LanguageWriter, "_reply", lambda self, request: next(replies))
    written = LanguageWriter(None, None).write(TOLD, Random(0))
    assert {(one.text, one.support) for one in written} == {("first?", (2,)), ("later?", (50, 59))}


def test_the_model_is_shown_every_sentence_with_its_number_and_clock() -> None:
    assert outline(TOLD[:2]) == f"{OUTLINE}0. [00:00:00] open fridge\n1. [00:00:01] take milk\n"


def test_a_folder_without_a_model_is_told_to_the_person(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=tmp_path.name):
        LanguageWriter.open(tmp_path)
