"""Second act: sign-ups that begin otherwise: a trial, an unknown place, a refusal."""

import asyncio
from datetime import timedelta
from typing import Any

from twintill.demo import calls, signing_up
from twintill.demo.browser import Browser
from twintill.demo.people import Account, Buyer, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import reported

_IP = "198.51.100.31"
_TRIAL_DAYS = 14


async def begin(stage: Stage, price_id: str) -> list[Account]:
    """(9) A trial without a charge; a place that cannot be taxed; a first payment that fails."""
    tell = stage.telling
    tell.step(
        9,
        "Quin tries it, Rae's address cannot be taxed, Sam's card is refused for good",
        "No charge in a trial, none without its tax; no access without the first payment.",
        await stage.database.now(),
    )
    nowhere = Buyer("Rae", 1, "CH", "00001", _IP, automatic_tax=True)
    quin, rae, sam = await asyncio.gather(
        signing_up.join(stage, price_id, _buyer("Quin"), trial_period_days=_TRIAL_DAYS),
        signing_up.join(stage, price_id, nowhere),
        signing_up.join(stage, price_id, _buyer("Sam"), "card_hard_declined"),
    )
    await _trial(stage, quin)
    await _mend(stage, rae)
    await _refused(stage, sam)
    await _trial_ends(stage, quin)
    return [quin, rae, sam]


async def _mend(stage: Stage, rae: Account) -> None:
    async def told() -> Any:
        events = [e for e in stage.app.events if e["type"] == "tax.problem"]
        return next((e for e in events if e["data"]["customer"] == rae.customer_id), None)

    event = await stage.until("Rae's tax cannot be computed", told)
    what = event["data"]["what_to_do"]
    stage.telling.line("Rae", f"{event['data']['problem']}: nothing is charged; “{what}”")
    where = {"country": "CH", "postal_code": "8001"}
    async with Browser(_IP) as browser:
        page = await browser.open(rae.checkout_url)
        there = await browser.submit(page, page.form_with("country"), where)
        choices = [form for form in there.forms if "method" in form.fields]
        if choices:
            await browser.submit(there, choices[0], {"method": "card_ok"})
    payment = await reported(stage, rae.invoice_id, "Rae's first invoice is paid")
    stage.telling.line(
        "Rae",
        f"the page asks her again; with the right place {money(payment['reported'])} reported",
    )


async def _trial(stage: Stage, quin: Account) -> None:
    async def trialing() -> Any:
        signup = await calls.get(stage.api, f"/v1/signups/{quin.signup_id}")
        return signup if signup["state"] == "active" else None

    await stage.until("Quin's trial begins", trialing)
    payments = await calls.get(stage.api, "/v1/payments", customer=quin.customer_id)
    expect(not any(p["collected"] for p in payments["data"]), "Quin was charged in the trial")
    stage.telling.line("Quin", f"{_TRIAL_DAYS} days of trial: a method is stored, nothing charged")


async def _refused(stage: Stage, sam: Account) -> None:
    await stage.advance(timedelta(hours=25))

    async def ended() -> Any:
        subscription = await calls.get(stage.stripe, f"/v1/subscriptions/{sam.subscription_id}")
        return subscription["status"] == "canceled"

    await stage.until("Sam's subscription ends", ended)
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{sam.invoice_id}")
    expect(invoice["status"] == "void", f"Sam's invoice is {invoice['status']}")
    stage.telling.line("Sam", "declined for good; a day to give another card; canceled, void")


async def _trial_ends(stage: Stage, quin: Account) -> None:
    await stage.advance(timedelta(days=_TRIAL_DAYS))
    await stage.advance(timedelta(hours=1, minutes=2))  # Stripe's draft hour

    async def first() -> Any:
        listed = await calls.get(
            stage.stripe, "/v1/invoices", subscription=quin.subscription_id, limit="10"
        )
        return next((i for i in listed["data"] if i["amount_due"]), None)

    invoice = await stage.until("Quin's first invoice is there", first)
    payment = await reported(stage, invoice["id"], "Quin's first payment is reported")
    stage.telling.line("Quin", f"the trial is over: {money(payment['reported'])} charged, reported")


def _buyer(name: str) -> Buyer:
    return Buyer(name, 1, "FR", "75001", _IP)
