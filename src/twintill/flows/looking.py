"""Holding a payment: the lease, the payment as it was claimed, and how what was seen is learned."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import steps
from twintill.domain.decision import Decision
from twintill.domain.facts import (
    Answered,
    ChargeStarted,
    ConclusionStarted,
    Fact,
    RefundAnswered,
    RefundReplayStarted,
    RefundStarted,
    ReplayStarted,
    Via,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import ChargeOutcome
from twintill.domain.overrides import overlay
from twintill.domain.payment import Attempt, Payment, Refund
from twintill.domain.policy import Policy
from twintill.domain.return_facts import NoteStarted
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.payment_news import PaidInvoice, invoice_paid
from twintill.store import mirror, work
from twintill.store.database import is_away
from twintill.store.work import PAYMENTS, Lease

T = TypeVar("T")
# 20 s together: what is left of a lease after the longest request.
_PAUSES_S = (0.1, 0.4, 1.5, 3.0, 5.0, 5.0, 5.0)
_log = structlog.get_logger(__name__)

Start = ChargeStarted | ReplayStarted | ConclusionStarted


@dataclass(frozen=True, slots=True)
class Looking:
    """Ours until released: nobody else makes a network call for this invoice meanwhile."""

    means: Means
    lease: Lease
    payment: Payment
    now: datetime  # business time at the claim

    @property
    def policy(self) -> Policy:
        """The account's, with what this customer has otherwise."""
        return overlay(self.means.policy, self.payment.overrides)

    async def learn(self, fact: Fact, *, look: InvoiceLook | None = None) -> Decision:
        """The fact and, unless it lets us go on, the release of the lease: one commit.

        `look`: Stripe's answer that the fact came from; it also refreshes the mirror.
        """
        async with self.means.database.begin() as db:
            if look is not None:
                await mirror.saw_look(db, self.lease.scope, look)
            decision = await learn_within(db, self.means, self.lease.scope, self.payment.id, fact)
            if look is not None:
                await self._tell_paid(db, look)
            if not decision.goes_on:
                await work.release(db, PAYMENTS, self.lease)
        return decision

    async def learn_start(
        self, db: AsyncConnection, fact: Start, look: InvoiceLook
    ) -> Decision | None:
        """May it be done? None when the lease was lost: whoever has it now takes his own look.

        The lease begins anew, so that it outlasts the request, however long the look took.
        """
        await mirror.saw_look(db, self.lease.scope, look)
        decision = await self._start(db, fact)
        await self._tell_paid(db, look)
        return decision

    async def _tell_paid(self, db: AsyncConnection, look: InvoiceLook) -> None:
        if look.status is InvoiceStatus.PAID:
            its = PaidInvoice(look.invoice_id, look.amount_due_minor, look.amount_paid_minor)
            await invoice_paid(db, self.means, self.lease.scope, its)

    async def learn_return_start(
        self, db: AsyncConnection, fact: RefundStarted | RefundReplayStarted | NoteStarted
    ) -> Decision | None:
        """The same for a refund, and for a credit note."""
        return await self._start(db, fact)

    async def _start(self, db: AsyncConnection, fact: Fact) -> Decision | None:
        if not await work.keep(db, PAYMENTS, self.lease):
            return None
        decision = await learn_within(db, self.means, self.lease.scope, self.payment.id, fact)
        if not decision.goes_on:
            await work.release(db, PAYMENTS, self.lease)
        return decision

    async def learn_answer(
        self, attempt: Attempt, outcome: ChargeOutcome, via: Via, *, go_on: bool = False
    ) -> Payment | None:
        """What the processor said; when the lease was lost meanwhile, only an approval counts.

        `go_on`: where the next step is to report the approval, and it was ours to write, keep the
        lease and answer the payment to go on with.
        """

        async def write() -> Payment | None:
            return await self._write_answer(attempt, outcome, via, go_on=go_on)

        return await _until_written(write)

    async def _write_answer(
        self, attempt: Attempt, outcome: ChargeOutcome, via: Via, *, go_on: bool
    ) -> Payment | None:
        async with self.means.database.begin() as db:
            held = await work.keep(db, PAYMENTS, self.lease)
            fact = Answered(attempt.id, outcome, via if held else Via.STALE)
            decision = await learn_within(db, self.means, self.lease.scope, self.payment.id, fact)
            goes_on = go_on and held and self._goes_on(decision)
            if not goes_on:
                await work.release(db, PAYMENTS, self.lease)
        return decision.payment if goes_on else None

    async def learn_refund_answer(self, refund: Refund, outcome: ChargeOutcome, via: Via) -> None:
        """What the processor said of a refund; a lost lease makes it as weak as for a charge."""

        async def write() -> None:
            async with self.means.database.begin() as db:
                held = await work.keep(db, PAYMENTS, self.lease)
                fact = RefundAnswered(refund.id, outcome, via if held else Via.STALE)
                await learn_within(db, self.means, self.lease.scope, self.payment.id, fact)
                await work.release(db, PAYMENTS, self.lease)

        await _until_written(write)

    def _goes_on(self, decision: Decision) -> bool:
        reported_next = isinstance(steps.next_step(decision.payment), steps.Report)
        return reported_next and decision.payment.reports > self.payment.reports

    async def rest(self) -> None:
        """Nothing to do: give the lease back."""
        async with self.means.database.begin() as db:
            await work.release(db, PAYMENTS, self.lease)


async def _until_written(write: Callable[[], Awaitable[T]]) -> T:
    """An answer is in our hands and the database may be away for a moment: the lease outlasts it.

    Told twice an answer does no harm. After that, whoever has the lease next asks for it.
    """
    for pause_s in _PAUSES_S:
        try:
            return await write()
        except (OSError, SQLAlchemyError) as error:
            if not is_away(error):
                raise
            _log.warning("answer_not_written", error=type(error).__name__, retry_in_s=pause_s)
        await asyncio.sleep(pause_s)
    return await write()
