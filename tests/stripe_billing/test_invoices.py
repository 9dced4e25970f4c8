"""Invoices over the gateway: the last look, the report, and what Stripe itself collects."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.stripe_billing.conftest import INSTALLATION, OTHER_INSTALLATION, Sandbox
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.errors import StripeRefused
from twintill.stripe_billing.gateway import Gateway


async def one_off(gateway: Gateway, customer: str) -> str:
    created = await gateway.client.v1.invoices.create_async(
        {"customer": customer, "collection_method": "send_invoice", "days_until_due": 7}
    )
    return created.id


async def credit(gateway: Gateway, invoice_id: str, **amounts: int) -> None:
    params: Any = {"invoice": invoice_id, **amounts}
    await gateway.client.v1.credit_notes.create_async(params)


async def test_a_draft_becomes_open_with_its_amounts_and_due_date(
    gateway: Gateway, draft: InvoiceLook
) -> None:
    assert draft.status is InvoiceStatus.DRAFT
    assert await gateway.finalize(draft.invoice_id, "key") == InvoiceLook(
        invoice_id=draft.invoice_id,
        status=InvoiceStatus.OPEN,
        currency="EUR",
        amount_due_minor=4900,
        amount_paid_minor=0,
        amount_remaining_minor=4900,
        collection_method="send_invoice",
        livemode=False,
        due_at=datetime(2026, 12, 15, 9, 0, tzinfo=UTC),
        stripe_payment=StripePayment.NONE,
        stripe_paid_minor=0,
    )


async def test_the_last_look_leaves_its_mark(gateway: Gateway, invoice: InvoiceLook) -> None:
    look = await gateway.last_look(invoice.invoice_id, 3)
    assert (look.highest_n, look.foreign_installation) == (3, None)


async def test_the_last_look_shows_a_later_attempt_of_this_installation(
    gateway: Gateway, invoice: InvoiceLook
) -> None:
    await gateway.last_look(invoice.invoice_id, 6)
    assert (await gateway.last_look(invoice.invoice_id, 5)).highest_n == 6


async def test_the_last_look_shows_another_installation(
    gateway: Gateway, elsewhere: Gateway, invoice: InvoiceLook
) -> None:
    await elsewhere.last_look(invoice.invoice_id, 1)
    look = await gateway.last_look(invoice.invoice_id, 1)
    assert look.foreign_installation == OTHER_INSTALLATION
    assert (await elsewhere.read_invoice(invoice.invoice_id)).foreign_installation == INSTALLATION


async def test_each_last_look_is_a_new_request_and_costs_no_read(
    gateway: Gateway, sandbox: Sandbox, invoice: InvoiceLook
) -> None:
    for _ in range(2):
        await gateway.last_look(invoice.invoice_id, 1)
    first, second = (await sandbox.requests())[-2:]
    assert (first["method"], second["method"]) == ("POST", "POST")
    assert first["idempotency_key"] != second["idempotency_key"]


async def test_a_payment_begun_on_stripes_page_is_processing(
    gateway: Gateway, sandbox: Sandbox, invoice: InvoiceLook
) -> None:
    await sandbox.switch("pay_hosted", invoice=invoice.invoice_id, outcome="processing")
    look = await gateway.last_look(invoice.invoice_id, 1)
    assert (look.status, look.stripe_payment) == (InvoiceStatus.OPEN, StripePayment.PROCESSING)


async def test_a_payment_that_failed_on_stripes_page_is_none(
    gateway: Gateway, sandbox: Sandbox, invoice: InvoiceLook
) -> None:
    for outcome in ("processing", "fail"):
        await sandbox.switch("pay_hosted", invoice=invoice.invoice_id, outcome=outcome)
    look = await gateway.last_look(invoice.invoice_id, 1)
    assert look.stripe_payment is StripePayment.NONE


async def test_an_invoice_that_stripe_collected_says_so(
    gateway: Gateway, sandbox: Sandbox, invoice: InvoiceLook
) -> None:
    await sandbox.switch("pay_hosted", invoice=invoice.invoice_id)
    look = await gateway.last_look(invoice.invoice_id, 1)
    assert (look.status, look.stripe_payment) == (InvoiceStatus.PAID, StripePayment.PAID)


async def test_the_report_keeps_the_reference_and_is_not_stripes_payment(
    gateway: Gateway, invoice: InvoiceLook
) -> None:
    written = await gateway.write_reference(invoice.invoice_id, "tw-x-1", "sandbox", "ch_1")
    assert (written.status, written.our_reference) == (InvoiceStatus.OPEN, "tw-x-1")
    paid = await gateway.pay_out_of_band(invoice.invoice_id, "key_pay")
    assert (paid.status, paid.amount_paid_minor) == (InvoiceStatus.PAID, 4900)
    assert (paid.stripe_payment, paid.our_reference) == (StripePayment.NONE, "tw-x-1")
    assert await gateway.pay_out_of_band(invoice.invoice_id, "key_pay") == paid


async def test_paying_what_is_paid_is_refused_and_proves_nothing(
    gateway: Gateway, invoice: InvoiceLook
) -> None:
    await gateway.pay_out_of_band(invoice.invoice_id, "key_pay")
    with pytest.raises(StripeRefused, match="already paid"):
        await gateway.pay_out_of_band(invoice.invoice_id, "another_key")


async def test_what_was_credited_is_seen(gateway: Gateway, invoice: InvoiceLook) -> None:
    await credit(gateway, invoice.invoice_id, amount=900)
    look = await gateway.last_look(invoice.invoice_id, 1)
    assert (look.credited_minor, look.amount_remaining_minor) == (900, 4000)
    await gateway.pay_out_of_band(invoice.invoice_id, "key_pay")
    await credit(gateway, invoice.invoice_id, amount=1000, out_of_band_amount=1000)
    assert (await gateway.read_invoice(invoice.invoice_id)).credited_minor == 1900


async def test_a_void_invoice_takes_the_last_look(gateway: Gateway, invoice: InvoiceLook) -> None:
    assert (await gateway.void(invoice.invoice_id, "key_void")).status is InvoiceStatus.VOID
    assert (await gateway.last_look(invoice.invoice_id, 1)).closed


@pytest.mark.parametrize("closed", [True, False])
async def test_a_refused_mark_is_answered_by_a_read_only_for_a_closed_invoice(
    gateway: Gateway, sandbox: Sandbox, invoice: InvoiceLook, closed: bool
) -> None:
    if closed:
        await gateway.void(invoice.invoice_id, "key_void")
    await sandbox.break_next("POST", f"/v1/invoices/{invoice.invoice_id}$", "status", code=400)
    if closed:
        assert (await gateway.last_look(invoice.invoice_id, 1)).status is InvoiceStatus.VOID
    else:
        with pytest.raises(StripeRefused):
            await gateway.last_look(invoice.invoice_id, 1)


async def test_a_missing_invoice_is_refused_by_code(gateway: Gateway) -> None:
    for call in (gateway.read_invoice("in_none"), gateway.last_look("in_none", 1)):
        with pytest.raises(StripeRefused) as raised:
            await call
        assert raised.value.code == "resource_missing"


async def test_a_draft_is_deleted_once_and_deleting_again_is_done(
    gateway: Gateway, customer: str
) -> None:
    invoice_id = await one_off(gateway, customer)
    await gateway.delete_draft(invoice_id)
    await gateway.delete_draft(invoice_id)
    with pytest.raises(StripeRefused):
        await gateway.read_invoice(invoice_id)


async def test_an_open_invoice_is_not_deleted(gateway: Gateway, invoice: InvoiceLook) -> None:
    with pytest.raises(StripeRefused):
        await gateway.delete_draft(invoice.invoice_id)
