"""How a preview reads on the terminal, and what its options mean."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from twintill.cli import what_if
from twintill.domain.changing import Prorations
from twintill.flows.previewing import Previewed
from twintill.stripe_billing.preview import Change, ItemChange, Preview, PreviewLine

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
LINE = PreviewLine(
    "Unused time on 1 × Pro", -490000, 0, 1, "price_1", NOON, NOON + timedelta(days=30), True
)


def preview(total_minor: int, **fields: object) -> Preview:
    known: dict[str, object] = {
        "customer_id": "cus_1",
        "currency": "EUR",
        "lines": (LINE,),
        "has_more_lines": False,
        "subtotal_minor": total_minor,
        "discounts": (),
        "tax_minor": 0,
        "tax_included_minor": 0,
        "total_minor": total_minor,
        "starting_balance_minor": 0,
        "amount_due_minor": max(0, total_minor),
        "created_at": NOON,
        "finalized_at": NOON + timedelta(hours=1),
        "due_at": None,
    }
    return Preview(**{**known, **fields})  # type: ignore[arg-type]


def told(shown: Preview, capsys: pytest.CaptureFixture[str]) -> list[str]:
    what_if._show(Previewed(shown, 1796126400))
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_what_is_given_back_becomes_credit(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(preview(-490000), capsys)
    assert "to be collected 0.00 EUR" in lines
    assert "becomes credit 4900.00 EUR" in lines
    assert not [line for line in lines if line.startswith("it is collected")]
    assert lines[-1].endswith("--proration-date 1796126400")


def test_the_sums_are_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    shown = preview(
        10948,
        subtotal_minor=10000,
        discounts=(("SPRING", 800),),
        tax_minor=1748,
        starting_balance_minor=-948,
        amount_due_minor=10000,
    )
    lines = told(shown, capsys)
    for line in (
        "subtotal 100.00 EUR",
        "coupon SPRING -8.00 EUR",
        "tax 17.48 EUR",
        "total 109.48 EUR",
        "balance before -9.48 EUR",
        "to be collected 100.00 EUR",
        "it is collected 2026-12-01 13:00 UTC",
    ):
        assert line in lines


def test_an_item_is_the_only_one_unless_it_is_named() -> None:
    only = what_if._change(None, None, 5, None, "now", Prorations.NONE, "2026-12-01T12:00Z")
    assert only == (
        Change((), None, "now", Prorations.NONE, int(NOON.timestamp())),
        ItemChange(quantity=5),
    )
    named = what_if._change("si_1", "price_2", None, "", "1796126400", None, None)
    assert named == (Change((ItemChange("si_1", "price_2"),), "", 1796126400), None)
    new = what_if._change("new", "price_2", 2, None, None, None, None)
    assert new == (Change((ItemChange(None, "price_2", 2),)), None)
    with pytest.raises(typer.BadParameter, match="is not a time"):
        what_if._change(None, None, None, None, "soon", None, None)
