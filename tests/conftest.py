"""What several tests share: a tiny checkpoint with random weights, and a recorded simulated minute."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from assistant import checkpoints, prompt
from assistant.checkpoints import Checkpoint
from assistant.encoder import RecallEncoder, RecallModel
from assistant.model import MMEgo
from assistant.training.grammar import vocabulary_words
from assistant.training.nano import model_config, recall_config
from assistant.training.recipe import Recipe
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from device.simulated.episodes import VOCABULARY
from store.config import Capture
from store.episodic import EpisodicStore

TINY = replace(
    Recipe(),
    picture_px=64,
    stem_channels=(8, 8, 16),
    tower_width=16,
    tower_layers=1,
    tower_heads=4,
    width=24,
    layers=3,
    heads=2,
    key_value_heads=1,
)


@pytest.fixture(scope="session", autouse=True)
def keys_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the keys and settings of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
            patch.setenv(variable, str(tmp_path_factory.mktemp(variable.lower())))
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        yield


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    return TINY


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of the nano's own shape, far smaller and untrained."""
    torch.manual_seed(0)
    tokenizer = prompt.build_word_tokenizer(
        vocabulary_words({name: tuple(map(str, v)) for name, v in VOCABULARY.items()})
    )
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    recall = RecallEncoder(RecallModel(recall_config(TINY, tokenizer)), tokenizer)
    checkpoints.save(folder, MMEgo(model_config(TINY, tokenizer)), tokenizer, recall)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_folder: Path) -> Checkpoint:
    return checkpoints.load(str(tiny_folder))


@pytest.fixture
def simulated_minute(tmp_path: Path) -> Iterator[EpisodicStore]:
    """A memory that holds one simulated minute, recorded by the real recorder and not yet indexed."""
    with EpisodicStore.open(tmp_path / "memory") as store:
        record(store, SimulatedCamera(7, 1.0, 1.0, width_px=160, height_px=120), Capture())
        yield store
