"""What a processor shows as given back of an attempt's receipt, against our refunds of it.

One request for each receipt: what a charge itself answers does not say what was given back of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from twintill.domain import comparing as rules
from twintill.domain.comparing import Difference
from twintill.domain.outcomes import Declined, NoAnswer, NotFound, NotSent
from twintill.domain.payment import Attempt, Payment, Receipt, Refund
from twintill.errors import SettingsError
from twintill.flows.means import Means
from twintill.flows.refund_lists import is_ours
from twintill.processors import Refunds, SeenRefund


async def differences(
    means: Means, payment: Payment, attempt: Attempt, now: datetime
) -> list[Difference] | None:
    """None: the processor could not be asked; one that has no such list is never asked."""
    receipt = next((r for r in payment.receipts if r.attempt_id == attempt.id), None)
    if receipt is None or attempt.processor_payment_id is None:
        return []
    try:
        processor = means.processor(attempt.processor, attempt.processor_account_id)
    except SettingsError:
        return None
    can = processor.capabilities
    if not isinstance(processor, Refunds) or not can.finds_refunds:
        return []
    seen = await processor.list_refunds(attempt.processor_payment_id)
    if isinstance(seen, NoAnswer | NotSent):
        return None
    # What was given back since then need not be listed yet.
    listed_until = now - timedelta(seconds=can.look_up_lag_s)
    return _compare(payment, receipt, attempt, seen, listed_until)


def _compare(
    payment: Payment,
    receipt: Receipt,
    attempt: Attempt,
    seen: Sequence[SeenRefund],
    listed_until: datetime,
) -> list[Difference]:
    """Each of ours with the one there that it is; what is left over there is unknown here."""
    told: list[Difference] = []
    left = list(seen)
    for refund in payment.refunds:
        if refund.receipt_id != receipt.id:
            continue
        its = _its(refund, left)
        if its is not None:
            left.remove(its)
            told += rules.compare_refund(payment, attempt, refund, its.outcome)
        elif refund.answered_at is None or refund.answered_at <= listed_until:
            told += rules.compare_refund(payment, attempt, refund, NotFound())
    for one in left:
        if not isinstance(one.outcome, Declined):
            name = one.processor_refund_id
            told += rules.compare_unknown_refund(payment, receipt, attempt, name, one.amount)
    return told


def _its(refund: Refund, left: Sequence[SeenRefund]) -> SeenRefund | None:
    """Two under one reference: the one whose name we know, else one that did not fail."""
    its = [seen for seen in left if is_ours(seen, refund)]
    return max(
        its,
        key=lambda seen: (
            seen.processor_refund_id == refund.processor_refund_id,
            not isinstance(seen.outcome, Declined),
        ),
        default=None,
    )
