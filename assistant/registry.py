"""The registry: which checkpoints there are by name, and where they lie. Never from the network.

    nano                    came with the program
    0.5b, 7b                LLaVA-OneVision and, in recall/ beside it, the SigLIP that finds keyframes for it
    owner/name              any other repository of the hub
    a folder                anywhere

What was pulled lies in the models folder of the data folder; what the hub's own tools left in their cache is found as
well. A checkpoint is one folder: config.json, tokenizer.json and model*.safetensors, the same three of its recall
encoder in recall/, and for those that were trained here domain.safetensors and salience.safetensors.

Embeddings are kept under `Description.key`, which says nothing of precision: they come from the tower, the projector
and the recall encoder, which no precision quantises, so all give the same but for rounding. This file loads no torch
and does not know how a checkpoint is loaded or pulled.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from assistant.weights import Size, absent_shards, size_of, weight_files
from store.config import data_directory
from store.errors import CheckpointError

NANO = Path(__file__).parent / "nano"
MODEL_TYPE = "llava_onevision"  # of every config.json of a checkpoint
REPAIR = "Install Whereabouts again, or fetch that checkpoint's folder again."
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
HASHED_BLOCKS, BLOCK_BYTES = 64, 1 << 20
UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint of the hub: its repository, its recall encoder's, and the size of both by their architectures."""

    repository: str
    recall: str
    size: Size


LAPTOP_RECALL, RECALL = "google/siglip2-base-patch16-256", "google/siglip-so400m-patch14-384"
PUBLISHED = {
    "0.5b": Published(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf", LAPTOP_RECALL, Size(357_826_560, 911_083_938, 34_048)
    ),
    "7b": Published("llava-hf/llava-onevision-qwen2-7b-ov-hf", RECALL, Size(6_525_288_448, 2_383_024_466, 142_848)),
}
NAMES = ("nano", *PUBLISHED)


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

    @property
    def weights_hash(self) -> str:
        """What an adapter is bound to (adapter.py): the model's own weights as they lie on disk, however they load."""
        return _fingerprint(weight_files(self.folder))

    @property
    def size(self) -> Size:
        """Counts of the model's and the recall encoder's numbers. Raises CheckpointError where a file is damaged."""
        try:
            return size_of([self.folder, self.recall_folder])
        except ValueError as error:
            raise CheckpointError(f"Checkpoint {self.folder} cannot be loaded: {error}.", REPAIR) from error


def describe(name_or_folder: str) -> Description:
    """Find a checkpoint and take its fingerprint, in milliseconds. Raises CheckpointError where a file is missing."""
    name = short_name(name_or_folder)
    called, folder = _find(name)
    files = _files(folder)
    if _model_type(folder) not in ("", MODEL_TYPE):
        hint = f'It can word the answers of another one: write answerer = "{name}" under [model].'
        raise CheckpointError(f"{name} is a {_model_type(folder)}, no checkpoint of its own.", hint)
    recall = _recall_of(name, folder)
    files += _files(recall)
    weights_bytes = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    return Description(called, folder, recall, _fingerprint(files), weights_bytes)


def short_name(name: str) -> str:
    """The name by which a published checkpoint is known here, where its repository is given."""
    return {each.repository: short for short, each in PUBLISHED.items()}.get(name, name)


def models_directory() -> Path:
    """Where pulled checkpoints lie: $XDG_DATA_HOME/whereabouts/models."""
    return data_directory() / "models"


def place_of(name: str) -> Path:
    """The folder that a checkpoint or recall encoder is pulled into."""
    return models_directory() / short_name(name).replace("/", "--")


def unfinished_place_of(name: str) -> Path:
    """Where it lies until it is whole."""
    place = place_of(name)
    return place.with_name(place.name + UNFINISHED)


def pulled_names() -> list[str]:
    """What lies in the models folder, finished or not, under the names by which it is asked for."""
    folders = models_directory().iterdir() if models_directory().is_dir() else ()
    names = {folder.name.removesuffix(UNFINISHED).replace("--", "/") for folder in folders if folder.is_dir()}
    return sorted(names - {LAPTOP_RECALL, RECALL})


def _find(name: str) -> tuple[str, Path]:
    """What a checkpoint is called in the key of its embeddings, and its folder."""
    if name == "nano":
        return name, NANO
    folder = Path(name).expanduser()
    if name not in PUBLISHED and folder.is_dir():
        return folder.resolve().name, folder
    if name not in PUBLISHED and not REPOSITORY.fullmatch(name):
        raise CheckpointError(
            f"No checkpoint {name!r}.",
            f"Give {', '.join(NAMES)}, owner/name of one of the hub, or the path of a checkpoint's folder.",
        )
    found = located(name)
    if found is None:
        raise CheckpointError(f"Checkpoint {name} is not on this machine.", f"Run: whereabouts models pull {name}")
    return place_of(name).name, found


def _recall_of(name: str, folder: Path) -> Path:
    if (folder / "recall").is_dir():
        return folder / "recall"
    repository = PUBLISHED[name].recall if name in PUBLISHED else RECALL
    found = located(repository)
    if found is None:
        hint = f"Run: whereabouts models pull {name if name in PUBLISHED else repository}"
        raise CheckpointError(f"{folder} has no recall/ encoder.", hint)
    return found


def located(name: str) -> Path | None:
    """The folder of what was pulled, else of what lies in the hub's cache."""
    if place_of(name).is_dir():
        return place_of(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = PUBLISHED[name].repository if name in PUBLISHED else name
    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _files(folder: Path) -> list[Path]:
    """What a model is read from, weights last. Raises CheckpointError where any of it is missing."""
    described, weights = [folder / "config.json", folder / "tokenizer.json"], weight_files(folder)
    absent = [path for path in described if not path.is_file()]
    try:
        absent += absent_shards(folder) if weights else [folder / "model.safetensors"]
    except (ValueError, KeyError) as error:
        raise CheckpointError(f"The index of the weights in {folder} is damaged: {error}.", REPAIR) from error
    if absent:
        raise CheckpointError(f"Checkpoint file {absent[0]} is missing.", REPAIR)
    return described + weights


def _model_type(folder: Path) -> str:
    """Nothing where config.json does not say it; what it lacks is told by whoever loads it."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (ValueError, LookupError, TypeError):
        return ""


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
