"""The registry: which checkpoints there are by name, and where they lie. Never from the network.

    nano                    came with the program
    0.5b, 7b                LLaVA-OneVision and, in recall/ beside it, the SigLIP that finds keyframes for it
    owner/name              any other repository of the hub
    a folder                anywhere, by its path

A name means what was pulled under it or lies in the hub's cache, and a folder only where there is none of those: to
mean a folder me/mine beside a pulled me/mine, write ./me/mine. What was pulled lies in the models folder of the data
folder. A checkpoint is one folder: config.json, tokenizer.json and model*.safetensors, the same three of its recall
encoder in recall/, and for those that were trained here domain.safetensors and salience.safetensors.

Embeddings are kept under `Description.key`, which says nothing of precision: they come from the tower, the projector
and the recall encoder, which no precision quantises, so all give the same but for rounding. This file loads no torch
and does not know how a checkpoint is loaded or pulled.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.weights import Size, absent_shards, size_of, weight_files
from store.config import data_directory
from store.errors import CheckpointError

NANO = Path(__file__).parent / "nano"
MODEL_TYPE = "llava_onevision"  # of every config.json of a checkpoint
REPAIR = "Install Whereabouts again, or fetch that checkpoint's folder again."
PART = r"\w(?:[\w.-]{0,94}\w)?"  # of a name: as the hub has it, and so that no name leads out of the models folder
REPOSITORY = re.compile(rf"(?!.*(?:--|\.\.|\.git$|\.part$)){PART}/{PART}", re.ASCII)
HASHED_BLOCKS, BLOCK_BYTES = 64, 1 << 20
UNFINISHED = ".part"


class NotAlone(CheckpointError):
    """It is whole, but no checkpoint of its own: an answerer, or a recall encoder."""


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
        with _readable(self.folder):
            return _fingerprint(weight_files(self.folder))

    @property
    def size(self) -> Size:
        """Counts of the model's and the recall encoder's numbers. Raises CheckpointError where a file is damaged."""
        with _readable(self.folder):
            return size_of([self.folder, self.recall_folder])


def describe(name_or_folder: str) -> Description:
    """Find a checkpoint and take its fingerprint, in milliseconds. Raises CheckpointError where a file is missing."""
    name = short_name(name_or_folder)
    folder = located(name)
    if folder is None:
        place_of(name)  # raises where it is not even a name
        raise CheckpointError(f"Checkpoint {name} is not on this machine.", f"Run: whereabouts models pull {name}")
    with _readable(folder):
        files = _files(folder)
        if _model_type(folder) not in ("", MODEL_TYPE):
            hint = f'It can word the answers of another one: write answerer = "{name}" under [model].'
            raise NotAlone(f"{name} is a {_model_type(folder)}, no checkpoint of its own.", hint)
        recall = _recall_of(name, folder)
        files += _files(recall)
        weights_bytes = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
        return Description(_called(name, folder), folder, recall, _fingerprint(files), weights_bytes)


def short_name(name: str) -> str:
    """The name by which a published checkpoint is known here, where its repository is given."""
    return {each.repository: short for short, each in PUBLISHED.items()}.get(name, name)


def models_directory() -> Path:
    """Where pulled checkpoints lie: $XDG_DATA_HOME/whereabouts/models."""
    return data_directory() / "models"


def is_name(name: str) -> bool:
    """Whether something can be pulled under it."""
    return name in PUBLISHED or REPOSITORY.fullmatch(name) is not None


def place_of(name: str) -> Path:
    """The folder that a checkpoint or recall encoder is pulled into. Raises CheckpointError where that is no name."""
    short = short_name(name)
    if not is_name(short):
        raise CheckpointError(
            f"No checkpoint {name!r}.",
            f"Give {', '.join(NAMES)}, owner/name of one of the hub, or the path of a checkpoint's folder.",
        )
    return models_directory() / short.replace("/", "--")


def unfinished_place_of(name: str) -> Path:
    """Where it lies until it is whole."""
    place = place_of(name)
    return place.with_name(place.name + UNFINISHED)


def pulled_names() -> list[str]:
    """What lies in the models folder, finished or not, under the names by which it is asked for."""
    folders = models_directory().iterdir() if models_directory().is_dir() else ()
    names = {folder.name.removesuffix(UNFINISHED).replace("--", "/") for folder in folders if folder.is_dir()}
    return sorted(filter(is_name, names))


def located(name: str) -> Path | None:
    """The folder that a name means: what was pulled, else what lies in the hub's cache, else the folder of that path.

    Raises nothing, whatever the name.
    """
    name = short_name(name)
    if name == "nano":
        return NANO
    if is_name(name) and (found := _pulled_or_cached(name)):
        return found
    folder = os.path.expanduser(name)
    return Path(folder) if name not in PUBLISHED and os.path.isdir(folder) else None


def _pulled_or_cached(name: str) -> Path | None:
    if os.path.isdir(place_of(name)):
        return place_of(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(PUBLISHED[name].repository if name in PUBLISHED else name, local_files_only=True))
    except OSError:  # LocalEntryNotFoundError is one
        return None


def _called(name: str, folder: Path) -> str:
    """What a checkpoint is called in the key of its embeddings."""
    is_path = folder in (NANO, Path(os.path.expanduser(name)))
    return folder.resolve().name if is_path else place_of(name).name


def _recall_of(name: str, folder: Path) -> Path:
    if (folder / "recall").is_dir():
        return folder / "recall"
    repository = PUBLISHED[name].recall if name in PUBLISHED else RECALL
    found = located(repository)
    if found is None:
        hint = f"Run: whereabouts models pull {name if name in PUBLISHED else repository}"
        raise CheckpointError(f"{folder} has no recall/ encoder.", hint)
    return found


def _files(folder: Path) -> list[Path]:
    """What a model is read from, weights last. Raises CheckpointError where any of it is missing."""
    described, weights = [folder / "config.json", folder / "tokenizer.json"], weight_files(folder)
    absent = [path for path in described if not path.is_file()]
    absent += absent_shards(folder) if weights else [folder / "model.safetensors"]
    if absent:
        raise CheckpointError(f"Checkpoint file {absent[0]} is missing.", REPAIR)
    prepared = folder / "preprocessor_config.json"  # how pictures are made smaller, where it says so
    return described + [prepared] * prepared.is_file() + weights


def _model_type(folder: Path) -> str:
    """Nothing where config.json does not say it; what it lacks is told by whoever loads it."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (ValueError, LookupError, TypeError):
        return ""


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """What reading a damaged or forbidden checkpoint raises becomes a CheckpointError that names its folder."""
    try:
        yield
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"Checkpoint {folder} cannot be loaded: {error}.", REPAIR) from error


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
