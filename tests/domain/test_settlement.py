"""What a line of a processor's report posts: every kind, ours or not; shown again; changed."""

from dataclasses import replace

import pytest

from twintill.domain.ledger import Posting
from twintill.domain.settlement import (
    Line,
    Place,
    SettlementKind,
    Whose,
    booked,
    completed,
    covered_minor,
    whose,
    why_not_booked,
)
from twintill.money import Money

THERE = "processor:acct_1:clearing"
HELD = "processor:acct_1:reserve"
FEE, TRANSIT, SUSPENSE = "fee:sandbox", "bank:transit", "suspense"
OURS, FOREIGN, ACCOUNT = Place(Whose.OURS, "EUR"), Place(Whose.FOREIGN), Place(Whose.ACCOUNT)


def line(kind: str, minor: int, fee_minor: int | None = None, **more: str | None) -> Line:
    fee = None if fee_minor is None else Money(fee_minor, "EUR")
    its = Line(
        "stl_1", "sandbox", "acct_1", SettlementKind(kind), Money(minor, "EUR"), fee, "chg_1"
    )
    return replace(its, **more)  # type: ignore[arg-type]


def legs(of: Line, place: Place, *before: tuple[Line, Place]) -> dict[str, int]:
    posted = booked(of, place, 1, *before)
    return {} if posted is None else {p.account: p.amount_minor for p in posted.postings}


# Debits are positive. Clearing moves by what the balance moved, less what facts have posted.
TABLE: tuple[tuple[str, int, int | None, dict[str, int], dict[str, int]], ...] = (
    # kind, amount, fee          of a charge of ours           of one that is not, or of none
    ("charge", 4900, 120, {FEE: 120, THERE: -120}, {SUSPENSE: -4780, THERE: 4780}),
    ("charge", 4900, None, {}, {SUSPENSE: -4900, THERE: 4900}),
    ("charge_failed", -4900, 300, {FEE: 300, THERE: -300}, {SUSPENSE: 5200, THERE: -5200}),
    ("refund", -900, -20, {FEE: -20, THERE: 20}, {SUSPENSE: 880, THERE: -880}),
    ("refund", -900, 0, {}, {SUSPENSE: 900, THERE: -900}),
    ("refund_failed", 900, None, {}, {SUSPENSE: -900, THERE: 900}),
    ("dispute", -4900, 1500, {FEE: 1500, THERE: -1500}, {SUSPENSE: 6400, THERE: -6400}),
    ("dispute_won", 4900, -1500, {FEE: -1500, THERE: 1500}, {SUSPENSE: -6400, THERE: 6400}),
    ("fee", -35, None, {FEE: 35, THERE: -35}, {SUSPENSE: 35, THERE: -35}),
    ("fee", 35, None, {FEE: -35, THERE: 35}, {SUSPENSE: -35, THERE: 35}),
)
OF_THE_ACCOUNT: tuple[tuple[str, int, int | None, dict[str, int]], ...] = (
    ("fee", -35, None, {FEE: 35, THERE: -35}),
    ("payout", -9000, None, {TRANSIT: 9000, THERE: -9000}),
    ("payout", -9000, 25, {TRANSIT: 9000, FEE: 25, THERE: -9025}),
    ("payout_returned", 9000, None, {TRANSIT: -9000, THERE: 9000}),
    ("hold", -500, None, {HELD: 500, THERE: -500}),
    ("hold", 500, None, {HELD: -500, THERE: 500}),
    ("other", 77, None, {SUSPENSE: -77, THERE: 77}),
    ("other", 77, 7, {SUSPENSE: -70, THERE: 70}),
)


@pytest.mark.parametrize(("kind", "minor", "fee_minor", "ours", "foreign"), TABLE)
def test_what_a_line_of_a_charge_posts(
    kind: str, minor: int, fee_minor: int | None, ours: dict[str, int], foreign: dict[str, int]
) -> None:
    its = line(kind, minor, fee_minor)
    assert whose(its, is_ours=True) is Whose.OURS
    assert whose(its, is_ours=False) is Whose.FOREIGN
    assert legs(its, OURS) == ours
    assert legs(its, FOREIGN) == foreign


