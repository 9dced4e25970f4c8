"""The words of a switch: where it stands, what comes next, what became of an invoice."""

from dataclasses import replace

import pytest

from tests.domain.situations import LOOK, PAID, VOID
from twintill.domain.invoice import InvoiceStatus, StripePayment
from twintill.domain.switching import (
    CHOICES,
    Did,
    OpenInvoices,
    Step,
    SwitchState,
    To,
    ended_as,
    first_step,
    is_idle,
    next_invoice,
    state_of,
)


@pytest.mark.parametrize("step", Step)
def test_a_switch_that_has_ended_says_so_and_a_parked_one_needs_a_person(step: Step) -> None:
    last = {Step.DONE: "done", Step.FAILED: "failed", Step.UNDONE: "undone"}.get(step)
    assert state_of(step, parked=True) == (last or "needs_person")
    waits = step in (Step.METHOD, Step.HAND, Step.AWAIT, Step.VOID, Step.SEEN)
    running = SwitchState.WAITING if waits else SwitchState.RUNNING
    assert state_of(step, parked=False) == (last or running)


def test_each_direction_has_the_careful_choice_first() -> None:
    assert [choices[0] for choices in CHOICES.values()] == ["finish", "leave"]
    assert sorted(c for choices in CHOICES.values() for c in choices) == sorted(OpenInvoices)
    assert To.STRIPE.collection_method == To.PROCESSOR.former_collection_method
    assert To.PROCESSOR.collection_method == To.STRIPE.former_collection_method


def test_what_comes_first_for_an_invoice() -> None:
    assert {first_step("draft", choice) for choice in OpenInvoices} == {Step.DRAFT}
    assert first_step("open", OpenInvoices.LEAVE) is Step.PIN
    assert first_step("open", OpenInvoices.REINVOICE) is Step.DRAFT_AGAIN
    assert first_step("open", OpenInvoices.VOID) is Step.HAND


def test_the_next_invoice_is_one_that_nothing_was_done_about() -> None:
    assert next_invoice({"in_1": {"did": "voided"}, "in_2": {"status": "open"}}) == "in_2"
    assert next_invoice({"in_1": {"did": "voided"}}) is None


def test_what_became_of_one_that_was_handed_over() -> None:
    assert ended_as(VOID) is Did.VOIDED
    assert ended_as(replace(PAID, stripe_payment=StripePayment.PAID)) is Did.CHARGED
    assert ended_as(PAID) is Did.CLOSED


def test_only_an_open_one_that_nobody_is_paying_is_idle() -> None:
    assert is_idle(LOOK)
    assert not is_idle(replace(LOOK, stripe_payment=StripePayment.PROCESSING))
    assert not is_idle(replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE))
