"""GoCardless's words: ids, schemes, choices of a customer, and why a bank says no."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from twintill.sandbox.processor.magic import Answer, Decline, Ending, Line, Magic, Refunding

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# By the engine's own prefix: GoCardless's, and how many characters follow it.
_SHAPES = {
    "ses": ("BRQ", 12),
    "flow": ("BRF", 29),
    "pcus": ("CU", 12),
    "tok": ("MD", 12),
    "account": ("BA", 12),
    "chg": ("PM", 12),
    "rfd": ("RF", 12),
    "po": ("PO", 12),
    "pevt": ("EV", 12),
    "dlv": ("WB", 12),
    "mandate_request": ("MRQ", 12),
    "detail": ("PCU", 12),
}

SCHEMES: Mapping[str, str] = {  # the debit scheme of each currency that is collected
    "AUD": "becs",
    "CAD": "pad",
    "DKK": "betalingsservice",
    "EUR": "sepa_core",
    "GBP": "bacs",
    "NZD": "becs_nz",
    "SEK": "autogiro",
    "USD": "ach",
}
COUNTRIES: Mapping[str, str] = {
    "AUD": "AU",
    "CAD": "CA",
    "DKK": "DK",
    "EUR": "DE",
    "GBP": "GB",
    "NZD": "NZ",
    "SEK": "SE",
    "USD": "US",
}
REFERENCE_LENGTHS: Mapping[str, int] = {"ach": 10, "bacs": 10, "becs": 30, "sepa_core": 140}

# What a bank's code is, by cause and scheme; where none is listed, the cause has to do.
_REASON_CODES: Mapping[str, Mapping[str, str]] = {
    "insufficient_funds": {"sepa_core": "AM04", "ach": "R01"},
    "refer_to_payer": {"bacs": "ARUDD-0", "sepa_core": "MS03"},
    "bank_account_closed": {"bacs": "ARUDD-B", "sepa_core": "AC04", "ach": "R02"},
    "bank_account_transferred": {"bacs": "ARUDD-3", "sepa_core": "BE05"},
    "account_blocked_for_any_financial_transaction": {"sepa_core": "AC06", "ach": "R16"},
    "authorisation_disputed": {"bacs": "ARUDD-6", "sepa_core": "MD01", "ach": "R10"},
    "payer_deceased": {"bacs": "ARUDD-2", "sepa_core": "MD07", "ach": "R15"},
    "invalid_bank_details": {"bacs": "AUDDIS-5", "sepa_core": "AC01", "ach": "R03"},
    "mandate_cancelled": {"bacs": "ADDACS-1", "sepa_core": "MD01", "ach": "R07"},
    "refund_requested": {"bacs": "DDICA-1", "sepa_core": "MD06"},
}


def new_id(prefix: str, chance: random.Random) -> str:
    """An id of GoCardless's shape; what it never shows keeps the engine's prefix."""
    ours, length = _SHAPES.get(prefix, (f"{prefix}_", 16))
    return ours + "".join(chance.choices(_ALPHABET, k=length))


def request_id(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def reason_of(cause: str, scheme: str) -> tuple[str, str]:
    """The cause as this scheme's banks word it, and their code."""
    if cause == "insufficient_funds" and scheme == "bacs":
        cause = "refer_to_payer"  # all that Bacs says of it
    return cause, _REASON_CODES.get(cause, {}).get(scheme, "OTHER")


def _bad(cause: str, text: str, category: str) -> Decline:
    return Decline(cause, text, category)


NO_FUNDS = _bad(
    "insufficient_funds",
    "The customer's account had insufficient funds to make this payment.",
    "retry_later",
)
CLOSED = _bad("bank_account_closed", "The customer's bank account was closed.", "new_method_needed")
BLOCKED = _bad(
    "account_blocked_for_any_financial_transaction",
    "This payment failed because the payer's account was blocked.",
    "do_not_retry",
)
MOVED = _bad(
    "bank_account_transferred",
    "The customer's bank account was transferred to a different bank.",
    "new_method_needed",
)
DECEASED = _bad(
    "payer_deceased", "This payment failed because the customer is deceased.", "do_not_retry"
)
NOT_AUTHORISED = _bad(
    "authorisation_disputed",
    "The customer disputes having authorised this payment.",
    "agreement_gone",
)
MANDATE_GONE = _bad(
    "mandate_cancelled",
    "The customer cancelled the mandate at their bank before the payment could be collected.",
    "agreement_gone",
)


