"""What a refund does to its receipt, and to whoever asked for it. Pure.

Of stranded money it pays a debt; of reported money it is one half, of which Stripe's credit note is
the other (`domain.afterwards`).
"""

from dataclasses import replace

from twintill.domain.afterwards import available_minor, owed, wanted
from twintill.domain.facts import RefundStarted
from twintill.domain.money_back import AskState, RefundAsk
from twintill.domain.payment import Payment, Receipt, Refund, RefundOf
from twintill.money import Money


def meant(payment: Payment, fact: RefundStarted) -> Receipt | None:
    """The receipt that it is for, if this very amount of it is to go back now."""
    if not fact.reported:
        receipt = payment.receipt_to_give_back
        right = receipt is not None and fact.amount_minor == receipt.to_give_back_minor
        right = right and not payment.is_held(fact.receipt_id)
        return receipt if right and receipt is not None and receipt.id == fact.receipt_id else None
    if payment.compare_at is not None:
        return None
    receipt = next((r for r in payment.receipts if r.id == fact.receipt_id), None)
    if receipt is None or fact.amount_minor > available_minor(receipt):
        return None
    ask = wanted(payment)
    if ask is not None:
        same = (ask.id, ask.receipt_id, ask.amount_minor)
        asked = same == (fact.ask_id, fact.receipt_id, fact.amount_minor)
        return receipt if asked else None
    due = owed(payment)
    right = due is not None and due.id == receipt.id
    return receipt if right and fact.amount_minor == receipt.refund_due_minor else None


def is_more_than_there_is(payment: Payment, fact: RefundStarted) -> bool:
    """Somebody credited money that a dispute has taken, as a loss."""
    due = owed(payment)
    if not fact.reported or fact.ask_id is not None or due is None:
        return False
    return payment.compare_at is None and due.refund_due_minor > available_minor(due)


def is_gone(payment: Payment, fact: RefundStarted) -> bool:
    """There is not so much left of the receipt as was asked for when more was there."""
    ask = wanted(payment)
    if ask is None or ask.id != fact.ask_id or payment.compare_at is not None:
        return False
    receipt = next(r for r in payment.receipts if r.id == ask.receipt_id)
    return ask.amount_minor > available_minor(receipt)


def which(receipt: Receipt, amount: Money) -> RefundOf | None:
    """Which money somebody gave back by hand; None: more than there is."""
    if amount.currency != receipt.currency:
        return None
    if receipt.to_give_back_minor:
        return RefundOf.STRANDED if amount.minor <= receipt.to_give_back_minor else None
    return RefundOf.REPORTED if amount.minor <= available_minor(receipt) else None


def is_there(refund: Refund, receipt: Receipt) -> bool:
    """So much can have been given back: of a debit that failed meanwhile, of what it brought.

    A dispute that took the amount while the refund was out does not undo it: the customer has both.
    """
    if refund.of is RefundOf.STRANDED:
        return refund.amount.minor <= receipt.stranded_minor
    if receipt.failed:
        return refund.amount.minor <= receipt.reported_minor + receipt.refund_due_minor
    return refund.amount.minor <= available_minor(receipt) + max(receipt.withheld_minor, 0)


def given(refund: Refund, receipt: Receipt) -> Receipt:
    """The customer has it back."""
    return _move(refund, receipt, refund.amount.minor)


def came_back(refund: Refund, receipt: Receipt) -> Receipt:
    """It failed after it was called done."""
    return _move(refund, receipt, -refund.amount.minor)


def ask_begun(payment: Payment, refund: Refund, ask_id: str | None) -> Payment:
    return _change(payment, ask_id, state=AskState.UNDER_WAY, refund_id=refund.id)


def ask_answered(payment: Payment, refund: Refund) -> Payment:
    """A refund of the lost time, under our own reference: what was asked for is not sent again."""
    ask = payment.next_ask
    same = ask is not None and (ask.receipt_id, ask.amount_minor) == (
        refund.receipt_id,
        refund.amount.minor,
    )
    return ask_begun(payment, refund, ask.id) if same and ask is not None else payment


def ask_done(payment: Payment, refund: Refund) -> Payment:
    return _change(payment, _asked(payment, refund), state=AskState.DONE)


def ask_failed(payment: Payment, refund: Refund) -> Payment:
    return _change(payment, _asked(payment, refund), state=AskState.REFUSED)


def ask_again(payment: Payment, refund: Refund) -> Payment:
    """It certainly did not leave: the next request is for the same ask."""
    ask = next((a for a in payment.asks if a.refund_id == refund.id), None)
    if ask is None or ask.state is AskState.REFUSED:
        return payment
    return _change(payment, ask.id, state=AskState.WANTED, refund_id=None)


def ask_refused(payment: Payment, fact: RefundStarted) -> Payment:
    return _change(payment, fact.ask_id, state=AskState.REFUSED)


def asks_end(payment: Payment, receipt: Receipt) -> Payment:
    """Nothing is left of this receipt: what was asked for of it, and not begun, is refused."""
    asks = tuple(
        replace(a, state=AskState.REFUSED)
        if a.receipt_id == receipt.id and a.state is AskState.WANTED
        else a
        for a in payment.asks
    )
    return replace(payment, asks=asks)


def _move(refund: Refund, receipt: Receipt, minor: int) -> Receipt:
    receipt = replace(receipt, refunded_minor=receipt.refunded_minor + minor)
    if refund.of is RefundOf.STRANDED:
        return replace(receipt, stranded_minor=receipt.stranded_minor - minor)
    return replace(receipt, refund_due_minor=receipt.refund_due_minor - minor)


def _asked(payment: Payment, refund: Refund) -> str | None:
    return next((a.id for a in payment.asks if a.refund_id == refund.id), None)


def _change(payment: Payment, ask_id: str | None, **changes: AskState | str | None) -> Payment:
    asks: tuple[RefundAsk, ...] = tuple(
        replace(a, **changes) if a.id == ask_id else a  # type: ignore[arg-type]
        for a in payment.asks
    )
    return replace(payment, asks=asks)
