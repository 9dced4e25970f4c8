"""Each processor's own report, read into the ledger, is that processor's balance, to the cent."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.flows.events import take_in
from tests.flows.settling import read, rows
from tests.flows.test_disputes import dispute, heard, then
from tests.flows.test_money_back import ask, reported
from tests.flows.test_refunds import is_sound
from tests.flows.test_verify import broken
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from tests.processors.gocardless_stage import gocardless_stage
from tests.processors.paypal_stage import paypal_stage
from tests.processors.sandbox_stage import sandbox_stage
from twintill.domain.outcomes import Approved
from twintill.flows.catch_up_processors import catch_up_processors
from twintill.flows.duty import Ran
from twintill.store.settlement_pages import read_clearing
from twintill.testing.refunds import given_back, gives_back, of
from twintill.testing.reports import REPORTED_WITHIN_DAYS
from twintill.testing.stage import Stage
from twintill.testing.steps import three_charges

Opened = Callable[[], contextlib.AbstractAsyncContextManager[Stage]]
STAGES: dict[str, Opened] = {
    "sandbox": sandbox_stage,
    "paypal": paypal_stage,
    "gocardless": gocardless_stage,
}


async def read_all(world: World, stage: Stage) -> Ran:
    """From long before the first charge there on."""
    since = await stage.now() - timedelta(days=100)
    return await read(world, {"since": {stage.processor.name: since.isoformat()}})


@pytest.mark.parametrize("name", STAGES)
async def test_clearing_is_the_balance_there(world: World, name: str) -> None:
    """None of these charges is ours: what they left stands on suspense, paid out or not."""
    async with STAGES[name]() as stage:
        world = replace(
            world, means=replace(world.means, processors={stage.processor.name: stage.processor})
        )
        charge_id = min(await three_charges(stage))
        refund = await gives_back(stage).refund(of(stage, charge_id, 2000))
        assert isinstance(await given_back(stage, charge_id, refund), Approved)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        first = await read_all(world, stage)
        balances = await world.balances()
        there = f"processor:{stage.processor.account_id}:clearing"
        assert balances[there] == await stage.balance()
        assert balances["bank:transit"] > 0
        assert sum(balances.values()) == 0
        assert {row.whose for row in (await rows(world)).values()} <= {"foreign", "account"}
        again = await read_all(world, stage)
        assert (again.result["listed"], again.result["found"]) == (first.result["listed"], 0)
        assert first.result["failed"] == again.result["failed"] == 0
        assert await world.balances() == balances
        assert await is_sound(world)


async def catch_up(world: World) -> None:
    """What the processor told by webhook, if anybody had listened."""
    ran = await catch_up_processors(world.means, SCOPE, {})
    while not ran.again_in:
        ran = await catch_up_processors(world.means, SCOPE, ran.cursor)
    await take_in(world)
    await world.work()


async def balance(world: World) -> int:
    """What the sandbox processor says that it owes us."""
    headers = {"authorization": f"Bearer {PROCESSOR_KEY}"}
    told = (await world.processor.get("/v1/balance", headers=headers)).json()
    return sum(each["amount"] for each in told["balances"])


async def test_what_is_ours_is_matched_and_nothing_of_it_is_booked_twice(world: World) -> None:
    """A refund, a lost dispute, a debit that came back days later, and a charge that stays."""
    refunded, disputed, _ = [await reported(world) for _ in range(3)]
    late = await world.collect(await world.customer("debit_fails_late"))
    await ask(world, refunded, 1900)
    await then(world, await dispute(world, disputed), "resolve", outcome="lost")
    await heard(world, "opened", "lost")
    for _ in range(4):
        await world.advance(timedelta(days=2))
        await world.work()
    await catch_up(world)
    assert (await world.payment(late)).receipts[0].failed
    before = await world.balances()
    first = await read(world)
    assert first.result["found"] == first.result["listed"] > 6
    assert await world.balances() == before
    assert {row.whose for row in (await rows(world)).values()} == {"ours"}
    async with world.db() as db:
        (its,) = await read_clearing(db, SCOPE)
    assert its.clearing_minor == its.payments_minor == await balance(world)
    assert (its.suspense_minor, its.not_shown_minor, its.not_booked_minor) == (0, 0, 0)
    assert await broken(world) == set()
    await world.advance(timedelta(days=4))  # when nothing may be missing any more
    assert not {name for name in await broken(world) if "settle" in name or "payout" in name}
