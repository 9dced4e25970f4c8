"""Second act: subscriptions that end, or change sides."""

from typing import Any

from twintill.demo import calls, shop
from twintill.demo.browser import Browser
from twintill.demo.people import Account, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import payment_that, reported

_EXTRA_MINOR = 1500


async def cancel(stage: Stage, nia: Account, oli: Account) -> None:
    """(6) At the processor, by API, with the money back."""
    tell = stage.telling
    tell.step(
        6,
        "Nia revokes at the processor; Oli is canceled with his money back",
        "A revocation is asked about at the processor first: nobody is cancelled on hearsay.",
        await stage.database.now(),
    )
    link = await _revoke(stage, nia)
    tell.line("Nia", "revoked there, confirmed by asking; the app gets a link for a new method")
    extra = await shop.bill(stage, nia.customer_id, _EXTRA_MINOR, "Extra seats")
    await payment_that(stage, extra, "Nia's extra seats wait", lambda p: p["reason"] == "no_method")
    tell.line("Nia", f"{money(_EXTRA_MINOR)} for extra seats fall due, and wait for a method")
    await _choose(nia, link)
    await reported(stage, extra, "Nia's extra seats are paid")
    tell.line(
        "Nia",
        f"the page names what is due; she chooses another card there: {money(_EXTRA_MINOR)} "
        "charged at once, and her subscription goes on",
    )
    asked = {"at": "now", "refund_last_payment": True}
    path = f"/v1/subscriptions/{oli.subscription_id}/cancel"
    cancellation = await calls.post(stage.api, path, asked)
    again = await stage.api.post(path, json=asked)
    expect(again.status_code in (200, 201, 409), f"twice answered {again.status_code}")

    async def done() -> bool:
        now = await calls.get(stage.api, f"/v1/cancellations/{cancellation['id']}")
        return bool(now["state"] == "done")

    await stage.until("Oli's cancellation is done", done)
    payment = await payment_that(
        stage, oli.invoice_id, "Oli has his money back", lambda p: p["state"] == "refunded"
    )
    gone = await calls.get(stage.stripe, f"/v1/subscriptions/{oli.subscription_id}")
    expect(gone["status"] == "canceled", f"Oli's subscription is {gone['status']}")
    tell.line("Oli", f"canceled; {money(payment['refunded'])} refunded, credited, token gone")


async def switch(stage: Stage, pam: Account) -> None:
    """(8) From now on Stripe collects; at no moment both do."""
    tell = stage.telling
    tell.step(
        8,
        "Pam switches to paying Stripe by card",
        "Who collects an invoice stands on the invoice; one that is out is waited for.",
        await stage.database.now(),
    )
    card = await calls.post_form(
        stage.stripe, "/v1/payment_methods/pm_card_visa/attach", {"customer": pam.customer_id}
    )
    path = f"/v1/subscriptions/{pam.subscription_id}/switch"
    begun = await calls.post(stage.api, path, {"to": "stripe", "payment_method": card["id"]})

    async def done() -> Any:
        now = await calls.get(stage.api, f"/v1/switches/{begun['id']}")
        return now if now["state"] == "done" else None

    await stage.until("Pam's switch is done", done)
    now = await calls.get(stage.stripe, f"/v1/subscriptions/{pam.subscription_id}")
    expect(now["collection_method"] == "charge_automatically", "Stripe does not collect Pam's")

    async def token_gone() -> bool:
        customer = await calls.get(stage.stripe, f"/v1/customers/{pam.customer_id}")
        return "third_party_payment_method_id" not in customer["metadata"]

    await stage.until("Pam's token is gone", token_gone)
    tell.line("Pam", f"{now['collection_method']} with {card['id']}; her token here is gone")


async def _revoke(stage: Stage, nia: Account) -> str:
    customer = await calls.get(stage.stripe, f"/v1/customers/{nia.customer_id}")
    token = customer["metadata"]["third_party_payment_method_id"]
    await calls.post(stage.processor, f"/_sandbox/methods/{token}/revoke_by_customer", {})

    async def asked() -> Any:
        told = [e for e in stage.app.events if e["type"] == "method.requested"]
        return next((e for e in told if e["data"]["customer"] == nia.customer_id), None)

    event = await stage.until("the app is asked for another method of Nia's", asked)
    return str(event["data"]["checkout_url"])


async def _choose(nia: Account, link: str) -> None:
    async with Browser(nia.buyer.ip_address) as browser:
        page = await browser.open(link)
        there = await browser.submit(page, page.forms[0], {})
        await browser.submit(there, there.form_with("method"), {"method": "card_ok"})
