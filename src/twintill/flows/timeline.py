"""The whole story of one invoice: of Stripe, the processor, the ledger and people, in one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.fact_words import FACT_WORDS
from twintill.domain.invoice_words import next_attempt
from twintill.domain.overrides import overlay
from twintill.domain.payment import Payment
from twintill.domain.policy import Policy
from twintill.domain.timeline import Line, Source, in_order
from twintill.ids import Scope
from twintill.money import Money
from twintill.store import clock, invoice_pages, invoice_stories, mirror, payments
from twintill.store.invoice_stories import ItsSubscription, Records

_STRIPE = "stripe"
_PEOPLE = ("person:", "api:")


@dataclass(frozen=True, slots=True)
class Timeline:
    """`truncated`: a source holds more than was read of it (see `invoice_stories.MOST`)."""

    lines: list[Line]
    truncated: bool


async def read(db: AsyncConnection, scope: Scope, policy: Policy, invoice_id: str) -> Timeline:
    """All that is known by now, and what is planned. Raises NotFoundError."""
    row = await invoice_pages.read_invoice(db, scope, invoice_id)
    payment_id = await mirror.payment_of_invoice(db, scope, invoice_id)
    payment = None if payment_id is None else await payments.read(db, scope, payment_id)
    records = await invoice_stories.read_records(db, scope, invoice_id, payment_id)
    its = await invoice_stories.read_its_subscription(db, scope, row)
    now = await clock.now(db)
    lines = [*_lines(records), *_subscription(its), *_planned(row, payment, policy, now)]
    return Timeline(in_order(lines), records.truncated)


def _lines(records: Records) -> Iterator[Line]:
    yield from map(_told, records.told)
    for row in records.attempts:
        yield _sent(row)
        if row.answered_at is not None:
            yield _answer(row)
    yield from map(_fact, records.facts)
    for _, legs in groupby(records.postings, key=lambda leg: leg.ledger_transaction_id):
        yield _booked(list(legs))
    yield from map(_action, records.actions)
    yield from map(_news, records.events)


def _told(row: Any) -> Line:
    """A row of the inbox."""
    stripe = row.source == _STRIPE
    who = "Stripe" if stripe else row.source.partition(":")[0]
    note = f" ({row.note})" if row.note else ""
    return Line(
        id=f"inbox:{row.inbox_id}",
        at=row.created_at,
        source=Source.STRIPE if stripe else Source.PROCESSOR,
        kind=row.type,
        text=f"{who} told: {row.type}{note}",
        ids=_known(event=row.dedupe_key, object=row.object_id, inbox=str(row.inbox_id)),
        n=row.inbox_id,
        occurred_at=row.occurred_at,
    )


def _sent(row: Any) -> Line:
    money = Money(row.amount_minor, row.currency)
    return Line(
        id=f"{row.attempt_id}:sent",
        at=row.first_sent_at,
        source=Source.TWINTILL,
        kind=f"{row.kind}.sent",
        text=f"{row.kind.capitalize()} {row.n} of {money} sent to {row.processor}",
        ids=_known(attempt=row.attempt_id, reference=row.reference),
        n=row.n,
    )


def _answer(row: Any) -> Line:
    why = ": ".join(word for word in (row.code, row.detail) if word)
    outcome = row.outcome.replace("_", " ")
    return Line(
        id=f"{row.attempt_id}:answered",
        at=row.answered_at,
        source=Source.PROCESSOR,
        kind=f"{row.kind}.{row.outcome}",
        text=f"{row.processor}: {row.kind} {row.n} {outcome}" + (f" ({why})" if why else ""),
        ids=_known(attempt=row.attempt_id, processor_payment=row.processor_payment_id),
        n=row.n,
    )


def _fact(row: Any) -> Line:
    moved = row.state_after
    if row.state_before != row.state_after:
        moved = f"{row.state_before} -> {row.state_after}"
    because = f" ({row.reason_after})" if row.reason_after else ""
    return Line(
        id=f"fact:{row.seq}",
        at=row.at,
        source=_by(row.actor),
        kind=row.fact,
        text=f"{FACT_WORDS[row.fact]}: {moved}{because}, from {row.actor}",
        ids=_known(payment=row.payment_id, attempt=row.attempt_id, actor=row.actor),
        n=row.seq,
    )


def _booked(legs: list[Any]) -> Line:
    """Debits without a sign, credits with a minus, as everywhere in the ledger."""
    first = legs[0]
    said = ", ".join(f"{leg.account} {Money(leg.amount_minor, leg.currency)}" for leg in legs)
    return Line(
        id=first.ledger_transaction_id,
        at=first.at,
        source=Source.LEDGER,
        kind=first.kind,
        text=f"Booked {first.kind}: {said}",
        ids=_known(ledger_transaction=first.ledger_transaction_id, cause=first.cause),
    )


def _action(row: Any) -> Line:
    why = f": {row.why}" if row.why else ""
    return Line(
        id=row.action_id,
        at=row.at,
        source=_by(row.actor),
        kind=row.action,
        text=f"{row.action.replace('_', ' ').capitalize()} by {row.actor}{why}",
        ids=_known(action=row.action_id, actor=row.actor),
    )


def _news(row: Any) -> Line:
    return Line(
        id=row.event_id,
        at=row.created_at,
        source=Source.TWINTILL,
        kind=row.type,
        text=f"Your app is told: {row.type}",
        ids=_known(event=row.event_id, object=row.object_id),
        is_news=True,
    )


def _subscription(its: ItsSubscription | None) -> Iterator[Line]:
    for row in its.changes if its is not None else ():
        before = f" (was {row.status_before})" if row.status_before else ""
        yield Line(
            id=f"subscription:{row.n}",
            at=row.at,
            source=Source.STRIPE,
            kind=row.status_after,
            text=f"The subscription is {row.status_after}{before}",
            ids=_known(subscription=row.subscription_id, actor=row.actor),
            n=row.n,
            occurred_at=row.occurred_at,
        )


def _planned(row: Any, payment: Payment | None, policy: Policy, now: datetime) -> Iterator[Line]:
    """Timers that run: when it is tried next, and its due date."""
    if payment is not None:
        its_policy = overlay(policy, payment.overrides)
        follows = next_attempt(payment, its_policy, now)
        if follows is not None:
            text = f"It is tried next: {follows.why}"
            ids = _known(payment=payment.id, payment_method=follows.method_id)
            yield _timer("next_try", follows.at, text, ids)
    if row.status == "open" and row.due_at is not None and row.due_at > now:
        yield _timer("due", row.due_at, "It is due", _known(invoice=row.invoice_id))


def _timer(kind: str, at: datetime, text: str, ids: dict[str, str]) -> Line:
    return Line(f"timer:{kind}", at, Source.TWINTILL, f"timer.{kind}", text, ids, planned=True)


def _by(actor: str) -> Source:
    return Source.PERSON if actor.startswith(_PEOPLE) else Source.TWINTILL


def _known(**ids: str | None) -> dict[str, str]:
    return {name: its_id for name, its_id in ids.items() if its_id}