def _account(key: str, last4: str, label: str, hint: str, **rules: Any) -> Magic:
    return Magic(
        key,
        "bank_debit",
        label,
        hint,
        {"bank": "Sandbox Bank", "last4": last4},
        answer=Answer.PENDS,
        refunding=rules.pop("refunding", Refunding.LATER),
        **rules,
    )


_ALL = (
    _account("debit_ok", "3000", "Account in order", "Payments are collected and paid out."),
    _account(
        "debit_declines_once",
        "0101",
        "Account that is empty once",
        "The first payment fails days later, others are collected.",
        ending=Ending.FAILS,
        decline=NO_FUNDS,
        declines=1,
    ),
    _account(
        "debit_fails",
        "3001",
        "Account without funds",
        "Every payment fails days later; it may be tried again.",
        ending=Ending.FAILS,
        decline=NO_FUNDS,
    ),
    _account(
        "debit_closed",
        "0004",
        "Account that is closed",
        "Every payment fails; another account is needed.",
        ending=Ending.FAILS,
        decline=CLOSED,
    ),
    _account(
        "debit_deceased",
        "0003",
        "Account of somebody who has died",
        "Every payment fails for good.",
        ending=Ending.FAILS,
        decline=DECEASED,
    ),
    _account(
        "debit_blocked",
        "9979",
        "Account that is blocked",
        "Every payment fails: the bank blocked the account.",
        ending=Ending.FAILS,
        decline=BLOCKED,
    ),
    _account(
        "debit_moved",
        "0069",
        "Account that has moved",
        "Every payment fails: the customer changed the bank.",
        ending=Ending.FAILS,
        decline=MOVED,
    ),
    _account(
        "debit_fails_late",
        "3002",
        "Account whose bank is late",
        "Payments are confirmed, and fail after that.",
        ending=Ending.FAILS_LATE,
        decline=NOT_AUTHORISED,
    ),
    _account(
        "debit_charged_back",
        "3003",
        "Customer who asks it back",
        "Payments are collected, and charged back after that.",
        ending=Ending.CHARGED_BACK,
    ),
    _account(
        "debit_mandate_fails",
        "3004",
        "Account that does not exist",
        "The mandate fails when it is submitted to the bank.",
        valid=False,
    ),
    _account(
        "debit_refund_fails",
        "5126",
        "Account that takes no refunds",
        "Payments are collected; refunds are taken, and fail.",
        refunding=Refunding.FAILS,
    ),
    _account(
        "debit_answer_lost",
        "7001",
        "Account whose answer is lost",
        "The payment is made, but the answer never arrives.",
        line=Line.LOST_AFTER,
    ),
    _account(
        "debit_request_lost",
        "7002",
        "Account whose request is lost",
        "The first request never acts and never answers.",
        line=Line.LOST_BEFORE,
    ),
    _account(
        "debit_error",
        "7003",
        "Account with a server error",
        "The payment is made, and the answer is an error 500.",
        line=Line.ERROR_AFTER,
    ),
    _account(
        "debit_slow",
        "7004",
        "Account that is slow",
        "The answer takes some seconds.",
        line=Line.SLOW,
    ),
)
# What the other stand-ins call a choice that has the same end here.
_ALIASES = {
    "card_ok": "debit_ok",
    "wallet_ok": "debit_ok",
    "card_declines_once": "debit_declines_once",
    "card_declined": "debit_fails",
    "card_hard_declined": "debit_deceased",
    "card_stolen": "debit_blocked",
    "card_expired": "debit_moved",
    "card_refund_fails": "debit_refund_fails",
    "card_answer_lost": "debit_answer_lost",
    "card_request_lost": "debit_request_lost",
    "card_error": "debit_error",
    "card_slow": "debit_slow",
}
# The sandbox's special names: a customer who is called so gets that kind of account.
NAMES: Mapping[str, str] = {
    "Successful": "debit_ok",
    "Penniless": "debit_fails",
    "Fickle": "debit_charged_back",
    "Late": "debit_fails_late",
    "Invalid": "debit_mandate_fails",
}


@dataclass(frozen=True, slots=True)
class Choices(Mapping[str, Magic]):
    """Listed once each, and found under the other stand-ins' names too."""

    own: Mapping[str, Magic] = field(default_factory=lambda: {one.key: one for one in _ALL})
    aliases: Mapping[str, str] = field(default_factory=lambda: _ALIASES)

    def __getitem__(self, key: str) -> Magic:
        return self.own[self.aliases.get(key, key)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


CHOICES = Choices()
