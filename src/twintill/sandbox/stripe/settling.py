"""How invoices end: finalized, paid (by Stripe or out of band), voided, uncollectible."""

from __future__ import annotations

from typing import Any

from twintill.money import stripe_exponent
from twintill.sandbox.stripe import subscription_state, tax
from twintill.sandbox.stripe.balance import add_to_balance
from twintill.sandbox.stripe.drafting import set_lines
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.payment_methods import (
    is_a_debit,
    is_declined,
    new_payment_intent,
)
from twintill.sandbox.stripe.refusal import Refusal
from twintill.sandbox.stripe.world import Json, Moment, World, snapshot

# Below these amounts Stripe cannot charge: the sum moves to the customer's balance instead.
_MINIMUM_MINOR = {
    "usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50, "cad": 50, "aud": 50, "sek": 300,
    "nok": 300, "dkk": 250, "pln": 200, "czk": 1500, "huf": 17500, "mxn": 1000,
}  # fmt: skip


def finalize(
    world: World,
    invoice: Json,
    moment: Moment,
    *,
    auto_advance: bool | None = None,
    collect: bool = True,
) -> None:
    """draft -> open, or at once paid when nothing is due.

    Raises a Refusal when the tax cannot be computed; the draft stays, and says why. Nothing tries
    again by itself then: give the customer a location and finalize.
    """
    customer = world.get("customer", invoice["customer"])
    before = snapshot(invoice)
    if auto_advance is not None:
        invoice["auto_advance"] = auto_advance
    set_lines(world, invoice, world.lines[invoice["id"]], customer)
    if invoice["automatic_tax"]["enabled"]:
        _require_tax(world, invoice, customer, before, moment)
    _number(invoice, customer, moment)
    _apply_balance(world, invoice, customer, moment)
    if invoice["amount_due"] == 0:
        _close_as_paid(invoice, moment)
    else:
        _add_default_payment(world, invoice, moment)
    emit(world, "invoice.finalized", invoice, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    if invoice["amount_due"] == 0:
        _announce_paid(world, invoice, moment)
    elif invoice["due_date"] is not None:
        world.schedule(invoice["due_date"], "due_date", invoice)
    automatic = invoice["collection_method"] == "charge_automatically"
    if collect and automatic and invoice["status"] == "open" and invoice["auto_advance"]:
        collect_automatically(world, invoice, moment)


def pay_out_of_band(world: World, invoice: Json, moment: Moment) -> None:
    """open or uncollectible -> paid, because somebody else took the money."""
    require_payable(world, invoice)
    before = snapshot(invoice)
    cancel_payments(world, invoice, moment)
    invoice["amount_paid"] = invoice["amount_due"]
    _close_as_paid(invoice, moment)
    _announce_paid(world, invoice, moment, before)


def pay_with_method(world: World, invoice: Json, method_id: str, moment: Moment) -> None:
    """Stripe charges the method; raises a card error (and says payment_failed) if it declines."""
    require_payable(world, invoice)
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    payment, intent = default_payment(world, invoice)
    intent["payment_method"] = method_id
    if is_declined(method_id):
        payment_failed(world, invoice, moment)
        raise Refusal(
            "Your card was declined.",
            status=402,
            type="card_error",
            code="card_declined",
            decline_code="generic_decline",
        )
    if is_a_debit(method_id):
        start_processing(world, intent, method_id, moment)
        return
    payment_succeeded(world, invoice, payment, moment)


def start_processing(world: World, intent: Json, method_id: str, moment: Moment) -> None:
    """A bank debit is on its way; the invoice stays open until the bank says more."""
    before = snapshot(intent)
    intent["status"], intent["payment_method"] = "processing", method_id
    intent["payment_method_types"] = ["sepa_debit"]
    emit(world, "payment_intent.processing", intent, moment, before)


def collect_automatically(world: World, invoice: Json, moment: Moment) -> None:
    """What Stripe does by itself with charge_automatically: charge, and come back if it fails."""
    method_id = method_for(world, invoice)
    before = snapshot(invoice)
    try:
        if method_id is None:
            invoice["attempted"] = True
            invoice["attempt_count"] += 1
            payment_failed(world, invoice, moment)
        else:
            pay_with_method(world, invoice, method_id, moment)
            return
    except Refusal:
        pass  # said by invoice.payment_failed
    retries = world.settings.payment_retries_s
    retry = invoice["attempt_count"] - 1
    if invoice["auto_advance"] and retry < len(retries):
        invoice["next_payment_attempt"] = moment.at + retries[retry]
        world.schedule(invoice["next_payment_attempt"], "retry_payment", invoice)
    else:
        invoice["next_payment_attempt"] = None
        subscription_state.gave_up(world, invoice, moment)
    emit(world, "invoice.updated", invoice, moment, before)


def payment_succeeded(world: World, invoice: Json, payment: Json, moment: Moment) -> None:
    """A PaymentIntent of this invoice has the money."""
    before = snapshot(invoice)
    intent = world.get("payment_intent", payment["payment"]["payment_intent"])
    intent["status"] = "succeeded"
    intent["amount_received"] = intent["amount"]
    intent["payment_method"] = intent["payment_method"] or "pm_card_visa"
    payment["status"] = "paid"
    payment["amount_paid"] = payment["amount_requested"]
    payment["status_transitions"]["paid_at"] = moment.at
    invoice["amount_paid"] += payment["amount_paid"]
    _close_as_paid(invoice, moment)
    emit(world, "payment_intent.succeeded", intent, moment)
    emit(world, "invoice_payment.paid", payment, moment)
    _announce_paid(world, invoice, moment, before)


def payment_failed(world: World, invoice: Json, moment: Moment) -> None:
    """The charge failed: the invoice stays open, its subscription does not stay active."""
    _, intent = default_payment(world, invoice)
    intent["status"] = "requires_payment_method"
    intent["last_payment_error"] = {
        "type": "card_error",
        "code": "card_declined",
        "message": "Your card was declined.",
    }
    emit(world, "payment_intent.payment_failed", intent, moment)
    emit(world, "invoice.payment_failed", invoice, moment)
    subscription_state.payment_failed(world, invoice, moment)


def void(world: World, invoice: Json, moment: Moment) -> None:
    """open or uncollectible -> void; a balance that was applied goes back."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refusal(
            f"You can only void an open or uncollectible invoice; this one is {invoice['status']}."
            + (" Finalize it first." if invoice["status"] == "draft" else ""),
            code="invoice_not_editable",
        )
    require_no_processing(world, invoice, "voided")
    before = snapshot(invoice)
    cancel_payments(world, invoice, moment)
    invoice["status"] = "void"
    invoice["status_transitions"]["voided_at"] = moment.at
    _stop(invoice)
    customer = world.all("customer").get(invoice["customer"])
    applied = (invoice["ending_balance"] or 0) - invoice["starting_balance"]
    if customer and applied:
        customer_before = snapshot(customer)
        add_to_balance(
            world, customer, -applied, "unapplied_from_invoice", moment, invoice_id=invoice["id"]
        )
        emit(world, "customer.updated", customer, moment, customer_before)
    emit(world, "invoice.voided", invoice, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    subscription_state.invoice_settled(world, invoice, moment)


def mark_uncollectible(
    world: World, invoice: Json, moment: Moment, reason: str = "user_forgiven"
) -> None:
    """open -> uncollectible; it may still be paid or voided later."""
    if invoice["status"] != "open":
        raise Refusal(
            f"You can only mark an open invoice uncollectible; this one is {invoice['status']}.",
            code="invoice_not_editable",
        )
    before = snapshot(invoice)
    invoice["status"] = "uncollectible"
    invoice["status_transitions"]["marked_uncollectible_at"] = moment.at
    invoice["status_details"] = {"uncollectible": {"reason": reason}}
    _stop(invoice)
    emit(world, "invoice.marked_uncollectible", invoice, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    subscription_state.invoice_settled(world, invoice, moment)


def close_if_covered(world: World, invoice: Json, moment: Moment, before: Json) -> None:
    """A credit note took what was left: the invoice is paid."""
    if invoice["status"] in ("open", "uncollectible") and invoice["amount_remaining"] == 0:
        cancel_payments(world, invoice, moment)
        _close_as_paid(invoice, moment)
        _announce_paid(world, invoice, moment, before)
    else:
        emit(world, "invoice.updated", invoice, moment, before)


def default_payment(world: World, invoice: Json) -> tuple[Json, Json]:
    """The invoice's payment that still waits for money, and its PaymentIntent."""
    for payment_id in reversed(world.payments_of[invoice["id"]]):
        payment = world.get("invoice_payment", payment_id)
        if payment["status"] == "open":
            return payment, world.get("payment_intent", payment["payment"]["payment_intent"])
    raise Refusal("This invoice has no open payment.")


def ask_for(world: World, invoice: Json, amount_minor: int) -> None:
    """What is still due has changed: the waiting payment asks for that."""
    payment, intent = default_payment(world, invoice)
    payment["amount_requested"] = intent["amount"] = amount_minor


def require_payable(world: World, invoice: Json) -> None:
    status = invoice["status"]
    if status == "paid":
        raise Refusal("Invoice is already paid")
    if status == "draft":
        raise Refusal("This invoice is a draft; finalize it before paying it.")
    if status == "void":
        raise Refusal("This invoice is void and can no longer be paid.")
    require_no_processing(world, invoice, "paid")


def method_for(world: World, invoice: Json) -> str | None:
    """The method that Stripe would charge: the invoice's, its subscription's, the customer's."""
    if invoice["default_payment_method"]:
        return str(invoice["default_payment_method"])
    subscription = subscription_state.subscription_of(world, invoice)
    if subscription and subscription["default_payment_method"]:
        return str(subscription["default_payment_method"])
    customer = world.get("customer", invoice["customer"])
    return customer["invoice_settings"]["default_payment_method"] or None


def is_processing(world: World, invoice: Json) -> bool:
    """Whether a bank debit begun on Stripe's page is under way."""
    payments = (world.get("invoice_payment", key) for key in world.payments_of[invoice["id"]])
    return any(
        world.get("payment_intent", payment["payment"]["payment_intent"])["status"] == "processing"
        for payment in payments
    )


def minimum_minor(currency: str) -> int:
    return _MINIMUM_MINOR.get(currency, 50 if stripe_exponent(currency.upper()) == 2 else 1)


def require_no_processing(world: World, invoice: Json, verb: str) -> None:
    if is_processing(world, invoice):
        raise Refusal(f"This invoice has a payment that is processing; it cannot be {verb} now.")


def cancel_payments(world: World, invoice: Json, moment: Moment) -> None:
    """Payments that were waiting for money are cancelled, with their PaymentIntents."""
    for payment_id in world.payments_of[invoice["id"]]:
        payment = world.get("invoice_payment", payment_id)
        if payment["status"] == "open":
            payment["status"] = "canceled"
            payment["status_transitions"]["canceled_at"] = moment.at
            intent = world.get("payment_intent", payment["payment"]["payment_intent"])
            intent["status"] = "canceled"
            intent["canceled_at"] = moment.at
            intent["cancellation_reason"] = "void_invoice"
            emit(world, "payment_intent.canceled", intent, moment)


def _require_tax(world: World, invoice: Json, customer: Json, before: Json, moment: Moment) -> None:
    """Tax is computed at the finalization; where that fails the draft stays, and says why."""
    ip_address = world.ip_addresses.get(customer["id"])
    state = tax.state_of(customer, ip_address)
    if state == "supported":
        return
    if state == "failed":
        invoice["automatic_tax"]["status"] = "failed"
        message = "We could not determine the customer's taxes. Please try again later."
        _finalization_failed(world, invoice, before, moment, "taxes_calculation_failed", message)
    invoice["automatic_tax"]["status"] = "requires_location_inputs"
    subscription = subscription_state.subscription_of(world, invoice)
    if subscription and tax.switches_off(customer, ip_address):
        off = {"disabled_reason": "requires_location_inputs", "enabled": False, "liability": None}
        subscription_state.change(world, subscription, moment, automatic_tax=off)
    message = "The customer's location isn't recognized."
    _finalization_failed(world, invoice, before, moment, "customer_tax_location_invalid", message)


def _finalization_failed(
    world: World, invoice: Json, before: Json, moment: Moment, code: str, message: str
) -> None:
    invoice["last_finalization_error"] = {
        "code": code,
        "doc_url": f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}",
        "message": message,
        "type": "invalid_request_error",
    }
    emit(world, "invoice.finalization_failed", invoice, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    raise Refusal(message, code=code)


def _number(invoice: Json, customer: Json, moment: Moment) -> None:
    if invoice["number"] is None:
        sequence = customer["next_invoice_sequence"]
        invoice["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
        customer["next_invoice_sequence"] = sequence + 1
    invoice["status"] = "open"
    invoice["status_transitions"]["finalized_at"] = moment.at
    invoice["effective_at"] = invoice["effective_at"] or moment.at
    invoice["automatically_finalizes_at"] = None
    invoice["last_finalization_error"] = None
    page = f"https://invoice.stripe.com/i/acct_sandbox/{invoice['id']}"
    invoice["hosted_invoice_url"], invoice["invoice_pdf"] = page, f"{page}/pdf"


def _apply_balance(world: World, invoice: Json, customer: Json, moment: Moment) -> None:
    """Credit or debt of the customer goes into this invoice; too small a rest goes back out."""
    start, total = invoice["starting_balance"], invoice["total"]
    ending, kind = min(0, start + total), "applied_to_invoice"
    if 0 < invoice["amount_due"] < minimum_minor(invoice["currency"]):
        ending, kind = start + total, "invoice_too_small"
        invoice["amount_due"] = invoice["amount_remaining"] = 0
    invoice["ending_balance"] = ending
    if ending != start:
        before = snapshot(customer)
        customer["currency"] = customer["currency"] or invoice["currency"]
        add_to_balance(world, customer, ending - start, kind, moment, invoice_id=invoice["id"])
        emit(world, "customer.updated", customer, moment, before)


def _add_default_payment(world: World, invoice: Json, moment: Moment) -> None:
    intent = new_payment_intent(world, invoice, moment)
    payment = world.add(
        {
            "id": world.ids.new("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "created": moment.at,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )
    world.payments_of[invoice["id"]].append(payment["id"])


def _close_as_paid(invoice: Json, moment: Moment) -> None:
    invoice["status"] = "paid"
    invoice["attempted"] = True
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]
    invoice["status_transitions"]["paid_at"] = moment.at
    invoice.pop("status_details", None)
    _stop(invoice)


def _stop(invoice: Json) -> None:
    invoice["auto_advance"] = False
    invoice["next_payment_attempt"] = None


def _announce_paid(world: World, invoice: Json, moment: Moment, before: Any | None = None) -> None:
    emit(world, "invoice.paid", invoice, moment)
    # Only money that Stripe took itself (or did not need) is a succeeded payment.
    payments = (world.get("invoice_payment", key) for key in world.payments_of[invoice["id"]])
    if invoice["amount_due"] == 0 or any(payment["status"] == "paid" for payment in payments):
        emit(world, "invoice.payment_succeeded", invoice, moment)
    if before is not None:
        emit(world, "invoice.updated", invoice, moment, before)
    subscription_state.invoice_settled(world, invoice, moment)
