"""A processor's events as answers about attempts of ours: signed, so believed as far as they go."""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import Answered, Fact, FailedLate, Via
from twintill.domain.outcomes import Declined
from twintill.errors import UnreadableEvent
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.verdict import DONE, Verdict, ignored, parked
from twintill.ids import Scope
from twintill.processors import EventKind, Processor, ProcessorEvent
from twintill.store import attempts, methods

_OF_A_CHARGE = frozenset(
    (
        EventKind.CHARGE_APPROVED,
        EventKind.CHARGE_FINAL,
        EventKind.CHARGE_DECLINED,
        EventKind.CHARGE_FAILED_LATE,
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
    if event.kind is EventKind.METHOD_REVOKED and event.token is not None:
        return await _method_revoked(db, means, scope, processor, event.token)
    # Money moved that this version does not book by itself: never drop it silently.
    return parked(f"{event.kind} must be booked by a person: {event.processor_payment_id}")


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
    fact = _fact(found.attempt_id, event)
    if fact is None:
        return parked(f"{event.kind} without an outcome that can be read")
    await learn_within(
        db, means, scope, found.payment_id, fact, actor=event.dedupe_key or processor.name
    )
    return DONE


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
        await methods.mark_revoked(db, scope, method.id)
    return DONE
