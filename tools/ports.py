"""Ports of loopback for servers of tests and benches: free, and nobody else's until this process ends."""

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

RANGE = range(20_000, 30_000)
"""Below the ports that the kernel hands to outgoing connections."""

_claims: list[IO[bytes]] = []
"""Locks on the ports given out; they end with the process, whatever ends it."""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, and no other process of tests has been given: several may ask at once.

    Raises:
        RuntimeError: there are none left.
    """
    claims = Path(tempfile.gettempdir()) / "undercurrent-ports"
    claims.mkdir(exist_ok=True)
    ports: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        if _is_free(port) and _claimed(claims / str(port)):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"found no {count} free ports on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claimed(path: Path) -> bool:
    claim = path.open("ab")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        return False
    _claims.append(claim)
    return True
