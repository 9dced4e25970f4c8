"""The shape of an invoice when it is made, and the terms that it is made on."""

from __future__ import annotations

from dataclasses import dataclass, field

from twintill.sandbox.stripe.settings import DAY_S
from twintill.sandbox.stripe.world import Json, World, list_object, snapshot


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new invoice is for, and how it is to be paid."""

    billing_reason: str
    currency: str
    collection_method: str
    auto_advance: bool
    automatic_tax: bool
    period_start: int
    period_end: int
    subscription: Json | None = None
    days_until_due: int | None = None
    due_date: int | None = None
    default_payment_method: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    footer: str | None = None
    finalizes_at: int | None = None


def blank_invoice(world: World, id: str, customer: Json, terms: Terms, at: int) -> Json:
    due_date = terms.due_date
    if terms.collection_method == "send_invoice" and due_date is None:
        due_date = at + (terms.days_until_due or 0) * DAY_S
    finalizes_at = terms.finalizes_at
    if finalizes_at is None and terms.auto_advance:
        finalizes_at = at + world.settings.draft_period_s
    return {
        **snapshot(_NEW),
        "id": id,
        "account_country": world.settings.account_country,
        "account_name": world.settings.account_name,
        "auto_advance": terms.auto_advance,
        "automatic_tax": automatic_tax(enabled=terms.automatic_tax),
        "automatically_finalizes_at": finalizes_at,
        "billing_reason": terms.billing_reason,
        "collection_method": terms.collection_method,
        "created": at,
        "currency": terms.currency,
        "customer": customer["id"],
        "default_payment_method": terms.default_payment_method,
        "description": terms.description,
        "due_date": due_date,
        "footer": terms.footer,
        "lines": list_object(f"/v1/invoices/{id}/lines", []),
        "metadata": dict(terms.metadata),
        "parent": _parent(terms.subscription),
        "period_end": terms.period_end,
        "period_start": terms.period_start,
        "test_clock": customer["test_clock"],
    }


def automatic_tax(*, enabled: bool) -> Json:
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": None,
    }


def _parent(subscription: Json | None) -> Json | None:
    """What the invoice comes from; the subscription's metadata is a copy as it is now."""
    if subscription is None:
        return None
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


# What every new invoice has in common.
_NEW: Json = {
    "object": "invoice",
    "account_tax_ids": None,
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_remaining": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "custom_fields": None,
    "customer_account": None,
    "customer_address": None,
    "customer_email": None,
    "customer_name": None,
    "customer_phone": None,
    "customer_shipping": None,
    "customer_tax_exempt": "none",
    "customer_tax_ids": [],
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "effective_at": None,
    "ending_balance": None,
    "from_invoice": None,
    "hosted_invoice_url": None,
    "invoice_pdf": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "livemode": False,
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "payment_settings": {
        "default_mandate": None,
        "payment_method_options": None,
        "payment_method_types": None,
    },
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "starting_balance": 0,
    "statement_descriptor": None,
    "status": "draft",
    "status_transitions": {
        "finalized_at": None,
        "marked_uncollectible_at": None,
        "paid_at": None,
        "voided_at": None,
    },
    "subtotal": 0,
    "subtotal_excluding_tax": 0,
    "total": 0,
    "total_discount_amounts": [],
    "total_excluding_tax": 0,
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}
