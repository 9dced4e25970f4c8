"""Invoices of the sandbox Stripe: drafts, their hour, and every way to end."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.stripe_world import CUSTOMER_CARD, DAY_S, HOUR_S, StripeWorld


async def status(world: StripeWorld, invoice: Any) -> str:
    return str((await world.v1.invoices.retrieve_async(invoice.id)).status)


async def one_off(world: StripeWorld, amount: int = 1000, **params: Any) -> Any:
    """A draft with one item."""
    customer = await world.customer()
    invoice = await world.v1.invoices.create_async(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 7} | params
    )
    await world.v1.invoice_items.create_async(
        {"customer": customer.id, "invoice": invoice.id, "amount": amount, "currency": "eur"}
    )
    return await world.v1.invoices.retrieve_async(invoice.id)


async def test_a_draft_finalizes_after_its_hour(world: StripeWorld) -> None:
    draft = (await world.subscribe()).latest_invoice
    await world.advance(HOUR_S - 1)
    assert await status(world, draft) == "draft"
    await world.advance(1)
    invoice = await world.v1.invoices.retrieve_async(draft.id)
    assert (invoice.status, invoice.status_transitions.finalized_at) == ("open", world.now)
    assert invoice.number
    assert invoice.hosted_invoice_url


async def test_the_hour_begins_when_every_endpoint_has_answered(world: StripeWorld) -> None:
    await world.listen("invoice.created")
    world.endpoint.statuses = [500]
    draft = (await world.subscribe()).latest_invoice
    await world.tick()
    await world.advance(HOUR_S)  # the second attempt succeeds, an hour after the creation
    assert await status(world, draft) == "draft"
    shown = await world.v1.invoices.retrieve_async(draft.id)
    assert shown.webhooks_delivered_at == world.now
    assert shown.automatically_finalizes_at == world.now + HOUR_S
    await world.advance(HOUR_S)
    assert await status(world, draft) == "open"


async def test_after_72_hours_it_finalizes_whatever_the_endpoints_say(world: StripeWorld) -> None:
    await world.listen("invoice.created")
    world.endpoint.status = 500
    draft = (await world.subscribe()).latest_invoice
    await world.tick()
    await world.advance(71 * HOUR_S)
    assert await status(world, draft) == "draft"
    await world.advance(HOUR_S)
    assert await status(world, draft) == "open"


async def test_a_time_of_its_own_is_not_delayed_by_webhooks(world: StripeWorld) -> None:
    await world.listen("invoice.created")
    world.endpoint.status = 500
    draft = await one_off(
        world, auto_advance=True, automatically_finalizes_at=world.now + 5 * HOUR_S
    )
    await world.advance(5 * HOUR_S)
    assert await status(world, draft) == "open"


async def test_without_auto_advance_a_draft_waits_for_ever(world: StripeWorld) -> None:
    draft = await one_off(world)
    await world.advance(10 * DAY_S)
    assert await status(world, draft) == "draft"
    await world.v1.invoices.update_async(draft.id, {"auto_advance": True})
    await world.advance(HOUR_S)
    assert await status(world, draft) == "open"


async def test_paying_out_of_band(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    paid = await world.v1.invoices.pay_async(
        invoice.id, {"paid_out_of_band": True, "expand": ["payments.data.payment.payment_intent"]}
    )
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 4900, 0)
    (payment,) = paid.payments.data
    assert (payment.status, payment.payment.payment_intent.status) == ("canceled", "canceled")
    types = await world.types()
    assert "invoice.paid" in types
    assert "invoice.payment_succeeded" not in types


async def test_a_paid_invoice_says_so(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    with pytest.raises(stripe.InvalidRequestError, match="Invoice is already paid") as refused:
        await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    assert refused.value.http_status == 400


async def test_a_draft_or_void_invoice_cannot_be_paid(world: StripeWorld) -> None:
    draft = (await world.subscribe()).latest_invoice
    void = await world.open_invoice()
    await world.v1.invoices.void_invoice_async(void.id)
    for invoice in (draft, void):
        with pytest.raises(stripe.InvalidRequestError):
            await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})


async def test_uncollectible_can_still_be_paid_or_voided(world: StripeWorld) -> None:
    for end in ("pay", "void"):
        invoice = await world.open_invoice()
        given_up = await world.v1.invoices.mark_uncollectible_async(invoice.id)
        assert given_up.status == "uncollectible"
        assert given_up.status_details.uncollectible.reason == "user_forgiven"
        if end == "pay":
            await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
        else:
            await world.v1.invoices.void_invoice_async(invoice.id)
        assert await status(world, invoice) == ("paid" if end == "pay" else "void")


async def test_voiding_cancels_the_waiting_payment(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    void = await world.v1.invoices.void_invoice_async(invoice.id, {"expand": ["payments"]})
    assert (void.status, void.amount_remaining) == ("void", 4900)
    assert [p.status for p in void.payments.data] == ["canceled"]
    assert "invoice.voided" in await world.types()


async def test_only_one_off_drafts_are_deleted_and_drafts_are_not_voided(
    world: StripeWorld,
) -> None:
    draft = await one_off(world)
    subscribed = (await world.subscribe()).latest_invoice
    opened = await world.open_invoice()
    with pytest.raises(stripe.InvalidRequestError, match="Finalize it first"):
        await world.v1.invoices.void_invoice_async(draft.id)
    for invoice in (subscribed, opened):
        with pytest.raises(stripe.InvalidRequestError):
            await world.v1.invoices.delete_async(invoice.id)
    assert (await world.v1.invoices.delete_async(draft.id)).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.invoices.retrieve_async(draft.id)
    assert refused.value.code == "resource_missing"


async def test_finalizing_twice_is_refused(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.invoices.finalize_invoice_async(invoice.id)
    assert refused.value.code == "invoice_not_editable"


async def test_a_finalized_invoice_only_takes_metadata(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    changed = await world.v1.invoices.update_async(invoice.id, {"metadata": {"ref": "1"}})
    assert changed.metadata.to_dict() == {"ref": "1"}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.invoices.update_async(invoice.id, {"description": "late"})
    assert refused.value.code == "invoice_not_editable"


@pytest.mark.parametrize("end", ["draft", "open", "paid", "void", "uncollectible"])
async def test_metadata_can_be_written_in_every_status(world: StripeWorld, end: str) -> None:
    invoice: Any = (await world.subscribe()).latest_invoice
    if end != "draft":
        await world.v1.invoices.finalize_invoice_async(invoice.id)
    if end == "paid":
        await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    elif end == "void":
        await world.v1.invoices.void_invoice_async(invoice.id)
    elif end == "uncollectible":
        await world.v1.invoices.mark_uncollectible_async(invoice.id)
    changed = await world.v1.invoices.update_async(invoice.id, {"metadata": {"twintill": "a:1"}})
    assert (changed.status, changed.metadata["twintill"]) == (end, "a:1")


async def test_nothing_due_is_paid_at_finalization(world: StripeWorld) -> None:
    draft = (await world.subscribe(price=await world.price(0))).latest_invoice
    assert (draft.status, draft.amount_due) == ("paid", 0)
    types = [t for t in await world.types() if t.startswith("invoice.")]
    assert types[:3] == ["invoice.created", "invoice.finalized", "invoice.updated"]
    assert "invoice.paid" in types


async def test_too_small_an_amount_moves_to_the_balance(world: StripeWorld) -> None:
    customer = await world.customer()
    small = await world.subscribe(customer, await world.price(30))
    invoice = await world.v1.invoices.finalize_invoice_async(small.latest_invoice.id)
    assert (invoice.status, invoice.amount_due, invoice.ending_balance) == ("paid", 0, 30)
    assert (await world.v1.customers.retrieve_async(customer.id)).balance == 30
    next_one = await world.subscribe(customer, await world.price(1000))
    invoice = await world.v1.invoices.finalize_invoice_async(next_one.latest_invoice.id)
    assert (invoice.starting_balance, invoice.total, invoice.amount_due) == (30, 1000, 1030)
    assert (await world.v1.customers.retrieve_async(customer.id)).balance == 0


async def test_credit_is_applied_at_finalization_and_comes_back_on_void(
    world: StripeWorld,
) -> None:
    customer = await world.customer(balance=-2000)
    subscription = await world.subscribe(customer)
    invoice = await world.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)
    assert (invoice.total, invoice.amount_due, invoice.ending_balance) == (4900, 2900, 0)
    assert (await world.v1.customers.retrieve_async(customer.id)).balance == 0
    await world.v1.invoices.void_invoice_async(invoice.id)
    assert (await world.v1.customers.retrieve_async(customer.id)).balance == -2000
    transactions = await world.v1.customers.balance_transactions.list_async(customer.id)
    assert [t.type for t in transactions.data] == [
        "unapplied_from_invoice",
        "applied_to_invoice",
        "initial",
    ]


async def test_items_are_added_to_a_draft_changed_and_taken_away(world: StripeWorld) -> None:
    draft = await one_off(world, 1000)
    customer = draft.customer
    extra = await world.v1.invoice_items.create_async(
        {"customer": customer, "invoice": draft.id, "amount": -250, "currency": "eur"}
    )
    assert (await world.v1.invoices.retrieve_async(draft.id)).total == 750
    await world.v1.invoice_items.update_async(extra.id, {"amount": -100})
    assert (await world.v1.invoices.retrieve_async(draft.id)).total == 900
    await world.v1.invoice_items.delete_async(extra.id)
    assert (await world.v1.invoices.retrieve_async(draft.id)).total == 1000
    await world.v1.invoices.finalize_invoice_async(draft.id)
    with pytest.raises(stripe.InvalidRequestError):
        await world.v1.invoice_items.create_async(
            {"customer": customer, "invoice": draft.id, "amount": 1, "currency": "eur"}
        )


async def test_pending_items_wait_for_the_renewal_or_for_include(world: StripeWorld) -> None:
    customer = await world.customer()
    price = await world.price(700, recurring=None)
    given = {"customer": customer.id, "pricing": {"price": price.id}, "quantity": 2}
    await world.v1.invoice_items.create_async(given)
    base = {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 1}
    excluded = await world.v1.invoices.create_async(base)
    assert excluded.total == 0
    included = await world.v1.invoices.create_async(
        {**base, "pending_invoice_items_behavior": "include"}
    )
    assert (included.total, included.lines.data[0].pricing.price_details.price) == (1400, price.id)
    await world.v1.invoice_items.create_async(given)
    subscription = await world.subscribe(customer)
    assert subscription.latest_invoice.total == 4900 + 1400


async def test_a_card_pays_an_open_invoice(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    with pytest.raises(stripe.CardError) as declined:
        await world.v1.invoices.pay_async(invoice.id, {"payment_method": "pm_card_declined"})
    assert declined.value.code == "card_declined"
    assert await status(world, invoice) == "open"
    paid = await world.v1.invoices.pay_async(invoice.id, {"payment_method": "pm_card_visa"})
    assert paid.status == "paid"
    found = await world.v1.invoice_payments.list_async({"invoice": invoice.id})
    (payment,) = found.data
    assert (payment.status, payment.amount_paid, payment.is_default) == ("paid", 4900, True)
    by_intent = await world.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": payment.payment.payment_intent}}
    )
    assert [p.id for p in by_intent.data] == [payment.id]


async def test_the_hosted_page_pays_at_once_or_after_days(world: StripeWorld) -> None:
    at_once, later, failing = [await world.open_invoice() for _ in range(3)]
    assert (await world.pay_hosted(at_once.id, "succeed")).json()["status"] == "paid"
    for invoice in (later, failing):
        assert (await world.pay_hosted(invoice.id, "processing")).json()["status"] == "open"
        shown = await world.v1.invoices.retrieve_async(
            invoice.id, {"expand": ["payments.data.payment.payment_intent"]}
        )
        (payment,) = shown.payments.data
        assert payment.status == "open"
        assert payment.payment.payment_intent.status == "processing"
    await world.pay_hosted(later.id, "confirm")
    await world.pay_hosted(failing.id, "fail")
    assert await status(world, later) == "paid"
    assert await status(world, failing) == "open"
    assert "invoice.payment_failed" in await world.types()


async def test_while_a_payment_is_processing_nothing_else_ends_the_invoice(
    world: StripeWorld,
) -> None:
    invoice = await world.open_invoice()
    await world.pay_hosted(invoice.id, "processing")
    with pytest.raises(stripe.InvalidRequestError, match="processing"):
        await world.v1.invoices.void_invoice_async(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match="processing"):
        await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    assert (await world.pay_hosted(invoice.id, "succeed")).status_code == httpx.codes.BAD_REQUEST


async def test_the_hosted_page_takes_nothing_for_a_paid_invoice(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    assert (await world.pay_hosted(invoice.id, "succeed")).status_code == httpx.codes.BAD_REQUEST


async def test_a_preview_shows_the_next_renewal_and_creates_nothing(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(3100))
    item = subscription["items"].data[0]
    plain = await world.v1.invoices.create_preview_async({"subscription": subscription.id})
    assert (plain.total, plain.status) == (3100, "draft")
    await world.advance(14 * DAY_S)
    changed = await world.v1.invoices.create_preview_async(
        {
            "subscription": subscription.id,
            "subscription_details": {
                "items": [{"id": item.id, "quantity": 2}],
                "proration_date": world.now,
            },
        }
    )
    assert changed.total == 2 * 3100 - 1550 + 3100
    assert len((await world.v1.invoices.list_async({})).data) == 1


async def test_a_preview_of_a_new_subscription(world: StripeWorld) -> None:
    customer, price = await world.customer(), await world.price(1200)
    preview = await world.v1.invoices.create_preview_async(
        {"customer": customer.id, "subscription_details": {"items": [{"price": price.id}]}}
    )
    assert preview.amount_due == 1200


async def test_the_customer_is_frozen_at_finalization(world: StripeWorld) -> None:
    customer = await world.customer(name="Ada")
    subscription = await world.subscribe(customer)
    await world.v1.customers.update_async(customer.id, {"name": "Ada L."})
    invoice = await world.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)
    await world.v1.customers.update_async(customer.id, {"name": "Countess"})
    assert (await world.v1.invoices.retrieve_async(invoice.id)).customer_name == "Ada L."


async def test_more_than_ten_lines_are_read_by_pages(world: StripeWorld) -> None:
    draft = await one_off(world, 100)
    for _ in range(11):
        await world.v1.invoice_items.create_async(
            {"customer": draft.customer, "invoice": draft.id, "amount": 100, "currency": "eur"}
        )
    shown = await world.v1.invoices.retrieve_async(draft.id)
    assert (len(shown.lines.data), shown.lines.has_more, shown.total) == (10, True, 1200)
    lines = await world.v1.invoices.line_items.list_async(draft.id, {"limit": 100})
    assert len(lines.data) == 12


async def test_a_manual_invoice_is_charged_to_the_customers_card(world: StripeWorld) -> None:
    customer = await world.customer(**CUSTOMER_CARD)
    await world.v1.invoice_items.create_async(
        {"customer": customer.id, "amount": 900, "currency": "eur"}
    )
    invoice = await world.v1.invoices.create_async(
        {
            "customer": customer.id,
            "auto_advance": True,
            "pending_invoice_items_behavior": "include",
        }
    )
    await world.advance(HOUR_S)
    assert await status(world, invoice) == "paid"


async def test_sending_says_so(world: StripeWorld) -> None:
    draft = await one_off(world)
    assert (await world.v1.invoices.send_invoice_async(draft.id)).status == "open"
    assert "invoice.sent" in await world.types()
