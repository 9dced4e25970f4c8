"""What others do at the same time: the merchant in Stripe's Dashboard, the customer, the bank,
people at Twintill's doors, and whoever pulls the plug."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.simulation import overtaken, restore
from tests.simulation.houses import LOST, SCOPE, House
from tests.simulation.invoice import Invoice
from twintill.domain.facts import MethodAdded, Unparked
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import ConflictError
from twintill.flows import methods as method_flows
from twintill.flows.learn import learn, learn_within
from twintill.flows.person import Word, resolve
from twintill.ids import payment_id
from twintill.processors import LookUpBy
from twintill.store import brakes, methods, mirror, payments

if TYPE_CHECKING:
    from tests.simulation.world import World

_DAY_S = 86_400.0


def in_the_life_of(world: World, invoice: Invoice) -> None:
    """Perhaps something happens to this invoice, soon or days later."""
    if world.rng.random() < 0.4:
        after_s = world.rng.choice((1.0, 60.0, 3600.0, _DAY_S, 5 * _DAY_S)) * world.rng.random()
        world.deed(after(after_s, change(world, invoice)))
    if world.rng.random() < max(world.weather.mischief / 6, world.weather.haste / 3):
        # His last invoice: Stripe tells of it and of the end in any order.
        after_s = world.rng.choice((0.0, 1.0, 30.0)) * world.rng.random()
        world.deed(after(after_s, _end_subscription(world, invoice.customer_id)))
    if world.rng.random() < 0.3:
        world.deed(after(world.rng.uniform(0, 3 * _DAY_S), _bank_reconsiders(world, invoice)))
    if world.rng.random() < world.weather.forgeries:
        after_s = world.rng.choice((60.0, 3600.0, 2 * _DAY_S)) * world.rng.random()
        world.deed(after(after_s, _forge(world, invoice)))
    if world.rng.random() < 0.3:
        world.deed(after(world.rng.uniform(0, 3 * _DAY_S), _give_back_by_hand(world, invoice)))
    if world.rng.random() < 0.4:
        world.deed(after(world.rng.uniform(0.4, 5) * _DAY_S, _resolve(world, invoice)))


def around_a_look(world: World, house: House, looked_at: str) -> None:
    """Perhaps something happens just while a worker looks at this payment."""
    if world.network.stormy(world.weather.deaths):
        world.deed(in_a_moment(world, _kill(world, house)))
    if world.network.stormy(world.weather.deaths / 3):
        world.deed(in_a_moment(world, _restart_web(world)))
    if world.network.stormy(world.weather.cuts):
        world.deed(in_a_moment(world, world.cut))
    if world.network.stormy(world.weather.mischief):
        for invoice in world.stripe.invoices.values():
            if payment_id(SCOPE, invoice.id) == looked_at:
                world.deed(in_a_moment(world, change(world, invoice)))


def while_it_is_looked_at(world: World, invoice: Invoice) -> None:
    """Perhaps it closes, and an event tells of that before the look is answered: as it was."""
    if world.weather.haste and world.network.stormy(world.weather.haste / 3):
        world.deed(after(0, _closing(world, invoice)))
    overtaken.while_it_is_looked_at(world, invoice)


def void_what_was_paid(world: World) -> None:
    """The merchant billed all of them by mistake: he is faster than our report."""
    for invoice in world.stripe.invoices.values():
        taken = any(c.status == "succeeded" for _, c in world.rules.of(invoice.id))
        unpaid = invoice.status is InvoiceStatus.OPEN and not invoice.paid_minor
        if taken and unpaid and world.rng.random() < 0.7:
            world.trace.say("merchant", f"void {invoice.id}, billed by mistake")
            world.stripe.close(invoice, InvoiceStatus.VOID)


async def see_to_what_is_paused(world: World) -> None:
    """An operator is told of it, looks within hours, finds nothing wrong, and resumes."""
    while True:
        await world.trace.alarm.wait()
        await asyncio.sleep(world.rng.uniform(1, 6) * 3600)
        world.trace.alarm.clear()
        looked = Shrugging(world)
        with looked:
            async with world.office.means.database.begin() as db:
                for brake in await brakes.all_on(db, SCOPE):
                    world.trace.say("operator", f"resumes {brake.processor}: {brake.why}")
                    await brakes.release(db, SCOPE, brake.processor, "person", "looked at it")
        if looked.saw_an_error:
            world.trace.alarm.set()
        world.dispatcher.stirred()


async def in_a_moment(world: World, deed: Callable[[], Awaitable[None]]) -> None:
    """Between any two awaits: a while of the world's time, then some steps of the loop."""
    await asyncio.sleep(world.rng.choice((0.0, 0.0, 0.3, 1.5, 6.0, 45.0)) * world.rng.random())
    for _ in range(world.rng.randrange(40)):
        await asyncio.sleep(0)
    await deed()


