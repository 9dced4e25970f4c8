"""A real Chromium, in front of the real web app, a real worker and both sandboxes."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.flows import signing_up
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from tests.web.conftest import open_test_doors
from twintill import worker
from twintill.sandbox.serve import running
from twintill.store import api_keys
from twintill.web.frame import create_app

CHROMIUM = os.environ.get("TWINTILL_CHROMIUM") or shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 15_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(120))
            if CHROMIUM is None:
                reason = "no Chromium here: `apt-get install chromium`, or set TWINTILL_CHROMIUM"
                item.add_marker(pytest.mark.skip(reason))


@dataclass(frozen=True)
class Street:
    """Where people walk in: the shop's address, and what its owner asks by API."""

    world: World
    api: httpx.AsyncClient
    chromium: Browser

    async def sign_up(self, **params: Any) -> dict[str, Any]:
        asked = {
            "customer": {"email": "ada@example.com"},
            "items": [{"price": await signing_up.price(self.world)}],
            "success_url": f"{self.world.means.public_url}/healthz",
            "cancel_url": f"{self.world.means.public_url}/healthz",
            "description": "Pro plan, monthly",
            **params,
        }
        answer = await self.api.post("/v1/signups", json=asked)
        assert answer.status_code == 201, answer.text
        signup: dict[str, Any] = answer.json()
        return signup

    async def state(self, signup: dict[str, Any]) -> str:
        shown = (await self.api.get(f"/v1/signups/{signup['id']}")).json()
        return str(shown["state"])

    @contextlib.asynccontextmanager
    async def person(self, **how: Any) -> AsyncIterator[Page]:
        """Somebody with a browser of his own, in which our page may break none of its own rules."""
        context = await self.chromium.new_context(**({"locale": "en-GB"} | how))
        context.set_default_timeout(TIMEOUT_MS)
        page = await context.new_page()
        complaints: list[str] = []

        def hear(said: ConsoleMessage) -> None:
            if page.url.startswith(self.world.means.public_url):
                complaints.append(said.text)

        page.on("console", hear)
        yield page
        await context.close()
        assert not [c for c in complaints if "Content Security Policy" in c]


@pytest.fixture
async def street(database: Database) -> AsyncIterator[Street]:
    async with contextlib.AsyncExitStack() as closing:
        world = await closing.enter_async_context(running_world(database, signing_up.PATIENCE_S))
        port = _free_port()
        means = replace(world.means, public_url=f"http://127.0.0.1:{port}")
        world = replace(world, means=means)
        await closing.enter_async_context(running(create_app(open_test_doors(means)), port))
        await closing.enter_async_context(_working(world, database))
        async with world.db() as db:
            _, secret = await api_keys.create(db, SCOPE, "tests", ("read", "collect"))
        headers = {"Authorization": f"Bearer {secret}"}
        api = await closing.enter_async_context(
            httpx.AsyncClient(base_url=means.public_url, headers=headers)
        )
        playwright = await closing.enter_async_context(async_playwright())
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        closing.push_async_callback(chromium.close)
        yield Street(world, api, chromium)


@contextlib.asynccontextmanager
async def _working(world: World, database: Database) -> AsyncIterator[None]:
    stop = asyncio.Event()
    run = worker.run(world.means, database_url=database.url, concurrency=2, stop=stop)
    task = asyncio.create_task(run)
    yield
    stop.set()
    await task


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def picture(page: Page, name: str) -> None:
    """For people to look at, where they ask for it."""
    folder = os.environ.get("TWINTILL_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
