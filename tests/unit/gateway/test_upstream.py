"""The upstream client against a raw socket server that answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.gateway.upstream.client import Upstreams
from studio.gateway.upstream.connection import Connection
from studio.gateway.upstream.errors import UpstreamError, UpstreamTimeout
from studio.gateway.upstream.pool import Reply
from tests.fakes.wire import Pipe

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def answering(*answers: bytes, close: bool = False) -> tuple[Serve, list[bytes]]:
    """Each connection gives the answers in turn, then closes if told to."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            seen.append(await read_request(reader))
            writer.write(answer)
            await writer.drain()
        if close:
            writer.close()
        else:
            await reader.read()
            writer.close()

    return serve, seen


def run(serve: Serve, talk: Callable[[Upstreams, str], Awaitable[object]]) -> object:
    async def both() -> object:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upstreams = Upstreams()
        try:
            return await asyncio.wait_for(talk(upstreams, f"http://127.0.0.1:{port}"), 10)
        finally:
            upstreams.close()
            server.close()

    return asyncio.run(both())


async def ask(upstreams: Upstreams, base: str, body: bytes = b"{}", wait_s: float = 1.0) -> Reply:
    return await upstreams.post(base, b"/chat/completions", [(b"x-a", b"1")], body, wait_s)


async def whole(upstreams: Upstreams, base: str) -> bytes:
    reply = await ask(upstreams, base)
    try:
        return await reply.read_all(1.0, 1 << 20)
    finally:
        reply.release()


@pytest.mark.parametrize(
    ("path", "target"),
    [("", b"/v1/chat/completions"), ("/v1", b"/v1/chat/completions"), ("/openai/v1/", b"/openai/v1/chat/completions")],
)
def test_the_path_follows_from_the_base_url(path: str, target: bytes) -> None:
    serve, seen = answering(OK)
    assert run(serve, lambda up, base: whole(up, base + path)) == b"ok"
    assert seen[0].startswith(b"POST " + target + b" HTTP/1.1\r\nhost: 127.0.0.1") and b"x-a: 1" in seen[0]


def test_a_connection_is_used_again() -> None:
    serve, seen = answering(OK, OK, OK)

    async def thrice(up: Upstreams, base: str) -> list[bytes]:
        return [await whole(up, base) for _ in range(3)]

    assert run(serve, thrice) == [b"ok"] * 3 and len(seen) == 3


def test_a_connection_that_the_upstream_closed_meanwhile_is_replaced_unnoticed() -> None:
    serve, seen = answering(OK, close=True)

    async def twice(up: Upstreams, base: str) -> list[bytes]:
        first = await whole(up, base)
        return [first, await whole(up, base)]

    assert run(serve, twice) == [b"ok"] * 2 and len(seen) == 2


def test_chunked_interim_and_closing_bodies_are_read_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it"
    assert run(answering(chunked)[0], whole) == b"abcde"
    assert run(answering(interim)[0], whole) == b"ok"
    assert run(answering(closing, close=True)[0], whole) == b"all of it"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
    ],
)
def test_an_answer_that_is_cut_or_no_http_is_an_error(answer: bytes, reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason):
        run(answering(answer, close=True)[0], whole)


def test_silence_before_and_inside_an_answer_is_told_apart() -> None:
    with pytest.raises(UpstreamTimeout, match=r"no answer within 0\.1 s"):
        run(answering(b"")[0], lambda up, base: ask(up, base, wait_s=0.1))

    async def first_piece_then_silence(up: Upstreams, base: str) -> None:
        reply = await ask(up, base)
        assert await reply.read(30.0) == b"abc"
        await reply.read(0.1)

    with pytest.raises(UpstreamTimeout, match=r"silent for 0\.1 s"):
        run(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")[0], first_piece_then_silence)


def test_an_address_without_a_server_is_an_error_at_once(free_port: Callable[[], int]) -> None:
    with pytest.raises(UpstreamError, match="no connection"):
        asyncio.run(ask(Upstreams(), f"http://127.0.0.1:{free_port()}/v1"))


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"

    async def status(up: Upstreams, base: str) -> int:
        return (await ask(up, base)).status

    serve, seen = answering(moved)
    assert run(serve, status) == 302 and len(seen) == 1


def test_an_answer_longer_than_allowed_is_refused() -> None:
    async def little(up: Upstreams, base: str) -> bytes:
        return await (await ask(up, base)).read_all(1.0, 1)

    with pytest.raises(UpstreamError, match="longer than"):
        run(answering(OK)[0], little)


def test_a_fast_upstream_waits_for_a_slow_reader() -> None:
    size = 8 << 20
    serve, _ = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)

    async def slowly(up: Upstreams, base: str) -> tuple[int, int]:
        reply, read, most = await ask(up, base), 0, 0
        while piece := await reply.read(2.0):
            read += len(piece)
            most = max(most, len(piece))
            await asyncio.sleep(0.001)
        return read, most

    read, most = run(serve, slowly)  # type: ignore[misc]
    assert read == size and most < 2 << 20


def reply_to(*pieces: bytes) -> tuple[int, bytes]:
    """Status and body of an answer that comes in these pieces, after which the connection ends."""

    async def script() -> tuple[int, bytes]:
        kept: list[Connection] = []
        connection, pipe = Connection(Kept(kept)), Pipe()
        connection.connection_made(pipe)
        head = connection.request(b"", 60.0)
        for piece in pieces:
            if not pipe.closed:
                connection.data_received(piece)
        connection.connection_lost(None)
        status, headers = await head
        reply = Reply(connection, status, headers)
        return status, await reply.read_all(60.0, 1 << 20)

    return asyncio.run(script())


class Kept:
    """A pool that keeps nothing open."""

    def __init__(self, kept: list[Connection]) -> None:
        self.kept = kept

    def keep(self, connection: Connection) -> None:
        self.kept.append(connection)

    def discard(self, connection: Connection) -> None: ...


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=5), st.booleans(), st.lists(st.integers(0, 500), max_size=8)
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_an_answer_cut_into_any_pieces_is_the_same(chunks: list[bytes], is_chunked: bool, at: list[int]) -> None:
    body = b"".join(chunks)
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    how = b"transfer-encoding: chunked" if is_chunked else b"content-length: %d" % len(body)
    raw = b"HTTP/1.1 200 OK\r\n" + how + b"\r\n\r\n" + (framed if is_chunked else body)
    cuts = sorted(min(cut, len(raw)) for cut in at)
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert reply_to(*pieces) == (200, body)


@given(st.lists(st.binary(max_size=80), max_size=5), st.integers(0, 80), st.binary(max_size=5))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_an_upstream_sends_is_an_answer_or_an_error(noise: list[bytes], at: int, put: bytes) -> None:
    damaged = OK[:at] + put + OK[at:]
    for pieces in (noise, [damaged, *noise]):
        try:
            status, _ = reply_to(*pieces)
        except UpstreamError:
            continue
        assert 0 <= status <= 999


def test_bytes_behind_an_answer_are_no_part_of_the_next_one() -> None:
    assert reply_to(OK + OK) == (200, b"ok")
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await read_request(reader))
        writer.write(OK + evil if len(served) == 1 else OK)
        await reader.read()  # until the client closes
        writer.close()

    async def twice(up: Upstreams, base: str) -> list[bytes]:
        return [await whole(up, base), await whole(up, base)]

    assert run(serve, twice) == [b"ok"] * 2 and len(served) == 2
