"""What the commands that make invoices share: what is written on a line, who asks, what is told."""

import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.amounts import read_amount, shown
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.asking_invoicing import Asker, Ended
    from twintill.flows.means import Means
    from twintill.stripe_billing.invoicing import NewLine

InvoiceId = Annotated[str, typer.Argument(metavar="INVOICE", help="in_...")]
Why = Annotated[str | None, typer.Option(help="Kept in the invoice's story, with who asked.")]
Key = Annotated[
    str | None, typer.Option(help="For scripts: asked again under the same key, it is made once.")
]
Days = Annotated[int | None, typer.Option(min=0, help="Due so many days after it is made.")]
Due = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Due at the end of that day, UTC."),
]
Memo = Annotated[str | None, typer.Option(help="Stands above the items.")]
Footer = Annotated[str | None, typer.Option(help="Stands below everything.")]
Number = Annotated[str | None, typer.Option(help="Instead of the next one that Stripe gives.")]


def read_line(text: str) -> "tuple[NewLine, str | None]":
    """`49.00EUR Setup fee`, `-5EUR Discount`, `price_1Pgaf`, or `price_1Pgaf*3 Lamps`.

    With its currency, where it has one. Raises BadParameter.
    """
    from twintill.stripe_billing.invoicing import NewLine

    first, _, rest = text.strip().partition(" ")
    words = rest.strip() or None
    if first[:1].isdigit() or first[:1] in ("-", "+"):
        money = read_signed(first)
        return NewLine(words, amount_minor=money.minor), money.currency
    price_id, _, quantity = first.partition("*")
    if not price_id or (quantity and not quantity.isdecimal()) or quantity == "0":
        raise typer.BadParameter(f"{text}: write 49.00EUR Setup, or price_...*3")
    return NewLine(words, price_id=price_id, quantity=int(quantity or 1)), None


def read_signed(text: str) -> Money:
    """12.50EUR or -12.50EUR. Raises BadParameter."""
    money = read_amount(text.lstrip("+-"), "amount")
    return Money(-money.minor, money.currency) if text.startswith("-") else money


def read_currency(text: str) -> str:
    """Raises BadParameter."""
    try:
        return Money(0, text.upper()).currency
    except ValueError:
        raise typer.BadParameter(f"{text}: a currency has three letters") from None


def end_of(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(hour=23, minute=59, second=59, tzinfo=UTC)


def ask_for(
    do: "Callable[[Asker], Awaitable[Ended]]", why: str | None = None, key: str | None = None
) -> "tuple[Ended, Any]":
    """Do it in a person's name; its end, and the invoice as it is now (None: there is none)."""
    from twintill.cli.asking import ask_means
    from twintill.flows.asking_invoicing import Asker
    from twintill.ids import derived_id, new_id
    from twintill.store.invoice_pages import read_invoice

    async def asked(means: "Means") -> "tuple[Ended, Any]":
        scope = means.scope
        operation_id = derived_id("op", scope, "cli", key) if key else new_id("op")
        ended = await do(Asker(means, scope, operation_id, f"person:{getpass.getuser()}", why))
        if ended.invoice_id is None:
            return ended, None
        async with means.database.connect() as db:
            return ended, await read_invoice(db, scope, ended.invoice_id)

    return ask_means(asked)


def tell(ended: "Ended", row: Any) -> None:
    """One line about the invoice, and what happened to the customer's balance."""
    due = f"due {row.due_at:%Y-%m-%d}" if row.due_at is not None else None
    amount = shown(Money(row.amount_due_minor, row.currency))
    told = (row.invoice_id, row.status, row.number, amount, due)
    print("  ".join(str(word) for word in told if word is not None))
    note = ended.made.get("note")
    if note:
        print(note)
