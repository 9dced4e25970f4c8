"""The shape of a subscription when it is made."""

from __future__ import annotations

from twintill.sandbox.stripe.invoice_shape import automatic_tax as invoice_automatic_tax
from twintill.sandbox.stripe.world import Json, Moment, World, merge_metadata, text_or_none


def blank_subscription(
    world: World, customer: Json, method: str, params: Json, moment: Moment
) -> Json:
    enabled = (params.get("automatic_tax") or {}).get("enabled", False)
    return {
        "id": world.ids.new("sub"),
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": automatic_tax(enabled=enabled),
        "billing_cycle_anchor": moment.at,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": params.get("cancel_at") or None,
        "cancel_at_period_end": params.get("cancel_at_period_end", False),
        "canceled_at": moment.at if params.get("cancel_at_period_end") else None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": method,
        "created": moment.at,
        "currency": "",
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": params.get("days_until_due"),
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": text_or_none(params.get("description")),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {},
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": moment.at,
        "status": "active",
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def automatic_tax(*, enabled: bool) -> Json:
    tax = invoice_automatic_tax(enabled=enabled)
    return {name: tax[name] for name in ("disabled_reason", "enabled", "liability")}
