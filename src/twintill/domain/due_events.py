"""The events about due dates: part of the catalogue."""

from twintill.domain.event_type import EventType

DUE_SOON = "invoice.due_soon"
OVERDUE = "invoice.overdue"

_INVOICE = {
    "id": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "object": "invoice",
    "customer": "cus_QXg1o8vcGmoR32",
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "number": "A1B2-0001",
    "currency": "eur",
    "amount_due": 4900,
    "amount_remaining": 4900,
    "due_date": 1797844800,
    "payment": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "payment_state": "exhausted",
}

DUE_EVENTS = (
    EventType(
        DUE_SOON,
        "An open invoice is due within `due_notice` (a week, by default), whoever collects it: "
        "`payment` is null where nobody does by itself (it is paid by wire, or by hand). Once for "
        "each due date. Stripe's own event for it comes only from an automation.",
        _INVOICE,
    ),
    EventType(
        OVERDUE,
        "An invoice is open, and its due date has passed. Once for each due date. Not while money "
        "of it is here that Stripe is about to be told of.",
        _INVOICE,
    ),
)
