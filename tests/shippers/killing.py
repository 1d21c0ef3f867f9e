"""How a shipper of files dies, for the tests."""

from agents.shippers.tail import Tail


def kill(tail: Tail) -> None:
    """Let everything go without a word, as the kernel does."""
    for file in tail._open.values():
        file.close()
    tail._state._lock.close()
