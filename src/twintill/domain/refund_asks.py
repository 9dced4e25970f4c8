"""Asking for a refund of reported money: when it may be asked for, and of which receipt. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from twintill.domain.afterwards import available_minor, owed, rest_or_go_on
from twintill.domain.decision import Decision
from twintill.domain.money_back import RefundAsk
from twintill.domain.outcomes import Finality
from twintill.domain.payment import Payment, Receipt
from twintill.domain.return_facts import RefundAsked
from twintill.money import Money


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it may not: a code for programs, a sentence for people."""

    code: str
    why: str


def choose(payment: Payment, amount_minor: int | None) -> tuple[Receipt, int] | Refused:
    """Which receipt it is given back from, and how much; None asks for all that is left.

    One receipt at a time: nearly every invoice has only one.
    """
    held = _held(payment)
    if held is not None:
        return held
    kept = [r for r in payment.receipts if r.attempt_id is not None and available_minor(r) > 0]
    if not kept:
        return Refused("nothing_to_refund", "no collected money of this payment is left to refund")
    receipt = max(kept, key=available_minor)
    left_minor = available_minor(receipt)
    amount_minor = left_minor if amount_minor is None else amount_minor
    if amount_minor > left_minor:
        left = Money(left_minor, payment.currency)
        return Refused("amount_over_what_is_left", f"at most {left} of it can still be refunded")
    if receipt.finality is not Finality.FINAL:
        why = "this debit may still fail: refunding it now could pay the customer twice"
        return Refused("not_final", why)
    return receipt, amount_minor


def refund_asked(payment: Payment, fact: RefundAsked, now: datetime) -> Decision:
    """The door has asked `choose` under the same lock: what does not fit any more is noted."""
    if any(ask.id == fact.ask_id for ask in payment.asks):
        return Decision(payment, note="asked for already")
    chosen = choose(payment, fact.amount_minor)
    if isinstance(chosen, Refused):
        return Decision(payment, note=chosen.why)
    if chosen[0].id != fact.receipt_id:
        return Decision(payment, note="of another receipt by now")
    ask = RefundAsk(fact.ask_id, fact.receipt_id, fact.amount_minor, fact.why, fact.by, now)
    return Decision(rest_or_go_on(replace(payment, asks=(*payment.asks, ask)), now))


def _held(payment: Payment) -> Refused | None:
    if payment.parked_why is not None:
        return Refused("needs_person", f"this payment waits for a person: {payment.parked_why}")
    if payment.unapplied_minor:
        return Refused("not_reported_yet", "its money is being reported to Stripe: try again soon")
    if payment.receipt_to_give_back is not None:
        return Refused("goes_back_by_itself", "stranded money of this payment goes back by itself")
    if payment.unresolved_refund is not None or payment.next_ask is not None:
        return Refused("refund_under_way", "another refund of this payment has no end yet")
    if owed(payment) is not None:
        why = "a credit note was made in Stripe, and is being refunded: wait for that one"
        return Refused("refund_under_way", why)
    if payment.compare_at is not None:
        why = (
            "a refund or a credit note was made by hand a moment ago: both sides are compared at "
            f"{payment.compare_at:%H:%M:%S} UTC, ask again after that"
        )
        return Refused("being_compared", why)
    if payment.open_dispute is not None:
        return Refused("disputed", "a dispute holds this money: it ends the dispute, not a refund")
    return None
