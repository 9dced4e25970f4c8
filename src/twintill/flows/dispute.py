"""Disputes: asking the processor for one, and putting what it says into a fact."""

from typing import assert_never

from twintill import ids
from twintill.domain.money_back import Dispute
from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.domain.payment import Attempt
from twintill.domain.return_facts import DisputeNotSeen, DisputeTold
from twintill.flows.looking import Looking
from twintill.ids import Scope
from twintill.processors import Disputes, Processor, SeenDispute


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
