"""From one side to the other: switches that are asked for at Twintill's door, twice, or while
another one runs; and those that somebody makes in Stripe's Dashboard, and perhaps takes back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.simulation.collecting import KINDS
from tests.simulation.houses import LOST, SCOPE
from tests.simulation.invoice import subscription_of
from tests.simulation.subscriptions import BY_STRIPE, BY_US
from twintill.domain.switching import CHOICES, OpenInvoices, To
from twintill.errors import BadRequest, StripeError
from twintill.flows import operations, switches
from twintill.flows.switches import SwitchRequest
from twintill.store import methods

if TYPE_CHECKING:
    from tests.simulation.world import World

Deed = Callable[[], Awaitable[None]]
_DAY_S = 86_400.0
_GIVEN = ("card_ok", "card_ok", "card_declines_once", "card_declined", "debit_ok")


class Asking:
    """A person who is refused, or who sees an error page, leaves it at that."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        if isinstance(error, (BadRequest, StripeError, *LOST)):
            self._world.trace.say("person", f"hears {type(error).__name__}: {error}")
            return True
        return False


async def drive(world: World, operation_id: str) -> None:
    """A door does it for speed, or dies before."""
    if world.rng.random() < 0.7:
        await operations.drive(world.office.means, SCOPE, operation_id)
    world.dispatcher.stirred()


def to_stripe(world: World, customer_id: str, n: int) -> Deed:
    choice = world.rng.choice((*CHOICES[To.STRIPE], OpenInvoices.CHARGE_AT_STRIPE))
    kind, again = world.rng.choice(KINDS), _again(world)

    async def do() -> None:
        method_id = world.stripe.keep_method(customer_id, kind)
        request = SwitchRequest(subscription_of(customer_id), To.STRIPE, choice, method_id)
        await _switch(world, f"swi_{customer_id}_{n}", request, again)

    return do


def to_a_processor(world: World, customer_id: str, n: int) -> Deed:
    """With a method that he just gave; from Stripe, or from another processor."""
    choice = world.rng.choice(CHOICES[To.PROCESSOR])
    magic, again = world.rng.choice(_GIVEN), _again(world)

    async def do() -> None:
        with Asking(world):
            method_id = await world.new_method(customer_id, magic)
            request = SwitchRequest(subscription_of(customer_id), To.PROCESSOR, choice, method_id)
            await _switch(world, f"swi_{customer_id}_{n}", request, again)

    return do


def to_the_other_processor(world: World, customer_id: str, n: int) -> Deed:
    """With one of his that is stored already, and is not the default."""
    again = _again(world)

    async def do() -> None:
        with Asking(world):
            async with world.office.means.database.connect() as db:
                stored = await methods.list_of_customer(db, SCOPE, customer_id)
            others = [m.id for m in stored if m.status == "active" and not m.is_default]
            if others:
                its_id, choice = subscription_of(customer_id), OpenInvoices.LEAVE
                request = SwitchRequest(its_id, To.PROCESSOR, choice, others[0])
                await _switch(world, f"swi_{customer_id}_{n}", request, again)

    return do


def to_whatever_he_chooses(world: World, customer_id: str, n: int) -> Deed:
    """He is sent to a page on which to choose a method; he never does."""
    name = world.rng.choice(sorted(world.banks))
    request = SwitchRequest(
        subscription_of(customer_id),
        To.PROCESSOR,
        OpenInvoices.LEAVE,
        processor=name,
        return_url="http://app",
    )

    async def do() -> None:
        await _switch(world, f"swi_{customer_id}_{n}", request, "once")

    return do


def in_the_dashboard(world: World, customer_id: str, n: int) -> Deed:
    kind, after_s = world.rng.choice(KINDS), world.rng.choice((math.inf, math.inf, 600.0, _DAY_S))

    async def do() -> None:
        its = world.stripe.register.of(customer_id)
        former = its.collection_method
        to = BY_US if former == BY_STRIPE else BY_STRIPE
        method_id = world.stripe.keep_method(customer_id, kind) if to == BY_STRIPE else None
        world.trace.say("merchant", f"{customer_id} is from now on {to}")
        world.by_hand.add(customer_id)
        world.stripe.change_by_hand(
            customer_id, collection_method=to, default_payment_method=method_id
        )
        if after_s < math.inf:
            await asyncio.sleep(after_s)
            world.trace.say("merchant", f"{customer_id} is {former} again")
            world.stripe.change_by_hand(customer_id, collection_method=former)

    return do


def _again(world: World) -> str:
    return world.rng.choice(("once", "once", "twice", "twice at a time", "another, too"))


async def _switch(world: World, its_id: str, request: SwitchRequest, again: str) -> None:
    if again == "twice at a time":
        world.deed(ask(world, its_id, request))
    await ask(world, its_id, request)
    if again == "twice":
        await ask(world, its_id, request)
    if again == "another, too":
        await ask(world, f"{its_id}_too", request)


async def ask(world: World, its_id: str, request: SwitchRequest) -> None:
    """As the REST call does it."""
    world.trace.say("merchant", f"{its_id} to {request.to}, {request.open_invoices}")
    with Asking(world):
        await switches.begin(world.office.means, SCOPE, its_id, request)
        await drive(world, its_id)
