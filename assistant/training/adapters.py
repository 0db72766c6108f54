"""What learns when a base too big to train whole is given a pointer: LoRA beside its language model, and the pointer.

A base that was loaded in 4 or 8 bit (QLoRA) needs nothing else: its weights are never touched, what learns is kept in
fp32, and activations are computed twice rather than kept. This file does not know what is trained, or how.
"""

import torch

from assistant.adapter import put_beside
from assistant.model import MMEgo
from assistant.quantisation import leave_unpacked


def add_adapters(model: MMEgo, rank: int, alpha: int) -> None:
    """Put LoRA beside every linear layer of attention and MLP; nothing else learns but the pointer.

    New adapters change no output.
    """
    model.requires_grad_(False)
    leave_unpacked(model)
    put_beside(model, rank, alpha, torch.float32)
    model.memory_pointer.data = model.memory_pointer.data.float()
    model.memory_pointer.requires_grad_(True)
    model.model.language_model.activation_checkpointing_enable()
    model.train(model.training)  # the new layers too
