"""Reads a chargeback out of a payment and its events: GoCardless has no object for it. Pure.

Source: its API reference, "Event types" of payments. A chargeback takes the money at once:
`charged_back`. `chargeback_settled`: it was taken out of a payout, because the payment had been
paid out; `chargeback_cancelled`: the bank withdrew it. Of a payment that never was paid out,
nothing more is told when it stays: after a time in which a cancellation comes, it counts as lost.
The payment's id names its dispute; a second one, after the first was cancelled, has a number too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from twintill.domain.money_back import DisputeStage
from twintill.processors import SeenDispute
from twintill.processors.fields import Json, Unreadable, object_of, text_of, time_of, words_of
from twintill.processors.gocardless.answers import amount_of

# Longer than a bank takes to withdraw a claim that was made by mistake.
LOST_AFTER = timedelta(days=30)
_STAGES = {
    "charged_back": DisputeStage.OPENED,
    "chargeback_settled": DisputeStage.LOST,
    "chargeback_cancelled": DisputeStage.WON,
}


def dispute_id(payment_id: str, n: int) -> str:
    return payment_id if n == 1 else f"{payment_id}-{n}"


def payment_and_n(its_id: str) -> tuple[str, int]:
    """What `dispute_id` was made of."""
    payment_id, _, n = its_id.partition("-")
    return payment_id, int(n) if n.isascii() and n.isdigit() else 1


def read_dispute(
    payment: Json, events: Sequence[Json], n: int, now: datetime | None
) -> SeenDispute | None:
    """The n-th; `events`: of the payment, newest first.

    `now`: at least so late is it there, by the newest event of all; only for one that `may_stay`.
    """
    told = _rounds(events)
    if not 0 < n <= len(told):
        return None
    first, last = told[n - 1][0], told[n - 1][-1]
    stage = _STAGES[text_of(last, "action")]
    if may_stay(payment, events, n) and _is_over(first, now):
        stage = DisputeStage.LOST
    payment_id, details = text_of(payment, "id"), first.get("details")
    return SeenDispute(
        dispute_id=dispute_id(payment_id, n),
        processor_payment_id=payment_id,
        amount=amount_of(payment),
        stage=stage,
        withheld=stage is not DisputeStage.WON,
        reason=words_of(details, "cause") or None if isinstance(details, dict) else None,
    )


def may_stay(payment: Json, events: Sequence[Json], n: int) -> bool:
    """Charged back before it was paid out: only time tells that it stays so."""
    told = _rounds(events)
    is_open = 0 < n == len(told) and told[-1][-1].get("action") == "charged_back"
    paid_out = any(event.get("action") == "paid_out" for event in events)
    return is_open and payment.get("status") == "charged_back" and not paid_out


def count(events: Sequence[Json]) -> int:
    return len(_rounds(events))


def payments_of(events: Sequence[Json]) -> list[str]:
    """Each once, in their order."""
    found = [text_of(object_of(event, "links"), "payment") for event in events]
    return list(dict.fromkeys(found))


def _rounds(events: Sequence[Json]) -> list[list[Json]]:
    """The chargebacks of one payment, each from its beginning to its end."""
    rounds: list[list[Json]] = []
    for event in reversed(events):
        action = event.get("action")
        if action == "charged_back":
            rounds.append([event])
        elif action in _STAGES and rounds:
            rounds[-1].append(event)
    return rounds


def _is_over(first: Json, now: datetime | None) -> bool:
    began_at = time_of(first, "created_at")
    if began_at is None:
        raise Unreadable("an event without its time")
    return now is not None and now - began_at > LOST_AFTER
