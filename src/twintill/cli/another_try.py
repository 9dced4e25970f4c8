"""`twintill payments try-again`: another try now, because somebody asks for it."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.domain.payment import Payment
    from twintill.flows.means import Means


def try_again(
    payment_id: Annotated[str, typer.Argument(help="pay_... or in_...")],
    *,
    method: Annotated[
        str | None,
        typer.Option(metavar="pm_...", help="Else the first that may be charged."),
    ] = None,
    why: Annotated[str | None, typer.Option(help="Kept with who asked.")] = None,
) -> None:
    """Try a payment again now, instead of when dunning would; also after it gave up.

    Refused, with the rule: while an attempt is out, and where a card network forbids it (a method
    that was refused for good, too many declines). A worker charges.

    Example: `twintill payments try-again pay_4c1e... --why "topped up, says the customer"`
    """
    from twintill import ids
    from twintill.cli.asking import ask_means
    from twintill.flows import another_try
    from twintill.flows.another_try import Wish

    actor = f"person:{getpass.getuser()}"

    async def ask(means: "Means") -> "Payment":
        of_invoice = payment_id.startswith("in_")
        named = ids.payment_id(means.scope, payment_id) if of_invoice else payment_id
        wish = Wish(named, actor, method, why)
        return await another_try.ask(means, means.scope, ids.new_id("act"), wish)

    payment = ask_means(ask)
    print(f"{payment.id} is tried again now, with {payment.method_asked_for}.")
