"""The events about money by hand: part of the catalogue."""

from typing import Any

from twintill.domain.event_type import EventType
from twintill.domain.hand_news import APPLIED, CORRECTED, CREDITED, RECORDED, UNDONE

_HAND = {
    "id": "hp_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "hand_payment",
    "payment": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "invoice": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "customer": "cus_QXg1o8vcGmoR32",
    "kind": "cheque",
    "amount": 4900,
    "currency": "eur",
    "received_on": "2026-11-20",
    "reference": "cheque 000123",
    "recorded_by": "person:ada",
    "state": "applied",
    "credit": 0,
    "source": None,
    "why": None,
}


def _hand(name: str, when: str, **otherwise: Any) -> EventType:
    return EventType(name, when, {**_HAND, **otherwise})


HAND_EVENTS: tuple[EventType, ...] = (
    _hand(
        RECORDED,
        "A person has recorded money by hand; `waiting`: for a charge that is out, or a person.",
        state="waiting",
    ),
    _hand(APPLIED, "It is put on its invoice, and reported to Stripe next."),
    _hand(
        CREDITED,
        "Its invoice did not take all of it: `credit` is what of it the customer has left.",
        state="credit",
        credit=4900,
    ),
    _hand(UNDONE, "It was taken back before Stripe was told.", state="undone", why="a mistake"),
    _hand(
        CORRECTED,
        "It was taken back after Stripe was told: a credit note follows, then what your setting "
        "`failed_after_report` says.",
        state="corrected",
        why="the cheque bounced",
    ),
)
