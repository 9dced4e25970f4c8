"""Reporting: the processor's reference into the invoice first, amounts compared, then `pay`.

Repeated until Stripe's own state says paid. Only a readable answer of Stripe to this very report
can strand money; a wrong key, a missing permission or silence never does.
"""

from dataclasses import replace

from twintill.domain import partial
from twintill.domain.facts import (
    InvoiceReported,
    ReportFailed,
    ReportRefused,
)
from twintill.domain.invoice import InvoiceLook
from twintill.domain.pace import Urgency
from twintill.domain.payment import Payment
from twintill.domain.report import Pay, judge_answer, judge_report
from twintill.errors import StripeError, StripeRefused, StripeThrottled
from twintill.flows import both_sides
from twintill.flows.looking import Looking
from twintill.stripe_billing.marks import report_key
from twintill.stripe_billing.pace import NEVER_LEFT


async def report(looking: Looking, payment: Payment) -> None:
    """Tell Stripe of what was collected; `payment` is as it stands now, `looking` holds it."""
    began = False
    try:
        before = await _write_reference(looking, payment)
        rest_minor = partial.rest_minor(payment, before, looking.policy)
        if rest_minor or payment.started_note is not None:
            began = True  # the start of the note says by itself that `pay` was not sent
            await both_sides.credit_rest(
                looking, payment, rest_minor, before.amount_remaining_minor
            )
            return
        began = True
        look, verdict = await _tell(looking, payment, before)
    except StripeError as error:
        await looking.learn(ReportFailed(f"{type(error).__name__}: {error}", began=began))
        return
    await looking.learn(verdict, look=look)


Verdict = InvoiceReported | ReportRefused | ReportFailed


async def _tell(
    looking: Looking, payment: Payment, before: InvoiceLook
) -> tuple[InvoiceLook, Verdict]:
    verdict = judge_report(payment, before)
    if isinstance(verdict, ReportFailed):
        return before, replace(verdict, began=False)
    if not isinstance(verdict, Pay):
        return before, verdict
    try:
        after = await looking.means.stripe.pay_out_of_band(
            payment.invoice_id, key=report_key(payment.id, looking.lease.looks)
        )
    except StripeRefused as refused:
        return await _read_again(looking, payment, refused)
    except StripeThrottled as throttled:
        if throttled.code != NEVER_LEFT:
            raise
        return before, ReportFailed(str(throttled), began=False)
    return after, judge_answer(payment, before, after)


async def _read_again(
    looking: Looking, payment: Payment, refused: StripeRefused
) -> tuple[InvoiceLook, Verdict]:
    """`pay` was refused: whatever the message says, the invoice's own state decides."""
    look = await looking.means.stripe.read_invoice(payment.invoice_id, Urgency.REPORT)
    verdict = judge_report(payment, look)
    if isinstance(verdict, Pay):
        return look, ReportFailed(f"Stripe refused `pay` on an open invoice: {refused}")
    return look, verdict


async def _write_reference(looking: Looking, payment: Payment) -> InvoiceLook:
    receipt = next(r for r in payment.receipts if r.unapplied_minor > 0)
    attempt = next((a for a in payment.attempts if a.id == receipt.attempt_id), None)
    return await looking.means.stripe.write_reference(
        payment.invoice_id,
        reference=attempt.reference if attempt else receipt.id,
        processor=attempt.processor if attempt else receipt.source,
        processor_payment_id=attempt.processor_payment_id if attempt else None,
    )
