"""Reads GoCardless's payments and refunds: each becomes an outcome, or it is unreadable. Pure.

Source: its API reference, Payments and Refunds. `confirmed` and `paid_out` both mean collected; the
second, that it has left for our bank account. A payment says that it failed and not why: its events
do, so the reason is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
)
from twintill.money import Money
from twintill.processors import SeenRefund
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    whole_number_of,
)
from twintill.processors.gocardless.currencies import MAX_AMOUNT, from_gocardless

_UNDER_WAY = frozenset(("pending_customer_approval", "pending_submission", "submitted"))
# Charged back: collected, and then taken away by a dispute, which is told apart.
_COLLECTED = {
    "confirmed": Finality.PROVISIONAL,
    "paid_out": Finality.FINAL,
    "charged_back": Finality.PROVISIONAL,
}
_REFUND_UNDER_WAY = frozenset(("created", "pending_submission", "submitted"))
_REFUND_FAILED = frozenset(("cancelled", "bounced", "funds_returned"))


@dataclass(frozen=True, slots=True)
class Page:
    """What is listed, and where the next page begins."""

    rows: tuple[Json, ...]
    following: str | None


def read_one(body: bytes, what: str, its_id: str | None = None) -> Json:
    """The object in its envelope; the one that was asked for."""
    found = object_of(read_json(body), what)
    if its_id is not None and found.get("id") != its_id:
        raise Unreadable(f"another of the {what} than was asked for")
    return found


def read_page(body: bytes, what: str) -> Page:
    page = read_json(body)
    rows = list_of(page, what)
    if not all(isinstance(row, dict) for row in rows):
        raise Unreadable(f"not a list of {what}")
    cursors = object_of(object_of(page, "meta"), "cursors")
    return Page(tuple(rows), optional_text_of(cursors, "after"))


def read_payment(payment: Json, reason: Declined | None = None) -> ChargeOutcome:
    """What became of it; `reason`: of one that brought no money."""
    payment_id, status = text_of(payment, "id"), text_of(payment, "status")
    if status in _UNDER_WAY:
        return Accepted(payment_id, _day_of(payment, "charge_date"))
    if status in _COLLECTED:
        return Approved(payment_id, amount_of(payment), _COLLECTED[status])
    if reason is not None:
        return reason
    raise Unreadable(f"unknown status {status[:40]!r}")


def check_is_of(payment: Json, sent: bytes) -> None:
    """It must be what was asked for, whether it was just made or found under our key."""
    order = object_of(read_json(sent), "payments")
    wanted = (
        ("amount", order["amount"], payment.get("amount")),
        ("currency", order["currency"], payment.get("currency")),
        ("reference", order["metadata"]["reference"], reference_of(payment)),
        ("mandate", order["links"]["mandate"], object_of(payment, "links").get("mandate")),
    )
    _check_same(wanted)


def choose(payments: Sequence[Json], reference: str) -> Json | None:
    """Of those under our reference, the one that may have moved money; else the newest."""
    ours = [payment for payment in payments if reference_of(payment) == reference]
    without = ("failed", "cancelled", "customer_approval_denied")
    alive = [payment for payment in ours if payment.get("status") not in without]
    if len(alive) > 1:
        raise Unreadable("two payments under one reference")
    return next(iter(alive or ours), None)


def reference_of(found: Json) -> str | None:
    """Ours, in the metadata; None: of somebody else."""
    metadata = found.get("metadata")
    return optional_text_of(metadata, "reference") if isinstance(metadata, dict) else None


def amount_of(found: Json) -> Money:
    try:
        return from_gocardless(
            whole_number_of(found, "amount", MAX_AMOUNT), text_of(found, "currency")
        )
    except (KeyError, ValueError) as error:
        raise Unreadable(f"amount or currency: {error}") from None


def payment_of(refund: Json) -> str | None:
    """None: a refund of no payment, to a mandate."""
    return optional_text_of(object_of(refund, "links"), "payment")


def read_refund(refund: Json, payment_id: str) -> SeenRefund:
    """One refund of that payment, and what became of it."""
    if payment_of(refund) != payment_id:
        raise Unreadable("a refund of another payment")
    refund_id, amount = text_of(refund, "id"), amount_of(refund)
    outcome = _refund_outcome(refund_id, text_of(refund, "status"), amount)
    return SeenRefund(refund_id, reference_of(refund), amount, outcome)


def read_refund_of(refund: Json, payment_id: str, sent: bytes) -> ChargeOutcome:
    """The answer to a refund request; it must speak of what was asked for."""
    order = object_of(read_json(sent), "refunds")
    wanted = (
        ("amount", order["amount"], refund.get("amount")),
        ("reference", order["metadata"]["reference"], reference_of(refund)),
    )
    _check_same(wanted)
    return read_refund(refund, payment_id).outcome


def refund_failed(refund_id: str) -> Declined:
    return Declined(DeclineKind.HARD, "refund_failed", "The refund came back.", None, refund_id)


def _refund_outcome(refund_id: str, status: str, amount: Money) -> ChargeOutcome:
    if status == "paid":
        return Approved(refund_id, amount)
    if status in _REFUND_UNDER_WAY:
        return Accepted(refund_id)
    if status in _REFUND_FAILED:
        return refund_failed(refund_id)
    raise Unreadable(f"unknown status {status[:40]!r}")


def _check_same(wanted: Sequence[tuple[str, object, object]]) -> None:
    for name, sent, got in wanted:
        if got != sent or type(got) is not type(sent):
            raise Unreadable(f"{name} is not what was sent")


def _day_of(fields: Json, name: str) -> datetime | None:
    """A date without a zone: its first moment."""
    text = optional_text_of(fields, name)
    try:
        return None if text is None else datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Unreadable(f"{name} is not a date") from None
