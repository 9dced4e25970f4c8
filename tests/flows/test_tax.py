"""Tax that cannot be computed: seen, told, listed, and healed when the place is mended."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import finish, its_checkout, sign_up, telling, told, work
from tests.flows.switching import latest, subscription
from tests.flows.world import SCOPE, World
from twintill.domain.signup import SignupState
from twintill.domain.switching import KIND as SWITCH
from twintill.domain.tax import TaxProblem
from twintill.errors import BadRequest, NotFoundError
from twintill.flows import tax
from twintill.flows.tax import TaxState
from twintill.ids import new_id
from twintill.store import operations

GOOD = {"country": "DE", "postal_code": "10115", "city": "Berlin"}
EVENTS = (
    "invoice.finalization_failed",
    "customer.updated",
    "customer.subscription.updated",
    "invoice.finalized",
)


async def taxed(world: World, **place: Any) -> tuple[str, str]:
    """A subscriber of ours with automatic tax, who is somewhere: (customer, subscription)."""
    customer_id = await world.customer()
    await change(world, customer_id, **(place or {"address": GOOD}))
    return customer_id, await subscription(world, customer_id, automatic_tax={"enabled": True})


async def change(world: World, customer_id: str, **changes: Any) -> None:
    """Somebody does it in the Dashboard."""
    await world.means.stripe.client.v1.customers.update_async(customer_id, changes)  # type: ignore[arg-type]


async def arrive(world: World) -> None:
    """All events of Stripe's that are new, and what follows from them."""
    await deliver(world, await stripe_events(world, *EVENTS))
    await work(world)


async def state(world: World, customer_id: str) -> TaxState | None:
    async with world.db() as db:
        try:
            found = await operations.read(db, SCOPE, tax.operation_id(SCOPE, customer_id))
        except NotFoundError:
            return None
    return tax.state_of(found)


async def problem(world: World, customer_id: str) -> TaxProblem | None:
    found = await state(world, customer_id)
    return found.problem if found else None


async def test_a_place_that_is_not_known_any_more_is_told_and_heals(world: World) -> None:
    world = telling(world)
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    draft = await latest(world, subscription_id)
    assert await world.status(draft) == "draft"
    assert await problem(world, customer_id) is TaxProblem.LOCATION_UNKNOWN
    (event,) = await told(world, "tax.problem")
    assert f"/v1/customers/{customer_id}/tax_location" in event["what_to_do"]
    await tax.locate(world.means, SCOPE, customer_id, key=new_id("loc"), address=GOOD)
    await work(world)
    assert await world.status(draft) == "open"
    assert await problem(world, customer_id) is None
    assert len(await told(world, "tax.mended")) == 1
    await arrive(world)
    (charge,) = await world.charges()
    assert charge["amount"] == 4900 * 119 // 100


async def test_an_address_that_is_mended_in_the_dashboard_heals_as_well(world: World) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    await change(world, customer_id, address=GOOD)
    await arrive(world)
    await arrive(world)  # that it is finalized
    assert await world.status(await latest(world, subscription_id)) == "paid"
    assert await problem(world, customer_id) is None


async def test_without_any_event_it_is_looked_at_again_a_day_later(world: World) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    await change(world, customer_id, address=GOOD)
    await world.advance(timedelta(days=1, hours=1))
    await work(world)
    assert await world.status(await latest(world, subscription_id)) == "open"


async def test_automatic_tax_that_stripe_switched_off_is_switched_on_again(world: World) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00002"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    stripe = world.means.stripe
    assert (await stripe.read_subscription(subscription_id)).tax_disabled_because
    await tax.locate(world.means, SCOPE, customer_id, key=new_id("loc"), address=GOOD)
    await work(world)
    assert (await stripe.read_subscription(subscription_id)).tax_disabled_because is None
    assert await world.status(await latest(world, subscription_id)) == "open"


async def test_what_a_subscription_left_as_a_draft_when_it_ended_is_not_asked_for(
    world: World,
) -> None:
    """Found by a world: it was finalized later, when there was no token any more to collect it."""
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    draft = await latest(world, subscription_id)
    await world.means.stripe.cancel_subscription(subscription_id)
    await change(world, customer_id, address=GOOD)
    await arrive(world)
    assert await world.status(draft) == "draft"
    assert await problem(world, customer_id) is None


