"""Money that goes back after Stripe was told of it: refunds, credit notes, disputes, partial
approvals; by people at Twintill's doors, in Stripe's Dashboard and at the processor."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.simulation import restore
from tests.simulation.houses import SCOPE
from tests.simulation.invoice import Invoice
from tests.simulation.mischief import Shrugging, after, in_a_moment, say_go_on
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import BadRequest, ConflictError, NotFoundError
from twintill.flows import money_back
from twintill.flows.money_back import Wish
from twintill.ids import payment_id
from twintill.sandbox.processor import giving_back as there
from twintill.sandbox.processor.objects import Charge
from twintill.sandbox.processor.refusals import Refusal

if TYPE_CHECKING:
    from tests.simulation.processor import Bank
    from tests.simulation.world import World

_DAY_S = 86_400.0
_TRIES = 12
_PAIR_PAUSE_S = 600.0  # by then whoever does both sides by hand has done the second
_THAT_PAY = (*("card_ok",) * 5, "card_refund_fails", "debit_ok", "debit_fails_late")
_FOR_DEMANDS = ("card_ok", "card_ok", "card_refund_fails")
Deed = Callable[[], Awaitable[None]]


def in_the_life_of(world: World, invoice: Invoice) -> None:
    """Perhaps some of it is given back, soon or days later."""
    back, disputes = world.weather.money_back, world.weather.disputes
    if world.twin is not None:
        return
    if back and world.rng.random() < back:
        for _ in range(world.rng.choice((1, 2, 2, 3))):
            world.deed(after(_some_time(world), _when_told(world, invoice, _give(world, invoice))))
    if back and world.rng.random() < back / 3:
        world.deed(after(_some_time(world) / 10, _credit_and_void(world, invoice)))
    if disputes and world.rng.random() < disputes:
        world.deed(after(_some_time(world), _when_told(world, invoice, _dispute(world, invoice))))
    demands = world.weather.demands
    if demands and world.apart.random() < demands:
        world.deed(_demand(world, invoice))
    if back or disputes or demands:
        world.deed(see_to_it(world, invoice))


def around_a_look(world: World, looked_at: str) -> None:
    """Perhaps somebody gives back just while a worker looks at this payment."""
    back = world.weather.money_back
    if back and world.twin is None and world.network.stormy(back / 6):
        for invoice in world.stripe.invoices.values():
            if payment_id(SCOPE, invoice.id) == looked_at and invoice.told_minor:
                world.deed(in_a_moment(world, _give(world, invoice)))


def magic_of(world: World) -> str | None:
    """Mostly one that brings money: else nothing could go back. None: any method."""
    weather = world.weather
    if weather.partial and world.rng.random() < weather.partial:
        return "card_partial"
    if (weather.money_back or weather.disputes) and world.rng.random() < 0.7:
        return world.rng.choice(_THAT_PAY)
    return world.apart.choice(_FOR_DEMANDS) if weather.demands else None


def is_left_alone(world: World) -> bool:
    """By those who void, credit and pay elsewhere: so that something is there to go back."""
    weather = world.weather
    if weather.demands and world.apart.random() < 0.8:
        return True
    return bool(weather.money_back or weather.disputes) and world.rng.random() < 0.6


def _some_time(world: World) -> float:
    return world.rng.choice((60.0, 3600.0, _DAY_S, 4 * _DAY_S)) * world.rng.random()


def _when_told(world: World, invoice: Invoice, deed: Deed) -> Deed:
    """A webhook of what nobody asks for must not come while all of them are lost."""

    async def do() -> None:
        await asyncio.sleep(max(0.0, world.deaf_until_s - world.loop.time()))
        for _ in range(_TRIES):
            if invoice.told_minor:
                await deed()
                return
            await asyncio.sleep(_DAY_S / 2)

    return do


def _give(world: World, invoice: Invoice) -> Deed:
    """Chosen now, done when it is called."""
    minor = world.rng.choice((invoice.total_minor, *(max(1, invoice.total_minor // 3),) * 2))
    ask = _ask(world, invoice, world.rng.choice((None, *(minor,) * 4, invoice.total_minor + 1)))
    note, refund = _note(world, invoice, minor), _refund(world, invoice, minor)
    both = [note, refund] if world.rng.random() < 0.5 else [refund, note]
    pause_s = world.rng.choice((1.0, 60.0, 500.0, 3600.0))

    async def do_both() -> None:
        alone = not _is_under_way(world, invoice)
        await both[0]()
        if alone and pause_s < _PAIR_PAUSE_S:
            world.rules.at_work[invoice.id] = world.loop.time() + pause_s
        await asyncio.sleep(pause_s)
        await both[1]()

    return world.rng.choice((ask, ask, ask, note, refund, do_both, do_both))


def _is_under_way(world: World, invoice: Invoice) -> bool:
    """Something else goes back already: what comes next may be its other half."""
    refunds = [r for bank in world.banks.values() for r in bank.book.refunds.values()]
    ids = {charge.id for _, charge in world.rules.of(invoice.id)}
    there = any(refund.charge in ids for refund in refunds)
    asked = any(invoice.id in ask for ask in world.rules.asks)
    return there or asked or bool(world.stripe.shelf.notes.get(invoice.id))


def _ask(world: World, invoice: Invoice, minor: int | None) -> Deed:
    """At Twintill's door; whoever hears no answer asks again under the same id."""

    async def do() -> None:
        ask_id = f"rfd_{invoice.id}_{len(world.rules.asks) + 1}"
        world.rules.asks[ask_id] = None
        wish = Wish(payment_id(SCOPE, invoice.id), "changed his mind", "person", minor)
        for _ in range(_TRIES):
            with Shrugging(world):
                said = await _asked(world, ask_id, wish)
                world.trace.say("operator", f"asks for {minor} of {invoice.id} back: {said}")
                world.dispatcher.stirred()
                return
            await asyncio.sleep(60)

    return do


