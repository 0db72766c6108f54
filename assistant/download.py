"""Download: a checkpoint from the hub into the models folder. The only file of this program that uses the network.

    plan = plan_pull("7b")          what the hub has of it, its sizes and checksums
    pull(plan, progress)            what is not there yet, each file checked, then the folder under its name

A new one lies in NAME.part until all of it is whole, so whoever finds the folder finds a checkpoint; one that is there
is brought up to date, file by file. What came before an interruption is gone on from, and what is there and whole is
not fetched again. The hub's own downloader would start a file of 5 GB anew after every interruption.

This file does not know which checkpoint is used, nor how progress is shown.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from http.client import PARTIAL_CONTENT
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.checksums import FILE as SUMS
from assistant.checksums import digests_of, write_sums
from assistant.registry import MODEL_TYPE, PUBLISHED, RECALL, place_of, short_name, unfinished_place_of
from store.disk import disk_full, sync_disk, writing
from store.errors import CheckpointError
from store.units import say_bytes

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

NEEDED = (
    *("*config.json", "tokenizer.json", "special_tokens_map.json", "chat_template.*"),
    *("model*.safetensors", "model.safetensors.index.json", "domain.safetensors", "salience.safetensors"),
)
PARTIAL = ".partial"
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A checkpoint to pull: all of its files."""

    name: str
    files: tuple[Wanted, ...]

    @property
    def total_bytes(self) -> int:
        return sum(each.size_bytes for each in self.files)

    @property
    def missing_bytes(self) -> int:
        """What is still to come, as far as sizes tell."""
        return sum(max(0, each.size_bytes - _present_bytes(each, self.folder)) for each in self.files)

    @property
    def folder(self) -> Path:
        """Where it comes into."""
        return place if (place := place_of(self.name)).is_dir() else unfinished_place_of(self.name)


def plan_pull(name: str) -> Plan:
    """Ask the hub what a checkpoint and the recall encoder beside it consist of. Raises CheckpointError.

    What is no LLaVA-OneVision can be an answerer (answerer.py) or a recall encoder, and comes alone.
    """
    short = short_name(name)
    repository = PUBLISHED[short].repository if short in PUBLISHED else short
    with _online(short):
        told = _ask(repository)
        files = _needed_of(told, repository, "")
        has_recall = any(each.name.startswith("recall/") for each in files)
        if not has_recall and (told.config or {}).get("model_type") == MODEL_TYPE:
            recall = PUBLISHED[short].recall if short in PUBLISHED else RECALL
            files += _needed_of(_ask(recall), recall, "recall/")
    return Plan(short, tuple(files))


def pull(plan: Plan, progress: Progress) -> Path:
    """Fetch what is missing and hand back the folder; `progress` hears of the bytes, those that are there included.

    Raises DiskFull where there is no room for it, CheckpointError where the hub or what it sends is at fault.
    """
    folder = plan.folder
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        missing, free = plan.missing_bytes, shutil.disk_usage(folder).free
        if missing > free:
            raise disk_full(folder, f"{say_bytes(missing)} are still to come and {say_bytes(free)} are free")
        with _online(plan.name):
            sums = {each.name: _fetch_whole(each, folder, progress) for each in plan.files}
        _clear(folder, {*sums, SUMS})
        write_sums(folder, sums)
        sync_disk(folder)
        return folder.rename(place_of(plan.name))


@contextmanager
def _online(name: str) -> Iterator[None]:
    """Inside the block the hub may be asked for `name`; what it or the way to it raises becomes a CheckpointError."""
    import httpx2
    from huggingface_hub import constants, errors

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
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
        constants.HF_HUB_OFFLINE = before


def _ask(repository: str) -> "ModelInfo":
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        return HfApi().model_info(repository, files_metadata=True, timeout=PATIENCE_S)
    except HFValidationError as error:
        raise CheckpointError(f"{repository!r} is no name of the hub's.", "Give it as owner/name.") from error


def _needed_of(told: "ModelInfo", repository: str, below: str) -> list[Wanted]:
    needed = [each for each in told.siblings or () if _is_needed(each.rfilename)]
    if not any(each.rfilename.startswith("model") for each in needed):
        raise CheckpointError(f"{repository} has no safetensors weights.", "Choose one that has.")
    return [
        Wanted(
            repository,
            told.sha or "main",
            each.rfilename,
            below + each.rfilename,
            each.size or 0,
            each.lfs.sha256 if each.lfs else each.blob_id or "",
        )
        for each in needed
    ]


def _is_needed(path: str) -> bool:
    name = path.removeprefix("recall/")
    return "/" not in name and any(fnmatch(name, pattern) for pattern in NEEDED)


def _fetch_whole(wanted: Wanted, folder: Path, progress: Progress) -> str:
    """The SHA-256 of a file that is there afterwards, and right."""
    path, part = folder / wanted.name, _partial(wanted, folder)
    if path.is_file() and path.stat().st_size == wanted.size_bytes:
        found = digests_of(path)
        if found.match(wanted.checksum):
            progress(wanted.size_bytes)
            return found.sha256
    path.parent.mkdir(exist_ok=True)
    if part.exists():
        progress(part.stat().st_size)
    _fetch(wanted, part, progress)
    found = digests_of(part)
    if not found.match(wanted.checksum):
        part.unlink()
        raise CheckpointError(
            f"{wanted.path} of {wanted.repository} came damaged: its checksum is not {wanted.checksum}.",
            "It was removed; run the same again.",
        )
    part.rename(path)
    return found.sha256


def _fetch(wanted: Wanted, part: Path, progress: Progress) -> None:
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
        else:
            break  # what it lacks by now its checksum tells


def _fetch_on(wanted: Wanted, part: Path, have_bytes: int, progress: Progress) -> None:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    url = hf_hub_url(wanted.repository, wanted.path, revision=wanted.commit)
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if have_bytes:
        headers["Range"] = f"bytes={have_bytes}-"
    with get_session().stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer, part.open("ab") as file:
        hf_raise_for_status(answer)
        if have_bytes and answer.status_code != PARTIAL_CONTENT:  # all of it, whatever was asked
            file.truncate(0)
            progress(-have_bytes)
        for block in answer.iter_bytes(BLOCK_BYTES):
            file.write(block)
            progress(len(block))


def _partial(wanted: Wanted, folder: Path) -> Path:
    """Named by its checksum: what has come of another version is not gone on from."""
    return folder / f"{wanted.name}.{wanted.checksum[:12]}{PARTIAL}"


def _present_bytes(wanted: Wanted, folder: Path) -> int:
    paths = (folder / wanted.name, _partial(wanted, folder))
    return max((path.stat().st_size for path in paths if path.is_file()), default=0)


def _clear(folder: Path, kept: set[str]) -> None:
    """Remove what an older version had and this one has not; what a person put there stays."""
    for path in (each for each in folder.rglob("*") if each.is_file()):
        name = str(path.relative_to(folder))
        if name not in kept and (name.endswith(PARTIAL) or _is_needed(name)):
            path.unlink()


def _line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())
