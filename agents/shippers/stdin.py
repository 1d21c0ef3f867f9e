"""Standard input into a spool, from a thread of its own; its writer waits where the spool is full."""

import threading
from collections.abc import Callable
from typing import BinaryIO

from agents.shippers.containers import Container
from agents.shippers.lines import LINE_BYTES_MAX, Origin, Piece, hashed, record, told_ns
from agents.shippers.spool import Spool
from agents.shippers.tail import now_ns


def read_into(spool: Spool, stream: BinaryIO, host: str, instance: str) -> Callable[[], bool]:
    """Begin to read `stream`; gives what says whether its end has been reached and is in the spool."""
    origin = Origin(
        hashed(host, instance, now_ns()),
        hashed(host, instance).encode(),
        host,
        Container(container=instance),
    )

    def read() -> None:
        offset = 0
        while text := stream.readline(LINE_BYTES_MAX):
            ended = text.endswith(b"\n") or len(text) < LINE_BYTES_MAX
            piece = Piece(offset, text.rstrip(b"\n"), ended)
            offset += len(text)
            read_ns = now_ns()
            time_ns = told_ns(piece.text, read_ns) or read_ns
            if piece.text and not spool.put(record(piece, origin, time_ns, read_ns)):
                return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return lambda: not thread.is_alive()
