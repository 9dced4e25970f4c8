"""Telling the user's app: who hears what, what is tried again, and who is not called any more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError

from tests.flows.listening import deliver, deliveries, endpoint, happen, listening, told
from tests.flows.world import SCOPE, World
from twintill.errors import BadRequest, ConflictError
from twintill.flows import endpoints, outbound, tell
from twintill.flows.endpoints import App
from twintill.store import clock, outgoing
from twintill.store import endpoints as rows


@pytest.fixture
def world(world: World) -> World:
    return told(world)


async def standing(world: World, endpoint_id: str) -> Any:
    async with world.db() as db:
        return await rows.read(db, SCOPE, endpoint_id)


async def test_each_endpoint_hears_what_it_asks_for(world: World) -> None:
    async with listening() as all_ears, listening() as picky:
        await endpoint(world, all_ears.url)
        await endpoint(world, picky.url, "payment.declined")
        for event_type in ("payment.collected", "payment.declined"):
            await happen(world, event_type)
        await deliver(world)
    assert sorted(all_ears.types) == ["payment.collected", "payment.declined"]
    assert picky.types == ["payment.declined"]
    assert picky.heard[0]["data"] == {"id": "pay_1", "object": "payment"}
    assert {d.state for d in await deliveries(world)} == {"delivered"}


async def test_what_is_heard_is_signed_and_a_changed_body_is_not(world: World) -> None:
    async with listening() as app:
        _, secret = await endpoint(world, app.url)
        event_id = await happen(world)
        await deliver(world)
    headers, body = app.asked[0]
    assert headers["webhook-id"] == event_id
    assert Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


async def test_while_a_secret_is_replaced_both_sign(world: World) -> None:
    async with listening() as app:
        endpoint_id, old = await endpoint(world, app.url)
        new = await endpoints.rotate(world.means, SCOPE, endpoint_id, timedelta(hours=1))
        await happen(world)
        await deliver(world)
        await world.advance(timedelta(hours=2))
        await happen(world)
        await deliver(world)
    (during, body), (after, later) = app.asked
    for secret in (old, new):
        assert Webhook(secret).verify(body, during)
    assert Webhook(new).verify(later, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(later, after)


async def test_what_fails_is_tried_again_for_three_days_and_no_longer(world: World) -> None:
    async with listening(status=500, body="out\x00ch" + "!" * 5000) as app:
        await endpoint(world, app.url)
        await happen(world)
        for _ in range(12):
            await deliver(world)
            await world.advance(timedelta(days=1, seconds=1))
    (row,) = await deliveries(world)
    assert (row.state, row.sendings, len(app.heard)) == ("failed", 10, 10)
    assert (row.last_status, row.last_error) == (500, "the app answered 500")
    assert row.answer.startswith("out�ch!")
    assert len(row.answer) == 1024
    assert len({heard["id"] for heard in app.heard}) == 1


async def test_an_app_that_comes_back_gets_what_it_missed_when_asked_for(world: World) -> None:
    async with listening(status=503) as app:
        endpoint_id, _ = await endpoint(world, app.url, "payment.collected")
        async with world.db() as db:
            began = await clock.now(db)
        await happen(world, n=2)
        await happen(world, "payment.declined")
        await deliver(world)
        app.status, app.heard = 200, []
        recovered = await endpoints.recover(world.means, SCOPE, endpoint_id, began)
        assert (recovered.count, recovered.more) == (2, False)
        assert await deliver(world) == 2
        again = await endpoints.recover(world.means, SCOPE, endpoint_id, began)
        assert again.count == 0
    assert (await standing(world, endpoint_id)).standing.failures == 0


async def test_a_new_endpoint_may_ask_for_what_was_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_PAGE", 2)
    async with world.db() as db:
        began = await clock.now(db)
    await happen(world, n=5)
    async with listening() as app:
        endpoint_id, _ = await endpoint(world, app.url)
        recovered = await endpoints.recover(world.means, SCOPE, endpoint_id, began)
        await deliver(world)
    assert recovered.count == len(app.heard) == 5


async def test_one_event_is_sent_again_to_whom_it_may_concern(world: World) -> None:
    async with listening() as one, listening() as other:
        first, _ = await endpoint(world, one.url)
        await endpoint(world, other.url)
        event_id = await happen(world)
        await deliver(world)
        async with world.db() as db:
            assert await endpoints.resend(db, SCOPE, event_id, first) == 1
        await deliver(world)
        assert (len(one.heard), len(other.heard)) == (2, 1)
        async with world.db() as db:
            assert await endpoints.resend(db, SCOPE, event_id) == 2
        await deliver(world)
    assert (len(one.heard), len(other.heard)) == (3, 2)


async def test_an_endpoint_that_fails_for_days_is_switched_off_and_the_others_hear_of_it(
    world: World,
) -> None:
    async with listening(status=500) as dead, listening() as alive:
        dead_id, _ = await endpoint(world, f"{dead.url}?token=secret")
        await endpoint(world, alive.url, "endpoint.disabled")
        for _ in range(12):
            await happen(world)
            await deliver(world)
            await world.advance(timedelta(hours=12))
        calls = len(dead.heard)
        await happen(world)
        await deliver(world)
    its = await standing(world, dead_id)
    assert (its.status, its.disabled_why) == (
        "disabled",
        "it failed for 5 days: the app answered 500",
    )
    assert len(dead.heard) == calls
    (notice,) = alive.heard
    assert notice["data"]["id"] == dead_id
    assert "secret" not in str(notice)
    assert {d.state for d in await deliveries(world) if d.endpoint_id == dead_id} == {"failed"}


async def test_410_means_not_to_be_called_again(world: World) -> None:
    async with listening(status=410) as app:
        endpoint_id, _ = await endpoint(world, app.url)
        await happen(world, n=3)
        await deliver(world)
    assert len(app.heard) == 1
    assert (await standing(world, endpoint_id)).status == "disabled"


async def test_what_was_switched_off_gets_nothing_and_may_recover_it_all(world: World) -> None:
    async with listening() as app:
        endpoint_id, _ = await endpoint(world, app.url)
        async with world.db() as db:
            began = await clock.now(db)
        await happen(world)
        await endpoints.change(world.means, SCOPE, endpoint_id, enabled=False)
        await happen(world)
        assert await deliver(world) == 0
        with pytest.raises(ConflictError, match="enable it first"):
            await endpoints.recover(world.means, SCOPE, endpoint_id, began)
        await endpoints.change(world.means, SCOPE, endpoint_id, enabled=True)
        assert (await endpoints.recover(world.means, SCOPE, endpoint_id, began)).count == 2
        await deliver(world)
    assert len(app.heard) == 2


async def test_a_removed_endpoint_is_not_called(world: World) -> None:
    async with listening() as app:
        endpoint_id, _ = await endpoint(world, app.url)
        await happen(world)
        async with world.db() as db:
            await endpoints.remove(db, SCOPE, endpoint_id)
        await happen(world)
        await deliver(world)
        async with world.db() as db:
            secrets = await db.execute(text("SELECT secret, former_secret FROM webhook_endpoints"))
            assert secrets.one() == (b"", None)
    assert app.heard == []


async def test_a_test_event_goes_to_one_endpoint_whatever_it_asks_for(world: World) -> None:
    async with listening() as app, listening() as other:
        endpoint_id, _ = await endpoint(world, app.url, "payment.collected")
        await endpoint(world, other.url)
        async with world.db() as db:
            await endpoints.test(db, SCOPE, endpoint_id)
        await deliver(world)
    assert (app.types, other.types) == (["endpoint.test"], [])


async def test_an_endpoint_has_few_deliveries_under_way_and_a_failing_one_has_one(
    world: World,
) -> None:
    async with listening() as app, outbound.open_transport(world.means.outbound) as transport:
        await endpoint(world, app.url)
        await happen(world, n=6)
        rows = [d.delivery_id for d in await deliveries(world)]
        app.let_go.clear()
        looks = [asyncio.create_task(tell.look(world.means, SCOPE, r, transport)) for r in rows]
        refused = await turned_away(looks, 2)
        app.status = 500
        app.let_go.set()
        did = await asyncio.gather(*looks)
        assert sum(did) == 4
        assert all(task.result() is False for task in refused)
        app.let_go.clear()
        later = [asyncio.create_task(tell.look(world.means, SCOPE, r, transport)) for r in rows]
        await turned_away(later, 5)
        app.let_go.set()
        assert sum(await asyncio.gather(*later)) == 1


async def turned_away(looks: list[asyncio.Task[bool]], count: int) -> set[asyncio.Task[bool]]:
    """Those that end while the app holds its answers back: all of them, or one would come later."""
    done: set[asyncio.Task[bool]] = set()
    while len(done) < count:
        done, _ = await asyncio.wait(looks[:], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.01)
    return done


async def test_two_bells_send_once(world: World) -> None:
    async with listening() as app, outbound.open_transport(world.means.outbound) as transport:
        await endpoint(world, app.url)
        await happen(world)
        (row,) = await deliveries(world)
        looks = [tell.look(world.means, SCOPE, row.delivery_id, transport) for _ in range(3)]
        assert sum(await asyncio.gather(*looks)) == 1
    assert len(app.heard) == 1


async def test_what_the_settings_say_is_an_endpoint_kept_in_step(world: World) -> None:
    means, secret = world.means, "whsec_" + "a" * 32
    async with listening() as app:
        await endpoints.keep_in_step(means, SCOPE, App("http://127.0.0.1:9/old", secret))
        await endpoints.keep_in_step(means, SCOPE, App(app.url, secret))
        await endpoints.keep_in_step(means, SCOPE, App(app.url, "whsec_" + "b" * 32))
        async with world.db() as db:
            ((its,), _) = await rows.page(db, SCOPE, rows_page())
        assert (its.url, its.source, its.types) == (app.url, "settings", None)
        await happen(world)
        await deliver(world)
        headers, body = app.asked[0]
        assert Webhook(secret).verify(body, headers)  # the app may be changed a day later
        with pytest.raises(ConflictError, match="TWINTILL_APP_WEBHOOK_URL"):
            await endpoints.change(means, SCOPE, its.id, url="https://app.example")
        await endpoints.keep_in_step(means, SCOPE, None)
        await happen(world)
        assert await deliver(world) == 0
        await endpoints.keep_in_step(means, SCOPE, App(app.url, secret))
        await happen(world)
        assert await deliver(world) == 1


def rows_page() -> Any:
    from twintill.store.listing import Page

    return Page()


async def test_an_event_that_a_former_version_left_is_delivered(world: World) -> None:
    async with listening() as app:
        await endpoint(world, app.url)
        async with world.db() as db:
            event_id = await outgoing._add(db, SCOPE, "payment.collected", "pay_1", {"id": "x"})
            await db.execute(
                text("UPDATE outgoing_events SET ended_at = NULL, next_look_at = now()")
            )
        assert await tell.spread(world.means, SCOPE, event_id)
        assert not await tell.spread(world.means, SCOPE, event_id)
        await deliver(world)
    assert [heard["id"] for heard in app.heard] == [event_id]


@pytest.mark.parametrize("types", [("payment.paid",), ()])
async def test_an_unknown_type_is_refused(world: World, types: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest, match="Unknown event type"):
        await endpoints.add(world.means, SCOPE, "we_1", url="http://127.0.0.1:9", types=types)
