"""The commands, and how they end: a sentence instead of a traceback where a person can act."""

import sys
from typing import Annotated

import typer

from twintill.cli import (
    by_hand,  # noqa: F401 -- adds its commands to `invoices`
    catalog,
    credit,  # noqa: F401 -- adds its command to `customers`
    customers,
    disputes,
    drafts,
    duties,
    endpoints,
    events,
    inbox,
    invoice_items,  # noqa: F401 -- adds its commands to `invoices`
    invoice_lists,  # noqa: F401 -- adds its commands to `invoices`
    invoice_making,  # noqa: F401 -- adds its commands to `invoices` and `customers`
    invoice_stories,  # noqa: F401 -- the same
    invoices,
    keys,
    operations,
    payments,
    sandbox,
    settlements,
    subscriptions,
)
from twintill.cli.another_try import try_again
from twintill.cli.brakes import brakes, pause, resume
from twintill.cli.recover import recover
from twintill.cli.refund import refund
from twintill.cli.resolve import resolve
from twintill.cli.unpark import unpark
from twintill.cli.verify import verify
from twintill.cli.what_if import change
from twintill.errors import SettingsError, TwintillError

app = typer.Typer(
    name="twintill",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""**Two tills, one ledger.** Stripe bills; any processor collects; Twintill keeps the two
in step, and can prove it.

See it work, without any account: `twintill demo`

Run it: `twintill migrate` once, then `twintill serve` and `twintill worker` (as many of each as
you like, on any machines), all with the same settings: see .env.example.""",
)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(keys.app, name="keys")
app.add_typer(inbox.app, name="inbox")
app.add_typer(invoices.app, name="invoices")
app.add_typer(drafts.app, name="drafts")
app.add_typer(catalog.products, name="products")
app.add_typer(catalog.prices, name="prices")
app.add_typer(operations.app, name="operations")
app.add_typer(duties.app, name="duties")
payments.app.command("try-again")(try_again)
app.add_typer(payments.app, name="payments")
app.add_typer(disputes.app, name="disputes")
app.add_typer(settlements.app, name="settlements")
app.add_typer(customers.app, name="customers")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(events.app, name="events")
subscriptions.app.command()(change)
app.add_typer(subscriptions.app, name="subscriptions")
app.command()(verify)
app.command()(resolve)
app.command()(refund)
app.command()(unpark)
app.command()(brakes)
app.command()(pause)
app.command()(resume)
app.command()(recover)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Instead of TWINTILL_PORT.")]


def main() -> None:
    """The entry point. Exit code 2: a setting is wrong; 1: it could not be done."""
    try:
        app()
    except TwintillError as error:
        for line in str(error).splitlines():
            print(f"twintill: {line}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Instead of TWINTILL_HOST.")] = None,
    port: Port = None,
) -> None:
    """Run the web process: webhooks, REST API, checkout pages.

    Example: `twintill serve --host 0.0.0.0 --port 8000`
    """
    from twintill.cli import serving
    from twintill.settings import read_settings

    given = {"host": host, "port": port}
    changes = {name: value for name, value in given.items() if value is not None}
    serving.serve(read_settings().model_copy(update=changes))


@app.command()
def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Instead of TWINTILL_WORKER_CONCURRENCY.")
    ] = None,
) -> None:
    """Run a worker: it charges, reports, and finds out what became of what.

    SIGTERM lets it finish what is in flight. Example: `twintill worker --concurrency 20`
    """
    from twintill.cli import running
    from twintill.settings import read_settings

    settings = read_settings()
    changes = {} if concurrency is None else {"worker_concurrency": concurrency}
    running.work(settings.model_copy(update=changes))


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables.

    Runs as the role of TWINTILL_MIGRATE_DATABASE_URL. Safe to repeat, and on two machines at once.
    """
    from twintill.cli import running
    from twintill.settings import read_database_settings

    running.migrate(read_database_settings())


@app.command()
def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running, and print the addresses.")
    ] = False,
    act: Annotated[
        int,
        typer.Option(
            min=1,
            max=3,
            help="1: from sign-up to renewal and leaving. 2: after the first payment: refunds, "
            "disputes, late failures, partial payments, cancellation, switching, tax, trials. 3: "
            "invoices: items, one-offs, drafts, previews, payments by hand.",
        ),
    ] = 1,
    processor: Annotated[
        str,
        typer.Option(help="Who collects in act 1: sandbox, paypal or gocardless (stand-ins)."),
    ] = "sandbox",
) -> None:
    """Watch the whole story on real parts: no account, no Docker, no PostgreSQL needed.

    Ends with a table of the books of Stripe, of the processor and of the ledger; the exit code is
    0 only if all three agree.
    """
    import importlib

    # Imported by name: it plays with the sandboxes, and is not needed to collect money.
    demo = importlib.import_module("twintill.demo")
    sys.exit(demo.main(keep=keep, act=act, processor=processor))
