"""One connection to Stripe: the official client, its time-outs, and what each failure means.

StripeUnreadable  no answer, a time-out, a 5xx, or a body that is not Stripe's: nothing is known
StripeThrottled   429, or 409 while the same key is still being worked on: later
StripeForbidden   401, 403, or an object of the other mode: the key is wrong
StripeRefused     a readable refusal of this one request (400, 402, 404), with its code
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import stripe
from pydantic import ValidationError

from twintill.domain.pace import Urgency
from twintill.errors import (
    StripeError,
    StripeForbidden,
    StripeRefused,
    StripeThrottled,
    StripeUnreadable,
)
from twintill.stripe_billing.pace import PATIENCE_S, Pace
from twintill.stripe_billing.shapes import Shape, complaint

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
# Of one call with all its retries, but without the waiting for its turn (`pace.PATIENCE_S`): below
# the lease of a payment, with room for the processor.
DEADLINE_S = 15.0
RETRIES = 2
PAGE = 100
# 20,000 objects: past that a list is the wrong way to find something.
_MOST_PAGES = 200

AShape = TypeVar("AShape", bound=Shape)


@dataclass(frozen=True)
class Connection:
    """What all parts of the gateway share; made by `connect`, ended by `aclose`."""

    client: stripe.StripeClient = field(repr=False)
    http: stripe.HTTPXClient = field(repr=False)
    installation_id: str
    livemode: bool
    deadline_s: float

    async def aclose(self) -> None:
        await self.http.close_async()  # type: ignore[no-untyped-call]

    async def answer(
        self, call: Awaitable[stripe.StripeObject], urgency: Urgency = Urgency.OTHER
    ) -> dict[str, Any]:
        """Stripe's answer as plain JSON, or one of our errors."""
        try:
            async with asyncio.timeout(self.deadline_s) as deadline:
                with _under_way(_Call(urgency, deadline, PATIENCE_S[urgency])):
                    return (await call).to_dict(for_json=True)
        except stripe.StripeError as error:
            raise _ours(error) from error
        except TimeoutError as error:
            raise StripeUnreadable(f"no answer from Stripe within {self.deadline_s} s") from error
        except RecursionError as error:
            raise StripeUnreadable("Stripe's answer is nested too deep to be read") from error

    def read(self, shape: type[AShape], raw: dict[str, Any]) -> AShape:
        """The answer in our words; never of the other mode."""
        try:
            seen = shape.model_validate(raw)
        except ValidationError as error:
            what = f"{raw.get('object')} {raw.get('id')}"
            raise StripeUnreadable(
                f"Stripe's answer about {what} has a shape that we do not know: {complaint(error)}"
            ) from None
        livemode = getattr(seen, "livemode", None)
        if livemode is not None and livemode is not self.livemode:
            raise StripeForbidden(
                f"Stripe answered with an object of {'live' if livemode else 'test'} mode, but "
                f"this Twintill runs in {'live' if self.livemode else 'test'} mode: wrong API key?"
            )
        return seen

    async def page(
        self, call: Awaitable[stripe.StripeObject], urgency: Urgency = Urgency.READ
    ) -> list[dict[str, Any]]:
        """One page of a list, as it came."""
        return self.read(_Page, await self.answer(call, urgency)).data

    async def every(
        self,
        fetch: Callable[[Any], Awaitable[stripe.StripeObject]],
        params: Mapping[str, Any],
        urgency: Urgency = Urgency.OTHER,
    ) -> AsyncIterator[dict[str, Any]]:
        """All objects of a list, page by page."""
        after: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            call = fetch({**params, "limit": PAGE, **after})
            page = self.read(_Page, await self.answer(call, urgency))
            for item in page.data:
                yield item
            if not page.has_more or not page.data:
                return
            after = {"starting_after": str(page.data[-1].get("id"))}
        raise StripeUnreadable(f"the list goes on after {_MOST_PAGES} pages")


class _Page(Shape):
    data: list[dict[str, Any]]
    has_more: bool


def connect(
    api_key: str, api_base: str | None, pace: Pace, *, read_timeout_s: float, retries: int
) -> tuple[stripe.StripeClient, stripe.HTTPXClient]:
    """The official client over a transport of our own; belongs to the running event loop."""
    # The client's only switch for it is global, and must be off before its first request: else it
    # writes an id into the home folder and sends the platform's name along.
    stripe.enable_telemetry = False
    http = _Transport(pace, httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S))
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")} if api_base else {},
        max_network_retries=retries,
        http_client=http,
    )
    return client, http


