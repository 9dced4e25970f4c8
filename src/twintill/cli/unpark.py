"""`twintill unpark`: a person has seen to a payment, and puts it back to work."""

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.settings import Settings

Payment = Annotated[str, typer.Argument(help="pay_..., as `twintill payments parked` lists it.")]
Why = Annotated[str, typer.Option("--why", help="What was found and done; kept in its history.")]


def unpark(payment_id: Payment, *, why: Why) -> None:
    """Put a payment that waits for a person back to work.

    It goes on where it was: in doubt it is asked for again, never charged anew; collected money is
    reported. Who did it and why is written into its history.

    Example: `twintill unpark pay_4c1e... --why "looked at the processor: it was charged once"`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import read_settings

    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        print(asyncio.run(_unpark(settings, payment_id, why)))


async def _unpark(settings: "Settings", payment_id: str, why: str) -> str:
    from twintill.app import open_means
    from twintill.domain.facts import Unparked
    from twintill.flows.learn import learn

    async with open_means(settings, pool_size=1) as means:
        actor = f"person:{getpass.getuser()}"
        decision = await learn(means, means.scope, payment_id, Unparked(why), actor=actor)
    if decision.note is not None:
        return f"{payment_id} is left as it is: {decision.note}."
    return f"{payment_id} is back at work ({decision.payment.state})."
