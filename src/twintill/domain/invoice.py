"""Stripe's invoice as we see it: one look, its rank, and when it counts as closed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    UNCOLLECTIBLE = "uncollectible"
    PAID = "paid"
    VOID = "void"
    DELETED = "deleted"


_RANK = {
    InvoiceStatus.DRAFT: 0,
    InvoiceStatus.OPEN: 1,
    InvoiceStatus.UNCOLLECTIBLE: 2,
    InvoiceStatus.PAID: 3,
    InvoiceStatus.VOID: 3,
    InvoiceStatus.DELETED: 3,
}


def rank(status: InvoiceStatus) -> int:
    """How far an invoice has come; an event's status only counts when it is further.

    Events come in any order; their timestamps have whole seconds and cannot order them.
    """
    return _RANK[status]


class StripePayment(StrEnum):
    """What Stripe itself has collected, or is collecting, on this invoice."""

    NONE = "none"
    PROCESSING = "processing"  # a bank debit begun on Stripe's hosted page
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class InvoiceLook:
    """One readable answer of Stripe about one invoice; amounts in minor units of `currency`."""

    invoice_id: str
    status: InvoiceStatus
    currency: str
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    collection_method: str
    livemode: bool
    due_at: datetime | None
    stripe_payment: StripePayment = StripePayment.NONE
    stripe_paid_minor: int | None = None  # Stripe's own share of it; None: not shown
    # From the invoice's metadata, see `stripe_billing.marks`.
    highest_n: int = 0  # of this installation
    foreign_installation: str | None = None
    our_reference: str | None = None  # the processor's reference that we wrote before `pay`
    handed_by: str | None = None  # the operation of ours that handed it over to Stripe's side
    # From its credit notes and balance.
    credited_minor: int = 0

    @property
    def closed(self) -> bool:
        """Void, deleted, or paid. Uncollectible is not closed: Stripe still takes the report."""
        return self.status in (InvoiceStatus.VOID, InvoiceStatus.DELETED, InvoiceStatus.PAID)

    @property
    def closed_by_others(self) -> bool:
        """Surely so. Who marked it as paid by hand may have done it because of our charge."""
        if self.status is not InvoiceStatus.PAID:
            return self.closed
        share_minor = self.stripe_paid_minor
        all_stripes = share_minor is None or share_minor >= self.amount_paid_minor
        by_stripe = self.stripe_payment is StripePayment.PAID and all_stripes
        return by_stripe or self.amount_paid_minor == 0
