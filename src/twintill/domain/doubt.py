"""In doubt: how an unanswered attempt is asked for, when the same key may be sent again, and when
a person must look.

MONEY: a missing answer is not a decline. Look up first where a reliable look-up exists; replay the
same key only inside a share of the processor's window and only after a fresh last look; "not
found" proves "not charged" only after window and look-up lag.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.domain.outcomes import NotSentReason
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Refund
from twintill.domain.policy import Policy, pause_after


@dataclass(frozen=True, slots=True)
class Window:
    """A processor's idempotency key and look-up, as its capabilities state them."""

    key_window: timedelta
    look_up_lag: timedelta
    reliable_look_up: bool


def may_replay(attempt: Attempt | Refund, window: Window, policy: Policy, now: datetime) -> bool:
    """Whether the same key, with the same bytes, is still safe to send."""
    share = timedelta(seconds=window.key_window.total_seconds() * policy.replay_share)
    return now < attempt.first_sent_at + share


def nothing_can_appear(attempt: Attempt | Refund, window: Window, now: datetime) -> bool:
    """Whether a look-up that finds nothing now proves that nothing was charged."""
    return window.reliable_look_up and now > nothing_arrives_after(attempt, window)


def nothing_arrives_after(attempt: Attempt | Refund, window: Window) -> datetime:
    """The end of the key's window, and of the time that a look-up may lag behind."""
    return attempt.first_sent_at + window.key_window + window.look_up_lag


def overdue(attempt: Attempt | Refund, policy: Policy, now: datetime) -> bool:
    """Whether it has been out for longer than anybody should have to wait: a person looks."""
    known = attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER)
    return now > attempt.first_sent_at + (
        policy.pending_deadline if known else policy.doubt_deadline
    )


def next_ask(attempt: Attempt | Refund, policy: Policy, now: datetime) -> datetime:
    """When to ask for its outcome again."""
    return now + pause_after(policy.ask_pauses, attempt.asked)


def may_still_arrive(payment: Payment, now: datetime) -> bool:
    """A person said "not charged" of a request that may: nothing brings the next one forward."""
    if payment.reason is not Reason.NOT_SENT or payment.next_look_at is None:
        return False
    said = bool(payment.attempts) and payment.attempts[-1].code == NotSentReason.PERSON
    return said and payment.next_look_at > now