async def after(seconds: float, deed: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(seconds)
    await deed()


def change(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    """One thing that somebody may do; chosen now, done when it is called."""
    stripe, total_minor = world.stripe, invoice.total_minor
    some = total_minor // 3
    at_stripe = (
        _in_stripe(world, "void", invoice, lambda: stripe.close(invoice, InvoiceStatus.VOID)),
        _in_stripe(
            world, "write off", invoice, lambda: stripe.close(invoice, InvoiceStatus.UNCOLLECTIBLE)
        ),
        _in_stripe(world, "pay on page", invoice, lambda: stripe.pay_by_stripe(invoice)),
        _in_stripe(world, "pay by hand", invoice, lambda: stripe.pay_by_hand(invoice)),
        *[_in_stripe(world, "credit some", invoice, lambda: stripe.credit(invoice, some))] * 3,
        _in_stripe(world, "credit all", invoice, lambda: stripe.credit(invoice, total_minor)),
        _credit_and_take_it_back(world, invoice),
        _stripe_debit(world, invoice),
    )
    elsewhere = (
        _new_method(world, invoice.customer_id),
        _new_method(world, invoice.customer_id),
        _remove_method(world, invoice.customer_id),
        _revoke(world, invoice.customer_id),
        _end_subscription(world, invoice.customer_id),
        _unpark(world, invoice),
        _pause(world),
    )
    return world.rng.choice(at_stripe if world.rng.random() < 0.7 else elsewhere)


def _in_stripe(
    world: World, what: str, invoice: Invoice, deed: Callable[[], None]
) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        world.trace.say("merchant", f"{what} {invoice.id}")
        deed()
        if world.weather.haste and world.rng.random() < world.weather.haste:
            after_s = world.rng.uniform(0, 2 * world.policy.refund_pause.total_seconds())
            world.deed(after(after_s, _give_back_by_hand(world, invoice)))

    return do


def _closing(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    stripe = world.stripe
    ways = (
        ("void", lambda: stripe.close(invoice, InvoiceStatus.VOID)),
        ("pay on page", lambda: stripe.pay_by_stripe(invoice)),
        ("pay by hand", lambda: stripe.pay_by_hand(invoice)),
    )
    what, deed = world.rng.choice(ways)
    return _in_stripe(world, what, invoice, deed)


def _credit_and_take_it_back(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        world.trace.say("merchant", f"credit and take back {invoice.id}")
        world.stripe.credit(invoice, invoice.total_minor // 2)
        await asyncio.sleep(world.rng.choice((0.5, 3.0, 3600.0)))
        world.stripe.void_credit(invoice)

    return do


def _stripe_debit(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        world.trace.say("customer", f"begins a debit on Stripe's page for {invoice.id}")
        world.stripe.begin_stripe_debit(invoice)
        await asyncio.sleep(world.rng.choice((60.0, 3 * _DAY_S)))
        world.stripe.end_stripe_debit(invoice, good=world.rng.random() < 0.5)

    return do


def _new_method(world: World, customer_id: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        magic = world.rng.choice(("card_ok", "card_declines_once", "debit_ok"))
        with Shrugging(world):
            await _do_new_method(world, customer_id, magic)

    return do


async def _do_new_method(world: World, customer_id: str, magic: str) -> None:
    """As the checkout page does it: the method, and what it may help, in one commit each."""
    method_id = await world.new_method(customer_id, magic)
    means = world.office.means
    async with means.database.begin() as db:
        for payment in await methods.payments_it_may_help(db, SCOPE, customer_id):
            await learn_within(db, means, SCOPE, payment, MethodAdded(method_id))
    world.dispatcher.stirred()


def _remove_method(world: World, customer_id: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        means = world.office.means
        with Shrugging(world):
            async with means.database.connect() as db:
                method = await methods.active_default(db, SCOPE, customer_id)
            if method is not None:
                world.trace.say("customer", f"{customer_id} removes {method.processor}'s method")
                world.left.add(customer_id)
                await method_flows.remove(means, SCOPE, customer_id, method.id, force=True)
                world.dispatcher.stirred()

    return do


def _revoke(world: World, customer_id: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        means = world.office.means
        with Shrugging(world):
            async with means.database.connect() as db:
                method = await methods.active_default(db, SCOPE, customer_id)
            if method is not None:
                world.trace.say("customer", f"{customer_id} revokes at {method.processor}")
                token = methods.open_token(means.vault, SCOPE, method)
                world.withdrawn[token] = customer_id
                world.banks[method.processor].revoke(token)

    return do


def _end_subscription(world: World, customer_id: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        world.trace.say("customer", f"{customer_id} ends the subscription")
        world.stripe.end_subscription(customer_id)

    return do


def _unpark(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        await asyncio.sleep(world.rng.uniform(0, 2 * _DAY_S))
        means = world.office.means
        with Shrugging(world):
            async with means.database.connect() as db:
                known = await mirror.payment_of_invoice(db, SCOPE, invoice.id)
            if known is not None:
                world.trace.say("operator", f"unparks {invoice.id}")
                await say_go_on(world, invoice, "looked at it")
                world.dispatcher.stirred()

    return do


async def say_go_on(world: World, invoice: Invoice, why: str) -> None:
    """Put the payment back to work; also where the answer is lost, it may have been agreed to."""
    means, its_id = world.office.means, payment_id(SCOPE, invoice.id)
    world.rules.agrees(invoice.id)
    decision = await learn(means, SCOPE, its_id, Unparked(why), actor="person")
    if not decision.payment.refund_agreed:
        world.rules.has_not_agreed(invoice.id)


def _pause(world: World) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        name = world.rng.choice(sorted(world.banks))
        with Shrugging(world):
            async with world.office.means.database.begin() as db:
                world.trace.say("operator", f"pauses {name}")
                await brakes.trip(db, SCOPE, name, "to be looked at", "person")
            world.trace.alarm.set()

    return do


def _resolve(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    """`twintill resolve`: he looked at the processor, and tells what is there."""

    async def do() -> None:
        means, its_id = world.office.means, payment_id(SCOPE, invoice.id)
        with Shrugging(world):
            async with means.database.connect() as db:
                known = await mirror.payment_of_invoice(db, SCOPE, invoice.id)
                out = known and (await payments.read(db, SCOPE, its_id)).unresolved_attempt
            if not out:
                return
            there = [c for _, c in world.rules.of(invoice.id) if c.reference == out.reference]
            if any(charge.status in ("pending", "requires_action") for charge in there):
                return
            taken = next((c.id for c in there if c.status == "succeeded"), None)
            word = Word(charged=taken, why="looked at the processor", actor="person")
            world.trace.say("operator", f"says of {invoice.id}: {taken or 'not charged'}")
            try:
                said = await resolve(means, SCOPE, its_id, word)
                world.trace.say("operator", f"hears {said.heard}: {said.attempt.outcome}")
            except ConflictError as refused:
                world.trace.say("operator", f"hears {refused}")
            world.dispatcher.stirred()

    return do


def _bank_reconsiders(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    """A decline becomes an approval after all; or the customer answers what was asked."""

    async def do() -> None:
        # Only its webhook tells of it: no duty asks for what was declined.
        await asyncio.sleep(max(0.0, world.deaf_until_s - world.loop.time()))
        charges = world.rules.of(invoice.id)
        # One request that was sent again is not approved twice.
        approved = {c.reference for _, c in charges if c.status == "succeeded"}
        for bank, charge in charges:
            if charge.status == "requires_action":
                bank.resolve_action(charge, approved=world.rng.random() < 0.7)
            elif charge.status == "declined" and world.rng.random() < 0.5:
                if charge.reference in approved or not bank.kind.approves_late:
                    continue
                approved.add(charge.reference)
                world.trace.say("bank", f"approves {charge.id} of {invoice.id} after all")
                bank.approve_late(charge)

    return do


def _give_back_by_hand(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    """A person at the processor sees money for an invoice that is closed, and does not wait.

    Where Stripe was told of some of it, he gives back what Twintill shows as stranded: not at a
    processor that lists no refunds, since only its webhook would tell of it, and that may be lost.
    """

    async def do() -> None:
        closed = invoice.status in (InvoiceStatus.VOID, InvoiceStatus.PAID)
        if not closed:
            return
        stranded = {row["reference"]: row["minor"] for row in _stranded(world, invoice)}
        for bank, charge in world.rules.of(invoice.id):
            left = charge.taken - charge.refunded
            if invoice.paid_by_us_minor:
                if bank.kind.look_up is LookUpBy.NONE:
                    continue
                left = min(left, stranded.get(charge.reference, 0))
            if charge.status == "succeeded" and charge.finality == "final" and left:
                minor = world.rng.choice((left, max(1, left // 3)))
                world.trace.say("operator", f"gives {minor} of {charge.id} back by hand")
                bank.give_back(charge.id, minor, None)
                if not bank.kind.tells_of_refunds_by_hand:
                    after_s = random.Random(f"{charge.id}/listed").random() * _DAY_S
                    world.deed(restore.find_refunds(world, after_s))

    return do


def _stranded(world: World, invoice: Invoice) -> list[Any]:
    return world.database.fetch(
        "SELECT a.reference, r.stranded_minor AS minor FROM receipts r "
        "JOIN attempts a ON a.attempt_id = r.attempt_id JOIN payments p "
        "ON p.payment_id = r.payment_id WHERE p.invoice_id = $1",
        invoice.id,
    )


def _forge(world: World, invoice: Invoice) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        charges = world.rules.of(invoice.id)
        if charges and world.rng.random() < 0.5:
            waiting = [found for found in charges if found[1].status == "pending"]
            await world.letters.tell_what_is_not_so(*world.rng.choice(waiting or charges))
        else:
            await world.letters.forge()

    return do


def _kill(world: World, house: House) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        world.network.disturbed.append(world.loop.time())
        await house.kill()

    return do


def _restart_web(world: World) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        if world.in_operation.is_set():
            await world.restart_web()

    return do


class Shrugging:
    """A person who sees an error page leaves it at that."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.saw_an_error = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        if isinstance(error, LOST):
            self.saw_an_error = True
            self._world.trace.say("operator", f"sees an error: {type(error).__name__}")
            return True
        return False
