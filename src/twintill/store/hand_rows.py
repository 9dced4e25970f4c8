"""Money by hand as rows: read in the statement that reads the payment, written with it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.hand import TAKEN_BACK, HandKind, HandPayment, HandState
from twintill.domain.payment import Payment
from twintill.ids import Scope
from twintill.store.money_back_rows import of_the_payment, put
from twintill.store.scoped import key
from twintill.store.tables import hand_payments

BY_HAND: Any = of_the_payment(hand_payments, "x.recorded_at, x.hand_payment_id").label("by_hand")


def by_hand(found: list[dict[str, Any]]) -> tuple[HandPayment, ...]:
    """What `BY_HAND` read, oldest first."""
    return tuple(
        hand_payment(
            row
            | {
                "received_on": date.fromisoformat(row["received_on"]),
                "recorded_at": datetime.fromisoformat(row["recorded_at"]),
                "taken_back_at": row["taken_back_at"]
                and datetime.fromisoformat(row["taken_back_at"]),
            }
        )
        for row in found
    )


def hand_payment(row: dict[str, Any]) -> HandPayment:
    """Of a row's columns."""
    return HandPayment(
        id=row["hand_payment_id"],
        kind=HandKind(row["kind"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        received_on=row["received_on"],
        reference=row["reference"],
        recorded_by=row["recorded_by"],
        recorded_at=row["recorded_at"],
        note=row["note"],
        state=HandState(row["state"]),
        credit_minor=row["credit_minor"],
        moved_minor=row["moved_minor"],
        paid_out_minor=row["paid_out_minor"],
        receipt_id=row["receipt_id"],
        source_id=row["source_id"],
        taken_back_why=row["taken_back_why"],
        taken_back_by=row["taken_back_by"],
        taken_back_at=row["taken_back_at"],
    )


async def write(db: AsyncConnection, scope: Scope, before: Payment, after: Payment) -> None:
    """What is new or has changed; what was taken back first: its reference is free then."""
    known = {hand.id: hand for hand in before.by_hand}
    for hand in sorted(after.by_hand, key=lambda h: h.state not in TAKEN_BACK):
        if hand != known.get(hand.id):
            await put(db, hand_payments, "hand_payment_id", _row(scope, after, hand))


def _row(scope: Scope, payment: Payment, hand: HandPayment) -> dict[str, Any]:
    return {
        **key(scope),
        "hand_payment_id": hand.id,
        "payment_id": payment.id,
        "invoice_id": payment.invoice_id,
        "customer_id": payment.customer_id,
        "kind": hand.kind,
        "amount_minor": hand.amount_minor,
        "currency": hand.currency,
        "received_on": hand.received_on,
        "reference": hand.reference,
        "note": hand.note,
        "recorded_by": hand.recorded_by,
        "recorded_at": hand.recorded_at,
        "state": hand.state,
        "credit_minor": hand.credit_minor,
        "moved_minor": hand.moved_minor,
        "paid_out_minor": hand.paid_out_minor,
        "receipt_id": hand.receipt_id,
        "source_id": hand.source_id,
        "taken_back_why": hand.taken_back_why,
        "taken_back_by": hand.taken_back_by,
        "taken_back_at": hand.taken_back_at,
    }