async def _demand(world: World, invoice: Invoice) -> None:
    """Parts of it as soon as it is paid, and then more than is left, several times."""
    rng, part_minor = world.apart, max(1, invoice.total_minor // 3)
    await asyncio.sleep(max(0.0, world.deaf_until_s - world.loop.time()))
    for _ in range(10 * _TRIES):
        if invoice.told_minor:
            break
        await asyncio.sleep(1200)
    else:
        return
    then_in_stripe = rng.random() < 0.4
    more = () if then_in_stripe else (part_minor, invoice.total_minor, None, None)
    for minor in (part_minor, *more):
        await _ask(world, invoice, minor)()
        await asyncio.sleep(rng.choice((1.0, 300.0, 4 * 3600.0)) * rng.random())
    for _ in range(2 if then_in_stripe else 0):  # the second when a person agreed to the first
        await _note(world, invoice, part_minor)()
        await asyncio.sleep(rng.uniform(4, 6) * _DAY_S)


async def _asked(world: World, ask_id: str, wish: Wish) -> str:
    try:
        made = await money_back.ask(world.office.means, SCOPE, ask_id, wish)
    except (BadRequest, ConflictError, NotFoundError) as refused:
        return str(refused)
    return f"{made.amount_minor} {made.state}"


def _note(world: World, invoice: Invoice, minor: int) -> Deed:
    async def do() -> None:
        made = world.stripe.write_credit_note(invoice, minor)
        if made is not None:
            world.trace.say("merchant", f"writes {made.credit_note_id} of {made.amount_minor}")

    return do


def _credit_and_void(world: World, invoice: Invoice) -> Deed:
    """A note on an open invoice, taken back while it still is."""

    async def do() -> None:
        if invoice.status is not InvoiceStatus.OPEN:
            return
        made = world.stripe.write_credit_note(invoice, max(1, invoice.total_minor // 4))
        if made is not None:
            world.trace.say("merchant", f"writes {made.credit_note_id} of {made.amount_minor}")
            await asyncio.sleep(world.rng.choice((1.0, 60.0, 7200.0)))
            world.stripe.void_credit_note(invoice, made.credit_note_id)

    return do


def _refund(world: World, invoice: Invoice, minor: int) -> Deed:
    async def do() -> None:
        for bank, charge in _taken(world, invoice):
            if charge.finality != "final" and world.rng.random() < 0.8:
                continue
            amount = min(minor, charge.taken - charge.refunded)
            apart = random.Random(f"{charge.id}/silently")  # other worlds stay as they are
            silently = bank.kind.capabilities().finds_refunds and apart.random() < 0.7
            silently = silently or not bank.kind.tells_of_refunds_by_hand
            try:
                bank.give_back(charge.id, amount, None, silently=silently)
                what = "gives, and nobody is told," if silently else "gives"
            except Refusal as refusal:
                what = f"may not give ({refusal.code})"
            else:
                if silently:
                    world.deed(restore.find_refunds(world, apart.random() * _DAY_S))
            world.trace.say("operator", f"{what} {amount} of {charge.id} back by hand")

    return do


def _dispute(world: World, invoice: Invoice) -> Deed:
    """Chosen and done step by step; a webhook of any step may be lost for good."""

    async def do() -> None:
        taken = _taken(world, invoice)
        if not taken:
            return
        bank, charge = world.rng.choice(taken)
        if charge.finality != "final" and world.rng.random() < 0.7:
            return  # what its bank takes back otherwise
        amount = world.rng.choice((None, charge.taken, max(1, charge.taken // 2)))
        at_once = world.rng.random() < 0.6
        silently = world.network.stormy(world.weather.lost_webhooks)
        try:
            dispute = bank.dispute(
                lambda book, now: there.open_dispute(
                    book, charge.id, amount, "not_received", now, withheld=at_once
                ),
                silently=silently,
            )
        except Refusal as refusal:
            world.trace.say("customer", f"cannot dispute {charge.id}: {refusal.code}")
            return
        told = ", and nobody is told" if silently else ""
        what = f"disputes {dispute.amount} of {invoice.id}: {dispute.id}{told}"
        world.trace.say("customer", what)
        if silently:
            world.deed(restore.find_disputes(world))
        for step in _course(world, dispute.id, withheld=at_once):
            await asyncio.sleep(world.rng.choice((1.0, 3600.0, _DAY_S)) * world.rng.random())
            _walk(world, bank, dispute.id, step)

    return do


Step = tuple[str, Callable[..., object]]


def _course(world: World, its_id: str, *, withheld: bool) -> list[Step]:
    """What will be decided, and when the money is taken that was left here at first."""
    end = world.rng.choice(("won", "lost", "lost", "accepted"))
    resolve: Step = (end, lambda book, now: there.resolve_dispute(book, its_id, end, now))
    review: Step = ("under review", lambda book, now: there.review_dispute(book, its_id, now))
    take: Step = ("taken", lambda book, now: there.withhold(book, its_id, now))
    course = [review, resolve] if world.rng.random() < 0.5 else [resolve]
    if not withheld and (end != "won" or world.rng.random() < 0.5):
        after_the_end = len(course) if end != "won" else len(course) - 1
        course.insert(world.rng.randrange(after_the_end + 1), take)
    return course


def _walk(world: World, bank: Bank, its_id: str, step: Step) -> None:
    name, act = step
    silently = world.network.stormy(world.weather.lost_webhooks)
    try:
        bank.dispute(act, silently=silently)
    except Refusal as refusal:
        name = f"not {name} ({refusal.code})"
    told = ", and nobody is told" if silently else ""
    world.trace.say("bank", f"{its_id} is {name}{told}")


def _taken(world: World, invoice: Invoice) -> list[tuple[Bank, Charge]]:
    return [(b, c) for b, c in world.rules.of(invoice.id) if c.status == "succeeded"]


async def see_to_it(world: World, invoice: Invoice) -> None:
    """A person looks every other day at what waits for one, and mostly says: go on."""
    its_id = payment_id(SCOPE, invoice.id)
    parked = "SELECT parked_why FROM payments WHERE payment_id = $1 AND parked_at IS NOT NULL"
    for _ in range(5):
        await asyncio.sleep(2 * _DAY_S * world.rng.uniform(0.5, 1.5))
        why = [row["parked_why"] for row in world.database.fetch(parked, its_id)]
        if not why or world.rng.random() < 0.3:
            continue
        with Shrugging(world):
            world.trace.say("operator", f"unparks {invoice.id}: {why[0]}")
            await say_go_on(world, invoice, "go on")
            world.dispatcher.stirred()
