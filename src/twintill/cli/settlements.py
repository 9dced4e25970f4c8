"""`twintill settlements`: what the processors paid out, what it cost, and what they owe."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.domain.settlement import SettlementKind, Whose
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.store.settlement_pages import Payout

app = typer.Typer(
    no_args_is_help=True, help="Settlement: payouts, fees, and what the processors owe us."
)
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


@app.command("list")
def list_all(
    payout: Annotated[str | None, typer.Option(help="Only of this one, its id there.")] = None,
    payment: Annotated[str | None, typer.Option(help="Only of this one, pay_...")] = None,
    kind: Annotated[SettlementKind | None, typer.Option(help="Only of this kind.")] = None,
    whose: Annotated[Whose | None, typer.Option(help="Only ours, foreign, or of none.")] = None,
    state: Annotated[str | None, typer.Option(help="booked, not_booked or changed.")] = None,
    limit: Limit = 50,
) -> None:
    """The lines of the processors' own reports, the latest first.

    Example: `twintill settlements list --whose foreign`
    """
    from twintill.cli.asking import ask
    from twintill.store.listing import Created, Page
    from twintill.store.settlement_pages import LineState, Wanted, list_lines

    if state is not None and state not in set(LineState):
        raise typer.BadParameter(f"one of {', '.join(LineState)}", param_hint="--state")
    its = None if state is None else LineState(state)
    wanted = Wanted(payment, payout, None, kind, whose, its)
    rows, _ = ask(lambda db, scope: list_lines(db, scope, Page(limit), wanted, Created()))
    _show_lines(rows)


@app.command()
def payouts(limit: Limit = 20) -> None:
    """What the processors sent to our bank account, the latest first.

    Example: `twintill settlements payouts`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store.listing import Created, Page
    from twintill.store.settlement_pages import list_payouts

    found, _ = ask(lambda db, scope: list_payouts(db, scope, Page(limit), Created()))
    show(("payout id", "at", "processor", "amount", "lines", ""), [_row(one) for one in found])


@app.command()
def payout(
    payout: Annotated[str, typer.Argument(help="Its id here (stl_...) or the processor's.")],
) -> None:
    """One payout, its lines, and whether they add up to it.

    Example: `twintill settlements payout po_7f3k2`
    """
    from twintill.cli.asking import ask
    from twintill.store.listing import Created, Page
    from twintill.store.settlement_pages import Wanted, list_lines, read_payout

    its = ask(lambda db, scope: read_payout(db, scope, payout))
    name, account = its.row.payout_id, its.row.processor_account_id
    print("  ".join(str(value) for value in _row(its) if value))
    for kind, minor in sorted(its.by_kind.items()):
        print(f"  {kind}: {Money(minor, its.row.currency)}")
    if its.lines:
        wanted = Wanted(payout_id=name, processor_account_id=account)
        rows, more = ask(lambda db, scope: list_lines(db, scope, Page(1000), wanted, Created()))
        _show_lines(rows)
        if more:
            print("... and more: GET /v1/settlements?payout=")


@app.command()
def clearing() -> None:
    """What each processor owes us by the ledger, and what that is made of, to the cent.

    Example: `twintill settlements clearing`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store.settlement_pages import read_clearing

    names = ("payments", "fees", "payouts", "held", "suspense", "not_shown", "not_booked")
    columns = ("processor account", "owes us", *(name.replace("_", " ") for name in names))
    rows = [
        (
            its.processor_account_id,
            Money(its.clearing_minor, its.currency),
            *(Money(getattr(its, f"{name}_minor"), its.currency) for name in names),
        )
        for its in ask(read_clearing)
    ]
    show(columns, rows)


@app.command()
def read() -> None:
    """Read the reports now; a worker does it.

    Example: `twintill settlements read`
    """
    from twintill.cli.asking import ask
    from twintill.store import duties

    ask(lambda db, scope: duties.ring(db, scope, "read_settlements"))
    print("The reports will be read as soon as a worker is free.")


@app.command()
def accept(
    settlement: Annotated[str, typer.Argument(help="The line, stl_...")],
    *,
    why: Annotated[str, typer.Option("--why", help="Kept with the line.")],
) -> None:
    """What the report shows now of a line that changed is right: post the difference.

    Example: `twintill settlements accept stl_8c1f... --why "they corrected the fee"`
    """
    from twintill.cli.asking import ask
    from twintill.flows import settle

    by = f"person:{getpass.getuser()}"
    ask(lambda db, scope: settle.accept(db, scope, settlement, by, why))
    print(f"{settlement} is booked as the report shows it.")


def _row(its: "Payout") -> tuple[object, ...]:
    row = its.row
    differs = its.minor != (row.fee_minor or 0) - row.amount_minor
    if not its.lines:
        said = "this processor does not say what went out with it"
    else:
        said = f"its lines say {Money(its.minor, row.currency)}" if differs else "adds up"
    amount = Money(-row.amount_minor, row.currency)
    name = row.payout_id or row.settlement_line_id
    return (name, row.occurred_at, row.processor, amount, its.lines, said)


def _show_lines(rows: list[Any]) -> None:
    from twintill.cli.tables import show

    columns = ("line id", "at", "kind", "amount", "fee", "whose", "payment id", "remarks")
    show(columns, [_line(row) for row in rows])


def _line(its: Any) -> tuple[object, ...]:
    fee = None if its.fee_minor is None else Money(its.fee_minor, its.fee_currency)
    changed = None if its.changed is None else "changed: see `twintill settlements accept`"
    remarks = its.not_booked or changed
    amount = Money(its.amount_minor, its.currency)
    named = (its.settlement_line_id, its.occurred_at, its.kind, amount, fee, its.whose)
    return (*named, its.payment_id, remarks)