async def test_a_customer_who_was_deleted_has_no_problem_any_more(world: World) -> None:
    customer_id, _ = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    assert await problem(world, customer_id) is TaxProblem.LOCATION_UNKNOWN
    await world.means.stripe.client.v1.customers.delete_async(customer_id)
    await world.advance(timedelta(days=2))
    await arrive(world)
    found = await state(world, customer_id)
    assert found is not None
    assert (found.problem, found.needs_person) == (None, None)


async def test_a_computation_that_fails_is_tried_again_by_itself(world: World) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00003"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    assert await problem(world, customer_id) is TaxProblem.CALCULATION_FAILED
    await change(world, customer_id, address=GOOD)  # its event is lost
    await world.advance(timedelta(hours=1))
    await work(world)
    assert await world.status(await latest(world, subscription_id)) == "open"


async def test_a_shipping_address_that_shadows_a_good_billing_address_is_named(
    world: World,
) -> None:
    imprecise = {"name": "Ada", "address": {"country": "US"}}
    customer_id, subscription_id = await taxed(world, address=GOOD, shipping=imprecise)
    await world.advance(timedelta(hours=2))
    await arrive(world)
    assert await problem(world, customer_id) is TaxProblem.SHIPPING_SHADOWS
    with pytest.raises(BadRequest, match="shipping"):
        await tax.locate(world.means, SCOPE, customer_id, key=new_id("loc"), address=GOOD)
    await tax.locate(world.means, SCOPE, customer_id, key=new_id("loc"), clear_shipping=True)
    await work(world)
    assert await world.status(await latest(world, subscription_id)) == "open"


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_healing_survives_lost_answers(world: World, kind: str) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00002"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    await change(world, customer_id, address=GOOD)
    await world.break_stripe("/v1/(subscriptions|invoices)", kind, times=4)
    await arrive(world)
    for _ in range(4):
        await world.advance(timedelta(minutes=11))
        await work(world)
    assert await world.status(await latest(world, subscription_id)) == "open"
    assert await problem(world, customer_id) is None


async def test_a_customer_of_others_is_none_of_our_business(world: World) -> None:
    stranger = await world.means.stripe.create_customer(None, None, {}, "op", "stranger")
    (event,) = await stripe_events(world, "customer.created")
    failed = {
        **event,
        "id": "evt_failed",
        "type": "customer.updated",
        "data": {**event["data"], "previous_attributes": {"address": None}},
    }
    await deliver(world, [failed])
    assert await state(world, stranger) is None


async def test_a_draft_is_not_finalized_beside_a_switch_that_changes_it(world: World) -> None:
    """One call at a time for an invoice, also for one that nothing is collected of yet."""
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    await change(world, customer_id, address=GOOD)
    its: dict[str, Any] = {"customer_id": customer_id, "step": "draft", "data": {}}
    async with world.db() as db:
        await operations.add(db, SCOPE, operation_id="swi_1", kind=SWITCH, **its)
        held = await operations.claim(db, SCOPE, "swi_1")
        assert held is not None
    await arrive(world)
    assert await world.status(await latest(world, subscription_id)) == "draft"
    async with world.db() as db:
        await operations.end(db, held.lease, "done", {})
    await world.advance(timedelta(minutes=1))
    await work(world)
    assert await world.status(await latest(world, subscription_id)) == "open"


async def waits_for_an_address(world: World) -> str:
    """A sign-up whose customer has chosen a method, and whose tax nobody can compute."""
    signup_id = await sign_up(world, automatic_tax=True)
    assert (await finish(world, signup_id)).state is SignupState.CHECKOUT_OPEN
    assert (await its_checkout(world, signup_id)).problem == "address"
    return signup_id


@pytest.mark.parametrize("by", ["api", "dashboard"])
async def test_a_sign_up_goes_on_when_its_customer_is_located_elsewhere(
    world: World, by: str
) -> None:
    """Not on our page: nobody comes back to it, and no event tells of the failure."""
    signup_id = await waits_for_an_address(world)
    its = await its_checkout(world, signup_id)
    if by == "api":
        await tax.locate(world.means, SCOPE, its.customer_id, key=new_id("loc"), address=GOOD)
    else:
        await change(world, its.customer_id, address=GOOD)
        await deliver(world, await stripe_events(world, "customer.updated"))
    await work(world)
    asked = await its_checkout(world, signup_id)
    assert (asked.state, asked.final_minor) == ("confirming", 4900 * 119 // 100)
