"""A switch of one subscription: who collects it from now on, and its invoices. Pure.

    to Stripe     subscription -> list -> (draft | hand -> act -> await -> unmark)* -> list
                  -> finish
    to processor  method -> subscription -> list -> (draft | pin | draft_again -> lines_again
                  -> stop -> void -> issue, or discard)* -> list -> forget -> write_method -> finish
    seen          somebody did it in Stripe's Dashboard: confirmed there after a while -> finish

An invoice's own collection_method says who collects it, so a switch of the subscription alone
never lets two sides at one invoice; what it does to open ones is the caller's choice.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment

BY_STRIPE, BY_US = "charge_automatically", "send_invoice"
KIND = "switch"
Entries = Mapping[str, Mapping[str, Any]]  # of invoices, by id: "status", and "did" once it is done


class To(StrEnum):
    STRIPE = "stripe"
    PROCESSOR = "processor"

    @property
    def collection_method(self) -> str:
        return BY_STRIPE if self is To.STRIPE else BY_US

    @property
    def former_collection_method(self) -> str:
        return BY_US if self is To.STRIPE else BY_STRIPE


class OpenInvoices(StrEnum):
    """What becomes of those that are open at the switch."""

    FINISH = "finish"  # to Stripe: we collect them to their end
    CHARGE_AT_STRIPE = "charge_at_stripe"
    VOID = "void"
    LEAVE = "leave"  # to a processor: Stripe goes on with them
    REINVOICE = "reinvoice"  # voided, and asked for again by an invoice that we collect


CHOICES = {
    To.STRIPE: (OpenInvoices.FINISH, OpenInvoices.CHARGE_AT_STRIPE, OpenInvoices.VOID),
    To.PROCESSOR: (OpenInvoices.LEAVE, OpenInvoices.REINVOICE),
}


class Step(StrEnum):
    METHOD = "method"
    SUBSCRIPTION = "subscription"
    LIST = "list"
    DRAFT = "draft"
    HAND = "hand"
    ACT = "act"
    AWAIT = "await"
    UNMARK = "unmark"
    PIN = "pin"
    DRAFT_AGAIN = "draft_again"
    LINES_AGAIN = "lines_again"
    STOP = "stop"
    VOID = "void"
    ISSUE = "issue"
    DISCARD = "discard"
    FORGET = "forget"
    WRITE_METHOD = "write_method"
    FINISH = "finish"
    SEEN = "seen"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"  # seen in Stripe, and taken back there before anything followed from it


class Did(StrEnum):
    """What became of one invoice."""

    CHANGED = "changed"  # a draft: the new side collects it
    WITH_US = "with_us"  # open: we collect it to its end
    CHARGED = "charged_at_stripe"
    VOIDED = "voided"
    CAME_BACK = "came_back"  # Stripe could not charge or void it: with us again
    NOT_OURS = "not_ours"  # the same, of one that its customer pays by wire
    LEFT = "left_to_stripe"
    REINVOICED = "reinvoiced"
    CLOSED = "closed"  # it ended by itself meanwhile


class SwitchState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"  # for the customer, for a charge that is out, for Stripe's bank debit
    NEEDS_PERSON = "needs_person"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


_WAITS = frozenset((Step.METHOD, Step.HAND, Step.AWAIT, Step.VOID, Step.SEEN))
_LAST = {
    Step.DONE: SwitchState.DONE,
    Step.FAILED: SwitchState.FAILED,
    Step.UNDONE: SwitchState.UNDONE,
}


def state_of(step: Step, *, parked: bool) -> SwitchState:
    if step in _LAST:
        return _LAST[step]
    if parked:
        return SwitchState.NEEDS_PERSON
    return SwitchState.WAITING if step in _WAITS else SwitchState.RUNNING


def next_invoice(entries: Entries) -> str | None:
    """The next one that something is still to be done about."""
    return next((invoice_id for invoice_id, one in entries.items() if "did" not in one), None)


def first_step(status: str, choice: OpenInvoices) -> Step:
    """What is to be done about an invoice of this status: a draft, or an open one."""
    if status == InvoiceStatus.DRAFT:
        return Step.DRAFT
    match choice:
        case OpenInvoices.LEAVE:
            return Step.PIN
        case OpenInvoices.REINVOICE:
            return Step.DRAFT_AGAIN
        case _:
            return Step.HAND


def ended_as(look: InvoiceLook) -> Did:
    """Of an invoice that is not open any more after it was handed over."""
    if look.status is InvoiceStatus.VOID:
        return Did.VOIDED
    paid_there = look.status is InvoiceStatus.PAID and look.stripe_payment is StripePayment.PAID
    return Did.CHARGED if paid_there else Did.CLOSED


def is_idle(look: InvoiceLook) -> bool:
    """Open, and nothing of Stripe's is on its way to pay it."""
    return look.status is InvoiceStatus.OPEN and look.stripe_payment is not StripePayment.PROCESSING
