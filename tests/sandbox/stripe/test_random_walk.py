"""Whatever is called in whatever order: the sandbox never breaks, and its amounts always add up."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import BERLIN, CUSTOMER_CARD, StripeWorld

Step = Callable[[], Awaitable[Any]]
STEPS = 150
JUMPS_S = [60, 3600, 86400, 14 * 86400, 31 * 86400]
PLACES: list[dict[str, Any]] = [{}, {"address": BERLIN}, {"address": {"country": "US"}}]
COUPONS: list[dict[str, Any]] = [
    {"percent_off": 33.3, "duration": "forever"},
    {"amount_off": 700, "currency": "eur", "duration": "repeating", "duration_in_months": 2},
    {"percent_off": 100, "duration": "once"},
]


class Walk:
    """Random calls on random objects; refusals of kind 4xx are part of it, failures are not."""

    def __init__(self, world: StripeWorld, seed: int) -> None:
        self.world, self.v1, self.random = world, world.v1, random.Random(seed)

    def any_of(self, kind: str) -> str:
        table = list(self.world.sandbox.world.all(kind))
        return self.random.choice(table) if table else "none_x"

    async def step(self, prices: list[str]) -> None:
        calls: list[Step] = [
            lambda: self.world.customer(**self.random.choice([*PLACES, CUSTOMER_CARD])),
            lambda: self.subscribe(prices),
            lambda: self.subscribe(prices),
            lambda: self.v1.subscriptions.cancel_async(self.any_of("subscription")),
            lambda: self.v1.subscriptions.update_async(
                self.any_of("subscription"), {"cancel_at_period_end": self.random.random() < 0.5}
            ),
            self.change_seats,
            self.change_as_previewed,
            self.change_as_previewed,
            lambda: self.v1.customers.update_async(
                self.any_of("customer"), {"address": self.random.choice([BERLIN, ""])}
            ),
            lambda: self.v1.customers.balance_transactions.create_async(
                self.any_of("customer"),
                {"amount": self.random.randint(-5000, 5000), "currency": "eur"},
            ),
            lambda: self.v1.invoices.finalize_invoice_async(self.any_of("invoice")),
            lambda: self.v1.invoices.pay_async(self.any_of("invoice"), {"paid_out_of_band": True}),
            lambda: self.v1.invoices.pay_async(
                self.any_of("invoice"),
                {"payment_method": self.random.choice(["pm_card_visa", "pm_card_declined"])},
            ),
            lambda: self.v1.invoices.void_invoice_async(self.any_of("invoice")),
            lambda: self.v1.invoices.mark_uncollectible_async(self.any_of("invoice")),
            self.note,
            self.note,
            lambda: self.v1.credit_notes.void_credit_note_async(self.any_of("credit_note")),
            lambda: self.world.pay_hosted(
                self.any_of("invoice"),
                self.random.choice(["succeed", "processing", "confirm", "fail"]),
            ),
            lambda: self.world.advance(self.random.choice(JUMPS_S)),
            lambda: self.world.advance(self.random.choice(JUMPS_S)),
        ]
        try:
            await self.random.choice(calls)()
        except (stripe.InvalidRequestError, stripe.CardError):
            return  # the statuses of all calls are looked at in the end

    async def subscribe(self, prices: list[str]) -> None:
        given: dict[str, Any] = {
            "customer": self.any_of("customer"),
            "items": [{"price": self.random.choice(prices), "quantity": self.random.randint(1, 3)}],
            "automatic_tax": {"enabled": self.random.random() < 0.5},
        }
        if self.random.random() < 0.8:
            given |= {"collection_method": "send_invoice", "days_until_due": 14}
        if self.random.random() < 0.2:
            given["trial_period_days"] = 10
        if self.random.random() < 0.4:
            given["discounts"] = [{"coupon": self.any_of("coupon")} for _ in range(2)]
        await self.v1.subscriptions.create_async(given)

    async def change_seats(self) -> None:
        subscription = await self.v1.subscriptions.retrieve_async(self.any_of("subscription"))
        item = {"id": subscription["items"].data[0].id, "quantity": self.random.randint(1, 5)}
        behavior = self.random.choice(["always_invoice", "create_prorations", "none"])
        await self.v1.subscriptions.update_async(
            subscription.id, {"items": [item], "proration_behavior": behavior}
        )

    async def change_as_previewed(self) -> None:
        """Whatever happened before: what is shown is what is billed."""
        subscription = await self.v1.subscriptions.retrieve_async(self.any_of("subscription"))
        item = {"id": subscription["items"].data[0].id, "quantity": self.random.randint(1, 5)}
        change: dict[str, Any] = {
            "items": [item],
            "proration_behavior": "always_invoice",
            "proration_date": self.world.now,
        }
        if self.random.random() < 0.3:
            change = {"trial_end": self.world.now + 86400 * self.random.randint(1, 40)}
        seen = await self.v1.invoices.create_preview_async(
            {"subscription": subscription.id, "subscription_details": change}
        )
        before = subscription.latest_invoice
        changed = await self.v1.subscriptions.update_async(
            subscription.id, {**change, "expand": ["latest_invoice"]}
        )
        billed = changed.latest_invoice
        if billed.id != before:
            assert (billed.total, billed.subtotal) == (seen.total, seen.subtotal)

    async def note(self) -> None:
        amount = self.random.choice([1, 500, 1000, 4900])
        invoice = await self.v1.invoices.retrieve_async(self.any_of("invoice"))
        given = {"invoice": invoice.id, "amount": amount}
        if invoice.status == "paid" or self.random.random() < 0.1:
            given[self.random.choice(["out_of_band_amount", "credit_amount"])] = amount
        await self.v1.credit_notes.create_async(given)


def check_amounts(invoice: dict[str, Any]) -> None:
    taxes = sum(tax["amount"] for tax in invoice["total_taxes"])
    off = sum(row["amount"] for row in invoice["total_discount_amounts"])
    assert invoice["total"] == invoice["subtotal"] - off + taxes
    assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"] >= 0
    if invoice["status"] == "paid":
        assert invoice["amount_remaining"] == 0
    notes = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    assert 0 <= notes <= max(0, invoice["total"])
    if invoice["ending_balance"] is not None and notes == 0:
        moved = invoice["ending_balance"] - invoice["starting_balance"]
        assert invoice["amount_due"] == invoice["total"] - moved


@pytest.mark.parametrize("seed", range(4))
async def test_amounts_add_up_after_any_walk(world: StripeWorld, seed: int) -> None:
    walk = Walk(world, seed)
    prices = [(await world.price(amount)).id for amount in (0, 30, 1000, 4900)]
    for coupon in COUPONS:
        await world.v1.coupons.create_async(coupon)
    for place in (*PLACES, CUSTOMER_CARD):
        await world.customer(**place)
    for _ in range(STEPS):
        await walk.step(prices)
    state = world.sandbox.world
    for invoice in state.all("invoice").values():
        check_amounts(invoice)
    for customer in state.all("customer").values():
        moves = state.all("customer_balance_transaction").values()
        assert customer["balance"] == sum(
            move["amount"] for move in moves if move["customer"] == customer["id"]
        )
    assert {call.status for call in world.sandbox.calls} <= {200, 400, 402, 404}
