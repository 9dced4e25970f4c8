"""What a broken exchange proves, shown with real sockets that break."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import cast

import httpx
import pytest

from twintill.domain.outcomes import NoAnswer, NotSent, NotSentReason
from twintill.errors import ProcessorRefused, ProcessorUnreachable
from twintill.processors import transport

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[str]:
    """Answers `host:port`; whoever comes and has said something is talked to as told."""
    talks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with contextlib.suppress(ConnectionError):
            await reader.read(65_536)
            await talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with listening:
        host, port = listening.sockets[0].getsockname()
        yield f"{host}:{port}"
        await asyncio.gather(*talks)


async def keep_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def send(
    url: str, *, read_s: float = 5, deadline_s: float = 5
) -> httpx.Response | NotSent | NoAnswer:
    async with httpx.AsyncClient(trust_env=False, timeout=read_s) as client:
        request = client.build_request("POST", url, content=b"{}")
        return await transport.send_once(client, request, deadline_s)


async def test_a_refused_connection_was_not_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        outcome = await send(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert isinstance(outcome, NotSent)
    assert outcome.reason is NotSentReason.NETWORK


async def test_a_failed_handshake_was_not_sent() -> None:
    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(speak_plainly) as address:
        outcome = await send(f"https://{address}/")
    assert isinstance(outcome, NotSent)
    assert outcome.reason is NotSentReason.NETWORK


async def test_silence_is_no_answer() -> None:
    async with server(keep_silent) as address:
        assert isinstance(await send(f"http://{address}/", read_s=0.1), NoAnswer)


async def test_an_answer_that_only_drips_is_no_answer() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for sign in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 500:
            writer.write(bytes([sign]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(drip) as address:
        assert isinstance(await send(f"http://{address}/", deadline_s=0.3), NoAnswer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
)
async def test_a_broken_answer_is_no_answer(answer: bytes) -> None:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with server(say) as address:
        assert isinstance(await send(f"http://{address}/"), NoAnswer)


async def test_a_full_pool_was_not_sent() -> None:
    limits = httpx.Limits(max_connections=1)
    timeout = httpx.Timeout(0.4, pool=0.1)
    async with (
        server(keep_silent) as address,
        httpx.AsyncClient(trust_env=False, limits=limits, timeout=timeout) as client,
    ):
        requests = [
            client.build_request("POST", f"http://{address}/", content=b"{}") for _ in range(2)
        ]
        sent, waited = await asyncio.gather(
            *(transport.send_once(client, request) for request in requests)
        )
    assert isinstance(sent, NoAnswer)
    assert isinstance(waited, NotSent)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ConnectTimeout("x"),
        httpx.PoolTimeout("x"),
        httpx.UnsupportedProtocol("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_ended_before_sending_was_not_sent(error: Exception) -> None:
    outcome = transport.read_failure(error)
    assert isinstance(outcome, NotSent)
    assert outcome.reason is NotSentReason.NETWORK


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("x"),
        httpx.WriteTimeout("x"),
        httpx.ReadError("x"),
        httpx.WriteError("x"),
        httpx.CloseError("x"),
        httpx.RemoteProtocolError("x"),
        httpx.LocalProtocolError("x"),
        httpx.ProxyError("x"),
        httpx.DecodingError("x"),
        httpx.TooManyRedirects("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_may_have_arrived_is_no_answer(error: Exception) -> None:
    assert isinstance(transport.read_failure(error), NoAnswer)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, NotSentReason.CREDENTIALS),
        (403, NotSentReason.CREDENTIALS),
        (429, NotSentReason.RATE),
    ],
)
def test_a_status_that_proves_that_nothing_was_done(status: int, reason: NotSentReason) -> None:
    told = transport.read_status(httpx.Response(status))
    assert isinstance(told, NotSent)
    assert told.reason is reason


@pytest.mark.parametrize("status", [301, 307, 408, 500, 502, 503, 504, 599])
def test_a_status_that_proves_nothing(status: int) -> None:
    assert isinstance(transport.read_status(httpx.Response(status)), NoAnswer)


@pytest.mark.parametrize("status", [200, 201, 202, 400, 402, 404, 409, 422])
def test_a_status_that_the_adapter_must_read(status: int) -> None:
    assert transport.read_status(httpx.Response(status)) is None


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("17", 17),
        (" 17 ", 17),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("9" * 30, transport.MAX_WAIT_S),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("²", None),
    ],
)
def test_the_wait_is_read_in_seconds_or_as_a_date(header: str | None, wait_s: int | None) -> None:
    assert transport.read_retry_after(header, NOW) == wait_s


def test_calls_that_move_no_money_raise_instead() -> None:
    refused = transport.as_error(NotSent(NotSentReason.CREDENTIALS, "HTTP 401"))
    assert isinstance(refused, ProcessorRefused)
    assert isinstance(transport.as_error(NoAnswer("x")), ProcessorUnreachable)
    rate = NotSent(NotSentReason.RATE, "HTTP 429")
    assert isinstance(transport.as_error(rate), ProcessorUnreachable)
