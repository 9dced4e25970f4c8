"""What Stripe and the processors show against what our books say, in a person's words. Pure.

A difference is told only of what does not move any more: an attempt or a refund without an answer,
and money that waits to be reported, or compared, have their own way to an end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from twintill.domain.afterwards import is_pending
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    LookUp,
    NoAnswer,
    NotFound,
    NotSent,
)
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, Refund, State
from twintill.money import Money


@dataclass(frozen=True, slots=True)
class Listed:
    """An invoice as Stripe lists it; amounts in minor units of its currency."""

    look: InvoiceLook
    customer_id: str | None
    created_at: datetime | None
    paid_by_stripe_minor: int = 0

    @property
    def out_of_band_minor(self) -> int:
        """Paid, and by no payment of Stripe's own."""
        return self.look.amount_paid_minor - self.paid_by_stripe_minor


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is for programs, `says` for people; ids of both sides where there are any."""

    kind: str
    says: str
    invoice_id: str
    payment_id: str | None = None
    attempt_id: str | None = None
    processor_payment_id: str | None = None
    processor_refund_id: str | None = None


_CLOSED = frozenset(
    (Reason.INVOICE_VOID, Reason.INVOICE_DELETED, Reason.PAID_ELSEWHERE, Reason.NOTHING_DUE)
)


def compare_invoice(payment: Payment, listed: Listed) -> list[Difference]:
    """Our books of one invoice against Stripe's."""
    look = listed.look
    told = [*_money(payment, listed), *_marks(payment, look)]
    if look.currency != payment.currency and look.status is not InvoiceStatus.DELETED:
        told.append(("currency", f"it is in {look.currency}, our payment in {payment.currency}"))
    closed = payment.state is State.CANCELED and payment.reason in _CLOSED
    if closed and look.status is InvoiceStatus.OPEN and look.collection_method == "send_invoice":
        told.append(("open_there", f"we gave up on it ({payment.reason}), Stripe shows it open"))
    return [Difference(kind, says, look.invoice_id, payment.id) for kind, says in told]


def compare_unknown(listed: Listed, *, ours: bool) -> list[Difference]:
    """An invoice without a payment here; `ours`: we collect from this customer."""
    look = listed.look
    marked = look.highest_n > 0 or look.our_reference is not None
    waits = look.status is InvoiceStatus.OPEN and look.collection_method == "send_invoice"
    if marked:
        says = "it carries our marks, and this database does not know it: was a backup restored?"
        return [Difference("unknown_here", says, look.invoice_id)]
    if ours and waits and look.amount_remaining_minor > 0:
        says = "it is open at Stripe, for a customer of ours, and this database does not know it"
        return [Difference("unknown_here", says, look.invoice_id)]
    return []


def compare_attempt(payment: Payment, attempt: Attempt, found: LookUp) -> list[Difference]:
    """One attempt against what a reliable look-up by its reference shows."""
    if attempt.unresolved or isinstance(found, NoAnswer | NotSent):
        return []
    there = None if isinstance(found, NotFound) else found.processor_payment_id
    if attempt.outcome is Outcome.APPROVED:
        said = _of_approved(payment, attempt, found)
    elif isinstance(found, NotFound | Declined):
        said = None
    else:
        shown = type(found).__name__.lower()
        said = ("charged_there", f"we say {attempt.outcome}, the processor shows it {shown}")
    if said is None:
        return []
    kind, says = said
    return [Difference(kind, says, payment.invoice_id, payment.id, attempt.id, there)]


def compare_next(payment: Payment, reference: str, found: LookUp) -> list[Difference]:
    """Under the reference of the attempt that was not made yet, nothing may be."""
    if isinstance(found, NoAnswer | NotSent | NotFound):
        return []
    says = (
        f"the processor has a charge under {reference}, which we have not made: another copy with "
        "the same keys, or a backup was restored"
    )
    there = found.processor_payment_id
    return [Difference("unknown_charge", says, payment.invoice_id, payment.id, None, there)]


