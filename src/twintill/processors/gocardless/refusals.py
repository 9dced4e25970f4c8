"""GoCardless's refusals: which of them prove that nothing was done, and what to do. Pure.

Source: its API reference, "Errors" (types and reasons). A literal table: whatever is not in it, or
does not come in GoCardless's own envelope (a proxy's page), proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from twintill.domain.outcomes import Declined, DeclineKind, NoAnswer, NotSent, NotSentReason
from twintill.processors import transport
from twintill.processors.fields import Unreadable, object_of, read_json, words_of

_RATE_WAIT_S = 60  # its limit is per minute
_RECOUNT_WAIT_S = 60
CONFLICT = "idempotent_creation_conflict"
NOT_FOUND = "resource_not_found"
CANCELLATION_FAILED = "cancellation_failed"

_KEY = "check TWINTILL_GOCARDLESS_ACCESS_TOKEN and _ENVIRONMENT"
_CREDENTIALS = {
    "access_token_not_found": f"the access token is not known there: {_KEY}",
    "access_token_not_active": f"the access token is disabled: make a new one; {_KEY}",
    "access_token_revoked": f"the access token is revoked: make a new one; {_KEY}",
    "missing_authorization_header": f"no access token arrived: {_KEY}",
    "invalid_authorization_header": f"the access token cannot be read: {_KEY}",
    "unauthorized": f"the access token is not accepted: {_KEY}",
    "insufficient_permissions": "the access token may only read: make one with read-write access",
}
_CONFIG = {
    "feature_disabled": "not enabled for this account: ask GoCardless's support to enable it",
    "forbidden": "this account may not do that: ask GoCardless's support to enable it",
    "link_not_found": (
        "what this names is not in this account: is the access token another account's, "
        "or TWINTILL_GOCARDLESS_CREDITOR_ID?"
    ),
    "resource_not_found": "there is no such thing: is the access token another account's?",
    "idempotency_key_too_long": "the idempotency key is too long",
    "bad_request": "the request is not understood",
    "invalid_document_structure": "the request is not understood",
    "invalid_type": "the request is not understood",
    "invalid_content_type": "the request is not understood",
    "unsupported_media_type": "the request is not understood",
    "not_acceptable": "the request is not understood",
    "path_not_found": "the address is wrong: check TWINTILL_GOCARDLESS_URL",
    "method_not_allowed": "the address is wrong: check TWINTILL_GOCARDLESS_URL",
    "tls_required": "the address must begin with https://",
    "missing_version_header": "this version of the API is not spoken there",
    "version_not_found": "this version of the API is not spoken there",
}
# The mandate, or what is behind it, is gone: no payment was made.
_MANDATE = {
    "mandate_is_inactive": DeclineKind.REVOKED,
    "customer_data_removed": DeclineKind.REVOKED,
    "mandate_replaced": DeclineKind.UPDATE_METHOD,
    "bank_account_disabled": DeclineKind.UPDATE_METHOD,
}
# What the payment is, whatever was sent before: it is not given back.
_NOT_GIVEN_BACK = frozenset(
    ("number_of_refunds_exceeded", "refund_is_unreachable", "refund_payment_invalid_state")
)
_NO_BALANCE = (
    "GoCardless pays refunds out of collected money, and there is too little of it now: wait for "
    "payments that are confirmed, then unpark it"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error in GoCardless's envelope."""

    status: int
    type: str
    reasons: frozenset[str]
    fields: frozenset[str]  # of a validation
    message: str
    conflicting_id: str | None = None

    @property
    def detail(self) -> str:
        named = " ".join((self.type, *sorted(self.reasons)))
        return f"HTTP {self.status} {named}: {self.message}"

    @property
    def not_found(self) -> bool:
        """Said by GoCardless itself, of what the address named."""
        return self.status == 404 and NOT_FOUND in self.reasons


