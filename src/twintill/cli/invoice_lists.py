"""`twintill invoices list` and `find`: by customer, state, date, amount, or any id at hand."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.amounts import read_amount
from twintill.cli.invoices import app
from twintill.domain.invoice import InvoiceStatus
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.store.invoice_pages import InvoiceFilter
    from twintill.store.listing import Created

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE")]
_COLUMNS = ("invoice id", "number", "customer id", "status", "due", "open", "due date", "payment")


@app.command("list")
def list_all(  # noqa: PLR0913 -- each is an option
    customer: Annotated[str | None, typer.Option(help="Of this one, cus_...")] = None,
    subscription: Annotated[str | None, typer.Option(help="Of this one, sub_...")] = None,
    status: Annotated[InvoiceStatus | None, typer.Option(help="As Stripe shows it.")] = None,
    *,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Open, and the due date has passed.")
    ] = False,
    least: Annotated[
        str | None, typer.Option("--from-amount", metavar="AMOUNT", help="Due, as 12.50EUR.")
    ] = None,
    most: Annotated[
        str | None, typer.Option("--to-amount", metavar="AMOUNT", help="Due, as 12.50EUR.")
    ] = None,
    due_from: Day = None,
    due_to: Day = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="First seen on that day or later."),
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on behind this one: the last of the page before.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Invoices as last seen, newest first; days are UTC.

    With --overdue, --due-from or --due-to: by due date, the latest first. With amounts: the
    largest first.

    Examples:

    `twintill invoices list --overdue`

    `twintill invoices list --customer cus_QXg1o8vcGmoR32 --status open`

    `twintill invoices list --from-amount 1000EUR --to-amount 5000EUR`
    """
    from twintill.store.invoice_pages import InvoiceFilter

    currency, least_minor, most_minor = _amounts(least, most)
    only = InvoiceFilter(
        customer_id=customer,
        subscription_id=subscription,
        status=status,
        created=_days(since, None),
        due=_days(due_from, due_to),
        overdue=overdue or None,
        currency=currency,
        least_minor=least_minor,
        most_minor=most_minor,
    )
    _show(only, limit, after)


@app.command()
def find(
    object_id: Annotated[str, typer.Argument(metavar="ID", help="Any id, a number, a reference.")],
) -> None:
    """The invoices that an id is about, whoever's id it is.

    Of a payment, an attempt, a receipt, a refund, a credit note, a dispute, a checkout, a
    subscription, a customer; an event or object of Stripe's; a charge or refund at the processor;
    our reference there; the number on the invoice.

    Example: `twintill invoices find tw-mfzwizdtmvrxgzlbmf3gc4tb-1`
    """
    from twintill.store.invoice_pages import InvoiceFilter

    _show(InvoiceFilter(id_of=object_id), limit=1000, after=None)


def _show(only: "InvoiceFilter", limit: int, after: str | None) -> None:
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store.invoice_pages import list_invoices, payments_of_invoices
    from twintill.store.listing import Page

    async def read(db: Any, scope: Any) -> tuple[list[Any], dict[str, Any]]:
        rows, _ = await list_invoices(db, scope, Page(limit, starting_after=after), only)
        return rows, await payments_of_invoices(db, scope, [row.invoice_id for row in rows])

    rows, collecting = ask(read)
    show(_COLUMNS, [_line(row, collecting.get(row.invoice_id)) for row in rows])


def _line(row: Any, payment: Any | None) -> tuple[object, ...]:
    state = None
    if payment is not None:
        state = f"{payment.state} ({payment.reason})" if payment.reason else payment.state
    return (
        row.invoice_id,
        row.number,
        row.customer_id,
        row.status,
        Money(row.amount_due_minor, row.currency),
        Money(row.amount_remaining_minor, row.currency),
        None if row.due_at is None else f"{row.due_at:%Y-%m-%d}",
        state,
    )


def _amounts(least: str | None, most: str | None) -> tuple[str | None, int | None, int | None]:
    """Raises BadParameter for two currencies: there is no order between them."""
    low = None if least is None else read_amount(least, "--from-amount")
    high = None if most is None else read_amount(most, "--to-amount")
    currencies = {money.currency for money in (low, high) if money is not None}
    if len(currencies) > 1:
        raise typer.BadParameter("--from-amount and --to-amount: in one currency")
    return (
        next(iter(currencies), None),
        None if low is None else low.minor,
        None if high is None else high.minor,
    )


def _days(first: datetime | None, last: datetime | None) -> "Created":
    """Whole days, both included."""
    from twintill.store.listing import Created

    start = None if first is None else int(first.replace(tzinfo=UTC).timestamp())
    end = None if last is None else int(last.replace(tzinfo=UTC).timestamp()) + 86_399
    return Created(gte_s=start, lte_s=end)
