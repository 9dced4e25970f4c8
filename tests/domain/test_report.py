"""The report: `pay` only what is covered, strand only on a readable answer, else wait or ask."""

from dataclasses import replace
from typing import Any

import pytest

from tests.domain.situations import LOOK, NOW, PAID, POLICY, SITUATIONS
from twintill.domain.decide import decide
from twintill.domain.decision import Notice
from twintill.domain.facts import (
    InvoiceReported,
    ReportFailed,
    ReportRefused,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment
from twintill.domain.report import Pay, ReportVerdict, judge_answer, judge_paid, judge_report

COLLECTED = SITUATIONS["collected"]


def judged(reports: int = 1, look: InvoiceLook = LOOK, **changes: Any) -> ReportVerdict:
    return judge_report(replace(COLLECTED, reports=reports), replace(look, **changes))


def for_a_person(verdict: ReportVerdict) -> bool:
    return isinstance(verdict, ReportFailed) and verdict.needs_person


@pytest.mark.parametrize("status", [InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE])
@pytest.mark.parametrize("remaining_minor", [5000, 4000])
def test_what_is_covered_is_paid(status: InvoiceStatus, remaining_minor: int) -> None:
    assert judged(status=status, amount_remaining_minor=remaining_minor) == Pay()


def test_more_than_was_collected_is_never_paid() -> None:
    assert for_a_person(judged(amount_remaining_minor=5001))


@pytest.mark.parametrize("changes", [{"status": InvoiceStatus.DRAFT}, {"currency": "USD"}])
def test_what_cannot_be_is_for_a_person(changes: dict[str, Any]) -> None:
    assert for_a_person(judged(**changes))


def test_a_payment_of_stripes_own_is_waited_for() -> None:
    verdict = judged(stripe_payment=StripePayment.PROCESSING)
    assert isinstance(verdict, ReportFailed)
    assert not verdict.needs_person


@pytest.mark.parametrize("status", [InvoiceStatus.VOID, InvoiceStatus.DELETED])
def test_void_and_deleted_strand(status: InvoiceStatus) -> None:
    assert isinstance(judged(status=status), ReportRefused)


@pytest.mark.parametrize("reports", [1, 2])
def test_paid_by_stripe_or_by_credit_strands(reports: int) -> None:
    assert isinstance(judged(reports, PAID, stripe_payment=StripePayment.PAID), ReportRefused)
    assert isinstance(judged(reports, PAID, amount_paid_minor=0), ReportRefused)


def test_paid_before_we_ever_told_is_for_a_person() -> None:
    assert for_a_person(judged(1, PAID))


def test_paid_after_a_report_without_an_answer_was_ours() -> None:
    """Died after `pay`, before writing it: a paying customer is not refunded."""
    assert judged(2, PAID) == InvoiceReported(5000)


def test_more_paid_than_collected_is_for_a_person() -> None:
    assert for_a_person(judged(2, PAID, amount_paid_minor=5001))


@pytest.mark.parametrize(("paid_minor", "payment"), [(5000, COLLECTED), (4000, COLLECTED)])
def test_the_answer_to_our_own_pay_is_a_report(paid_minor: int, payment: Payment) -> None:
    look = replace(PAID, amount_paid_minor=paid_minor)
    assert judge_paid(payment, look, told_by_us=True) == InvoiceReported(paid_minor)


def test_a_report_that_keeps_failing_tells_a_person_once_and_goes_on() -> None:
    for reports, told in ((19, ()), (20, (Notice.NEEDS_PERSON,)), (21, ())):
        payment = replace(COLLECTED, reports=reports)
        decision = decide(payment, ReportFailed("Invalid API Key"), POLICY, NOW)
        assert decision.notices == told
        assert decision.payment.parked_why is None
        assert decision.payment.next_look_at is not None


def test_what_stripe_was_paid_before_does_not_close_the_rest_to_us() -> None:
    """Part of it went through Stripe while the charge was out; our `pay` took the rest."""
    before = replace(
        LOOK,
        amount_paid_minor=900,
        amount_remaining_minor=4100,
        stripe_payment=StripePayment.PAID,
    )
    after = replace(PAID, stripe_payment=StripePayment.PAID)
    assert judge_answer(COLLECTED, before, after) == InvoiceReported(4100)
    assert isinstance(judge_answer(COLLECTED, LOOK, after), ReportRefused)


def test_an_invoice_that_stays_open_after_our_pay_proves_nothing() -> None:
    verdict = judge_answer(COLLECTED, LOOK, LOOK)
    assert isinstance(verdict, ReportFailed)
    assert not verdict.needs_person


def test_what_stripe_took_during_the_charge_does_not_strand_what_our_lost_pay_reported() -> None:
    """The answer to `pay` was lost; the next look shows both, and Stripe counts ours as paid."""
    both = replace(PAID, stripe_payment=StripePayment.PAID, stripe_paid_minor=900)
    assert judged(2, both) == InvoiceReported(4100)
    assert for_a_person(judged(1, both))
    assert isinstance(judged(2, both, stripe_paid_minor=5000), ReportRefused)


@pytest.mark.parametrize(("share_minor", "verdict"), [(900, InvoiceReported(4100)), (5000, None)])
def test_what_stripe_took_between_our_two_calls_is_its_own_share(
    share_minor: int, verdict: InvoiceReported | None
) -> None:
    after = replace(PAID, stripe_payment=StripePayment.PAID, stripe_paid_minor=share_minor)
    judged = judge_answer(COLLECTED, replace(LOOK, stripe_paid_minor=0), after)
    assert judged == (verdict or ReportRefused(after))


def test_what_stripe_took_long_before_is_not_of_our_pay() -> None:
    paid = StripePayment.PAID
    before = replace(LOOK, amount_paid_minor=900, stripe_payment=paid, stripe_paid_minor=900)
    after = replace(PAID, stripe_payment=paid, stripe_paid_minor=900)
    assert judge_answer(COLLECTED, before, after) == InvoiceReported(4100)
