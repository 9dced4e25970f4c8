"""Whether Stripe itself has collected, or is collecting: the table."""

from typing import Any

import pytest

from tests.stripe_billing.test_failures import read, shown
from twintill.domain.invoice import StripePayment


def payment(status: str, type_: str, intent: Any = None) -> dict[str, Any]:
    return {"status": status, "payment": {"type": type_, type_: intent, "payment_intent": intent}}


def intent(status: str) -> dict[str, Any]:
    return payment("open", "payment_intent", {"id": "pi_1", "status": status})


WAITING = intent("requires_payment_method")
STRIPE_PAID = payment("paid", "payment_intent", "pi_1")


@pytest.mark.parametrize(
    ("payments", "on_open", "on_paid"),
    [
        ([], "none", "none"),
        ([WAITING], "none", "none"),
        ([intent("requires_confirmation")], "none", "none"),
        ([intent("requires_action")], "none", "none"),
        ([intent("canceled")], "none", "none"),
        ([payment("canceled", "payment_intent", "pi_1")], "none", "none"),
        ([intent("processing")], "processing", "processing"),
        ([intent("requires_capture")], "processing", "processing"),
        ([intent("succeeded")], "processing", "processing"),
        ([intent("a_status_to_come")], "processing", "processing"),
        ([payment("open", "payment_intent", "pi_1")], "processing", "processing"),
        ([payment("open", "charge", "ch_1")], "processing", "processing"),
        ([payment("open", "payment_record", "pr_1")], "processing", "processing"),
        ([STRIPE_PAID], "paid", "paid"),
        ([payment("paid", "charge", "ch_1")], "paid", "paid"),
        ([payment("paid", "payment_record", "pr_1")], "none", "none"),
        ([WAITING, STRIPE_PAID], "paid", "paid"),
        ([STRIPE_PAID, intent("processing")], "processing", "paid"),
    ],
)
async def test_what_stripe_collects(
    payments: list[dict[str, Any]], on_open: str, on_paid: str
) -> None:
    listed = {"object": "list", "data": payments, "has_more": False}
    for status, expected in (("open", on_open), ("paid", on_paid)):
        look = await read(shown(status=status, payments=listed))
        assert look.stripe_payment is StripePayment(expected)
