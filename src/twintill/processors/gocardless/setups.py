"""Reads GoCardless's billing requests, mandates and bank accounts. Pure.

Source: its API reference, Billing Requests, Mandates, Customer Bank Accounts. Payments may be made
on a mandate before it is active: they wait for it there.
"""

from __future__ import annotations

from collections.abc import Mapping

from twintill.processors import MethodState, MethodStatus, SetupSession, SetupStatus, StoredMethod
from twintill.processors.fields import (
    Json,
    Unreadable,
    object_of,
    optional_text_of,
    text_of,
    time_of,
    words_of,
)

KIND = "bank_debit"
_SETUPS = {
    "pending": SetupStatus.OPEN,
    "ready_to_fulfil": SetupStatus.OPEN,  # the customer has not confirmed it
    "fulfilling": SetupStatus.OPEN,
    "fulfilled": SetupStatus.COMPLETE,
    "cancelled": SetupStatus.CANCELED,
}
_MANDATES = {
    "pending_customer_approval": MethodStatus.ACTIVE,
    "pending_submission": MethodStatus.ACTIVE,
    "submitted": MethodStatus.ACTIVE,
    "active": MethodStatus.ACTIVE,
    "cancelled": MethodStatus.REVOKED,
    "suspended_by_payer": MethodStatus.REVOKED,
    "failed": MethodStatus.BLOCKED,
    "blocked": MethodStatus.BLOCKED,
    "expired": MethodStatus.EXPIRED,
    "consumed": MethodStatus.EXPIRED,
}


def read_session(flow: Json, billing_request_id: str) -> SetupSession:
    """Where the customer goes; the billing request is what is asked for later."""
    url = text_of(flow, "authorisation_url")
    if not url.startswith(("https://", "http://")):
        raise Unreadable("authorisation_url is not a web address")
    return SetupSession(billing_request_id, url, time_of(flow, "expires_at"))


def read_setup_status(billing_request: Json) -> SetupStatus:
    status = text_of(billing_request, "status")
    if status not in _SETUPS:
        raise Unreadable(f"unknown status {status[:40]!r}")
    return _SETUPS[status]


def read_setup_method(billing_request: Json) -> StoredMethod:
    """Of one that is fulfilled."""
    links = object_of(billing_request, "links")
    return StoredMethod(text_of(links, "customer"), text_of(links, "mandate_request_mandate"), KIND)


def read_mandate_status(mandate: Json) -> MethodStatus:
    status = text_of(mandate, "status")
    if status not in _MANDATES:
        raise Unreadable(f"unknown status {status[:40]!r}")
    return _MANDATES[status]


def bank_account_of(mandate: Json) -> str | None:
    return optional_text_of(object_of(mandate, "links"), "customer_bank_account")


def read_display(mandate: Json, account: Json | None) -> Mapping[str, str]:
    """For people; of the account number GoCardless shows the last two digits only."""
    shown = {"scheme": words_of(mandate, "scheme")}
    if account is not None:
        shown["bank"] = words_of(account, "bank_name")
        shown["last4"] = words_of(account, "account_number_ending")
    return {name: words for name, words in shown.items() if words}


def read_method(mandate: Json, account: Json | None) -> MethodState:
    return MethodState(read_mandate_status(mandate), read_display(mandate, account))
