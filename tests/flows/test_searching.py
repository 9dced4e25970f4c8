"""When a charge can have been sent: a processor whose lists go by time is asked for all of that."""

from dataclasses import replace
from datetime import timedelta

from tests.flows.world import SCOPE, World
from twintill.flows.searching import search_of

MONTH = timedelta(days=30)


async def test_ours_was_not_sent_before_its_intent(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    (attempt,) = (await world.payment(invoice_id)).attempts
    search = search_of(world.means, SCOPE, attempt)
    assert attempt.first_sent_at - timedelta(hours=1) < search.since < attempt.first_sent_at
    assert search.body
    assert search.until is not None
    assert search.until > attempt.first_sent_at + timedelta(hours=24)


async def test_one_that_was_found_after_a_restore_was_sent_long_before(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    (attempt,) = (await world.payment(invoice_id)).attempts
    found = replace(attempt, sealed_body=b"")  # nobody knows when it was sent, or what
    search = search_of(world.means, SCOPE, found)
    assert search.body is None
    assert search.since < attempt.first_sent_at - 2 * MONTH
