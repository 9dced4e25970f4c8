"""Idempotency-Key: the same request again gets the first answer, and has no second effect."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from tests.web.conftest import new_key
from twintill.errors import ConflictError, StripeUnreadable
from twintill.flows.means import Means
from twintill.web.api import Collector, api_router

KEY = {"Idempotency-Key": "order-4711"}


class Order(BaseModel):
    amount: int


@dataclass
class Kitchen:
    """A route to try it on: what it cooked, and how it goes wrong."""

    cooked: list[str] = field(default_factory=list)
    fails: Exception | None = None
    ready: asyncio.Event | None = None  # set: a dish is not ready before this


@pytest.fixture
def kitchen(app: FastAPI) -> Kitchen:
    router, kitchen = api_router("kitchen"), Kitchen()

    @router.post("/v1/dishes", status_code=201)
    async def cook(order: Order, caller: Collector) -> dict[str, str | int]:
        dish = caller.new_id("dsh")
        kitchen.cooked.append(dish)
        if kitchen.ready is not None:
            await kitchen.ready.wait()
        if kitchen.fails is not None:
            raise kitchen.fails
        return {"id": dish, "amount": order.amount}

    app.include_router(router)
    return kitchen


async def cook(
    api: httpx.AsyncClient, amount: int | str = 1, headers: dict[str, str] = KEY
) -> httpx.Response:
    return await api.post("/v1/dishes", json={"amount": amount}, headers=headers)


async def test_the_first_answer_is_repeated_byte_by_byte(
    api: httpx.AsyncClient, kitchen: Kitchen
) -> None:
    first, again = await cook(api), await cook(api)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert len(kitchen.cooked) == 1


async def test_without_a_key_each_request_counts(api: httpx.AsyncClient, kitchen: Kitchen) -> None:
    await cook(api, headers={})
    await cook(api, headers={})
    assert len(set(kitchen.cooked)) == 2


async def test_the_same_key_with_another_body_is_refused(
    api: httpx.AsyncClient, kitchen: Kitchen
) -> None:
    await cook(api, 1)
    other = await cook(api, 2)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(kitchen.cooked) == 1


async def test_the_same_key_of_another_api_key_is_another_request(
    api: httpx.AsyncClient, kitchen: Kitchen, means: Means
) -> None:
    await cook(api)
    stranger = await cook(api, headers=KEY | await new_key(means, "collect"))
    assert "idempotent-replayed" not in stranger.headers
    assert len(set(kitchen.cooked)) == 2


async def test_of_eight_at_once_one_cooks_and_the_others_are_told_to_wait(
    api: httpx.AsyncClient, kitchen: Kitchen
) -> None:
    kitchen.ready = asyncio.Event()
    requests = asyncio.as_completed([cook(api) for _ in range(8)])
    waiting, *others = [await next(requests) for _ in range(7)]
    kitchen.ready.set()
    cooked = await next(requests)
    assert [a.status_code for a in (waiting, *others)] == [409] * 7
    assert cooked.status_code == 201
    assert waiting.json()["code"] == "idempotency_key_in_use"
    assert waiting.headers["retry-after"] == "1"
    assert len(kitchen.cooked) == 1


async def test_a_refusal_by_the_object_is_an_answer_like_any_other(
    api: httpx.AsyncClient, kitchen: Kitchen
) -> None:
    kitchen.fails = ConflictError("The oven is on fire.", code="oven")
    first = await cook(api)
    kitchen.fails = None
    again = await cook(api)
    assert (again.status_code, again.content) == (409, first.content)
    assert again.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("error", [StripeUnreadable("silence"), RuntimeError("a bug")])
async def test_what_failed_on_our_side_may_be_tried_again_as_the_same_thing(
    api: httpx.AsyncClient, kitchen: Kitchen, error: Exception
) -> None:
    kitchen.fails = error
    assert (await cook(api)).status_code >= 500
    kitchen.fails = None
    assert (await cook(api)).status_code == 201
    assert len(set(kitchen.cooked)) == 1  # the id is derived: no second object


async def test_a_request_that_was_not_understood_leaves_the_key_free(
    api: httpx.AsyncClient, kitchen: Kitchen
) -> None:
    assert (await cook(api, "many")).status_code == 422
    assert (await cook(api, 1)).status_code == 201


async def test_a_forbidden_request_is_not_remembered(
    client: httpx.AsyncClient, kitchen: Kitchen, means: Means
) -> None:
    reader = KEY | await new_key(means, "read")
    assert (await cook(client, headers=reader)).status_code == 403
    assert (await cook(client, headers=reader)).status_code == 403


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\there"])
async def test_a_key_must_be_a_short_line(
    api: httpx.AsyncClient, kitchen: Kitchen, key: str
) -> None:
    answer = await cook(api, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert not kitchen.cooked


async def test_the_longest_key_is_taken(api: httpx.AsyncClient, kitchen: Kitchen) -> None:
    assert (await cook(api, headers={"Idempotency-Key": "k" * 255})).status_code == 201
