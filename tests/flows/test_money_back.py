"""Money back after the report: a refund here, a credit note there, and each exactly once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.test_refunds import REFUNDS, give_by_hand, given_back, is_sound, later
from tests.flows.world import SCOPE, World
from twintill.domain.facts import Unparked
from twintill.domain.money_back import AskState
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.return_facts import MoneyBackTold
from twintill.errors import BadRequest, ConflictError
from twintill.flows import money_back
from twintill.flows.learn import learn
from twintill.flows.money_back import Wish
from twintill.ids import payment_id

GRACE = timedelta(minutes=10, seconds=1)


async def reported(world: World, method: str = "card_ok") -> str:
    invoice_id = await world.collect(await world.customer(method))
    assert (await world.payment(invoice_id)).state is State.REPORTED
    return invoice_id


async def ask(world: World, invoice_id: str, minor: int | None = None, name: str = "rfd_1") -> Any:
    wish = Wish(payment_id(SCOPE, invoice_id), "not used", "person:ada", minor, "EUR")
    return await money_back.ask(world.means, SCOPE, name, wish)


async def notes(world: World, invoice_id: str) -> list[int]:
    """Stripe's book: what each credit note took off out of band."""
    listed = await world.means.stripe.list_credit_notes(invoice_id)
    return [note.out_of_band_minor for note in listed if not note.void]


async def credit_by_hand(world: World, invoice_id: str, minor: int) -> None:
    """As Stripe's guide tells people to."""
    await world.means.stripe.client.v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": minor, "out_of_band_amount": minor}
    )


async def told(world: World, invoice_id: str) -> None:
    fact = MoneyBackTold("credit_note.created")
    await learn(world.means, SCOPE, payment_id(SCOPE, invoice_id), fact)
    await world.work()


async def both(world: World, invoice_id: str) -> tuple[list[int], list[int], Payment]:
    given = [refund["amount"] for refund in await given_back(world)]
    return given, await notes(world, invoice_id), await world.payment(invoice_id)


async def test_a_refund_that_is_asked_for_goes_back_and_is_credited(world: World) -> None:
    invoice_id = await reported(world)
    assert (await ask(world, invoice_id, 1900)).state is AskState.WANTED
    await world.work()
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])
    assert (payment.state, payment.ended, payment.reported_minor) == (State.REPORTED, True, 3000)
    assert payment.asks[0].state is AskState.DONE
    balances = await world.balances()
    assert balances["stripe:reported"] == -3000
    assert balances["refund:due"] == 0
    assert await is_sound(world)


async def test_parts_and_then_the_rest(world: World) -> None:
    invoice_id = await reported(world)
    for number, minor in enumerate((1000, 1000, None)):
        await ask(world, invoice_id, minor, f"rfd_{number}")
        await world.work()
    given, credited, payment = await both(world, invoice_id)
    assert (sorted(given), credited) == ([1000, 1000, 2900], [1000, 1000, 2900])
    assert (payment.state, payment.ended) == (State.REFUNDED, True)
    with pytest.raises(ConflictError, match="no collected money"):
        await ask(world, invoice_id, 1, "rfd_9")
    assert await is_sound(world)


@pytest.mark.parametrize(
    ("minor", "code"), [(4901, "amount_over_what_is_left"), (4900, "refund_under_way")]
)
async def test_what_is_refused_changes_nothing(world: World, minor: int, code: str) -> None:
    invoice_id = await reported(world)
    if code == "refund_under_way":
        await ask(world, invoice_id, 100, "rfd_0")
    before = await world.payment(invoice_id)
    with pytest.raises(ConflictError) as refused:
        await ask(world, invoice_id, minor)
    assert refused.value.code == code
    assert await world.payment(invoice_id) == before


async def test_another_currency_is_refused(world: World) -> None:
    invoice_id = await reported(world)
    wish = Wish(payment_id(SCOPE, invoice_id), "why", "ada", 100, "USD")
    with pytest.raises(BadRequest, match="is in eur"):
        await money_back.ask(world.means, SCOPE, "rfd_1", wish)


async def test_asked_twice_under_one_name_it_is_one_refund(world: World) -> None:
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    await world.work()
    assert (await ask(world, invoice_id, 1900)).state is AskState.DONE
    await world.work()
    assert await both(world, invoice_id) == ([1900], [1900], await world.payment(invoice_id))


async def test_a_note_made_in_stripe_is_given_back_after_a_pause(world: World) -> None:
    invoice_id = await reported(world)
    await credit_by_hand(world, invoice_id, 1900)
    await told(world, invoice_id)
    assert await given_back(world) == []
    await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)
    assert await is_sound(world)


