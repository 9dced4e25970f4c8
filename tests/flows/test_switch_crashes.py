"""Switches in bad weather, and what both sides' books say: one side charges, at any moment.

That one survives workers who die in its calls: test_operation_crashes.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.leaving import methods_of
from tests.flows.one_side import N, OneSide
from tests.flows.signing_up import PATIENCE_S, work
from tests.flows.switching import (
    begin,
    card,
    open_invoice,
    read,
    subscription,
    to_processor,
    to_stripe,
)
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.outcomes import Approved
from twintill.flows import operations as flow
from twintill.flows.switches import SwitchRequest
from twintill.ids import reference
from twintill.money import Money
from twintill.processors import ChargeRequest, PreparedCharge, StoredMethod
from twintill.store import methods as stored


@pytest.fixture
def sides() -> OneSide:
    return OneSide()


@pytest.fixture
async def world(database: Database, sides: OneSide) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S, sides.watch) as world:
        yield world


async def charged_here_with(world: World, method_id: str, choice: str) -> SwitchRequest:
    """A subscription of ours, on its way to Stripe; a retry of its open invoice waits."""
    customer_id = await world.customer("card_declines_once")
    subscription_id = await subscription(world, customer_id)
    await open_invoice(world, subscription_id)
    await world.work()
    card_there = await card(world, customer_id, f"{method_id}{customer_id}")
    return to_stripe(subscription_id, card_there, choice)


async def charged_at_stripe(world: World, choice: str) -> SwitchRequest:
    """A subscription that Stripe charges, with an open invoice that its card did not pay."""
    name = f"{choice}-{await _now(world)}"
    customer_id = await world.means.stripe.create_customer(None, None, {}, "op_x", name)
    await card(world, customer_id, f"pm_1{customer_id}")
    terms = {"collection_method": "charge_automatically", "days_until_due": None}
    paid_with = {"default_payment_method": f"pm_1{customer_id}"}
    subscription_id = await subscription(world, customer_id, **terms, **paid_with)
    declined = {"default_payment_method": f"pm_1Declined{customer_id}"}
    update = world.means.stripe.client.v1.subscriptions.update_async
    await update(subscription_id, declined)  # type: ignore[arg-type]
    await world.advance(timedelta(days=31))
    return to_processor(subscription_id, await world.add_method(customer_id, "card_ok"), choice)


Make = Callable[[World], Awaitable[SwitchRequest]]
SWITCHES: dict[str, Make] = {
    "charged at Stripe": lambda w: charged_here_with(w, "pm_1Good", "charge_at_stripe"),
    "refused by Stripe": lambda w: charged_here_with(w, "pm_1Declined", "charge_at_stripe"),
    "voided": lambda w: charged_here_with(w, "pm_1Card", "void"),
    "left to Stripe": lambda w: charged_at_stripe(w, "leave"),
    "asked for again": lambda w: charged_at_stripe(w, "reinvoice"),
}


@pytest.mark.parametrize("name", SWITCHES)
async def test_answers_that_are_lost_or_are_errors_change_nothing(
    world: World, sides: OneSide, name: str
) -> None:
    request = await SWITCHES[name](world)
    sides.world = world
    switch_id = await begin(world, request)
    for n in (1, 3, 5, 7):
        await world.break_stripe("/v1/", "reset_after", method=None, nth=n)
        await world.break_stripe("/v1/", "status", method=None, nth=n + 1, code=500, act=True)
    await flow.drive(world.means, SCOPE, switch_id)
    for _ in range(6):
        await world.advance(timedelta(minutes=11))
        await work(world)
    await world.stripe.delete("/_sandbox/faults")
    await finish(world)
    ended = await read(world, switch_id)
    assert (ended.step, ended.parked_why) == ("done", None)
    await one_side_charged(world)
    assert (sides.both, sides.moments > 5) == ([], True)


async def test_who_watches_sees_when_both_sides_charge(world: World, sides: OneSide) -> None:
    """Else that nobody saw it would mean nothing."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    card_there, sides.world = await card(world, customer_id), world
    (method,) = await methods_of(world, customer_id)
    token = stored.open_token(world.means.vault, SCOPE, method)
    its = StoredMethod(method.processor_customer_id, token, method.kind)
    first, amount = reference(SCOPE, invoice_id, "charge", 1), Money(4900, "EUR")
    processor = world.means.processor("sandbox")
    request = ChargeRequest(first, invoice_id, amount, its, "by hand", {})
    prepared = processor.prepare_charge(request, "k1")
    assert isinstance(prepared, PreparedCharge)
    assert isinstance(await processor.charge(prepared), Approved)
    assert (sides.moments, sides.both) == (1, [])
    await world.means.stripe.pay_with_method(invoice_id, card_there, "k2")
    assert len(sides.both) == 1


async def finish(world: World) -> None:
    """What is left over, and what arrives meanwhile."""
    await work(world)
    await world.advance(timedelta(hours=7))
    await work(world)


async def one_side_charged(world: World) -> None:
    """Of each invoice Stripe or a processor has money, never both; by the books of the two."""
    objects = (await world.stripe.get("/_sandbox/state")).json()["objects"]
    whose = {reference(SCOPE, i["id"], "charge", n): i["id"] for i in objects["invoice"] for n in N}
    ours = Counter(whose[charge["reference"]] for charge in await world.charges())
    theirs = Counter(p["invoice"] for p in objects["invoice_payment"] if p["status"] == "paid")
    both = {i for i in ours if ours[i] and theirs[i]}
    assert not both
    assert max([*ours.values(), *theirs.values()], default=0) <= 1
    method = {i["id"]: i["collection_method"] for i in objects["invoice"]}
    assert all(method[invoice] == "send_invoice" for invoice in ours)


async def _now(world: World) -> int:
    state: dict[str, Any] = (await world.stripe.get("/_sandbox/state")).json()
    return int(state["now"])
