"""`twintill sandbox`: stand-ins for Stripe and a processor, a PostgreSQL, and a clock to move."""

import asyncio
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.errors import BadRequest

if TYPE_CHECKING:
    from twintill.sandbox.clock import Clock

app = typer.Typer(
    no_args_is_help=True,
    help="Stand-ins to try your integration against: real HTTP servers with state and faults.",
)
clock_app = typer.Typer(no_args_is_help=True, help="The sandbox's business time.")
app.add_typer(clock_app, name="clock")

Host = Annotated[str, typer.Option(help="The address to listen on.")]
WebhookUrl = Annotated[str | None, typer.Option(help="Where its webhooks go.")]
WebhookSecret = Annotated[str, typer.Option(help="What signs its webhooks.")]
PayerPages = Annotated[
    str | None, typer.Option(help="How browsers reach it, where that is another address.")
]
ClockUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="TWINTILL_DATABASE_URL",
        show_envvar=True,
        help="Twintill's database: then it shares Twintill's clock, which `sandbox clock` moves.",
    ),
]


@app.command()
def stripe(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 12111,
    webhook_url: WebhookUrl = None,
    webhook_secret: WebhookSecret = "whsec_sandbox_stripe",  # noqa: S107 -- a stand-in's
    account: Annotated[str, typer.Option(help="Its account id.")] = "acct_1TwintillSandbox",
    database_url: ClockUrl = None,
) -> None:
    """A stand-in Stripe: Billing as the official client sees it. Any key `sk_test_...` works.

    Example: `twintill sandbox stripe --webhook-url http://127.0.0.1:8000/webhooks/stripe`
    """
    from twintill.sandbox.stripe import StripeSandboxSettings, create_app
    from twintill.sandbox.stripe.fixed_endpoint import add_endpoint

    server = create_app(_clock(database_url), StripeSandboxSettings(account_id=account))
    if webhook_url is not None:
        add_endpoint(server.world, webhook_url, webhook_secret)
    its = {
        "STRIPE_API_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRETS": webhook_secret,
        "STRIPE_API_BASE": f"http://{host}:{port}",
    }
    _serve(server, host, port, its)


@app.command()
def processor(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 12112,
    api_key: Annotated[str, typer.Option(help="The key that it expects.")] = "sandbox_key_123",
    webhook_url: WebhookUrl = None,
    webhook_secret: WebhookSecret = "whsec_sandbox",  # noqa: S107 -- a stand-in's
    account: Annotated[str, typer.Option(help="Its account id.")] = "acct_sandbox",
    database_url: ClockUrl = None,
) -> None:
    """A stand-in processor: a page to choose a method, charges, refunds, disputes, webhooks.

    Example: `twintill sandbox processor --webhook-url http://127.0.0.1:8000/webhooks/sandbox`
    """
    from twintill.sandbox.processor import ProcessorSandboxSettings, create_app

    settings = ProcessorSandboxSettings(
        api_key=api_key,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret if webhook_url else "",
        account_id=account,
    )
    its = {
        "SANDBOX_PROCESSOR_URL": f"http://{host}:{port}",
        "SANDBOX_PROCESSOR_API_KEY": api_key,
        "SANDBOX_PROCESSOR_WEBHOOK_SECRETS": webhook_secret,
        "SANDBOX_PROCESSOR_ACCOUNT_ID": account,
    }
    _serve(create_app(_clock(database_url), settings), host, port, its)


@app.command()
def gocardless(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 12114,
    access_token: Annotated[
        str, typer.Option(help="The token that it expects.")
    ] = "sandbox_token_123",  # noqa: S107 -- a stand-in's
    webhook_url: WebhookUrl = None,
    webhook_secret: WebhookSecret = "sandbox_webhook_secret",  # noqa: S107 -- a stand-in's
    payer_pages: PayerPages = None,
    database_url: ClockUrl = None,
) -> None:
    """A stand-in GoCardless: billing requests, mandates, payments, refunds, payouts, events.

    Prints the settings to use it with.

    Its payers are special by their given name, as in GoCardless's own sandbox: Successful,
    Penniless (no funds), Fickle (charges back), Late (fails after it was confirmed), Invalid (the
    mandate fails); or choose on the page that a billing request flow leads to. Scenario simulators
    work. Banks rest on weekends: `sandbox clock advance 14d` takes a payment from made to paid out.

    Example: `twintill sandbox gocardless --webhook-url http://127.0.0.1:8000/webhooks/gocardless`
    """
    from twintill.sandbox.gocardless import create_app, gocardless_settings

    settings = gocardless_settings(
        access_token,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret if webhook_url else "",
        public_url=payer_pages,
    )
    its = {
        "GOCARDLESS_ENVIRONMENT": "sandbox",
        "GOCARDLESS_ACCESS_TOKEN": access_token,
        "GOCARDLESS_WEBHOOK_SECRETS": webhook_secret,
        "GOCARDLESS_CREDITOR_ID": settings.account_id,
        "GOCARDLESS_URL": f"http://{host}:{port}",
    }
    _serve(create_app(_clock(database_url), settings), host, port, its)


