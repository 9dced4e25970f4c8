"""Calling an address that somebody named: looked up once, judged, and called at that very address.

Whoever may name an address must not reach our inside through us. So the name is resolved here, all
of its addresses must be public, and the connection goes to one of those that were judged: a name
server that answers otherwise the second time is not asked a second time. Certificate and Host are
the name's. No redirect is followed, no proxy of the environment used, no cookie kept, no connection
shared, no compressed answer taken, and of the answer only the beginning is read.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from twintill.domain.reachable import why_not
from twintill.errors import EndpointRefused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

TIMEOUT_S = 15.0  # of a whole exchange: below the lease
_CONNECT_S, _RESOLVE_S = 5.0, 5.0
_ADDRESSES_TRIED = 3
ANSWER_KEPT = 1024
_LONGEST_URL = 2000
_HOST = re.compile(rb"[0-9a-z._-]+|\[?[0-9a-f:.]+(%[0-9a-z]+)?\]?", re.IGNORECASE)


async def ask_the_system(host: str, port: int) -> Sequence[str]:
    """Every address of the name, as the system's resolver knows them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Outbound:
    """How addresses that callers name are reached."""

    # Development only: the app may listen on this machine, without TLS.
    allow_loopback: bool = False
    resolve: Resolve = ask_the_system
    tls: ssl.SSLContext | None = None  # None: the usual authorities


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    beginning: str  # of its body


async def check(outbound: Outbound, url: str, *, trusted: bool = False) -> tuple[str, ...]:
    """The addresses that may be called. Raises EndpointRefused with the rule that it breaks.

    `trusted`: whoever wrote it may reach everything anyway, as the one who writes the settings.
    """
    parsed = _parse(url)
    addresses = await _resolve(outbound, parsed)
    rule = why_not(parsed.scheme, addresses, loopback=outbound.allow_loopback)
    if rule is not None and not trusted:
        raise EndpointRefused(f"{parsed.scheme}://{parsed.host} must not be called: {rule}.")
    return addresses


@contextlib.asynccontextmanager
async def open_transport(outbound: Outbound) -> AsyncIterator[httpx.AsyncHTTPTransport]:
    """Below httpx's client: nothing of its comfort (redirects, cookies, proxies) is wanted."""
    transport = httpx.AsyncHTTPTransport(
        verify=outbound.tls or True,
        trust_env=False,
        # A connection to one name must never serve another one of the same address.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )
    async with transport:
        yield transport


async def post(
    outbound: Outbound,
    transport: httpx.AsyncHTTPTransport,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    trusted: bool,
    timeout_s: float | None = None,
    keep: int = ANSWER_KEPT,
) -> Answer | str:
    """The answer, or why there is none.

    `timeout_s`: TIMEOUT_S at most; `keep`: so many bytes of its body are read.
    """
    within_s = timeout_s or TIMEOUT_S
    try:
        async with asyncio.timeout(within_s):
            addresses = await check(outbound, url, trusted=trusted)
            request = _Request(_parse(url), body, headers, keep)
            return await _first_that_connects(transport, addresses, request)
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except EndpointRefused as refused:
        return str(refused)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")


def _parse(url: str) -> httpx.URL:
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise EndpointRefused("This is not an address that can be called.")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise EndpointRefused("This is not an address that can be called.") from None
    if parsed.scheme not in ("https", "http") or not _HOST.fullmatch(parsed.raw_host):
        raise EndpointRefused("The address must begin with https://.")
    if parsed.userinfo:
        raise EndpointRefused("The address must hold no name and no password.")
    return parsed


async def _resolve(outbound: Outbound, url: httpx.URL) -> tuple[str, ...]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await outbound.resolve(url.raw_host.decode("ascii").strip("[]"), port)
    except (TimeoutError, OSError, UnicodeError):
        found = ()
    if not found:
        raise EndpointRefused(f"{url.host} cannot be found: no name server knows its address.")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Request:
    url: httpx.URL
    body: bytes
    headers: Mapping[str, str]
    keep: int


async def _first_that_connects(
    transport: httpx.AsyncHTTPTransport, addresses: Sequence[str], request: _Request
) -> Answer:
    *first, last = addresses[:_ADDRESSES_TRIED]
    for address in first:
        with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
            return await _exchange(transport, address, request)
    return await _exchange(transport, last, request)


async def _exchange(transport: httpx.AsyncHTTPTransport, address: str, asked: _Request) -> Answer:
    url, host = asked.url, asked.url.netloc.decode("ascii")
    request = httpx.Request(
        "POST",
        url.copy_with(host=address, fragment=None),
        content=asked.body,
        headers={**asked.headers, "host": host, "accept-encoding": "identity"},
        extensions={
            "sni_hostname": url.raw_host.decode("ascii").strip("[]"),
            "timeout": {"connect": _CONNECT_S, "read": TIMEOUT_S, "write": TIMEOUT_S},
        },
    )
    response = await transport.handle_async_request(request)
    try:
        return Answer(response.status_code, await _beginning(response, asked.keep))
    finally:
        await response.aclose()


async def _beginning(response: httpx.Response, keep: int) -> str:
    """PostgreSQL takes no NUL in a text."""
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= keep:
            break
    return read[:keep].decode("utf-8", "replace").replace("\x00", "�")
