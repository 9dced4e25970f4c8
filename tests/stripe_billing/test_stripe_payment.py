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


@pytest.mark.parametrize(
    ("payments", "share_minor"),
    [
        ([], 0),
        ([WAITING, {**STRIPE_PAID, "amount_paid": 900}], 900),
        ([{**STRIPE_PAID, "amount_paid": 900}, {**STRIPE_PAID, "amount_paid": 100}], 1000),
        ([{**payment("paid", "payment_record", "pr_1"), "amount_paid": 900}], 0),
        ([{**STRIPE_PAID, "amount_paid": None}], None),
    ],
)
async def test_how_much_of_it_stripe_took_itself(
    payments: list[dict[str, Any]], share_minor: int | None
) -> None:
    listed = {"object": "list", "data": payments, "has_more": False}
    look = await read(shown(status="paid", payments=listed))
    assert look.stripe_paid_minor == share_minor
