"""Asking every processor for the attempts that a restored database does not know.

A number rises only after a definite "no" of the one before it: of several lost ones, all but the
last were declined or not sent, whether they are found or not. The last one is what may be money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from twintill import ids
from twintill.domain.facts import (
    Answered,
    AttemptFound,
    Fact,
    NotFoundThere,
    Via,
)
from twintill.domain.invoice import InvoiceLook
from twintill.domain.outcomes import (
    Approved,
    ChargeOutcome,
    LookUp,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Attempt, Payment
from twintill.flows.means import Means
from twintill.flows.searching import search_for_lost, search_of
from twintill.ids import Scope
from twintill.money import Money
from twintill.processors import LookUpBy, Processor
from twintill.store.methods import MethodRow
from twintill.stripe_billing.invoices import MarkedInvoice

LOST_METHOD = "pm_lost"  # which method it was made with nobody knows any more
_NOT_THERE = NotSent(NotSentReason.NETWORK, "found nowhere, and a later one was begun")
_CANNOT_ASK = NoAnswer("its processor cannot be asked by our reference")
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # of an invoice that does not say when it was made


@dataclass(frozen=True, slots=True)
class _Lost:
    """One number, and what is known of it now."""

    n: int
    processor: str
    processor_account_id: str
    outcome: ChargeOutcome


@dataclass
class Asked:
    """What everybody answered about one invoice."""

    scope: Scope
    payment: Payment
    stored: Sequence[MethodRow]
    # Of a processor whose look-up lags behind: when it will show all of the lost time.
    shown_at: Mapping[str, datetime] = field(default_factory=dict)
    answers: list[Fact] = field(default_factory=list)  # about an attempt that is known
    lost: list[_Lost] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        return [
            f"attempt {lost.n} at {lost.processor}: {type(lost.outcome).__name__}"
            for lost in self.lost
        ]

    def facts(self, look: InvoiceLook) -> list[Fact]:
        """To be learned in this order; none while a number is unreadable."""
        if self.unreadable:
            return []
        found = [self._found(lost, look) for lost in self.lost]
        # An invoice that never asked for anything was never charged.
        return [*self.answers, *(fact for fact in found if fact.amount.minor > 0)]

    def _found(self, lost: _Lost, look: InvoiceLook) -> AttemptFound:
        scope, invoice_id = self.scope, self.payment.invoice_id
        # What was credited since then was asked for when it was made.
        asked_minor = look.amount_remaining_minor or look.amount_due_minor or look.credited_minor
        approved = lost.outcome if isinstance(lost.outcome, Approved) else None
        return AttemptFound(
            attempt_id=ids.attempt_id(scope, invoice_id, "charge", lost.n),
            n=lost.n,
            reference=ids.reference(scope, invoice_id, "charge", lost.n),
            idempotency_key=ids.idempotency_key(scope, invoice_id, "charge", lost.n),
            method_id=_method_at(self.stored, lost.processor),
            processor=lost.processor,
            processor_account_id=lost.processor_account_id,
            amount=approved.amount if approved else Money(asked_minor, look.currency),
            outcome=lost.outcome,
        )


async def ask_for_lost(
    means: Means,
    scope: Scope,
    payment: Payment,
    stored: Sequence[MethodRow],
    seen: MarkedInvoice,
    shown_at: Mapping[str, datetime],
) -> Asked:
    """Every number that Stripe's marks show and that has no end here. Raises SettingsError.

    `shown_at`: of processors that may not show yet what was sent before charging was held.
    """
    asked = Asked(scope, payment, stored, shown_at)
    highest = seen.marks.highest_n
    out = payment.unresolved_attempt
    if out is not None:
        asked.answers += await _end_of(means, out, asked, ended=out.n < highest)
    known = {a.n for a in payment.attempts}
    for n in range(1, highest + 1):
        if n not in known:
            await _ask_all(means, asked, seen, n)
    return asked


async def _end_of(means: Means, attempt: Attempt, asked: Asked, *, ended: bool) -> list[Fact]:
    """The end of one that was out when the backup was made.

    `ended`: a later number was begun, so that it came to a definite no.
    """
    processor = means.processor(attempt.processor, attempt.processor_account_id)
    if processor.capabilities.look_up is LookUpBy.REFERENCE:
        found = await processor.find_charge(search_of(means, asked.scope, attempt))
        if _unreadable(found):
            asked.unreadable.append(f"{processor.name} could not be asked: {found}")
        elif not isinstance(found, NotFound):
            return [Answered(attempt.id, found, Via.RECORD)]
    return [NotFoundThere(attempt.id, conclusive=True)] if ended else []


async def _ask_all(means: Means, asked: Asked, seen: MarkedInvoice, n: int) -> None:
    reference = ids.reference(asked.scope, asked.payment.invoice_id, "charge", n)
    for processor in means.processors.values():
        found = await _find(processor, reference, seen)
        if _unreadable(found):
            asked.unreadable.append(f"{processor.name} could not be asked: {found}")
        elif not isinstance(found, NotFound):
            asked.lost.append(_Lost(n, processor.name, processor.account_id, found))
            return
    lagging = _may_show_it_later(asked)
    if n < seen.marks.highest_n:
        any_name, any_account = _somewhere(means, asked.stored)
        asked.lost.append(_Lost(n, any_name, any_account, _NOT_THERE))
    elif lagging is not None:
        asked.unreadable.append(f"attempt {n} may not be listed yet: {lagging}")
    elif (blind := _cannot_be_asked(means, asked.stored)) is not None:
        asked.lost.append(_Lost(n, *blind, _CANNOT_ASK))


def _may_show_it_later(asked: Asked) -> str | None:
    """Where this charge may have gone, and "not found" means nothing so soon."""
    used = {method.processor for method in asked.stored} or set(asked.shown_at)
    late = {name: at for name, at in asked.shown_at.items() if name in used}
    if not late:
        return None
    name = max(late, key=lambda name: late[name])
    return f"run again after {late[name]:%Y-%m-%d %H:%M} UTC, when {name} shows all of that time"


async def _find(processor: Processor, reference: str, seen: MarkedInvoice) -> LookUp:
    """By our reference; else by the processor's own id, where Stripe's marks tell it."""
    found: LookUp = NotFound()
    if processor.capabilities.look_up is LookUpBy.REFERENCE:
        began_at = seen.invoice.created_at or _LONG_AGO
        found = await processor.find_charge(search_for_lost(reference, began_at))
    marks = seen.marks
    told = marks.our_reference == reference and marks.processor == processor.name
    if isinstance(found, NotFound) and told and marks.processor_payment_id is not None:
        return await processor.get_charge(marks.processor_payment_id)
    return found


def _unreadable(found: LookUp) -> bool:
    return isinstance(found, NoAnswer | NotSent)


def _cannot_be_asked(means: Means, stored: Sequence[MethodRow]) -> tuple[str, str] | None:
    """A processor that this charge may have gone to, and that cannot be asked for it."""
    used = {(m.processor, m.processor_account_id) for m in stored}
    asked = {
        (p.name, p.account_id)
        for p in means.processors.values()
        if p.capabilities.look_up is LookUpBy.REFERENCE
    }
    configured = {(p.name, p.account_id) for p in means.processors.values()}
    # Of a customer whose methods were lost too, nobody knows where they were.
    blind = sorted((used or configured) - asked)
    return blind[0] if blind else None


def _somewhere(means: Means, stored: Sequence[MethodRow]) -> tuple[str, str]:
    """A place for an attempt that is nowhere: the customer's, else any."""
    if stored:
        return stored[0].processor, stored[0].processor_account_id
    processor = next(iter(means.processors.values()))
    return processor.name, processor.account_id


def _method_at(stored: Sequence[MethodRow], processor: str) -> str:
    return next((m.id for m in stored if m.processor == processor), LOST_METHOD)