@app.command()
def paypal(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 12113,
    client: Annotated[
        str, typer.Option(help="The REST app's id and secret that it expects.")
    ] = "sandbox:sandbox_secret",
    webhook_url: WebhookUrl = None,
    webhook_id: Annotated[
        str, typer.Option(help="The webhook's id at PayPal: part of what is signed.")
    ] = "1SANDBOXWEBHOOK12",
    root_file: Annotated[
        Path | None, typer.Option(help="Where to write the root of its certificate, as PEM.")
    ] = None,
    payer_pages: PayerPages = None,
    database_url: ClockUrl = None,
) -> None:
    """A stand-in PayPal: stored wallets, orders, refunds, disputes, reports, signed webhooks.

    Prints the settings to use it with.

    Its webhooks are signed with a certificate of its own, made anew at each start: trust the root
    that it writes (or shows at /_sandbox/ca), for a try only. The buyer's page offers wallets that
    pay, decline, bounce or lose their answers; /_sandbox is as the sandbox processor's.

    Example: `twintill sandbox paypal --root-file root.pem --webhook-url
    http://127.0.0.1:8000/webhooks/paypal`
    """
    from twintill.sandbox.paypal import PayPalSandboxSettings, create_app
    from twintill.sandbox.paypal.certificates import make_signer

    client_id, _, client_secret = client.partition(":")
    settings = PayPalSandboxSettings(
        api_key=client_secret,
        client_id=client_id,
        webhook_url=webhook_url,
        webhook_secret=webhook_id if webhook_url else "",
        public_url=payer_pages,
    )
    if root_file is not None:
        root_file.write_bytes(make_signer().root_pem)
    its = {
        "PAYPAL_ENVIRONMENT": "sandbox",
        "PAYPAL_CLIENT_ID": client_id,
        "PAYPAL_CLIENT_SECRET": client_secret,
        "PAYPAL_MERCHANT_ID": settings.account_id,
        "PAYPAL_WEBHOOK_IDS": webhook_id,
        "PAYPAL_URL": f"http://{host}:{port}",
        "PAYPAL_ROOTS_FILE": str(root_file.resolve()) if root_file else "",
    }
    _serve(create_app(_clock(database_url), settings), host, port, its)


@app.command()
def postgres(
    folder: Annotated[Path, typer.Option(help="Where its data lies.")] = Path(".twintill/pg"),
) -> None:
    """A PostgreSQL of Twintill's own, until Ctrl-C; prints the settings to use it with."""
    import signal
    import threading

    from twintill.sandbox import postgres as embedded

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with embedded.running(folder, durable=True) as cluster:
        print(f"TWINTILL_DATABASE_URL={cluster.url()}")
        print(f"TWINTILL_MIGRATE_DATABASE_URL={cluster.url(role=embedded.OWNER)}", flush=True)
        stop.wait()


@clock_app.command()
def advance(
    by: Annotated[str, typer.Argument(help="e.g. 90m, 36h, 31d, 2w")],
) -> None:
    """Move the time of Twintill and of both sandboxes forward; it never runs backwards.

    Example: `twintill sandbox clock advance 31d`
    """
    print(_with_clock(_duration(by)))


@clock_app.command()
def show() -> None:
    """What time it is in the sandbox."""
    print(_with_clock(timedelta(0)))


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if match is None:
        raise BadRequest(f"{text!r} is not a duration: write e.g. 90m, 36h, 31d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _with_clock(by: timedelta) -> str:
    from twintill.cli.embedded import owner_url, with_database
    from twintill.settings import read_database_settings
    from twintill.store import clock
    from twintill.store.database import open_database

    async def move(url: str) -> str:
        database = open_database(url, pool_size=1)
        try:
            async with database.begin() as db:
                if by:
                    await clock.advance(db, by)
                return (await clock.now(db)).isoformat(" ", "seconds")
        finally:
            await database.dispose()

    with with_database(read_database_settings()) as settings:
        return asyncio.run(move(owner_url(settings)))


def _clock(database_url: str | None) -> "Clock":
    from twintill.sandbox.clock import SharedClock, SystemClock

    return SystemClock() if database_url is None else SharedClock(database_url)


def _serve(server: object, host: str, port: int, its: Mapping[str, str]) -> None:
    """`its`: Twintill's settings to use it with, which are printed."""
    from twintill.sandbox.serve import serve_app

    for name, value in its.items():
        print(f"TWINTILL_{name}={value}", flush=True)
    print(f"listening on http://{host}:{port}", file=sys.stderr, flush=True)
    try:
        asyncio.run(serve_app(server, host, port))
    except KeyboardInterrupt:
        sys.exit(130)
