"""POST /v1/payments/{payment}/resolve, and what the terminal tells of the same payment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.command_line import twintill
from tests.flows.world import ANSWER_WITHIN_S, SCOPE
from tests.postgres import Database
from tests.test_settings import ENOUGH
from tests.web.shop import Shop, open_shop
from twintill.domain.facts import LookGaveUp
from twintill.flows.learn import learn
from twintill.ids import payment_id

WHY = {"why": "their dashboard shows it", "evidence": {"name": "https://processor.test/ch"}}


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database, ANSWER_WITHIN_S) as shop:
        yield shop


async def in_doubt(shop: Shop) -> str:
    world = shop.world
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.collect(customer_id)
    its_id = payment_id(SCOPE, invoice_id)
    await learn(world.means, SCOPE, its_id, LookGaveUp("nobody knows"))
    return its_id


async def test_a_person_resolves_it_through_the_api_and_again(shop: Shop) -> None:
    its_id = await in_doubt(shop)
    (charge,) = await shop.world.charges()
    said = {"charged": charge["charge"], **WHY}
    for _ in range(2):
        answer = await shop.api.post(f"/v1/payments/{its_id}/resolve", json=said)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["needs_person"]) == ("collected", None)
    facts = [fact for fact in answer.json()["history"] if fact["fact"] == "PersonSaid"]
    assert [fact["actor"] for fact in facts] == ["api:tests"]
    assert facts[0]["detail"]["evidence"]["name"] == "https://processor.test/ch"


async def test_what_breaks_a_rule_is_409_and_names_it(shop: Shop) -> None:
    its_id = await in_doubt(shop)
    path = f"/v1/payments/{its_id}/resolve"
    answer = await shop.api.post(path, json={"charged": "ch_nobody", **WHY})
    assert (answer.status_code, answer.json()["code"]) == (409, "unknown_there")
    for wrong in ({}, {"charged": "ch_1", "not_charged": True}):
        assert (await shop.api.post(path, json={**wrong, **WHY})).status_code == 422
    gone = await shop.api.post("/v1/payments/pay_x/resolve", json={"not_charged": True, **WHY})
    assert gone.status_code == 404


async def test_the_terminal_tells_all_of_it_and_how_to_go_on(
    shop: Shop, database: Database
) -> None:
    its_id = await in_doubt(shop)
    env = ENOUGH | {
        "TWINTILL_DATABASE_URL": database.url,
        "TWINTILL_STRIPE_API_BASE": "http://127.0.0.1:9",
        "TWINTILL_STRIPE_ACCOUNT_ID": SCOPE.stripe_account_id,
    }
    listed = await asyncio.to_thread(twintill, "payments", "parked", env=env)
    assert listed.stdout.startswith(f"{its_id}\t"), listed.stderr
    assert listed.stdout.endswith("\tnobody knows\n")
    shown = (await asyncio.to_thread(twintill, "payments", "show", its_id, env=env)).stdout
    assert "NEEDS A PERSON" in shown
    assert f"twintill resolve {its_id} --attempt att_" in shown
    assert f"twintill unpark {its_id}" in shown
