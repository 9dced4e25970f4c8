"""Giving money back: what the processor shows, the intent committed, one request, its end.

list the charge's refunds (by hand over there? booked) -> learn(RefundStarted) COMMIT
-> processor.refund, no transaction open -> learn(RefundAnswered) COMMIT
"""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain.afterwards import wanted
from twintill.domain.caps import over_cap
from twintill.domain.doubt import Window, may_replay, nothing_can_appear
from twintill.domain.facts import (
    LookFailed,
    RefundNotFoundThere,
    RefundReplayStarted,
    RefundStarted,
    Via,
)
from twintill.domain.money_back import RefundAsk
from twintill.domain.outcomes import Declined, NoAnswer, NotSent, NotSentReason
from twintill.domain.payment import Attempt, Outcome, Payment, Receipt, Refund
from twintill.domain.return_facts import RefundBraked
from twintill.flows import both_sides, refund_lists
from twintill.flows.looking import Looking
from twintill.flows.refund_lists import KIND
from twintill.money import Money
from twintill.processors import PreparedRefund, Processor, RefundRequest, Refunds
from twintill.store import brakes, refunds, work
from twintill.store.work import PAYMENTS


async def give_back(looking: Looking, receipt: Receipt) -> None:
    """One refund of what is stranded on this receipt, if nobody has given it back already."""
    attempt = next(a for a in looking.payment.attempts if a.id == receipt.attempt_id)
    if await _waits(looking, attempt):
        return
    unknown = await refund_lists.unknown(looking, (receipt,))
    if isinstance(unknown, str):
        await looking.learn(LookFailed(unknown))
        return
    if unknown:
        await looking.learn(unknown[0])
        return
    await _give(looking, receipt, attempt, receipt.to_give_back_minor)


async def give_reported_back(looking: Looking, receipt: Receipt) -> None:
    """One refund of reported money: what was asked for, or what a credit note says."""
    attempt = next(a for a in looking.payment.attempts if a.id == receipt.attempt_id)
    if await _waits(looking, attempt):
        return
    seen = await both_sides.see(looking)
    if seen is None:
        return
    if seen.notes or seen.refunds:
        await looking.learn(seen)
        return
    ask = wanted(looking.payment)
    amount_minor = receipt.refund_due_minor if ask is None else ask.amount_minor
    await _give(looking, receipt, attempt, amount_minor, reported=True, ask=ask)


async def _waits(looking: Looking, attempt: Attempt) -> bool:
    """The processor takes nothing with our key: not asked again before somebody has resumed it."""
    async with looking.means.database.connect() as db:
        why = await brakes.refuses_us(db, looking.lease.scope, attempt.processor)
    if why is not None:
        await looking.learn(RefundBraked(why))
    return why is not None


async def _give(
    looking: Looking,
    receipt: Receipt,
    attempt: Attempt,
    amount_minor: int,
    *,
    reported: bool = False,
    ask: RefundAsk | None = None,
) -> None:
    started, prepared = _draft(looking, receipt, attempt, amount_minor)
    if ask is not None:
        # What Stripe would not credit afterwards is not given back at all.
        why = await both_sides.cannot_be_credited(looking, amount_minor)
        started = replace(started, ask_id=ask.id, refused=why or started.refused)
    started = replace(started, reported=reported)
    async with looking.means.database.begin() as db:
        # The payment first: whoever trips a brake holds his payment already.
        if not await work.keep(db, PAYMENTS, looking.lease):
            return
        if ask is None:
            started = await _within_caps(db, looking, started, receipt, attempt)
        decision = await looking.learn_return_start(db, started)
    if decision is None or decision.give_back is None or prepared is None:
        return
    await _send(looking, decision.give_back, prepared, Via.FIRST)


async def ask(looking: Looking, refund: Refund) -> None:
    """A refund without an end: the processor's list first; else the same key again."""
    attempt = _charge_of(looking, refund)
    processor = _processor(looking, attempt)
    seen = await refund_lists.listed(looking, attempt)
    if isinstance(seen, str):
        await looking.learn_refund_answer(refund, NoAnswer(seen), Via.RECORD)
        return
    ours = [s for s in seen if refund_lists.is_ours(s, refund)]
    if ours:
        alive = [s for s in ours if not isinstance(s.outcome, Declined)]
        await looking.learn_refund_answer(refund, (alive or ours)[-1].outcome, Via.RECORD)
        return
    window = _window(processor)
    # What somebody gave back by hand may stand for ours: then it is not sent again.
    by_hand = any(not refund_lists.known(looking.payment, s) for s in seen)
    may = may_replay(refund, window, looking.means.policy, looking.now)
    if may and not _known(refund) and not by_hand:
        await _replay(looking, refund, attempt)
        return
    conclusive = nothing_can_appear(refund, window, looking.now)
    await looking.learn(RefundNotFoundThere(refund.id, conclusive))


