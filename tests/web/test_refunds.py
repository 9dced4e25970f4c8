"""POST /v1/payments/{payment}/refunds, what became of it, and the same on a terminal."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.command_line import twintill
from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.test_settings import ENOUGH
from tests.web.shop import Shop, open_shop
from twintill.ids import payment_id
from twintill.store import api_keys

PART = {"amount": 1900, "currency": "eur", "why": "ordered by mistake"}


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def collected(shop: Shop) -> str:
    return payment_id(SCOPE, await shop.world.collect(await shop.world.customer()))


async def test_part_of_it_goes_back_and_everything_says_so(shop: Shop) -> None:
    its_id = await collected(shop)
    headers = {"Idempotency-Key": "refund-1"}
    path = f"/v1/payments/{its_id}/refunds"
    first = await shop.api.post(path, json=PART, headers=headers)
    assert (first.status_code, first.json()["state"]) == (201, "wanted"), first.text
    await shop.world.work()
    again = await shop.api.post(path, json=PART, headers=headers)
    assert again.json() == first.json()
    refund = await shop.get(f"/v1/refunds/{first.json()['id']}")
    assert (refund["state"], refund["outcome"], refund["asked_by"]) == (
        "done",
        "approved",
        "api:tests",
    )
    payment = await shop.get(f"/v1/payments/{its_id}")
    assert (payment["refunded"], payment["reported"]) == (1900, 3000)
    assert payment["refunds"] == [refund]
    assert [note["out_of_band_amount"] for note in payment["credit_notes"]] == [1900]
    assert (await shop.get(f"/v1/refunds?payment={its_id}"))["data"] == [refund]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"amount": 4901}, 409, "amount_over_what_is_left"),
        ({"currency": "usd"}, 400, "currency_differs"),
        ({"amount": 0}, 422, None),
        ({"amount": -1}, 422, None),
        ({"why": ""}, 422, None),
        ({"surprise": 1}, 422, None),
    ],
)
async def test_bad_input_names_its_rule_and_changes_nothing(
    shop: Shop, wrong: dict[str, Any], status: int, code: str | None
) -> None:
    its_id = await collected(shop)
    answer = await shop.api.post(f"/v1/payments/{its_id}/refunds", json=PART | wrong)
    assert answer.status_code == status, answer.text
    assert code in (None, answer.json()["code"])
    assert (await shop.get(f"/v1/payments/{its_id}"))["refunds"] == []


async def test_a_second_one_while_the_first_runs_and_unknown_ids(shop: Shop) -> None:
    its_id = await collected(shop)
    path = f"/v1/payments/{its_id}/refunds"
    assert (await shop.api.post(path, json=PART)).status_code == 201
    second = await shop.api.post(path, json=PART)
    assert (second.status_code, second.json()["code"]) == (409, "refund_under_way")
    assert (await shop.api.post("/v1/payments/pay_x/refunds", json=PART)).status_code == 404
    assert (await shop.api.get("/v1/refunds/rfd_x")).status_code == 404


async def test_a_person_at_a_terminal_asks_for_it(shop: Shop, database: Database) -> None:
    its_id = await collected(shop)
    env = ENOUGH | {
        "TWINTILL_DATABASE_URL": database.url,
        "TWINTILL_STRIPE_ACCOUNT_ID": SCOPE.stripe_account_id,
    }
    said = ("refund", its_id, "--why", "by mistake", "--amount")
    wrong = await asyncio.to_thread(twintill, *said, "12.345EUR", env=env)
    assert "not a whole number of minor units" in wrong.stderr
    done = await asyncio.to_thread(twintill, *said, "19.00EUR", env=env)
    assert "19.00 EUR of" in done.stdout, done.stderr
    twice = await asyncio.to_thread(twintill, *said, "19.00EUR", env=env)
    assert "another refund of this payment has no end yet" in twice.stderr


async def test_a_key_that_may_only_collect_gives_nothing_back(shop: Shop) -> None:
    its_id = await collected(shop)
    async with shop.world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, "shop", ("collect",))
    collects = {"Authorization": f"Bearer {secret}"}
    for path, params in (
        (f"/v1/payments/{its_id}/refunds", PART),
        (f"/v1/payments/{its_id}/refunds/paid-another-way", PART | {"reference": "SEPA 1"}),
        ("/v1/subscriptions/sub_x/cancel", {"refund_last_payment": True}),
    ):
        answer = await shop.api.post(path, json=params, headers=collects)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
        assert "'refund'" in answer.json()["detail"]
    assert (await shop.get(f"/v1/payments/{its_id}"))["refunds"] == []


async def test_who_paid_it_another_way_says_so(shop: Shop) -> None:
    its_id = await collected(shop)
    path, word = f"/v1/payments/{its_id}/refunds/paid-another-way", PART | {"reference": "SEPA 1"}
    first = await shop.api.post(path, json=word)
    assert (first.status_code, first.json()["state"]) == (201, "done"), first.text
    assert (await shop.api.post(path, json=word)).json()["id"] == first.json()["id"]
    other = await shop.api.post(path, json=word | {"amount": 1})
    assert (other.status_code, other.json()["code"]) == (409, "reference_used")
    await shop.world.work()
    payment = await shop.get(f"/v1/payments/{its_id}")
    assert (payment["refunded"], payment["reported"]) == (1900, 3000)
    assert payment["refunds"][0]["why"] == "paid another way (SEPA 1): ordered by mistake"


async def test_over_the_cap_is_a_word_of_the_scope_admin(shop: Shop) -> None:
    its_id = await collected(shop)
    insists = PART | {"over_the_cap": True}
    answer = await shop.api.post(f"/v1/payments/{its_id}/refunds", json=insists)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    async with shop.world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, "ada", ("admin",))
    admin = {"Authorization": f"Bearer {secret}"}
    answer = await shop.api.post(f"/v1/payments/{its_id}/refunds", json=insists, headers=admin)
    assert answer.status_code == 201, answer.text
