"""What a subscription leaves open when it ends: closed by setting, never beside a charge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    APPROVED,
    LOOK,
    NO_ANSWER,
    NOT_CHARGED,
    NOT_SENT,
    NOW,
    PAID,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    SOFT,
    VOID,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.decision import Decision, Notice
from twintill.domain.facts import Fact
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import AtEnd
from twintill.domain.steps import Charge, Conclude, Report, Resolve, next_step

_VOIDS = replace(POLICY, open_invoices_at_end=AtEnd.VOID)
_WRITES_OFF = replace(POLICY, open_invoices_at_end=AtEnd.MARK_UNCOLLECTIBLE)
_WRITTEN_OFF = replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE)
_ENDED = f.SubscriptionEnded("sub_1")


def told(payment: Payment, fact: Fact = _ENDED) -> Decision:
    return decide(payment, fact, _VOIDS, NOW)


def to_close() -> Payment:
    return told(new_payment()).payment


def started(look: InvoiceLook, payment: Payment | None = None) -> Decision:
    return told(payment or to_close(), f.ConclusionStarted(look))


def test_by_default_what_is_owed_is_still_collected() -> None:
    payment = decide(new_payment(), _ENDED, POLICY, NOW).payment
    assert payment == new_payment()
    assert isinstance(next_step(payment), Charge)


def test_a_waiting_one_is_closed_at_once_and_not_charged() -> None:
    payment = to_close()
    assert (payment.closing, payment.next_look_at) == (AtEnd.VOID, NOW)
    assert isinstance(next_step(payment), Conclude)
    assert told(payment, start()).send is None
    assert started(LOOK).conclude is AtEnd.VOID
    done = told(payment, f.Concluded(AtEnd.VOID, "void", VOID))
    assert (done.payment.state, done.payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)
    assert done.notices == (Notice.CANCELED,)


def test_written_off_it_ends_exhausted_and_may_not_be_charged_any_more() -> None:
    payment = decide(new_payment(), _ENDED, _WRITES_OFF, NOW).payment
    done = f.Concluded(AtEnd.MARK_UNCOLLECTIBLE, "uncollectible", _WRITTEN_OFF)
    decision = decide(payment, done, _WRITES_OFF, NOW)
    assert (decision.payment.state, decision.payment.reason) == (
        State.EXHAUSTED,
        Reason.UNCOLLECTIBLE,
    )
    assert decision.notices == (Notice.EXHAUSTED,)
    added = decide(decision.payment, f.MethodAdded("pm_b"), _WRITES_OFF, NOW)
    assert added.payment.state is State.EXHAUSTED


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_in_every_situation_it_is_wanted_only_where_money_may_still_be_asked_for(
    name: str,
) -> None:
    before = SITUATIONS[name]
    payment = told(before).payment
    open_ = before.state in ("waiting", "charging", "pending", "collected", "exhausted")
    left_alone = before.reason in (Reason.CHECKOUT, Reason.CONSENT, Reason.UNCOLLECTIBLE)
    assert (payment.closing is AtEnd.VOID) == (open_ and not left_alone)
    if payment.unresolved_attempt or payment.unapplied_minor or payment.parked_why:
        assert replace(payment, closing=before.closing) == before


def test_an_attempt_that_is_out_is_waited_for_and_its_decline_is_the_last() -> None:
    out = told(after(new_payment(), start())).payment
    assert isinstance(next_step(out), Resolve)
    assert started(LOOK, out).conclude is None
    declined = told(out, answer(SOFT)).payment
    assert (declined.state, declined.next_look_at) == (State.WAITING, NOW)
    assert isinstance(next_step(declined), Conclude)


def test_in_doubt_it_is_asked_for_and_never_sent_again() -> None:
    out = told(after(new_payment(), start(), answer(NO_ANSWER))).payment
    replay = told(out, f.ReplayStarted("att_1", LOOK))
    assert (replay.send, replay.payment.state) == (None, State.CHARGING)


def test_money_that_is_here_is_reported() -> None:
    payment = told(told(after(new_payment(), start())).payment, answer(APPROVED)).payment
    assert isinstance(next_step(payment), Report)
    assert told(payment, f.InvoiceReported(5000)).payment.state is State.REPORTED


def test_money_that_came_while_it_was_being_closed_goes_its_own_way() -> None:
    waits = told(after(new_payment(), start(), answer(NOT_SENT))).payment
    collected = told(waits, answer(APPROVED)).payment
    late = told(collected, f.Concluded(AtEnd.VOID, "void", VOID))
    assert (late.payment, late.note) == (collected, "closing came too late")


def test_a_request_that_may_still_arrive_holds_it() -> None:
    said = f.PersonSaid("att_1", replace(NOT_CHARGED, wait_s=7200), "looked", "none")
    payment = after(new_payment(), start(), answer(NO_ANSWER), said, at=NOW - timedelta(hours=2))
    assert payment.next_look_at is not None
    assert payment.next_look_at > NOW
    assert told(payment).payment.next_look_at == payment.next_look_at


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (VOID, Reason.INVOICE_VOID),
        (PAID, Reason.PAID_ELSEWHERE),
        (_WRITTEN_OFF, Reason.UNCOLLECTIBLE),
    ],
)
def test_what_is_closed_already_ends_as_it_is(look: InvoiceLook, expected: Reason) -> None:
    decision = started(look)
    assert decision.conclude is None
    assert (decision.payment.reason, decision.payment.ended) == (expected, True)


@pytest.mark.parametrize(
    "look",
    [
        replace(LOOK, status=InvoiceStatus.DRAFT),
        replace(LOOK, collection_method="charge_automatically"),
        replace(LOOK, stripe_payment=StripePayment.PROCESSING),
    ],
)
def test_what_stripe_is_at_is_waited_for(look: InvoiceLook) -> None:
    decision = started(look)
    assert decision.conclude is None
    assert decision.payment.next_look_at is not None
    assert decision.payment.next_look_at > NOW


def test_what_another_database_may_have_charged_is_for_a_person() -> None:
    decision = started(replace(LOOK, highest_n=2))
    assert decision.notices == (Notice.NEEDS_PERSON,)
    assert decision.payment.parked_why is not None


def test_what_was_given_up_is_closed_too_and_told_once() -> None:
    payment = told(SITUATIONS["exhausted"]).payment
    assert (payment.ended, payment.next_look_at) == (False, NOW)
    written_off = f.Concluded(AtEnd.MARK_UNCOLLECTIBLE, "uncollectible", _WRITTEN_OFF)
    assert told(payment, written_off).notices == ()


def test_a_second_end_changes_nothing() -> None:
    again = decide(to_close(), _ENDED, _WRITES_OFF, NOW)
    assert (again.payment, again.note) == (to_close(), "it is being closed already")


def test_a_debit_that_failed_and_is_perhaps_counted_is_for_a_person() -> None:
    reported = (answer(PROVISIONAL), f.ReportFailed("timed out"), f.FailedLate("att_1", "nsf", ""))
    payment = told(replace(after(new_payment(), start(), *reported), reports=1)).payment
    assert isinstance(next_step(payment), Conclude)
    assert "perhaps by our report" in str(started(PAID, payment).payment.parked_why)


def test_while_stripe_cannot_be_read_it_waits_and_in_the_end_for_a_person() -> None:
    payment = to_close()
    for _ in range(POLICY.reports_before_notice):
        assert payment.parked_why is None
        payment = told(payment, f.LookFailed("401: wrong key")).payment
        assert payment.next_look_at is not None
        assert payment.next_look_at > NOW
    assert "wrong key" in str(payment.parked_why)


def test_a_first_payment_that_is_given_up_is_voided_whatever_the_setting_at_an_end() -> None:
    given_up = decide(SITUATIONS["exhausted"], f.FirstPaymentGivenUp(), POLICY, NOW).payment
    assert given_up.closing is AtEnd.VOID
    saved = decide(new_payment(), f.FirstPaymentGivenUp(), POLICY, NOW)
    assert saved.payment == new_payment()


def test_written_off_and_parked_and_put_back_to_work_it_has_ended() -> None:
    """It was looked at again and again for ever."""
    payment = started(_WRITTEN_OFF).payment
    for fact in (f.LookGaveUp("KeyError"), f.Unparked("looked at")):
        assert (payment.state, payment.reason) == (State.EXHAUSTED, Reason.UNCOLLECTIBLE)
        payment = told(payment, fact).payment
    assert isinstance(next_step(payment), Conclude)
    assert started(_WRITTEN_OFF, payment).payment.ended
