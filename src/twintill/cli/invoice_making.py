"""`twintill invoices create`, `finalize`, `void` ...: what is done to invoices by request."""

from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.customers import app as customers
from twintill.cli.invoice_asking import (
    Days,
    Due,
    Footer,
    InvoiceId,
    Key,
    Memo,
    Number,
    Why,
    ask_for,
    end_of,
    read_currency,
    read_line,
    tell,
)
from twintill.cli.invoices import app

if TYPE_CHECKING:
    from twintill.domain.invoicing import Step
    from twintill.flows.asking_invoicing import NewInvoice

_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="cus_..., as Stripe calls it.")]


@app.command()
def create(  # noqa: PLR0913 -- each is an option
    customer_id: _Customer,
    item: Annotated[
        list[str] | None,
        typer.Option(help='"49.00EUR Setup", "-5EUR Discount" or "price_...*3"; up to 250.'),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of the prices, for the first invoice of a customer.")
    ] = None,
    days_until_due: Days = None,
    due_date: Due = None,
    memo: Memo = None,
    footer: Footer = None,
    number: Number = None,
    *,
    automatic_tax: Annotated[
        bool, typer.Option("--automatic-tax", help="Stripe computes it from the address.")
    ] = False,
    include_pending: Annotated[
        bool, typer.Option("--include-pending", help="With what waits for the next invoice.")
    ] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="Leave it a draft: change it, then finalize it.")
    ] = False,
    why: Why = None,
    key: Key = None,
) -> None:
    """Make a one-off invoice, all of it or nothing; due in 30 days unless you say otherwise.

    Finalized at once, it is collected like any other when the customer gave a payment method; a
    customer without one pays by hand or by wire, and is never charged. With --draft it waits for
    `twintill invoices finalize`.

    Examples:

    `twintill invoices create cus_QXg1o8 --item "49.00EUR Setup" --item "-5EUR Discount"`

    `twintill invoices create cus_QXg1o8 --item "price_1Pgaf*3 Lamps" --draft --memo "As agreed"`
    """
    from twintill.flows.asking_invoicing import NewInvoice

    lines = [read_line(text) for text in item or ()]
    currencies = {of for _, of in lines if of} | ({read_currency(currency)} if currency else set())
    if len(currencies) > 1:
        raise typer.BadParameter(f"one currency, not {' and '.join(sorted(currencies))}")
    wanted = NewInvoice(
        customer_id=customer_id,
        items=[line for line, _ in lines],
        currency=next(iter(currencies), None),
        include_pending=include_pending,
        days_until_due=days_until_due,
        due_at=end_of(due_date),
        memo=memo,
        footer=footer,
        number=number,
        automatic_tax=automatic_tax,
        finalize=not draft,
    )
    _make(wanted, why, key)


@app.command("invoice-now")
def invoice_now(
    customer_id: _Customer,
    days_until_due: Days = None,
    due_date: Due = None,
    memo: Memo = None,
    *,
    draft: Annotated[bool, typer.Option("--draft", help="Leave it a draft.")] = False,
    why: Why = None,
    key: Key = None,
) -> None:
    """Invoice now what waits for a customer's next invoice (`twintill invoices items`).

    Prorations of a changed subscription, for example; its schedule stays as it is.

    Example: `twintill invoices invoice-now cus_QXg1o8 --days-until-due 14`
    """
    from twintill.flows.asking_invoicing import NewInvoice

    wanted = NewInvoice(
        customer_id=customer_id,
        include_pending=True,
        days_until_due=days_until_due,
        due_at=end_of(due_date),
        memo=memo,
        finalize=not draft,
    )
    _make(wanted, why, key)


@app.command()
def update(
    invoice_id: InvoiceId,
    days_until_due: Days = None,
    due_date: Due = None,
    memo: Memo = None,
    footer: Footer = None,
    number: Number = None,
    why: Why = None,
) -> None:
    """Change a draft; an empty text takes a memo or footer away.

    Example: `twintill invoices update in_1Pgaf --days-until-due 14 --memo "As agreed"`
    """
    from twintill.flows.asking_invoicing import change_draft
    from twintill.stripe_billing.invoicing import DraftChanges

    changes = DraftChanges(days_until_due, end_of(due_date), memo, footer, number)
    tell(*ask_for(lambda asker: change_draft(asker, invoice_id, changes), why))


@app.command()
def finalize(invoice_id: InvoiceId, why: Why = None) -> None:
    """Finalize a draft now: open from here on, and collected like any other.

    Example: `twintill invoices finalize in_1Pgaf`
    """
    from twintill.domain.invoicing import Step

    _act(invoice_id, Step.FINALIZE, why)


@app.command()
def void(invoice_id: InvoiceId, why: Why = None) -> None:
    """Void an open invoice, for good: nobody owes it any more.

    Refused while a charge is out or collected money waits for its report. A paid one is refunded
    instead (`twintill refund`).

    Example: `twintill invoices void in_1Pgaf --why "ordered by mistake"`
    """
    from twintill.domain.invoicing import Step

    _act(invoice_id, Step.VOID, why)


@app.command("mark-uncollectible")
def mark_uncollectible(invoice_id: InvoiceId, why: Why = None) -> None:
    """Write an open invoice off: still owed, and asked for no more. It can still be paid.

    Example: `twintill invoices mark-uncollectible in_1Pgaf --why "bankrupt"`
    """
    from twintill.domain.invoicing import Step

    _act(invoice_id, Step.MARK_UNCOLLECTIBLE, why)


@app.command("delete-draft")
def delete_draft(invoice_id: InvoiceId, why: Why = None) -> None:
    """Delete a one-off draft with the items that were made for it.

    What had waited for the next invoice before waits again. A subscription's draft cannot be
    deleted: finalize it, then void it.

    Example: `twintill invoices delete-draft in_1Pgaf`
    """
    from twintill.domain.invoicing import Step

    _act(invoice_id, Step.DELETE, why)


@customers.command("invoice-prefix")
def invoice_prefix(
    customer_id: _Customer,
    prefix: Annotated[str, typer.Argument(help="3 to 12 upper-case letters or digits.")],
    why: Why = None,
) -> None:
    """Say what the numbers of a customer's next invoices begin with; no two have the same.

    Example: `twintill customers invoice-prefix cus_QXg1o8 ACME`
    """
    from twintill.flows.asking_invoicing import set_prefix

    ask_for(lambda asker: set_prefix(asker, customer_id, prefix), why)
    print(f"{customer_id}: the next number is {prefix}-...")


def _make(wanted: "NewInvoice", why: str | None, key: str | None) -> None:
    from twintill.flows.asking_invoicing import make_invoice

    tell(*ask_for(lambda asker: make_invoice(asker, wanted), why, key))


def _act(invoice_id: str, deed: "Step", why: str | None) -> None:
    from twintill.flows.asking_invoicing import act_on

    tell(*ask_for(lambda asker: act_on(asker, invoice_id, deed), why))
