"""Making invoices because somebody asks for it: what may be asked for, and what is refused. Pure.

make            draft -> lines -> finalize
                what Stripe refuses on the way is taken back: strip -> discard
delete          strip -> discard
void, mark_uncollectible, and what is one call of Stripe's
"""

import re
from datetime import datetime
from enum import StrEnum

from twintill.domain.doubt import may_still_arrive
from twintill.domain.payment import Payment
from twintill.errors import BadRequest
from twintill.money import Money, is_expressible

KIND = "invoicing"
MOST_ITEMS = 250  # of an invoice, says Stripe
DAYS_UNTIL_DUE = 30
_PREFIX = re.compile(r"[A-Z0-9]{3,12}\Z")


class Step(StrEnum):
    """The first ones are also what is asked for."""

    MAKE = "draft"
    ADD_ITEM = "item"
    CHANGE_ITEM = "change_item"
    REMOVE_ITEM = "remove_item"
    CHANGE = "change"
    FINALIZE = "finalize"
    VOID = "void"
    MARK_UNCOLLECTIBLE = "mark_uncollectible"
    DELETE = "strip"
    PREFIX = "prefix"
    PRODUCT = "product"
    PRICE = "price"
    LINES = "lines"
    DISCARD = "discard"
    LOOK = "look"
    DONE = "done"
    FAILED = "failed"


def require_amount(amount_minor: int, currency: str, param: str) -> None:
    """Raises BadRequest for what Stripe could not bill: nothing is ever rounded."""
    if is_expressible(Money(amount_minor, currency)):
        return
    why = (
        "is billed in whole units: an amount that 100 divides"
        if currency in ("ISK", "UGX")
        else "has thousandths, and Stripe wants the last digit to be 0"
    )
    raise BadRequest(
        f"{amount_minor} is no amount in {currency.lower()}, which {why}.",
        code="amount_invalid",
        param=param,
    )


def currency_of(asked: str | None, customers: str | None, param: str = "currency") -> str:
    """What it is billed in. Raises BadRequest: a customer has one currency, says Stripe."""
    if asked is not None and customers not in (None, asked):
        raise BadRequest(
            f"This customer is billed in {str(customers).lower()}, and Stripe does not combine "
            f"currencies on one customer: not {asked.lower()}.",
            code="currency_differs",
            param=param,
        )
    currency = asked or customers
    if currency is None:
        raise BadRequest(
            "This customer was never billed and has no currency yet: name one.",
            code="currency_missing",
            param=param,
        )
    return currency


def require_room(there: int, more: int, param: str) -> None:
    """Raises BadRequest."""
    if there + more > MOST_ITEMS:
        has = f" (it has {there})" if there else ""
        raise BadRequest(
            f"An invoice has at most {MOST_ITEMS} items{has}: {there + more} are too many.",
            code="too_many_items",
            param=param,
        )


def require_due_after(due_at: datetime | None, now: datetime) -> None:
    """Raises BadRequest."""
    if due_at is not None and due_at <= now:
        raise BadRequest(
            f"The invoice would be due before it is made: it is {now:%Y-%m-%d %H:%M} UTC.",
            code="due_date_past",
            param="due_date",
        )


def require_prefix(prefix: str) -> None:
    """Raises BadRequest. The rule is Stripe's."""
    if not _PREFIX.match(prefix):
        raise BadRequest(
            "A prefix has 3 to 12 upper-case letters or digits.",
            code="prefix_invalid",
            param="invoice_prefix",
        )


def cannot_be_closed(payment: Payment, now: datetime) -> tuple[str, str] | None:
    """Why its invoice must stay as it is for now: a code, and a sentence; None: it may be closed.

    What is in flight is never dropped because something else closes (docs/money.md).
    """
    if payment.unresolved_attempt is not None:
        return "charge_out", "A charge for this invoice is out: wait for its answer."
    if payment.unapplied_minor or payment.waiting_by_hand is not None:
        return (
            "being_reported",
            "Money for this invoice is here, and Stripe is about to be told: refund it afterwards.",
        )
    if may_still_arrive(payment, now):
        return (
            "charge_out",
            "A request that a person called not charged may still arrive: wait for its end.",
        )
    return None


def note_on(total_minor: int, before_minor: int, after_minor: int, currency: str) -> str | None:
    """What a finalized invoice did to the customer's balance, in words; None: nothing.

    `before_minor` and `after_minor`: the balance; below zero it is credit.
    """
    if before_minor == after_minor:
        return None
    if total_minor < 0:
        credit = Money(-total_minor, currency)
        return (
            f"Its total is below zero, so there is nothing to collect: Stripe put {credit} on the "
            "customer's balance, as a credit for his next invoices."
        )
    if after_minor > 0:
        small = Money(after_minor, currency)
        return (
            f"{small} is less than Stripe bills in {currency.lower()}: it marked the invoice as "
            "paid, and his next invoice asks for it."
        )
    used = Money(abs(after_minor - before_minor), currency)
    return f"The customer's balance was taken into account: {used}."
