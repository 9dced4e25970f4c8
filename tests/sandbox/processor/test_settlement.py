"""Payouts: the balance goes to the bank, and every cent of it is in one payout's lines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from tests.sandbox.processor.client import Client, Json, client_of_a_sandbox
from twintill.sandbox.processor import ProcessorSandboxSettings
from twintill.sandbox.processor.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paying_sandbox() -> AsyncIterator[Client]:
    settings = {"payout_days": 1, "fee_basis_points": 100, "fee_fixed_minor": 20}
    async with client_of_a_sandbox(**settings) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(paying_sandbox: Client) -> Client:
    await paying_sandbox.clear()
    return paying_sandbox


async def payouts(sandbox: Client) -> list[Json]:
    rows: list[Json] = (await sandbox.get("/v1/payouts"))["data"]
    return rows


async def lines(sandbox: Client, payout: Json) -> list[tuple[str, int]]:
    rows = (await sandbox.get("/v1/transactions", payout=payout["id"]))["data"]
    return [(row["type"], row["amount"]) for row in rows]


async def test_a_day_s_money_goes_to_the_bank_without_its_fee(sandbox: Client) -> None:
    await sandbox.charge(reference="ref-1", amount=1000)
    await sandbox.charge(reference="ref-2", amount=2000)
    await sandbox.pass_days(1)
    (payout,) = await payouts(sandbox)
    assert (payout["amount"], payout["fees"]) == (2930, 70)
    expected = [("charge", 1000), ("fee", -30), ("charge", 2000), ("fee", -40)]
    assert await lines(sandbox, payout) == expected
    assert await sandbox.balance() == 0


async def test_each_currency_has_its_own(sandbox: Client) -> None:
    await sandbox.charge(reference="ref-1", currency="EUR")
    await sandbox.charge(reference="ref-2", currency="GBP")
    await sandbox.pass_days(1)
    assert [one["currency"] for one in await payouts(sandbox)] == ["EUR", "GBP"]


async def test_a_provisional_debit_waits(sandbox: Client) -> None:
    await sandbox.charge("debit_ok", amount=1000)
    await sandbox.pass_days(3)
    assert await payouts(sandbox) == []
    await sandbox.pass_days(10)
    (payout,) = await payouts(sandbox)
    assert payout["amount"] == 970


async def test_what_came_back_before_it_was_paid_out_is_in_no_payout(sandbox: Client) -> None:
    await sandbox.charge(reference="ref-1", amount=1000)
    gone = await sandbox.charge("debit_fails_late", reference="ref-2", amount=5000)
    await sandbox.pass_days(30)
    assert [one["amount"] for one in await payouts(sandbox)] == [970]
    book = (await sandbox.get("/v1/transactions"))["data"]
    left = sum(row["amount"] for row in book if row["charge"] == gone["id"])
    assert await sandbox.balance() == left == -70  # its fee, still owed


async def test_a_balance_below_zero_is_carried_on(sandbox: Client) -> None:
    charge = await sandbox.charge(reference="ref-1", amount=1000)
    await sandbox.pass_days(1)
    await sandbox.refund(charge, amount=1000)
    await sandbox.pass_days(5)
    assert len(await payouts(sandbox)) == 1
    await sandbox.charge(reference="ref-2", amount=3000)
    await sandbox.pass_days(1)
    second = (await payouts(sandbox))[1]
    assert await lines(sandbox, second) == [("refund", -1000), ("charge", 3000), ("fee", -50)]
    assert second["amount"] == 1950


async def test_the_line_s_owner_is_told(sandbox: Client) -> None:
    charge = await sandbox.charge(amount=1000)
    await sandbox.pass_days(1)
    await sandbox.refund(charge)
    await sandbox.admin("charges/" + (await sandbox.charge(reference="r2"))["id"] + "/dispute")
    await sandbox.charge(reference="ref-3", amount=9000)
    await sandbox.pass_days(1)
    told = [event["type"] for event in (await sandbox.get("/v1/events", limit=100))["data"]]
    assert told.count("charge.paid_out") == 2  # the disputed one never was
    assert told.count("refund.settled") == 1
    assert told.count("payout.paid") == 2


async def test_banks_rest_on_weekends() -> None:
    world = World(ProcessorSandboxSettings(api_key="key", business_days=True))
    friday = datetime(2026, 1, 30, 15, tzinfo=UTC)
    assert world.later(friday, 0.25).day == 30
    assert world.later(friday, 1).strftime("%a %d") == "Mon 02"
    assert world.later(friday, 6).strftime("%a %d") == "Mon 09"
    saturday = datetime(2026, 1, 31, 15, tzinfo=UTC)
    assert world.later(saturday, 0).strftime("%a %d") == "Mon 02"
