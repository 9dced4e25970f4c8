"""Payment methods: replaced, removed, revoked; and dropped when the last subscription has ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.signing_up import PATIENCE_S, finish, sign_up, stripes_customer, work
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.payment import State
from twintill.errors import ConflictError, NotFoundError
from twintill.flows import drop_tokens, methods, setups
from twintill.flows import operations as flow
from twintill.flows.methods import ReplaceRequest
from twintill.ids import derived_id, new_id
from twintill.processors import StoredMethod
from twintill.store import methods as stored
from twintill.store import operations
from twintill.store.checkouts import Checkout
from twintill.store.methods import MethodRow


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def subscriber(world: World, method: str = "card_ok") -> tuple[str, str]:
    """A customer with one paid subscription: (customer, subscription)."""
    shown = await finish(world, await sign_up(world), method)
    assert shown.checkout is not None
    return shown.checkout.customer_id, str(shown.checkout.subscription_id)


async def methods_of(world: World, customer_id: str) -> list[MethodRow]:
    async with world.db() as db:
        return await stored.list_of_customer(db, SCOPE, customer_id, removed=True)


async def token_of(world: World, customer_id: str) -> str:
    (method,) = await methods_of(world, customer_id)
    return stored.open_token(world.means.vault, SCOPE, method)


async def replace(world: World, customer_id: str) -> Checkout:
    request = ReplaceRequest(customer_id, "sandbox", "https://app.example/", "https://app.example/")
    return await methods.replace(world.means, SCOPE, new_id("op"), request)


async def choose(world: World, its: Checkout, method: str) -> None:
    url = await setups.start(world.means, SCOPE, its.id)
    assert url is not None
    await world.processor.post(url, data={"method": method})
    await flow.drive(world.means, SCOPE, its.operation_id)
    await work(world)


async def cancel(world: World, subscription_id: str, customer_id: str) -> None:
    """In Stripe, and its event as intake takes it."""
    await world.means.stripe.cancel_subscription(subscription_id)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
    await work(world)


async def is_gone_there(world: World, token: str) -> bool:
    """At the processor: a charge with it is declined."""
    status = {m["token"]: m["status"] for m in (await _state(world))["methods"]}
    return status[token] == "revoked"


async def test_the_tokens_go_everywhere_with_the_last_subscription(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    token = await token_of(world, customer_id)
    await cancel(world, subscription_id, customer_id)
    (method,) = await methods_of(world, customer_id)
    assert (method.status, method.sealed_token) == ("removed", None)
    metadata = (await stripes_customer(world, customer_id))["metadata"]
    assert not {"third_party_customer_id", "third_party_payment_method_id"} & metadata.keys()
    assert await is_gone_there(world, token)


async def test_a_customer_with_two_subscriptions_keeps_it_until_the_last_ends(
    world: World,
) -> None:
    customer_id, first = await subscriber(world)
    shown = await finish(world, await sign_up(world, customer_id=customer_id, email=None))
    assert shown.checkout is not None
    await cancel(world, first, customer_id)
    assert {m.status for m in await methods_of(world, customer_id)} == {"active"}
    await cancel(world, str(shown.checkout.subscription_id), customer_id)
    assert {m.status for m in await methods_of(world, customer_id)} == {"removed"}


async def test_a_charge_that_is_out_is_waited_for(world: World) -> None:
    shown = await finish(world, await sign_up(world), "debit_ok")
    assert shown.checkout is not None
    customer_id = shown.checkout.customer_id
    await cancel(world, str(shown.checkout.subscription_id), customer_id)
    (method,) = await methods_of(world, customer_id)
    assert method.sealed_token is not None
    await world.advance(timedelta(days=3))  # the debit is confirmed; the worker asks for it
    await work(world)
    (method,) = await methods_of(world, customer_id)
    assert (method.status, method.sealed_token) == ("removed", None)
    assert shown.payment is not None
    assert await world.status(shown.payment.invoice_id) == "paid"


async def test_asked_again_while_it_looks_it_looks_again(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    operation_id = derived_id("op", SCOPE, drop_tokens.KIND, customer_id)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
    await work(world)  # kept: the subscription lives
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
        claimed = await operations.claim(db, SCOPE, operation_id)
    assert claimed is not None
    await world.means.stripe.cancel_subscription(subscription_id)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
        assert await operations.was_rung(db, claimed)
        await operations.pause(db, claimed, timedelta(0))
    await work(world)
    assert {m.status for m in await methods_of(world, customer_id)} == {"removed"}


@pytest.mark.parametrize("call", ["/v1/methods/", "/v1/customers/"])
@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_dropping_survives_lost_answers(world: World, call: str, kind: str) -> None:
    customer_id, subscription_id = await subscriber(world)
    token = await token_of(world, customer_id)
    if "methods" in call:
        await world.break_processor(call, kind, method="DELETE")
    else:
        await world.break_stripe(call, kind, times=3)
    await cancel(world, subscription_id, customer_id)
    await world.advance(timedelta(minutes=5))
    await work(world)
    (method,) = await methods_of(world, customer_id)
    assert (method.status, method.sealed_token) == ("removed", None)
    assert await is_gone_there(world, token)


async def test_a_deleted_customers_tokens_go_too(world: World) -> None:
    customer_id, _ = await subscriber(world)
    token = await token_of(world, customer_id)
    await world.means.stripe.client.v1.customers.delete_async(customer_id)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
    await work(world)
    assert {m.status for m in await methods_of(world, customer_id)} == {"removed"}
    assert await is_gone_there(world, token)


async def test_a_replacement_becomes_the_default_and_the_former_one_goes(world: World) -> None:
    customer_id, _ = await subscriber(world)
    former = await token_of(world, customer_id)
    await choose(world, await replace(world, customer_id), "wallet_ok")
    new, old = await methods_of(world, customer_id)
    assert (new.status, new.is_default, new.kind) == ("active", True, "wallet")
    assert (old.status, old.sealed_token) == ("removed", None)
    assert await is_gone_there(world, former)
    metadata = (await stripes_customer(world, customer_id))["metadata"]
    token = stored.open_token(world.means.vault, SCOPE, new)
    assert metadata["third_party_payment_method_id"] == token


async def test_a_replacement_brings_a_declined_invoice_forward(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.collect(customer_id)
    assert (await world.payment(invoice_id)).state is State.WAITING
    await choose(world, await replace(world, customer_id), "card_ok")
    assert await world.status(invoice_id) == "paid"


async def test_a_replacement_that_is_never_finished_changes_nothing(world: World) -> None:
    customer_id, _ = await subscriber(world)
    its = await replace(world, customer_id)
    await setups.start(world.means, SCOPE, its.id)
    await world.advance(timedelta(days=2))
    await work(world)
    (method,) = await methods_of(world, customer_id)
    assert (method.status, method.is_default) == ("active", True)


async def test_only_customers_of_ours_can_replace(world: World) -> None:
    with pytest.raises(NotFoundError):
        await replace(world, "cus_unknown")


async def test_a_method_that_subscriptions_need_is_removed_only_by_force(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    with pytest.raises(ConflictError, match="Replace it first"):
        await methods.remove(world.means, SCOPE, customer_id, method.id, force=False)
    with pytest.raises(NotFoundError):
        await methods.remove(world.means, SCOPE, "cus_other", method.id, force=True)
    removing = await methods.remove(world.means, SCOPE, customer_id, method.id, force=True)
    assert removing.status == "removing"
    await work(world)
    (gone,) = await methods_of(world, customer_id)
    assert (gone.status, gone.sealed_token) == ("removed", None)


async def test_one_of_two_stored_methods_may_go(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    await world.add_method(customer_id, "card_ok")
    await methods.remove(world.means, SCOPE, customer_id, method.id, force=False)
    await work(world)
    invoice_id = await world.collect(customer_id)
    assert await world.status(invoice_id) == "paid"


async def test_no_charge_begins_with_a_method_that_is_being_removed(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await asyncio.gather(
        methods.remove(world.means, SCOPE, customer_id, method.id, force=True), world.work()
    )
    await work(world)
    (gone,) = await methods_of(world, customer_id)
    assert gone.status == "removed"
    charged = len((await world.payment(invoice_id)).attempts)
    assert len(await world.charges()) == 1 + charged
    assert await world.status(invoice_id) == ("paid" if charged else "open")


async def test_a_token_sealed_for_one_row_opens_in_no_other(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    token = stored.open_token(world.means.vault, SCOPE, method)
    fingerprint = world.means.vault.fingerprint(token)
    async with world.db() as db:
        found = await stored.find_by_fingerprint(db, SCOPE, "acct_sandbox", fingerprint)
    assert [m.id for m in found] == [method.id]
    assert token not in repr(method)
    assert token not in repr(StoredMethod("c", token, "card"))


async def _state(world: World) -> dict[str, list[dict[str, str]]]:
    shown: dict[str, list[dict[str, str]]] = (await world.processor.get("/_sandbox/state")).json()
    return shown
