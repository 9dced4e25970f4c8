"""Where one crash is played: a database, both sandboxes, the user's app, and real processes."""

import asyncio
import base64
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx

from tests.crash.crew import Crew, Process
from tests.crash.victim import POSTGRES, Order, Point
from tests.flows.world import PROCESSOR_KEY, PROCESSOR_SECRET, SCOPE, World
from tests.postgres import Database
from twintill import app
from twintill.demo.app import UsersApp, running_app
from twintill.flows import duties
from twintill.sandbox.processor import ProcessorSandboxSettings
from twintill.sandbox.processor.app import create_app as create_processor
from twintill.sandbox.serve import running
from twintill.sandbox.stripe import StripeSandboxSettings
from twintill.sandbox.stripe import create_app as create_stripe
from twintill.settings import Settings, read_settings

_APP_SECRET = f"whsec_{base64.b64encode(b'a' * 24).decode()}"
_STRIPE_EVENTS = ("invoice.finalized",)
# Rows that carry work, and their keys; a lease on one of them ends by the wall's clock.
WORK = {
    "payments": "payment_id",
    "inbox": "inbox_id",
    "operations": "operation_id",
    "outgoing_events": "event_id",
    "outgoing_deliveries": "delivery_id",
}
_RETRY_REAL_S = 0.1


class ShiftedClock:
    """Of both sandboxes: ahead of the machine's time, as the database's business time is. Unlike a
    clock in the database it goes on while that is down."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    async def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass(slots=True)
class Stage:
    """Everything outside the processes, and the processes by role."""

    world: World
    database: Database
    users_app: UsersApp
    environment: dict[str, str]
    folder: Path
    crew: Crew
    parties: Mapping[int, str]
    web_url: str
    clock: ShiftedClock
    blind: bool = False
    logs: list[Path] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    async def start(
        self, role: str, *, notes: Path | None = None, aim: Point | None = None
    ) -> Process:
        """The real process; watched when it takes notes or has an aim."""
        log = self.folder / f"{len(self.logs)}-{role}.log"
        self.logs.append(log)
        order = Order(role, self.environment, log, self.parties, notes, aim, self.blind)
        process = await self.crew.start(order)
        self.processes.append(process)
        return process

    async def dismiss(self) -> None:
        """kill -9 for all: nothing of what is checked may depend on a clean end."""
        for process in self.processes:
            process.kill()
        await asyncio.gather(*(process.ended for process in self.processes))

    async def passes(self, seconds: float) -> None:
        """So much time goes by: for leases and locks, for business, for both sandboxes."""
        by = timedelta(seconds=seconds)
        owner = await asyncpg.connect(self.database.owner_url)
        try:
            async with owner.transaction():
                for table in WORK:
                    await owner.execute(
                        f"UPDATE {table} SET lease_until = lease_until - $1::interval, "
                        "rung_at = rung_at - $1::interval WHERE ended_at IS NULL",
                        by,
                    )
                await owner.execute(
                    "UPDATE api_requests SET locked_until = locked_until - $1::interval "
                    "WHERE status IS NULL",
                    by,
                )
                await owner.execute(
                    "INSERT INTO virtual_clocks (one, shift) VALUES (1, $1) ON CONFLICT (one) "
                    "DO UPDATE SET shift = virtual_clocks.shift + excluded.shift",
                    by,
                )
        finally:
            await owner.close()
        self.clock.shift += by
        for sandbox in (self.world.stripe, self.world.processor):
            (await sandbox.post("/_sandbox/tick")).raise_for_status()

    async def unfinished(self) -> list[str]:
        """Rows that still have something to do (an operation may wait for its last day)."""
        queries = [
            f"SELECT '{table} ' || {key} || coalesce(' parked: ' || parked_why, '') AS row "
            f"FROM {table} WHERE ended_at IS NULL "
            "AND (parked_at IS NOT NULL OR lease_until IS NOT NULL "
            "     OR next_look_at < twintill_now() + interval '2 hours')"
            for table, key in WORK.items()
        ]
        return [row[0] for row in await self.ask(" UNION ALL ".join(queries))]

    async def is_busy(self) -> bool:
        """Whether a worker has something left to do; what is parked waits for a person."""
        return any(" parked: " not in row for row in await self.unfinished())

    async def ask(self, sql: str) -> list[asyncpg.Record]:
        async with self.world.means.database.connect() as db:
            found = await db.exec_driver_sql(sql)
            return list(found)

    async def seconds_to_wait(self) -> float | None:
        """Until something is due; None while something is due or held."""
        looks = " UNION ALL ".join(
            f"SELECT next_look_at, lease_until > twintill_wall() AS held FROM {table} "
            "WHERE ended_at IS NULL AND parked_at IS NULL"
            for table in WORK
        )
        [found] = await self.ask(
            "SELECT extract(epoch FROM min(next_look_at) - twintill_now())::float8, "
            f"coalesce(bool_or(held), false) FROM ({looks}) AS work"
        )
        wait_s, held = found
        return None if held or wait_s is None or wait_s < 0 else float(wait_s)


@contextlib.asynccontextmanager
async def set_stage(
    database: Database, crew: Crew, folder: Path, *, webhooks: bool = False, blind: bool = False
) -> AsyncIterator[Stage]:
    """From nothing; after the block nothing of it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    web_url = f"http://127.0.0.1:{free_port()}"
    clock = ShiftedClock()
    told = ProcessorSandboxSettings(api_key=PROCESSOR_KEY, seed=1)
    if webhooks:
        told = replace(
            told,
            webhook_url=f"{web_url}/webhooks/sandbox",
            webhook_secret=PROCESSOR_SECRET,
            webhook_retries_s=(_RETRY_REAL_S,),
        )
    stripe = create_stripe(
        clock,
        StripeSandboxSettings(
            seed=1, account_id=SCOPE.stripe_account_id, webhook_fast_retry_real_s=_RETRY_REAL_S
        ),
    )
    async with (
        running(stripe) as stripe_url,
        running(create_processor(clock, told)) as processor_url,
        running_app(_APP_SECRET) as users_app,
        _client(stripe_url) as stripe_admin,
        _client(processor_url) as processor_admin,
    ):
        secret = await _register(stripe_admin, web_url) if webhooks else "whsec_nobody"
        environment = _environment(database, stripe_url, processor_url, users_app, web_url, secret)
        async with app.open_means(settings_of(environment), pool_size=3) as means:
            world = World(means, database.owner_url, stripe_admin, processor_admin)
            parties = {
                **{int(port): POSTGRES for port in re.findall(r":(\d+)[,/]", database.url)},
                _port(stripe_url): "Stripe",
                _port(processor_url): "processor",
                _port(users_app.url): "user's app",
            }
            stage = Stage(
                *(world, database, users_app, environment, folder, crew, parties, web_url),
                *(clock, blind),
            )
            await _duties_have_run(stage)
            try:
                yield stage
            finally:
                await stage.dismiss()


