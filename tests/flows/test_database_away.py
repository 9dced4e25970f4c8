"""The database goes away with a processor's answer in our hands: it is written when it is back."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.flows.test_races import claimed
from tests.flows.world import World
from tests.postgres import Database
from twintill.domain.facts import Via
from twintill.domain.outcomes import Approved
from twintill.domain.payment import Outcome, State
from twintill.flows import charge


@pytest.fixture
async def door(database: Database) -> AsyncIterator[asyncpg.Connection]:
    # From another database: nobody can lock the one that he is in.
    superuser = await asyncpg.connect(database.admin_url, database="postgres")
    yield superuser
    await superuser.close()


async def shut_for(door: asyncpg.Connection, name: str, seconds: float) -> None:
    """Nobody gets in, and who was in is thrown out; then it opens again."""
    others = "FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
    await door.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await door.fetch(f"SELECT pg_terminate_backend(pid) {others}", name)
    await asyncio.sleep(seconds)
    await door.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_an_approval_waits_in_the_hand_until_the_database_is_back(
    world: World, database: Database, door: asyncpg.Connection
) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    looking = await claimed(world, invoice_id)
    look = await world.means.stripe.last_look(invoice_id, 1)
    method, _ = await charge._method(looking)
    draft = charge._draft(looking, method, look)
    started = await charge._start(looking, draft, look)
    assert started is not None
    assert started.send is not None
    attempt = started.send.attempt
    away = asyncio.create_task(shut_for(door, database.name, 1.0))
    await asyncio.sleep(0.2)
    await looking.learn_answer(attempt, Approved("chg_1", attempt.amount), Via.FIRST)
    await away
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.attempts[0].outcome) == (State.COLLECTED, Outcome.APPROVED)