async def _replay(looking: Looking, refund: Refund, attempt: Attempt) -> None:
    """The same key and the same bytes, once."""
    async with looking.means.database.begin() as db:
        decision = await looking.learn_return_start(db, RefundReplayStarted(refund.id))
    if decision is None or decision.give_back is None:
        return
    scope, vault = looking.lease.scope, looking.means.vault
    body = vault.open(refund.sealed_body, scope, "attempts", refund.id)
    assert attempt.processor_payment_id is not None, "it was approved"
    prepared = PreparedRefund(
        refund.reference, refund.idempotency_key, attempt.processor_payment_id, body
    )
    exact = _processor(looking, attempt).capabilities.replays_first_answer
    await _send(looking, refund, prepared, Via.EXACT_REPLAY if exact else Via.REPLAY)


async def _send(looking: Looking, refund: Refund, prepared: PreparedRefund, via: Via) -> None:
    processor = looking.means.processor(refund.processor, refund.processor_account_id)
    assert isinstance(processor, Refunds), "else nothing was prepared"
    outcome = await processor.refund(prepared)
    await looking.learn_refund_answer(refund, outcome, via)


def _draft(
    looking: Looking, receipt: Receipt, attempt: Attempt, amount_minor: int
) -> tuple[RefundStarted, PreparedRefund | None]:
    """Names and bytes of the refund that would be made: deterministic, and nothing is sent."""
    scope, payment = looking.lease.scope, looking.payment
    n, invoice_id = payment.next_refund_n, payment.invoice_id
    started = RefundStarted(
        receipt_id=receipt.id,
        amount_minor=amount_minor,
        n=n,
        refund_id=ids.attempt_id(scope, invoice_id, KIND, n),
        reference=ids.reference(scope, invoice_id, KIND, n),
        idempotency_key=ids.idempotency_key(scope, invoice_id, KIND, n),
    )
    before = _given_back_minor(payment, receipt)
    prepared = _prepared(started, receipt, attempt, _processor(looking, attempt), before)
    if isinstance(prepared, NotSent):
        return replace(started, refused=prepared), None
    sealed = looking.means.vault.seal(prepared.body, scope, "attempts", started.refund_id)
    return replace(started, sealed_body=sealed), prepared


def _given_back_minor(payment: Payment, receipt: Receipt) -> int:
    """Also what somebody gave back by hand: it was listed, and booked, before this is asked for."""
    out = (Outcome.APPROVED, Outcome.ACCEPTED)
    its = (r for r in payment.refunds if r.receipt_id == receipt.id and r.outcome in out)
    return sum(refund.amount.minor for refund in its)


def _prepared(
    started: RefundStarted,
    receipt: Receipt,
    attempt: Attempt,
    processor: Processor,
    before_minor: int,
) -> PreparedRefund | NotSent:
    if not isinstance(processor, Refunds):
        name = processor.capabilities.display_name
        return NotSent(NotSentReason.CONFIG, f"{name} takes no refunds by its API")
    assert attempt.processor_payment_id is not None, "it was approved"
    request = RefundRequest(
        started.reference,
        attempt.processor_payment_id,
        Money(started.amount_minor, receipt.currency),
        given_back_minor=before_minor,
    )
    return processor.prepare_refund(request, started.idempotency_key)


async def _within_caps(
    db: AsyncConnection,
    looking: Looking,
    started: RefundStarted,
    receipt: Receipt,
    attempt: Attempt,
) -> RefundStarted:
    """More than that pauses charging too: whatever strands so much must not go on."""
    scope = looking.lease.scope
    so_far = await refunds.given_back(db, scope, receipt.currency)
    amount = Money(started.amount_minor, receipt.currency)
    why = over_cap(so_far, amount, looking.means.policy)
    if why is not None and not looking.payment.refund_agreed:
        await brakes.trip(db, scope, attempt.processor, why, "automatic refunds")
    return replace(started, over_cap=why)


def _charge_of(looking: Looking, refund: Refund) -> Attempt:
    receipt = next(r for r in looking.payment.receipts if r.id == refund.receipt_id)
    return next(a for a in looking.payment.attempts if a.id == receipt.attempt_id)


def _processor(looking: Looking, attempt: Attempt) -> Processor:
    return looking.means.processor(attempt.processor, attempt.processor_account_id)


def _known(refund: Refund) -> bool:
    """It is under way there: sending it again is for those that nobody has seen."""
    return refund.processor_refund_id is not None


def _window(processor: Processor) -> Window:
    can = processor.capabilities
    return Window(
        key_window=timedelta(seconds=can.key_window_s),
        look_up_lag=timedelta(seconds=can.look_up_lag_s),
        reliable_look_up=can.finds_refunds and isinstance(processor, Refunds),
    )
