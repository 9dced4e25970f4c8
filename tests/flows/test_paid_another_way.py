"""The processor does not give it back: a person paid the customer another way, and says so."""

from typing import Any

import pytest

from tests.flows.test_money_back import GRACE, ask, both, credit_by_hand, reported, told
from tests.flows.test_refunds import REFUNDS, is_sound, later, strand
from tests.flows.world import SCOPE, World
from twintill.domain.money_back import AskState, RefundAsk
from twintill.domain.payment import Reason, State
from twintill.errors import ConflictError
from twintill.flows import money_back
from twintill.flows.money_back import Wish
from twintill.ids import payment_id

NO = {"error": {"code": "not_refundable", "message": "too old"}}


async def paid(
    world: World, invoice_id: str, minor: int | None = None, reference: str = "SEPA 42"
) -> RefundAsk:
    wish = Wish(payment_id(SCOPE, invoice_id), "by bank", "person:ada", minor, "EUR")
    return await money_back.paid_another_way(world.means, SCOPE, wish, reference)


async def refused(world: World, invoice_id: str, **word: Any) -> str | None:
    before = await world.payment(invoice_id)
    with pytest.raises(ConflictError) as why:
        await paid(world, invoice_id, **word)
    assert await world.payment(invoice_id) == before
    return why.value.code


async def not_given_back(world: World) -> str:
    invoice_id = await strand(world)
    await world.break_processor(REFUNDS, "status", code=409, body=NO)
    await later(world)
    assert (await world.payment(invoice_id)).reason is Reason.REFUND_REFUSED
    return invoice_id


async def test_stranded_money_that_was_paid_by_bank_ends_there(world: World) -> None:
    invoice_id = await not_given_back(world)
    assert (await paid(world, invoice_id)).state is AskState.DONE
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended, payment.parked_why) == (State.REFUNDED, True, None)
    balances = await world.balances()
    assert balances["hand:paid_out"] == -4900
    assert (balances["customer:stranded"], balances["processor:acct_sandbox:clearing"]) == (0, 4900)
    assert await is_sound(world)


async def test_told_twice_it_is_booked_once_and_in_parts_the_rest_still_waits(
    world: World,
) -> None:
    invoice_id = await not_given_back(world)
    first = await paid(world, invoice_id, 1900)
    assert await paid(world, invoice_id, 1900) == first
    assert (await world.payment(invoice_id)).parked_why is not None
    assert await refused(world, invoice_id, minor=2000) == "reference_used"
    assert await refused(world, invoice_id, minor=3001, reference="b") == "amount_over_what_is_left"
    await paid(world, invoice_id, reference="SEPA 43")
    payment = await world.payment(invoice_id)
    assert (payment.ended, payment.refunded_minor) == (True, 4900)
    assert (await world.balances())["hand:paid_out"] == -4900
    assert await is_sound(world)


async def test_what_a_credit_note_promised_is_paid_and_no_second_note_is_made(
    world: World,
) -> None:
    invoice_id = await reported(world)
    await credit_by_hand(world, invoice_id, 1900)
    await world.break_processor(REFUNDS, "status", code=409, body=NO)
    await told(world, invoice_id)
    await later(world, GRACE)
    assert (await world.payment(invoice_id)).reason is Reason.REFUND_REFUSED
    await paid(world, invoice_id)
    await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended, payment.refunded_minor) == ([], [1900], True, 1900)
    assert await is_sound(world)


async def test_a_refund_that_was_asked_for_and_refused_gets_its_credit_note(world: World) -> None:
    invoice_id = await reported(world)
    await world.break_processor(REFUNDS, "status", code=409, body=NO)
    await ask(world, invoice_id, 1900)
    await world.work()
    await paid(world, invoice_id, 1900)
    await world.work()
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([], [1900], True)
    assert await is_sound(world)


async def test_what_the_processor_may_still_give_back_is_not_paid_another_way(
    world: World,
) -> None:
    invoice_id = await strand(world)
    assert await refused(world, invoice_id) == "goes_back_by_itself"
    await world.break_processor(REFUNDS, "timeout_after")
    await later(world)
    assert await refused(world, invoice_id) == "refund_under_way"
