"""The wallets that a buyer can choose on PayPal's page; the keys are the sandbox processor's.

Behind every one is a PayPal account. What the keys call a bank debit is an eCheck: PayPal says
PENDING, and days later COMPLETED or DECLINED. There are no partial approvals here.
"""

from collections.abc import Mapping
from dataclasses import replace

from twintill.sandbox.processor.magic import METHODS as ALL
from twintill.sandbox.processor.magic import Magic

_LABELS = {
    "card_ok": ("Buyer who can pay", "Every charge is COMPLETED at once."),
    "card_declines_once": ("Buyer whose card declines once", "Refused once, then COMPLETED."),
    "card_declined": ("Buyer without funds", "Every charge is refused: INSTRUMENT_DECLINED."),
    "card_hard_declined": ("Buyer who cannot pay", "Every charge is refused: PAYER_CANNOT_PAY."),
    "card_stolen": ("Buyer under suspicion", "Every capture is DECLINED by the risk filters."),
    "card_expired": ("Buyer with an expired card", "Every charge is refused: CARD_EXPIRED."),
    "card_expires_soon": ("Buyer whose card expires soon", "PayPal does not tell."),
    "card_needs_customer": ("Buyer who must come back", "Refused: PAYER_ACTION_REQUIRED."),
    "card_refund_fails": ("Buyer whose refunds fail", "Refunds are PENDING, then FAILED."),
    "wallet_ok": ("PayPal balance", "Every charge is COMPLETED at once."),
    "debit_ok": ("eCheck", "PENDING now, COMPLETED days later."),
    "debit_fails": ("eCheck that bounces", "PENDING now, DECLINED days later."),
    "debit_fails_late": ("eCheck that bounces late", "COMPLETED, and REVERSED days after that."),
    "card_answer_lost": ("Answer is lost", "The money is taken, but the answer never arrives."),
    "card_request_lost": ("Request is lost", "The first request never acts and never answers."),
    "card_error": ("Server error", "The money is taken, and the answer is an error 500."),
    "card_slow": ("Slow answer", "The answer takes some seconds."),
}


def _wallet(magic: Magic, label: str, hint: str) -> Magic:
    number = magic.display.get("last4", "0000")
    email = f"buyer-{number}@example.com"
    return replace(magic, label=label, hint=hint, display={"brand": "PayPal", "email": email})


METHODS: Mapping[str, Magic] = {
    key: _wallet(ALL[key], label, hint) for key, (label, hint) in _LABELS.items()
}
