"""Starting the demo's processes, each in the order in which one needs the other."""

import asyncio
import base64
import contextlib
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from twintill.demo import calls
from twintill.demo.database import DemoDatabase
from twintill.demo.processes import Processes
from twintill.demo.telling import Telling
from twintill.demo.tills import Till
from twintill.demo.waiting import until_it_answers

STRIPE_KEY = "sk_test_demo"
CHECKOUT_EXPIRES_AFTER = timedelta(minutes=30)
# What a merchant ticks in the Dashboard for this endpoint.
_STRIPE_EVENTS = (
    *("invoice.created", "invoice.updated", "invoice.deleted", "invoice.finalized"),
    *("invoice.finalization_failed", "invoice.paid", "invoice.payment_failed", "invoice.voided"),
    *("invoice.marked_uncollectible", "invoice.overdue", "invoice.overpaid"),
    *("credit_note.created", "credit_note.voided"),
    *("customer.subscription.created", "customer.subscription.updated"),
    *("customer.subscription.deleted", "customer.subscription.paused", "customer.deleted"),
)


@dataclass(frozen=True, slots=True)
class Addresses:
    stripe: str
    processor: str
    web: str
    app: str


def choose_addresses(app_url: str) -> Addresses:
    """Free ports; all are held at once, so that they differ."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(3)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        stripe, processor, web = (f"http://127.0.0.1:{p.getsockname()[1]}" for p in probes)
    return Addresses(stripe, processor, web, app_url)


async def start_sandboxes(
    processes: Processes,
    addresses: Addresses,
    till: Till,
    database: DemoDatabase,
    telling: Telling,
) -> None:
    """And the migrations, while the sandboxes start: their clock is in the database."""
    shared = _clean_environment() | {"TWINTILL_DATABASE_URL": database.url}
    owner = _clean_environment() | {"TWINTILL_MIGRATE_DATABASE_URL": database.owner_url}
    stripe = ("sandbox", "stripe", "--port", _port(addresses.stripe))
    theirs = f"{addresses.web}/webhooks/{till.name}"
    await processes.start("stripe", *stripe, environment=shared)
    command = till.command(_port(addresses.processor), theirs)
    await processes.start("processor", *command, environment=shared)
    with telling.waiting("migrations run, the sandboxes start"):
        await processes.run("migrate", "migrate", environment=owner)
        await until_it_answers(f"{addresses.stripe}/_sandbox/faults")
        await until_it_answers(f"{addresses.processor}/_sandbox/faults")
    telling.line("Stripe", f"{addresses.stripe}  (sandbox)")
    telling.line(till.words.short, f"{addresses.processor}  (sandbox)")


async def settings(
    addresses: Addresses, till: Till, folder: Path, database_url: str, app_secret: str
) -> dict[str, str]:
    """What `serve` and `worker` are told; the same as anybody would set."""
    return {
        "TWINTILL_DATABASE_URL": database_url,
        "TWINTILL_STRIPE_API_KEY": STRIPE_KEY,
        "TWINTILL_STRIPE_API_BASE": addresses.stripe,
        "TWINTILL_STRIPE_WEBHOOK_SECRETS": await _register_webhooks(addresses),
        "TWINTILL_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "TWINTILL_PUBLIC_URL": addresses.web,
        "TWINTILL_PORT": _port(addresses.web),
        "TWINTILL_APP_WEBHOOK_URL": addresses.app,
        "TWINTILL_APP_WEBHOOK_SECRET": app_secret,
        "TWINTILL_APP_WEBHOOK_LOOPBACK": "true",  # the app's hook for drafts is on this machine
        "TWINTILL_CHECKOUT_EXPIRES_AFTER_S": str(int(CHECKOUT_EXPIRES_AFTER.total_seconds())),
        **await till.settings(addresses.processor, folder),
    }


async def start_twintill(
    processes: Processes, addresses: Addresses, told: Mapping[str, str], telling: Telling
) -> tuple[str, str]:
    """Web and worker; answers API keys of two people."""
    environment = {**_clean_environment(), **told}
    await processes.start("web", "serve", environment=environment)
    await processes.start("worker", "worker", environment=environment)
    create = ("keys", "create", "--owner", "the demo", "--scopes", "read,collect,refund,admin")
    second = ("keys", "create", "--owner", "finance", "--scopes", "read,collect")
    with telling.waiting("web and worker start"):
        api_key, second_key = await asyncio.gather(
            processes.run("keys", *create, environment=environment),
            processes.run("second-key", *second, environment=environment),
        )
        await until_it_answers(f"{addresses.web}/readyz")
    telling.line("Twintill", f"{addresses.web}  (web), and a worker")
    telling.line("your app", addresses.app)
    telling.good(f"All of them are real processes; ready after {telling.elapsed_s:.0f} s.")
    return api_key.strip(), second_key.strip()


async def _register_webhooks(addresses: Addresses) -> str:
    """As a merchant does it in the Dashboard; answers the signing secret, shown this once."""
    async with calls.client(addresses.stripe, STRIPE_KEY) as stripe:
        endpoint = await calls.post_form(
            stripe,
            "/v1/webhook_endpoints",
            {"url": f"{addresses.web}/webhooks/stripe", "enabled_events": _STRIPE_EVENTS},
        )
    return str(endpoint["secret"])


def _clean_environment() -> dict[str, str]:
    """The demo is told nothing by the settings of an installation that may be on this machine."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TWINTILL_")}


def _port(url: str) -> str:
    return url.rpartition(":")[2]
