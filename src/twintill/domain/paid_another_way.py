"""A person has given a customer his money back outside any processor: a transfer, a cheque. Pure.

His word is booked against `hand:paid_out`. What was owed is paid by it; of money that Stripe counts
as paid a credit note follows. Nothing may be on its way that could give it back a second time.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain import ledger, refund_books
from twintill.domain.afterwards import at_rest, owed, rest_or_go_on
from twintill.domain.decision import Decision, Notice, with_refund
from twintill.domain.money_back import AskState, RefundAsk
from twintill.domain.outcomes import Finality
from twintill.domain.payment import Outcome, Payment, Receipt, Refund, RefundOf, State
from twintill.domain.refund_asks import Refused, choose
from twintill.domain.return_facts import PaidAnotherWay
from twintill.money import Money


def choose_paid(payment: Payment, amount_minor: int | None) -> tuple[Receipt, int] | Refused:
    """Which receipt it was of, and how much; None: all that is owed, else all that is left."""
    busy = _busy(payment)
    if busy is not None:
        return busy
    due = _due(payment)
    if due is None:
        return choose(payment, amount_minor)
    receipt, due_minor = due
    if payment.parked_why is None:
        why = "it goes back by itself through its processor: this is for what waits for a person"
        return Refused("goes_back_by_itself", why)
    amount_minor = due_minor if amount_minor is None else amount_minor
    if amount_minor > due_minor:
        left = Money(due_minor, payment.currency)
        return Refused("amount_over_what_is_left", f"{left} is owed to the customer, not more")
    if receipt.finality is not Finality.FINAL:
        why = "this debit may still fail: the customer could have it twice"
        return Refused("not_final", why)
    return receipt, amount_minor


def paid_another_way(payment: Payment, fact: PaidAnotherWay, now: datetime) -> Decision:
    """The door has asked `choose_paid` under the same lock: what does not fit any more is noted."""
    if any(ask.id == fact.ask_id for ask in payment.asks):
        return Decision(payment, note="told already")
    chosen = choose_paid(payment, fact.amount_minor)
    if isinstance(chosen, Refused):
        return Decision(payment, note=chosen.why)
    receipt, amount_minor = chosen
    if receipt.id != fact.receipt_id or fact.n != payment.next_refund_n:
        return Decision(payment, note="of something else by now")
    refund = _refund(payment, receipt, fact, now)
    posted = ledger.refunded(replace(refund, outcome=Outcome.STARTED), receipt)
    given = refund_books.given(refund, receipt)
    receipts = tuple(given if r.id == given.id else r for r in payment.receipts)
    ask = RefundAsk(
        fact.ask_id,
        receipt.id,
        amount_minor,
        f"paid another way ({fact.reference}): {fact.why}",
        fact.by,
        now,
        AskState.DONE,
        refund.id,
    )
    payment = replace(with_refund(payment, refund), receipts=receipts, asks=(*payment.asks, ask))
    return Decision(_goes_on(payment, now), None, (posted,), (Notice.REFUNDED,), refund.id)


def _busy(payment: Payment) -> Refused | None:
    if payment.unapplied_minor:
        return Refused("not_reported_yet", "its money is being reported to Stripe: try again soon")
    if payment.unresolved_refund is not None or payment.unresolved_attempt is not None:
        why = "a request to its processor has no end yet: the customer could have it twice"
        return Refused("refund_under_way", why)
    if payment.open_dispute is not None:
        return Refused("disputed", "a dispute holds this money: it ends the dispute, not a refund")
    if payment.compare_at is not None:
        why = "refunds and credit notes are about to be compared: unpark it first, then say so"
        return Refused("being_compared", why)
    return None


def _due(payment: Payment) -> tuple[Receipt, int] | None:
    """What is owed to the customer: what Stripe never took, else what was credited."""
    stranded = payment.receipt_to_give_back
    if stranded is not None:
        return stranded, stranded.to_give_back_minor
    due = owed(payment)
    return None if due is None else (due, due.refund_due_minor)


def _refund(payment: Payment, receipt: Receipt, fact: PaidAnotherWay, now: datetime) -> Refund:
    attempt = next(a for a in payment.attempts if a.id == receipt.attempt_id)
    return Refund(
        id=fact.refund_id,
        n=fact.n,
        receipt_id=receipt.id,
        processor=attempt.processor,
        processor_account_id=attempt.processor_account_id,
        amount=Money(fact.amount_minor, payment.currency),
        reference=f"another-way-{fact.refund_id}",
        idempotency_key=f"another-way-{fact.refund_id}",
        first_sent_at=now,
        of=RefundOf.STRANDED if receipt.to_give_back_minor else RefundOf.REPORTED,
        sendings=0,
        outcome=Outcome.APPROVED,
        another_way=fact.reference,
        answered_at=now,
    )


def _goes_on(payment: Payment, now: datetime) -> Payment:
    """Whoever says so has looked at it: nothing is owed any more, and it is no person's any more.

    A part was paid: the rest still waits for one.
    """
    if _due(payment) is not None:
        return payment
    payment = replace(payment, parked_why=None)
    if payment.state is State.STRANDED:
        state = State.REPORTED if payment.reported_minor else State.REFUNDED
        return at_rest(replace(payment, state=state, reason=None), now)
    return rest_or_go_on(replace(payment, reason=None), now)