@pytest.mark.parametrize(("kind", "minor", "fee_minor", "expected"), OF_THE_ACCOUNT)
def test_what_a_line_of_the_account_posts(
    kind: str, minor: int, fee_minor: int | None, expected: dict[str, int]
) -> None:
    its = line(kind, minor, fee_minor, processor_payment_id=None)
    assert whose(its, is_ours=False) is Whose.ACCOUNT
    assert legs(its, ACCOUNT) == expected


@pytest.mark.parametrize("kind", ["payout", "payout_returned", "hold", "other"])
def test_what_belongs_to_no_charge_belongs_to_none_of_ours(kind: str) -> None:
    assert whose(line(kind, -1), is_ours=True) is Whose.ACCOUNT


def test_every_kind_is_in_the_tables() -> None:
    assert {row[0] for row in (*TABLE, *OF_THE_ACCOUNT)} == set(SettlementKind)


def test_a_fee_that_names_a_charge_by_our_reference_belongs_to_it() -> None:
    its = line("fee", -35, processor_payment_id=None, reference="tw-x-1")
    assert whose(its, is_ours=False) is Whose.FOREIGN


@pytest.mark.parametrize(
    ("told_minor", "elsewhere_minor", "covered"),
    [(0, 0, 0), (1500, 0, 1500), (2000, 0, 1500), (400, 0, 400), (1500, 1500, 0), (400, 900, 0)],
)
def test_a_fee_that_a_disputes_facts_have_booked_is_not_booked_again(
    told_minor: int, elsewhere_minor: int, covered: int
) -> None:
    its = line("dispute", -4900, 1500)
    assert covered_minor(its, told_minor, elsewhere_minor) == covered
    rest = legs(its, replace(OURS, covered_minor=covered))
    assert rest == ({} if covered == 1500 else {FEE: 1500 - covered, THERE: covered - 1500})


def test_nor_one_that_its_facts_book_later() -> None:
    its = line("fee", -1500, object_id="dp_1")
    assert covered_minor(its, 1500, 0) == 1500
    after = replace(OURS, covered_minor=1500)
    assert legs(its, after, (its, OURS)) == {FEE: -1500, THERE: 1500}


def test_what_turns_out_to_be_ours_leaves_suspense() -> None:
    its = line("charge", 4900, 120)
    assert legs(its, OURS, (its, FOREIGN)) == {FEE: 120, SUSPENSE: 4780, THERE: -4900}


def test_the_same_again_posts_nothing() -> None:
    its = line("charge", 4900, 120)
    assert booked(its, OURS, 2, (its, OURS)) is None


def test_each_posting_has_a_cause_of_its_own() -> None:
    its = line("payout", -9000)
    posted = booked(its, ACCOUNT, 3)
    assert posted is not None
    assert (posted.cause, posted.kind) == ("settlement:stl_1:3", "settlement")
    assert posted.postings == (
        Posting(TRANSIT, "EUR", 9000),
        Posting(THERE, "EUR", -9000),
    )


def test_another_currency_is_kept_and_not_booked() -> None:
    its = replace(line("charge", 4900), amount=Money(5100, "USD"))
    assert why_not_booked(its, OURS) == "it is in USD, its charge in EUR: book it by hand"
    assert booked(its, OURS, 1) is None
    assert why_not_booked(its, FOREIGN) is None
    mixed = replace(line("charge", 4900), fee=Money(12, "GBP"))
    assert why_not_booked(mixed, OURS) == "its fee is in GBP, its amount in EUR: book it by hand"
    assert booked(mixed, FOREIGN, 1) is None


def test_what_was_not_known_is_filled_in() -> None:
    kept, shown = line("charge", 4900), line("charge", 4900, 120, payout_id="po_1")
    assert completed(kept, shown) == (shown, ())
    assert completed(shown, kept) == (shown, ())
    after, _ = completed(kept, shown)
    assert legs(after, OURS, (kept, OURS)) == {FEE: 120, THERE: -120}


def test_what_differs_is_named_and_nothing_is_taken_over() -> None:
    kept = line("charge", 4900, 120)
    shown = replace(line("refund", 4800, 120, payout_id="po_1"), processor_payment_id="chg_2")
    assert completed(kept, shown) == (kept, ("kind", "amount", "processor_payment_id"))
