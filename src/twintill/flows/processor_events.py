"""A processor's events as answers about attempts of ours: signed, so believed as far as they go."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain.facts import (
    Answered,
    Fact,
    FailedLate,
    MethodLost,
    RefundAnswered,
    Via,
)
from twintill.domain.outcomes import Approved, Declined, Finality
from twintill.domain.payment import Outcome, Payment
from twintill.domain.return_facts import MoneyBackTold, RefundSeenThere
from twintill.errors import UnreadableEvent
from twintill.flows import consequences, dispute, news
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.refund_lists import KIND
from twintill.flows.verdict import DONE, Verdict, ignored, parked
from twintill.ids import Scope
from twintill.money import Money
from twintill.processors import EventKind, Processor, ProcessorEvent, Refunds, SeenDispute
from twintill.store import attempts, methods, payments, refunds

_OF_A_CHARGE = frozenset(
    (
        EventKind.CHARGE_APPROVED,
        EventKind.CHARGE_FINAL,
        EventKind.CHARGE_DECLINED,
        EventKind.CHARGE_FAILED_LATE,
    )
)


_OF_A_REFUND = frozenset((EventKind.REFUND_SUCCEEDED, EventKind.REFUND_FAILED))


_OF_A_DISPUTE = frozenset(
    (
        EventKind.DISPUTE_OPENED,
        EventKind.DISPUTE_UNDER_REVIEW,
        EventKind.DISPUTE_WITHHELD,
        EventKind.DISPUTE_WON,
        EventKind.DISPUTE_LOST,
        EventKind.DISPUTE_ACCEPTED,
    )
)


async def take_in(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, event: ProcessorEvent
) -> Verdict:
    """Everything that follows from one event, in the caller's transaction."""
    if event.kind is EventKind.UNREADABLE:
        raise UnreadableEvent(event.note or "an event of the batch cannot be read")
    if event.kind is EventKind.IGNORED:
        return ignored(f"nothing to do for {event.raw_type}")
    if event.kind in _OF_A_CHARGE:
        return await _of_a_charge(db, means, scope, processor, event)
    if event.kind in _OF_A_REFUND:
        return await _of_a_refund(db, means, scope, processor, event)
    if event.kind in _OF_A_DISPUTE and event.dispute is not None:
        return await _of_a_dispute(db, means, scope, processor, event, event.dispute)
    if event.kind is EventKind.METHOD_REVOKED and event.token is not None:
        return await _method_revoked(db, means, scope, processor, event.token)
    return _for_a_person(event)


async def _of_a_charge(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, event: ProcessorEvent
) -> Verdict:
    """Found by our reference first: it was committed before anything could be sent."""
    found = await attempts.find(
        db,
        scope,
        processor.account_id,
        reference=event.reference,
        processor_payment_id=event.processor_payment_id,
    )
    if found is None:
        return ignored("no attempt of ours has this reference")
    if not await _is_the_whole(db, scope, found, event):
        return parked(
            f"{event.amount} of {event.processor_payment_id} was taken back, and not what was "
            f"collected ({event.raw_type}): book it by hand"
        )
    fact = _fact(found.attempt_id, await _as_known(db, scope, found, event))
    if fact is None:
        return parked(f"{event.kind} without an outcome that can be read")
    await learn_within(
        db, means, scope, found.payment_id, fact, actor=event.dedupe_key or processor.name
    )
    return DONE


async def _is_the_whole(
    db: AsyncConnection, scope: Scope, found: attempts.Found, event: ProcessorEvent
) -> bool:
    """A late failure is of all that was collected; credited as a whole, a part is paid twice."""
    if event.kind is not EventKind.CHARGE_FAILED_LATE or event.amount is None:
        return True
    payment = await payments.read(db, scope, found.payment_id)
    its = (r for r in payment.receipts if r.attempt_id == found.attempt_id)
    return all(event.amount == Money(r.collected_minor, r.currency) for r in its)


async def _as_known(
    db: AsyncConnection, scope: Scope, found: attempts.Found, event: ProcessorEvent
) -> ProcessorEvent:
    """An approval as it stands beside what is known of its attempt.

    One that names no amount tells of all that was asked for. "Final" is news of collected money:
    told of a charge that is known to have failed, it is the older of the two, or not. Taken for
    provisional, it is not believed before the processor's record was asked.
    """
    if event.kind not in (EventKind.CHARGE_APPROVED, EventKind.CHARGE_FINAL):
        return event
    payment = await payments.read(db, scope, found.payment_id)
    attempt = next(a for a in payment.attempts if a.id == found.attempt_id)
    told = event.outcome
    if told is None and event.finality is not None and event.processor_payment_id is not None:
        told = Approved(event.processor_payment_id, attempt.amount, event.finality)
    failed = event.kind is EventKind.CHARGE_FINAL and attempt.outcome is Outcome.DECLINED
    if failed and isinstance(told, Approved):
        told = replace(told, finality=Finality.PROVISIONAL)
    return replace(event, outcome=told)