def compare_refund(
    payment: Payment, attempt: Attempt, refund: Refund, found: LookUp
) -> list[Difference]:
    """One refund of that attempt's receipt against what the processor's list shows of it.

    What is under way there counts as given back: when it fails, that is told.
    """
    if refund.unresolved or refund.another_way is not None:
        return []
    ours, back = refund.outcome is Outcome.APPROVED, isinstance(found, Approved | Accepted)
    shown = "nothing" if isinstance(found, NotFound) else type(found).__name__.lower()
    if ours and not back:
        says = f"we say that {refund.amount} was given back, the processor shows {shown}"
        return [_of_refund("not_refunded_there", says, payment, attempt, refund)]
    if back and not ours:
        says = f"we say that giving back was {refund.outcome}, the processor shows it {shown}"
        return [_of_refund("refunded_there", says, payment, attempt, refund)]
    if isinstance(found, Approved) and found.amount != refund.amount:
        says = f"we say that {refund.amount} was given back, the processor {found.amount}"
        return [_of_refund("amounts_differ", says, payment, attempt, refund)]
    return []


def compare_unknown_refund(
    payment: Payment, receipt: Receipt, attempt: Attempt, refund_id: str, amount: Money
) -> list[Difference]:
    """The processor shows it, done or under way, and no refund of ours is it."""
    if _is_listed_soon(payment, receipt):
        return []
    says = f"the processor shows {amount} given back ({refund_id}), which our books do not know"
    return [
        Difference(
            "refunded_there",
            says,
            payment.invoice_id,
            payment.id,
            attempt.id,
            attempt.processor_payment_id,
            refund_id,
        )
    ]


def _is_listed_soon(payment: Payment, receipt: Receipt) -> bool:
    """Its refunds are listed before anything more follows, and what is new there is learned."""
    if payment.compare_at is not None or payment.unresolved_refund is not None:
        return True
    goes_back = receipt.to_give_back_minor > 0 and not payment.is_held(receipt.id)
    return payment.parked_why is None and (goes_back or is_pending(payment))


def _of_refund(
    kind: str, says: str, payment: Payment, attempt: Attempt, refund: Refund
) -> Difference:
    there = attempt.processor_payment_id, refund.processor_refund_id
    return Difference(kind, says, payment.invoice_id, payment.id, refund.id, *there)


def _money(payment: Payment, listed: Listed) -> Iterator[tuple[str, str]]:
    look, reported = listed.look, payment.told_minor
    shown = Money(listed.out_of_band_minor, look.currency)
    if reported and look.status is not InvoiceStatus.PAID:
        told = Money(reported, payment.currency)
        yield "not_paid_there", f"we reported {told}, Stripe shows the invoice as {look.status}"
    elif reported and listed.out_of_band_minor != reported:
        told = Money(reported, payment.currency)
        yield "amounts_differ", f"we reported {told}, Stripe shows {shown} paid out of band"
    ours = look.our_reference in {a.reference for a in payment.attempts}
    kept = payment.state not in (State.STRANDED, State.REFUNDED)  # else its money went back
    if not reported and payment.ended and ours and kept and listed.out_of_band_minor > 0:
        yield (
            "reported_there",
            f"Stripe shows {shown} paid out of band under our reference, our books no report",
        )


def _marks(payment: Payment, look: InvoiceLook) -> Iterator[tuple[str, str]]:
    if look.highest_n > payment.next_n:
        made = f"attempt {look.highest_n}, this database of {payment.next_n - 1}"
        yield "unknown_attempt", f"its marks speak of {made}: was a backup restored?"
    if look.foreign_installation is not None:
        other = f"installation {look.foreign_installation}"
        yield "another_installation", f"{other} has marked it too: two copies run with one key"


def _of_approved(payment: Payment, attempt: Attempt, found: LookUp) -> tuple[str, str] | None:
    if not isinstance(found, Approved):
        shown = "nothing" if isinstance(found, NotFound) else type(found).__name__.lower()
        return "not_charged_there", f"we say that it was charged, the processor shows {shown}"
    if found.processor_payment_id != attempt.processor_payment_id:
        return "another_charge", f"we know the charge as {attempt.processor_payment_id}"
    receipt = next((r for r in payment.receipts if r.attempt_id == attempt.id), None)
    ours = attempt.amount
    if receipt is not None and receipt.collected_minor < ours.minor:
        ours = Money(receipt.collected_minor, receipt.currency)  # approved in part
    if found.amount != ours:
        return "amounts_differ", f"we say {ours}, the processor {found.amount}"
    return None
