"""The story's second part: a month passes, and the renewals come."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from twintill.demo import calls, shop
from twintill.demo.browser import Browser
from twintill.demo.people import ADA, Account, Cast, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import due, ordered, reported

_DRAFT_HOUR = timedelta(hours=1, minutes=1)
Json = Any


async def subscribe_again(stage: Stage, ada: Account, price_id: str) -> str:
    """A subscription that nobody signed up for on a page; answers its id."""
    terms = {"collection_method": "send_invoice", "days_until_due": shop.DAYS_UNTIL_DUE}
    second = await shop.subscribe(
        stage, ada.customer_id, price_id, automatic_tax={"enabled": True}, **terms
    )
    words = f"gets a second subscription in Stripe's Dashboard, {second['id']}: no page"
    stage.telling.line("Ada", words)
    return str(second["id"])


async def prepare(stage: Stage, cast: Cast) -> None:
    """Before the month is over: three payment methods replaced."""
    tell = stage.telling
    tell.line("…", "before the month is over:")
    changes = [(cast.accounts[buyer], choice) for buyer, choice in stage.till.troubles.items()]
    await asyncio.gather(*(replace_method(stage, account, choice) for account, choice in changes))
    for account, choice in changes:
        tell.line(account.name, f"replaces the payment method by one that will be “{choice}”")


async def renew(stage: Stage, cast: Cast) -> dict[str, Json]:
    """(4) A month later: drafts, the hour, finalized, charged, told to Stripe. By customer's id."""
    tell = stage.telling
    await stage.advance(await until_next_period(stage))
    tell.step(
        4,
        "A month passes: the renewals",
        "Stripe drafts invoices, waits its hour, finalizes; each event rings, none is believed.",
        await stage.database.now(),
    )
    drafts = await _renewals(stage)
    expect(all(d["status"] == "draft" for d in drafts), "a renewal was no draft at first")
    tell.line("Stripe", f"{len(drafts)} × invoice.created; drafts for an hour, then finalized")
    ada = cast.accounts[ADA]
    await stage.until("Ada's earlier invoices are charged", lambda: _is_quiet(stage, ada))
    await stage.till.keeps_silent(stage.processor)
    await stage.advance(_DRAFT_HOUR)
    mine = [draft for draft in drafts if draft["customer"] == ada.customer_id]
    for draft in mine:
        await (_ordered if stage.till.tells_later else _paid)(stage, draft["id"])
    return {draft["customer"]: draft for draft in drafts}


async def replace_method(stage: Stage, account: Account, choice: str) -> None:
    """The hosted page again, without a purchase."""
    body = {"return_url": f"{stage.addresses.app}/account"}
    path = f"/v1/customers/{account.customer_id}/payment_methods"
    page_of_ours = await calls.post(stage.api, path, body)
    async with Browser(account.buyer.ip_address) as browser:
        page = await browser.open(page_of_ours["url"])
        there = await browser.submit(page, page.forms[0], {})
        await browser.submit(there, there.form_with("method"), {"method": choice})

    async def only_the_new_one() -> bool:
        listed = await calls.get(stage.api, path)
        return [method["default"] for method in listed["data"]] == [True]

    await stage.until(f"{account.name}'s former method is gone", only_the_new_one)


async def until_next_period(stage: Stage) -> timedelta:
    """To just after the last subscription's period has ended, so that all have renewed."""
    subscriptions = await calls.get(stage.stripe, "/v1/subscriptions", limit="100")
    ends = [
        item["current_period_end"] for s in subscriptions["data"] for item in s["items"]["data"]
    ]
    end = datetime.fromtimestamp(max(ends), UTC)
    return end - await stage.database.now() + timedelta(seconds=30)


async def _renewals(stage: Stage) -> Sequence[Json]:
    invoices = await calls.get(stage.stripe, "/v1/invoices", limit="100")
    return [i for i in invoices["data"] if i["billing_reason"] == "subscription_cycle"]


async def _is_quiet(stage: Stage, account: Account) -> bool:
    """Nothing of this customer's is just being charged."""
    payments = await calls.get(stage.api, "/v1/payments", customer=account.customer_id)
    states = [payment["state"] for payment in payments["data"]]
    return len(states) > 1 and all(state in ("reported", "pending") for state in states)


async def _paid(stage: Stage, invoice_id: str) -> None:
    payment = await reported(stage, invoice_id, "Ada's renewal is reported")
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{invoice_id}")
    expect(invoice["status"] == "paid", f"Ada's renewal is {invoice['status']}")
    stage.telling.line(
        "Ada",
        f"{money(payment['collected'])} {stage.till.words.charged}; {invoice['number']} "
        f"{invoice['status']} (paid_out_of_band)",
    )


async def _ordered(stage: Stage, invoice_id: str) -> None:
    payment = await ordered(stage, invoice_id, "Ada's renewal is ordered")
    (attempt,) = payment["attempts"]
    words = f"{money(attempt['amount'])} ordered, {due(payment)}; Stripe is not told"
    stage.telling.line("Ada", words)
