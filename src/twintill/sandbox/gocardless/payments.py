"""Payments: one debit of a mandate each, from handed in to paid out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.account import Mandate
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.fields import Fields
from twintill.sandbox.gocardless.listing import Row
from twintill.sandbox.gocardless.mistakes import wrong_state
from twintill.sandbox.gocardless.words import REFERENCE_LENGTHS, SCHEMES
from twintill.sandbox.processor import charging
from twintill.sandbox.processor.objects import Charge

Json = dict[str, Any]
MOST_RETRIES = 3
_FILTERS = frozenset(("mandate", "customer", "status", "currency", "creditor"))


def create(asked: Asked) -> tuple[int, Json]:
    asked.require_direct_debit()
    asked.refuse_used_key("payments")
    fields = asked.body("payments")
    order = _read_order(asked, fields)
    charge = charging.create_charge(asked.world, order, asked.call.base_url, asked.now)
    asked.records.remember("payments", asked.key, charge.id, asked.now)
    return 201, _shown(charge)


def get(asked: Asked, payment_id: str) -> tuple[int, Json]:
    return 200, _shown(asked.payment(payment_id))


def list_all(asked: Asked) -> tuple[int, Json]:
    rows = [_row(charge) for charge in asked.world.charges.values()]
    return 200, asked.page("payments", rows, _FILTERS)


def cancel(asked: Asked, payment_id: str) -> tuple[int, Json]:
    """Only what is not with the bank yet; also a second time it fails."""
    charge = asked.payment(payment_id)
    asked.action().metadata()
    if shapes.payment_status(charge) != "pending_submission":
        raise wrong_state("cancellation_failed", "Payment cannot be cancelled")
    charging.cancel_charge(asked.world, charge.id, asked.now)
    return 200, _shown(charge)


def retry(asked: Asked, payment_id: str) -> tuple[int, Json]:
    charge = asked.payment(payment_id)
    asked.action()
    retries = asked.records.retries
    if shapes.payment_status(charge) != "failed" or retries.get(charge.id, 0) >= MOST_RETRIES:
        raise wrong_state("retry_failed", "This payment cannot be retried")
    _require_active(asked, charge.token)
    retries[charge.id] = retries.get(charge.id, 0) + 1
    charging.try_again(asked.world, charge.id, asked.now)
    return 200, _shown(charge)


def _shown(charge: Charge) -> Json:
    return {"payments": shapes.payment(charge)}


def _row(charge: Charge) -> Row:
    return Row(
        charge.id,
        charge.created,
        lambda: shapes.payment(charge),
        {
            "mandate": charge.token,
            "customer": charge.customer,
            "status": shapes.payment_status(charge),
            "currency": charge.currency,
            "creditor": shapes.CREDITOR,
        },
    )


def _read_order(asked: Asked, fields: Fields) -> charging.Order:
    amount, currency = fields.amount("amount"), fields.required("currency")
    description, metadata = fields.text("description") or "", fields.metadata()
    retries = fields.flag("retry_if_possible", default=False)
    wanted = fields.day("charge_date")
    if currency not in SCHEMES:
        raise fields.wrong("currency", "is not a supported currency")
    mandate = asked.linked_mandate(fields)
    _require_active(asked, mandate.id)
    _agree_on_currency(fields, mandate, currency)
    reference = fields.text("reference", REFERENCE_LENGTHS.get(mandate.scheme, 30))
    begin, day = _when(asked, fields, wanted)
    return charging.Order(
        reference="",  # nothing here is unique but the id
        amount=amount,
        currency=currency,
        token=mandate.id,
        customer=mandate.customer,
        description=description,
        metadata=metadata,
        details={
            "charge_date": day.isoformat(),
            "reference": reference,
            "retry_if_possible": retries,
        },
        not_before=begin,
    )


def _require_active(asked: Asked, mandate_id: str) -> None:
    if asked.world.methods[mandate_id].status != "active":
        raise wrong_state("mandate_is_inactive", "Mandate is failed, cancelled or expired")


def _agree_on_currency(fields: Fields, mandate: Mandate, currency: str) -> None:
    if mandate.currency is None:
        mandate.currency = currency
    if currency != mandate.currency:
        raise fields.wrong("currency", "must match the currency of the mandate")


def _when(asked: Asked, fields: Fields, wanted: date | None) -> tuple[datetime, date]:
    """When its days begin to count, and the day on which it is collected."""
    world = asked.world
    earliest: date = shapes.next_charge_date(world, asked.now)
    if wanted is not None and wanted < earliest:
        raise fields.wrong(
            "charge_date", "must be on or after the mandate's next_possible_charge_date"
        )
    wait = timedelta(0) if wanted is None else wanted - earliest
    begin = asked.now + wait
    return begin, world.later(begin, world.settings.debit_days).date()
