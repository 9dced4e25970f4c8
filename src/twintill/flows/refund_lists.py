"""A charge's refunds in the processor's book: which are ours, and which are not."""

from collections.abc import Iterable
from itertools import count

from twintill import ids
from twintill.domain import tripwires
from twintill.domain.outcomes import Accepted, Declined, NoAnswer, NotSent, NotSentReason
from twintill.domain.payment import Attempt, Payment, Receipt, Refund
from twintill.domain.return_facts import RefundSeenThere
from twintill.flows import brakes
from twintill.flows.looking import Looking
from twintill.processors import Refunds, SeenRefund

KIND = "refund"
# So many numbers beyond the ones that are known: more than a lost time can have used.
LOST = 20


async def unknown(
    looking: Looking, receipts: Iterable[Receipt]
) -> tuple[RefundSeenThere, ...] | str:
    """What was given back of these that we neither asked for nor know; or why it cannot be seen.

    One of ours, of a time that this database has lost, has the number that it had then; the others
    get the next ones.
    """
    found: list[tuple[Receipt, SeenRefund]] = []
    for receipt in receipts:
        attempt = next((a for a in looking.payment.attempts if a.id == receipt.attempt_id), None)
        seen = () if attempt is None else await listed(looking, attempt)
        if isinstance(seen, str):
            return seen
        news = (s for s in seen if not isinstance(s.outcome, Declined))
        found += [(receipt, s) for s in news if not known(looking.payment, s)]
    return _numbered(looking, found)


def _numbered(
    looking: Looking, found: list[tuple[Receipt, SeenRefund]]
) -> tuple[RefundSeenThere, ...]:
    scope, invoice_id = looking.lease.scope, looking.payment.invoice_id
    lost = {seen.processor_refund_id: _lost_n(looking, seen) for _, seen in found}
    free = (n for n in count(looking.payment.next_refund_n) if n not in lost.values())
    facts = []
    for receipt, seen in found:
        lost_n = lost[seen.processor_refund_id]
        n, name = lost_n or next(free), seen.processor_refund_id
        row, ours = ids.attempt_id(scope, invoice_id, KIND, n), lost_n is not None
        out = isinstance(seen.outcome, Accepted)
        facts.append(RefundSeenThere(receipt.id, name, seen.amount, n, row, ours, under_way=out))
    return tuple(facts)


def _lost_n(looking: Looking, seen: SeenRefund) -> int | None:
    """The number under which we made it, in a time that this database has lost."""
    scope, payment = looking.lease.scope, looking.payment
    for n in range(payment.next_refund_n, payment.next_refund_n + LOST):
        if seen.reference == ids.reference(scope, payment.invoice_id, KIND, n):
            return n
    return None


async def listed(looking: Looking, attempt: Attempt) -> tuple[SeenRefund, ...] | str:
    """All of them, or why they cannot be seen; none where the processor has no such list."""
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    if not isinstance(processor, Refunds) or not processor.capabilities.finds_refunds:
        return ()
    if attempt.processor_payment_id is None:
        return ()
    seen = await processor.list_refunds(attempt.processor_payment_id)
    match seen:
        case NoAnswer(detail):
            return f"could not list the refunds: {detail}"
        case NotSent(reason, detail):
            if reason is NotSentReason.CREDENTIALS:
                tripped = tripwires.refused_key(attempt.processor, detail)
                async with looking.means.database.begin() as db:
                    await brakes.trip(db, looking.lease.scope, tripped)
            return f"could not list the refunds ({reason}): {detail}"
        case _:
            return seen


def is_ours(seen: SeenRefund, refund: Refund) -> bool:
    """By the name that we gave it, else by the processor's."""
    return seen.reference == refund.reference or (
        seen.processor_refund_id == refund.processor_refund_id
    )


def known(payment: Payment, seen: SeenRefund) -> bool:
    return any(is_ours(seen, refund) for refund in payment.refunds)
