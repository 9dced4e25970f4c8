"""A charge's refunds in the processor's book: which are ours, and which are not."""

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.domain.payment import Attempt, Payment, Refund
from twintill.flows.looking import Looking
from twintill.processors import Refunds, SeenRefund


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
