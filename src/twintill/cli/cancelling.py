"""`twintill subscriptions cancel` and `keep`: the end of one, asked for by a person."""

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.flows.cancelling import CancelRequest
    from twintill.settings import Settings

_Id = Annotated[str, typer.Argument(help="sub_..., as Stripe calls it.")]


def cancel(
    subscription_id: _Id,
    *,
    now: Annotated[
        bool, typer.Option("--now", help="At once; else at the end of what is paid for.")
    ] = False,
    refund_last_payment: Annotated[
        bool, typer.Option("--refund-last-payment", help="Give back what was collected last.")
    ] = False,
) -> None:
    """Cancel a subscription in Stripe.

    A charge that is out is waited for by the worker, and only then the last payment is given back.
    Open invoices follow the setting `open_invoices_at_end`; the stored payment methods go with the
    customer's last subscription.

    Example: `twintill subscriptions cancel sub_1Pgafm --now --refund-last-payment`
    """
    from twintill.domain.cancelling import At
    from twintill.flows.cancelling import CancelRequest

    at = At.NOW if now else At.PERIOD_END
    _ask(CancelRequest(subscription_id, at, f"person:{getpass.getuser()}", refund_last_payment))


def keep(subscription_id: _Id) -> None:
    """Take back a cancellation at the end of the period, as long as that has not come.

    Example: `twintill subscriptions keep sub_1Pgafm`
    """
    from twintill.domain.cancelling import At
    from twintill.flows.cancelling import CancelRequest

    _ask(CancelRequest(subscription_id, At.NEVER, f"person:{getpass.getuser()}"))


def _ask(request: "CancelRequest") -> None:
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import read_settings

    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        print(asyncio.run(_cancel(settings, request)))


async def _cancel(settings: "Settings", request: "CancelRequest") -> str:
    from twintill.app import open_means
    from twintill.domain.cancelling import Step, state_of
    from twintill.flows import cancelling
    from twintill.flows import operations as flow
    from twintill.ids import new_id
    from twintill.store import operations

    operation_id = new_id("can")
    async with open_means(settings, pool_size=2) as means:
        await cancelling.begin(means, means.scope, operation_id, request)
        await flow.drive(means, means.scope, operation_id)
        async with means.database.connect() as db:
            row = await operations.read(db, means.scope, operation_id)
    state = state_of(Step(row.step), parked=row.parked_why is not None)
    why = row.data.get("failed_why") or row.parked_why or row.error
    return f"{operation_id} ({request.subscription_id}): {state}" + (f": {why}" if why else "")
