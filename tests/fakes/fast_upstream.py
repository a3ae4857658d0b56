"""A model server that does nothing but answer, as fast as one process can: for benchmarks.

python tests/fakes/fast_upstream.py PORT [MILLISECONDS BETWEEN PIECES OF A STREAM]
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

MESSAGE = {"role": "assistant", "content": "Revenue is up 12% year on year, churn is down to 1.8%. " * 14}
COMPLETION = {
    "object": "chat.completion",
    "created": 1,
    "model": "up-ok",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 612, "completion_tokens": 190, "total_tokens": 802},
}
BODY = json.dumps(COMPLETION).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
PIECES = 50
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DELTA = {"index": 0, "delta": {"content": " revenue"}, "finish_reason": None}
EVENT = b"data: %b\n\n" % json.dumps({**COMPLETION, "object": "chat.completion.chunk", "choices": [DELTA]}).encode()
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Answers(asyncio.Protocol):
    """One connection; requests may be pipelined, but not behind a stream."""

    def __init__(self, pause_s: float) -> None:
        self.held = b""
        self.pause_s = pause_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.held) < end + 4 + length:
                return
            body, self.held = self.held[end + 4 : end + 4 + length], self.held[end + 4 + length :]
            if b'"stream": true' in body or b'"stream":true' in body:
                self.stream(0)
            else:
                self.transport.write(ANSWER)  # type: ignore[attr-defined]

    def stream(self, sent: int) -> None:
        """Send the next piece, and the one after it in a while."""
        if self.transport.is_closing():
            return
        self.transport.write(STREAM if sent == 0 else CHUNK if sent <= PIECES else END)  # type: ignore[attr-defined]
        if sent <= PIECES:
            asyncio.get_running_loop().call_later(self.pause_s, self.stream, sent + 1)


async def main(port: int, pause_ms: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(pause_ms / 1000), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10.0))
