"""The systemd units, as systemd itself reads them."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from device.unit import INDEXER, RECORDER, install, quoted, uninstall, unit_directory
from store.errors import UserError

COMMAND = ["/usr/bin/env", "whereabouts"]


def test_the_units_lie_where_systemd_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert unit_directory() == tmp_path / "systemd/user"


def test_both_are_written_for_nobody_else_to_read_and_both_go_again(tmp_path: Path) -> None:
    units = tmp_path / "systemd" / "user"
    written = install(units, COMMAND, "rtsp://me:secret@camera/live", tmp_path / "memory")
    assert [path.name for path in written] == [RECORDER, INDEXER] == sorted(path.name for path in units.iterdir())[::-1]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    recorder, indexer = (path.read_text() for path in written)
    memory = f'"--memory" "{tmp_path / "memory"}"'
    assert f'ExecStart="/usr/bin/env" "whereabouts" {memory} "record" "rtsp://me:secret@camera/live"\n' in recorder
    assert f'ExecStart="/usr/bin/env" "whereabouts" {memory} "index" "--follow"\n' in indexer
    assert "Type=notify" in recorder and "WatchdogSec=60" in recorder and "CPUSchedulingPolicy=idle" in indexer
    assert uninstall(units) == list(written)
    assert uninstall(units) == [] == list(units.iterdir())


def test_installing_again_replaces_what_was_there(tmp_path: Path) -> None:
    install(tmp_path, COMMAND, "usb:0", tmp_path)
    recorder, _ = install(tmp_path, COMMAND, "usb:1", tmp_path)
    assert "usb:1" in recorder.read_text() and "usb:0" not in recorder.read_text()


def test_nothing_in_an_address_means_anything_to_systemd() -> None:
    assert quoted(["sim://home?a=%20&b=$HOME", 'a "b" \\c']) == '"sim://home?a=%%20&b=$$HOME" "a \\"b\\" \\\\c"'


def test_a_line_break_cannot_smuggle_a_setting_in() -> None:
    with pytest.raises(UserError, match="cannot stand in a systemd unit"):
        quoted(["usb:0\nExecStartPre=/bin/true"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("memory", ["memory", "my memory 100% $HOME; 'x' \"y\" \\z"])
def test_systemd_finds_no_fault_with_them(tmp_path: Path, memory: str) -> None:
    command = [str(Path(shutil.which("env") or "/usr/bin/env")), "whereabouts"]
    for path in install(tmp_path, command, "sim://home?seed=7&minutes=3", tmp_path / memory):
        ran = subprocess.run(
            ["systemd-analyze", "--user", "verify", path],
            capture_output=True,
            text=True,
            timeout=60,
            env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        assert ran.returncode == 0 and "whereabouts" not in ran.stderr, ran.stderr
