"""Credit notes of the sandbox Stripe: before payment, after it, and across it."""

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import BERLIN, StripeWorld


async def paid(world: StripeWorld) -> Any:
    invoice = await world.open_invoice()
    return await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})


async def note(world: StripeWorld, invoice: Any, **params: Any) -> Any:
    return await world.v1.credit_notes.create_async({"invoice": invoice.id, **params})


async def test_on_an_open_invoice_it_lowers_what_is_due(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    created = await note(world, invoice, amount=900, reason="order_change")
    assert (created.type, created.pre_payment_amount, created.status) == (
        "pre_payment",
        900,
        "issued",
    )
    lowered = await world.v1.invoices.retrieve_async(invoice.id)
    assert (lowered.status, lowered.amount_remaining, lowered.total) == ("open", 4000, 4900)
    assert lowered.pre_payment_credit_notes_amount == 900


async def test_covering_the_whole_amount_pays_the_invoice(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await note(world, invoice, amount=4900)
    covered = await world.v1.invoices.retrieve_async(invoice.id)
    assert (covered.status, covered.amount_paid, covered.amount_remaining) == ("paid", 0, 0)
    assert "invoice.paid" in await world.types()


async def test_after_payment_the_money_given_back_is_named_exactly(world: StripeWorld) -> None:
    invoice = await paid(world)
    for wrong in ({}, {"out_of_band_amount": 999}, {"out_of_band_amount": 1001}):
        with pytest.raises(stripe.InvalidRequestError, match="must equal the post payment"):
            await note(world, invoice, amount=1000, **wrong)
    created = await note(world, invoice, amount=1000, out_of_band_amount=1000)
    assert (created.type, created.post_payment_amount, created.out_of_band_amount) == (
        "post_payment",
        1000,
        1000,
    )
    after = await world.v1.invoices.retrieve_async(invoice.id)
    assert (after.status, after.amount_paid, after.post_payment_credit_notes_amount) == (
        "paid",
        4900,
        1000,
    )


async def test_never_more_than_the_invoice_in_total(world: StripeWorld) -> None:
    invoice = await paid(world)
    await note(world, invoice, amount=4000, out_of_band_amount=4000)
    with pytest.raises(stripe.InvalidRequestError, match="at most what is left"):
        await note(world, invoice, amount=901, out_of_band_amount=901)
    last = await note(world, invoice, amount=900, out_of_band_amount=900)
    assert last.number.endswith("-CN-02")


async def test_a_refund_through_stripe_needs_a_payment_at_stripe(world: StripeWorld) -> None:
    invoice = await paid(world)
    with pytest.raises(stripe.InvalidRequestError, match="no payment at Stripe"):
        await note(world, invoice, amount=100, refund_amount=100)


async def test_credit_goes_to_the_balance(world: StripeWorld) -> None:
    invoice = await paid(world)
    created = await note(world, invoice, amount=700, credit_amount=700)
    assert created.customer_balance_transaction
    assert (await world.v1.customers.retrieve_async(invoice.customer)).balance == -700


async def test_the_partial_payment_procedure(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await note(world, invoice, amount=1900)
    received = await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    assert (received.amount_paid, received.amount_remaining) == (3000, 0)


async def test_voiding_is_only_for_open_invoices(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    first = await note(world, invoice, amount=900)
    voided = await world.v1.credit_notes.void_credit_note_async(first.id)
    assert (voided.status, voided.voided_at) == ("void", world.now)
    assert (await world.v1.invoices.retrieve_async(invoice.id)).amount_remaining == 4900
    second = await note(world, invoice, amount=900)
    await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    with pytest.raises(stripe.InvalidRequestError, match="while its invoice is open"):
        await world.v1.credit_notes.void_credit_note_async(second.id)


async def test_drafts_and_void_invoices_take_no_notes(world: StripeWorld) -> None:
    draft = (await world.subscribe()).latest_invoice
    void = await world.open_invoice()
    await world.v1.invoices.void_invoice_async(void.id)
    for invoice in (draft, void):
        with pytest.raises(stripe.InvalidRequestError, match="cannot create a credit note"):
            await note(world, invoice, amount=100)


async def test_an_amount_includes_its_share_of_the_tax(world: StripeWorld) -> None:
    customer = await world.customer(address=BERLIN)
    invoice = await world.open_invoice(customer=customer, automatic_tax={"enabled": True})
    assert invoice.total == 5831
    created = await note(world, invoice, amount=1190)
    assert (created.subtotal, created.total, created.total_taxes[0].amount) == (1000, 1190, 190)


async def test_lines_are_credited_by_amount_or_quantity_never_custom_with_tax(
    world: StripeWorld,
) -> None:
    customer = await world.customer(address=BERLIN)
    invoice = await world.open_invoice(customer=customer, automatic_tax={"enabled": True})
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id}
    created = await note(world, invoice, lines=[{**line, "amount": 1000}])
    assert created.amount == 1190
    preview = await world.v1.credit_notes.preview_async(
        {"invoice": invoice.id, "lines": [{**line, "amount": 100}]}
    )
    assert preview.pre_payment_amount == 119
    with pytest.raises(stripe.InvalidRequestError, match="Custom line items"):
        await note(
            world, invoice, lines=[{"type": "custom_line_item", "unit_amount": 5, "quantity": 1}]
        )


async def test_a_preview_changes_nothing(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    preview = await world.v1.credit_notes.preview_async({"invoice": invoice.id, "amount": 900})
    assert preview.pre_payment_amount == 900
    assert (await world.v1.invoices.retrieve_async(invoice.id)).amount_remaining == 4900
    assert not (await world.v1.credit_notes.list_async({})).data


async def test_memo_and_metadata_can_be_changed_and_are_announced(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    created = await note(world, invoice, amount=900, metadata={"refund": "re_1"})
    changed = await world.v1.credit_notes.update_async(created.id, {"memo": "sorry"})
    assert (changed.memo, changed.metadata["refund"]) == ("sorry", "re_1")
    assert {"credit_note.created", "credit_note.updated"} <= set(await world.types())
    listed = await world.v1.credit_notes.list_async({"invoice": invoice.id})
    assert [n.id for n in listed.data] == [created.id]
    lines = await world.v1.credit_notes.line_items.list_async(created.id)
    assert [line.amount for line in lines.data] == [900]


async def test_the_waiting_payment_asks_for_what_is_left(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await note(world, invoice, amount=900)
    paid_by_card = (await world.pay_hosted(invoice.id, "succeed")).json()
    assert (paid_by_card["amount_paid"], paid_by_card["amount_remaining"]) == (4000, 0)


async def test_nothing_is_lowered_under_a_payment_that_is_processing(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    await world.pay_hosted(invoice.id, "processing")
    with pytest.raises(stripe.InvalidRequestError, match="processing"):
        await note(world, invoice, amount=900)
