"""The methods that a customer can choose here, and what each of them does when it is charged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Answer(StrEnum):
    """What a charge of this method comes to at once."""

    SUCCEEDS = "succeeds"
    DECLINES = "declines"
    PENDS = "pends"
    ASKS_CUSTOMER = "asks_customer"


class Ending(StrEnum):
    """What a pending charge comes to, days later."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    FAILS_LATE = "fails_late"  # confirmed first
    CHARGED_BACK = "charged_back"  # final first


class Line(StrEnum):
    """What happens to the first request of a charge on its way."""

    CLEAR = "clear"
    LOST_BEFORE = "lost_before"  # the sandbox never acts on it; the same key again does
    LOST_AFTER = "lost_after"
    ERROR_AFTER = "error_after"
    SLOW = "slow"


class Refunding(StrEnum):
    NOW = "now"
    LATER = "later"
    FAILS = "fails"  # taken, and handed back a day later


@dataclass(frozen=True, slots=True)
class Decline:
    code: str
    text: str
    category: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Magic:
    """One choice on the page."""

    key: str
    kind: str  # card, wallet, bank_debit
    label: str
    hint: str
    display: Mapping[str, str] = field(default_factory=dict)
    answer: Answer = Answer.SUCCEEDS
    decline: Decline | None = None
    declines: int | None = None  # only so many times; None: always
    ending: Ending = Ending.SUCCEEDS
    line: Line = Line.CLEAR
    refunding: Refunding = Refunding.NOW
    expires_soon: bool = False  # a card: with the month in which it is chosen
    valid: bool = True  # else the bank refuses the mandate of a debit when it is submitted
    most: int | None = None  # approves at most so much of a charge, by this processor's exponents


NO_FUNDS = Decline("insufficient_funds", "Not enough money on the account.", "retry_later", 86_400)
DO_NOT_RETRY = Decline("invalid_account", "The issuer will never approve this.", "do_not_retry")
STOLEN = Decline("stolen_card", "The card was reported stolen.", "suspected_fraud")
EXPIRED = Decline("expired_card", "The card has expired.", "new_method_needed")
REVOKED = Decline("agreement_revoked", "The agreement no longer exists.", "agreement_gone")
UNKNOWN_TOKEN = Decline("unknown_token", "There is no such method.", "agreement_gone")
RETURNED = Decline("debit_returned", "The bank returned the debit: no funds.", "retry_later")
NO_MANDATE = Decline("debit_disputed", "The account holder asked it back.", "agreement_gone")
REFUSED_BY_CUSTOMER = Decline("action_refused", "The customer refused.", "customer_needed")
CUSTOMER_NEEDED = Decline("action_needed", "The customer must approve it.", "customer_needed")
ACTION_EXPIRED = Decline("action_expired", "The customer did not answer.", "customer_needed")


def _card(key: str, last4: str, label: str, hint: str, **rules: object) -> Magic:
    display = {"brand": "Sandbox", "last4": last4, "exp": "12/34"}
    if key == "card_expired":
        display["exp"] = "01/24"
    return Magic(key, "card", label, hint, display, **rules)  # type: ignore[arg-type]


def _debit(key: str, last4: str, label: str, hint: str, ending: Ending) -> Magic:
    display = {"bank": "Sandbox Bank", "last4": last4}
    return Magic(
        key,
        "bank_debit",
        label,
        hint,
        display,
        answer=Answer.PENDS,
        ending=ending,
        decline=NO_MANDATE if ending is Ending.FAILS_LATE else RETURNED,
        refunding=Refunding.LATER,
    )


_ALL = (
    _card("card_ok", "4242", "Card that is approved", "Every charge succeeds at once."),
    _card(
        "card_declines_once",
        "0101",
        "Card that declines once",
        "The first charge has insufficient funds, later ones succeed.",
        answer=Answer.DECLINES,
        decline=NO_FUNDS,
        declines=1,
    ),
    _card(
        "card_partial",
        "0030",
        "Card with little left",
        "Of more than 30.00, only 30.00 is approved: a partial approval.",
        most=3000,
    ),
    _card(
        "card_declined",
        "0002",
        "Card without funds",
        "Every charge is declined; it may be tried again later.",
        answer=Answer.DECLINES,
        decline=NO_FUNDS,
    ),
    _card(
        "card_hard_declined",
        "0003",
        "Card that is blocked",
        "Every charge is declined for good.",
        answer=Answer.DECLINES,
        decline=DO_NOT_RETRY,
    ),
    _card(
        "card_stolen",
        "9979",
        "Stolen card",
        "Every charge is declined as suspected fraud.",
        answer=Answer.DECLINES,
        decline=STOLEN,
    ),
    _card(
        "card_expired",
        "0069",
        "Expired card",
        "Every charge is declined: a new card is needed.",
        answer=Answer.DECLINES,
        decline=EXPIRED,
    ),
    _card(
        "card_expires_soon",
        "0085",
        "Card that expires soon",
        "Every charge succeeds; it is good through this month only.",
        expires_soon=True,
    ),
    _card(
        "card_needs_customer",
        "3155",
        "Card that needs you",
        "Every charge waits until the customer approves it on a page.",
        answer=Answer.ASKS_CUSTOMER,
    ),
    _card(
        "card_refund_fails",
        "5126",
        "Card that cannot be refunded",
        "Charges succeed; refunds are taken and fail a day later.",
        refunding=Refunding.FAILS,
    ),
    Magic(
        "wallet_ok",
        "wallet",
        "Wallet",
        "Every charge succeeds at once.",
        {"brand": "Sandbox Wallet", "email": "p•••@example.com"},
    ),
    _debit(
        "debit_ok", "3000", "Bank debit", "Accepted now, confirmed days later.", Ending.SUCCEEDS
    ),
    _debit(
        "debit_fails",
        "3001",
        "Bank debit that fails",
        "Accepted now, returned by the bank days later.",
        Ending.FAILS,
    ),
    _debit(
        "debit_fails_late",
        "3002",
        "Bank debit that fails late",
        "Confirmed, and returned by the bank after that.",
        Ending.FAILS_LATE,
    ),
    _card(
        "card_answer_lost",
        "7001",
        "Card whose answer is lost",
        "The money is taken, but the answer never arrives.",
        line=Line.LOST_AFTER,
    ),
    _card(
        "card_request_lost",
        "7002",
        "Card whose request is lost",
        "The first request never acts and never answers.",
        line=Line.LOST_BEFORE,
    ),
    _card(
        "card_error",
        "7003",
        "Card with a server error",
        "The money is taken, and the answer is an error 500.",
        line=Line.ERROR_AFTER,
    ),
    _card(
        "card_slow",
        "7004",
        "Card that is slow",
        "The answer takes some seconds.",
        line=Line.SLOW,
    ),
)

METHODS: Mapping[str, Magic] = {magic.key: magic for magic in _ALL}
