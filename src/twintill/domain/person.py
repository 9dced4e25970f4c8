"""A person's word about an attempt that nobody answered: when it is taken, and what follows. Pure.

The processor is asked once more, and its own record comes before anybody's word. "Charged" must
name a payment of exactly the amount that was asked for, found under our reference where the
processor can be asked so. "Not charged" lets a new key be used: while the old request may still
arrive it is refused, or, where the person insists, the next charge waits until it cannot any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twintill.domain.answers import answered
from twintill.domain.decision import Decision, find_attempt
from twintill.domain.doubt import Window, nothing_arrives_after
from twintill.domain.facts import (
    Answered,
    PersonSaid,
    Via,
)
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    Finality,
    LookUp,
    NeedsCustomer,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Attempt, Payment, State
from twintill.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Taken:
    """The person's word counts; `heard` is what the processor said of it."""

    outcome: Approved | NotSent
    heard: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The processor knows better: its own record is learned instead."""

    outcome: ChargeOutcome


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changes; `code` is for programs, `sentence` names the rule."""

    code: str
    sentence: str


def person_said(payment: Payment, fact: PersonSaid, policy: Policy, now: datetime) -> Decision:
    """What was parked because nobody knew goes on. Raises BrokenInvariant as `find_attempt`."""
    attempt = find_attempt(payment, fact.attempt_id)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if payment.state in (State.CHARGING, State.PENDING):
        payment = replace(payment, parked_why=None)
    return answered(payment, Answered(attempt.id, fact.outcome, Via.PERSON), policy, now)


def judge_charged(
    attempt: Attempt,
    processor_payment_id: str,
    shown: LookUp,
    under_reference: LookUp | None,
    *,
    without_asking: bool,
) -> Taken | Refused:
    """May `processor_payment_id` be taken for this attempt's?

    `shown`: what the processor answers about that id; `under_reference`: what it answers about our
    reference, None where it cannot be asked so. `without_asking` only counts where neither can be
    had.
    """
    named = attempt.processor_payment_id
    if named not in (None, processor_payment_id):
        why = f"the processor itself named this attempt {named}, not {processor_payment_id}"
        return Refused("another_charge", why)
    match shown:
        case Approved(amount=amount) if amount != attempt.amount:
            why = (
                f"{processor_payment_id} is of {amount}, and {attempt.amount} was asked for: only "
                "a payment of exactly that amount can be this attempt's"
            )
            return Refused("amount_differs", why)
        case Approved():
            heard = f"{processor_payment_id} is approved there"
            return _found_by_reference(attempt, shown, heard, under_reference, without_asking)
        case NoAnswer(detail) | NotSent(detail=detail) if without_asking:
            taken = Approved(processor_payment_id, attempt.amount, Finality.PROVISIONAL)
            heard = f"could not be asked ({detail})"
            return _found_by_reference(attempt, taken, heard, under_reference, without_asking)
    return _not_approved(processor_payment_id, shown)


def judge_not_charged(
    attempt: Attempt,
    found: LookUp | None,
    window: Window | None,
    policy: Policy,
    now: datetime,
    *,
    without_asking: bool,
    even_though: bool,
) -> Taken | Learned | Refused:
    """May this attempt count as never charged?

    `found`: what the processor answers, None where it has no way to be asked; `window` None: it is
    not known any more. `even_though` accepts that the request may still arrive, or that what was
    taken (another amount) was given back by hand.
    """
    match found:
        case Approved(amount=amount) if amount != attempt.amount and even_though:
            heard = f"the processor took {amount}"
        case Approved() | Declined() | Accepted() | NeedsCustomer():
            return Learned(found)
        case NoAnswer(detail) | NotSent(detail=detail):
            if not without_asking:
                return _cannot_be_asked(detail)
            heard = f"could not be asked ({detail})"
        case NotFound():
            heard = "the processor does not know it"
        case _:
            heard = "this processor cannot be asked"
    until = (
        nothing_arrives_after(attempt, window)
        if window is not None
        else attempt.first_sent_at + policy.doubt_deadline
    )
    if now <= until and not even_though:
        return Refused(
            "may_still_arrive",
            f"the request of {attempt.first_sent_at:%Y-%m-%d %H:%M} UTC may still arrive until "
            f"{until:%Y-%m-%d %H:%M} UTC, and a new charge could then be the second one",
        )
    wait_s = max(0, -(-(until - now) // timedelta(seconds=1)))
    return Taken(NotSent(NotSentReason.PERSON, "a person says so", wait_s), heard)


def _found_by_reference(
    attempt: Attempt,
    taken: Approved,
    heard: str,
    found: LookUp | None,
    without_asking: bool,  # noqa: FBT001 -- as the person said it
) -> Taken | Refused:
    match found:
        case None:
            return Taken(taken, heard)
        case NoAnswer(detail) | NotSent(detail=detail):
            return Taken(taken, heard) if without_asking else _cannot_be_asked(detail)
        case NotFound():
            why = (
                f"the processor shows nothing under our reference {attempt.reference}: "
                f"{taken.processor_payment_id} was charged for something else"
            )
            return Refused("not_our_reference", why)
        case _ if found.processor_payment_id == taken.processor_payment_id:
            if isinstance(found, Approved) and found.amount == attempt.amount:
                return Taken(found, f"{taken.processor_payment_id} is approved there")
            return _not_approved(taken.processor_payment_id, found)
    why = (
        f"under our reference {attempt.reference} the processor shows "
        f"{found.processor_payment_id}, not {taken.processor_payment_id}"
    )
    return Refused("another_charge", why)


def _not_approved(processor_payment_id: str, shown: LookUp) -> Refused:
    match shown:
        case Declined(code=code):
            why = f"the processor says that {processor_payment_id} was declined ({code})"
            return Refused("declined_there", f"{why}: resolve it as not charged")
        case NotFound():
            return Refused("unknown_there", f"the processor knows no {processor_payment_id}")
        case NoAnswer(detail) | NotSent(detail=detail):
            return _cannot_be_asked(detail)
    why = f"{processor_payment_id} is not approved at the processor: it is still under way there"
    return Refused("under_way", why)


def _cannot_be_asked(detail: str) -> Refused:
    return Refused("cannot_be_asked", f"the processor cannot be asked right now ({detail})")
