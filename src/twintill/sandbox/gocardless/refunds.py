"""Refunds: parts of a payment on their way back, guarded against two writers."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.fields import Fields
from twintill.sandbox.gocardless.listing import Row
from twintill.sandbox.gocardless.mistakes import (
    link_not_there,
    not_there,
    wrong_state,
    wrong_usage,
)
from twintill.sandbox.processor import giving_back
from twintill.sandbox.processor.objects import Charge, Refund

Json = dict[str, Any]
_FILTERS = frozenset(("payment", "mandate", "refund_type"))


def create(asked: Asked) -> tuple[int, Json]:
    if not asked.switches.refunds_are_enabled:
        raise wrong_usage(403, "forbidden", "Refunds are not enabled for this account")
    asked.refuse_used_key("refunds")
    fields = asked.body("refunds")
    amount, metadata = fields.amount("amount"), fields.metadata()
    reference = fields.text("reference", 140)
    charge = asked.world.charges.get(fields.inner("links").required("payment"))
    if charge is None:
        raise link_not_there("Payment")
    _check(asked, fields, charge, amount)
    refund = giving_back.refund_charge(
        asked.world, charge.id, amount, reference, asked.now, {"metadata": metadata}
    )
    asked.records.remember("refunds", asked.key, refund.id, asked.now)
    return 201, _shown(asked, refund)


def get(asked: Asked, refund_id: str) -> tuple[int, Json]:
    refund = asked.world.refunds.get(refund_id)
    if refund is None:
        raise not_there("Refund")
    return 200, _shown(asked, refund)


def list_all(asked: Asked) -> tuple[int, Json]:
    rows = [_row(asked, refund) for refund in asked.world.refunds.values()]
    return 200, asked.page("refunds", rows, _FILTERS)


def _check(asked: Asked, fields: Fields, charge: Charge, amount: int) -> None:
    if shapes.payment_status(charge) not in ("confirmed", "paid_out"):
        raise wrong_state(
            "refund_payment_invalid_state", "The payment is neither confirmed nor paid out"
        )
    made = sum(refund.charge == charge.id for refund in asked.world.refunds.values())
    if made >= asked.switches.refunds_of_a_payment:
        raise wrong_state(
            "number_of_refunds_exceeded", "The maximum number of refunds was made already"
        )
    confirmed = fields.amount("total_amount_confirmation")
    if confirmed != charge.refunded + amount:
        raise wrong_state(
            "total_amount_confirmation_invalid",
            "The total amount confirmation does not match the sum of this payment's refunds",
        )
    if amount > charge.amount - charge.refunded:
        raise fields.wrong("amount", "must be at most what is left of the payment")
    _check_balance(asked, fields, charge.currency, amount)


def _check_balance(asked: Asked, fields: Fields, currency: str, amount: int) -> None:
    more = asked.switches.refund_float_minor
    if more is not None and amount > asked.world.balances().get(currency, 0) + more:
        raise fields.wrong(
            "amount",
            "It's not possible to process this refund because you don't have enough funds",
            "available_refund_amount_insufficient",
        )


def _shown(asked: Asked, refund: Refund) -> Json:
    return {"refunds": shapes.refund(asked.world, asked.records, refund)}


def _row(asked: Asked, refund: Refund) -> Row:
    return Row(
        refund.id,
        refund.created,
        lambda: shapes.refund(asked.world, asked.records, refund),
        {
            "payment": refund.charge,
            "mandate": asked.world.charge(refund.charge).token,
            "refund_type": "payment",
        },
    )
