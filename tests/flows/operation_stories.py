"""Each kind of operation: how it is asked for, what it waits for, and what its right end is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from tests.flows import draft_stories as drafts
from tests.flows import invoicing_stories as invoicing
from tests.flows import signing_up as sign
from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import at_the_processor, methods_of, statuses, subscriber, take_in_of
from tests.flows.switching import begin as begin_switch
from tests.flows.switching import latest
from tests.flows.test_disputes import dispute
from tests.flows.test_follow_on import following, order
from tests.flows.test_follow_on import invoices as followed_invoices
from tests.flows.test_money_back import notes
from tests.flows.test_refunds import given_back
from tests.flows.test_switch_crashes import SWITCHES, finish, one_side_charged
from tests.flows.test_tax import EVENTS, GOOD, change, problem, taxed
from tests.flows.world import SCOPE, World
from twintill.domain.cancelling import At
from twintill.domain.changing import Prorations
from twintill.domain.drafting import DEED, WINDOW, Then, Verb
from twintill.domain.payment import State
from twintill.domain.policy import Fate, Revoked
from twintill.domain.signup import SignupState
from twintill.flows import cancelling, changing, drop_tokens, methods, setups, signup
from twintill.flows.cancelling import CancelRequest
from twintill.flows.changing import ChangeRequest
from twintill.flows.methods import ReplaceRequest
from twintill.ids import new_id
from twintill.store.methods import MethodRow
from twintill.store.operations import Operation
from twintill.store.tables import operations as operations_table
from twintill.stripe_billing.preview import Change, ItemChange

APP = "https://app.example/account"
A_DAY = timedelta(days=1, minutes=5)


async def a_day(world: World, _: str) -> None:
    await world.advance(A_DAY)


async def a_fortnight(world: World, _: str) -> None:
    await world.advance(14 * A_DAY)


@dataclass(frozen=True)
class Story:
    kind: str
    calls: int  # at least so many die in it
    begin: Callable[[World], Awaitable[str]]  # asked for, and nothing is done: its id
    right: Callable[[World, Operation], Awaitable[None]]
    rests: Callable[[World, str], Awaitable[None]] = a_day  # while it waits for something
    policy: Mapping[str, Any] = field(default_factory=dict)


# Signing up


async def sign_up(world: World) -> str:
    signup_id = new_id("sgn")
    await signup.begin(world.means, SCOPE, signup_id, await sign.ask(world))
    return signup_id


async def the_customer_chooses(world: World, signup_id: str) -> None:
    """Once; then it is collected."""
    its = await sign.its_checkout(world, signup_id)
    if its.state == "open" and its.setup_session_id is None:
        await sign.choose(world, its.id)


async def signed_up_once(world: World, signup_id: Operation) -> None:
    assert (await sign.show(world, signup_id.id)).state is SignupState.ACTIVE
    v1 = world.means.stripe.client.v1
    assert len((await v1.customers.list_async({})).data) == 1
    assert len((await v1.subscriptions.list_async({"status": "all"})).data) == 1
    assert len(await world.charges()) == 1
    assert len(await sign.told(world, "signup.access_granted")) == 1


async def sign_up_and_fail(world: World) -> str:
    """The first payment failed for good, and nobody chooses another method."""
    await sign.finish(world, await sign.sign_up(world), "card_hard_declined")
    return await only(world, "first_payment")


async def nobody_subscribes(world: World, ended: Operation) -> None:
    assert ended.step == "canceled"
    subscription_id = ended.data["subscription_id"]
    assert await sign.subscription_status(world, subscription_id) == "canceled"
    assert await world.status(await latest(world, subscription_id)) == "void"
    assert len(await sign.told(world, "subscription.first_payment_failed")) == 1


# Payment methods


async def replace_method(world: World) -> str:
    customer_id, _ = await subscriber(world)
    operation_id = new_id("op")
    request = ReplaceRequest(customer_id, "sandbox", APP, APP)
    its = await methods.replace(world.means, SCOPE, operation_id, request)
    url = await setups.start(world.means, SCOPE, its.id)
    await world.processor.post(str(url), data={"method": "wallet_ok"})
    return operation_id


async def replaced(world: World, ended: Operation) -> None:
    old, new = await by_kind(world, ended, "card", "wallet")
    assert (old.status, new.status, new.is_default) == ("removed", "active", True)
    assert await shown_in_stripe(world, ended) == new.processor_customer_id


async def remove_method(world: World) -> str:
    customer_id, _ = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    await methods.remove(world.means, SCOPE, customer_id, method.id, force=True)
    return await only(world, methods.REMOVE)


async def drop_the_tokens(world: World) -> str:
    customer_id, subscription_id = await subscriber(world)
    await world.means.stripe.cancel_subscription(subscription_id)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
    return await only(world, drop_tokens.KIND)


async def gone_everywhere(world: World, ended: Operation) -> None:
    assert await statuses(world, str(ended.customer_id)) == {"removed"}
    assert await shown_in_stripe(world, ended) is None
    there = (await world.processor.get("/_sandbox/state")).json()["methods"]
    assert {method["status"] for method in there} == {"revoked"}


async def put_in_order(world: World) -> str:
    customer_id, _ = await subscriber(world)
    second = await world.add_method(customer_id, "wallet_ok")
    (first,) = [m.id for m in await methods_of(world, customer_id) if m.id != second]
    async with world.db() as db:
        await methods.order(db, SCOPE, customer_id, [first, second])
    return await only(world, "show_default_method")


async def default_is_shown(world: World, ended: Operation) -> None:
    card, _ = await by_kind(world, ended, "card", "wallet")
    assert await shown_in_stripe(world, ended) == card.processor_customer_id


# A method that is withdrawn


async def withdraw(world: World) -> str:
    customer_id, _ = await subscriber(world)
    return await withdrawn(world, customer_id)


async def withdraw_one_of_two(world: World) -> str:
    customer_id, _ = await subscriber(world)
    await world.add_method(customer_id, "wallet_ok")
    return await withdrawn(world, customer_id)


async def withdraw_and_take_it_back(world: World) -> str:
    customer_id, _ = await subscriber(world)
    operation_id = await withdrawn(world, customer_id)
    (method,) = await methods_of(world, customer_id)
    await at_the_processor(world, method, "restore")
    return operation_id


async def withdrawn(world: World, customer_id: str) -> str:
    (method,) = [m for m in await methods_of(world, customer_id) if m.is_default]
    await at_the_processor(world, method, "block")
    await take_in_of(world, "method.")
    return await only(world, "method_revoked")


async def asked_then_ends_with_the_period(world: World, ended: Operation) -> None:
    assert ended.step == "canceled"
    assert len(await sign.told(world, "method.requested")) == 1
    await ends_with_the_period(world, ended)


async def ends_now(world: World, ended: Operation) -> None:
    assert ended.step == "canceled"
    assert await sign.subscription_status(world, await its_subscription(world, ended)) == "canceled"


async def ends_with_the_period(world: World, ended: Operation) -> None:
    look = await world.means.stripe.read_subscription(await its_subscription(world, ended))
    assert (look.status, look.cancels_at_period_end) == ("active", True)


async def the_other_is_charged(world: World, ended: Operation) -> None:
    card, wallet = await by_kind(world, ended, "card", "wallet")
    assert (ended.step, wallet.status, card.is_default) == ("other_method", "revoked", True)
    assert await shown_in_stripe(world, ended) == card.processor_customer_id


async def as_if_nothing_had_been(world: World, ended: Operation) -> None:
    (method,) = await methods_of(world, str(ended.customer_id))
    assert (ended.step, method.status, method.is_default) == ("still_active", "active", True)


# Subscriptions that end, and what follows on invoices


def cancel(at: At, *, refund: bool = False) -> Callable[[World], Awaitable[str]]:
    async def begin(world: World) -> str:
        _, subscription_id = await subscriber(world)
        request = CancelRequest(subscription_id, at, "person:ada", refund)
        operation_id = new_id("can")
        await cancelling.begin(world.means, SCOPE, operation_id, request)
        return operation_id

    return begin


async def canceled_and_given_back(world: World, ended: Operation) -> None:
    subscription_id = ended.data["subscription_id"]
    assert await sign.subscription_status(world, subscription_id) == "canceled"
    assert [r["amount"] for r in await given_back(world)] == [4900]
    assert await notes(world, await latest(world, subscription_id)) == [4900]


async def change_plan(world: World) -> str:
    """Three seats instead of one, billed at once; the worker dies with the call."""
    _, subscription_id = await subscriber(world)
    asked = Change(prorations=Prorations.AT_ONCE)
    request = ChangeRequest(subscription_id, asked, "person:ada", ItemChange(quantity=3))
    operation_id = new_id("sch")
    await changing.begin(world.means, SCOPE, operation_id, request)
    return operation_id


async def changed_once(world: World, ended: Operation) -> None:
    found = await world.means.stripe.read_changeable(ended.data["subscription_id"])
    assert (ended.step, [quantity for _, _, quantity in found.items]) == ("done", [3])
    billed = await world.means.stripe.client.v1.invoices.list_async(
        {"subscription": ended.data["subscription_id"]}
    )
    at_once = [i for i in billed.data if i.billing_reason == "subscription_update"]
    assert [i.id for i in at_once] == [ended.data["invoice_id"]]
    assert abs(at_once[0].total - 2 * 4900) < 10  # the whole period is still to come


async def lose_faith(world: World) -> str:
    """The customer disputes what he paid for his subscription."""
    _, subscription_id = await subscriber(world)
    await dispute(world, await latest(world, subscription_id))
    await take_in_of(world, "dispute.")
    return await only(world, "dispute_fate")


async def follow_on(world: World) -> str:
    return (await order(world))[1]


async def followed_once(world: World, ended: Operation) -> None:
    (invoice,) = await followed_invoices(world, str(ended.customer_id))
    assert (invoice.total, len(invoice.lines.data)) == (1900, 1)
    original = await world.payment(ended.data["invoice_id"])
    assert (await following(world, original)).state is State.REPORTED
    assert len(await world.charges()) == 2


async def tax_is_in_trouble(world: World) -> str:
    """Switched off by Stripe, then somebody mends the address; its event is lost."""
    customer_id, _ = await taxed(world, address={**GOOD, "postal_code": "00002"})
    await world.advance(timedelta(hours=2))
    await deliver(world, await stripe_events(world, *EVENTS))
    await change(world, customer_id, address=GOOD)
    return await only(world, "tax")


async def tax_is_computed(world: World, ended: Operation) -> None:
    (one,) = await world.means.stripe.list_live_subscriptions(str(ended.customer_id))
    assert one.tax_disabled_because is None
    assert await world.status(await latest(world, one.id)) == "open"
    assert await problem(world, str(ended.customer_id)) is None


def switch(name: str) -> Callable[[World], Awaitable[str]]:
    async def begin(world: World) -> str:
        return await begin_switch(world, await SWITCHES[name](world))

    return begin


async def switched(world: World, ended: Operation) -> None:
    assert ended.step == "done"
    await finish(world)
    await one_side_charged(world)


# What they look at


async def only(world: World, kind: str) -> str:
    """The one operation of this kind."""
    c = operations_table.c
    async with world.db() as db:
        found = await db.execute(select(c.operation_id).where(c.kind == kind))
        return str(found.scalar_one())


async def by_kind(world: World, ended: Operation, *kinds: str) -> list[MethodRow]:
    found = {method.kind: method for method in await methods_of(world, str(ended.customer_id))}
    return [found[kind] for kind in kinds]


async def shown_in_stripe(world: World, ended: Operation) -> str | None:
    metadata = (await sign.stripes_customer(world, str(ended.customer_id)))["metadata"]
    shown: str | None = metadata.get("third_party_customer_id")
    return shown


async def its_subscription(world: World, ended: Operation) -> str:
    listed = await world.means.stripe.client.v1.subscriptions.list_async(
        {"customer": str(ended.customer_id), "status": "all"}
    )
    return str(listed.data[0].id)


AT_ONCE, LATER = Fate.CANCEL_NOW, Fate.CANCEL_AT_PERIOD_END
STORIES: Mapping[str, Story] = {
    "a sign-up": Story("signup", 5, sign_up, signed_up_once, the_customer_chooses),
    "a first payment that fails": Story("first_payment", 2, sign_up_and_fail, nobody_subscribes),
    "a method replaced": Story("replace_method", 2, replace_method, replaced),
    "a method removed": Story("remove_method", 3, remove_method, gone_everywhere),
    "tokens dropped": Story("drop_tokens", 4, drop_the_tokens, gone_everywhere),
    "another default": Story("show_default_method", 1, put_in_order, default_is_shown),
    "withdrawn, and nobody answers": Story(
        "method_revoked", 5, withdraw, asked_then_ends_with_the_period, a_fortnight
    ),
    "withdrawn, and cancelled at once": Story(
        "method_revoked", 4, withdraw, ends_now, policy={"revoked": Revoked.CANCEL_NOW}
    ),
    "withdrawn, and another is there": Story(
        "method_revoked", 3, withdraw_one_of_two, the_other_is_charged
    ),
    "withdrawn, and it is not so": Story(
        "method_revoked", 2, withdraw_and_take_it_back, as_if_nothing_had_been
    ),
    "cancelled with the money back": Story(
        "cancel_subscription", 1, cancel(At.NOW, refund=True), canceled_and_given_back
    ),
    "cancelled with the period": Story(
        "cancel_subscription", 1, cancel(At.PERIOD_END), ends_with_the_period
    ),
    "changed, and billed at once": Story("change_subscription", 1, change_plan, changed_once),
    "disputed, and cancelled at once": Story(
        "dispute_fate", 2, lose_faith, ends_now, policy={"dispute_opened": AT_ONCE}
    ),
    "disputed, and ends with the period": Story(
        "dispute_fate", 2, lose_faith, ends_with_the_period, policy={"dispute_opened": LATER}
    ),
    "the rest, invoiced anew": Story("follow_on", 4, follow_on, followed_once),
    "an invoice made": Story("invoicing", 3, invoicing.make, invoicing.made_once),
    "an invoice refused, and taken back": Story(
        "invoicing", 6, invoicing.make_what_is_refused, invoicing.nothing_is_left
    ),
    "an invoice voided": Story(
        "invoicing", 1, invoicing.void_while_it_waits, invoicing.voided_once
    ),
    "an item added": Story("invoicing", 1, invoicing.add_an_item, invoicing.one_item_waits),
    "a product made": Story("invoicing", 1, invoicing.make_a_product, invoicing.one_product),
    "a price made": Story("invoicing", 1, invoicing.make_a_price, invoicing.one_price),
    "tax that is mended": Story("tax", 4, tax_is_in_trouble, tax_is_computed),
    "a switch to Stripe, charged there": Story("switch", 6, switch("charged at Stripe"), switched),
    "a switch to Stripe, refused there": Story("switch", 6, switch("refused by Stripe"), switched),
    "a rule holds a draft": Story(WINDOW, 3, drafts.judged(Then.HOLD), drafts.added_once),
    "a rule finalizes a draft": Story(WINDOW, 3, drafts.judged(Then.FINALIZE), drafts.added_once),
    "held by hand": Story(DEED, 1, drafts.hold_by_hand, drafts.is_held),
    "held in Stripe": Story(DEED, 1, drafts.held_in_stripe, drafts.is_held),
    "a draft released": Story(DEED, 2, drafts.asked(Verb.RELEASE), drafts.released_once),
    "a draft voided": Story(DEED, 3, drafts.asked(Verb.VOID), drafts.voided_uncharged),
    "a draft changed": Story(
        DEED, 5, drafts.asked(Verb.CHANGE, add=[drafts.EUR_5]), drafts.changed_once
    ),
    "a switch to a processor": Story("switch", 6, switch("asked for again"), switched),
}
