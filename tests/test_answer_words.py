"""What was said and read in an answer: interleaved for checkpoints that spell, quoted for those that do not."""

from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from assistant import answer as answering
from assistant import checkpoints, prompt
from assistant.answer import Answer, EvidenceFound, ask, propose, spells
from assistant.checkpoints import Checkpoint
from assistant.domain import Domain, grain_of
from assistant.encoder import RecallEncoder, RecallModel
from assistant.indexer import catch_up
from assistant.model import MMEgo
from assistant.recollection import Seen
from assistant.training.nano import model_config, recall_config
from assistant.training.recipe import Recipe
from store.episodic import EpisodicStore
from store.records import Heard, Keyframe

WALLET = "where did I put the wallet?"
SIGN = "what did the sign at the shop say?"


@pytest.fixture(scope="module")
def spelling_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Recipe) -> Checkpoint:
    """The tiny checkpoint with a tokenizer of bytes, as big checkpoints have one."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(BPE({letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    markers = (prompt.TURN_START, prompt.TURN_END, prompt.TEXT_END)
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in markers])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    folder = tmp_path_factory.mktemp("checkpoint") / "spelling"
    recall = RecallEncoder(RecallModel(recall_config(tiny_recipe, fast)), fast)
    checkpoints.save(folder, MMEgo(model_config(tiny_recipe, fast)), fast, recall)
    return checkpoints.load(str(folder))


def answered(store: EpisodicStore, checkpoint: Checkpoint, question: str) -> tuple[list[EvidenceFound], Answer]:
    *steps, last = ask(store, checkpoint, question)
    assert isinstance(last, Answer)
    return [step for step in steps if isinstance(step, EvidenceFound)], last


def tell(store: EpisodicStore, keyframe: Keyframe, text: str, source: str = "scene-text") -> None:
    engine = "rapidocr" if source == "scene-text" else "pocketsphinx"
    at = keyframe.captured_at
    store.keep_heard([], [Heard(keyframe.session_id, at, at + 2, text, source, engine, 0.9)], keep_sound=True)


def test_only_a_tokenizer_that_spells_reads_any_word(
    tiny_checkpoint: Checkpoint, spelling_checkpoint: Checkpoint
) -> None:
    assert spells(spelling_checkpoint) and not spells(tiny_checkpoint)


def test_a_checkpoint_that_spells_is_shown_the_words_and_answers_by_itself(
    simulated_minute: EpisodicStore, spelling_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(simulated_minute, spelling_checkpoint)
    for keyframe in simulated_minute.keyframes():
        tell(simulated_minute, keyframe, f"SIGN {keyframe.id}")
    shown: list[prompt.Shown] = []

    def watch(*asked: Any) -> Seen:
        seen = look(*asked)
        shown.extend(seen.shown)
        return seen

    look = answering.look
    monkeypatch.setattr(answering, "look", watch)
    _, answer = answered(simulated_minute, spelling_checkpoint, SIGN)
    assert not answer.quoted and not answer.note
    words = " ".join(each.transcript for each in shown)
    assert words.count("sign: ") == len(set(words.split('"')[1::2])) > 0


def test_a_checkpoint_of_whole_words_answers_as_if_nothing_had_been_said(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    _, before = answered(simulated_minute, tiny_checkpoint, WALLET)
    for keyframe in simulated_minute.keyframes():
        tell(simulated_minute, keyframe, "the wallet is on the table", "speech")
    _, after = answered(simulated_minute, tiny_checkpoint, WALLET)
    assert (after.text, after.confidence, after.quoted) == (before.text, before.confidence, ())


def test_a_question_about_words_is_answered_by_quoting(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    keyframe = simulated_minute.keyframes()[20]
    tell(simulated_minute, keyframe, "BAKERY / OPEN 9-17")
    (evidence,), answer = answered(simulated_minute, tiny_checkpoint, SIGN)
    assert answer.text == f'I read "BAKERY / OPEN 9-17" at {keyframe.local_time:%H:%M}.'
    assert answer.seen and answer.confidence == 0.9 and [row.engine for row in answer.quoted] == ["rapidocr"]
    assert evidence.moments == answer.moments and evidence.candidates == (keyframe,) == (answer.moments[0].keyframe,)
    assert len(evidence.scores) == 1 and "does not know" not in answer.note
    (turn,) = simulated_minute.turns()
    assert (turn.answer, turn.keyframe_ids) == (answer.text, (keyframe.id,))


def test_words_a_checkpoint_does_not_know_are_looked_for_in_what_was_said(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    tell(simulated_minute, simulated_minute.keyframes()[5], "i lent michael the parasol", "speech")
    _, answer = answered(simulated_minute, tiny_checkpoint, "where is my parasol?")
    assert answer.seen and '"i lent michael the parasol"' in answer.text and "(rough transcript)" in answer.text
    assert "'parasol'" in answer.note and "pocketsphinx" in answer.note


def test_of_foreign_pictures_only_words_are_told(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    width = grain_of([np.zeros((8, 8, 3), np.uint8)]).shape[1]
    elsewhere = Domain(np.full(width, 9.0, np.float32), np.eye(width, dtype=np.float32), 1.0)
    monkeypatch.setattr(type(tiny_checkpoint), "domain", elsewhere, raising=False)
    keyframe = simulated_minute.keyframes()[5]
    tell(simulated_minute, keyframe, "my wallet is in the car", "speech")
    evidence, answer = answered(simulated_minute, tiny_checkpoint, WALLET)
    assert answer.seen and "my wallet is in the car" in answer.text and "unlike anything" in answer.note
    assert answer.moments == evidence[-1].moments and answer.moments[0].keyframe == keyframe


def test_keyframes_near_the_words_of_the_question_are_among_the_candidates(
    simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    monkeypatch.setattr(tiny_checkpoint.model.config, "candidates", 20)
    without = propose(simulated_minute, tiny_checkpoint, WALLET)
    left_out = [keyframe for keyframe in simulated_minute.keyframes() if keyframe.id not in without]
    for keyframe in left_out[::5]:
        tell(simulated_minute, keyframe, "the wallet", "speech")
    proposed = propose(simulated_minute, tiny_checkpoint, WALLET)
    assert len(proposed) == len(set(proposed)) == 20 and proposed == sorted(proposed)
    assert len(left_out[::5]) > 2 == len(set(proposed) - set(without))
    query = tiny_checkpoint.recall.encode_question(WALLET)
    best = [found for found, _ in simulated_minute.recall(tiny_checkpoint.key, query, 18)]
    assert set(best) <= set(proposed)
