"""The stage: everything that the story needs, running, and what it can ask for."""

import base64
import contextlib
import os
import secrets
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx

from twintill.demo import calls, starting
from twintill.demo.app import UsersApp, running_app
from twintill.demo.database import DemoDatabase, fresh_database, running_cluster
from twintill.demo.processes import Processes
from twintill.demo.starting import Addresses
from twintill.demo.telling import Telling
from twintill.demo.tills import Till
from twintill.demo.waiting import until

_HAPPENS_S = 60.0
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the story needs, running."""

    addresses: Addresses
    till: Till
    api_key: str
    database: DemoDatabase
    app: UsersApp
    api: httpx.AsyncClient  # Twintill's, with the API key
    second: httpx.AsyncClient  # the same, with the key of another person
    stripe: httpx.AsyncClient
    processor: httpx.AsyncClient  # as the merchant asks it
    telling: Telling

    async def advance(self, by: timedelta) -> None:
        """Time passes for everybody; both sandboxes do what is due by then."""
        await self.database.advance(by)
        for sandbox in (self.stripe, self.processor):
            (await sandbox.post("/_sandbox/tick")).raise_for_status()

    async def advance_to(self, moment: datetime) -> None:
        """To that time, unless it is past."""
        await self.advance(max(moment - await self.database.now(), timedelta(0)))

    async def until(
        self, what: str, ask: Callable[[], Awaitable[Answer]], within_s: float = _HAPPENS_S
    ) -> Answer:
        """Asks again and again until the answer is true-ish. Raises StoryBroken."""
        with self.telling.waiting(what):
            return await until(what, ask, within_s)


@contextlib.asynccontextmanager
async def set_stage(
    folder: Path, processes: Processes, till: Till, telling: Telling
) -> AsyncIterator[Stage]:
    """All of it, from nothing; after the block nothing of it runs."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    with contextlib.ExitStack() as cluster_ends:
        with telling.waiting("PostgreSQL starts"):
            cluster = cluster_ends.enter_context(running_cluster(folder / "pg"))
        async with fresh_database(cluster) as database, running_app(secret) as app:
            telling.line("Postgres", f"127.0.0.1:{database.port}/{database.name}")
            try:
                async with _set(folder, processes, till, database, app, telling) as stage:
                    yield stage
            finally:
                await processes.stop_all()  # before their database goes


@contextlib.asynccontextmanager
async def _set(
    folder: Path,
    processes: Processes,
    till: Till,
    database: DemoDatabase,
    app: UsersApp,
    telling: Telling,
) -> AsyncIterator[Stage]:
    addresses = starting.choose_addresses(app.url)
    await starting.start_sandboxes(processes, addresses, till, database, telling)
    settings = await starting.settings(addresses, till, folder, database.url, app.secret)
    api_key, second_key = await starting.start_twintill(processes, addresses, settings, telling)
    operators = {
        "TWINTILL_MIGRATE_DATABASE_URL": database.owner_url,
        "TWINTILL_API_KEY": api_key,
    }
    async with (
        calls.client(addresses.web, api_key) as api,
        calls.client(addresses.web, second_key) as second,
        calls.client(addresses.stripe, starting.STRIPE_KEY) as stripe,
        till.client(addresses.processor) as processor,
    ):
        with _noted(folder / "env", settings | operators):
            yield Stage(
                addresses, till, api_key, database, app, api, second, stripe, processor, telling
            )


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
