"""`twintill refund`: a person gives collected money back."""

import asyncio
import getpass
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.amounts import read_amount, shown
from twintill.ids import new_id
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.domain.money_back import RefundAsk
    from twintill.flows.money_back import Wish
    from twintill.settings import Settings

Payment = Annotated[str, typer.Argument(help="pay_... or in_...")]
Amount = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="With its currency, such as 12.50EUR. Else all of it."),
]
PaidAnotherWay = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Nothing is sent: the customer has it already, by that transfer or cheque.",
    ),
]
OverTheCap = Annotated[
    bool,
    typer.Option("--over-the-cap", help="You have looked: more than an hour allows."),
]
Why = Annotated[str, typer.Option(help="Kept in its history.")]


def refund(
    payment_id: Payment,
    *,
    why: Why,
    amount: Amount = None,
    paid_another_way: PaidAnotherWay = None,
    over_the_cap: OverTheCap = False,
) -> None:
    """Give collected money back: at the processor first, then as a credit note in Stripe.

    A worker does both; `twintill payments show pay_...` tells how far it is. Refused, with the
    rule: more than is left, while another refund or a dispute has no end, while somebody does it
    by hand, of a bank debit that may still fail.

    Where the processor does not give it back: pay the customer another way, then say so. That ends
    what is owed, and makes the credit note in Stripe where one is due. Safe to repeat.

    Example: `twintill refund pay_4c1e... --amount 12.50EUR --why "ordered by mistake"`

    Example: `twintill refund pay_4c1e... --paid-another-way "SEPA 0042" --why "account closed"`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.flows.money_back import Wish
    from twintill.settings import read_settings

    money = None if amount is None else read_amount(amount)
    minor, currency = (None, None) if money is None else (money.minor, money.currency)
    actor = f"person:{getpass.getuser()}"
    wish = Wish(payment_id, why, actor, minor, currency, over_the_cap)
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        made, given_back = asyncio.run(_ask(settings, wish, paid_another_way))
    back = shown(given_back)
    if paid_another_way is not None:
        print(f"{made.id}: {back} of {payment_id} is booked as given back by {paid_another_way}.")
        return
    print(f"{made.id}: {back} of {payment_id} will be given back, and then credited in Stripe.")


async def _ask(
    settings: "Settings", wish: "Wish", paid_another_way: str | None
) -> "tuple[RefundAsk, Money]":
    from twintill import ids
    from twintill.app import open_means
    from twintill.flows import money_back
    from twintill.store import payments

    async with open_means(settings, pool_size=2) as means:
        if wish.payment_id.startswith("in_"):
            wish = replace(wish, payment_id=ids.payment_id(means.scope, wish.payment_id))
        if paid_another_way is None:
            made = await money_back.ask(means, means.scope, new_id("rfd"), wish)
        else:
            made = await money_back.paid_another_way(means, means.scope, wish, paid_another_way)
        async with means.database.connect() as db:
            payment = await payments.read(db, means.scope, wish.payment_id)
        return made, Money(made.amount_minor, payment.currency)