async def _duties_have_run(stage: Stage) -> None:
    """And are not due again: they would find what a crash lost, which nothing may need."""
    await duties.begin(stage.world.means)
    async with stage.world.db() as db:
        later = "UPDATE duties SET next_look_at = twintill_now() + interval '30 days'"
        await db.exec_driver_sql(later)
        await db.exec_driver_sql("DELETE FROM pgqueuer")


def _client(base_url: str) -> httpx.AsyncClient:
    """A connection for each request: the server closes idle ones, and a busy machine is idle."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=base_url, trust_env=False, limits=limits, timeout=30)


def settings_of(environment: Mapping[str, str]) -> Settings:
    """What a process with this environment reads."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        return read_settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_it_answers(url: str, within_s: float = 20) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(within_s), httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get(url)
                return
            await asyncio.sleep(0.01)


def _environment(
    database: Database,
    stripe_url: str,
    processor_url: str,
    users_app: UsersApp,
    web_url: str,
    stripe_secret: str,
) -> dict[str, str]:
    return {
        "TWINTILL_DATABASE_URL": database.url,
        "TWINTILL_STRIPE_API_KEY": "sk_test_1",
        "TWINTILL_STRIPE_API_BASE": stripe_url,
        "TWINTILL_STRIPE_WEBHOOK_SECRETS": stripe_secret,
        "TWINTILL_ENCRYPTION_KEYS": base64.b64encode(b"k" * 32).decode(),
        "TWINTILL_PUBLIC_URL": web_url,
        "TWINTILL_PORT": str(_port(web_url)),
        "TWINTILL_APP_WEBHOOK_URL": users_app.url,
        "TWINTILL_APP_WEBHOOK_SECRET": _APP_SECRET,
        "TWINTILL_SANDBOX_PROCESSOR_URL": processor_url,
        "TWINTILL_SANDBOX_PROCESSOR_API_KEY": PROCESSOR_KEY,
        "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": PROCESSOR_SECRET,
        "TWINTILL_SANDBOX_PROCESSOR_TIMEOUT_S": "10",
        "TWINTILL_LOG_LEVEL": "warning",
    }


async def _register(stripe: httpx.AsyncClient, web_url: str) -> str:
    fields = {"url": f"{web_url}/webhooks/stripe"}
    fields |= {f"enabled_events[{n}]": event for n, event in enumerate(_STRIPE_EVENTS)}
    headers = {"authorization": "Bearer sk_test_1"}
    made = await stripe.post("/v1/webhook_endpoints", data=fields, headers=headers)
    assert made.is_success, made.text
    return str(made.json()["secret"])


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
