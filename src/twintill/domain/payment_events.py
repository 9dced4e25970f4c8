"""The events about payments, and about the invoices that they pay: part of the catalogue."""

from typing import Any

from twintill.domain.event_type import EventType

FOLLOWED_ON = "payment.followed_on"
INVOICE_PAID = "invoice.paid"

PAYMENT = {
    "id": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "object": "payment",
    "invoice": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "customer": "cus_QXg1o8vcGmoR32",
    "state": "reported",
    "reason": None,
    "currency": "eur",
    "collected": 4900,
    "reported": 4900,
    "next_look_at": None,
    "needs_person": None,
}
_NOTHING = {"collected": 0, "reported": 0}
_FAILED = {
    **_NOTHING,
    "failure": {
        "attempt": "att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
        "payment_method": "pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
        "processor": "sandbox",
        "kind": "soft",
        "code": "insufficient_funds",
    },
    "offer": {"try_again": ["pm_4Yk9n2bT7xQz1LmN8vRc3WpD"], "another_method": True},
}
_OFFER = (
    " What can be offered: the same again for the methods in `offer.try_again` "
    "(`POST /v1/payments/{payment}/attempt`), another one where `offer.another_method` "
    "(`POST /v1/customers/{customer}/payment_methods` answers the page for it)."
)


def _payment(event: str, when: str, **otherwise: Any) -> EventType:
    return EventType(f"payment.{event}", when, {**PAYMENT, **otherwise})


PAYMENT_EVENTS: tuple[EventType, ...] = (
    _payment(
        "pending",
        "The processor has taken the charge and tells the result later (a bank debit), or the "
        "customer has to approve it. Deliver now or wait for `invoice.paid`: that is yours to "
        "choose; `attempt` says when the result is expected, where the processor does.",
        **_NOTHING,
        state="pending",
        reason="accepted",
        attempt={
            "id": "att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
            "payment_method": "pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
            "processor": "sandbox",
            "outcome": "accepted",
            "amount": 4900,
            "expected_at": 1795684800,
        },
    ),
    _payment("collected", "The processor has the money.", state="collected", reported=0),
    _payment("reported", "Stripe shows the invoice as paid, because we told it."),
    _payment(
        "declined",
        "A charge failed. Whether it is tried again, the next event says: `payment.in_dunning` or "
        "`payment.exhausted`." + _OFFER,
        **_FAILED,
        state="waiting",
        reason="retry",
        next_look_at=1795425600,
    ),
    _payment(
        "in_dunning",
        "A charge failed and is tried again, at `next_look_at`: ask the customer to look at the "
        "payment method." + _OFFER,
        **_FAILED,
        state="waiting",
        reason="retry",
        next_look_at=1795425600,
    ),
    _payment(
        "exhausted",
        "All tries are used up, or none makes sense: a new payment method leads out again."
        + _OFFER,
        **_FAILED,
        state="exhausted",
        reason="tries_used_up",
    ),
    _payment(
        "canceled",
        "The invoice was closed before money moved: void, or paid by other means.",
        **_NOTHING,
        state="canceled",
        reason="invoice_void",
    ),
    _payment(
        "failed_late",
        "Money that counted as collected was taken back by the bank (a debit that failed late)."
        + _OFFER,
        **_FAILED,
        state="waiting",
        reason="failed_late",
        next_look_at=1795425600,
    ),
    _payment(
        "stranded",
        "Money is here that Stripe's invoice does not take: it is given back, or credited.",
        state="stranded",
        reason="invoice_void",
        reported=0,
    ),
    EventType(
        FOLLOWED_ON,
        "What it could not collect was invoiced anew (its debit was returned after the report, or "
        "only a part was paid): `followed_by` is the payment that goes on with it.",
        {
            "id": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
            "object": "payment",
            "invoice": "in_1PgafmB7WZ01zgkW6dKueIc5",
            "customer": "cus_QXg1o8vcGmoR32",
            "why": "failed_late",
            "amount": 4900,
            "currency": "eur",
            "followed_by": "pay_2c7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
            "followed_by_invoice": "in_1PgbgnB7WZ01zgkWq3Xn8Tsa",
        },
    ),
    _payment("refunded", "Money of this payment was given back.", state="refunded", reported=0),
    _payment(
        "refund_failed",
        "A refund was refused, or failed later: the money is still here, and a person must look.",
        needs_person="the processor refused the refund",
    ),
    _payment(
        "disputed",
        "The customer disputes it at the bank or the processor; answer it there, in time.",
        reason="disputed",
    ),
    _payment(
        "dispute_won",
        "A dispute was decided for you: the money is yours again, and nothing changes in Stripe.",
    ),
    _payment(
        "dispute_lost",
        "A dispute was decided for the customer, or you accepted it: the invoice is credited (or "
        "the loss is yours, by setting).",
        state="refunded",
        reason="dispute_lost",
        reported=0,
    ),
    _payment(
        "needs_person",
        "It waits for a person of yours; `needs_person` says what has to be decided.",
        **_NOTHING,
        state="charging",
        needs_person="the processor does not know what became of this charge",
    ),
    EventType(
        INVOICE_PAID,
        "Stripe shows an invoice of a customer of yours as paid, however: deliver now. Once for "
        "each invoice. `how`: `processor` (collected by Twintill), `by_hand` (recorded with "
        "Twintill), `in_stripe` (by Stripe itself, or marked as paid there), `nothing_due` (a "
        "credit note, the customer's balance, or an invoice of nothing).",
        {
            "id": "in_1PgafmB7WZ01zgkW6dKueIc5",
            "object": "invoice",
            "customer": "cus_QXg1o8vcGmoR32",
            "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
            "number": "A1B2-0001",
            "billing_reason": "subscription_cycle",
            "currency": "eur",
            "amount_due": 4900,
            "amount_paid": 4900,
            "how": "processor",
            "payment": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
            "processor": "sandbox",
        },
    ),
)
