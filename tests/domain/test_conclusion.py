"""What dunning ends with: only when it gave up, after a last look, and once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    HARD,
    LOOK,
    NOW,
    PAID,
    POLICY,
    PROVISIONAL,
    VOID,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.decision import Decision, Notice
from twintill.domain.facts import ConclusionStarted
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Payment, Reason, State, Usable
from twintill.domain.policy import Exhausted
from twintill.domain.steps import Conclude, Rest, next_step

_WRITE_OFF = replace(POLICY, exhausted=Exhausted.MARK_UNCOLLECTIBLE)
_CANCEL = replace(POLICY, exhausted=Exhausted.CANCEL_SUBSCRIPTION)
_WRITTEN_OFF = replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE)


def given_up() -> Payment:
    """A hard decline, under a policy that wants something done."""
    charging = after(new_payment(), start())
    return decide(charging, answer(HARD), _WRITE_OFF, NOW).payment


def started(look: InvoiceLook = LOOK, payment: Payment | None = None) -> Decision:
    return decide(payment or given_up(), ConclusionStarted(look), _WRITE_OFF, NOW)


def test_giving_up_goes_on_to_the_setting() -> None:
    payment = given_up()
    assert (payment.state, payment.ended) == (State.EXHAUSTED, False)
    assert isinstance(next_step(payment), Conclude)
    assert started().conclude is Exhausted.MARK_UNCOLLECTIBLE
    assert started().goes_on


def test_it_is_repeated_after_a_crash_and_ends_once_it_is_told() -> None:
    begun = started().payment
    assert (begun.ended, begun.next_look_at) == (False, NOW)
    assert started(payment=begun).conclude is Exhausted.MARK_UNCOLLECTIBLE
    told = f.Concluded(Exhausted.MARK_UNCOLLECTIBLE, "uncollectible")
    ended = decide(begun, told, _WRITE_OFF, NOW).payment
    assert (ended.state, ended.reason, ended.ended) == (
        State.EXHAUSTED,
        Reason.DECLINED_FOR_GOOD,
        True,
    )
    assert isinstance(next_step(ended), Rest)


def test_a_new_method_that_comes_before_it_wins() -> None:
    payment = decide(given_up(), f.MethodAdded("pm_b"), _WRITE_OFF, NOW).payment
    assert started(payment=payment).conclude is None
    told = f.Concluded(Exhausted.MARK_UNCOLLECTIBLE, "uncollectible")
    late = decide(payment, told, _WRITE_OFF, NOW)
    assert (late.payment, late.payment.state) == (payment, State.WAITING)


def test_a_method_that_crossed_the_last_decline_wins() -> None:
    late = Usable("pm_new", NOW, frozenset(("pm_new",)))
    payment = replace(given_up(), methods=(*given_up().methods, late))
    decision = started(payment=payment)
    assert decision.conclude is None
    assert (decision.payment.state, decision.payment.next_look_at) == (State.WAITING, NOW)


def test_what_was_written_off_by_hand_cancels_no_subscription() -> None:
    by_hand = replace(given_up(), reason=Reason.UNCOLLECTIBLE)
    assert decide(by_hand, ConclusionStarted(LOOK), _CANCEL, NOW).payment.ended


def test_a_closed_invoice_is_left_alone() -> None:
    decision = started(VOID)
    assert (decision.conclude, decision.notices) == (None, (Notice.CANCELED,))
    assert (decision.payment.reason, decision.payment.ended) == (Reason.INVOICE_VOID, True)


def test_one_that_the_customer_is_paying_through_stripe_is_waited_for() -> None:
    decision = started(replace(LOOK, stripe_payment=StripePayment.PROCESSING))
    assert decision.conclude is None
    assert decision.payment.next_look_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("look", [_WRITTEN_OFF, replace(LOOK, collection_method="charge_auto")])
def test_nothing_is_done_twice_or_to_what_stripe_collects(look: InvoiceLook) -> None:
    decision = started(look)
    assert (decision.conclude, decision.payment.ended) == (None, True)


def test_a_subscription_is_cancelled_although_its_invoice_was_written_off() -> None:
    decision = decide(given_up(), ConclusionStarted(_WRITTEN_OFF), _CANCEL, NOW)
    assert decision.conclude is Exhausted.CANCEL_SUBSCRIPTION


def test_what_cannot_be_done_is_for_a_person_in_the_end() -> None:
    payment = given_up()
    for _ in range(POLICY.reports_before_notice):
        assert payment.parked_why is None
        payment = decide(payment, f.LookFailed("401: wrong key"), _WRITE_OFF, NOW).payment
    assert payment.parked_why is not None
    assert "wrong key" in payment.parked_why


def debit_failed_during_its_report() -> Payment:
    """The answer to `pay` was lost, then the mandate was withdrawn: nothing is left to try."""
    told = (answer(PROVISIONAL), f.ReportFailed("timed out"))
    failed = f.FailedLate("att_1", "mandate_cancelled", "", DeclineKind.REVOKED)
    return after(new_payment(), start(), *told, failed)


def test_who_gave_up_on_a_debit_that_failed_during_its_report_looks_whether_stripe_counts_it() -> (
    None
):
    payment = debit_failed_during_its_report()
    assert (payment.state, payment.ended) == (State.EXHAUSTED, False)
    assert isinstance(next_step(payment), Conclude)
    counted = decide(payment, ConclusionStarted(PAID), POLICY, NOW)
    assert counted.notices == (Notice.NEEDS_PERSON,)
    assert "perhaps by our report" in str(counted.payment.parked_why)
    assert decide(payment, ConclusionStarted(LOOK), POLICY, NOW).payment.ended
    assert decide(payment, ConclusionStarted(VOID), POLICY, NOW).payment.state is State.CANCELED


def test_so_it_does_when_the_method_of_its_next_try_is_revoked_later() -> None:
    told = (answer(PROVISIONAL), f.ReportFailed("timed out"), f.FailedLate("att_1", "nsf", ""))
    waits = replace(after(new_payment(), start(), *told), methods=())
    payment = decide(waits, f.MethodLost("pm_a"), POLICY, NOW).payment
    assert (payment.state, payment.ended) == (State.EXHAUSTED, False)
