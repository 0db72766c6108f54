"""The sequence that a language model reads: frames, their times and transcripts interleaved, then the question.

    <|im_start|>user
    08:14:05 [visual tokens] words heard then
    08:14:09 [visual tokens]
    where did i put my wallet?<|im_end|>
    <|im_start|>assistant

The markers are ChatML, as LLaVA-OneVision's Qwen2 was trained. Only transcripts are ever shortened; the question is
not. This file knows no tensors and no model; visual tokens are slots that the model fills.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

UNKNOWN = "<unk>"
INSTRUCTION = (
    "These pictures are in the order in which I saw them, each behind its time. Answer in one short sentence, only "
    "from what they show. If they do not show it, answer exactly: {}"
)
TURN_START, TURN_END, TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is said about one frame: the wearer's clock ("08:14:05") and the words heard then, if any."""

    clock: str
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class FrameSlot:
    """The place of the visual tokens of the index-th shown frame."""

    index: int


Piece = str | FrameSlot
TokenisedPiece = list[int] | FrameSlot


def glimpse_text(question: str) -> str:
    """The question as it stands between the compressed frames and the pointer."""
    return _plain(question)


def fallback_pieces(
    question: str, frames: Sequence[Shown], transcript_words: int, instruction: str = ""
) -> list[Piece]:
    """The whole sequence up to the answer; all transcripts together keep at most `transcript_words` words.

    `instruction` stands before the question, for a model that was not trained to answer this way.
    """
    heard = trim_transcripts([_plain(frame.transcript) for frame in frames], transcript_words)
    pieces: list[Piece] = []
    text = f"{TURN_START}user\n"
    for index, frame in enumerate(frames):
        pieces += [f"{text}{frame.clock} ", FrameSlot(index)]
        text = f" {heard[index]}\n" if heard[index] else "\n"
    asked = f"{instruction}\n{_plain(question)}" if instruction else _plain(question)
    return [*pieces, f"{text}{asked}{TURN_END}\n{TURN_START}assistant\n"]


def trim_transcripts(transcripts: Sequence[str], words: int) -> list[str]:
    """Cut transcripts to `words` words in all, the longest first, so that a short one is never cut for a long one."""
    kept = [text.split() for text in transcripts]
    waiting = sorted((len(spoken), index) for index, spoken in enumerate(kept))
    for done, (length, index) in enumerate(waiting):
        share = min(length, words // (len(waiting) - done))
        kept[index] = kept[index][:share]
        words -= share
    return [" ".join(spoken) for spoken in kept]


def tokenise(pieces: Sequence[Piece], tokenizer: PreTrainedTokenizerFast) -> list[TokenisedPiece]:
    """Text pieces become token ids; slots stay."""
    return [piece if isinstance(piece, FrameSlot) else token_ids(piece, tokenizer) for piece in pieces]


def token_ids(text: str, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The ids of exactly this text, nothing added before or after it."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def stop_ids(tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """The ids that end an answer; empty where the tokenizer has no ChatML markers."""
    ids = [tokenizer.backend_tokenizer.token_to_id(marker) for marker in (TURN_END, TEXT_END)]
    return frozenset(token for token in ids if token is not None)


def answer_text(ids: Sequence[int], tokenizer: PreTrainedTokenizerFast) -> str:
    """The text of an answer's ids. The text of a beginning is a beginning of the text, whole characters only."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True)).rstrip("\ufffd").strip()


def build_word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of whole lower-case words, for checkpoints too small to learn spelling.

    Punctuation stands alone and digits go in pairs, so that "8:14" reads 08 : 14; pairs above 59 are unknown.
    """
    specials = [UNKNOWN, TURN_START, TURN_END, TEXT_END]
    pairs = [f"{number:02}" for number in range(60)]
    known = dict.fromkeys([*specials, *".,:;?!'\"()-/", *pairs, "user", "assistant", *sorted(map(str.lower, words))])
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(known)}, unk_token=UNKNOWN))
    lonely_digit = Regex(r"(?<!\d)(?=\d(?!\d))")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(lonely_digit, "0")])
    one_word = Regex(r"\d{1,2}|[^\W\d_]+|[^\w\s]|_")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(one_word, "removed", invert=True)
    before_punctuation, inside_a_word = Regex(r" (?=[.,:;?!')])"), Regex(r"(?<=\d:|[a-z]'|\() (?=\S)")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),
            decoders.Fuse(),
            decoders.Replace(before_punctuation, ""),
            decoders.Replace(inside_a_word, ""),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(special, special=True, normalized=False) for special in specials])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def unknown_words(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The words of `text` that the tokenizer has never seen, each once, as written; none for byte-level tokenizers."""
    unknown = getattr(tokenizer.backend_tokenizer.model, "unk_token", None)
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    spans = [span for token, span in zip(encoding.tokens, encoding.offsets, strict=True) if token == unknown]
    return list(dict.fromkeys(text[start:end] for start, end in spans))


def _plain(text: str) -> str:
    """Words on one line in which no marker can hide: what is heard or asked must not end its own turn."""
    return " ".join(text.replace("<|", "< |").split())
