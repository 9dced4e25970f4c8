"""What arrives, as far as its place in the inbox needs to know: which event, ours, readable?

The same for a webhook and for an event that we fetched. What cannot be read is parked, once.
"""

import hashlib

import structlog

from twintill.errors import UnreadableEvent
from twintill.ids import Scope
from twintill.processors import EventKind, Processor, ProcessorEvent
from twintill.store.inbox import Event, InboxState
from twintill.stripe_billing import events
from twintill.stripe_billing.events import StripeEvent

STRIPE = "stripe"
_LONGEST_WORD = 255
_log = structlog.get_logger(__name__)


def read_stripe(body: bytes, scope: Scope) -> tuple[str, Event]:
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


def source_of(sender: Processor) -> str:
    """Whose deliveries they are: event ids are unique within it."""
    return f"{sender.name}:{sender.account_id}"


def read_processor(sender: Processor, body: bytes) -> tuple[str, tuple[Event, ...]]:
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
    if not all(is_storable(word) for word in words):
        return _parked(body, position, "its id or type is not a plain word")
    object_id = told.processor_payment_id or told.reference
    return Event(
        dedupe_key=told.dedupe_key,
        type=told.raw_type,
        object_id=object_id if object_id and is_storable(object_id) else None,
        position=position,
        occurred_at=told.occurred_at,
    )


def is_storable(word: str) -> bool:
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
