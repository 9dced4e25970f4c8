"""`twintill subscriptions`: what a person does to one subscription."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.cancelling import cancel, keep

if TYPE_CHECKING:
    from twintill.flows.switches import SwitchRequest
    from twintill.settings import Settings
    from twintill.store.operations import Operation

app = typer.Typer(no_args_is_help=True, help="Subscriptions: who collects them, and their end.")
app.command()(cancel)
app.command()(keep)

Subscription = Annotated[str, typer.Argument(help="sub_..., as Stripe calls it.")]
Destination = Annotated[str, typer.Option("--to", help="stripe, or processor.")]
Method = Annotated[
    str | None,
    typer.Option(
        "--payment-method",
        help="To stripe: the customer's method there. To processor: one of his methods here.",
    ),
]
Choice = Annotated[
    str | None,
    typer.Option(
        "--open-invoices",
        help="To stripe: finish (default), charge_at_stripe, void. To processor: leave (default), "
        "reinvoice.",
    ),
]


@app.command()
def switch(
    subscription_id: Subscription,
    *,
    to: Destination,
    payment_method: Method = None,
    open_invoices: Choice = None,
    days_until_due: Annotated[
        int, typer.Option(min=1, max=365, help="To processor: of the invoices to come.")
    ] = 30,
    processor: Annotated[
        str | None, typer.Option(help="Without a method of ours: where one is to be chosen.")
    ] = None,
    return_url: Annotated[
        str | None, typer.Option(help="Without a method of ours: where the customer goes then.")
    ] = None,
) -> None:
    """Change who collects a subscription: Stripe, or one of your processors.

    New invoices are the new side's at once. Drafts go along. Open invoices: as you choose; one
    changes sides only while no charge of it is out, so that at no moment both sides can charge it.
    Tokens that nothing needs any more are dropped at the end. It goes on by itself after a crash;
    asked again while it runs, it is refused and tells the id of the one that runs.

    Examples:

    `twintill subscriptions switch sub_1Pro --to stripe --payment-method pm_1Nv`

    `twintill subscriptions switch sub_1Pro --to processor --processor paypal --return-url
    https://app.example/account` prints the page to send the customer to.
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.domain.switching import CHOICES, OpenInvoices, To
    from twintill.flows.switches import SwitchRequest
    from twintill.settings import read_settings

    if to not in tuple(To) or open_invoices not in (None, *OpenInvoices):
        raise typer.BadParameter(f"--to: one of {', '.join(To)}; see --help for --open-invoices")
    choice = OpenInvoices(open_invoices) if open_invoices else CHOICES[To(to)][0]
    request = SwitchRequest(
        subscription_id=subscription_id,
        to=To(to),
        open_invoices=choice,
        payment_method_id=payment_method,
        days_until_due=days_until_due,
        processor=processor,
        return_url=return_url,
    )
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        for line in asyncio.run(_switch(settings, request)):
            print(line)


async def _switch(settings: "Settings", request: "SwitchRequest") -> list[str]:
    from twintill.app import open_means
    from twintill.flows import operations as flow
    from twintill.flows import switches
    from twintill.flows.switching import page_id
    from twintill.ids import new_id
    from twintill.store import checkouts, operations

    switch_id = new_id("swi")
    async with open_means(settings, pool_size=2) as means:
        await switches.begin(means, means.scope, switch_id, request)
        await flow.drive(means, means.scope, switch_id, patience_s=20)
        async with means.database.connect() as db:
            now = await operations.read(db, means.scope, switch_id)
            page = page_id(means.scope, switch_id)
            its = await checkouts.of_operation(db, means.scope, page)
    told = _told(now)
    if its is not None and now.ended_at is None:
        told.append(f"Send the customer to {means.public_url}/checkout/{its.id}")
    return told


def _told(switched: "Operation") -> list[str]:
    from twintill.domain.switching import Step, state_of

    state = state_of(Step(switched.step), parked=switched.parked_why is not None)
    why = switched.data.get("failed_why") or switched.parked_why
    told = [f"{switched.id} is {state}" + (f": {why}" if why else f" ({switched.step})")]
    for invoice_id, one in sorted(switched.data["invoices"].items()):
        told.append(f"  {invoice_id}: {one.get('did', 'to come')}")
    if switched.ended_at is None:
        told.append("The worker goes on with it by itself.")
    return told