@dataclass(slots=True)
class _Call:
    """A call of ours that is under way, with what it has left of its patience (in seconds)."""

    urgency: Urgency
    deadline: asyncio.Timeout
    patience_s: float
    has_left: bool = False

    async def take_turn(self, pace: Pace, endpoint: str) -> None:
        """The deadline is Stripe's: it stands still while the request has not left.

        Raises StripeThrottled when nothing of this call has left, StripeUnreadable when only its
        repetition has not: what became of the first is unknown then.
        """
        try:
            await self._wait(pace, endpoint)
        except StripeThrottled as error:
            if self.has_left:
                raise StripeUnreadable(f"no answer from Stripe, and then {error}") from error
            raise
        self.has_left = True

    async def _wait(self, pace: Pace, endpoint: str) -> None:
        loop = asyncio.get_running_loop()
        began, ends = loop.time(), self.deadline.when()
        self.deadline.reschedule(None)
        try:
            await pace.turn(self.urgency, endpoint, self.patience_s)
        finally:
            waited_s = loop.time() - began
            self.patience_s = max(0.0, self.patience_s - waited_s)
            if ends is not None:
                self.deadline.reschedule(ends + waited_s)


# Which call a request belongs to: the client between the two passes nothing of ours along.
_UNDER_WAY: ContextVar[_Call | None] = ContextVar("twintill_stripe_call", default=None)


@contextlib.contextmanager
def _under_way(call: _Call) -> Iterator[None]:
    token = _UNDER_WAY.set(call)
    try:
        yield
    finally:
        _UNDER_WAY.reset(token)


class _Transport(stripe.HTTPXClient):
    """Lets each request wait for its turn, and through only what Stripe can have said.

    The client trips over anything else: a proxy's HTML with any status, a bare list, an error that
    is a string. Then nothing is known.
    """

    def __init__(self, pace: Pace, timeout: httpx.Timeout) -> None:
        super().__init__(timeout=timeout)
        self._pace = pace

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        endpoint = endpoint_of(method, url)
        call = _UNDER_WAY.get()
        if call is not None:
            await call.take_turn(self._pace, endpoint)
        if method.lower() == "get":
            self._pace.count_read()
        content, status, answered = await super().request_async(method, url, headers, post_data)
        if not _is_an_answer(content, status):
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                f"Stripe's answer (HTTP {status}) cannot be read", should_retry=status >= 500
            )
        if status == 429:
            await self._slow_down(endpoint, content, answered)
        return content, status, answered

    async def _slow_down(self, endpoint: str, content: bytes, headers: Mapping[str, str]) -> None:
        """A locked or much-used object concerns its caller alone; other limits concern us all."""
        reason = headers.get("stripe-rate-limited-reason") or ""
        if reason == "resource-specific" or _code_of(content) == "lock_timeout":
            return
        await self._pace.push_back(endpoint if reason.startswith("endpoint") else None)


# Of a path: an id has a digit or a capital, a word has neither.
_ID = re.compile(r"(?<=/)(?=[^/]*[0-9A-Z])[^/]+")


def endpoint_of(method: str, url: str) -> str:
    """What Stripe counts as one endpoint, such as "POST /v1/invoices/{id}/pay"."""
    path = httpx.URL(url).path
    begin = max(0, path.find("/v1/"))
    version, rest = path[begin : begin + 3], path[begin + 3 :]
    return f"{method.upper()} {version}{_ID.sub('{id}', rest)}"


def _code_of(content: bytes) -> Any:
    return json.loads(content)["error"].get("code")


def _is_an_answer(content: bytes, status: int) -> bool:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(body, dict):
        return False
    return 200 <= status < 300 or isinstance(body.get("error"), dict)


def _ours(error: stripe.StripeError) -> StripeError:
    kind = _kind(error)
    # The client sets `error.code` only on some of its classes; the body always has it.
    code = getattr(error.error, "code", None) or error.code
    if isinstance(error, stripe.IdempotencyError):
        code = code or "idempotency_error"
    message = error.user_message or f"HTTP {error.http_status} without a message"
    return kind(
        " ".join(message.split()),
        code=code if isinstance(code, str) else None,
        request_id=error.request_id,
    )


def _kind(error: stripe.StripeError) -> type[StripeError]:
    match error:
        case stripe.RateLimitError():
            return StripeThrottled
        case stripe.AuthenticationError() | stripe.PermissionError():
            return StripeForbidden
        case stripe.InvalidRequestError() | stripe.IdempotencyError() | stripe.CardError():
            return StripeRefused
        case stripe.APIError() if error.http_status == 409:
            return StripeThrottled
    return StripeUnreadable
