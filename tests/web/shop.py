"""A shop for tests of doors: the whole small world, and the web app in front of it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.flows import signing_up
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from tests.web.conftest import open_test_doors
from twintill.store import api_keys
from twintill.web.frame import create_app


@dataclass(frozen=True)
class Shop:
    """`api` has a key; `browser` has none, follows nothing, and looks like a person's."""

    world: World
    api: httpx.AsyncClient
    browser: httpx.AsyncClient

    async def sign_up(self, **params: Any) -> dict[str, Any]:
        answer = await self.api.post("/v1/signups", json=await self.params(**params))
        assert answer.status_code == 201, answer.text
        signup: dict[str, Any] = answer.json()
        return signup

    async def params(self, **params: Any) -> dict[str, Any]:
        return {
            "customer": {"email": "ada@example.com"},
            "items": [{"price": await signing_up.price(self.world)}],
            "success_url": "https://app.example/welcome",
            "cancel_url": "https://app.example/pricing",
            "description": "Pro plan, monthly",
            **params,
        }

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def page(self, checkout_id: str, **headers: str) -> httpx.Response:
        return await self.browser.get(f"/checkout/{checkout_id}", headers=headers)

    async def submit(self, checkout_id: str, form: str = "", **fields: str) -> httpx.Response:
        return await self.browser.post(f"/checkout/{checkout_id}{form}", data=fields)

    async def choose(self, url: str, method: str) -> httpx.Response:
        """On the processor's page; then back on ours, as the processor sends us."""
        async with httpx.AsyncClient() as there:
            back = await there.post(url, data={"method": method})
        return await self.browser.get(httpx.URL(back.headers["location"]).raw_path.decode())

    async def pay(self, checkout_id: str, method: str = "card_ok", **address: str) -> None:
        """The whole way of a person, and of the worker behind it."""
        there = await self.submit(checkout_id, **(signing_up.HERE | address))
        assert there.status_code == 303, there.text
        await self.choose(there.headers["location"], method)
        await signing_up.work(self.world)


@contextlib.asynccontextmanager
async def open_shop(
    database: Database, answer_within_s: float = signing_up.PATIENCE_S
) -> AsyncIterator[Shop]:
    """`answer_within_s`: what a test waits for a lost answer of the processor."""
    async with running_world(database, answer_within_s) as world:
        app = create_app(open_test_doors(world.means))
        async with world.db() as db:
            _, secret = await api_keys.create(db, SCOPE, "tests", ("read", "collect", "refund"))
        transport, base_url = httpx.ASGITransport(app), world.means.public_url
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport,
                base_url=base_url,
                headers={"Authorization": f"Bearer {secret}"},
            ) as api,
            httpx.AsyncClient(transport=transport, base_url=base_url) as browser,
        ):
            yield Shop(world, api, browser)
