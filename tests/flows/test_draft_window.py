"""The draft window: rules and the user's app, and what goes wrong in it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.flows import drafting as d
from tests.flows import listening
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import told as heard
from tests.flows.signing_up import work
from tests.flows.test_signup_crashes import let_leases_run_out
from tests.flows.world import INSTALLATION, SCOPE, World
from twintill.domain.drafting import Item, Then
from twintill.flows import draft_hook
from twintill.flows import draft_rules as flow
from twintill.flows import operations as operating
from twintill.store import draft_rules
from twintill.stripe_billing.gateway import open_gateway

EUR_5 = Item("Setup", 500, "EUR")


@pytest.fixture
def telling(world: World) -> World:
    return listening.told(world)


async def test_a_rule_holds_a_draft_and_says_why(telling: World) -> None:
    customer_id = await telling.customer()
    rule = await d.rule(telling, currency="EUR", min_minor=4900, why="more than 40 EUR")
    invoice_id = await d.subscribed(telling, customer_id)
    await d.told(telling)
    assert (await d.draft(telling, invoice_id))["auto_advance"] is False
    waits = await d.queued(telling, invoice_id)
    assert (waits.state, waits.why, waits.doing) == ("held", "more than 40 EUR", None)
    assert (waits.held_by, waits.rule_version) == (f"rule:{rule.id}", 1)
    assert await d.deeds(telling, invoice_id) == [("rule:drl", "held")]
    assert len(await heard(telling, "draft.held")) == 1
    await telling.advance(timedelta(hours=3))
    await d.told(telling)
    assert await telling.status(invoice_id) == "draft"


async def test_without_rules_nothing_is_begun_and_it_finalizes_by_itself(telling: World) -> None:
    invoice_id = await d.subscribed(telling, await telling.customer())
    await d.told(telling)
    await telling.advance(timedelta(hours=2))
    await d.told(telling)
    assert await telling.status(invoice_id) == "paid"
    assert await d.deeds(telling, invoice_id) == []


async def test_items_are_added_and_the_invoice_goes_out_at_once(telling: World) -> None:
    customer_id = await telling.customer()
    await d.rule(telling, then=Then.FINALIZE, currency="EUR", items=(EUR_5,))
    invoice_id = await d.subscribed(telling, customer_id)
    await d.told(telling)
    await d.told(telling)
    paid = await d.draft(telling, invoice_id)
    assert (paid["status"], paid["total"], len(paid["lines"]["data"])) == ("paid", 5400, 2)
    did = [("rule:drl", "items_added"), ("rule:drl", "finalized")]
    assert await d.deeds(telling, invoice_id) == did


async def test_the_first_rule_that_matches_decides_the_customers_own_before_all(
    telling: World,
) -> None:
    one, other = await telling.customer(), await telling.customer()
    await d.rule(telling, place=1)
    await d.rule(telling, place=2, customer_id=one, then=Then.PROCEED)
    his, others = await d.one_off(telling, one), await d.one_off(telling, other)
    await d.told(telling)
    assert await d.review(telling, his) is None
    assert await d.deeds(telling, his) == [("rule:drl", "left_to_stripe")]
    assert (await d.queued(telling, others)).state == "held"
    seen = await flow.judged(telling.means, SCOPE, his)
    assert (seen.rule and seen.rule.then, seen.untouched) == (Then.PROCEED, None)


async def test_no_hook_is_called_before_the_webhook_is_answered(telling: World) -> None:
    """Taking the event in needs neither the app nor Stripe: neither could answer."""
    async with d.asking(telling) as app:
        app.let_go.clear()
        invoice_id = await d.subscribed(telling, await telling.customer())
        events = await stripe_events(telling, "invoice.created")
        nobody = open_gateway("sk_test_1", "http://127.0.0.1:1", INSTALLATION, False)
        alone = replace(telling, means=replace(telling.means, stripe=nobody))
        assert await deliver(alone, events) == [("done", "nothing to collect: draft")]
        await nobody.aclose()
        assert app.asked == []
        assert (await d.window(telling, invoice_id)).step == "judge"


async def test_the_app_is_asked_signed_and_its_answer_is_done(telling: World) -> None:
    async with d.asking(telling) as app:
        item = {"description": "Setup", "amount": 500, "currency": "eur"}
        app.says = {"then": "hold", "why": "new customer", "add_items": [item]}
        invoice_id = await d.subscribed(telling, await telling.customer())
        await d.told(telling)
        ((headers, body),) = app.asked
        async with telling.db() as db:
            (rule,) = await draft_rules.of_customer(db, SCOPE, "")
            row = await draft_rules.read(db, SCOPE, rule.id)
    Webhook(draft_hook.open_secret(telling.means, SCOPE, row)).verify(body, headers)
    asked = json.loads(body)["data"]
    assert (asked["invoice"], asked["total"], asked["currency"]) == (invoice_id, 4900, "eur")
    waits = await d.queued(telling, invoice_id)
    assert (waits.held_by, waits.why) == (f"hook:{rule.id}", "new customer")
    assert (await d.draft(telling, invoice_id))["total"] == 5400
    assert await d.deeds(telling, invoice_id) == [("hook:drl", "items_added"), ("hook:drl", "held")]


LIES: dict[str, Any] = {
    "not JSON": "hello",
    "a bare list": "[]",
    "an unknown field": {"then": "hold", "refund": 500},
    "another invoice": {"then": "hold", "invoice": "in_other"},
    "nothing to do": {"then": "pay"},
    "another currency": {"then": "hold", "add_items": [{"amount": 500, "currency": "usd"}]},
    "251 lines": {"then": "hold", "add_items": [{"amount": 5, "currency": "eur"}] * 250},
    "a fraction": {"then": "hold", "add_items": [{"amount": 5.5, "currency": "eur"}]},
    "huge": "[" + " " * 70_000 + "]",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_lying_hook_counts_as_none_and_nothing_of_it_is_done(
    telling: World, lie: str | dict[str, Any]
) -> None:
    async with d.asking(telling, default=Then.HOLD) as app:
        if isinstance(lie, str):
            app.otherwise = lie
        else:
            app.says = lie
        invoice_id = await d.subscribed(telling, await telling.customer())
        await d.told(telling)
    assert len(app.asked) == 1
    assert (await d.draft(telling, invoice_id))["total"] == 4900
    waits = await d.queued(telling, invoice_id)
    assert waits.held_by.startswith("rule:")
    (failed,) = await heard(telling, "draft.rule_failed")
    assert (failed["did"], failed["why"]) == ("hold", waits.why)


@pytest.mark.parametrize("status", [500, 302, 404])
async def test_an_app_that_answers_no_success_is_asked_again_then_the_default_holds(
    telling: World, status: int
) -> None:
    async with d.asking(telling, default=Then.FINALIZE) as app:
        app.status = status
        app.headers = {"location": app.url}
        invoice_id = await d.subscribed(telling, await telling.customer())
        await d.told(telling)
        for _ in range(3):
            await telling.advance(timedelta(minutes=3))
            await work(telling)
    assert len(app.asked) == 3
    assert len({headers["webhook-id"] for headers, _ in app.asked}) == 1
    assert await telling.status(invoice_id) == "open"
    (failed,) = await heard(telling, "draft.rule_failed")
    assert (failed["did"], failed["why"]) == (
        "finalize",
        f"asked 3 times: the app answered {status}",
    )


async def test_a_hook_that_hangs_is_left_after_its_time(telling: World) -> None:
    async with d.asking(telling, timeout_s=1, default=Then.PROCEED) as app:
        app.let_go.clear()
        invoice_id = await d.subscribed(telling, await telling.customer())
        await d.told(telling)
        assert len(app.asked) == 1
        other = await d.one_off(telling, await telling.customer())
        await d.told(telling)
        assert len(app.asked) == 1, "nobody else asks it just now"
        app.let_go.set()
        await telling.advance(timedelta(minutes=1))
        await work(telling)
        assert len(app.asked) == 3
    for one in (invoice_id, other):
        assert await d.deeds(telling, one) == [("hook:drl", "left_to_stripe")]


async def test_a_dead_hook_is_asked_only_while_the_window_is_open(telling: World) -> None:
    """Stripe finalizes by itself: nothing is touched then, and it is collected as ever."""
    async with d.asking(telling, default=Then.HOLD) as app:
        app.status = 500
        invoice_id = await d.subscribed(telling, await telling.customer())
        events = await stripe_events(telling, "invoice.created")
        await telling.advance(timedelta(minutes=56))
        await deliver(telling, events)
        await work(telling)
        assert app.asked == []
        assert "window is over" in (await d.window(telling, invoice_id)).data["ended"]
    await telling.advance(timedelta(minutes=10))
    await d.told(telling)
    await d.told(telling)
    assert await telling.status(invoice_id) == "paid"


async def test_refused_items_are_as_if_the_rule_had_said_its_default(telling: World) -> None:
    await d.rule(
        telling,
        then=Then.FINALIZE,
        items=(Item(price="price_unknown", quantity=1),),
        default=Then.HOLD,
    )
    invoice_id = await d.subscribed(telling, await telling.customer())
    await d.told(telling)
    waits = await d.queued(telling, invoice_id)
    assert "No such price" in (waits.why or "")
    assert (await d.draft(telling, invoice_id))["total"] == 4900
    assert len(await heard(telling, "draft.rule_failed")) == 1


async def test_two_workers_ask_once_and_add_once(telling: World) -> None:
    async with d.asking(telling) as app:
        item = {"description": "Setup", "amount": 500, "currency": "eur"}
        app.says = {"then": "proceed", "add_items": [item]}
        invoice_id = await d.subscribed(telling, await telling.customer())
        await deliver(telling, await stripe_events(telling, "invoice.created"))
        its_id = (await d.window(telling, invoice_id)).id
        looks = [operating.look(telling.means, SCOPE, its_id) for _ in range(2)]
        assert sorted(await asyncio.gather(*looks)) == [False, True]
    assert len(app.asked) == 1
    assert (await d.draft(telling, invoice_id))["total"] == 5400


async def test_a_worker_that_dies_while_the_app_thinks_is_followed_by_another(
    telling: World,
) -> None:
    async with d.asking(telling) as app:
        app.let_go.clear()
        invoice_id = await d.subscribed(telling, await telling.customer())
        await deliver(telling, await stripe_events(telling, "invoice.created"))
        its_id = (await d.window(telling, invoice_id)).id
        look = asyncio.create_task(operating.look(telling.means, SCOPE, its_id))
        await app.came.wait()
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)
        app.let_go.set()
        await let_leases_run_out(telling)
        await telling.advance(timedelta(minutes=2))
        await work(telling)
    assert len({headers["webhook-id"] for headers, _ in app.asked}) == 1
    assert (await d.window(telling, invoice_id)).data["asked"] == len(app.asked) == 2
    assert await d.deeds(telling, invoice_id) == [("hook:drl", "left_to_stripe")]


async def test_what_is_not_ours_or_does_not_finalize_by_itself_is_not_judged(
    telling: World,
) -> None:
    await d.rule(telling)
    v1 = telling.means.stripe.client.v1
    ours, stranger = await telling.customer(), (await v1.customers.create_async({})).id
    others = await d.one_off(telling, stranger)
    being_made = await v1.invoices.create_async(
        {"customer": ours, "collection_method": "send_invoice", "days_until_due": 3}
    )
    by_stripe = await v1.invoices.create_async({"customer": ours, "auto_advance": True})
    await d.told(telling)
    for invoice_id in (others, str(being_made.id), str(by_stripe.id)):
        assert await d.review(telling, invoice_id) is None


async def test_a_rule_is_changed_under_a_new_version(telling: World) -> None:
    rule = await d.rule(telling, currency="EUR", min_minor=1)
    changes = {"min_minor": 100_000}
    row, secret = await flow.change(telling.means, SCOPE, rule.id, changes, d.GRACE)
    assert (row.rule.version, row.rule.min_minor, row.changed_by) == (2, 100_000, d.GRACE)
    assert secret is None
    invoice_id = await d.subscribed(telling, await telling.customer())
    await d.told(telling)
    assert await d.review(telling, invoice_id) is None
