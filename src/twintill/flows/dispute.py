"""Disputes: asking the processor for one, and putting what it says, or told, into a fact."""

from dataclasses import dataclass
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain.money_back import Dispute
from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.domain.payment import Attempt
from twintill.domain.return_facts import DisputeNotSeen, DisputeTold
from twintill.flows.learn import learn_within
from twintill.flows.looking import Looking
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Disputes, Processor, SeenDispute
from twintill.store import attempts, payments


async def ask(looking: Looking, dispute: Dispute) -> None:
    """How far it has come, in the processor's record; it may have told, and nobody heard."""
    attempt_id = dispute.receipt_id.replace("rct_", "att_", 1)
    attempt = next(a for a in looking.payment.attempts if a.id == attempt_id)
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    if not isinstance(processor, Disputes):
        name = processor.capabilities.display_name
        await looking.learn(DisputeNotSeen(dispute.id, f"{name} cannot be asked for disputes"))
        return
    seen = await processor.get_dispute(dispute.processor_dispute_id)
    match seen:
        case SeenDispute():
            await looking.learn(told(looking.lease.scope, processor, attempt, seen))
        case NotFound():
            await looking.learn(DisputeNotSeen(dispute.id, "the processor does not know it"))
        case NoAnswer(detail) | NotSent(_, detail):
            await looking.learn(DisputeNotSeen(dispute.id, f"could not ask for it: {detail}"))
        case _:
            assert_never(seen)


@dataclass(frozen=True, slots=True)
class Heard:
    """A dispute that somebody told of, or that was listed; `reference`: our charge's, if said."""

    seen: SeenDispute
    reference: str | None
    actor: str


async def take_in(
    db: AsyncConnection, means: Means, scope: Scope, processor: Processor, heard: Heard
) -> bool:
    """In the caller's transaction; False: it is of a charge that is not ours."""
    found = await attempts.find(
        db,
        scope,
        processor.account_id,
        reference=heard.reference,
        processor_payment_id=heard.seen.processor_payment_id,
    )
    if found is None:
        return False
    payment = await payments.read(db, scope, found.payment_id)
    attempt = next(a for a in payment.attempts if a.id == found.attempt_id)
    fact = told(scope, processor, attempt, heard.seen)
    await learn_within(db, means, scope, found.payment_id, fact, actor=heard.actor)
    return True


def told(scope: Scope, processor: Processor, attempt: Attempt, seen: SeenDispute) -> DisputeTold:
    """A fee in another currency than the charge's is booked with the settlement, not here."""
    same = seen.fee is not None and seen.fee.currency == seen.amount.currency
    return DisputeTold(
        dispute_id=ids.derived_id("dsp", scope, processor.account_id, seen.dispute_id),
        processor_dispute_id=seen.dispute_id,
        attempt_id=attempt.id,
        stage=seen.stage,
        amount=seen.amount,
        withheld=seen.withheld,
        fee_minor=seen.fee.minor if seen.fee is not None and same else 0,
        reason=seen.reason,
    )
