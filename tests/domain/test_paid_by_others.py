"""Money for an invoice that somebody else marked as paid may be that very money."""

from dataclasses import replace

import pytest

from tests.domain.situations import new_payment
from twintill.domain.hand_rules import credit_refusal
from twintill.domain.payment import Reason, State


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        (State.CANCELED, Reason.PAID_ELSEWHERE, "paid_already"),
        (State.CANCELED, Reason.INVOICE_VOID, None),
        (State.WAITING, Reason.READY, None),
        (State.REPORTED, None, None),
    ],
)
def test_it_becomes_credit_without_a_word_only_where_nobody_else_counts_it(
    state: State, reason: Reason | None, code: str | None
) -> None:
    refused = credit_refusal(replace(new_payment(), state=state, reason=reason))
    assert (refused.code if refused else None) == code
