"""The stage: PostgreSQL, both sandboxes, web and worker as processes, and the user's app."""

import asyncio
import base64
import contextlib
import os
import secrets
import shlex
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import httpx

from twintill.demo.app import UsersApp, running_app
from twintill.demo.database import DemoDatabase, fresh_database, running_cluster
from twintill.demo.processes import Processes
from twintill.demo.telling import Telling
from twintill.demo.trouble import StoryBroken

PROCESSOR_KEY = "sandbox_key_demo"
STRIPE_KEY = "sk_test_demo"
CHECKOUT_EXPIRES_AFTER = timedelta(minutes=30)
_STRIPE_SECRET, _PROCESSOR_SECRET = "whsec_demo_stripe", "whsec_demo_processor"
_ANSWER_WITHIN_S = 2.5  # short, so that waiting for a lost answer does not take half a minute
_READY_S = 60.0
_HAPPENS_S = 60.0
_POLL_S, _POLL_MAX_S = 0.05, 0.25
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Addresses:
    stripe: str
    processor: str
    web: str
    app: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the story needs, running."""

    addresses: Addresses
    api_key: str
    database: DemoDatabase
    app: UsersApp
    api: httpx.AsyncClient  # Twintill's, with the API key
    stripe: httpx.AsyncClient
    processor: httpx.AsyncClient
    telling: Telling

    async def advance(self, by: timedelta) -> None:
        """Time passes for everybody; both sandboxes do what is due by then."""
        await self.database.advance(by)
        for sandbox in (self.stripe, self.processor):
            (await sandbox.post("/_sandbox/tick")).raise_for_status()

    async def until(
        self, what: str, ask: Callable[[], Awaitable[Answer]], within_s: float = _HAPPENS_S
    ) -> Answer:
        """Asks again and again until the answer is true-ish. Raises StoryBroken."""
        with self.telling.waiting(what):
            return await until(what, ask, within_s)


async def until(what: str, ask: Callable[[], Awaitable[Answer]], within_s: float) -> Answer:
    pause_s = _POLL_S
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await ask()):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.3, _POLL_MAX_S)
            return answer
    except TimeoutError:
        raise StoryBroken(f"This did not happen within {within_s:.0f} s: {what}") from None


@contextlib.asynccontextmanager
async def set_stage(folder: Path, processes: Processes, telling: Telling) -> AsyncIterator[Stage]:
    """All of it, from nothing; after the block nothing of it runs."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    with contextlib.ExitStack() as cluster_ends:
        with telling.waiting("PostgreSQL starts"):
            cluster = cluster_ends.enter_context(running_cluster(folder / "pg"))
        async with fresh_database(cluster) as database, running_app(secret) as app:
            telling.line("Postgres", f"127.0.0.1:{database.port}/{database.name}")
            try:
                stripe_url, processor_url, web_url = _free_addresses(3)
                addresses = Addresses(stripe_url, processor_url, web_url, app.url)
                environment = _environment(addresses, database, secret)
                api_key = await _start(processes, addresses, environment, database, telling)
                operators = environment | {
                    "TWINTILL_MIGRATE_DATABASE_URL": database.owner_url,
                    "TWINTILL_API_KEY": api_key,
                }
                async with (
                    _client(addresses.web, api_key) as api,
                    _client(addresses.stripe, STRIPE_KEY) as stripe,
                    _client(addresses.processor, PROCESSOR_KEY) as processor,
                ):
                    with _noted(folder / "env", operators):
                        yield Stage(
                            addresses, api_key, database, app, api, stripe, processor, telling
                        )
            finally:
                await processes.stop_all()


