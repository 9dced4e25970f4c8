"""Nothing depends on delivery: what Stripe could not bring is fetched, within the budget."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from tests.flows.events import deliver, stripe_events, take_in
from tests.flows.world import SCOPE, World
from twintill.domain.payment import State
from twintill.flows import duties, event_listing
from twintill.flows.event_listing import TYPES, Listing, Pass
from twintill.store import clock
from twintill.store import duties as rows
from twintill.store.tables import deliveries, inbox

NOBODY = "http://127.0.0.1:9/webhooks/stripe"
MINUTE = timedelta(minutes=1)
FINALIZED = "invoice.finalized"


async def endpoint(world: World, url: str = NOBODY) -> str:
    v1 = world.means.stripe.client.v1
    made = await v1.webhook_endpoints.create_async({"url": url, "enabled_events": ["*"]})
    return str(made.id)


async def due_invoice(world: World) -> str:
    return await world.invoice(await world.customer())


async def run(world: World, name: str = "catch_up") -> dict[str, Any]:
    """The duty, until it rests; its result."""
    await duties.begin(world.means)
    while await duties.look(world.means, SCOPE, name):
        pass
    async with world.db() as db:
        standing = next(s for s in await rows.standings(db, SCOPE) if s.name == name)
    assert standing.last_error is None
    return dict(standing.result or {})


async def listings(world: World) -> int:
    """How often Stripe was asked for events so far."""
    asked = (await world.stripe.get("/_sandbox/requests")).json()["data"]
    return sum(r["path"] == "/v1/events" for r in asked)


async def came(world: World) -> list[str]:
    async with world.db() as db:
        return list((await db.execute(select(inbox.c.type).order_by(inbox.c.inbox_id))).scalars())


async def test_undelivered_events_are_found_and_their_invoice_is_collected(world: World) -> None:
    await endpoint(world)
    invoice_id = await due_invoice(world)
    found = await run(world)
    assert found["taken_in"] == len(await came(world)) > 0
    await take_in(world)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_what_was_fetched_and_what_is_delivered_later_is_one(world: World) -> None:
    await endpoint(world)
    await due_invoice(world)
    await run(world)
    before = await came(world)
    await deliver(world, await stripe_events(world, *TYPES))
    await world.advance(timedelta(minutes=31))
    assert (await run(world))["taken_in"] == 0
    assert await came(world) == before
    async with world.db() as db:
        verdicts = select(deliveries.c.verdict, func.count().label("n")).group_by(
            deliveries.c.verdict
        )
        stored = {row.verdict: row.n for row in await db.execute(verdicts)}
    assert stored["fetched"] == len(before)


async def test_it_asks_every_half_an_hour_and_every_5_minutes_while_something_fails(
    world: World,
) -> None:
    await run(world)
    seldom = await listings(world)
    for _ in range(5):
        await world.advance(5 * MINUTE)
        await run(world)
    assert await listings(world) == seldom
    await endpoint(world)
    await due_invoice(world)
    await world.advance(5 * MINUTE)
    assert (await run(world))["unusual"] is not None
    often = await listings(world)
    for _ in range(3):
        await world.advance(5 * MINUTE)
        await run(world)
    assert await listings(world) == often + 3


async def test_once_something_is_delivered_again_it_asks_seldom(world: World) -> None:
    await endpoint(world)
    await due_invoice(world)
    await world.advance(2 * MINUTE)
    assert "not been delivered" in (await run(world))["unusual"]
    await world.advance(5 * MINUTE)
    await run(world)
    await due_invoice(world)
    await deliver(world, await stripe_events(world, *TYPES))
    before = await listings(world)
    for _ in range(4):
        await world.advance(5 * MINUTE)
        assert (await run(world))["unusual"] is None
    assert await listings(world) == before


async def test_an_endpoint_that_is_gone_is_seen_by_the_silence(world: World) -> None:
    """Nobody calls these events undelivered; all of them are compared with the inbox."""
    invoice_id = await due_invoice(world)
    customer_id = await world.customer("card_declines_once")
    await world.open_payment(await world.invoice(customer_id), customer_id)
    assert (await run(world))["taken_in"] == 0
    assert (await run(world, "compare_events"))["taken_in"] > 0
    await take_in(world)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_silence_brings_the_comparison_forward(world: World) -> None:
    await run(world, "compare_events")
    await world.collect(await world.customer())  # our own pay, and no invoice.paid comes back
    await world.advance(10 * MINUTE)
    assert "invoice.paid" in (await run(world))["unusual"]
    assert (await run(world, "compare_events"))["taken_in"] > 0


async def test_long_lists_are_walked_over_several_runs(world: World) -> None:
    for _ in range(3):
        await due_invoice(world)
    expected = sorted(e["id"] for e in await stripe_events(world, *TYPES))
    at, runs = Pass(since=0), 0
    while at.ended_at is None:
        at = await walk(world, at, pages=1)
        runs += 1
        if runs == 2:
            await due_invoice(world)  # arrives meanwhile: the next pass's
    assert at.taken_in == len(expected)
    assert runs > 3
    async with world.db() as db:
        known = sorted((await db.execute(select(inbox.c.dedupe_key))).scalars())
    assert known == expected
    assert (await walk(world, at, pages=9)).taken_in > 0


async def test_a_place_that_stripe_forgot_starts_the_pass_again(world: World) -> None:
    await due_invoice(world)
    lost = replace(await walk(world, Pass(since=0), pages=1), after="evt_unknown")
    again = await walk(world, lost, pages=1)
    assert again.after is None
    assert (await walk(world, again, pages=20)).ended_at is not None


async def walk(world: World, at: Pass, pages: int) -> Pass:
    async with world.db() as db:
        now = await clock.now(db)
    listing = Listing(only_undelivered=False, pages=pages, page_size=2)
    return await event_listing.walk(world.means, SCOPE, at, listing, now)


async def test_after_more_than_30_days_it_says_what_is_lost(world: World) -> None:
    await run(world)
    assert (await run(world))["gone_before"] is None
    await world.advance(timedelta(days=33))
    async with world.db() as db:
        lost_at = await clock.now(db) - timedelta(days=30)
    said = datetime.fromisoformat((await run(world))["gone_before"])
    assert timedelta(0) <= said - lost_at < MINUTE


async def test_without_reads_left_nothing_is_asked(world: World) -> None:
    world = replace(world, means=replace(world.means, stripe_reads_per_day=0))
    await endpoint(world)
    await due_invoice(world)
    for name in ("catch_up", "compare_events"):
        assert (await run(world, name))["reads_left"] == 0
    assert await listings(world) == 0


async def test_an_unreadable_one_is_parked_once(world: World) -> None:
    poison = {"id": "evt_poison", "object": "event", "created": 1, "data": {"object": 7}}
    for pending in (2, 1):  # it is not the same to the byte
        async with world.db() as db:
            await event_listing._receive(db, SCOPE, [poison | {"pending_webhooks": pending}])
    async with world.db() as db:
        assert list((await db.execute(select(inbox.c.state))).scalars()) == ["parked"]
