"""A refund that certainly did not leave: when it is asked for again (part of `decide`). Pure.

Another way than a refusal: nothing was decided about it. What no waiting mends ends with a person.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from twintill.domain import refund_books
from twintill.domain.afterwards import rest_or_go_on
from twintill.domain.decision import Decision, Notice, parked, with_refund
from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.domain.payment import Outcome, Payment, Refund
from twintill.domain.policy import Policy, pause_after

# How a parking for a refund's own sake begins: its answer lifts that one, and no other.
NOT_GIVEN = "the processor does not give it back"


def not_sent(
    payment: Payment, refund: Refund, told: NotSent, policy: Policy, now: datetime
) -> Decision:
    """Certain that nothing happened: later, under a new key."""
    unsent = replace(
        refund,
        outcome=Outcome.NOT_SENT,
        code=told.reason.value,
        detail=told.detail,
        answered_at=now,
    )
    payment = refund_books.ask_again(with_refund(payment, unsent), unsent)
    tries = _in_a_row(payment)
    wait = pause_after(policy.not_sent_pauses, tries - 1)
    wait = max(wait, timedelta(seconds=told.wait_s or 0))
    payment = rest_or_go_on(payment, now + wait)
    if told.reason is NotSentReason.CONFIG and tries > len(policy.not_sent_pauses):
        why = f"{NOT_GIVEN}: something is not set up there ({told.detail}); mend it and unpark it"
        payment = parked(payment, payment.parked_why or why)
        return Decision(payment, attempt_id=refund.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=refund.id)


def _in_a_row(payment: Payment) -> int:
    return len(list(takewhile(lambda r: r.outcome is Outcome.NOT_SENT, reversed(payment.refunds))))
