"""Checkpoints: where they are, whether they are whole, and how they load. Never from the network.

A checkpoint is one folder: config.json, model.safetensors and tokenizer.json of MMEgo, the same three of its recall
encoder in recall/, domain.safetensors and salience.safetensors. "nano" comes with the program; "0.5b" and "7b" are
LLaVA-OneVision as the hub's own tool left it in its cache, together with a SigLIP, because such folders bring no
recall/ of their own.

`describe` answers without loading torch, so everything heavy is imported inside `load` and `save`. This file does not
know what a checkpoint is used for.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from assistant.domain import Domain
    from assistant.encoder import RecallEncoder
    from assistant.model import MMEgo
    from assistant.salience import Salience

NANO = Path(__file__).parent / "nano"
HUB = {"0.5b": "llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "7b": "llava-hf/llava-onevision-qwen2-7b-ov-hf"}
HUB_RECALL = "google/siglip-so400m-patch14-384"
REPAIR = "Install Whereabouts again, or fetch that checkpoint's folder again."
HASHED_BLOCKS, BLOCK_BYTES = 64, 1 << 20


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a checkpoint before it is loaded."""

    name: str
    folder: Path
    recall_folder: Path
    fingerprint: str
    weights_bytes: int

    @property
    def key(self) -> str:
        """The name under which the store keeps this checkpoint's embeddings, usable as a folder name."""
        return f"{self.name}-{self.fingerprint}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint: models in evaluation mode, without gradients.

    `pointer_trained` is False for a plain LLaVA-OneVision folder: its pointer is random and its scores mean nothing.
    """

    description: Description
    model: "MMEgo"
    tokenizer: "PreTrainedTokenizerFast"
    recall: "RecallEncoder"
    domain: "Domain | None"
    salience: "Salience | None"
    pointer_trained: bool

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


def describe(name_or_folder: str) -> Description:
    """Find a checkpoint and take its fingerprint, in milliseconds. Raises CheckpointError where a file is missing."""
    folder = _find(name_or_folder)
    files = _files(folder)
    recall = folder / "recall"
    if not recall.is_dir():
        recall = _cached(HUB_RECALL, f"{folder} has no recall/ encoder.")
    files += _files(recall)
    weights_bytes = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    name = name_or_folder if name_or_folder in HUB else folder.resolve().name
    return Description(name, folder, recall, _fingerprint(files), weights_bytes)


def load(name_or_folder: str, device: str = "cpu") -> Checkpoint:
    """Load a checkpoint: in fp32 on the CPU, elsewhere as it lies on disk. Raises CheckpointError."""
    found = describe(name_or_folder)  # before torch, which takes seconds: a missing folder is said at once
    from assistant import domain, salience
    from assistant.encoder import RecallEncoder, RecallModel
    from assistant.model import MMEgo
    from assistant.prompt import stop_ids

    with _blaming(found.folder):
        model, missing = _load_model(MMEgo, found.folder, device, may_miss={"memory_pointer"})
        tokenizer = _load_tokenizer(found.folder, model.config.text_config.vocab_size)
        if not stop_ids(tokenizer):
            raise ValueError("tokenizer.json has no <|im_end|>")
        known = domain.Domain.load(found.folder) if (found.folder / domain.FILE).exists() else None
        read = salience.Salience.load(found.folder) if (found.folder / salience.FILE).exists() else None
    with _blaming(found.recall_folder):
        recall_model, _ = _load_model(RecallModel, found.recall_folder, device, may_miss=set())
        vocabulary = recall_model.config.text_config.vocab_size
        recall = RecallEncoder(recall_model, _load_tokenizer(found.recall_folder, vocabulary))
    return Checkpoint(found, model, tokenizer, recall, known, read, pointer_trained=not missing)


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


def _find(name_or_folder: str) -> Path:
    if name_or_folder == "nano":
        return NANO
    if name_or_folder in HUB:
        return _cached(HUB[name_or_folder], f"Checkpoint {name_or_folder} is not on this machine.")
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        known = ", ".join(["nano", *HUB])
        raise CheckpointError(
            f"No checkpoint {name_or_folder!r}.", f"Give {known} or the path of a checkpoint's folder."
        )
    return folder


def _cached(repository: str, complaint: str) -> Path:
    """The folder of a hub repository that was downloaded before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise CheckpointError(complaint, f"Run: hf download {repository}") from error


def _files(folder: Path) -> list[Path]:
    """What a model is read from, weights last. Raises CheckpointError where any of it is missing."""
    described = [folder / "config.json", folder / "tokenizer.json"]
    weights = sorted(path for path in folder.glob("model*.safetensors"))
    absent = [path for path in described if not path.is_file()] + ([] if weights else [folder / "model.safetensors"])
    if absent:
        raise CheckpointError(f"Checkpoint file {absent[0]} is missing.", REPAIR)
    return described + weights


def _fingerprint(files: list[Path]) -> str:
    """Twelve hex digits over the files; of one above 64 MiB, over 64 blocks spread evenly, as 15 GB take a minute."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for offset in range(0, size, max(size // HASHED_BLOCKS, BLOCK_BYTES)):
                file.seek(offset)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()[:12]


def _load_model(kind: Any, folder: Path, device: str, may_miss: set[str]) -> tuple[Any, set[str]]:
    """A model of class `kind` and the names of tensors that its folder did not hold."""
    with _quiet():
        model, report = kind.from_pretrained(
            folder,
            dtype="float32" if device == "cpu" else "auto",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    missing = set(report["missing_keys"])
    if missing - may_miss:
        raise ValueError(f"{len(missing - may_miss)} tensors are missing, among them {min(missing - may_miss)}")
    return model.to(device).eval().requires_grad_(False), missing


def _load_tokenizer(folder: Path, vocabulary: int) -> "PreTrainedTokenizerFast":
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    if len(tokenizer) > vocabulary:
        raise ValueError(f"tokenizer.json has {len(tokenizer)} tokens, the model {vocabulary}")
    return tokenizer


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
