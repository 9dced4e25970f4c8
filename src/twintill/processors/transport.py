"""What a broken or refused HTTP exchange proves: certainly not sent, or no answer.

Shared by all adapters, because every one that decided this for itself has charged somebody twice.
`NotSent` needs proof that the processor did nothing; all else is `NoAnswer`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent, NotSentReason
from twintill.errors import ProcessorError, ProcessorRefused, ProcessorUnreachable

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
# A server that drips bytes never times out by itself; this stays below the engine's lease.
DEADLINE_S = 40.0
MAX_WAIT_S = 24 * 3600

# Raised while connecting, or while waiting for a free connection: no byte of the request left.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


def timeouts(read_timeout_s: float = READ_TIMEOUT_S) -> httpx.Timeout:
    return httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S)


async def send_once(
    client: httpx.AsyncClient, request: httpx.Request, deadline_s: float = DEADLINE_S
) -> httpx.Response | NotSent | NoAnswer:
    """Sends a request exactly once; answers the response, whatever its status, or what is known."""
    try:
        async with asyncio.timeout(deadline_s):
            return await client.send(request, follow_redirects=False)
    except TimeoutError:
        return NoAnswer(f"no complete answer within {deadline_s:g} s")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return read_failure(error)


def read_failure(error: Exception) -> NotSent | NoAnswer:
    """What an exception of httpx proves."""
    detail = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, _BEFORE_SENDING):
        return NotSent(NotSentReason.NETWORK, detail)
    return NoAnswer(detail)


def read_status(response: httpx.Response, now: datetime | None = None) -> NotSent | NoAnswer | None:
    """What the status alone proves; None: the adapter must read the body."""
    status = response.status_code
    if status == 429:
        wait_s = read_retry_after(response.headers.get("retry-after"), now or datetime.now(UTC))
        return NotSent(NotSentReason.RATE, "HTTP 429", wait_s)
    if status in (401, 403):
        return NotSent(NotSentReason.CREDENTIALS, f"HTTP {status}")
    if status >= 500 or 300 <= status < 400 or status == 408:
        return NoAnswer(f"HTTP {status}")
    return None


def read_retry_after(value: str | None, now: datetime) -> int | None:
    """The header's seconds or date as seconds from now; None where it says nothing useful."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), MAX_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int((moment - now).total_seconds()), MAX_WAIT_S))


def as_error(outcome: NotSent | NoAnswer) -> ProcessorError:
    """The same for calls that move no money, which raise."""
    if isinstance(outcome, NotSent) and outcome.reason is NotSentReason.CREDENTIALS:
        return ProcessorRefused(
            f"The processor refuses our credentials ({outcome.detail}).", code="credentials"
        )
    return ProcessorUnreachable(f"The processor could not be asked: {outcome.detail}.")
