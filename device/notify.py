"""notify: tell systemd how this service is, as sd_notify does. Without systemd it says nothing to nobody.

This file does not know what a service does.
"""

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> None:
    """Send assignments such as READY=1, STATUS=..., WATCHDOG=1 or STOPPING=1 over $NOTIFY_SOCKET.

    A systemd that does not listen must never harm the recorder, so nothing is raised and nothing waited for.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in the kernel instead of the file system
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as speaker:
        speaker.sendto("\n".join(assignments).encode(), address)
