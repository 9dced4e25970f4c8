"""Facts about invoices that somebody has us close."""

from dataclasses import dataclass

from twintill.domain.invoice import InvoiceLook


@dataclass(frozen=True, slots=True)
class InvoiceClosed:
    """Somebody had us void, write off or delete the invoice; `look`: Stripe's answer to that."""

    look: InvoiceLook
