"""`twintill customers credit`: what is left of money by hand, and what is done with it."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.amounts import read_amount, shown
from twintill.cli.by_hand import row_of, with_means
from twintill.cli.customers import app
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.means import Means

Customer = Annotated[str, typer.Argument(help="cus_..., as Stripe calls it.")]


@app.command()
def credit(
    customer_id: Customer,
    *,
    apply_to: Annotated[str | None, typer.Option(metavar="in_...", help="Put on this.")] = None,
    paid_out: Annotated[
        str | None,
        typer.Option(metavar="REF", help="You have paid it to the customer, by that transfer."),
    ] = None,
    amount: Annotated[str | None, typer.Option(help="With its currency, such as 11.00EUR.")] = None,
    why: Annotated[str, typer.Option(help="Kept with it.")] = "at the terminal",
) -> None:
    """Show a customer's credit; or use it, with an amount.

    Examples:

    `twintill customers credit cus_Nffrf`

    `twintill customers credit cus_Nffrf --apply-to in_1Pgb... --amount 11.00EUR`

    `twintill customers credit cus_Nffrf --paid-out "SEPA 0042" --amount 11.00EUR`
    """
    if apply_to is None and paid_out is None:
        _show(customer_id)
        return
    if amount is None or (apply_to is not None and paid_out is not None):
        raise typer.BadParameter("name an --amount, and one of --apply-to and --paid-out")
    money = read_amount(amount)
    print(with_means(lambda means: _use(means, customer_id, money, apply_to, paid_out, why)))


def _show(customer_id: str) -> None:
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import hand_payments

    balances = ask(lambda db, scope: hand_payments.credit_of(db, scope, customer_id))
    there = ask(lambda db, scope: hand_payments.with_credit(db, scope, customer_id))
    for b in balances:
        waits = f", {shown(Money(b.waiting_minor, b.currency))} waiting" if b.waiting_minor else ""
        print(f"{shown(Money(b.free_minor, b.currency))} of credit{waits}")
    columns = (
        "payment by hand",
        "kind",
        "amount",
        "received",
        "reference",
        "state",
        "credit",
        "by",
    )
    show((*columns, "invoice"), [(*row_of(of), of.invoice_id) for of in there])


async def _use(
    means: "Means",
    customer_id: str,
    money: Money,
    apply_to: str | None,
    paid_out: str | None,
    why: str,
) -> str:
    from twintill.flows import credit as flow
    from twintill.flows.credit import Use
    from twintill.ids import new_id

    actor = f"person:{getpass.getuser()}"
    use = Use(customer_id, money.currency, why, actor, money.minor)
    if apply_to is not None:
        made = await flow.apply(means, means.scope, new_id("use"), use, apply_to)
        names = ", ".join(of.hand.id for of in made)
        return f"{shown(money)} of credit is put on {apply_to}: {names}."
    minor, known = await flow.pay_out(means, means.scope, use, paid_out or "")
    again = ", as known before" if known else ""
    return f"{shown(Money(minor, money.currency))} of credit is booked as paid out{again}."
