"""A model server that sends exactly the bytes it is told to, piece by piece, and keeps what it was asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PAUSE_S = 0.02
Script = list[bytes]


class RawUpstream:
    """Model name → the pieces of its answer; a pause is between them, and the connection ends after the last one."""

    def __init__(self, scripts: dict[str, Script]) -> None:
        self.scripts = scripts
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    def run(self) -> None:
        """Serve until closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Serve nobody any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # a caller that hangs up gets no more
            _head, body = read_message(connection)
            self.asked.append(body)
            for model, pieces in self.scripts.items():
                if b'"%b"' % model.encode() in body:
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(PAUSE_S)


def read_message(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one message with a declared length."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        if not (more := connection.recv(1 << 16)):
            return seen, b""
        seen += more
    head, _, body = seen.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    pieces, size = [body], len(body)
    while size < length and (more := connection.recv(1 << 20)):
        pieces.append(more)
        size += len(more)
    return head, b"".join(pieces)


@contextmanager
def raw_upstream(scripts: dict[str, Script]) -> Iterator[RawUpstream]:
    """The server in a thread."""
    found = RawUpstream(scripts)
    thread = threading.Thread(target=found.run, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.close()
        thread.join(60)
