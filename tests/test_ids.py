"""Ids: what moves money is derived, the same for ever, and different for different things."""

import re

from hypothesis import given
from hypothesis import strategies as st

from twintill import ids
from twintill.ids import Scope

_SCOPES = st.builds(Scope, st.from_regex(r"acct_[A-Za-z0-9]{1,20}", fullmatch=True), st.booleans())
_INVOICES = st.from_regex(r"in_[A-Za-z0-9]{1,30}", fullmatch=True)
_KINDS = st.sampled_from(("charge", "refund"))
_N = st.integers(min_value=1, max_value=9999)
_THINGS = st.tuples(_SCOPES, _INVOICES, _KINDS, _N)


@given(thing=_THINGS)
def test_a_reference_is_short_safe_and_the_same_for_ever(
    thing: tuple[Scope, str, str, int],
) -> None:
    reference = ids.reference(*thing)
    assert re.fullmatch(r"[a-z0-9-]{1,35}", reference)
    assert reference == ids.reference(*thing)


@given(one=_THINGS, other=_THINGS)
def test_different_things_have_different_names(
    one: tuple[Scope, str, str, int], other: tuple[Scope, str, str, int]
) -> None:
    for name in (ids.reference, ids.idempotency_key, ids.attempt_id):
        assert (name(*one) == name(*other)) is (one == other)


@given(scope=_SCOPES, invoice=_INVOICES, n=_N)
def test_an_attempt_has_three_unrelated_names(scope: Scope, invoice: str, n: int) -> None:
    thing = (scope, invoice, "charge", n)
    named = ids.attempt_id(*thing), ids.reference(*thing), ids.idempotency_key(*thing)
    assert len(set(named)) == 3


def test_live_and_test_mode_never_share_a_key() -> None:
    live, test = Scope("acct_1", livemode=True), Scope("acct_1", livemode=False)
    assert ids.idempotency_key(live, "in_1", "charge", 1) != ids.idempotency_key(
        test, "in_1", "charge", 1
    )
    assert ids.payment_id(live, "in_1") != ids.payment_id(test, "in_1")


def test_parts_do_not_run_into_each_other() -> None:
    scope = Scope("acct_1", livemode=True)
    assert ids.derived_id("x", scope, "a", "bc") != ids.derived_id("x", scope, "ab", "c")


def test_these_names_are_frozen() -> None:
    """A changed derivation would let a new release charge again what an old one charged."""
    scope = Scope("acct_1", livemode=True)
    assert ids.payment_id(scope, "in_1") == "pay_4532a59b05165f488d16b978078c37c9"
    assert ids.attempt_id(scope, "in_1", "charge", 1) == "att_ceb6604e453654b58cad890eeb100288"
    assert ids.reference(scope, "in_1", "charge", 1) == "tw-qozwwdt7iriodo5ph6ncobouva-1"
    assert ids.idempotency_key(scope, "in_1", "charge", 1) == "6391200a-d6ee-5262-a0da-5a2df6c5df86"


def test_fresh_ids_are_prefixed_and_never_the_same() -> None:
    made = {ids.new_id("evt") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"evt_[0-9A-Za-z]{24}", one) for one in made)
