"""Checkpoints: how they load and how they are written. Never from the network.

What a folder holds and where it lies the registry knows (registry.py); where and in how many bits it is held is chosen
from the memory that is free (quantisation.py). Everything heavy is imported inside `load` and `save`. This file does
not know what a checkpoint is used for.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.quantisation import Placement, leave_unpacked, loading_options, place
from assistant.registry import REPAIR, Description, describe
from store.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from assistant.answerer import Answerer
    from assistant.domain import Domain
    from assistant.encoder import RecallEncoder
    from assistant.model import MMEgo
    from assistant.salience import Salience
    from store.config import Model


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint: models in evaluation mode, without gradients.

    `pointer_trained` is False for a plain LLaVA-OneVision folder: its pointer is random and its scores mean nothing.
    `answerer` words the answers in its place (assistant/answerer.py).
    """

    description: Description
    placement: Placement
    model: "MMEgo"
    tokenizer: "PreTrainedTokenizerFast"
    recall: "RecallEncoder"
    domain: "Domain | None"
    salience: "Salience | None"
    pointer_trained: bool
    answerer: "Answerer | None" = None

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def fingerprint(self) -> str:
        return self.description.fingerprint

    @property
    def key(self) -> str:
        return self.description.key

    @property
    def not_seen_text(self) -> str:
        """The answer to a question about something that was not seen."""
        return self.model.config.not_seen_text

    @property
    def instruction(self) -> str:
        """What one that nobody trained for this memory is told before each question; nothing for one that was."""
        from assistant.prompt import INSTRUCTION

        return "" if self.pointer_trained else INSTRUCTION.format(self.not_seen_text)


def load(name_or_folder: str, precision: str = "auto", device: str = "") -> Checkpoint:
    """Load a checkpoint where and in what precision it fits (quantisation.py). Raises CheckpointError."""
    found = describe(name_or_folder)  # before torch, which takes seconds: a missing folder is said at once
    placement = place(found.name, found.size, precision, device)
    from assistant import domain, salience
    from assistant.encoder import RecallEncoder, RecallModel
    from assistant.model import MMEgo
    from assistant.prompt import stop_ids

    with _blaming(found.folder):
        model, missing = _load_model(MMEgo, found.folder, loading_options(placement), may_miss={"memory_pointer"})
        leave_unpacked(model, odd_only=True)
        model.config.resampling = _resampling(found.folder)
        tokenizer = _load_tokenizer(found.folder)
        _check_vocabulary(tokenizer, model)
        if not stop_ids(tokenizer):
            raise ValueError("tokenizer.json has no <|im_end|>")
        known = domain.Domain.load(found.folder) if (found.folder / domain.FILE).exists() else None
        read = salience.Salience.load(found.folder) if (found.folder / salience.FILE).exists() else None
    with _blaming(found.recall_folder):
        whole = loading_options(placement) | {"quantization_config": None}
        recall_model, _ = _load_model(RecallModel, found.recall_folder, whole, may_miss=set())
        words = _load_recall_tokenizer(found.recall_folder)
        _check_vocabulary(words, recall_model)
        recall = RecallEncoder(recall_model, words, _resampling(found.recall_folder))
    return Checkpoint(found, placement, model, tokenizer, recall, known, read, pointer_trained=not missing)


def load_to_answer(chosen: "Model") -> Checkpoint:
    """The checkpoint that the settings name, with their adapter and answerer. Raises CheckpointError."""
    from assistant.adapter import with_adapter
    from assistant.answerer import with_answerer

    return with_answerer(with_adapter(load(chosen.checkpoint, chosen.precision), chosen.adapter), chosen.answerer)


def save(
    folder: Path,
    model: "MMEgo",
    tokenizer: "PreTrainedTokenizerFast",
    recall: "RecallEncoder",
    domain: "Domain | None" = None,
) -> None:
    """Write a checkpoint that `load` reads, in half precision; the given models stay as they are."""
    parts = ((folder, model, tokenizer), (folder / "recall", recall.model, recall.tokenizer))
    with _quiet():
        for part, network, words in parts:
            part.mkdir(parents=True, exist_ok=True)
            deepcopy(network).half().save_pretrained(part)
            words.backend_tokenizer.save(str(part / "tokenizer.json"))
    if domain:
        domain.save(folder)


def _load_model(kind: Any, folder: Path, options: dict[str, Any], may_miss: set[str]) -> tuple[Any, set[str]]:
    """A model of class `kind` and the names of tensors that its folder did not hold."""
    with _quiet():
        model, report = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    missing = set(report["missing_keys"])
    if missing - may_miss:
        raise ValueError(f"{len(missing - may_miss)} tensors are missing, among them {min(missing - may_miss)}")
    return model.eval().requires_grad_(False), missing


def _load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def _load_recall_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """With what tokenizer_config.json adds to it, as padding is part of what SigLIP reads."""
    from transformers import PreTrainedTokenizerFast

    with _quiet():
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _check_vocabulary(tokenizer: "PreTrainedTokenizerFast", model: Any) -> None:
    if len(tokenizer) > (vocabulary := model.config.text_config.vocab_size):
        raise ValueError(f"tokenizer.json has {len(tokenizer)} tokens, the model {vocabulary}")


def _resampling(folder: Path) -> int | None:
    """How the model's own processor makes pictures smaller, as Pillow counts; None where it has none."""
    processor = folder / "preprocessor_config.json"
    from PIL.Image import Resampling

    named = json.loads(processor.read_text(encoding="utf-8")).get("resample") if processor.exists() else None
    return None if named is None else int(Resampling(named))


@contextmanager
def _blaming(folder: Path) -> Iterator[None]:
    """Whatever the loading libraries raise, and they raise everything, becomes a CheckpointError naming the folder."""
    try:
        yield
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"Checkpoint {folder} cannot be loaded: {reason}.", REPAIR) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and reports, which would be drawn over the screen."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
