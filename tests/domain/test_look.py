"""The last look: charge exactly what Stripe says is due, and only what is ours to charge."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.domain.situations import CHEQUE, DUE, LOOK, NOW, PAID, POLICY, after, new_payment
from twintill.domain.hand_facts import HandPaymentUndone
from twintill.domain.invoice import InvoiceStatus, StripePayment, rank
from twintill.domain.look import Chargeable, Closed, NeedsPerson, Verdict, Wait, judge_charge
from twintill.domain.payment import Reason, State


def judged(n: int = 1, limit_minor: int | None = None, **changes: Any) -> Verdict:
    payment = new_payment(limit_minor=limit_minor)
    return judge_charge(payment, replace(LOOK, **changes), n, POLICY, NOW)


def test_what_remains_is_charged_and_not_what_was_due() -> None:
    assert judged(amount_due_minor=5000, amount_remaining_minor=1200) == Chargeable(1200)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (InvoiceStatus.VOID, Reason.INVOICE_VOID),
        (InvoiceStatus.DELETED, Reason.INVOICE_DELETED),
        (InvoiceStatus.PAID, Reason.PAID_ELSEWHERE),
        (InvoiceStatus.UNCOLLECTIBLE, Reason.UNCOLLECTIBLE),
    ],
)
def test_a_closed_invoice_is_not_charged(status: InvoiceStatus, reason: Reason) -> None:
    assert judged(status=status) == Closed(reason)


def test_a_zero_invoice_is_paid_by_stripe_itself() -> None:
    nothing = {"amount_due_minor": 0, "amount_paid_minor": 0, "amount_remaining_minor": 0}
    assert judged(status=InvoiceStatus.PAID, **nothing) == Closed(Reason.NOTHING_DUE)
    assert judged(status=InvoiceStatus.DELETED, **nothing) == Closed(Reason.INVOICE_DELETED)


def test_an_invoice_partly_paid_through_stripe_is_for_a_person() -> None:
    assert isinstance(judged(stripe_payment=StripePayment.PAID), NeedsPerson)


@pytest.mark.parametrize(
    "changes",
    [{"foreign_installation": "other"}, {"highest_n": 2}, {"currency": "USD"}],
)
def test_another_copy_or_currency_is_for_a_person(changes: dict[str, Any]) -> None:
    assert isinstance(judged(**changes), NeedsPerson)


def test_our_own_mark_does_not_stop_a_replay() -> None:
    assert judged(n=2, highest_n=2) == Chargeable(5000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": InvoiceStatus.DRAFT}, Reason.DRAFT),
        ({"collection_method": "charge_automatically"}, Reason.HANDED_TO_STRIPE),
        ({"stripe_payment": StripePayment.PROCESSING}, Reason.STRIPE_PAYMENT_PROCESSING),
        ({"amount_remaining_minor": 0}, Reason.NOTHING_DUE),
    ],
)
def test_what_may_change_is_waited_for(changes: dict[str, Any], reason: Reason) -> None:
    verdict = judged(**changes)
    assert isinstance(verdict, Wait)
    assert verdict.reason is reason
    assert verdict.until > NOW


@pytest.mark.parametrize(
    ("limit_minor", "verdict"),
    [(0, Reason.CHECKOUT), (4999, Reason.CONSENT), (5000, None), (None, None)],
)
def test_more_than_agreed_is_never_charged(limit_minor: int | None, verdict: Reason | None) -> None:
    judgement = judged(limit_minor=limit_minor)
    assert (judgement.reason if isinstance(judgement, Wait) else None) is verdict


def test_a_draft_of_an_unfinished_checkout_still_waits_for_the_checkout() -> None:
    verdict = judged(limit_minor=0, status=InvoiceStatus.DRAFT)
    assert isinstance(verdict, Wait)
    assert verdict.reason is Reason.CHECKOUT


def test_what_was_opened_for_money_by_hand_is_not_charged_once_that_is_undone() -> None:
    told = (CHEQUE, HandPaymentUndone("hp_1", "another invoice", "person:ada"))
    payment = after(new_payment(Reason.NO_METHOD, limit_minor=0), *told)
    assert payment.state is State.WAITING
    verdict = judge_charge(payment, LOOK, 1, POLICY, NOW)
    assert isinstance(verdict, Wait)
    assert verdict.reason is Reason.NO_METHOD


def test_a_mirrored_status_only_moves_up() -> None:
    up = [InvoiceStatus.DRAFT, InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.PAID]
    for lower, higher in pairwise(up):
        assert rank(higher) > rank(lower)
    assert rank(InvoiceStatus.VOID) == rank(InvoiceStatus.PAID) == rank(InvoiceStatus.DELETED)


def test_uncollectible_is_not_closed() -> None:
    """Stripe still takes the report: the money was owed."""
    assert not replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE, due_at=DUE).closed
    assert replace(LOOK, status=InvoiceStatus.VOID).closed


def test_who_parks_a_payment_says_what_makes_unparking_it_work() -> None:
    """The marks stay in the invoice's metadata: with nothing else done it parks again."""
    two_copies, restored = judged(foreign_installation="zzzzzzz2"), judged(highest_n=9)
    assert isinstance(two_copies, NeedsPerson)
    assert "metadata, then unpark" in two_copies.why
    assert isinstance(restored, NeedsPerson)
    assert "Run `twintill recover`" in restored.why


@pytest.mark.parametrize(
    ("changes", "surely"),
    [
        ({"status": InvoiceStatus.OPEN}, False),
        ({"status": InvoiceStatus.VOID}, True),
        ({"status": InvoiceStatus.DELETED}, True),
        ({"stripe_payment": StripePayment.PAID}, True),
        ({"stripe_payment": StripePayment.PAID, "stripe_paid_minor": 5000}, True),
        ({"stripe_payment": StripePayment.PAID, "stripe_paid_minor": 900}, False),
        ({"stripe_paid_minor": 0}, False),
        ({"amount_paid_minor": 0}, True),
    ],
)
def test_paid_by_hand_is_not_surely_closed_by_others(
    changes: dict[str, Any],
    surely: bool,
) -> None:
    assert replace(PAID, **changes).closed_by_others is surely
