"""What each of PayPal's refusals proves, as tables; what is in none of them proves nothing.

Sources: the Orders v2 reference (errors of POST /v2/checkout/orders and of its capture, answered
with 422, before anything was done), the Payments v2 reference (errors of a refund), and its
`processor_response`: response codes and payment advice codes of cards.
"""

from __future__ import annotations

from twintill.domain.outcomes import DeclineKind, NotSentReason

_K = DeclineKind
# The payer, the bank or PayPal said no: one order was refused, no capture exists.
DECLINES = {
    "INSTRUMENT_DECLINED": _K.SOFT,
    "TRANSACTION_REFUSED": _K.SOFT,
    "TRANSACTION_LIMIT_EXCEEDED": _K.SOFT,
    "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR": _K.SOFT,
    "PAYER_CANNOT_PAY": _K.HARD,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": _K.HARD,
    "PAYER_ACCOUNT_RESTRICTED": _K.HARD,
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": _K.HARD,
    "DOMESTIC_TRANSACTION_REQUIRED": _K.HARD,
    "CARD_EXPIRED": _K.UPDATE_METHOD,
    "REFERENCED_CARD_EXPIRED": _K.UPDATE_METHOD,
    "PAYMENT_SOURCE_CANNOT_BE_USED": _K.UPDATE_METHOD,
    "PAYER_ACTION_REQUIRED": _K.AUTH_REQUIRED,
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": _K.AUTH_REQUIRED,
    "CONSENT_NEEDED": _K.AUTH_REQUIRED,
    "TOKEN_ID_NOT_FOUND": _K.REVOKED,
    "TOKEN_EXPIRED": _K.REVOKED,
    "AGREEMENT_ALREADY_CANCELLED": _K.REVOKED,
    "BILLING_AGREEMENT_NOT_FOUND": _K.REVOKED,
    "COMPLIANCE_VIOLATION": _K.FRAUD,
    # The merchant's own fraud filters; somebody should look at them.
    "PAYEE_BLOCKED_TRANSACTION": _K.FRAUD,
    "TRANSACTION_BLOCKED_BY_PAYEE": _K.FRAUD,
}
_ACCOUNT = "your PayPal account"
# What the account, the app or the request is not fit for, and what to do.
CONFIG = {
    "PAYEE_ACCOUNT_INVALID": f"{_ACCOUNT} is not valid: check the merchant id",
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": f"{_ACCOUNT} is locked or closed: ask PayPal",
    "PAYEE_ACCOUNT_RESTRICTED": f"{_ACCOUNT} is restricted: see its Resolution Center",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED": f"{_ACCOUNT} has reached what it may receive: ask "
    "PayPal to lift its limit",
    "NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE": f"{_ACCOUNT} is not enabled for stored payments: have "
    "PayPal switch on vaulting (reference transactions) for the app",
    "NOT_ELIGIBLE_FOR_TOKEN_PROCESSING": f"{_ACCOUNT} is not enabled for stored payments: have "
    "PayPal switch on vaulting (reference transactions) for the app",
    "MERCHANT_NOT_ENABLED_FOR_REFERENCE_TRANSACTION": f"{_ACCOUNT} is not enabled for stored "
    "payments: have PayPal switch on vaulting (reference transactions) for the app",
    "PERMISSION_DENIED": "the app may not do this: switch on its features in PayPal's Developer "
    "Dashboard, then wait until a new access token has them",
    "PERMISSION_NOT_GRANTED": "the account has not allowed the app to do this: grant it there",
    "MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE": "the stored method is not a PayPal wallet",
    "INVALID_CURRENCY_CODE": "PayPal does not take this currency on your account: bill in another",
    "CURRENCY_NOT_SUPPORTED": "PayPal does not take this currency on your account: bill in another",
    "MAX_VALUE_EXCEEDED": "the amount is above what PayPal takes at once",
    "CANNOT_BE_ZERO_OR_NEGATIVE": "the amount is not above zero",
    "CANNOT_BE_NEGATIVE": "the amount is below zero",
    "INVALID_PARAMETER_SYNTAX": "PayPal refuses a field of the request: report this",
    "INVALID_PARAMETER_VALUE": "PayPal refuses a field of the request: report this",
    "INVALID_STRING_LENGTH": "PayPal refuses a field of the request: report this",
    "MISSING_REQUIRED_PARAMETER": "PayPal misses a field of the request: report this",
    "NOT_SUPPORTED": "PayPal refuses a field of the request: report this",
    "INCOMPATIBLE_PARAMETER_VALUE": "PayPal refuses a field of the request: report this",
    "MALFORMED_REQUEST_JSON": "PayPal cannot read the request: report this",
    "PAYPAL_REQUEST_ID_REQUIRED": "PayPal misses the request's id: report this",
}
INEXACT = {
    "DECIMAL_PRECISION": "the amount has more decimal places than PayPal takes",
    "DECIMALS_NOT_SUPPORTED": "PayPal takes only whole units of this currency",
}
# Of a refund: nothing is given back, under this request or any other.
NOT_GIVEN_BACK = frozenset(
    (
        "CAPTURE_FULLY_REFUNDED",
        "MAX_NUMBER_OF_REFUNDS_EXCEEDED",
        "PARTIAL_REFUND_NOT_ALLOWED",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PENDING_CAPTURE",
        "REFUND_AMOUNT_EXCEEDED",
        "REFUND_AMOUNT_TOO_LOW",
        "REFUND_CAPTURE_CURRENCY_MISMATCH",
        "REFUND_FAILED_INSUFFICIENT_FUNDS",
        "REFUND_IS_RESTRICTED",
        "REFUND_NOT_ALLOWED",
        "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK",
        "REFUND_TIME_LIMIT_EXCEEDED",
        "TRANSACTION_DISPUTED",
    )
)
DUPLICATE_INVOICE_ID = "DUPLICATE_INVOICE_ID"

