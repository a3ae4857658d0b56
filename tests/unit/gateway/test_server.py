"""The gateway's own HTTP server: what it takes, what it refuses, and that it waits for nobody without end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.server import limits
from tests.fakes.wire import MOST, Echo, Wire, answers, chunked, request, settle, talk

LATER = 10_000.0


def sent_to(*pieces: bytes, app: Echo | None = None) -> Wire:
    async def script() -> Wire:
        wire = Wire(app)
        await wire.feed(*pieces)
        await settle(300)
        return wire

    found: Wire = talk(script)
    return found


METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
BODIES = st.binary(max_size=300)
CHUNKS = st.lists(st.binary(min_size=1, max_size=80), max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, tuple[str, str, bytes]]:
    path = "/" + draw(st.text("abc/%20", max_size=8).map(lambda text: text.replace("%", "%41")))
    decoded = path.replace("%41", "A")
    if draw(st.booleans()):
        pieces = draw(CHUNKS)
        return chunked(path, *pieces), ("POST", decoded, b"".join(pieces))
    method, body = draw(METHODS), draw(BODIES)
    return request(method, path, body), (method, decoded, body)


@given(st.lists(messages(), min_size=1, max_size=6), st.data())
@settings(max_examples=120, deadline=None, derandomize=True)
def test_requests_cut_anywhere_and_sent_at_once_are_answered_in_their_order(asked: Any, data: st.DataObject) -> None:
    raw = b"".join(bytes_ for bytes_, _ in asked)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    wire = sent_to(*pieces)
    assert wire.app.seen == [expected for _, expected in asked]
    assert answers(wire.pipe.sent) == [(200, body) for _, (_, _, body) in asked]
    assert not wire.pipe.closed


@given(st.lists(st.binary(max_size=200), max_size=6), st.booleans(), st.integers(0, 400), st.binary(max_size=6))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_whatever_is_sent_the_server_answers_in_http_or_waits(
    noise: list[bytes], valid_first: bool, at: int, put: bytes
) -> None:
    first = request("POST", "/a", b"hello") + chunked("/b", b"abc", b"de")
    damaged = first[:at] + put + first[at:]
    wire = sent_to(*([damaged] if valid_first else []), *noise)
    for status, _ in answers(wire.pipe.sent):
        assert status in (200, 400, 413, 431)
    assert not wire.pipe.aborted and wire.app.answers[500] == 0
    assert not wire.server.tasks or wire.line.deadline < float("inf")  # whoever is waited for has a deadline


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost x\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked, identity\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(raw: bytes) -> None:
    wire = sent_to(raw)
    assert [status for status, _ in answers(wire.pipe.sent)] == [400] and b"connection: close" in wire.pipe.sent
    assert wire.pipe.half_closed and wire.app.seen == [] and wire.app.answers[400] == 1


def test_a_request_is_answered_before_the_rubbish_behind_it_is_refused() -> None:
    wire = sent_to(request("POST", "/a", b"one") + b"\x00\x01\x02 rubbish\r\n\r\n")
    assert [status for status, _ in answers(wire.pipe.sent)] == [200, 400]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nx: " + b"a" * limits.MOST_HEAD + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: a\r\n" * (limits.MOST_HEADERS + 1) + b"\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"a" * (limits.MOST_HEAD + 1),
        b"GET /" + b"a" * (limits.MOST_HEAD + 1),
    ],
)
def test_headers_have_a_limit_whether_they_end_or_not(raw: bytes) -> None:
    wire = sent_to(*(raw[at : at + 5000] for at in range(0, len(raw), 5000)))
    assert [status for status, _ in answers(wire.pipe.sent)] == [431] and wire.app.seen == []


def test_a_body_may_not_be_mostly_framing() -> None:
    extension = b"1;" + b"x" * 4000 + b"\r\na\r\n"
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    wire = sent_to(head, *[extension] * 400)
    assert [status for status, _ in answers(wire.pipe.sent)] == [400] and wire.pipe.half_closed


def test_trailers_are_dropped() -> None:
    raw = b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-evil: 1\r\n\r\n"
    assert sent_to(raw, request("GET", "/b")).app.seen == [("POST", "/a", b"ab"), ("GET", "/b", b"")]


def test_too_many_waiting_requests_end_the_connection_after_those_that_wait() -> None:
    wire = sent_to(request("GET", "/") * (limits.MOST_WAITING + 40))
    assert len(wire.app.seen) == limits.MOST_WAITING and wire.pipe.closed
    assert wire.pipe.sent.count(b"connection: close") == 1


def test_a_body_over_the_limit_is_refused_before_it_has_come() -> None:
    declared = sent_to(request("POST", "/", b"x" * (MOST + 1))[:200])
    raw = chunked("/", *[b"x" * 4000] * 20)
    growing = sent_to(*(raw[at : at + 3000] for at in range(0, len(raw), 3000)))
    for wire in (declared, growing):
        assert [status for status, _ in answers(wire.pipe.sent)] == [413] and wire.pipe.half_closed


def test_a_client_that_asks_first_is_told_to_go_on_only_where_its_body_is_wanted() -> None:
    head = request("POST", "/a", b"abc", "expect: 100-continue")[:-3]
    assert answers(sent_to(head, b"abc").pipe.sent) == [(100, b""), (200, b"abc")]

    async def refuse(_: Request) -> None:
        raise ApiError(401, "no")

    wire = sent_to(head, app=Echo(refuse))
    assert [status for status, _ in answers(wire.pipe.sent)] == [401] and b"connection: close" in wire.pipe.sent


def test_a_body_that_nobody_wants_yet_is_not_taken_without_end() -> None:
    async def script() -> None:
        wanted = asyncio.Event()

        async def slow(asked: Request) -> None:
            await wanted.wait()
            await asked.respond(200, [], b"%d" % len(await asked.body(1 << 30)))

        wire, size = Wire(Echo(slow)), 3 * limits.UNREAD
        await wire.feed(request("POST", "/", b"x" * size)[:100])
        fed = 0
        while not wire.pipe.paused:
            await wire.feed(b"x" * 50_000)
            fed += 50_000
        assert fed < limits.UNREAD + 100_000
        wanted.set()
        await settle()
        assert not wire.pipe.paused

    talk(script)


def test_a_head_alone_is_answered_without_a_body() -> None:
    sent = sent_to(request("HEAD", "/")).pipe.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n") and sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "closed", "told"),
    [
        (request("GET", "/", b"", version="1.0"), True, b"connection: close"),
        (request("GET", "/", b"", "connection: keep-alive", version="1.0"), False, b"connection: keep-alive"),
        (request("GET", "/", b"", "connection: close"), True, b"connection: close"),
        (request("GET", "/"), False, b"HTTP/1.1"),
        (request("GET", "/", b"", "connection: upgrade", "upgrade: h2c"), True, b"HTTP/1.1 200"),
    ],
)
def test_the_connection_stays_as_long_as_both_sides_want(raw: bytes, closed: bool, told: bytes) -> None:
    wire = sent_to(raw)
    assert wire.pipe.closed is closed and told in wire.pipe.sent and len(wire.app.seen) == 1


async def stream(asked: Request) -> None:
    await asked.start(200, [(b"content-type", b"text/event-stream")])
    for piece in (b"one ", b"", b"two "):
        await asked.send(piece)
    await asked.finish(b"three")


def test_a_stream_comes_in_chunks_and_for_http_1_0_until_the_end() -> None:
    new = sent_to(request("GET", "/"), app=Echo(stream)).pipe
    old = sent_to(request("GET", "/", b"", version="1.0"), app=Echo(stream)).pipe
    assert new.sent.endswith(b"\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n") and not new.closed
    assert old.sent.endswith(b"\r\n\r\none two three") and old.closed and b"chunked" not in old.sent


def test_a_slow_request_is_given_up_and_a_large_one_that_comes_along_is_not() -> None:
    async def script() -> None:
        for raw in (b"POST / HTTP/1.1\r\nhost", request("POST", "/", b"x" * 900)[:200]):
            wire = Wire()
            await wire.feed(raw)
            assert wire.line.deadline <= time.monotonic() + limits.READ_S
            wire.line.late(time.monotonic() + LATER)
            await settle()
            assert [status for status, _ in answers(wire.pipe.sent)] == [408] and wire.pipe.half_closed
        large = Wire(Echo())
        await large.feed(request("POST", "/", b"x" * MOST)[: MOST - 10])
        large.line.late(time.monotonic() + limits.READ_S + 1)  # 64 kB have come: it has four seconds more
        assert large.pipe.sent == b"" and large.line.deadline > time.monotonic() + limits.READ_S + 1

    talk(script)


def test_a_connection_without_requests_is_closed_in_silence() -> None:
    async def script() -> None:
        for before in (b"", request("GET", "/")):
            wire = Wire()
            sent = await wire.feed(before)
            assert limits.READ_S < wire.line.deadline - time.monotonic() <= limits.KEEP_ALIVE_S
            wire.line.late(time.monotonic() + LATER)
            await settle()
            assert wire.pipe.closed and wire.pipe.sent == sent and not wire.server.lines

    talk(script)


def test_a_caller_who_takes_nothing_of_an_answer_is_let_go() -> None:
    async def script() -> None:
        ended: list[str] = []

        async def endless(asked: Request) -> None:
            async with asked.until_left():
                await asked.start(200, [])
                try:
                    while True:
                        await asked.send(b"x" * 100)
                        await asyncio.sleep(0)
                finally:
                    ended.append("ended")

        wire = Wire(Echo(endless))
        await wire.feed(request("GET", "/"))
        assert wire.line.deadline == float("inf")  # an answer may take as long as it takes
        wire.line.pause_writing()
        await settle()
        sent = wire.pipe.sent
        await settle()
        assert wire.pipe.sent == sent and wire.line.deadline <= time.monotonic() + limits.STALLED_S
        wire.line.late(time.monotonic() + LATER)
        await settle()
        assert wire.pipe.aborted and ended == ["ended"] and wire.app.left == 1 and not wire.server.tasks

    talk(script)


def test_a_caller_who_takes_a_long_answer_slowly_gets_all_of_it() -> None:
    async def script() -> None:
        wire = Wire()
        await wire.feed(request("POST", "/", b"long"))
        wire.pipe.untaken = 5_000_000
        wire.line.pause_writing()
        for left, aborted in ((3_000_000, False), (1_000_000, False), (1_000_000, True)):
            wire.pipe.untaken = left
            wire.line.late(time.monotonic() + LATER)
            assert wire.pipe.aborted is aborted

    talk(script)


def test_what_is_done_for_a_caller_stops_when_they_leave_but_not_what_must_be_finished() -> None:
    async def script() -> None:
        done: list[str] = []
        go = asyncio.Event()

        async def work(asked: Request) -> None:
            if asked.path == "/finish":
                await go.wait()
                done.append("finished")
            async with asked.until_left():
                await go.wait()
                done.append("never")

        for path in ("/stop", "/finish"):
            wire = Wire(Echo(work))
            await wire.feed(request("GET", path))
            wire.pipe.lose()
            if path == "/finish":
                go.set()
            await settle()
            assert wire.app.left == 1 and not wire.server.tasks
        assert done == ["finished"]

    talk(script)


def test_a_body_that_is_cut_off_tells_whoever_waits_for_it() -> None:
    async def script() -> None:
        wire = Wire()
        await wire.feed(request("POST", "/", b"hello")[:-2])
        wire.pipe.lose()
        await settle()
        assert wire.app.left == 1 and wire.app.seen == []

    talk(script)


def test_a_bug_costs_its_caller_an_answer_and_is_told_before_the_first_byte_only() -> None:
    async def fail(asked: Request) -> None:
        if asked.path == "/late":
            await asked.start(200, [])
            await asked.send(b"half")
        raise ZeroDivisionError

    early, late = sent_to(request("GET", "/"), app=Echo(fail)), sent_to(request("GET", "/late"), app=Echo(fail))
    assert [status for status, _ in answers(early.pipe.sent)] == [500] and not early.pipe.aborted
    assert early.app.answers[500] == 1 and b"ZeroDivisionError" not in early.pipe.sent
    assert late.pipe.aborted


def test_a_server_that_leaves_closes_what_is_idle_and_finishes_what_is_under_way() -> None:
    async def script() -> None:
        go = asyncio.Event()

        async def wait(asked: Request) -> None:
            if asked.path == "/busy":
                await go.wait()
            await asked.respond(200, [], b"done")

        app = Echo(wait)
        idle, busy = Wire(app), Wire(app)
        busy.line.home = idle.server
        idle.server.lines.add(busy.line)
        await idle.feed(request("GET", "/"))
        await busy.feed(request("GET", "/busy"))
        leaving = asyncio.ensure_future(idle.server._leave())
        await settle()
        assert idle.pipe.closed and not busy.pipe.closed
        go.set()
        await leaving
        await settle()
        assert busy.pipe.sent.endswith(b"done") and b"connection: close" in busy.pipe.sent and busy.pipe.closed

    talk(script)
