"""Third act: one more try at the customer's wish, and what somebody does in Stripe's Dashboard."""

from typing import Any

from twintill.demo import calls, shop
from twintill.demo.people import CURRENCY, Account, money
from twintill.demo.renewing import replace_method
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import payment_that, reported, told

_COURSE_MINOR, _BOOK_MINOR, _POSTER_MINOR, _CHAIR_MINOR = 8000, 3000, 1200, 4000


async def try_again(stage: Stage, ned: Account) -> str:
    """(6) The app hears why, and what it may offer; the customer need not wait for the schedule."""
    tell = stage.telling
    tell.step(
        6,
        "Ned's card is declined; he tops it up, and asks for another try",
        "The schedule is for tries by themselves. What card networks forbid stays forbidden.",
        await stage.database.now(),
    )
    await replace_method(stage, ned, "card_declines_once")
    invoice_id = await shop.bill(stage, ned.customer_id, _COURSE_MINOR, "Course")
    payment = await payment_that(
        stage, invoice_id, "it is declined", lambda p: p["reason"] == "retry"
    )
    event = await told(stage, "payment.in_dunning", payment["id"])
    offer, failure = event["offer"], event["failure"]
    tell.line("Ned", f"{failure['code']}: the app may offer {len(offer['try_again'])} card again")
    path = f"/v1/payments/{payment['id']}/attempt"
    await calls.post(stage.api, path, {"why": "topped up, says the customer"})
    payment = await reported(stage, invoice_id, "the second try is approved")
    tell.line("Ned", f"tried again at once: {money(payment['reported'])} reported")
    answer = await stage.api.post(path, json={})
    expect(answer.status_code == 409, f"one more try answered {answer.status_code}")
    tell.line("Ned", f"and once more: refused, “{answer.json()['code']}”")
    return invoice_id


async def follow(stage: Stage, customer_id: str) -> None:
    """(7) Done in the Dashboard instead: followed just as well."""
    tell = stage.telling
    tell.step(
        7,
        "Gus pays by wire; somebody works on his invoices in Stripe's Dashboard",
        "What is done there instead of through Twintill is followed, and told to the app.",
        await stage.database.now(),
    )
    paid = await bill(stage, customer_id, _BOOK_MINOR, "Book")
    await shop.pay_by_wire(stage, paid["id"])
    event = await told(stage, "invoice.paid", paid["id"])
    expect(event["how"] == "in_stripe", f"it was paid {event['how']}")
    tell.line("Gus", f"{paid['number']} marked as paid there: invoice.paid told, {event['how']}")
    void = await bill(stage, customer_id, _POSTER_MINOR, "Poster")
    await calls.post_form(stage.stripe, f"/v1/invoices/{void['id']}/void", {})
    await _shown_as(stage, void["id"], "void")
    found = await calls.get(stage.api, "/v1/invoices", number=void["number"])
    expect([i["id"] for i in found["data"]] == [void["id"]], "it is not found by its number")
    await bill(stage, customer_id, _CHAIR_MINOR, "Chair", days_until_due=14)
    tell.line(
        "Gus", f"{void['number']} voided there: found by its number, {found['data'][0]['status']}"
    )


async def tell_its_story(stage: Stage, customer_id: str, tried_twice: str) -> None:
    """(9) What people ask about an invoice."""
    tell = stage.telling
    tell.step(
        9,
        "Support asks: what is it with this invoice?",
        "Stripe tells of due dates only where an automation does; Twintill has timers of its own.",
        await stage.database.now(),
    )
    found = await calls.get(stage.api, "/v1/invoices", customer=customer_id, overdue="true")
    (late,) = found["data"]
    await told(stage, "invoice.overdue", late["id"])
    whole = await calls.get(stage.api, f"/v1/invoices/{late['id']}")
    tell.line("Gus", f"{late['number']}, found as overdue, and told: {whole['state_in_words']}")
    story = await calls.get(stage.api, f"/v1/invoices/{tried_twice}/timeline")
    tell.line("Ned", f"the timeline of his course: {len(story['data'])} lines, some of them:")
    kinds = {"twintill"}  # of what is told to others, one line of each kind
    for line in story["data"]:
        if kinds.isdisjoint((line["kind"], line["source"])):
            kinds.add(line["kind"])
            tell.line("", f"{line['source']}: {line['text']}")
    whose = {line["source"] for line in story["data"]}
    expect(
        {"stripe", "processor", "ledger", "person"} <= whose, f"the timeline knows {sorted(whose)}"
    )


async def bill(stage: Stage, customer_id: str, minor: int, what: str, **terms: Any) -> Any:
    """Of a customer without a payment method: open until somebody pays it."""
    line = {"amount": minor, "description": what}
    body = {"customer": customer_id, "items": [line], "currency": CURRENCY.lower()}
    return await calls.post(stage.api, "/v1/invoices", {**body, **terms, "finalize": True})


async def _shown_as(stage: Stage, invoice_id: str, status: str) -> None:
    async def shown() -> bool:
        invoice = await calls.get(stage.api, f"/v1/invoices/{invoice_id}")
        return bool(invoice["status"] == status)

    await stage.until(f"Twintill shows it as {status}", shown)
