"""Customers that move: cancelled by API, switched to Stripe and back, between processors, revoked;
and whose taxes nobody can reckon."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation import crossing, giving_back, mischief
from tests.simulation.collecting import KINDS
from tests.simulation.crossing import Asking, Deed, drive
from tests.simulation.faults import Weather
from tests.simulation.houses import LOST, SCOPE
from tests.simulation.invoice import Invoice, subscription_of
from tests.simulation.mischief import in_a_moment
from tests.simulation.subscriptions import BY_STRIPE, KNOWN_PLACE
from twintill.domain.cancelling import At
from twintill.domain.policy import FirstPaymentFailed, Policy, Revoked, Unanswered
from twintill.flows import cancelling, tax
from twintill.flows.cancelling import CancelRequest
from twintill.ids import derived_id, payment_id
from twintill.store import methods, mirror
from twintill.store.subscription_history import Told

if TYPE_CHECKING:
    from tests.simulation.processor import Bank
    from tests.simulation.world import World

_DAY_S = 86_400.0
_PATIENCE = 200  # hours: a storm lasts four days at most


def policy(its: Policy, weather: Weather, seed: int, size: str) -> Policy:
    """What the operator set for those who move; in other worlds it is as it was."""
    if not (weather.moves or weather.withdrawals):
        return its
    rng = random.Random(f"{seed}/{size}/moves")
    return replace(
        its,
        revoked=rng.choice(tuple(Revoked)),
        revoked_ask_for=timedelta(days=rng.choice((0, 1, 4))),
        revoked_unanswered=rng.choice(tuple(Unanswered)),
        first_payment_failed=rng.choice(tuple(FirstPaymentFailed)),
        first_payment_grace=timedelta(hours=rng.choice((0, 6, 24))),
        switch_seen_pause=timedelta(hours=rng.choice((1, 24))),
    )


def in_the_life_of(world: World, customer_id: str) -> None:
    """Perhaps somebody decides something about this customer, soon or days later."""
    moves, taxes = world.weather.moves, world.weather.taxes
    if taxes and world.rng.random() < taxes:
        world.stripe.register.customer(customer_id).taxed = True
        world.deed(_after(world.rng.uniform(0, 5) * _DAY_S, _mend_the_place(world, customer_id)))
    if moves and world.rng.random() < moves:
        if world.rng.random() < 0.3:
            _begin_at_stripe(world, customer_id)
        world.deed(_move(world, customer_id))


def around_a_look(world: World, looked_at: str) -> None:
    """Perhaps somebody switches, or cancels, just while a worker looks at this payment."""
    moves = world.weather.moves
    if moves and world.network.stormy(moves / 8):
        for invoice in world.stripe.invoices.values():
            if payment_id(SCOPE, invoice.id) == looked_at:
                n = next(world.asked)
                plot = world.rng.choice((crossing.to_stripe, crossing.to_stripe, _cancel))
                world.deed(in_a_moment(world, plot(world, invoice.customer_id, n)))


def _begin_at_stripe(world: World, customer_id: str) -> None:
    """Stripe collects from him; one day he goes to a processor."""
    its = world.stripe.register.of(customer_id)
    its.collection_method, its.left_us_s = BY_STRIPE, world.loop.time()
    its.default_payment_method = world.stripe.keep_method(customer_id, world.rng.choice(KINDS))
    its.was_away = True
    leaves = crossing.to_a_processor(world, customer_id, next(world.asked))
    world.deed(_after(world.rng.choice((3600.0, _DAY_S, 3 * _DAY_S)), leaves))


async def _move(world: World, customer_id: str) -> None:
    rng = world.rng
    await sign_up(world, customer_id)
    for n in range(rng.choice((0, 1, 2))):
        world.deed(_after(rng.uniform(0, 5) * _DAY_S, _renew(world, customer_id, n + 1)))
    for _ in range(rng.choice((1, 1, 2, 3))):
        after_s = rng.choice((60.0, 3600.0, _DAY_S, 5 * _DAY_S)) * rng.random()
        world.deed(_after(after_s, _plot(world, customer_id, next(world.asked))))


def _plot(world: World, customer_id: str, n: int) -> Deed:
    """One thing that somebody decides; chosen now, done when it is called."""
    plots = (
        *(_cancel,) * 3,
        _cancel_in_the_dashboard,
        _delete,
        *(_withdraw,) * 2,
        *(_tell_what_is_not_so,) * 2,
        *(crossing.to_stripe,) * 6,
        *(crossing.to_a_processor,) * 5,
        *(crossing.to_the_other_processor,) * 2,
        crossing.to_whatever_he_chooses,
        *(crossing.in_the_dashboard,) * 3,
    )
    return world.rng.choice(plots)(world, customer_id, n)


async def sign_up(world: World, customer_id: str) -> None:
    """What a sign-up leaves in the mirror; its event says the same."""
    its = world.stripe.register.of(customer_id)
    while True:
        try:
            async with world.office.means.database.begin() as db:
                await mirror.saw_subscription(
                    db,
                    SCOPE,
                    subscription_id=its.id,
                    customer_id=customer_id,
                    status="active",
                    collection_method=its.collection_method,
                    by=Told("signup"),
                )
            break
        except LOST:
            await asyncio.sleep(1)
    world.stripe.announce_subscription(customer_id)


def _renew(world: World, customer_id: str, n: int) -> Deed:
    """The next invoice of his subscription, an hour a draft."""

    async def do() -> None:
        if world.stripe.register.of(customer_id).ended:
            return
        invoice = Invoice(
            id=f"in_{customer_id.removeprefix('cus_')}_renewal_{n}",
            customer_id=customer_id,
            currency="EUR",
            total_minor=world.rng.choice((100, 4900, 12_345)),
            due_s=world.loop.time() + 31 * _DAY_S,
        )
        world.stripe.draft(invoice)
        await asyncio.sleep(3600 + world.rng.choice((0.0, 1.0, 60.0)))
        mischief.in_the_life_of(world, invoice)
        giving_back.in_the_life_of(world, invoice)

    return do


def _cancel(world: World, customer_id: str, n: int) -> Deed:
    """As the REST call does it: asked for, then driven for speed; the door may die in between."""
    at = world.rng.choice((At.NOW, At.NOW, At.PERIOD_END, At.PERIOD_END, At.NEVER))
    its_id, gives_back = f"can_{customer_id}_{n}", at is not At.NEVER and world.rng.random() < 0.6
    request = CancelRequest(subscription_of(customer_id), at, "somebody", gives_back)

    async def do() -> None:
        world.trace.say("customer", f"{customer_id} cancels: {at} {gives_back=}")
        if gives_back:
            world.rules.asks[derived_id("rfd", SCOPE, its_id)] = None
        with Asking(world):
            await cancelling.begin(world.office.means, SCOPE, its_id, request)
            await drive(world, its_id)

    return do


def _cancel_in_the_dashboard(world: World, customer_id: str, n: int) -> Deed:
    """At the end of the period; perhaps he thinks better of it."""
    after_s = world.rng.choice((math.inf, 3600.0, 2 * _DAY_S))

    async def do() -> None:
        world.trace.say("merchant", f"{customer_id} is to end with his period")
        world.stripe.change_by_hand(customer_id, cancels_at_period_end=True)
        if after_s < math.inf:
            await asyncio.sleep(after_s)
            world.stripe.change_by_hand(customer_id, cancels_at_period_end=False)

    return do


def _delete(world: World, customer_id: str, n: int) -> Deed:
    async def do() -> None:
        world.trace.say("merchant", f"deletes {customer_id}")
        world.stripe.delete_customer(customer_id)

    return do


def _withdraw(world: World, customer_id: str, n: int) -> Deed:
    """By the customer at the processor; or by his bank, which may take it back."""
    how = world.rng.choice(("revoked", "revoked", "expired", "blocked", "blocked for a while"))

    async def do() -> None:
        found = await _a_method(world, customer_id)
        if found is None:
            return
        bank, token = found
        world.withdrawn[token] = customer_id
        world.trace.say("bank", f"{how} at {bank.kind.name}: {customer_id}'s method")
        if how == "revoked":
            bank.revoke(token)
            return
        bank.withdraw(token, how.partition(" ")[0])
        if how.endswith("while"):
            await asyncio.sleep(world.rng.choice((120.0, 3600.0, _DAY_S)))
            bank.withdraw(token, "active")

    return do


def _tell_what_is_not_so(world: World, customer_id: str, n: int) -> Deed:
    async def do() -> None:
        found = await _a_method(world, customer_id)
        if found is not None and found[0].book.methods[found[1]].status == "active":
            await world.letters.tell_of_a_method(*found)

    return do


def _mend_the_place(world: World, customer_id: str) -> Deed:
    """By our API, perhaps by mistake at first; or in the Dashboard, which only its event tells."""
    by_api = world.rng.random() < 0.5

    async def do() -> None:
        world.trace.say("merchant", f"writes the address of {customer_id}: {by_api=}")
        if not by_api:
            world.stripe.put_place(customer_id, KNOWN_PLACE)
            return
        means, key = world.office.means, f"loc_{customer_id}"
        with Asking(world):
            await tax.locate(means, SCOPE, customer_id, key=key, address={"country": "DE"})
        for _ in range(_PATIENCE):
            with Asking(world):
                await tax.locate(means, SCOPE, customer_id, key=key, address=KNOWN_PLACE)
            world.dispatcher.stirred()
            if world.stripe.register.customer(customer_id).place is not None:
                return
            await asyncio.sleep(3600)

    return do


async def _a_method(world: World, customer_id: str) -> tuple[Bank, str] | None:
    """The one that would be charged first, as the processor has it."""
    means, method = world.office.means, None
    with Asking(world):
        async with means.database.connect() as db:
            method = await methods.active_default(db, SCOPE, customer_id)
    if method is None:
        return None
    return world.banks[method.processor], methods.open_token(means.vault, SCOPE, method)


async def _after(seconds: float, deed: Deed) -> None:
    await asyncio.sleep(seconds)
    await deed()
