"""Third act: the hour in which an invoice is a draft: rules, the app's hook, and a review."""

from datetime import timedelta
from typing import Any

from twintill.demo import calls
from twintill.demo.people import CURRENCY, Account, money
from twintill.demo.renewing import until_next_period
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import reported, told

_FEE_MINOR = 300
_FROM_MINOR = 10000
_A_DAY = timedelta(hours=25)


async def review(stage: Stage, zoe: Account, tom: Account, ned: Account) -> None:
    """(8) A month later: a fee by a rule, one held by the hook, one held by hand and forgotten."""
    tell = stage.telling
    tell.step(
        8,
        "A month later everybody renews; rules look at the drafts first",
        "Stripe finalizes a draft after an hour. The 2xx to Stripe waits for none of this.",
        await stage.database.now(),
    )
    await _make_rules(stage, zoe)
    await stage.advance(await until_next_period(stage))
    drafts = {a.name: await _draft(stage, a) for a in (zoe, tom, ned)}
    await _see_the_fee(stage, drafts["Zoe"])
    held = await _held(stage, drafts["Tom"])
    tell.line("Tom", f"the app's hook is asked about {money(held['total'])}: “{held['why']}”")
    hold = {"why": "he called: wait with it"}
    await calls.post(stage.api, f"/v1/invoices/{drafts['Ned']}/hold", hold)
    tell.line("Ned", "held by hand")
    await stage.advance(_A_DAY)
    payment = await reported(stage, drafts["Zoe"], "Zoe's renewal is collected")
    tell.line("Zoe", f"finalized by Stripe an hour later: {money(payment['reported'])} reported")
    event = await told(stage, "draft.waiting", held["id"])
    tell.line("Tom", f"forgotten for {event['waiting_for_s'] // 3600} hours: the app is told")
    await _release(stage, held, drafts["Tom"])
    voided = await calls.post(stage.api, f"/v1/invoice_reviews/{drafts['Ned']}/void", {})
    expect(voided["state"] == "voided", f"Ned's review is {voided['state']}")
    tell.line("Ned", "voided: finalized and voided, and nobody collected it in between")


async def _make_rules(stage: Stage, zoe: Account) -> None:
    currency = CURRENCY.lower()
    fee = {"description": "Shipping", "amount": _FEE_MINOR, "currency": currency}
    body: dict[str, Any] = {"customer": zoe.customer_id, "then": "proceed", "add_items": [fee]}
    await calls.post(stage.api, "/v1/draft_rules", {**body, "currency": currency})
    large = {"min_amount": _FROM_MINOR, "currency": currency}
    asks = {"then": "ask", "hook_url": stage.app.drafts_url, "default": "hold"}
    rule = await calls.post(stage.api, "/v1/draft_rules", {**large, **asks})
    stage.app.drafts_secret = rule["secret"]
    stage.telling.line(
        "rules",
        f"Zoe's drafts get {money(_FEE_MINOR)} shipping; the app is asked from "
        f"{money(_FROM_MINOR)} on",
    )


async def _draft(stage: Stage, account: Account) -> str:
    """Of its renewal."""

    async def there() -> Any:
        query = {"subscription": account.subscription_id, "limit": "10"}
        listed = await calls.get(stage.stripe, "/v1/invoices", **query)
        renewals = [i for i in listed["data"] if i["billing_reason"] == "subscription_cycle"]
        return renewals[0]["id"] if renewals else None

    return str(await stage.until(f"{account.name}'s renewal is a draft", there))


async def _see_the_fee(stage: Stage, invoice_id: str) -> None:
    async def added() -> Any:
        invoice = await calls.get(stage.stripe, f"/v1/invoices/{invoice_id}")
        return invoice if len(invoice["lines"]["data"]) == 2 else None

    invoice = await stage.until("the rule adds the fee", added)
    stage.telling.line("Zoe", f"the rule has added it: {money(invoice['total'])}, still a draft")


async def _held(stage: Stage, invoice_id: str) -> Any:
    async def there() -> Any:
        listed = await calls.get(stage.api, "/v1/invoice_reviews", waiting="true")
        return next((one for one in listed["data"] if one["invoice"] == invoice_id), None)

    return await stage.until("the draft is held", there)


async def _release(stage: Stage, held: Any, invoice_id: str) -> None:
    """Changed by one person, approved by a second one, and released once."""
    path = f"/v1/invoice_reviews/{held['id']}"
    credit = {"description": "Loyal for a month", "amount": -700, "currency": CURRENCY.lower()}
    await calls.post(stage.api, f"{path}/items", {"add": [credit], "why": "promised on the phone"})
    alone = await stage.api.post(f"{path}/approve", json={})
    expect(alone.status_code == 409, f"approving one's own change answered {alone.status_code}")
    approved = await calls.post(stage.second, f"{path}/approve", {"why": "he meant it"})
    stage.telling.line(
        "Tom",
        f"credited something; who did so may not approve it (“{alone.json()['code']}”): "
        f"approved by {approved['approved_by']}",
    )
    await calls.post(stage.api, f"{path}/release", {})
    payment = await reported(stage, invoice_id, "Tom's renewal is collected")
    again = await stage.api.post(f"{path}/release", json={})
    expect(again.status_code == 409, f"a second release answered {again.status_code}")
    stage.telling.line(
        "Tom",
        f"released: {money(payment['reported'])} reported; a second release is refused: "
        f"“{again.json()['code']}”",
    )
