"""Money by hand in a world: people who have a cheque or cash record it, take it back, and use what
it left, at Twintill's doors, while charges of the same invoices are begun, out and answered.

What is random here is drawn from `World.cheques`: worlds without it stay as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.simulation import giving_back, mischief
from tests.simulation.houses import LOST, SCOPE
from tests.simulation.invoice import Invoice
from tests.simulation.mischief import after, in_a_moment
from twintill.domain.hand import HandKind
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import BadRequest, StripeError
from twintill.flows import another_try, by_hand, credit
from twintill.flows.credit import Use
from twintill.ids import payment_id

if TYPE_CHECKING:
    from tests.simulation.world import World

_DAY_S = 86_400.0
_TRIES = 12
_BY = "person:clerk"
_KINDS = (HandKind.CHEQUE, HandKind.CHEQUE, HandKind.CASH, HandKind.BANK_TRANSFER)
_THAT_LAST = (
    *("debit_ok", "debit_fails", "debit_fails_late") * 2,
    "card_declines_once",
    "card_declined",
)
Deed = Callable[[], Awaitable[None]]


@dataclass
class InHand:
    """What a person has in hand for an invoice; `heard`: Twintill has said that it is recorded.

    `gone`: Twintill has said that it is taken back.
    """

    id: str
    invoice_id: str
    minor: int
    reference: str
    heard: bool = False
    gone: bool = False


@dataclass
class PaidOut:
    """Credit that a person gave back by hand; `heard`: Twintill has said that it is booked."""

    customer_id: str
    heard_minor: int | None = None


def in_the_life_of(world: World, invoice: Invoice) -> None:
    """Perhaps somebody has money for it in hand, soon or days later, and then thinks again."""
    share = world.weather.cheques
    if not share or world.twin is not None:
        return
    for _ in range(world.cheques.choice((1, 2, 3, 4))):
        if world.cheques.random() < share:
            world.deed(after(_some_time(world), _plot(world, invoice)))
    world.deed(giving_back.see_to_it(world, invoice))


def of_a_customer(world: World, customer_id: str) -> None:
    """Perhaps he has another invoice some days later: credit can be put on it."""
    share = world.weather.cheques
    if share and world.twin is None and world.cheques.random() < share:
        world.deed(_bill_again(world, customer_id))


def around_a_look(world: World, looked_at: str) -> None:
    """Perhaps somebody does so just while a worker looks at this payment."""
    share = world.weather.cheques
    if not share or world.twin is not None or not world.network.stormy(share / 3):
        return
    for invoice in world.stripe.invoices.values():
        if payment_id(SCOPE, invoice.id) == looked_at:
            world.deed(in_a_moment(world, _plot(world, invoice)))


def magic_of(world: World) -> str | None:
    """Mostly one that is out for days, or fails: a cheque comes meanwhile. None: any method."""
    if world.weather.cheques and world.cheques.random() < 0.6:
        return world.cheques.choice(_THAT_LAST)
    return None


def _plot(world: World, invoice: Invoice) -> Deed:
    """One thing that somebody does; chosen now, done when it is called."""
    others = (_undo, *(_correct,) * 2, *(_apply,) * 3, _pay_out, *(_try_again,) * 2)
    plots = (*(_record,) * 4, *(_record_and_think_again,) * 4, *others)
    at_stripe = (_change_the_due_date, _touch, mischief.change)
    if world.cheques.random() < 0.2:
        return world.cheques.choice(at_stripe)(world, invoice)
    return world.cheques.choice(plots)(world, invoice)


def _some_time(world: World) -> float:
    return world.cheques.choice((1.0, 60.0, 3600.0, _DAY_S, 5 * _DAY_S)) * world.cheques.random()


async def _bill_again(world: World, customer_id: str) -> None:
    """As a draft that somebody holds for a while, or as it is."""
    rng = world.cheques
    await asyncio.sleep(rng.uniform(0.2, 6) * _DAY_S)
    invoice = Invoice(
        id=f"in_{customer_id.removeprefix('cus_')}_again",
        customer_id=customer_id,
        currency="EUR",
        total_minor=rng.choice((100, 4900, 12_345)),
        due_s=world.loop.time() + 31 * _DAY_S,
    )
    in_the_life_of(world, invoice)
    for _ in range(2):
        world.deed(after(rng.choice((1.0, 3600.0, _DAY_S)) * rng.random(), _apply(world, invoice)))
    if rng.random() < 0.5:
        world.stripe.issue(invoice)
        return
    world.stripe.draft(invoice)
    await asyncio.sleep(rng.choice((1.0, 1800.0)))
    world.trace.say("merchant", f"holds {invoice.id}")
    invoice.auto_advance = False
    await asyncio.sleep(rng.uniform(0, 2) * _DAY_S)
    if world.stripe.register.of(customer_id).ended:
        return  # what a subscription leaves as a draft stays one
    world.trace.say("merchant", f"finalizes {invoice.id}")
    world.stripe.finalize_by_hand(invoice)


def _record(world: World, invoice: Invoice) -> Deed:
    """The whole, a part or too much; perhaps he presses twice, or another does the same."""
    rng, total_minor = world.cheques, invoice.total_minor
    part_minor = max(1, total_minor // 3)
    minor = rng.choice((*(total_minor,) * 4, *(part_minor,) * 2, total_minor + 700))
    how = rng.choice(("once", "once", "twice", "twice at a time", "by another, too"))
    n, kind = next(world.asked), rng.choice(_KINDS)
    one = InHand(f"hp_{invoice.id}_{n}", invoice.id, minor, f"no. {n}")

    async def do() -> None:
        if how == "twice at a time":
            world.deed(_tell_of(world, one, kind))
        if how == "by another, too":
            also = InHand(f"{one.id}_too", invoice.id, minor, one.reference)
            world.deed(_tell_of(world, also, kind))
        await _tell_of(world, one, kind)
        if how == "twice":
            await _tell_of(world, one, kind)

    return do


def _record_and_think_again(world: World, invoice: Invoice) -> Deed:
    """It was a mistake, seen at once; or the cheque comes back."""
    record = _record(world, invoice)

    async def do() -> None:
        await record()
        await _think_again(world, invoice)

    return do


async def _think_again(world: World, invoice: Invoice) -> None:
    rng = world.cheques
    await asyncio.sleep(rng.choice((0.0, 1.0, 10.0, 3600.0, 3 * _DAY_S)) * rng.random())
    await rng.choice((_undo, _correct))(world, invoice)()


async def _tell_of(world: World, one: InHand, kind: HandKind) -> None:
    world.in_hand.setdefault(one.id, one)
    today = datetime.fromtimestamp(world.loop.time(), UTC).date()
    word = by_hand.Word(kind, one.minor, "EUR", today, one.reference, _BY, as_credit=True)
    what = f"has {one.minor} for {one.invoice_id} in hand: {one.id}"

    async def tell() -> str:
        made = await by_hand.record(world.office.means, SCOPE, one.invoice_id, one.id, word)
        one.heard = True
        return made.hand.state

    await _at_the_door(world, what, tell)


def _undo(world: World, invoice: Invoice) -> Deed:
    return _take_back(world, invoice, "undoes", by_hand.undo)


def _correct(world: World, invoice: Invoice) -> Deed:
    return _take_back(world, invoice, "corrects", by_hand.correct)


def _take_back(world: World, invoice: Invoice, what: str, how: Callable[..., object]) -> Deed:
    """Any that was recorded for the invoice, or put on it."""
    chosen = world.cheques.random()

    async def do() -> None:
        sql = "SELECT hand_payment_id FROM hand_payments WHERE invoice_id = $1 ORDER BY 1"
        ids = [row["hand_payment_id"] for row in world.database.fetch(sql, invoice.id)]
        if ids:
            await _take_one_back(world, ids[int(chosen * len(ids))], what, how)

    return do


async def _take_one_back(world: World, its_id: str, what: str, how: Callable[..., object]) -> None:
    async def tell() -> str:
        made = await how(world.office.means, SCOPE, its_id, "it was wrong", _BY)  # type: ignore[misc]
        if its_id in world.in_hand:
            world.in_hand[its_id].gone = True
        return str(made.hand.state)

    await _at_the_door(world, f"{what} {its_id}", tell)


def _apply(world: World, invoice: Invoice) -> Deed:
    """What the customer has left, on any invoice of his; perhaps two people do it at a time."""
    rng = world.cheques
    minor = rng.choice((None, None, invoice.total_minor, max(1, invoice.total_minor // 4)))
    use = Use(invoice.customer_id, "EUR", "he asked for it", _BY, minor)
    ids = [f"use_{next(world.asked)}"] * rng.choice((1, 1, 2))
    if rng.random() < 0.4:
        ids.append(f"use_{next(world.asked)}")
    chosen, thinks_again = rng.random(), rng.random() < 0.5

    async def do() -> None:
        his = [i for i in world.stripe.invoices.values() if i.customer_id == invoice.customer_id]
        is_open = [i for i in his if i.status is InvoiceStatus.OPEN] or his
        target = is_open[int(chosen * len(is_open))]
        for use_id in ids[1:]:
            world.deed(_apply_to(world, use_id, use, target))
        await _apply_to(world, ids[0], use, target)
        if thinks_again:
            await _think_again(world, target)

    return do


async def _apply_to(world: World, use_id: str, use: Use, target: Invoice) -> None:
    async def tell() -> str:
        made = await credit.apply(world.office.means, SCOPE, use_id, use, target.id)
        return ", ".join(f"{one.hand.id} of {one.hand.amount_minor}" for one in made)

    await _at_the_door(world, f"puts {use.amount_minor} on {target.id}: {use_id}", tell)


def _pay_out(world: World, invoice: Invoice) -> Deed:
    rng, reference = world.cheques, f"transfer {next(world.asked)}"
    minor = rng.choice((None, None, max(1, invoice.total_minor // 4)))
    use = Use(invoice.customer_id, "EUR", "he wants it back", _BY, minor)
    times = rng.choice((1, 2))

    async def do() -> None:
        out = world.paid_out.setdefault(reference, PaidOut(invoice.customer_id))

        async def tell() -> str:
            out.heard_minor, _ = await credit.pay_out(world.office.means, SCOPE, use, reference)
            return f"{out.heard_minor}"

        what = f"gives {minor} of {invoice.customer_id}'s credit back: {reference}"
        for _ in range(times - 1):
            world.deed(_at_the_door(world, what, tell))
        await _at_the_door(world, what, tell)

    return do


def _try_again(world: World, invoice: Invoice) -> Deed:
    """The customer asks for another try, now; whoever hears no answer asks again."""
    its_id = f"try_{next(world.asked)}"
    wish = another_try.Wish(payment_id(SCOPE, invoice.id), _BY)

    async def do() -> None:
        async def tell() -> str:
            world.rules.wishes[invoice.id] += 1
            payment = await another_try.ask(world.office.means, SCOPE, its_id, wish)
            return f"{payment.state}"

        await _at_the_door(world, f"wants {invoice.id} tried again", tell)

    return do


def _change_the_due_date(world: World, invoice: Invoice) -> Deed:
    due_s = world.loop.time() + world.cheques.uniform(0, 40) * _DAY_S

    async def do() -> None:
        world.trace.say("merchant", f"changes the due date of {invoice.id}")
        world.stripe.edit_by_hand(invoice, due_s=due_s)

    return do


def _touch(world: World, invoice: Invoice) -> Deed:
    async def do() -> None:
        world.trace.say("merchant", f"writes an order number on {invoice.id}")
        world.stripe.edit_by_hand(invoice, order="4711")

    return do


async def _at_the_door(world: World, what: str, tell: Callable[[], Awaitable[str]]) -> None:
    """Whoever hears no answer asks again, under the same id."""
    for _ in range(_TRIES):
        try:
            said = await tell()
        except BadRequest as refused:
            said = str(refused)
        except (StripeError, *LOST) as error:
            world.trace.say("clerk", f"{what}: sees an error: {type(error).__name__}")
            await asyncio.sleep(60)
            continue
        world.trace.say("clerk", f"{what}: {said}")
        world.dispatcher.stirred()
        return
