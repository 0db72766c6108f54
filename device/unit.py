"""The systemd units of the person who records: the recorder, watched, and the indexer, which takes what is left over.

They are the person's own (systemctl --user) and are told apart from nobody else's by name: one recorder a person.
This file does not know how anything is recorded or indexed.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from store.config import config_path
from store.disk import make_private_directory, writing
from store.errors import UserError

RECORDER, INDEXER = "whereabouts.service", "whereabouts-index.service"
SYSTEMCTL_S = 30.0

RECORDER_TEXT = """\
[Unit]
Description=Whereabouts: record what is seen
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=60
ExecStart={command}
# a wrong command stays wrong
Restart=always
RestartPreventExitStatus=2
RestartSec=1
# the process that reads the camera is the recorder's own to end
KillMode=mixed
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""

INDEXER_TEXT = """\
[Unit]
Description=Whereabouts: index what was recorded
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=always
RestartPreventExitStatus=2
RestartSec=30
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def unit_directory() -> Path:
    """$XDG_CONFIG_HOME/systemd/user."""
    return config_path().parent.parent / "systemd" / "user"


def install(directory: Path, command: Sequence[str], uri: str, memory: Path) -> tuple[Path, Path]:
    """Write both units into `directory`; they run `command` (whose first word is an absolute path) on this memory.

    Returns their paths. UserError for a word that no unit can hold, DiskFull where they cannot be written.
    """
    whole = [*command, "--memory", str(memory.absolute())]
    texts = {
        RECORDER: RECORDER_TEXT.format(command=quoted([*whole, "record", uri])),
        INDEXER: INDEXER_TEXT.format(command=quoted([*whole, "index", "--follow"])),
    }
    make_private_directory(directory)
    for name, text in texts.items():
        _write(directory / name, text)
    return directory / RECORDER, directory / INDEXER


def uninstall(directory: Path) -> list[Path]:
    """Remove what `install` wrote; returns what was there."""
    found = [directory / name for name in (RECORDER, INDEXER) if (directory / name).exists()]
    for path in found:
        path.unlink()
    return found


def quoted(words: Sequence[str]) -> str:
    """Words as ExecStart= reads them back: no specifier, variable or escape of theirs is taken for one."""
    for word in words:
        if any(ord(letter) < 32 for letter in word):
            raise UserError(f"{word!r} cannot stand in a systemd unit.", "Give a name without control characters.")
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$"})
    return " ".join(f'"{word.translate(escapes)}"' for word in words)


def start() -> str:
    """Have systemd read the units and run them, now and after every login. Returns "" or what a person has to run."""
    return _systemctl(["daemon-reload"], ["enable", "--now", RECORDER, INDEXER])


def stop() -> str:
    """Have systemd end and forget them; before `uninstall`. Returns "" or what a person has to run."""
    return _systemctl(["disable", "--now", RECORDER, INDEXER])


def _systemctl(*commands: Sequence[str]) -> str:
    for number, words in enumerate(commands):
        command = ["systemctl", "--user", *words]
        if not _runs(command):
            return " && ".join(" ".join(["systemctl", "--user", *each]) for each in commands[number:])
    return ""


def _runs(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, timeout=SYSTEMCTL_S).returncode == 0
    return False


def _write(path: Path, text: str) -> None:
    """All of it or nothing, for nobody else to read: an address may hold a password."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
