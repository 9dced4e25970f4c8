"""The events that the user's app may be told of: the one catalogue.

What an endpoint may ask for, docs/events.md and the OpenAPI document's `webhooks` are made of it. A
new event is entered here, with an example of its `data`.
"""

from collections.abc import Mapping

from twintill.domain.draft_events import DRAFT_EVENTS
from twintill.domain.due_events import DUE_EVENTS
from twintill.domain.event_type import EventType
from twintill.domain.hand_events import HAND_EVENTS
from twintill.domain.payment_events import PAYMENT, PAYMENT_EVENTS

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
        {**_SUBSCRIPTION, "payment": PAYMENT["id"]},
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

ALL = (
    *_ACCESS,
    *PAYMENT_EVENTS,
    *HAND_EVENTS,
    *DUE_EVENTS,
    *_METHODS,
    *_SWITCHES,
    *_TAXES,
    *DRAFT_EVENTS,
    *_OPERATING,
)
CATALOGUE: Mapping[str, EventType] = {event.name: event for event in ALL}
