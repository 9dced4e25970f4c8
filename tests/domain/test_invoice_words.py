"""How an invoice stands, in sentences that a person at support can read out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.domain.situations import DUE, NOW, POLICY, SITUATIONS, after, answer, new_payment, start
from twintill.domain.hand import HandKind, HandPayment
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.invoice_words import NextAttempt, Standing, in_words, next_attempt
from twintill.domain.outcomes import Declined, DeclineKind, Finality
from twintill.domain.payment import AskedTry, Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.domain.policy import Policy
from twintill.money import Money

DAY = timedelta(days=1)
CHEQUE = HandPayment(
    "hp_1", HandKind.CHEQUE, 4900, "EUR", NOW.date(), "cheque 000123", "person:ada", NOW
)
OPEN = Standing(InvoiceStatus.OPEN, "send_invoice", Money(4900, "EUR"), DUE)
DUE_WORDS = "Due on 31 Mar 2026, 12:00 UTC."


def declined(n: int, method_id: str = "pm_a", **changes: Any) -> Attempt:
    sent = NOW - timedelta(days=10 - n)
    made = Attempt(
        f"att_{n}", n, method_id, "sandbox", "acct_p", Money(4900, "EUR"), f"tw-{n}", f"k{n}", sent
    )
    told: dict[str, Any] = {
        "outcome": Outcome.DECLINED,
        "decline_kind": DeclineKind.SOFT,
        "answered_at": sent,
    }
    return replace(made, **told, code="insufficient_funds", **changes)


def payment(state: State, reason: Reason | None = None, **changes: Any) -> Payment:
    its = replace(new_payment(), state=state, reason=reason, next_look_at=NOW + 2 * DAY)
    return replace(its, **changes)


def receipt(**changes: Any) -> Receipt:
    got = Receipt(
        "rcp_1", "att_1", "attempt", "acct_p", "EUR", Finality.FINAL, 4900, NOW, reported_minor=4900
    )
    return replace(got, **changes)


def words(standing: Standing = OPEN, its: Payment | None = None, policy: Policy = POLICY) -> str:
    return in_words(standing, its, policy, NOW)


def test_tried_twice_and_tried_again_when_the_schedule_says() -> None:
    its = payment(State.WAITING, Reason.RETRY, attempts=(declined(1), declined(2)))
    assert words(its=its) == (
        "Open, 49.00 EUR to pay: it waits. Declined twice (insufficient_funds). Tried again on "
        "3 Mar 2026, 12:00 UTC: the schedule waits 3 days after decline 2. " + DUE_WORDS
    )


def test_a_single_decline_and_a_day() -> None:
    its = payment(State.WAITING, Reason.RETRY, attempts=(declined(1),))
    assert "Declined once (insufficient_funds). Tried again on" in words(its=its)
    assert "the schedule waits a day after decline 1." in words(its=its)
    hours = Policy(retry_pauses=(timedelta(hours=36),))
    assert "the schedule waits 36 hours after decline 1." in words(its=its, policy=hours)


def test_the_processor_asked_for_a_longer_wait() -> None:
    its = payment(State.WAITING, Reason.RETRY, attempts=(declined(1, retry_after_s=400_000),))
    assert "the processor asked to wait so long" in words(its=its)
    soon = payment(State.WAITING, Reason.RETRY, attempts=(declined(1, retry_after_s=60),))
    assert "the schedule waits a day" in words(its=soon)


def test_more_declines_than_the_schedule_has_pauses() -> None:
    """The setting was shortened, or another method follows: no number is made up."""
    tries = tuple(declined(n) for n in (1, 2, 3, 4))
    its = payment(State.WAITING, Reason.RETRY, attempts=tries, asked_try=AskedTry("pm_a", 5))
    assert words(its=its) == (
        "Open, 49.00 EUR to pay: it waits. Declined 4 times (insufficient_funds). Tried again on "
        "3 Mar 2026, 12:00 UTC: the schedule of retries says so. " + DUE_WORDS
    )


def test_a_first_charge() -> None:
    its = payment(State.WAITING, Reason.READY, next_look_at=NOW)
    assert words(its=its) == (
        "Open, 49.00 EUR to pay: it waits. Charged now: it is due to be collected. " + DUE_WORDS
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (InvoiceStatus.DRAFT, "A draft: Stripe has not finalized it, so nothing is collected yet."),
        (InvoiceStatus.VOID, "Void: nothing is owed."),
        (InvoiceStatus.DELETED, "Deleted as a draft: nothing is owed."),
        (InvoiceStatus.PAID, "Paid, and not by a charge of Twintill's."),
    ],
)
def test_nothing_is_owed(status: InvoiceStatus, said: str) -> None:
    assert words(replace(OPEN, status=status)) == said
    if status is not InvoiceStatus.DRAFT:
        given_up = payment(State.CANCELED, Reason.INVOICE_VOID, next_look_at=None)
        assert words(replace(OPEN, status=status), given_up) == said


def test_a_closed_invoice_is_not_charged_whatever_its_payment_was_about_to_do() -> None:
    its = payment(State.WAITING, Reason.RETRY, attempts=(declined(1),))
    paid = replace(OPEN, status=InvoiceStatus.PAID)
    assert words(paid, its) == (
        "Paid, and not by a charge of Twintill's. Declined once (insufficient_funds)."
    )


def test_who_collects_it_where_we_do_not() -> None:
    assert words() == (
        "Open, 49.00 EUR to pay: nobody charges it, the customer pays by transfer or by hand. "
        + DUE_WORDS
    )
    stripes = replace(OPEN, collection_method="charge_automatically", due_at=None)
    assert words(stripes) == "Open, 49.00 EUR to pay: Stripe collects it itself."


@pytest.mark.parametrize(
    ("its", "said"),
    [
        (payment(State.CHARGING, Reason.IN_DOUBT), "a charge is out (the processor has not"),
        (payment(State.PENDING, Reason.ACCEPTED), "under way (the processor tells the result"),
        (payment(State.EXHAUSTED, Reason.TRIES_USED_UP), "any more by itself (all tries are used"),
        (payment(State.CANCELED, Reason.UNCOLLECTIBLE), "it is not collected (uncollectible)"),
        (payment(State.CHARGING), "a charge is out. Due"),
        (payment(State.COLLECTED, receipts=(receipt(),)), "49.00 EUR collected; Stripe is about"),
        (payment(State.REPORTED, receipts=(receipt(),)), "Paid: 49.00 EUR collected, and Stripe"),
        (
            payment(State.REPORTED, receipts=(receipt(source="hand"),)),
            "Paid: 49.00 EUR received by hand, and Stripe was told.",
        ),
        (
            payment(State.REPORTED, Reason.CREDIT_NOTE_DUE, receipts=(receipt(failed=True),)),
            "told of 49.00 EUR, which did not hold afterwards (its credit note is still to be",
        ),
        (
            payment(State.REPORTED, receipts=(receipt(refunded_minor=900),)),
            "Stripe was told; 9.00 EUR of it went back.",
        ),
        (
            payment(State.STRANDED, Reason.INVOICE_VOID, receipts=(receipt(),)),
            "49.00 EUR collected that the invoice does not take (invoice void).",
        ),
        (
            payment(State.REFUNDED, receipts=(receipt(refunded_minor=4900),)),
            "Nothing was kept: 49.00 EUR went back.",
        ),
        (payment(State.WAITING, Reason.NO_METHOD), "it waits (no payment method can be charged"),
        (
            payment(State.CHARGING, by_hand=(CHEQUE,)),
            "49.00 EUR received by hand (cheque 000123) waits to be put on it.",
        ),
        (payment(State.WAITING, parked_why="who knows."), "It waits for a person: who knows."),
    ],
)
def test_where_a_payment_is(its: Payment, said: str) -> None:
    assert said in words(its=its)


def test_overdue_uncollectible_and_a_troubled_subscription() -> None:
    late = replace(
        OPEN, due_at=NOW - DAY, subscription_status="past_due", subscription_since=NOW - DAY
    )
    assert words(late).endswith(
        "Overdue since 28 Feb 2026, 12:00 UTC. "
        "Its subscription is past_due since 28 Feb 2026, 12:00 UTC."
    )
    assert "Its subscription is unpaid." in words(
        replace(late, subscription_status="unpaid", subscription_since=None)
    )
    given_up = words(replace(late, status=InvoiceStatus.UNCOLLECTIBLE))
    assert "Given up as uncollectible, 49.00 EUR to pay" in given_up
    assert "Due on" in given_up


def test_the_next_attempt_and_its_method() -> None:
    its = payment(State.WAITING, Reason.NETWORK_LIMIT)
    why = "the card network allows no more tries before"
    assert next_attempt(its, POLICY, NOW) == NextAttempt(NOW + 2 * DAY, "pm_a", why)
    for none in (
        replace(its, parked_why="look"),
        replace(its, next_look_at=None),
        replace(its, reason=Reason.CHECKOUT),
        replace(its, state=State.EXHAUSTED),
        replace(its, methods=()),
    ):
        assert next_attempt(none, POLICY, NOW) is None


def test_every_situation_has_words() -> None:
    """Also those that nobody thought of here."""
    for its in SITUATIONS.values():
        for status in InvoiceStatus:
            assert words(replace(OPEN, status=status), its).endswith(".")


def test_what_the_schedule_says_is_what_dunning_does() -> None:
    soft = Declined(DeclineKind.SOFT, "insufficient_funds")
    its = after(new_payment(), start(), answer(soft))
    follows = next_attempt(its, POLICY, NOW)
    assert follows is not None
    assert follows.why == "the schedule waits a day after decline 1"
    assert its.attempts[0].answered_at is not None
    assert follows.at == its.attempts[0].answered_at + DAY
