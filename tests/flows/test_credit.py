"""What is left of money by hand: on another invoice, paid out, taken back again; never twice."""

import asyncio

import pytest

from tests.flows.test_by_hand import (
    cheque,
    correct,
    later,
    now,
    open_invoice,
    out,
    undo,
)
from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from twintill.domain.hand import HandState
from twintill.domain.payment import State
from twintill.errors import BadRequest, ConflictError
from twintill.flows import credit
from twintill.flows.credit import Use
from twintill.ids import payment_id
from twintill.store import hand_payments, payments
from twintill.store.hand_payments import Recorded


async def left(world: World, minor: int = 1100, method: str | None = None) -> Recorded:
    """A cheque of more than was due, reported."""
    invoice_id = await open_invoice(world, method)
    hand = await cheque(world, invoice_id, 4900 + minor)
    await world.work()
    assert await now(world, hand) == (HandState.APPLIED, minor)
    return hand


async def another(world: World, of: Recorded, minor: int = 4900) -> str:
    """Another open invoice of the same customer, which Twintill does not collect."""
    return await world.invoice(of.customer_id, minor)


async def use(
    world: World, of: Recorded, invoice_id: str, minor: int | None = None, use_id: str = "use_1"
) -> list[Recorded]:
    wish = Use(of.customer_id, "EUR", "he asked", "person:ada", minor)
    return await credit.apply(world.means, SCOPE, use_id, wish, invoice_id)


async def pay_out(
    world: World, of: Recorded, minor: int | None = None, reference: str = "SEPA 1"
) -> tuple[int, bool]:
    wish = Use(of.customer_id, "EUR", "he asked", "person:ada", minor)
    return await credit.pay_out(world.means, SCOPE, wish, reference)


async def free(world: World, of: Recorded) -> int:
    async with world.db() as db:
        found = await hand_payments.credit_of(db, SCOPE, of.customer_id)
    return sum(one.free_minor for one in found)


async def test_it_is_put_on_another_invoice_once(world: World) -> None:
    hand = await left(world)
    invoice_id = await another(world, hand, 1100)
    (made,) = await use(world, hand, invoice_id)
    assert (made.hand.amount_minor, made.hand.source_id) == (1100, hand.hand.id)
    assert [u.hand.id for u in await use(world, hand, invoice_id)] == [made.hand.id]
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert (await free(world, hand), (await world.balances())["credit:moved"]) == (0, 0)
    with pytest.raises(ConflictError) as why:
        await use(world, hand, invoice_id, 1, "use_2")
    assert why.value.code == "credit_too_small"
    assert await is_sound(world)


async def test_two_at_once_do_not_use_the_same(world: World) -> None:
    hand = await left(world)
    both = [await another(world, hand), await another(world, hand)]
    uses = (use(world, hand, i, 1100, f"use_{n}") for n, i in enumerate(both))
    done = await asyncio.gather(*uses, return_exceptions=True)
    assert [type(one) for one in done if isinstance(one, BaseException)] == [ConflictError]
    assert await free(world, hand) == 0
    assert await is_sound(world)


async def test_pressed_twice_it_is_put_on_the_invoice_once(world: World) -> None:
    hand = await left(world, 5000)
    invoice_id = await another(world, hand, 1200)
    uses = (use(world, hand, invoice_id, use_id=f"use_{n}") for n in range(3))
    done = await asyncio.gather(*uses, return_exceptions=True)
    refused = [one for one in done if isinstance(one, ConflictError)]
    assert [one.code for one in refused] == ["nothing_to_collect"] * 2
    assert await free(world, hand) == 3800
    await world.work()
    with pytest.raises(ConflictError, match="asks for no more money"):
        await use(world, hand, invoice_id, use_id="use_4")
    assert await is_sound(world)


async def test_what_is_not_there_is_said_as_an_amount(world: World) -> None:
    hand = await left(world)
    with pytest.raises(ConflictError, match=r"the customer has 11\.00 EUR of credit"):
        await pay_out(world, hand, 1101)


async def test_it_waits_for_a_charge_that_is_out_and_comes_back_as_credit(world: World) -> None:
    invoice_id = await out(world)
    payment = await world.payment(invoice_id)
    other = await world.invoice(payment.customer_id, 4900)
    hand = await cheque(world, other, 9800)
    await world.work()
    (made,) = await use(world, hand, invoice_id, 4900)
    assert made.hand.state is HandState.WAITING
    await later(world)
    assert await now(world, made) == (HandState.CREDIT, 4900)
    assert await free(world, hand) == 4900
    assert await is_sound(world)


async def test_it_is_paid_out_once_under_one_reference(world: World) -> None:
    hand = await left(world)
    assert await pay_out(world, hand, 600) == (600, False)
    assert await pay_out(world, hand, 600) == (600, True)
    with pytest.raises(ConflictError) as why:
        await pay_out(world, hand, 500)
    assert why.value.code == "reference_used"
    assert await pay_out(world, hand, reference="SEPA 2") == (500, False)
    balances = await world.balances()
    assert (balances["hand:paid_out"], balances["customer:credit"]) == (-1100, 0)
    with pytest.raises(ConflictError):
        await pay_out(world, hand, reference="SEPA 3")
    assert await is_sound(world)


async def test_used_it_cannot_be_taken_back_before_its_use_is(world: World) -> None:
    hand = await left(world)
    (made,) = await use(world, hand, await another(world, hand))
    with pytest.raises(ConflictError) as why:
        await correct(world, hand)
    assert why.value.code == "credit_used"
    await undo(world, made)
    assert await free(world, hand) == 1100
    await correct(world, hand)
    assert await free(world, hand) == 0
    await world.work()
    assert await is_sound(world)


async def test_corrected_after_the_report_it_is_credit_where_it_came_from(world: World) -> None:
    hand = await left(world)
    (made,) = await use(world, hand, await another(world, hand, 1100))
    await world.work()
    await correct(world, made)
    assert await free(world, hand) == 1100
    await world.work()
    assert (await world.payment(made.invoice_id)).reported_minor == 0
    assert await is_sound(world)


async def test_bounced_after_it_was_paid_out_the_customer_owes_it(world: World) -> None:
    hand = await left(world)
    await pay_out(world, hand)
    await correct(world, hand)
    await world.work()
    assert (await world.balances())["customer:failed"] == 1100
    assert await is_sound(world)


async def test_another_customers_invoice_is_refused(world: World) -> None:
    hand = await left(world)
    with pytest.raises(BadRequest):
        await use(world, hand, await open_invoice(world))
    assert await free(world, hand) == 1100


async def test_an_invoice_that_is_charged_is_charged_no_more(world: World) -> None:
    hand = await left(world)
    await world.add_method(hand.customer_id, "card_ok")
    invoice_id = await another(world, hand, 1100)
    await world.open_payment(invoice_id, hand.customer_id)
    await use(world, hand, invoice_id)
    await world.work()
    async with world.db() as db:
        payment = await payments.read(db, SCOPE, payment_id(SCOPE, invoice_id))
    assert (payment.state, payment.attempts) == (State.REPORTED, ())
    assert await is_sound(world)
