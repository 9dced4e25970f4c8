"""What `decide` answers: the payment as it will be, what to do next, and what to post."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from twintill.domain.follow_on import FollowOn
from twintill.domain.ledger import LedgerTransaction
from twintill.domain.money_back import CreditNote
from twintill.domain.payment import UNANSWERED, Attempt, Payment, Reason, Refund, State
from twintill.domain.policy import AtEnd, Exhausted, Fate
from twintill.errors import BrokenInvariant


@dataclass(frozen=True, slots=True)
class Send:
    """Only the caller who holds this may call the processor, once."""

    attempt: Attempt


class Notice(StrEnum):
    """What the user's app is told."""

    COLLECTED = "payment.collected"
    REPORTED = "payment.reported"
    PENDING = "payment.pending"
    DECLINED = "payment.declined"
    IN_DUNNING = "payment.in_dunning"
    EXHAUSTED = "payment.exhausted"
    CANCELED = "payment.canceled"
    STRANDED = "payment.stranded"
    REFUNDED = "payment.refunded"
    REFUND_FAILED = "payment.refund_failed"
    DISPUTED = "payment.disputed"
    DISPUTE_WON = "payment.dispute_won"
    DISPUTE_LOST = "payment.dispute_lost"
    FAILED_LATE = "payment.failed_late"
    NEEDS_PERSON = "payment.needs_person"


@dataclass(frozen=True, slots=True)
class Decision:
    """The one result of `decide`; `apply` writes all of it in the transaction of the fact."""

    payment: Payment
    send: Send | None = None
    postings: tuple[LedgerTransaction, ...] = ()
    notices: tuple[Notice, ...] = ()
    attempt_id: str | None = None  # the attempt that the fact was about, for the history
    note: str | None = None  # observed, and without effect
    give_back: Refund | None = None  # only the caller who holds this may ask for it, once
    conclude: Exhausted | AtEnd | None = None  # only the caller who holds this may do it in Stripe
    make_note: CreditNote | None = None  # only the caller who holds this may make it in Stripe
    follow_on: FollowOn | None = None  # an operation, begun in the same commit
    fate: Fate = Fate.NOTHING  # of its subscription: an operation, begun in the same commit

    @property
    def goes_on(self) -> bool:
        """The caller has something to do outside now, and keeps the lease."""
        todos = (self.send, self.give_back, self.conclude, self.make_note)
        return any(todo is not None for todo in todos)


def with_attempt(payment: Payment, attempt: Attempt) -> Payment:
    """The payment with this attempt put in place of its former self, or added."""
    others = tuple(a for a in payment.attempts if a.id != attempt.id)
    ordered = sorted((*others, attempt), key=lambda a: a.n)
    return replace(payment, attempts=tuple(ordered))


def with_refund(payment: Payment, refund: Refund) -> Payment:
    """The same for a refund."""
    others = tuple(r for r in payment.refunds if r.id != refund.id)
    return replace(payment, refunds=tuple(sorted((*others, refund), key=lambda r: r.n)))


def find_attempt(payment: Payment, attempt_id: str) -> Attempt:
    """Raises BrokenInvariant when the attempt is not this payment's."""
    attempt = next((a for a in payment.attempts if a.id == attempt_id), None)
    if attempt is None:
        raise BrokenInvariant(f"{attempt_id} is not an attempt of {payment.id}")
    return attempt


def look_again(payment: Payment, at: datetime) -> Payment:
    """Look then; money that waits to be reported does not wait for an attempt that is out."""
    if payment.unapplied_minor and payment.next_look_at is not None:
        at = min(at, payment.next_look_at)
    return replace(payment, next_look_at=at)


def parked(payment: Payment, why: str) -> Payment:
    """For a person: no worker looks at it before it is unparked."""
    return replace(payment, parked_why=why, ended=False)


def answer_is_here(payment: Payment) -> Payment:
    """A person was called because nobody answered: not needed any more."""
    waited = payment.reason in UNANSWERED
    return replace(payment, parked_why=None) if waited else payment


def unless_it_differs(payment: Payment, reason: Reason) -> Reason:
    """A contradiction about the amount is for a person, whatever comes after it."""
    return Reason.AMOUNT_DIFFERS if payment.reason is Reason.AMOUNT_DIFFERS else reason


def waiting(payment: Payment, reason: Reason, until: datetime) -> Payment:
    return replace(payment, state=State.WAITING, reason=reason, next_look_at=until, ended=False)


def ended(payment: Payment, state: State, reason: Reason) -> Payment:
    return replace(payment, state=state, reason=reason, next_look_at=None, ended=True)
