"""A sign-up: its steps, what it looks like from outside, and when access may be granted. Pure.

    create_customer -> create_subscription -> checkout -> write_method -> finalize -> collect
                                              |      ^                       |           v
                                              |      +-- a higher amount ----+         active
                                              +-> drop_setup -> void -> cancel -> expired

Access is granted by an invoice that is paid, never by Stripe's word "active": a `send_invoice`
subscription is active from the start.
"""

from enum import StrEnum
from typing import assert_never

from twintill.domain.payment import Outcome, Payment, Reason, State


class Step(StrEnum):
    """Where the operation stands: what its next look will do."""

    CREATE_CUSTOMER = "create_customer"
    CREATE_SUBSCRIPTION = "create_subscription"
    CHECKOUT = "checkout"  # the customer's turn
    WRITE_METHOD = "write_method"
    FINALIZE = "finalize"
    COLLECT = "collect"
    DROP_SETUP = "drop_setup"
    VOID = "void"
    CANCEL = "cancel"
    ACTIVE = "active"
    EXPIRED = "expired"
    FAILED = "failed"


class SignupState(StrEnum):
    """What the API calls it."""

    CREATING = "creating"
    CHECKOUT_OPEN = "checkout_open"
    COLLECTING = "collecting"
    ACTION_REQUIRED = "action_required"
    ACTIVE = "active"
    EXPIRED = "expired"
    FAILED = "failed"


class Access(StrEnum):
    """What the payment of the first invoice says about access."""

    GRANTED = "granted"
    LOST = "lost"  # the invoice was closed without being paid
    WAITING = "waiting"


# Closed, and nobody owes anything: a trial's first invoice, or one paid in Stripe by somebody.
_SETTLED = frozenset((Reason.NOTHING_DUE, Reason.PAID_ELSEWHERE))
_CLOSED = frozenset((State.CANCELED, State.STRANDED, State.REFUNDED))
_CUSTOMERS_TURN = frozenset((Reason.RETRY, Reason.NO_METHOD, Reason.FAILED_LATE, Reason.CONSENT))


def access(payment: Payment) -> Access:
    """Whether Stripe shows the first invoice paid, or never will."""
    if payment.reported_minor > 0 and payment.state is not State.REFUNDED:
        return Access.GRANTED
    if payment.state not in _CLOSED:
        return Access.WAITING
    return Access.GRANTED if payment.reason in _SETTLED else Access.LOST


def needs_customer(payment: Payment) -> bool:
    """Declined, or waiting for an approval: nothing happens before the customer does something."""
    attempt = payment.unresolved_attempt
    if attempt is not None:
        return attempt.outcome is Outcome.NEEDS_CUSTOMER
    if payment.state is State.EXHAUSTED:
        return True
    return payment.state is State.WAITING and payment.reason in _CUSTOMERS_TURN


def needs_method(payment: Payment) -> bool:
    """Whether another payment method would help: the last one was declined, or is gone."""
    held = payment.reason in (Reason.CONSENT, Reason.UNCOLLECTIBLE)
    return needs_customer(payment) and payment.unresolved_attempt is None and not held


def state_of(step: Step, payment: Payment | None, *, confirming: bool) -> SignupState:
    """The state of a sign-up from where its operation and its payment stand.

    `confirming`: the page asks the customer whether a higher amount is all right.
    """
    match step:
        case Step.CREATE_CUSTOMER | Step.CREATE_SUBSCRIPTION:
            return SignupState.CREATING
        case Step.ACTIVE | Step.FAILED:
            return SignupState(step.value)
        case Step.DROP_SETUP | Step.VOID | Step.CANCEL | Step.EXPIRED:
            return SignupState.EXPIRED
        case Step.CHECKOUT:
            return SignupState.ACTION_REQUIRED if confirming else SignupState.CHECKOUT_OPEN
        case Step.WRITE_METHOD | Step.FINALIZE | Step.COLLECT:
            stuck = payment is not None and step is Step.COLLECT and needs_customer(payment)
            return SignupState.ACTION_REQUIRED if stuck else SignupState.COLLECTING
    assert_never(step)


def is_agreed(final_minor: int, shown_minor: int) -> bool:
    """By finishing the page the customer agreed to what it showed, and to anything below it."""
    return final_minor <= shown_minor
