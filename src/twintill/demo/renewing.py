"""The story's second part: a month passes; most renewals go well, three meet trouble."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from twintill.demo import calls, shop
from twintill.demo.browser import Browser
from twintill.demo.people import ADA, BEN, DAN, LATER_CHOICES, Account, Cast, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import payment_of, reported

_DRAFT_HOUR = timedelta(hours=1, minutes=1)
_A_DAY = timedelta(days=1, minutes=1)
_ASKS_AGAIN = timedelta(seconds=10)
Json = Any


async def prepare(stage: Stage, cast: Cast) -> str:
    """Before the month is over: one subscription more, three payment methods replaced."""
    tell = stage.telling
    tell.line("…", "before the month is over:")
    ada = cast.accounts[ADA]
    terms = {"collection_method": "send_invoice", "days_until_due": shop.DAYS_UNTIL_DUE}
    second = await shop.subscribe(
        stage, ada.customer_id, cast.price_id, automatic_tax={"enabled": True}, **terms
    )
    tell.line("Ada", f"gets a second subscription in Stripe's Dashboard, {second['id']}: no page")
    changes = [(cast.accounts[buyer], choice) for buyer, choice in LATER_CHOICES.items()]
    await asyncio.gather(*(replace_method(stage, account, choice) for account, choice in changes))
    for account, choice in changes:
        tell.line(account.name, f"replaces the payment method by one that will be “{choice}”")
    return str(second["id"])


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
    await _delay_webhooks(stage)
    await stage.advance(_DRAFT_HOUR)
    mine = [draft for draft in drafts if draft["customer"] == cast.accounts[ADA].customer_id]
    for draft in mine:
        payment = await reported(stage, draft["id"], "Ada's renewal is reported")
        invoice = await calls.get(stage.stripe, f"/v1/invoices/{draft['id']}")
        expect(invoice["status"] == "paid", f"Ada's renewal is {invoice['status']}")
        tell.line(
            "Ada",
            f"{money(payment['collected'])} charged; {invoice['number']} {invoice['status']} "
            "(paid_out_of_band)",
        )
    return {draft["customer"]: draft for draft in drafts}


async def decline(stage: Stage, account: Account, invoice: Json) -> None:
    """(5) A declined charge is an answer: the next try has a date."""
    stage.telling.step(
        5,
        "Ben's renewal is declined",
        "A decline is an answer, not an error: Stripe hears nothing, the next try has its date.",
        await stage.database.now(),
    )

    async def declined() -> Any:
        payment = await payment_of(stage, invoice["id"])
        return payment if payment and payment["reason"] == "retry" else None

    payment = await stage.until("Ben's renewal is declined", declined)
    (attempt,) = payment["attempts"]
    again = datetime.fromtimestamp(payment["next_look_at"], UTC)
    stage.telling.line(
        account.name,
        f"{money(attempt['amount'])} {attempt['outcome']} ({attempt['code']}); next try "
        f"{again:%a %d %b %H:%M}",
    )


async def lose_an_answer(stage: Stage, account: Account, invoice: Json) -> None:
    """(6) The money is taken, the answer never comes: it is looked up, never charged again."""
    stage.telling.step(
        6,
        "Cleo's charge is made, but the answer is lost",
        "The bug that every such system has shipped: charging again. A missing answer is no no.",
        await stage.database.now(),
    )

    async def in_doubt() -> Any:
        payment = await payment_of(stage, invoice["id"])
        return payment and "NoAnswer" in _answers(payment)

    await stage.until("the wait for the answer to Cleo's charge is given up", in_doubt)
    stage.telling.line(
        account.name, "charge sent; no answer came, and the processor's webhooks are an hour late"
    )
    await stage.advance(_ASKS_AGAIN)
    payment = await reported(stage, invoice["id"], "Cleo's charge is looked up")
    (attempt,) = payment["attempts"]
    answers = _answers(payment)
    expect(answers[0] == "NoAnswer" and answers[-1] == "Approved", f"Cleo's answers: {answers}")
    reference = attempt["reference"]
    there = await calls.get(stage.processor, "/v1/charges", reference=reference)
    expect(len(there["data"]) == 1, f"the processor has {len(there['data'])} charges for Cleo")
    expect(attempt["sendings"] == 1, f"the charge was sent {attempt['sendings']} times")
    stage.telling.line(
        account.name,
        f"asked for {reference}: the processor has it. Sent {attempt['sendings']} time, "
        f"{len(there['data'])} charge in its book, {money(payment['collected'])} reported",
    )


async def settle_late(stage: Stage, cast: Cast, renewals: dict[str, Json]) -> None:
    """(7), and the end of (5): after a day the second try, after two the debit's webhook."""
    tell = stage.telling
    ben, dan = cast.accounts[BEN], cast.accounts[DAN]
    tell.step(
        7,
        "Dan's bank debit is accepted; it takes two days",
        "Accepted is not collected: Stripe is told when the processor's webhook says so.",
        await stage.database.now(),
    )
    debit = renewals[dan.customer_id]
    payment = await stage.until("Dan's debit is accepted", lambda: _pending(stage, debit["id"]))
    expected = datetime.fromtimestamp(payment["attempts"][0]["expected_at"], UTC)
    tell.line("Dan", f"{money(payment['attempts'][0]['amount'])} accepted, due {expected:%a %d %b}")
    await stage.advance(_A_DAY)
    payment = await reported(stage, renewals[ben.customer_id]["id"], "Ben's second try")
    outcomes = [attempt["outcome"] for attempt in payment["attempts"]]
    expect(outcomes == ["declined", "approved"], f"Ben's attempts: {outcomes}")
    tell.line("Ben", f"a day later: second try approved, {money(payment['reported'])} reported")
    # Not a minute more: else the worker might ask before the webhook has come in.
    await stage.advance(expected - await stage.database.now() + timedelta(seconds=5))
    payment = await reported(stage, debit["id"], "Dan's debit is confirmed")
    told_by = _approval(payment)["actor"]
    expect(told_by != "twintill", "Dan's debit was asked for, not told by the webhook")
    tell.line("Dan", f"two days later: webhook {told_by}; {money(payment['reported'])} reported")


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


async def _delay_webhooks(stage: Stage) -> None:
    """Else the webhook would tell of Cleo's charge before anybody misses the answer."""
    late = {"kind": "webhook_delay", "types": ["charge.succeeded"], "delay_s": 3600, "times": 3}
    await calls.post(stage.processor, "/_sandbox/faults", late)


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


def _answers(payment: Any) -> list[str]:
    """What the processor answered to this payment's charges, in order."""
    facts = [fact for fact in payment["history"] if fact["fact"] == "Answered"]
    return [fact["detail"]["outcome"]["is"] for fact in facts]


def _approval(payment: Any) -> Any:
    """The fact by which the money was collected."""
    return next(fact for fact in payment["history"] if fact["state_after"] == "collected")


async def _pending(stage: Stage, invoice_id: str) -> Any:
    payment = await payment_of(stage, invoice_id)
    return payment if payment and payment["state"] == "pending" else None
