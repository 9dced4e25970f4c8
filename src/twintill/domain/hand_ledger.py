"""The ledger's words for money by hand and the customer's credit; the account names are `ledger`'s.

recorded              hand:undeposited (or credit:moved) / customer:credit
applied to its invoice               customer:credit / customer:unapplied
what the invoice did not take     customer:unapplied / customer:credit
credited in Stripe afterwards             refund:due / customer:credit
used, paid out                       customer:credit / credit:moved, hand:paid_out
taken back      where it stands (or customer:failed) / hand:undeposited (or credit:moved)
"""

from twintill.domain.hand import HandKind, HandPayment
from twintill.domain.ledger import (
    CREDIT,
    CREDIT_MOVED,
    UNAPPLIED,
    UNDEPOSITED,
    LedgerTransaction,
    Posting,
)
from twintill.domain.payment import Receipt


def recorded(hand: HandPayment) -> LedgerTransaction:
    """It is here, and the customer's until an invoice takes it."""
    return _post("hand", hand.id, hand, came_from(hand), CREDIT, hand.amount_minor)


def applied(hand: HandPayment) -> LedgerTransaction:
    """We owe it to its invoice now."""
    return _post("applied", hand.id, hand, CREDIT, UNAPPLIED, hand.amount_minor)


def kept(receipt: Receipt, account: str, amount_minor: int) -> LedgerTransaction:
    """The invoice does not take so much of it, or does not any more: the customer's credit.

    `receipt` as it was before: what it gave to the credit only grows, and names the cause.
    """
    cause = f"kept_as_credit:{receipt.id}:{receipt.credit_minor + amount_minor}"
    legs = (
        Posting(account, receipt.currency, amount_minor, receipt.id),
        Posting(CREDIT, receipt.currency, -amount_minor, receipt.id),
    )
    return LedgerTransaction(cause, "kept_as_credit", legs)


def taken_back(hand: HandPayment, account: str, amount_minor: int) -> LedgerTransaction:
    """It is not here, or never was; `account`: where it stood."""
    cause = f"{hand.id}:{account}"
    return _post("hand_taken_back", cause, hand, account, came_from(hand), amount_minor)


def used(hand: HandPayment, use_id: str, amount_minor: int, to: str) -> LedgerTransaction:
    """`to`: CREDIT_MOVED for another invoice, PAID_OUT to the customer."""
    return _post("credit_used", f"{use_id}:{hand.id}", hand, CREDIT, to, amount_minor)


def returned(hand: HandPayment, use_id: str, amount_minor: int) -> LedgerTransaction:
    """Taken back there, it is credit here again."""
    cause = f"{use_id}:{hand.id}"
    return _post("credit_returned", cause, hand, CREDIT_MOVED, CREDIT, amount_minor)


def came_from(hand: HandPayment) -> str:
    return CREDIT_MOVED if hand.kind is HandKind.CREDIT else UNDEPOSITED


def _post(
    kind: str, cause_id: str, hand: HandPayment, debit: str, credit: str, amount_minor: int
) -> LedgerTransaction:
    legs = (
        Posting(debit, hand.currency, amount_minor, hand.receipt_id),
        Posting(credit, hand.currency, -amount_minor, hand.receipt_id),
    )
    return LedgerTransaction(f"{kind}:{cause_id}", kind, legs)
