"""LoRA for checkpoints too big to train whole: small matrices beside the language model's own, which stay as they are.

A model with adapters is still an MMEgo, and the trainer trains it as it is: what learns are the adapters, the memory
pointer and the projector. A base that was loaded in 4 or 8 bit (QLoRA) is prepared for it. `save_adapters` writes only
what learns; `merge_adapters` folds the adapters into the weights, after which the model is written as any other.

This file does not know what is trained, or how.
"""

import json
from pathlib import Path
from typing import Any

from peft import LoraConfig, inject_adapter_in_model, prepare_model_for_kbit_training
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from assistant.model import MMEgo
from store.errors import CheckpointError

FILE = "adapters.safetensors"
ADAPTED = r"model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
NAME, HEADER = "default", "lora"


def add_adapters(model: MMEgo, rank: int, alpha: int, dropout: float) -> None:
    """Put LoRA beside every linear layer of attention and MLP; nothing else learns but the pointer and the projector.

    New adapters change no output: their second matrix is zero.
    """
    if getattr(model, "is_quantized", False):
        prepare_model_for_kbit_training(model, gradient_checkpointing_kwargs={"use_reentrant": False})
    model.requires_grad_(False)
    chosen = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=ADAPTED)
    inject_adapter_in_model(chosen, model, NAME)
    model.memory_pointer.requires_grad_(True)
    model.model.multi_modal_projector.requires_grad_(True)
    model.train(model.training)  # the new layers too


def save_adapters(model: MMEgo, folder: Path) -> None:
    """Write what learns of a model with adapters to `folder`, in the precision that it is in."""
    chosen: Any = model.peft_config[NAME]
    settings = {"rank": chosen.r, "alpha": chosen.lora_alpha, "dropout": chosen.lora_dropout}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _learning(model).items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / FILE, metadata={HEADER: json.dumps(settings)})


def load_adapters(model: MMEgo, folder: Path) -> None:
    """Add to a model without adapters what `save_adapters` wrote. Raises CheckpointError where they do not fit."""
    with safe_open(folder / FILE, "pt") as file:
        settings = json.loads(file.metadata()[HEADER])
    add_adapters(model, **settings)
    tensors, learning = load_file(folder / FILE), _learning(model)
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: own.shape for name, own in learning.items()}:
        raise CheckpointError(f"The adapters in {folder} are of another model.", "Give the checkpoint they grew on.")
    for name, tensor in tensors.items():
        learning[name].data.copy_(tensor)


def merge_adapters(model: MMEgo) -> None:
    """Fold the adapters into the weights beside them; what is left is a model without any."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge(safe_merge=True)
            model.set_submodule(name, layer.get_base_layer())
    del model.peft_config


def _learning(model: MMEgo) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
