"""The budget of calls to Stripe over a real database, as several processes share it."""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.domain.pace import Ask, Limits, Urgency
from twintill.ids import Scope
from twintill.store import clock
from twintill.store.database import open_database
from twintill.store.pace import SharedBudget, reads_left, reads_today

SCOPE = Scope("acct_test", False)
OTHER_MODE = Scope("acct_test", True)
LIMITS = Limits(account_per_s=1, endpoint_per_s=0.5)
READ = Ask(Urgency.READ, 1, more=False)


async def test_what_one_process_takes_another_waits_for(engine: AsyncEngine) -> None:
    one, other = SharedBudget(engine, SCOPE, LIMITS), SharedBudget(engine, SCOPE, LIMITS)
    assert await one.take("POST /pay", READ) == (True, 0)
    given, wait_s = await other.take("GET /events", READ)
    assert given
    assert 0 < wait_s <= 1
    given, wait_s = await other.take("POST /pay", READ)
    assert given
    assert 1 < wait_s <= 2


async def test_the_other_mode_has_limits_of_its_own(engine: AsyncEngine) -> None:
    assert await SharedBudget(engine, SCOPE, LIMITS).take("POST /pay", READ) == (True, 0)
    assert await SharedBudget(engine, OTHER_MODE, LIMITS).take("POST /pay", READ) == (True, 0)


async def test_many_at_once_never_get_the_same_moment(engine: AsyncEngine) -> None:
    budget = SharedBudget(engine, SCOPE, Limits(0.01, 0.01))
    answers = await asyncio.gather(*(budget.take("POST /pay", READ) for _ in range(6)))
    now, next_block = sorted(wait_s for given, wait_s in answers if given)
    assert now == 0
    assert next_block > 90


async def test_reports_that_wait_elsewhere_come_first(engine: AsyncEngine) -> None:
    here, elsewhere = SharedBudget(engine, SCOPE, LIMITS), SharedBudget(engine, SCOPE, LIMITS)
    assert await elsewhere.take("POST /pay", Ask(Urgency.REPORT, 1, more=True)) == (True, 0)
    assert await here.take("POST /pay", Ask(Urgency.CHARGE, 1, more=False)) == (False, 0.1)
    assert (await here.take("POST /pay", Ask(Urgency.REPORT, 1, more=False)))[0]


async def test_too_many_for_one_endpoint_stops_only_it(engine: AsyncEngine) -> None:
    budget = SharedBudget(engine, SCOPE, Limits(1000, 1000))
    await budget.push_back("POST /pay")
    given, wait_s = await budget.take("POST /pay", READ)
    assert not given
    assert wait_s > 0
    assert await budget.take("GET /events", READ) == (True, 0)


async def test_too_many_for_the_account_stops_everybody(engine: AsyncEngine) -> None:
    elsewhere = SharedBudget(engine, SCOPE, Limits(1000, 1000))
    await SharedBudget(engine, SCOPE, Limits(1000, 1000)).push_back(None)
    _, wait_s = await elsewhere.take("GET /events", READ)
    assert wait_s > 0


async def test_being_told_too_many_without_a_database_raises_nothing() -> None:
    nowhere = open_database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    await SharedBudget(nowhere, SCOPE, LIMITS).push_back(None)
    await nowhere.dispose()


async def test_reads_are_counted_by_day_and_what_is_left_never_goes_below_zero(
    engine: AsyncEngine, owner: AsyncEngine
) -> None:
    budget = SharedBudget(engine, SCOPE, LIMITS)
    await budget.count_reads(3)
    await budget.count_reads(4)
    async with engine.connect() as db:
        assert await reads_today(db, SCOPE) == 7
        assert await reads_today(db, OTHER_MODE) == 0
        assert await reads_left(db, SCOPE, 10) == 3
        assert await reads_left(db, SCOPE, 5) == 0
    async with owner.begin() as db:
        await clock.advance(db, timedelta(days=1))
    async with engine.connect() as db:
        assert await reads_left(db, SCOPE, 10) == 10
