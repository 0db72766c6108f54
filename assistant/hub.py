"""The hub: what a repository consists of, and the bytes of its files. No other file of this program uses a network
but for cameras.

    with online("7b"):
        files = needed_of(ask("owner/name"), "owner/name", "")      with their sizes and checksums
        fetch(files[0], part, progress)                             its bytes, from where they broke off

Whatever answers in the hub's place, such as the page that a hotel's network shows to who has not logged in, becomes a
CheckpointError and changes nothing of what has come. This file does not know where checkpoints lie.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from http.client import PARTIAL_CONTENT
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import CheckpointError

if TYPE_CHECKING:
    from httpx2 import Response
    from huggingface_hub.hf_api import ModelInfo

WEIGHTS = "model*.safetensors"
NEEDED = (
    *("*config.json", "tokenizer.json", "special_tokens_map.json", "chat_template.*"),
    *(WEIGHTS, "model.safetensors.index.json", "domain.safetensors", "salience.safetensors"),
)
BLOCK_BYTES = 1 << 20
TRIES, PAUSE_S, PATIENCE_S = 5, 2.0, 30.0
KEPT = "What has come so far is kept: run the same again later."

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the hub: where it is there, its name in the folder, and what it has to be. `checksum` is of the kind
    that the hub has of it (checksums.py)."""

    repository: str
    commit: str
    path: str
    name: str
    size_bytes: int
    checksum: str


@contextmanager
def online(name: str) -> Iterator[None]:
    """Inside the block the hub may be asked for `name`; what it or the way to it raises becomes a CheckpointError.

    It is not told what else is installed here.
    """
    import httpx2
    from huggingface_hub import constants, errors

    before = constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = False, True
    try:
        yield
    except errors.GatedRepoError as error:
        hint = "Accept the conditions on its page there, and log in here: hf auth login"
        raise CheckpointError(f"The hub gives {name} only to those who accepted its conditions.", hint) from error
    except errors.RepositoryNotFoundError as error:
        hint = "Correct the name; for what is private, log in first: hf auth login"
        raise CheckpointError(f"The hub knows no {name}.", hint) from error
    except errors.HfHubHTTPError as error:
        raise CheckpointError(f"The hub refuses {name}: {_line(error)}", KEPT) from error
    except httpx2.HTTPError as error:
        raise CheckpointError(f"{constants.ENDPOINT} cannot be reached: {_line(error)}.", KEPT) from error
    finally:
        constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = before


def ask(repository: str) -> "ModelInfo":
    """What the hub says of a repository."""
    from huggingface_hub import HfApi

    try:
        return HfApi().model_info(repository, files_metadata=True, timeout=PATIENCE_S)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _no_hub() from error


def needed_of(told: "ModelInfo", repository: str, below: str) -> list[Wanted]:
    """The files that a checkpoint is read from. Raises CheckpointError where it has no weights, or no checksums."""
    needed = [each for each in told.siblings or () if is_needed(each.rfilename)]
    if not any(fnmatch(each.rfilename, WEIGHTS) for each in needed):
        raise CheckpointError(f"{repository} has no safetensors weights.", "Choose one that has.")
    wanted = [
        Wanted(
            repository,
            told.sha or "main",
            each.rfilename,
            below + each.rfilename,
            each.size or 0,
            (each.lfs.sha256 if each.lfs else each.blob_id) or "",
        )
        for each in needed
    ]
    if unknown := [each.path for each in wanted if not (each.size_bytes and each.checksum)]:
        message = f"The hub lacks the size or checksum of {unknown[0]} of {repository}."
        raise CheckpointError(message, "Without them nothing can be checked: choose another.")
    return wanted


def is_needed(path: str) -> bool:
    """Whether a checkpoint is read from a file of this name."""
    name = path.removeprefix("recall/")
    return "/" not in name and any(fnmatch(name, pattern) for pattern in NEEDED)


def fetch(wanted: Wanted, part: Path, progress: Progress) -> None:
    """Fetch the rest of a file. A connection that breaks off is taken up again, as long as it brings anything."""
    import httpx2

    part.touch()
    failures = 0
    while (have_bytes := part.stat().st_size) < wanted.size_bytes:
        try:
            _fetch_on(wanted, part, have_bytes, progress)
        except httpx2.TransportError:
            failures = 1 if part.stat().st_size > have_bytes else failures + 1
            if failures >= TRIES:
                raise
            time.sleep(PAUSE_S)


def _fetch_on(wanted: Wanted, part: Path, have_bytes: int, progress: Progress) -> None:
    import httpx2
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    url = hf_hub_url(wanted.repository, wanted.path, revision=wanted.commit)
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if have_bytes:
        headers["Range"] = f"bytes={have_bytes}-"
    with get_session().stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer, part.open("ab") as file:
        hf_raise_for_status(answer)
        at = have_bytes if answer.status_code == PARTIAL_CONTENT else 0  # others send all of it, whatever was asked
        _check_kind(answer, wanted.size_bytes - at)
        for block in answer.iter_bytes(BLOCK_BYTES):
            new = block[max(0, have_bytes - at) :]
            at += len(block)
            if at > wanted.size_bytes:
                raise _no_hub()
            file.write(new)
            progress(len(new))
        if at < wanted.size_bytes:
            raise httpx2.RemoteProtocolError("it broke off")


def _check_kind(answer: "Response", expected_bytes: int) -> None:
    """Before anything is written: a page, or what says that it has another length, is not the file."""
    length, kind = answer.headers.get("Content-Length"), answer.headers.get("Content-Type", "")
    if kind.startswith("text/html") or length not in (None, str(expected_bytes)):
        raise _no_hub()


def _no_hub() -> CheckpointError:
    from huggingface_hub import constants

    hint = f"Is there a page on which this network wants a login? {KEPT}"
    return CheckpointError(f"What answers at {constants.ENDPOINT} is no hub.", hint)


def _line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())
