"""Refunds and disputes: never more than the charge, and each in the book."""

import pytest

from tests.sandbox.processor.client import Client, client_of_a_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_charge_is_refunded_in_parts_and_never_beyond(sandbox: Client) -> None:
    charge = await sandbox.charge()
    assert (await sandbox.refund(charge, amount=300)).json()["status"] == "succeeded"
    assert (await sandbox.refund(charge, amount=701)).status_code == 422
    assert (await sandbox.refund(charge)).json()["amount"] == 700
    assert (await sandbox.refund(charge)).status_code == 422
    assert await sandbox.book() == [("charge", 1000), ("refund", -300), ("refund", -700)]


@pytest.mark.parametrize("magic", ["card_declined", "card_needs_customer", "debit_ok"])
async def test_only_collected_money_goes_back(sandbox: Client, magic: str) -> None:
    charge = await sandbox.charge(magic)
    assert (await sandbox.refund(charge, amount=1)).status_code == 409


async def test_the_same_key_refunds_once(sandbox: Client) -> None:
    charge = await sandbox.charge()
    path = f"/v1/charges/{charge['id']}/refunds"
    first = await sandbox.post(path, "one key", amount=400)
    again = await sandbox.post(path, "one key", amount=400)
    assert first.json() == again.json()
    assert await sandbox.balance() == 600


async def test_a_debit_is_refunded_a_day_later(sandbox: Client) -> None:
    charge = await sandbox.charge("debit_ok")
    await sandbox.pass_days(2)
    refund = (await sandbox.refund(charge, amount=100, reference="refund-1")).json()
    assert refund["status"] == "pending"
    await sandbox.pass_days(1)
    assert (await sandbox.get(f"/v1/refunds/{refund['id']}"))["status"] == "succeeded"
    found = (await sandbox.get("/v1/refunds", reference="refund-1"))["data"]
    assert [one["id"] for one in found] == [refund["id"]]


async def test_a_refund_can_come_back(sandbox: Client) -> None:
    charge = await sandbox.charge("card_refund_fails")
    await sandbox.refund(charge)
    assert await sandbox.balance() == 0
    await sandbox.pass_days(1)
    assert await sandbox.balance() == 1000
    assert (await sandbox.get(f"/v1/charges/{charge['id']}"))["amount_refunded"] == 0
    assert sandbox.door.types()[-1] == "refund.failed"


@pytest.mark.parametrize(("outcome", "balance"), [("won", 1000), ("lost", 0)])
async def test_a_dispute_takes_the_money_until_it_is_won(
    sandbox: Client, outcome: str, balance: int
) -> None:
    charge = await sandbox.charge()
    dispute = await sandbox.admin(f"charges/{charge['id']}/dispute")
    assert await sandbox.balance() == 0
    assert (await sandbox.refund(charge)).status_code == 409
    await sandbox.admin(f"disputes/{dispute['id']}/resolve", outcome=outcome)
    assert await sandbox.balance() == balance
    await sandbox.tick()
    assert sandbox.door.types()[-2:] == ["dispute.opened", f"dispute.{outcome}"]


async def test_a_dispute_is_resolved_once(sandbox: Client) -> None:
    charge = await sandbox.charge()
    dispute = await sandbox.admin(f"charges/{charge['id']}/dispute", amount=400)
    await sandbox.admin(f"disputes/{dispute['id']}/resolve", outcome="won")
    path = f"/_sandbox/disputes/{dispute['id']}/resolve"
    assert (await sandbox.http.post(path, json={"outcome": "lost"})).status_code == 409
    assert await sandbox.balance() == 1000


async def test_fees_are_lines_of_their_own() -> None:
    async with client_of_a_sandbox(fee_basis_points=150, dispute_fee_minor=1500) as sandbox:
        charge = await sandbox.charge()
        await sandbox.admin(f"charges/{charge['id']}/dispute")
        book = [("charge", 1000), ("fee", -15), ("dispute", -1000), ("fee", -1500)]
        assert await sandbox.book() == book
