"""A model server that does nothing but answer, as fast as one process can: for benchmarks.

python tests/fakes/fast_upstream.py PORT
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


class Answers(asyncio.Protocol):
    """One connection; requests may be pipelined."""

    def __init__(self) -> None:
        self.held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.held) < end + 4 + length:
                return
            self.held = self.held[end + 4 + length :]
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