async def _start(
    processes: Processes,
    addresses: Addresses,
    environment: Mapping[str, str],
    database: DemoDatabase,
    telling: Telling,
) -> str:
    """Each process in the order in which one needs the other; answers an API key."""
    system = _without_ours(os.environ)
    owner = system | {"TWINTILL_MIGRATE_DATABASE_URL": database.owner_url}
    shared = system | {"TWINTILL_DATABASE_URL": database.url}
    for name, arguments in _sandboxes(addresses).items():
        await processes.start(name, "sandbox", name, *arguments, environment=shared)
    with telling.waiting("migrations run, the sandboxes start"):
        await processes.run("migrate", "migrate", environment=owner)
        await _answering(f"{addresses.stripe}/_sandbox/faults")
        await _answering(f"{addresses.processor}/_sandbox/faults")
    telling.line("Stripe", f"{addresses.stripe}  (sandbox)")
    telling.line("processor", f"{addresses.processor}  (sandbox)")
    settings = {**system, **environment}
    await processes.start("web", "serve", environment=settings)
    await processes.start("worker", "worker", environment=settings)
    create = ("keys", "create", "--owner", "the demo", "--scopes", "read,collect,refund,admin")
    with telling.waiting("web and worker start"):
        api_key = await processes.run("keys", *create, environment=settings)
        await _answering(f"{addresses.web}/readyz")
    telling.line("Twintill", f"{addresses.web}  (web), and a worker")
    telling.line("your app", addresses.app)
    telling.good(f"All of them are real processes; ready after {telling.elapsed_s:.0f} s.")
    return api_key.strip()


def _sandboxes(addresses: Addresses) -> dict[str, tuple[str, ...]]:
    return {
        "stripe": (
            *("--port", _port(addresses.stripe)),
            *("--webhook-url", f"{addresses.web}/webhooks/stripe"),
            *("--webhook-secret", _STRIPE_SECRET),
        ),
        "processor": (
            *("--port", _port(addresses.processor)),
            *("--api-key", PROCESSOR_KEY),
            *("--webhook-url", f"{addresses.web}/webhooks/sandbox"),
            *("--webhook-secret", _PROCESSOR_SECRET),
        ),
    }


def _environment(addresses: Addresses, database: DemoDatabase, secret: str) -> dict[str, str]:
    """What `serve` and `worker` are told; the same as anybody would set."""
    return {
        "TWINTILL_DATABASE_URL": database.url,
        "TWINTILL_STRIPE_API_KEY": STRIPE_KEY,
        "TWINTILL_STRIPE_API_BASE": addresses.stripe,
        "TWINTILL_STRIPE_WEBHOOK_SECRETS": _STRIPE_SECRET,
        "TWINTILL_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "TWINTILL_PUBLIC_URL": addresses.web,
        "TWINTILL_PORT": _port(addresses.web),
        "TWINTILL_APP_WEBHOOK_URL": addresses.app,
        "TWINTILL_APP_WEBHOOK_SECRET": secret,
        "TWINTILL_SANDBOX_PROCESSOR_URL": addresses.processor,
        "TWINTILL_SANDBOX_PROCESSOR_API_KEY": PROCESSOR_KEY,
        "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": _PROCESSOR_SECRET,
        "TWINTILL_SANDBOX_PROCESSOR_TIMEOUT_S": str(_ANSWER_WITHIN_S),
        "TWINTILL_CHECKOUT_EXPIRES_AFTER_S": str(int(CHECKOUT_EXPIRES_AFTER.total_seconds())),
    }


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """The demo is told nothing by the settings of an installation that may be on this machine."""
    return {k: v for k, v in environment.items() if not k.startswith("TWINTILL_")}


@contextlib.contextmanager
def _noted(path: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A file to `source`, so that the commands of another terminal work on this demo."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _client(base_url: str, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30, trust_env=False)


async def _answering(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:

        async def ask() -> bool:
            try:
                return (await client.get(url)).is_success
            except httpx.TransportError:
                return False

        await until(f"{url} answers", ask, _READY_S)


def _free_addresses(count: int) -> list[str]:
    """All are held at once, so that they differ."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [f"http://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


def _port(url: str) -> str:
    return url.rpartition(":")[2]
