"""The doors of Stripe's and the processors' webhooks: verify, store, answer; nothing is decided.

wrong, old, future or missing signature   400, nothing stored, counted
correctly signed, but unreadable           stored raw, parked, 2xx: a non-2xx on invoice.created
                                           would stall every renewal of the account
of the other mode or another account       stored, ignored, 2xx
seen before                                2xx, no second effect
the database is down                       503, never 2xx: the sender tries again
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from twintill.errors import NotFoundError, SignatureRefused, UnreadableEvent
from twintill.ids import Scope
from twintill.processors import (
    Acknowledgement,
    EventKind,
    Processor,
    ProcessorEvent,
    WebhookRequest,
)
from twintill.store.inbox import Delivery, Event, InboxState
from twintill.stripe_billing import events, signature
from twintill.stripe_billing.events import StripeEvent
from twintill.web.doors import Doors, TheDoors

STRIPE = "stripe"
_STRIPE_HEARS = Acknowledgement(body=b'{"received": true}', content_type="application/json")
# The signature stays for audits; what may hold a credential of somebody else does not.
_HEADERS_LEFT_OUT = frozenset(("authorization", "cookie", "proxy-authorization"))
_LONGEST_WORD = 255
_log = structlog.get_logger(__name__)

router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/stripe", status_code=200, response_class=Response)
async def take_from_stripe(request: Request, doors: TheDoors) -> Response:
    """Stripe's events: set this address as a webhook endpoint, with every event whose name begins
    with `invoice.` or `customer.subscription.`, and `customer.deleted`."""
    body, headers = await request.body(), _headers(request)

    def verify(now: datetime) -> None:
        header = headers.get("stripe-signature")
        signature.verify(body, header, doors.stripe_webhook_secrets, now)

    await _verify(doors, STRIPE, verify)
    verdict, event = _read_stripe(body, doors.means.scope)
    delivery = Delivery(doors.means.scope, STRIPE, headers, body, verdict, (event,))
    return await _receive(doors, STRIPE, delivery, _STRIPE_HEARS)


@router.post("/webhooks/{processor}", status_code=200, response_class=Response)
async def take_from_processor(processor: str, request: Request, doors: TheDoors) -> Response:
    """A processor's events; `processor` is its name, as in the settings."""
    sender = doors.means.processors.get(processor)
    if sender is None:
        raise NotFoundError(f"No processor {processor!r} is configured here.", param="processor")
    body, headers = await request.body(), _headers(request)

    def verify(now: datetime) -> None:
        sender.verify_webhook(WebhookRequest(headers, body, now))

    await _verify(doors, sender.name, verify)
    verdict, found = _read_processor(sender, body)
    source = f"{sender.name}:{sender.account_id}"
    delivery = Delivery(doors.means.scope, source, headers, body, verdict, found)
    return await _receive(doors, sender.name, delivery, sender.acknowledgement)


async def _verify(doors: Doors, source: str, verify: Callable[[datetime], None]) -> None:
    """Raises SignatureRefused; asks once more where a sandbox has just moved time."""
    try:
        verify(await doors.clock.now())
    except SignatureRefused:
        try:
            if not await doors.clock.moved():
                raise
            verify(await doors.clock.now())
        except SignatureRefused as refused:
            doors.figures.webhooks.labels(source, "refused").inc()
            _log.warning("webhook_refused", source=source, why=str(refused))
            raise


async def _receive(
    doors: Doors, source: str, delivery: Delivery, hears: Acknowledgement
) -> Response:
    new = await doors.receiver.receive(delivery)
    if new:
        doors.waker.ring()
    verdict = delivery.verdict if new or not delivery.events else "duplicate"
    doors.figures.webhooks.labels(source, verdict).inc()
    return Response(hears.body, hears.status, media_type=hears.content_type)


def _read_stripe(body: bytes, scope: Scope) -> tuple[str, Event]:
    """What it is, as far as its place in the inbox needs to know."""
    try:
        event = events.parse(body)
    except Exception as error:  # noqa: BLE001 -- signed, so it must be kept whatever it does
        return "unreadable", _unreadable(body, error)
    not_ours = _not_ours(event, scope)
    return "ignored" if not_ours else "verified", Event(
        dedupe_key=event.id,
        type=event.type,
        object_id=event.object_id,
        state=InboxState.IGNORED if not_ours else InboxState.NEW,
        note=not_ours,
        occurred_at=event.created_at,
    )


def _not_ours(event: StripeEvent, scope: Scope) -> str | None:
    if event.livemode is not scope.livemode:
        return f"of {'live' if event.livemode else 'test'} mode"
    if event.account not in (None, scope.stripe_account_id):
        return f"of another Stripe account: {event.account}"
    return None


def _read_processor(sender: Processor, body: bytes) -> tuple[str, tuple[Event, ...]]:
    try:
        batch = sender.parse_webhook(body)
    except Exception as error:  # noqa: BLE001 -- signed, so it must be kept whatever it does
        return "unreadable", (_unreadable(body, error),)
    return "verified", tuple(_event(body, n, told) for n, told in enumerate(batch))


def _event(body: bytes, position: int, told: ProcessorEvent) -> Event:
    """One of a batch; a poisonous one is parked alone."""
    if told.kind is EventKind.UNREADABLE:
        return _parked(body, position, told.note or "")
    words = (told.dedupe_key or "-", told.raw_type)
    if not all(_is_storable(word) for word in words):
        return _parked(body, position, "its id or type is not a plain word")
    object_id = told.processor_payment_id or told.reference
    return Event(
        dedupe_key=told.dedupe_key,
        type=told.raw_type,
        object_id=object_id if object_id and _is_storable(object_id) else None,
        position=position,
        occurred_at=told.occurred_at,
    )


def _is_storable(word: str) -> bool:
    return 0 < len(word) <= _LONGEST_WORD and word.isprintable()


def _unreadable(body: bytes, error: Exception) -> Event:
    if not isinstance(error, UnreadableEvent):
        _log.error("webhook_breaks_the_parser", exc_info=error)
    return _parked(body, 0, str(error) or type(error).__name__)


def _parked(body: bytes, position: int, why: str) -> Event:
    """For a person, once: the same bytes again are the same event."""
    key = f"sha256:{hashlib.sha256(body).hexdigest()}:{position}"
    # What an error quotes may hold anything, and PostgreSQL takes no NUL.
    clean = why.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
    note = f"unreadable: {clean[:1000]}"
    return Event(key, "unreadable", None, position, InboxState.PARKED, note)


def _headers(request: Request) -> Mapping[str, str]:
    """Lower-case names; of a header sent twice the last counts, as in any mapping."""
    return {k: v for k, v in request.headers.items() if k not in _HEADERS_LEFT_OUT}
