"""Engine objects as GoCardless's resources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from twintill.sandbox.gocardless.account import BillingRequest, Customer, Flow, Mandate, Records
from twintill.sandbox.gocardless.words import SCHEMES
from twintill.sandbox.processor.objects import Charge, Method, Movement, Payout, Refund
from twintill.sandbox.processor.world import World

Json = dict[str, Any]
CREDITOR = "CR000070S65B1S"
CREDITOR_ACCOUNT = "BA000CREDITOR1"
ORGANISATION = "OR0000TW1NT1LL"
_ITEM_TYPES = {
    "charge": "payment_paid_out",
    "dispute_reversal": "payment_paid_out",  # [assumed] how a reversed chargeback is credited
    "charge_failure": "payment_failed",
    "dispute": "payment_charged_back",
    "refund": "payment_refunded",
    "refund_failure": "refund_funds_returned",
    "fee": "gocardless_fee",
}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def payment_status(charge: Charge) -> str:
    if charge.status == "pending":
        return "submitted" if charge.submitted else "pending_submission"
    if charge.status == "succeeded":
        if charge.disputed:
            return "charged_back"
        return "confirmed" if charge.payout is None else "paid_out"
    return "cancelled" if charge.status == "canceled" else "failed"


def payment(charge: Charge) -> Json:
    links = {"mandate": charge.token, "creditor": CREDITOR}
    if charge.payout is not None:
        links["payout"] = charge.payout
    return {
        "id": charge.id,
        "created_at": moment(charge.created),
        "charge_date": charge.details["charge_date"],
        "amount": charge.amount,
        "description": charge.description or None,
        "currency": charge.currency,
        "status": payment_status(charge),
        "amount_refunded": charge.refunded,
        "reference": charge.details.get("reference"),
        "metadata": charge.metadata,
        "fx": _no_exchange(charge.currency),
        "links": links,
        "retry_if_possible": charge.details.get("retry_if_possible", False),
        "scheme": SCHEMES[charge.currency],
    }


def mandate_status(method: Method) -> str:
    if method.status == "active":
        return method.stage
    return "cancelled" if method.status == "revoked" else method.status


def mandate(world: World, record: Mandate, now: datetime) -> Json:
    method = world.methods[record.id]
    usable = method.status == "active"
    first = next_charge_date(world, now).isoformat() if usable else None
    return {
        "id": record.id,
        "created_at": moment(record.created),
        "reference": record.reference,
        "status": mandate_status(method),
        "scheme": record.scheme,
        "next_possible_charge_date": first,
        "payments_require_approval": False,
        "metadata": record.metadata,
        "links": {
            "customer_bank_account": record.bank_account,
            "creditor": CREDITOR,
            "customer": record.customer,
        },
        "consent_parameters": None,
        "verified_at": None,
        "funds_settlement": "managed",
    }


def next_charge_date(world: World, now: datetime) -> Any:
    """The first day on which a payment that is made now can be collected."""
    return world.later(now, world.settings.debit_days).date()


def refund_status(records: Records, refund: Refund) -> str:
    if refund.status == "pending":
        return "pending_submission"
    if refund.status == "succeeded":
        return "paid"
    return "funds_returned" if refund.id in records.returned_refunds else "bounced"


def refund(world: World, records: Records, its: Refund) -> Json:
    return {
        "id": its.id,
        "created_at": moment(its.created),
        "amount": its.amount,
        "currency": its.currency,
        "reference": its.reference,
        "metadata": its.details.get("metadata", {}),
        "status": refund_status(records, its),
        "fx": _no_exchange(its.currency),
        "links": {"payment": its.charge, "mandate": world.charge(its.charge).token},
    }


def customer(its: Customer) -> Json:
    names = (
        "email", "given_name", "family_name", "company_name", "address_line1", "address_line2",
        "address_line3", "city", "region", "postal_code", "country_code",
        "swedish_identity_number", "danish_identity_number", "phone_number",
    )  # fmt: skip
    return {
        "id": its.id,
        "created_at": moment(its.created),
        **{name: its.fields.get(name) for name in names},
        "language": its.fields.get("language") or "en",
        "metadata": its.metadata,
    }


def bank_account(world: World, record: Mandate) -> Json:
    shown = world.methods[record.id].magic.display
    return {
        "id": record.bank_account,
        "created_at": moment(record.created),
        "account_holder_name": "SANDBOX CUSTOMER",
        "account_number_ending": shown["last4"][-2:],
        "account_type": None,
        "bank_name": shown["bank"].upper(),
        "country_code": record.country,
        "currency": record.currency or "EUR",
        "enabled": True,
        "metadata": {},
        "links": {"customer": record.customer},
    }


def billing_request_status(request: BillingRequest) -> str:
    if request.is_cancelled:
        return "cancelled"
    if request.is_fulfilled:
        return "fulfilled"
    return "ready_to_fulfil" if request.mandate is not None else "pending"


def billing_request(records: Records, request: BillingRequest) -> Json:
    its_customer = records.customers[request.customer]
    done = request.mandate is not None
    links = {
        "customer": request.customer,
        "customer_billing_detail": its_customer.detail_id,
        "creditor": CREDITOR,
        "organisation": ORGANISATION,
        "mandate_request": request.mandate_request_id,
    }
    if request.mandate is not None:
        links["customer_bank_account"] = records.mandates[request.mandate].bank_account
        if request.is_fulfilled:
            links["mandate_request_mandate"] = request.mandate
    mandate_links = {"mandate": request.mandate} if request.is_fulfilled else {}
    return {
        "id": request.id,
        "created_at": moment(request.created),
        "status": billing_request_status(request),
        "mandate_request": {
            "currency": request.currency,
            "scheme": SCHEMES[request.currency],
            "description": request.mandate_request.get("description"),
            "metadata": request.mandate_request.get("metadata") or {},
            "verify": request.mandate_request.get("verify") or "minimum",
            "links": mandate_links,
        },
        "payment_request": None,
        "subscription_request": None,
        "instalment_schedule_request": None,
        "metadata": request.metadata,
        "links": links,
        "fallback_enabled": False,
        "fallback_occurred": False,
        "actions": [
            {
                "type": kind,
                "required": True,
                "completes_actions": [],
                "requires_actions": needs,
                "status": "completed" if done else "pending",
            }
            for kind, needs in (
                ("collect_customer_details", []),
                ("collect_bank_account", []),
                ("confirm_payer_details", ["collect_customer_details", "collect_bank_account"]),
            )
        ],
        "resources": {"customer": customer(its_customer)},
    }


def flow(its: Flow, request: BillingRequest) -> Json:
    fields = its.fields
    return {
        "id": its.id,
        "created_at": moment(its.created),
        "expires_at": moment(its.expires),
        "authorisation_url": its.url,
        "auto_fulfil": its.auto_fulfil,
        "redirect_uri": fields.get("redirect_uri"),
        "exit_uri": fields.get("exit_uri"),
        "language": fields.get("language"),
        "lock_bank_account": fields.get("lock_bank_account", False),
        "lock_currency": fields.get("lock_currency", False),
        "lock_customer_details": fields.get("lock_customer_details", False),
        "prefilled_bank_account": None,
        "prefilled_customer": fields.get("prefilled_customer"),
        "session_token": None,
        "show_redirect_buttons": fields.get("show_redirect_buttons", False),
        "show_success_redirect_button": False,
        "skip_success_screen": fields.get("skip_success_screen", False),
        "customer_details_captured": False,
        "links": {"billing_request": request.id},
    }


def payout(its: Payout) -> Json:
    return {
        "id": its.id,
        "created_at": moment(its.created),
        "arrival_date": (its.created + timedelta(days=1)).date().isoformat(),
        "amount": its.amount,
        "deducted_fees": its.fees,
        "currency": its.currency,
        "tax_currency": None,
        "payout_type": "merchant",
        "reference": f"TWINTILL-{its.id[-6:]}",
        "status": "paid",
        "fx": _no_exchange(its.currency),
        "metadata": {},
        "links": {"creditor": CREDITOR, "creditor_bank_account": CREDITOR_ACCOUNT},
    }


def payout_item(line: Movement) -> Json:
    """Amounts are strings with one decimal: tenths of a minor unit exist."""
    links = {"payment": line.charge}
    if line.type.startswith("refund"):
        links["refund"] = line.source
    return {
        "type": _ITEM_TYPES[line.type],
        "amount": f"{line.amount}.0",
        "taxes": [],
        "links": links,
    }


def creditor(currencies: frozenset[str]) -> Json:
    return {
        "id": CREDITOR,
        "created_at": "2026-01-01T00:00:00.000Z",
        "name": "Twintill Sandbox",
        "country_code": "GB",
        "creditor_type": "company",
        "verification_status": "successful",
        "can_create_refunds": True,
        "mandate_imports_enabled": False,
        "merchant_responsible_for_notifications": False,
        "scheme_identifiers": [
            {"scheme": SCHEMES[currency], "currency": currency, "status": "active"}
            for currency in sorted(currencies)
        ],
        "links": {},
    }


def _no_exchange(currency: str) -> Json:
    return {
        "fx_currency": currency,
        "fx_amount": None,
        "exchange_rate": None,
        "estimated_exchange_rate": None,
    }
