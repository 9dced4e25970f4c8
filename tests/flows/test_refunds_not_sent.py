"""A refund that certainly did not leave: a key that is refused pauses, what is not set up parks."""

from datetime import timedelta

import pytest

from tests.flows.test_brakes import resume, why_on
from tests.flows.test_money_back import ask, both, reported
from tests.flows.test_refunds import PAUSE, REFUNDS, given_back, is_sound, later, strand
from tests.flows.world import SCOPE, World
from twintill.domain.facts import Unparked
from twintill.domain.payment import Reason, State
from twintill.flows.learn import learn

NOT_SET_UP = {"error": {"code": "invalid_request", "message": "refunds are not enabled"}}
LIST = "/v1/refunds"


async def refused_until_resumed(world: World, invoice_id: str) -> None:
    """The brake is on; nothing is sent for hours; it goes on when a person resumes."""
    assert "refuses our credentials" in str(await why_on(world))
    payment = await world.payment(invoice_id)
    assert (payment.reason, payment.parked_why) == (Reason.BRAKED, None)
    tries = len(payment.refunds)
    for _ in range(3):
        await later(world, timedelta(hours=2))
    assert len((await world.payment(invoice_id)).refunds) == tries
    await world.processor.delete("/_sandbox/faults")
    assert await resume(world) == 1
    await world.work()


@pytest.mark.parametrize(("path", "method"), [(REFUNDS, "POST"), (LIST, "GET")])
async def test_a_refused_key_pauses_the_processor_and_its_refunds_until_somebody_resumes(
    world: World, path: str, method: str
) -> None:
    invoice_id = await strand(world)
    await world.break_processor(path, "status", method=method, code=401, times=50)
    await later(world)
    await later(world, timedelta(minutes=1))
    await refused_until_resumed(world, invoice_id)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended) == (State.REFUNDED, True)
    assert len(await given_back(world)) == 1
    assert await is_sound(world)


async def test_the_same_of_a_refund_that_was_asked_for(world: World) -> None:
    invoice_id = await reported(world)
    await world.break_processor(REFUNDS, "status", code=401, times=50)
    await ask(world, invoice_id, 1900)
    await world.work()
    await later(world, timedelta(minutes=1))
    await refused_until_resumed(world, invoice_id)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)


async def test_what_is_not_set_up_there_is_for_a_person_after_a_few_tries(world: World) -> None:
    invoice_id = await strand(world)
    await world.break_processor(REFUNDS, "status", code=422, body=NOT_SET_UP, times=50)
    await later(world, PAUSE)
    for _ in range(12):
        await later(world, timedelta(hours=1))
    payment = await world.payment(invoice_id)
    assert "is not set up" in str(payment.parked_why)
    assert len(payment.refunds) == len(world.means.policy.not_sent_pauses) + 1
    await world.processor.delete("/_sandbox/faults")
    await learn(world.means, SCOPE, payment.id, Unparked("enabled there"))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REFUNDED
