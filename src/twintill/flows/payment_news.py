"""What the user's app is told with a payment's event: what failed, what can be offered, what waits.

And of an invoice that is paid, once, whoever shows it first: Stripe's event or our own answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.another_try import can_be_offered
from twintill.domain.decision import Notice
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.domain.payment_events import INVOICE_PAID
from twintill.domain.policy import Policy
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import invoice_pages, mirror, outgoing, payments

_FAILED = (Notice.DECLINED, Notice.IN_DUNNING, Notice.EXHAUSTED, Notice.FAILED_LATE)


def more_of(notice: Notice, payment: Payment, policy: Policy, now: datetime) -> dict[str, Any]:
    """What this notice says beside how the payment stands."""
    if notice is Notice.PENDING:
        return {"attempt": _pending(payment)}
    if notice in _FAILED:
        return {"failure": _failure(payment), "offer": _offer(payment, policy, now)}
    return {}


@dataclass(frozen=True, slots=True)
class PaidInvoice:
    """As an event or an answer of Stripe shows it.

    `by_our_report`: it is an effect of our own call, whose answer may not be here yet.
    """

    id: str
    amount_due_minor: int
    amount_paid_minor: int
    by_our_report: bool = False


async def invoice_paid(
    db: AsyncConnection, means: Means, scope: Scope, invoice: PaidInvoice
) -> None:
    """In the transaction that told the mirror: that holds the invoice's row, so one tells it."""
    if not means.tells_app or await outgoing.is_told(db, scope, INVOICE_PAID, invoice.id):
        return
    row = await invoice_pages.read_invoice(db, scope, invoice.id)
    payment_id = await mirror.payment_of_invoice(db, scope, invoice.id)
    payment = None if payment_id is None else await payments.read(db, scope, payment_id)
    receipt = None if payment is None else _paid_with(payment, invoice)
    attempt = None
    if payment is not None and receipt is not None:
        attempt = next((a for a in payment.attempts if a.id == receipt.attempt_id), None)
    data = {
        "id": invoice.id,
        "object": "invoice",
        "customer": row.customer_id,
        "subscription": row.subscription_id,
        "number": row.number,
        "billing_reason": row.billing_reason,
        "currency": row.currency.lower(),
        "amount_due": invoice.amount_due_minor,
        "amount_paid": invoice.amount_paid_minor,
        "how": _how(invoice, receipt, attempt),
        "payment": payment_id if receipt is not None else None,
        "processor": attempt.processor if attempt is not None else None,
    }
    await outgoing.add(db, scope, INVOICE_PAID, invoice.id, data)


def _paid_with(payment: Payment, invoice: PaidInvoice) -> Receipt | None:
    """Our money that Stripe counts on it, if it is ours that paid it."""
    for receipt in payment.receipts:
        on_its_way = invoice.by_our_report and receipt.unapplied_minor > 0
        if receipt.reported_minor > 0 or on_its_way:
            return receipt
    return None


def _how(invoice: PaidInvoice, receipt: Receipt | None, attempt: Attempt | None) -> str:
    if attempt is not None:
        return "processor"
    if receipt is not None:
        return "by_hand"
    return "in_stripe" if invoice.amount_paid_minor else "nothing_due"


def _pending(payment: Payment) -> dict[str, Any] | None:
    attempt = payment.unresolved_attempt
    if attempt is None:
        return None
    expected_at = attempt.expected_at
    return {
        "id": attempt.id,
        "payment_method": attempt.method_id,
        "processor": attempt.processor,
        "outcome": attempt.outcome.value,
        "amount": attempt.amount.minor,
        "expected_at": None if expected_at is None else int(expected_at.timestamp()),
    }


def _failure(payment: Payment) -> dict[str, Any] | None:
    """Of the last charge that was declined; None: it was given up for another reason."""
    declined = [a for a in payment.attempts if a.outcome is Outcome.DECLINED]
    if not declined:
        return None
    last = declined[-1]
    return {
        "attempt": last.id,
        "payment_method": last.method_id,
        "processor": last.processor,
        "kind": last.decline_kind.value if last.decline_kind else None,
        "code": last.code,
    }


def _offer(payment: Payment, policy: Policy, now: datetime) -> dict[str, Any]:
    """What may be asked for now, by the rules of another try and of a new method."""
    collected = payment.state in (State.WAITING, State.EXHAUSTED) and payment.closing is None
    return {
        "try_again": list(can_be_offered(payment, policy, now)),
        "another_method": collected and payment.reason is not Reason.UNCOLLECTIBLE,
    }
