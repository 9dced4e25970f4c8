"""One connection to Stripe: the official client, its time-outs, and what each failure means.

StripeUnreadable  no answer, a time-out, a 5xx, or a body that is not Stripe's: nothing is known
StripeThrottled   429, or 409 while the same key is still being worked on: later
StripeForbidden   401, 403, or an object of the other mode: the key is wrong
StripeRefused     a readable refusal of this one request (400, 402, 404), with its code
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import stripe
from pydantic import ValidationError

from twintill.errors import (
    StripeError,
    StripeForbidden,
    StripeRefused,
    StripeThrottled,
    StripeUnreadable,
)
from twintill.stripe_billing.shapes import Shape, complaint

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
# Of one call with all its retries: below the lease of a payment, with room for the processor.
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

    async def answer(self, call: Awaitable[stripe.StripeObject]) -> dict[str, Any]:
        """Stripe's answer as plain JSON, or one of our errors."""
        try:
            async with asyncio.timeout(self.deadline_s):
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

    async def page(self, call: Awaitable[stripe.StripeObject]) -> list[dict[str, Any]]:
        """One page of a list, as it came."""
        return self.read(_Page, await self.answer(call)).data

    async def every(
        self, fetch: Callable[[Any], Awaitable[stripe.StripeObject]], params: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """All objects of a list, page by page."""
        after: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            page = self.read(_Page, await self.answer(fetch({**params, "limit": PAGE, **after})))
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
    api_key: str, api_base: str | None, *, read_timeout_s: float, retries: int
) -> tuple[stripe.StripeClient, stripe.HTTPXClient]:
    """The official client over a transport of our own; belongs to the running event loop."""
    # The client's only switch for it is global, and must be off before its first request: else it
    # writes an id into the home folder and sends the platform's name along.
    stripe.enable_telemetry = False
    http = _Transport(timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S))
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")} if api_base else {},
        max_network_retries=retries,
        http_client=http,
    )
    return client, http


class _Transport(stripe.HTTPXClient):
    """Lets through only what Stripe can have said: the client trips over anything else.

    A proxy's HTML with any status, a bare list, an error that is a string: nothing is known.
    """

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        content, status, answered = await super().request_async(method, url, headers, post_data)
        if not _is_an_answer(content, status):
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                f"Stripe's answer (HTTP {status}) cannot be read", should_retry=status >= 500
            )
        return content, status, answered


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
