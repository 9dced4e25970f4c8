"""An invoice of the simulated Stripe, with its rules about amounts, and how Stripe shows it."""

from dataclasses import dataclass, field
from typing import Any

from twintill.domain.invoice import InvoiceLook, InvoiceStatus


@dataclass
class Invoice:
    """Stripe's document; amounts in minor units."""

    id: str
    customer_id: str
    currency: str
    total_minor: int
    due_s: float
    status: InvoiceStatus = InvoiceStatus.OPEN
    metadata: dict[str, str] = field(default_factory=dict)
    credited_minor: int = 0
    paid_by_us_minor: int = 0
    paid_by_stripe_minor: int = 0
    paid_by_hand_minor: int = 0
    created_s: float = 0.0
    stripe_debit: bool = False  # begun on Stripe's hosted page, and not finished
    looks: list[tuple[float, InvoiceLook]] = field(default_factory=list)  # ours, when answered
    taken_back_minor: int = 0  # by credit notes, of what we had told of
    shown_minor: int = 0  # what remained when we wrote to it last
    one_off: bool = False
    collection_method: str = "send_invoice"
    default_payment_method: str | None = None  # Stripe's own
    auto_advance: bool = True
    finalization_error: str | None = None
    stripe_tries: int = 0
    taken_by_stripe: bool = False  # charged there, not by a customer on its page
    pay_calls: int = 0  # begun by us, whether or not they arrived

    @property
    def subscription_id(self) -> str | None:
        return None if self.one_off else subscription_of(self.customer_id)

    @property
    def told_minor(self) -> int:
        """What we told of, and still stands."""
        return self.paid_by_us_minor - self.taken_back_minor

    @property
    def paid_minor(self) -> int:
        return self.paid_by_us_minor + self.paid_by_stripe_minor + self.paid_by_hand_minor

    @property
    def remaining_minor(self) -> int:
        return max(0, self.total_minor - self.credited_minor - self.paid_minor)


def subscription_of(customer_id: str) -> str:
    """Each customer has one."""
    return f"sub_{customer_id}"


def shape_of(invoice: Invoice) -> dict[str, Any]:
    return {
        "object": "invoice",
        "id": invoice.id,
        "customer": invoice.customer_id,
        "subscription": invoice.subscription_id,
        "created": int(invoice.created_s),
        "livemode": False,
        "status": invoice.status.value,
        "currency": invoice.currency.lower(),
        "amount_due": invoice.total_minor - invoice.credited_minor,
        "amount_paid": invoice.paid_minor,
        "amount_remaining": invoice.remaining_minor,
        "collection_method": invoice.collection_method,
        "auto_advance": invoice.auto_advance,
        "last_finalization_error": {"code": invoice.finalization_error},
        "due_date": int(invoice.due_s),
        "metadata": dict(invoice.metadata),
    }