async def _of_a_refund(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, event: ProcessorEvent
) -> Verdict:
    found = await refunds.find(
        db,
        scope,
        processor.account_id,
        reference=event.reference,
        refund_id=event.refund_id,
    )
    if found is None or event.outcome is None:
        return await _by_hand(db, means, scope, processor, event)
    fact = RefundAnswered(found.attempt_id, event.outcome, Via.RECORD)
    await learn_within(
        db, means, scope, found.payment_id, fact, actor=event.dedupe_key or processor.name
    )
    return DONE


async def _by_hand(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, event: ProcessorEvent
) -> Verdict:
    """Not asked for by us: the next look at stranded money books it, or both sides are compared.

    Where the processor cannot list a charge's refunds, nothing but its webhook tells of one.
    """
    charge = await attempts.find(
        db,
        scope,
        processor.account_id,
        reference=None,
        processor_payment_id=event.processor_payment_id,
    )
    if charge is None:
        return ignored("a refund of a charge that is not ours")
    payment = (await payments.lock(db, scope, charge.payment_id)).payment
    actor = event.dedupe_key or processor.name
    if not (isinstance(processor, Refunds) and processor.capabilities.finds_refunds):
        return await _as_told(db, means, scope, payment, charge.attempt_id, event, actor)
    waits = payment.receipt_to_give_back
    if waits is not None and waits.attempt_id == charge.attempt_id:
        return Verdict("done", "by hand, of stranded money: booked at the next look at it")
    if not any(r.attempt_id == charge.attempt_id for r in payment.receipts):
        return _for_a_person(event)
    told = MoneyBackTold(event.raw_type)
    await learn_within(db, means, scope, payment.id, told, actor=actor)
    return DONE


async def _as_told(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    payment: Payment,
    attempt_id: str,
    event: ProcessorEvent,
    actor: str,
) -> Verdict:
    """Booked before a credit note is answered by a refund: else the customer would be paid twice.

    Not while one of ours is out, or the money is not reported: this may be that one.
    """
    receipt = next((r for r in payment.receipts if r.attempt_id == attempt_id), None)
    moves = payment.unresolved_refund is not None or payment.unapplied_minor
    told = event.outcome
    if receipt is None or moves or event.reference is not None or not isinstance(told, Approved):
        return _for_a_person(event)
    n = payment.next_refund_n
    row = ids.attempt_id(scope, payment.invoice_id, KIND, n)
    name = told.processor_payment_id
    # First the pause for whoever does both sides by hand, then what he has done.
    for fact in (
        MoneyBackTold(event.raw_type),
        RefundSeenThere(receipt.id, name, told.amount, n, row),
    ):
        await learn_within(db, means, scope, payment.id, fact, actor=actor)
    return DONE


async def _of_a_dispute(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    processor: Processor,
    event: ProcessorEvent,
    seen: SeenDispute,
) -> Verdict:
    actor = event.dedupe_key or processor.name
    heard = dispute.Heard(seen, event.reference, actor)
    ours = await dispute.take_in(db, means, scope, processor, heard)
    return DONE if ours else ignored("a dispute of a charge that is not ours")


def _for_a_person(event: ProcessorEvent) -> Verdict:
    """Money moved that this version does not book by itself: never drop it silently."""
    return parked(f"{event.kind} must be booked by a person: {event.processor_payment_id}")


def _fact(attempt_id: str, event: ProcessorEvent) -> Fact | None:
    outcome = event.outcome
    if event.kind is EventKind.CHARGE_FAILED_LATE:
        if not isinstance(outcome, Declined):
            return FailedLate(attempt_id, event.raw_type, "")
        return FailedLate(attempt_id, outcome.code, outcome.text, outcome.kind)
    return None if outcome is None else Answered(attempt_id, outcome, Via.RECORD)


async def _method_revoked(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, token: str
) -> Verdict:
    """The customer or the bank withdrew it: no charge can begin with it from now on."""
    fingerprint = means.vault.fingerprint(token)
    found = await methods.find_by_fingerprint(db, scope, processor.account_id, fingerprint)
    if not found:
        return ignored("no payment method of ours has this token")
    for method in found:
        if await methods.mark_revoked(db, scope, method.id):
            await consequences.method_revoked(db, scope, method)
            await news.method_revoked(db, means, scope, method)
        # A try that waits for this one goes to the next stored one.
        for payment_id in await methods.payments_that_wait(db, scope, method.customer_id):
            await learn_within(db, means, scope, payment_id, MethodLost(method.id))
    return DONE
