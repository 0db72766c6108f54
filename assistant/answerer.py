"""Answerer: any image-text-to-text model of transformers words the answer, from frames that our pointer chose.

    [model] answerer = "Qwen/Qwen2.5-VL-3B-Instruct"     or the path of a folder

It reads each frame's picture behind the wearer's clock, with the words around it, in its own chat template, and is told
what to say of what is not to be seen. Pictures go in one by one, never as a video: a model whose pictures are prepared
with Pillow works as it is, where torchvision is not installed; one that needs torchvision even for pictures says so.

This file does not know pointers, stores or how frames were chosen.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    ProcessorMixin,
    StoppingCriteriaList,
    TextIteratorStreamer,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from assistant.prompt import INSTRUCTION, Shown, trim_transcripts
from assistant.quantisation import SPOKEN_OF, computes_bf16, free_bytes
from assistant.registry import located
from assistant.weights import size_of
from store.errors import CheckpointError
from store.units import say_bytes

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint

LONGEST_PX = 512  # of a picture: Qwen2.5-VL reads one in about as many tokens as LLaVA-OneVision does, 196
HINT = "Give an image-text-to-text model with a processor and a chat template, or leave [model] answerer out."


@dataclass(frozen=True, slots=True)
class Answerer:
    """A loaded model with its processor; `name` as it was asked for."""

    name: str
    model: Any  # a PreTrainedModel that generates; transformers has no type for it
    processor: Any

    @classmethod
    def load(cls, name: str, device: str = "cpu") -> "Answerer":
        """A folder, or a hub id that was fetched before: nothing is downloaded. CheckpointError: it cannot be."""
        folder = _find(name)
        with _blaming(name):
            processor = _processor_class(folder).from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if not processor.chat_template:
                raise ValueError("it has no chat template")
            model: Any = AutoModelForImageTextToText.from_pretrained(
                folder,
                dtype=_dtype(name, folder, device),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
            )
        return cls(name, model.to(device).eval().requires_grad_(False), processor)

    def answer(
        self,
        question: str,
        images: Sequence[np.ndarray],
        shown: Sequence[Shown],
        *,
        not_seen: str,
        transcript_words: int,
        tokens: int,
    ) -> Generator[str, None, tuple[str, float]]:
        """RGB pictures (H, W, 3) uint8 in time order and what is said about each -> pieces of text as they come.

        Returns the whole text and the mean probability of its tokens. CheckpointError: the model failed at it.
        """
        heard = trim_transcripts([each.transcript for each in shown], transcript_words)
        told = [replace(each, transcript=words) for each, words in zip(shown, heard, strict=True)]
        with _blaming(self.name):
            inputs = self._inputs(question, images, told, not_seen)
            said = ""
            spoken = _Spoken(self, inputs, tokens)
            for piece in spoken:
                piece = piece if said else piece.lstrip()
                said += piece
                yield piece
        return said.strip(), spoken.probability

    def _inputs(self, question: str, images: Sequence[np.ndarray], shown: Sequence[Shown], not_seen: str) -> Any:
        content: list[dict[str, object]] = []
        for image, each in zip(images, shown, strict=True):
            content += [{"type": "text", "text": f"{each.clock} "}, {"type": "image", "image": _picture(image)}]
            content += [{"type": "text", "text": f" {self._plain(each.transcript)}\n"}]
        asked = f"{INSTRUCTION.format(not_seen)}\n{self._plain(question)}"
        message = {"role": "user", "content": [*content, {"type": "text", "text": asked}]}
        inputs = self.processor.apply_chat_template(
            [message], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        return inputs.to(self.model.device, dtype=self.model.dtype)  # ids stay integers

    def _plain(self, text: str) -> str:
        """Words in which none of the model's own markers can hide."""
        for marker in self.processor.tokenizer.get_added_vocab():
            text = text.replace(marker, " ")
        return " ".join(text.split())


class _Spoken:
    """Text while a model generates it, greedily, in a thread of its own; whoever stops listening stops it."""

    def __init__(self, answerer: Answerer, inputs: Any, tokens: int) -> None:
        self._answerer, self._inputs, self._tokens = answerer, inputs, tokens
        self._stopped = Event()
        self._error: Exception | None = None
        self._text = TextIteratorStreamer(answerer.processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.probability = 0.0

    def __iter__(self) -> Iterator[str]:
        thread = Thread(target=self._generate, name="answerer", daemon=True)
        thread.start()
        try:
            yield from self._text
        finally:
            self._stopped.set()
            thread.join()
        if self._error:
            raise self._error

    @torch.inference_mode()
    def _generate(self) -> None:
        try:
            model = self._answerer.model
            made = model.generate(
                **self._inputs,
                max_new_tokens=self._tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                streamer=self._text,
                stopping_criteria=StoppingCriteriaList([lambda *_, **__: self._stopped.is_set()]),
                return_dict_in_generate=True,
                output_logits=True,
            )
            chances = torch.stack(made.logits)[:, 0].float().log_softmax(-1)  # (tokens, vocabulary)
            chosen = made.sequences[0, -len(chances) :, None]
            self.probability = math.exp(float(chances.gather(1, chosen).mean()))
        except Exception as error:
            self._error = error
        finally:
            self._text.end()


def with_answerer(checkpoint: "Checkpoint", name: str) -> "Checkpoint":
    """The checkpoint, whose answers are worded by the model of this name, or by itself if that is empty."""
    return replace(checkpoint, answerer=Answerer.load(name, checkpoint.placement.device)) if name else checkpoint


def _find(name: str) -> Path:
    found = located(name)
    if found is None:
        raise CheckpointError(f"The answerer {name!r} is not on this machine.", f"Run: whereabouts models pull {name}")
    return found


def _dtype(name: str, folder: Path, device: str) -> torch.dtype:
    """The best of those in which all of its weights fit into the memory that is left."""
    size, free = size_of([folder]), free_bytes(device)
    needed = (size.linear + size.other) * 2
    if needed > free:
        raise CheckpointError(
            f"{name} needs {say_bytes(needed)}; {say_bytes(free)} of {SPOKEN_OF[device]}'s memory are free.",
            "Name a smaller one, or leave [model] answerer out.",
        )
    is_whole = device == "cpu" and not computes_bf16() and 2 * needed <= free
    return torch.float32 if is_whole else torch.bfloat16


def _processor_class(folder: Path) -> type[ProcessorMixin]:
    """The class of the model's processor, without videos: preparing those needs torchvision."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    whole = PROCESSOR_MAPPING[type(config)]

    class OfPictures(whole):  # type: ignore[misc, valid-type]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [each for each in super().get_attributes() if each != "video_processor"]

    return OfPictures


def _picture(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(image)
    picture.thumbnail((LONGEST_PX, LONGEST_PX))
    return picture


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Whatever a model's own code raises becomes a CheckpointError that names the model."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"The answerer {name} cannot be used: {reason}.", HINT) from error
