"""`twintill invoices add-item`, `items` ...: what waits for an invoice, or stands on a draft."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.invoice_asking import Key, Why, ask_for, read_line
from twintill.cli.invoices import app
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.means import Means

_Customer = Annotated[str | None, typer.Option("--customer", metavar="cus_...")]
_Item = Annotated[str, typer.Argument(metavar="ITEM", help="ii_...")]
_What = Annotated[
    str, typer.Argument(metavar="WHAT", help='"49.00EUR Setup", "-5EUR Discount", "price_...*3".')
]


@app.command("add-item", context_settings={"ignore_unknown_options": True})
def add_item(
    what: _What,
    customer: _Customer = None,
    draft: Annotated[
        str | None, typer.Option("--draft", metavar="in_...", help="Onto this draft.")
    ] = None,
    subscription: Annotated[
        str | None,
        typer.Option(metavar="sub_...", help="For this subscription's next invoice alone."),
    ] = None,
    why: Why = None,
    key: Key = None,
) -> None:
    """Add an amount, below zero for a credit, or a price so many times.

    With --customer it waits for his next invoice: of a renewal, of his first subscription, or
    `twintill invoices invoice-now`. With --draft it stands on that one.

    Examples:

    `twintill invoices add-item "10.00EUR Setup fee" --customer cus_QXg1o8`

    `twintill invoices add-item "-5EUR Discount" --draft in_1Pgaf`
    """
    from twintill.flows.asking_invoicing import AskedItem
    from twintill.flows.asking_invoicing import add_item as add

    line, currency = read_line(what)
    item = AskedItem(customer, draft, subscription, line, currency)
    ended, row = ask_for(lambda asker: add(asker, item), why, key)
    _tell(ended.made)
    if row is not None:
        print(f"{row.invoice_id} comes to {Money(row.amount_due_minor, row.currency)} now.")


@app.command("change-item", context_settings={"ignore_unknown_options": True})
def change_item(item_id: _Item, what: _What, why: Why = None) -> None:
    """Change an item that waits, or stands on a draft.

    Example: `twintill invoices change-item ii_1Pgaf "12.00EUR Setup fee"`
    """
    from twintill.flows.asking_invoicing import change_item as change
    from twintill.stripe_billing.invoice_items import ItemChanges

    line, _ = read_line(what)
    quantity = None if line.price_id is None else line.quantity
    changes = ItemChanges(line.amount_minor, line.price_id, quantity, line.description)
    ended, _ = ask_for(lambda asker: change(asker, item_id, changes), why)
    _tell(ended.made)


@app.command("remove-item")
def remove_item(item_id: _Item, why: Why = None) -> None:
    """Take an item away that waits, or stands on a draft.

    Example: `twintill invoices remove-item ii_1Pgaf`
    """
    from twintill.flows.asking_invoicing import remove_item as remove

    ask_for(lambda asker: remove(asker, item_id), why)
    print(f"{item_id} is removed.")


@app.command()
def items(
    customer: _Customer = None,
    invoice: Annotated[str | None, typer.Option(metavar="in_...", help="On this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 100,
) -> None:
    """Invoice items, newest first: those that wait, unless you name an invoice.

    Example: `twintill invoices items --customer cus_QXg1o8`
    """
    from twintill.cli.asking import ask_means
    from twintill.cli.tables import show

    async def read(means: "Means") -> list[Any]:
        found, _ = await means.stripe.list_items(
            customer_id=customer,
            invoice_id=invoice,
            pending=True if invoice is None else None,
            limit=limit,
        )
        return found

    columns = ("item id", "customer id", "amount", "description", "created")
    rows = [
        (i.id, i.customer_id, Money(i.amount_minor, i.currency), i.description, i.created_at)
        for i in ask_means(read)
    ]
    show(columns, rows)


def _tell(item: Any) -> None:
    waits = "waits for the next invoice" if item["invoice_id"] is None else "on the draft"
    print(f"{item['id']}  {Money(item['amount_minor'], item['currency'])}  {waits}")
