"""Why GoCardless, or the customer's bank, collected nothing: literal tables, and what they mean.

Sources: GoCardless's API reference, "Event types" (causes) and its guides to the messages of Bacs
(ARUDD) and SEPA (reason codes). The cause counts; a cause that says nothing is told by the code of
the scheme. What is new to us is a soft decline: the bounded retries of dunning may go on.
"""

from __future__ import annotations

from collections.abc import Sequence

from twintill.domain.outcomes import Declined, DeclineKind
from twintill.processors.fields import Json, words_of

CANCELED = "canceled"
_RETRIED = "will_attempt_retry"
_SOFT, _HARD = DeclineKind.SOFT, DeclineKind.HARD
_UPDATE, _REVOKED = DeclineKind.UPDATE_METHOD, DeclineKind.REVOKED

_CAUSES = {
    "insufficient_funds": _SOFT,
    "refer_to_payer": _SOFT,
    "bank_account_closed": _UPDATE,
    "bank_account_disabled": _UPDATE,
    "bank_account_transferred": _UPDATE,
    "invalid_bank_details": _UPDATE,
    "direct_debit_not_enabled": _UPDATE,
    "mandate_cancelled": _REVOKED,
    "mandate_expired": _REVOKED,
    "mandate_suspended_by_payer": _REVOKED,
    "authorisation_disputed": _REVOKED,
    "payer_deceased": _HARD,
    "customer_approval_denied": DeclineKind.AUTH_REQUIRED,
}
_CODES = {
    ("bacs", "ARUDD-0"): _SOFT,  # refer to payer
    ("bacs", "ARUDD-1"): _REVOKED,  # instruction cancelled
    ("bacs", "ARUDD-2"): _HARD,  # payer deceased
    ("bacs", "ARUDD-3"): _UPDATE,  # account transferred
    ("bacs", "ARUDD-5"): _UPDATE,  # no account
    ("bacs", "ARUDD-6"): _REVOKED,  # no instruction
    ("bacs", "ARUDD-B"): _UPDATE,  # account closed
    ("sepa_core", "AC01"): _UPDATE,  # account identifier wrong
    ("sepa_core", "AC04"): _UPDATE,  # account closed
    ("sepa_core", "AC06"): _UPDATE,  # account blocked
    ("sepa_core", "AC13"): _UPDATE,  # not a consumer's account
    ("sepa_core", "AG01"): _UPDATE,  # no direct debits on this account
    ("sepa_core", "AM04"): _SOFT,  # insufficient funds
    ("sepa_core", "MD01"): _REVOKED,  # no mandate
    ("sepa_core", "MD07"): _HARD,  # payer deceased
    ("sepa_core", "MS02"): _SOFT,  # not specified by the customer
    ("sepa_core", "MS03"): _SOFT,  # not specified by the bank
}
# What each state without money is told by, newest first.
_TOLD_BY = {
    "failed": ("failed", "late_failure_settled"),
    "cancelled": ("cancelled",),
    "customer_approval_denied": ("customer_approval_denied",),
}


def read_details(details: Json, status: str, payment_id: str) -> Declined:
    """What an event's `details` say of a payment that brought no money."""
    cause, text = words_of(details, "cause"), words_of(details, "description")
    scheme, code = words_of(details, "scheme"), words_of(details, "reason_code")
    kind = _CAUSES.get(cause) or _CODES.get((scheme, code))
    if status == "cancelled" and kind is None:
        return canceled(payment_id)
    if kind is None and status == "customer_approval_denied":
        kind = DeclineKind.AUTH_REQUIRED
    if code:
        text = f"{text} ({scheme} {code})".strip()
    return Declined(kind or _SOFT, cause or code or status, text, None, payment_id)


def read_reason(events: Sequence[Json], status: str, payment_id: str) -> Declined:
    """Of a payment's events, newest first; they may appear after the payment has changed."""
    for event in events:
        details = event.get("details")
        if event.get("action") in _TOLD_BY[status] and isinstance(details, dict):
            return read_details(details, status, payment_id)
    return read_details({}, status, payment_id)


def will_be_retried(events: Sequence[Json], status: str) -> bool:
    """GoCardless sends it to the bank again by itself: its end is still to come, and a charge of
    ours in its place would be the second. As its webhook is read."""
    failed = [event for event in events if event.get("action") == "failed"]
    details = failed[0].get("details") if failed else None
    return status == "failed" and isinstance(details, dict) and bool(details.get(_RETRIED))


def canceled(payment_id: str) -> Declined:
    text = "Canceled before money moved."
    return Declined(DeclineKind.SOFT, CANCELED, text, None, payment_id)


def without_money(status: str) -> bool:
    return status in _TOLD_BY
