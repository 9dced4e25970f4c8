"""The events that the user's app may be told of: the one catalogue.

What an endpoint may ask for, docs/events.md and the OpenAPI document's `webhooks` are made of it. A
new event is entered here, with an example of its `data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEST = "endpoint.test"
DISABLED = "endpoint.disabled"
ACCESS_WITHDRAWN = "access.withdrawn"
SUBSCRIPTION_CANCELED = "subscription.canceled"
SWITCHED = "subscription.switched"
SWITCH_FAILED = "subscription.switch_failed"
TAX_PROBLEM = "tax.problem"
TAX_MENDED = "tax.mended"
METHOD_REVOKED = "method.revoked"
METHOD_EXPIRING = "method.expiring"
FOLLOWED_ON = "payment.followed_on"


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: when it comes, what the app does about it, what its `data` looks like."""

    name: str
    when: str
    example: Mapping[str, Any]


_PAYMENT = {
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
_METHOD = {
    "id": "pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "payment_method",
    "customer": "cus_QXg1o8vcGmoR32",
    "processor": "sandbox",
    "type": "card",
    "display": {"brand": "visa", "last4": "4242"},
}
_SIGNUP = {
    "id": "sgn_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "signup",
    "state": "active",
    "customer": "cus_QXg1o8vcGmoR32",
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "first_invoice": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "payment": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "metadata": {"user": "7"},
}
_SUBSCRIPTION = {
    "id": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "object": "subscription",
    "customer": "cus_QXg1o8vcGmoR32",
    "status": "canceled",
}
_SWITCH = {
    "id": "swi_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "switch",
    "state": "done",
    "to": "stripe",
    "customer": "cus_QXg1o8vcGmoR32",
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "seen_in_stripe": False,
    "why": None,
}
_BRAKE = {
    "id": "brk_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "brake",
    "processor": "sandbox",
    "why": "50 charges without an answer for two minutes",
    "paused_by": "tripwire:in_doubt",
    "paused_at": 1795339200,
    "resumed_by": None,
    "resumed_why": None,
    "resumed_at": None,
}


def _payment(event: str, when: str, **otherwise: Any) -> EventType:
    return EventType(f"payment.{event}", when, {**_PAYMENT, **otherwise})


_ACCESS = (
    EventType(
        "signup.access_granted",
        "A sign-up is complete: the first invoice is paid, or needs no payment. Give access now.",
        _SIGNUP,
    ),
    EventType(
        "signup.expired",
        "Nobody finished the checkout in time: invoice voided, subscription cancelled.",
        {**_SIGNUP, "state": "expired"},
    ),
    EventType(
        "signup.failed",
        "A sign-up has ended without access: Stripe refused it, or its first payment failed for "
        "good and nobody gave another method in time.",
        {**_SIGNUP, "state": "failed"},
    ),
    EventType(
        "subscription.first_payment_failed",
        "Nothing was ever paid for a subscription, and its first payment failed for good: invoice "
        "voided, subscription cancelled.",
        {**_SUBSCRIPTION, "payment": _PAYMENT["id"]},
    ),
    EventType(
        ACCESS_WITHDRAWN,
        "A subscription that we collect for has ended, by whomever: take the access away.",
        _SUBSCRIPTION,
    ),
    EventType(
        SUBSCRIPTION_CANCELED,
        "Stripe has cancelled a subscription that we collect for. What is still open of its "
        "invoices is told by the payments' own events.",
        _SUBSCRIPTION,
    ),
)

_PAYMENTS: tuple[EventType, ...] = (
    _payment(
        "pending",
        "The processor has taken the charge and tells the result later (a bank debit), or the "
        "customer has to approve it.",
        **_NOTHING,
        state="pending",
    ),
    _payment("collected", "The processor has the money.", state="collected", reported=0),
    _payment("reported", "Stripe shows the invoice as paid, because we told it."),
    _payment(
        "declined",
        "A charge failed. Whether it is tried again, the next event says: `payment.in_dunning` or "
        "`payment.exhausted`.",
        **_NOTHING,
        state="waiting",
        reason="retry",
        next_look_at=1795425600,
    ),
    _payment(
        "in_dunning",
        "A charge failed and is tried again, at `next_look_at`: ask the customer to look at the "
        "payment method.",
        **_NOTHING,
        state="waiting",
        reason="retry",
        next_look_at=1795425600,
    ),
    _payment(
        "exhausted",
        "All tries are used up, or none makes sense: a new payment method leads out again.",
        **_NOTHING,
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
        "Money that counted as collected was taken back by the bank (a debit that failed late).",
        **_NOTHING,
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
)

_METHODS = (
    EventType(
        METHOD_REVOKED,
        "A payment method was withdrawn on the customer's side (agreement or mandate revoked, "
        "expired, blocked): nothing is charged with it any more. Ask for another one.",
        {**_METHOD, "status": "revoked"},
    ),
    EventType(
        "method.requested",
        "The last usable payment method of a customer with live subscriptions was withdrawn. Send "
        "the customer to `checkout_url` for another one, before `until`: then the setting "
        "`revoked_unanswered` decides.",
        {
            **_METHOD,
            "status": "revoked",
            "found": "revoked",
            "checkout": "chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
            "checkout_url": "https://pay.example/checkout/chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
            "until": 1796548800,
        },
    ),
    EventType(
        METHOD_EXPIRING,
        "A payment method that a live subscription needs expires soon: ask for another one.",
        {**_METHOD, "status": "active", "expires": "2027-01"},
    ),
)

_SWITCHES = (
    EventType(
        SWITCHED,
        "Another side collects a subscription from now on: asked for here, or seen in Stripe.",
        _SWITCH,
    ),
    EventType(
        SWITCH_FAILED,
        "A switch was asked for and could not be made: the subscription is where it was.",
        {**_SWITCH, "state": "failed", "why": "The customer chose no payment method in time."},
    ),
)

_TAXES = (
    EventType(
        TAX_PROBLEM,
        "The tax of this customer's invoices cannot be computed, so they are not finalized, or "
        "without tax: `what_to_do` says what is missing.",
        {
            "object": "tax_location",
            "customer": "cus_QXg1o8vcGmoR32",
            "problem": "location_unknown",
            "what_to_do": "Ask for the billing address and send it to POST /v1/customers/...",
        },
    ),
    EventType(
        TAX_MENDED,
        "Stripe knows the place again: automatic tax is on, and what was stuck is finalized.",
        {
            "object": "tax_location",
            "customer": "cus_QXg1o8vcGmoR32",
            "problem": None,
            "what_to_do": None,
        },
    ),
)

_OPERATING = (
    EventType(
        "processor.paused", "Charging through a processor is paused: a person must look.", _BRAKE
    ),
    EventType(
        "processor.resumed",
        "Charges begin again.",
        {
            **_BRAKE,
            "resumed_by": "person:ada",
            "resumed_why": "their status page is green",
            "resumed_at": 1795342800,
        },
    ),
    EventType(
        "verify.broken",
        "A rule of the books newly breaks: a person must look.",
        {
            "object": "verification",
            "broken": [
                {
                    "check": "nothing_left",
                    "rule": "an ended payment leaves nothing behind",
                    "count": 1,
                    "examples": [
                        {
                            "id": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
                            "detail": "5 EUR-cents in customer:unapplied",
                        }
                    ],
                }
            ],
        },
    ),
    EventType(
        "verify.differs",
        "Stripe, the processor and the ledger newly differ: a person must look.",
        {
            "object": "verification",
            "count": 1,
            "differences": [
                {
                    "kind": "paid_there_not_here",
                    "says": "the processor has a charge that the ledger does not know",
                    "invoice_id": "in_1PgafmB7WZ01zgkW6dKueIc5",
                    "payment_id": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
                    "attempt_id": None,
                }
            ],
        },
    ),
    EventType(
        DISABLED,
        "An endpoint failed for days, or answered 410, and is told nothing more until somebody "
        "enables it again. Told to the other endpoints.",
        {
            "id": "we_4Yk9n2bT7xQz1LmN8vRc3WpD",
            "object": "webhook_endpoint",
            "url": "https://app.example.com/twintill",
            "why": "it failed for 5 days: the app answered 500",
        },
    ),
    EventType(
        TEST,
        "Somebody asked for a test of this endpoint; it means nothing.",
        {"id": "we_4Yk9n2bT7xQz1LmN8vRc3WpD", "object": "webhook_endpoint"},
    ),
)

ALL = (*_ACCESS, *_PAYMENTS, *_METHODS, *_SWITCHES, *_TAXES, *_OPERATING)
CATALOGUE: Mapping[str, EventType] = {event.name: event for event in ALL}
