"""`twintill recover`: after a restored backup, learn what the lost time did; then charge again."""

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.settings import Settings

Days = Annotated[int, typer.Option(min=1, max=3650, help="Invoices created in the last days.")]
After = Annotated[str | None, typer.Option(help="Go on behind this invoice: where one stopped.")]


def recover(days: Days = 90, after: After = None) -> None:
    """After restoring a backup, or a fail-over that lost something: run this before anything else.

    It pauses charging through every processor, goes through Stripe's invoices of the last days, and
    asks the processors for every attempt that Stripe's marks show and the database does not. What
    is found is learned and booked; refunds and credit notes of what was reported are compared by
    the workers ten minutes later, and nothing of it goes back before that. If both sides could be
    read, charging begins again; else it says what is missing, and `twintill resume PROCESSOR` is
    yours. Repeating it is harmless.

    Example: `twintill recover --days 90`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import read_settings

    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        complete = asyncio.run(_recover(settings, timedelta(days=days), after))
    sys.exit(0 if complete else 1)


async def _recover(settings: "Settings", within: timedelta, after: str | None) -> bool:
    from twintill.app import open_means
    from twintill.flows import recover as flow

    incomplete = 0
    async with open_means(settings, pool_size=2) as means:
        await flow.hold(means, means.scope)
        print(f"Charging is paused: {', '.join(sorted(means.processors)) or 'no processor'}.")
        async for page in flow.pages(means, means.scope, within, after):
            for found in page.findings:
                print(f"{'MISSING  ' if found.incomplete else ''}{found.invoice_id}  {found.said}")
            incomplete += sum(found.incomplete for found in page.findings)
            print(f"{page.listed} invoices compared, the last of them {page.last_invoice_id}")
        if incomplete:
            print(f"{incomplete} things could not be read: charging stays paused. Run it again.")
            return False
        for name, waited in (await flow.let_go(means, means.scope)).items():
            print(f"{name} charges again; {waited} payments waited for it.")
    return True
