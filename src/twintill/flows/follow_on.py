"""A follow-on: a one-off invoice for what another one could not collect, and its payment.

    read -> create -> item -> finalize -> done

Its payment is there, held, before the invoice is open, so that it is never taken for a stranger's.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain import follow_on as rules
from twintill.domain.facts import InvoiceOpened
from twintill.domain.follow_on import FollowOnWhy
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.payment_events import FOLLOWED_ON
from twintill.errors import StripeRefused
from twintill.flows.learn import learn_within
from twintill.flows.operating import Operating, Walk
from twintill.store import methods, mirror, outgoing, payments
from twintill.store.work import NO_LANE
from twintill.stripe_billing.one_off import Terms

_EARLIER = timedelta(hours=1)  # Stripe's clock and ours need not agree
_HELD = timedelta(hours=1)


async def read(operating: Operating) -> Operating | None:
    """The terms of the other invoice; tax that somebody set by hand is for a person."""
    invoice_id = operating.data["invoice_id"]
    async with operating.holding(ids.payment_id(operating.scope, invoice_id)) as lease:
        if lease is None:
            return None
        terms = await operating.means.stripe.read_terms(invoice_id)
    if terms.manual_tax:
        await operating.park(_by_hand(operating, terms))
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "create", terms=asdict(terms))


async def create(operating: Operating) -> Operating | None:
    """An empty draft, and in one commit with its id the payment that will collect it."""
    new_id, operating = await _create(operating)
    payment = _payment(operating, new_id)
    async with operating.means.database.begin() as db:
        await _open(db, operating, payment)
        return await operating.moved(db, "item", new_invoice_id=new_id, new_payment_id=payment.id)


async def item(operating: Operating) -> Operating | None:
    stripe, new_id = operating.means.stripe, operating.data["new_invoice_id"]
    there = False
    if operating.key_is_doubtful:
        there = await stripe.has_amount(new_id, operating.id)
        operating = operating if there else await operating.with_next_key()
    if not there:
        terms = _terms(operating)
        text = rules.words_of(FollowOnWhy(operating.data["why"]), terms.number)
        customer_id, amount_minor = _customer(operating), operating.data["amount_minor"]
        op = (operating.id, operating.key)
        await stripe.add_amount(new_id, customer_id, amount_minor, terms, text, op)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "finalize")


async def finalize(operating: Operating) -> Operating | None:
    """Open: from now on it is collected like any other."""
    look = await _finalize(operating)
    scope, payment_id = operating.scope, operating.data["new_payment_id"]
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, scope, look)
        await learn_within(
            db, operating.means, scope, payment_id, InvoiceOpened(look.due_at), actor=operating.id
        )
        await operating.end(db, "done")
        if operating.means.tells_app:
            original = operating.data["payment_id"]
            await outgoing.add(db, scope, FOLLOWED_ON, original, told(operating))
    return None


def told(operating: Operating) -> dict[str, Any]:
    """What the user's app hears: which payment goes on as which."""
    data = operating.data
    return {
        "id": data["payment_id"],
        "object": "payment",
        "invoice": data["invoice_id"],
        "customer": _customer(operating),
        "why": data["why"],
        "amount": data["amount_minor"],
        "currency": data["currency"].lower(),
        "followed_by": data["new_payment_id"],
        "followed_by_invoice": data["new_invoice_id"],
    }


async def _create(operating: Operating) -> tuple[str, Operating]:
    stripe, customer_id = operating.means.stripe, _customer(operating)
    if operating.key_is_doubtful:
        since = operating.operation.created_at - _EARLIER
        found = await stripe.find_one_off_by_op(customer_id, operating.id, since)
        if found is not None:
            return found, operating
        operating = await operating.with_next_key()
    continues = operating.data["invoice_id"]
    created = await stripe.create_one_off(
        customer_id, _terms(operating), continues, operating.id, operating.key
    )
    return created, operating


def _payment(operating: Operating, invoice_id: str) -> Payment:
    """Held until the invoice is open, or until the time of its first try.

    Who agreed to no charge for the first (he paid it by cheque, or by wire) has not for this one.
    """
    data = operating.data
    try_at = data["try_at"] and datetime.fromisoformat(data["try_at"])
    return Payment(
        id=ids.payment_id(operating.scope, invoice_id),
        invoice_id=invoice_id,
        customer_id=_customer(operating),
        currency=data["currency"],
        state=State.WAITING,
        reason=Reason.RETRY if try_at else Reason.DRAFT,
        next_look_at=try_at or operating.now + _HELD,
        continues=data["payment_id"],
        limit_minor=0 if data.get("never_charged") else None,
    )


async def _open(db: AsyncConnection, operating: Operating, payment: Payment) -> None:
    scope = operating.scope
    method = await methods.active_default(db, scope, payment.customer_id)
    lane = method.processor if method else NO_LANE
    await mirror.saw_invoice(db, scope, _mirrored(payment))
    await payments.add(db, scope, payment, lane, operating.now)


async def _finalize(operating: Operating) -> InvoiceLook:
    stripe, new_id = operating.means.stripe, operating.data["new_invoice_id"]
    try:
        return await stripe.finalize(new_id, operating.key)
    except StripeRefused:
        look = await stripe.read_invoice(new_id)
        if look.status is InvoiceStatus.DRAFT:
            # Once it is mended, the old key would answer this refusal again.
            await operating.with_next_key()
            raise
        return look


def _mirrored(payment: Payment) -> dict[str, Any]:
    """An empty draft."""
    return {
        "invoice_id": payment.invoice_id,
        "customer_id": payment.customer_id,
        "subscription_id": None,
        "number": None,
        "status": InvoiceStatus.DRAFT.value,
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "currency": payment.currency,
        "amount_due_minor": 0,
        "amount_paid_minor": 0,
        "amount_remaining_minor": 0,
        "due_at": None,
    }


def _by_hand(operating: Operating, terms: Terms) -> str:
    amount_minor = operating.data["amount_minor"]
    return (
        f"Invoice {terms.number} has tax rates that were set by hand: Twintill cannot tell which "
        f"part of {amount_minor} {operating.data['currency']} is tax. Make a one-off invoice of "
        "that amount in Stripe (send_invoice), with the same tax rates; Twintill collects it. "
        "Leave this parked."
    )


def _terms(operating: Operating) -> Terms:
    return Terms(**operating.data["terms"])


def _customer(operating: Operating) -> str:
    return str(operating.operation.customer_id)


STEPS: Mapping[str, Walk] = {
    rules.READ: read,
    "create": create,
    "item": item,
    "finalize": finalize,
}
