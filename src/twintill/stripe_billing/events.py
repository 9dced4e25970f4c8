"""Stripe's events: a verified body in, what it shows out; snapshot and thin, old shapes and new.

Nothing about money is believed from an event: it says whose it is and what to look at.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_core import from_json

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import UnreadableEvent
from twintill.stripe_billing.shapes import (
    CustomerShape,
    Id,
    InvoiceShape,
    Shape,
    SubscriptionShape,
    Text,
    Time,
    complaint,
    id_of,
)

_LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """One event, as far as we read it; `invoice` etc. only when the event is about one."""

    id: str
    type: str  # thin ones begin with "v1."
    created_at: datetime
    livemode: bool
    thin: bool
    api_version: str | None
    account: str | None  # the connected account, if the event is one of Connect's
    request_id: str | None
    request_idempotency_key: str | None  # ours, when our own call caused the event
    object_type: str | None
    object_id: str | None
    customer_id: str | None
    subscription_id: str | None
    invoice_id: str | None
    changed: frozenset[str]  # the fields that an *.updated event says have changed
    invoice: InvoiceShape | None = None
    subscription: SubscriptionShape | None = None
    customer: CustomerShape | None = None

    @property
    def invoice_status(self) -> InvoiceStatus | None:
        """What the mirror may learn; a deleted draft still calls itself a draft."""
        if self.invoice is None:
            return None
        deleted = self.type == "invoice.deleted"
        return InvoiceStatus.DELETED if deleted else self.invoice.known_status


def parse(body: bytes) -> StripeEvent:
    """Read a verified body, or raise UnreadableEvent: it is then stored, parked, answered 2xx."""
    try:
        raw = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent(f"not JSON that can be read: {error}") from error
    kind = raw.get("object") if isinstance(raw, dict) else None
    try:
        if kind == "event":
            return _snapshot(_Snapshot.model_validate(raw))
        if kind == "v2.core.event":
            return _notification(_Notification.model_validate(raw))
    except ValidationError as error:
        raise UnreadableEvent(f"not an event of a known shape: {complaint(error)}") from None
    raise UnreadableEvent("not an event: its `object` is neither event nor v2.core.event")


class _Request(Shape):
    id: Id | None = None
    idempotency_key: Text | None = None


class _Data(Shape):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class _Snapshot(Shape):
    object: Literal["event"]
    id: Id
    type: Id
    created: Time
    livemode: bool
    api_version: Id | None = None
    account: Id | None = None
    request: _Request | Id | None = None  # before 2017-05-25 only the request's id
    data: _Data


class _Related(Shape):
    id: Id
    type: Id


class _Notification(Shape):
    object: Literal["v2.core.event"]
    id: Id
    type: Id
    created: Annotated[AwareDatetime, Field(strict=False)]
    livemode: bool
    context: Text | None = None
    related_object: _Related | None = None


def _snapshot(event: _Snapshot) -> StripeEvent:
    thing = event.data.object
    kind = _text(thing.get("object"))
    object_id = _text(thing.get("id"))
    invoice = subscription = customer = None
    # The preview in invoice.upcoming has no id: there is nothing to mirror.
    if thing.get("id") is not None:
        match kind:
            case "invoice":
                invoice = InvoiceShape.model_validate(thing)
            case "subscription":
                subscription = SubscriptionShape.model_validate(thing)
            case "customer":
                customer = CustomerShape.model_validate(thing)
    request = event.request if isinstance(event.request, _Request) else _Request(id=event.request)
    return StripeEvent(
        id=event.id,
        type=event.type,
        created_at=event.created,
        livemode=event.livemode,
        thin=False,
        api_version=event.api_version,
        account=event.account,
        request_id=request.id,
        request_idempotency_key=request.idempotency_key,
        object_type=kind,
        object_id=object_id,
        customer_id=object_id if kind == "customer" else _ref(thing, "customer"),
        subscription_id=_subscription_id(thing, kind, object_id, invoice),
        invoice_id=object_id if kind == "invoice" else _ref(thing, "invoice"),
        changed=frozenset(event.data.previous_attributes or ()),
        invoice=invoice,
        subscription=subscription,
        customer=customer,
    )


def _notification(event: _Notification) -> StripeEvent:
    related = event.related_object
    kind = related.type if related else None
    object_id = related.id if related else None
    return StripeEvent(
        id=event.id,
        type=event.type,
        created_at=event.created.astimezone(UTC),
        livemode=event.livemode,
        thin=True,
        api_version=None,
        account=_account(event.context),
        request_id=None,
        request_idempotency_key=None,
        object_type=kind,
        object_id=object_id,
        customer_id=object_id if kind == "customer" else None,
        subscription_id=object_id if kind == "subscription" else None,
        invoice_id=object_id if kind == "invoice" else None,
        changed=frozenset(),
    )


def _subscription_id(
    thing: dict[str, Any], kind: str | None, object_id: str | None, invoice: InvoiceShape | None
) -> str | None:
    if kind == "subscription":
        return object_id
    return invoice.subscription_id if invoice else _ref(thing, "subscription")


def _ref(thing: dict[str, Any], field: str) -> str | None:
    return _text(id_of(thing.get(field)))


def _text(value: Any) -> str | None:
    """A usable id or word, or None: objects that we do not read may hold anything there."""
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
    return value if usable else None


def _account(context: str | None) -> str | None:
    """A context is a path such as "acct_1" or "org_1/acct_1"."""
    last = (context or "").rpartition("/")[2]
    return last if last.startswith("acct_") else None
