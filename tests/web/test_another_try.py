"""POST /v1/payments/{payment}/attempt, and the same on a terminal."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.domain.payment import Reason, State
from twintill.ids import payment_id
from twintill.store import invoice_actions


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def of_a_customer_with(shop: Shop, token: str) -> tuple[str, str]:
    """(invoice, payment), after the first charge."""
    invoice_id = await shop.world.collect(await shop.world.customer(token))
    return invoice_id, payment_id(SCOPE, invoice_id)


async def test_a_declined_one_is_tried_at_once_and_paid(shop: Shop) -> None:
    invoice_id, its_id = await of_a_customer_with(shop, "card_declines_once")
    assert (await shop.world.payment(invoice_id)).reason is Reason.RETRY
    path, why = f"/v1/payments/{its_id}/attempt", {"why": "topped up"}
    headers = {"Idempotency-Key": "try-1"}
    asked = await shop.api.post(path, json=why, headers=headers)
    assert (asked.status_code, asked.json()["reason"]) == (200, "ready"), asked.text
    assert (await shop.api.post(path, json=why, headers=headers)).json() == asked.json()
    assert (await shop.api.post(path, json={})).status_code == 200, "the same wish"
    await shop.world.work()
    payment = await shop.world.payment(invoice_id)
    assert (payment.state, len(payment.attempts)) == (State.REPORTED, 2)
    async with shop.world.means.database.connect() as db:
        (did,) = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    assert (did.action, did.actor, did.why) == ("asked for another try", "api:tests", "topped up")


async def test_one_wish_is_one_try(shop: Shop) -> None:
    invoice_id, its_id = await of_a_customer_with(shop, "card_declined")
    await shop.api.post(f"/v1/payments/{its_id}/attempt", json={})
    await shop.world.work()
    await shop.world.advance(timedelta(hours=5))
    await shop.world.work()
    payment = await shop.world.payment(invoice_id)
    assert (payment.reason, len(payment.attempts)) == (Reason.RETRY, 2)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("card_hard_declined", "refused_for_good"),
        ("card_stolen", "refused_for_good"),
        ("card_ok", "nothing_to_collect"),
        ("card_request_lost", "attempt_out"),
    ],
)
async def test_what_the_rules_forbid_is_refused_by_name(shop: Shop, token: str, code: str) -> None:
    _, its_id = await of_a_customer_with(shop, token)
    refused = await shop.api.post(f"/v1/payments/{its_id}/attempt", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, code), refused.text


async def test_a_method_of_somebody_else_is_unknown(shop: Shop) -> None:
    _, its_id = await of_a_customer_with(shop, "card_declined")
    other = await shop.world.add_method(await shop.world.customer(None), "card_ok")
    for method_id in (other, "pm_nobodys"):
        refused = await shop.api.post(
            f"/v1/payments/{its_id}/attempt", json={"payment_method": method_id}
        )
        assert (refused.status_code, refused.json()["param"]) == (404, "payment_method")


async def test_with_another_stored_one_after_the_first_was_declined(shop: Shop) -> None:
    customer_id = await shop.world.customer(None)
    second = await shop.world.add_method(customer_id, "card_ok")
    await shop.world.add_method(customer_id, "card_declined")
    invoice_id = await shop.world.collect(customer_id)
    path = f"/v1/payments/{payment_id(SCOPE, invoice_id)}/attempt"
    assert (await shop.api.post(path, json={"payment_method": second})).status_code == 200
    await shop.world.work()
    payment = await shop.world.payment(invoice_id)
    assert payment.state is State.REPORTED
    assert payment.attempts[-1].method_id == second