async def test_a_refund_made_at_the_processor_is_credited_after_a_pause(world: World) -> None:
    invoice_id = await reported(world)
    await give_by_hand(world, invoice_id, 1900)
    await told(world, invoice_id)
    assert await notes(world, invoice_id) == []
    await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)
    assert await is_sound(world)


@pytest.mark.parametrize("telling", [1, 2])
async def test_who_does_both_by_hand_gets_no_echo(world: World, telling: int) -> None:
    invoice_id = await reported(world)
    await credit_by_hand(world, invoice_id, 1900)
    await told(world, invoice_id)
    await give_by_hand(world, invoice_id, 1900)
    for _ in range(telling):
        await told(world, invoice_id)
        await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)
    assert await is_sound(world)


async def test_the_pause_is_kept_for_a_refund_that_is_asked_for_meanwhile(world: World) -> None:
    invoice_id = await reported(world)
    await credit_by_hand(world, invoice_id, 1900)
    await told(world, invoice_id)
    with pytest.raises(ConflictError, match="by hand a moment ago"):
        await ask(world, invoice_id, 1900)


async def test_a_refund_that_is_asked_for_counts_for_a_note_that_nobody_told_of(
    world: World,
) -> None:
    invoice_id = await reported(world)
    await credit_by_hand(world, invoice_id, 1900)
    await ask(world, invoice_id, 1000)
    await world.work()
    await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (sorted(given), credited, payment.ended) == ([900, 1000], [1900], True)
    assert await is_sound(world)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
async def test_a_note_whose_answer_is_lost_is_made_once(world: World, fault: str) -> None:
    invoice_id = await reported(world)
    await world.break_stripe("/v1/credit_notes$", fault, times=3, method="POST")
    await ask(world, invoice_id)
    await world.work()
    await later(world, timedelta(minutes=1))
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([4900], [4900], True)
    assert await is_sound(world)


async def test_a_failure_that_stripe_keeps_under_the_key_holds_the_note_up_for_a_moment(
    world: World,
) -> None:
    """It answers the same key so for a day: the next one is used, after a look at its list."""
    invoice_id = await reported(world)
    await world.break_stripe("/v1/credit_notes$", "status", code=500, method="POST")
    await ask(world, invoice_id)
    await world.work()
    await later(world, timedelta(minutes=1))
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([4900], [4900], True)
    assert payment.notes[0].key_n == 1


async def test_a_note_that_stripe_refuses_is_for_a_person_and_made_when_it_can_be(
    world: World,
) -> None:
    invoice_id = await reported(world)
    await world.break_stripe("/v1/credit_notes$", "status", code=400, method="POST")
    await ask(world, invoice_id, 1900)
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.reason is Reason.CREDIT_NOTE_REFUSED
    assert payment.parked_why is not None
    await learn(world.means, SCOPE, payment.id, Unparked("mended"))
    await world.work()
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)


async def test_the_processor_refuses_and_nothing_is_credited(world: World) -> None:
    invoice_id = await reported(world)
    no = {"error": {"code": "not_refundable", "message": "too old"}}
    await world.break_processor(REFUNDS, "status", code=409, body=no)
    await ask(world, invoice_id, 1900)
    await world.work()
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([], [], True)
    assert payment.asks[0].state is AskState.REFUSED
    assert payment.reported_minor == 4900


async def test_more_than_may_be_asked_for_in_an_hour_is_refused_until_a_person_insists(
    world: World,
) -> None:
    policy = replace(world.means.policy, asked_refunds_per_hour=2, asked_refund_minor_per_hour=2999)
    tight = replace(world, means=replace(world.means, policy=policy))
    invoice_id = await reported(tight)
    await ask(tight, invoice_id, 1900)
    await tight.work()
    for minor, code in ((1101, "refund_cap"), (None, "refund_over_cap")):
        with pytest.raises(ConflictError) as refused:
            await ask(tight, invoice_id, minor, "rfd_2")
        assert refused.value.code == code
    wish = Wish(payment_id(SCOPE, invoice_id), "seen", "person:ada", 1101, over_the_cap=True)
    await money_back.ask(tight.means, SCOPE, "rfd_3", wish)
    await tight.work()
    with pytest.raises(ConflictError, match="2 refunds asked for in an hour is the cap"):
        await ask(tight, invoice_id, 1, "rfd_4")
    await later(tight, timedelta(hours=1, seconds=1))
    await ask(tight, invoice_id, 1, "rfd_5")
    await tight.work()
    given, credited, _ = await both(tight, invoice_id)
    assert (sorted(given), credited) == ([1, 1101, 1900], [1900, 1101, 1])
