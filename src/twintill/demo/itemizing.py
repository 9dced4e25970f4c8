"""Third act: invoice items, one-off invoices, invoices at once, and changes that were previewed."""

from typing import Any

from twintill.demo import calls, shop, signing_up
from twintill.demo.people import CURRENCY, SEAT_MINOR, Account, Buyer, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import reported, told

_IP = "198.51.100.41"
_SETUP_MINOR, _VOUCHER_MINOR, _HOURS_MINOR = 15000, -1000, 12000


async def before_the_first_subscription(stage: Stage, price_id: str) -> Account:
    """(1) An item waits before there is a subscription; its first invoice takes it along."""
    tell = stage.telling
    tell.step(
        1,
        "Zoe owes a setup fee before she has a subscription",
        "An item waits in Stripe for the customer's next invoice, whichever that is.",
        await stage.database.now(),
    )
    zoe = Buyer("Zoe", 1, "FR", "75001", _IP)
    customer_id = await shop.create_customer(stage, zoe.name)
    item = await add_item(stage, customer_id, _SETUP_MINOR, "Setup")
    tell.line("Zoe", f"{item['description']}, {money(item['amount'])}: {item['id']} waits")
    account = await signing_up.join(stage, price_id, zoe, customer={"id": customer_id})
    payment = await reported(stage, account.invoice_id, "Zoe's first invoice is paid")
    expect(payment["reported"] == _SETUP_MINOR + SEAT_MINOR, f"{payment['reported']} were reported")
    tell.line("Zoe", f"signs up: {money(payment['reported'])} for both, on one invoice, paid")
    return account


async def one_off(stage: Stage, ivy: Account) -> None:
    """(3) Made with all its items in one call, and collected like any other."""
    tell = stage.telling
    tell.step(
        3,
        "Ivy gets a one-off invoice with three items",
        "One call, all or nothing; a product's price, an amount, a credit. Then it is collected.",
        await stage.database.now(),
    )
    product = await calls.post(stage.api, "/v1/products", {"name": "Consulting, per hour"})
    hour = {"product": product["id"], "currency": CURRENCY.lower(), "unit_amount": _HOURS_MINOR}
    price = await calls.post(stage.api, "/v1/prices", hour)
    prefix = {"invoice_prefix": "IVY"}
    await calls.put(stage.api, f"/v1/customers/{ivy.customer_id}/invoice_prefix", prefix)
    invoice = await calls.post(
        stage.api,
        "/v1/invoices",
        {
            "customer": ivy.customer_id,
            "items": [
                {"price": price["id"], "quantity": 2},
                {"amount": 4500, "description": "Travel"},
                {"amount": _VOUCHER_MINOR, "description": "Voucher"},
            ],
            "days_until_due": 14,
            "memo": "Thank you for the workshop",
            "finalize": True,
        },
    )
    payment = await reported(stage, invoice["id"], "Ivy's one-off invoice is collected")
    expect(payment["reported"] == 2 * _HOURS_MINOR + 4500 + _VOUCHER_MINOR, "not what it asks for")
    tell.line("Ivy", f"{invoice['number']}: 2 hours, travel, less a voucher")
    tell.line("Ivy", f"{money(payment['reported'])} charged and reported, like a subscription's")
    await _refused(stage, ivy)


async def invoice_now(stage: Stage, ivy: Account) -> None:
    """(4) What waits is not left until the renewal."""
    tell = stage.telling
    tell.step(
        4,
        "What waits for Ivy's next invoice is invoiced now",
        "An item need not wait for the renewal.",
        await stage.database.now(),
    )
    await add_item(stage, ivy.customer_id, 2500, "Extra report")
    body = {"customer": ivy.customer_id, "include_pending": True, "finalize": True}
    invoice = await calls.post(stage.api, "/v1/invoices", body)
    payment = await reported(stage, invoice["id"], "what waited is collected")
    expect(payment["reported"] == 2500, f"{payment['reported']} were reported")
    paid = await told(stage, "invoice.paid", invoice["id"])
    how = f"{paid['how']}, {paid['processor']}"
    tell.line("Ivy", f"{invoice['number']}: {money(2500)} reported; invoice.paid told ({how})")


async def preview_and_change(stage: Stage, tom: Account) -> None:
    """(5) What was shown is what is billed, to the cent, by the same proration date."""
    tell = stage.telling
    tell.step(
        5,
        "Tom sees what three seats would cost, thinks about it, and takes them",
        "Stripe prorates by the second: the preview's date is used for the change itself.",
        await stage.database.now(),
    )
    what = {"quantity": 3, "proration_behavior": "always_invoice"}
    asked = {"subscription": tom.subscription_id, **what}
    preview = await calls.post(stage.api, "/v1/invoices/preview", asked)
    shown, date = preview["amount_due"], preview["proration_date"]
    tell.line("Tom", f"is shown {money(shown)}; nothing is created")
    change = await calls.post(
        stage.api,
        f"/v1/subscriptions/{tom.subscription_id}/change",
        {**what, "proration_date": date},
    )
    invoice_id = str(change["invoice"])
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{invoice_id}")
    expect(invoice["amount_due"] == shown, f"shown {shown}, billed {invoice['amount_due']}")
    if invoice["status"] == "draft":
        await calls.post(stage.api, f"/v1/invoices/{invoice_id}/finalize", {})
    payment = await reported(stage, invoice_id, "Tom's change is collected")
    tell.line("Tom", f"says yes a little later: {money(payment['reported'])} billed, collected")


async def add_item(stage: Stage, customer_id: str, minor: int, what: str) -> Any:
    body = {"customer": customer_id, "amount": minor, "description": what}
    return await calls.post(stage.api, "/v1/invoice_items", {**body, "currency": CURRENCY.lower()})


async def _refused(stage: Stage, ivy: Account) -> None:
    """251 items, and nothing half-done."""
    items = [{"amount": 100, "description": f"Sheet {n}"} for n in range(251)]
    answer = await stage.api.post(
        "/v1/invoices", json={"customer": ivy.customer_id, "items": items, "finalize": True}
    )
    expect(answer.status_code == 400, f"251 items were answered {answer.status_code}")
    drafts = await calls.get(stage.stripe, "/v1/invoices", customer=ivy.customer_id, status="draft")
    expect(not drafts["data"], "a draft was left behind")
    stage.telling.line("", f"251 items: refused, “{answer.json()['code']}”; nothing is left of it")
