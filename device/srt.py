"""SrtBytes: what an SRT sender sends. PyAV's FFmpeg speaks no SRT, so the system's ffmpeg command receives it.

This file does not know what the bytes mean.
"""

import os
import select
import shutil
import subprocess

from store.errors import CameraError


class SrtBytes:
    """The bytes as MPEG-TS. The command ends with `close`, and by itself once nobody reads or nothing comes."""

    def __init__(self, address: str, name: str, timeout_s: float) -> None:
        """Raises CameraError where there is no ffmpeg command."""
        self._timeout_s, ffmpeg = timeout_s, shutil.which("ffmpeg")
        if ffmpeg is None:
            raise CameraError(f"{name} needs the ffmpeg command.", "Install it: apt install ffmpeg")
        self._child = subprocess.Popen(
            [ffmpeg, "-v", "quiet", "-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,fd,srt",
             "-i", "pipe:0", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", "-muxdelay", "0", "pipe:1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert self._child.stdin and self._child.stdout
        timeout = f"{'&' if '?' in address else '?'}timeout={timeout_s * 1e6:.0f}"
        quoted = (address + timeout).replace("'", r"'\''")
        with self._child.stdin as script:  # everybody on this machine can read a command line, and with it a passphrase
            script.write(f"file '{quoted}'\noption fpsprobesize 0\noption analyzeduration 500000\n".encode())
        self._output = self._child.stdout

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, or if none came in time."""
        ready, _, _ = select.select([self._output], [], [], self._timeout_s)
        return os.read(self._output.fileno(), size) if ready else b""

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._output.close()
