"""The doors of Stripe's and the processors' webhooks: verify, store, answer; nothing is decided.

wrong, old, future or missing signature   400 (or what that processor wants to hear), nothing
                                           stored, counted
what it is checked with is being fetched   503, nothing stored: it is sent again
correctly signed, but unreadable           stored raw, parked, 2xx: a non-2xx on invoice.created
                                           would stall every renewal of the account
of the other mode or another account       stored, ignored, 2xx
seen before                                2xx, no second effect
the database is down                       503, never 2xx: the sender tries again
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from twintill.errors import NotFoundError, SignatureRefused
from twintill.flows import arrivals
from twintill.flows.arrivals import STRIPE
from twintill.processors import Acknowledgement, WebhookRequest
from twintill.store.inbox import Delivery
from twintill.stripe_billing import signature
from twintill.web import problems
from twintill.web.doors import Doors, TheDoors

_STRIPE_HEARS = Acknowledgement(body=b'{"received": true}', content_type="application/json")
# The signature stays for audits; what may hold a credential of somebody else does not.
_HEADERS_LEFT_OUT = frozenset(("authorization", "cookie", "proxy-authorization"))
_log = structlog.get_logger(__name__)

router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/stripe", status_code=200, response_class=Response)
async def take_from_stripe(request: Request, doors: TheDoors) -> Response:
    """Stripe's events: set this address as a webhook endpoint, with every event whose name begins
    with `invoice.`, `credit_note.` or `customer.subscription.`, and `customer.deleted`."""
    body, headers = await request.body(), _headers(request)

    def verify(now: datetime) -> None:
        header = headers.get("stripe-signature")
        signature.verify(body, header, doors.stripe_webhook_secrets, now)

    await _verify(doors, STRIPE, verify)
    verdict, event = arrivals.read_stripe(body, doors.means.scope)
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

    try:
        await _verify(doors, sender.name, verify)
    except SignatureRefused as refused:
        answer = problems.answer(request, refused)
        answer.status_code = sender.acknowledgement.refused_status
        return answer
    verdict, found = arrivals.read_processor(sender, body)
    source = arrivals.source_of(sender)
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


def _headers(request: Request) -> Mapping[str, str]:
    """Lower-case names; of a header sent twice the last counts, as in any mapping."""
    return {k: v for k, v in request.headers.items() if k not in _HEADERS_LEFT_OUT}