# `processor_response.response_code` of a capture that was declined; the others are soft.
_RESPONSES = {
    "5140": _K.HARD,  # card closed
    "5150": _K.HARD,  # pick up
    "5160": _K.HARD,  # unauthorized user
    "5180": _K.HARD,  # invalid or restricted card
    "5400": _K.UPDATE_METHOD,  # expired
    "5650": _K.AUTH_REQUIRED,  # strong customer authentication
    "5910": _K.HARD,  # issuer not available, explicitly not retriable
    "5950": _K.UPDATE_METHOD,  # account was updated
    "6300": _K.HARD,  # account not on file
    "7710": _K.AUTH_REQUIRED,
    "9500": _K.FRAUD,
    "9510": _K.FRAUD,
    "9520": _K.FRAUD,  # lost or stolen
    "9540": _K.HARD,  # refused card
    "PPEF": _K.UPDATE_METHOD,  # expired funding instrument
    "PPRN": _K.HARD,  # another attempt is not permitted
}
_HOUR, _DAY = 3600, 86_400
# `payment_advice_code`: the card networks' word on trying again, before the response code.
_WAITS = {
    "24": _HOUR,
    "25": _DAY,
    "26": 2 * _DAY,
    "27": 4 * _DAY,
    "28": 6 * _DAY,
    "29": 8 * _DAY,
    "30": 10 * _DAY,
}
_ADVICE = {"01": _K.UPDATE_METHOD, "03": _K.HARD, "21": _K.REVOKED}
_ADVISED_TO_WAIT = "02"  # Mastercard: 72 hours; Visa: never again; nobody says whose: never again
# `status_details.reason` of a capture that was declined.
_REASONS = {"DECLINED_BY_RISK_FRAUD_FILTERS": _K.FRAUD}


def kind_of(
    response: str | None, advice: str | None, network: str | None, reason: str | None
) -> tuple[DeclineKind, int | None]:
    """What a declined capture says of the next try, and how long to wait for it at least."""
    if advice in _ADVICE:
        return _ADVICE[advice], None
    if advice == _ADVISED_TO_WAIT:
        soft = network == "MASTERCARD"
        return (DeclineKind.SOFT, 72 * _HOUR) if soft else (DeclineKind.HARD, None)
    kind = _REASONS.get(reason or "") or _RESPONSES.get(response or "", DeclineKind.SOFT)
    return kind, _WAITS.get(advice or "")


def not_sent_because(issue: str) -> tuple[NotSentReason, str] | None:
    """Why a request did nothing, in one sentence; None: this issue does not prove that."""
    if issue in INEXACT:
        return NotSentReason.INEXACT, INEXACT[issue]
    if issue in CONFIG:
        return NotSentReason.CONFIG, CONFIG[issue]
    return None