def read_refusal(answer: httpx.Response) -> Refusal | None:
    """None: not an error that GoCardless itself words."""
    try:
        error = object_of(read_json(answer.content), "error")
    except Unreadable:
        return None
    listed = error.get("errors")
    errors = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    messages = [_message(one) for one in errors] or [words_of(error, "message")]
    return Refusal(
        status=answer.status_code,
        type=words_of(error, "type"),
        reasons=frozenset(words_of(one, "reason") for one in errors if one.get("reason")),
        fields=frozenset(words_of(one, "field") for one in errors if one.get("field")),
        message="; ".join(messages)[:500],
        conflicting_id=next((found for one in errors if (found := _conflicting(one))), None),
    )


def read_status(answer: httpx.Response) -> NotSent | NoAnswer | None:
    """What every request may be answered; None: it succeeded, or its refusal must be read."""
    status = answer.status_code
    if status == 429:
        reset = answer.headers.get("ratelimit-reset") or answer.headers.get("retry-after")
        wait_s = transport.read_retry_after(reset, datetime.now(UTC))
        return NotSent(NotSentReason.RATE, "HTTP 429", wait_s or _RATE_WAIT_S)
    if status >= 500 or 300 <= status < 400 or status == 408:
        return NoAnswer(f"HTTP {status}")
    if status not in (401, 403):
        return None
    refusal = read_refusal(answer)
    return NoAnswer(f"HTTP {status} of nobody known") if refusal is None else general(refusal)


def general(refusal: Refusal) -> NotSent | NoAnswer:
    """What it proves of any request."""
    if refusal.status in (401, 403):
        for reason, advice in _CREDENTIALS.items():
            if reason in refusal.reasons:
                return NotSent(NotSentReason.CREDENTIALS, f"{refusal.detail}: {advice}")
    if refusal.status == 401:
        return NotSent(NotSentReason.CREDENTIALS, f"{refusal.detail}: {_KEY}")
    if refusal.type == "validation_failed" and refusal.status == 422:
        return NotSent(NotSentReason.CONFIG, refusal.detail)
    if refusal.type == "invalid_api_usage":
        for reason, advice in _CONFIG.items():
            if reason in refusal.reasons:
                return NotSent(NotSentReason.CONFIG, f"{refusal.detail}: {advice}")
    return NoAnswer(refusal.detail)


def of_charge(refusal: Refusal | None, status: int) -> Declined | NotSent | NoAnswer:
    """A payment that was not made."""
    if refusal is None:
        return NoAnswer(f"HTTP {status} that cannot be read")
    if refusal.type in ("invalid_state", "validation_failed"):
        for reason, kind in _MANDATE.items():
            if reason in refusal.reasons:
                return Declined(kind, reason, refusal.message)
    return general(refusal)


def of_refund(refusal: Refusal | None, status: int) -> Declined | NotSent | NoAnswer:
    """A refund that was not made."""
    if refusal is None:
        return NoAnswer(f"HTTP {status} that cannot be read")
    if "total_amount_confirmation_invalid" in refusal.reasons:
        # Somebody gave some of it back since we looked: looked at again, then asked anew.
        why = f"{refusal.detail}: another sum was given back of it than is known here"
        return NotSent(NotSentReason.RATE, why, _RECOUNT_WAIT_S)
    if "available_refund_amount_insufficient" in refusal.reasons:
        return NotSent(NotSentReason.CONFIG, f"{refusal.detail}: {_NO_BALANCE}")
    for reason in sorted(_NOT_GIVEN_BACK & refusal.reasons):
        return Declined(DeclineKind.HARD, reason, refusal.message)
    if refusal.type == "validation_failed" and "amount" in refusal.fields:
        return Declined(DeclineKind.HARD, "amount_refused", refusal.message)
    return general(refusal)


def _message(error: dict[str, Any]) -> str:
    field, message = words_of(error, "field"), words_of(error, "message")
    return f"{field} {message}" if field else message


def _conflicting(error: dict[str, Any]) -> str | None:
    links = error.get("links")
    if error.get("reason") != CONFLICT or not isinstance(links, dict):
        return None
    return words_of(links, "conflicting_resource_id") or None
