"""The ledger's vocabulary: every transaction balances, and names a cause of its own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.situations import SITUATIONS
from twintill.domain import ledger
from twintill.domain.ledger import LedgerTransaction, Posting, balance_per_payment

_RECEIPT = SITUATIONS["collected"].receipts[0]
_LEGS = st.lists(
    st.builds(
        Posting,
        account=st.sampled_from(("a", "b")),
        currency=st.sampled_from(("EUR", "USD")),
        amount_minor=st.integers(min_value=-3, max_value=3),
    ),
    max_size=5,
)


@given(legs=_LEGS)
def test_only_what_balances_in_each_currency_is_a_transaction(legs: list[Posting]) -> None:
    totals = [sum(p.amount_minor for p in legs if p.currency == c) for c in ("EUR", "USD")]
    if len(legs) >= 2 and not any(totals):
        assert LedgerTransaction("c", "k", tuple(legs)).postings == tuple(legs)
    else:
        with pytest.raises(ValueError, match="does not balance"):
            LedgerTransaction("c", "k", tuple(legs))


@given(minor=st.integers(min_value=1, max_value=10**12))
def test_each_kind_moves_an_amount_and_has_its_own_cause(minor: int) -> None:
    receipt = replace(_RECEIPT, collected_minor=minor)
    made = [
        ledger.collected(receipt),
        ledger.reported(receipt, minor),
        ledger.stranded(receipt, minor),
        ledger.failed_before_report(receipt, minor),
        ledger.failed_after_report(receipt, minor),
        ledger.failed_after_stranding(receipt, minor),
    ]
    assert len({t.cause for t in made}) == len(made)
    for transaction in made:
        assert [p.amount_minor for p in transaction.postings] == [minor, -minor]


@pytest.mark.parametrize(
    ("transaction", "debit", "credit"),
    [
        (ledger.collected(_RECEIPT), "processor:acct_p:clearing", "customer:unapplied"),
        (ledger.reported(_RECEIPT, 1), "customer:unapplied", "stripe:reported"),
        (ledger.stranded(_RECEIPT, 1), "customer:unapplied", "customer:stranded"),
        (
            ledger.failed_before_report(_RECEIPT, 1),
            "customer:unapplied",
            "processor:acct_p:clearing",
        ),
        (ledger.failed_after_report(_RECEIPT, 1), "customer:failed", "processor:acct_p:clearing"),
        (
            ledger.failed_after_stranding(_RECEIPT, 1),
            "customer:stranded",
            "processor:acct_p:clearing",
        ),
    ],
)
def test_the_accounts_are_those_of_the_chart(
    transaction: LedgerTransaction, debit: str, credit: str
) -> None:
    assert [p.account for p in transaction.postings] == [debit, credit]


def test_money_that_came_by_hand_is_undeposited() -> None:
    by_hand = replace(_RECEIPT, processor_account_id=None)
    assert ledger.collected(by_hand).postings[0].account == "hand:undeposited"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_was_collected_is_accounted_for(situation: str) -> None:
    assert balance_per_payment(SITUATIONS[situation]) == 0
