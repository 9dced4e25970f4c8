"""Receiving: what is durable after it, what rings, and what shares a commit."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.postgres import migrate
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.sandbox import postgres
from twintill.store import inbox_rows, work
from twintill.store.database import open_database
from twintill.store.doorbell import Bell, Kind, read_bell
from twintill.store.inbox import Delivery, Event, InboxState, Receiver, receive

SCOPE = Scope("acct_1", False)


def delivery(*events: Event, body: bytes = b"{}", source: str = "stripe") -> Delivery:
    return Delivery(SCOPE, source, {"stripe-signature": "t=1,v1=2"}, body, "verified", events)


def event(key: str | None, **fields: Any) -> Event:
    return Event(key, "invoice.finalized", **fields)


async def store(engine: AsyncEngine, *deliveries: Delivery) -> list[int]:
    async with engine.begin() as db:
        return await receive(db, deliveries)


async def rows(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as db:
        return list(await db.exec_driver_sql(sql))


async def test_the_raw_body_is_kept_as_it_came(engine: AsyncEngine) -> None:
    raw = bytes(range(256))
    await store(engine, delivery(event("evt_1"), body=raw))
    (row,) = await rows(engine, "SELECT * FROM deliveries")
    assert (row.body, row.verdict) == (raw, "verified")
    assert row.headers == {"stripe-signature": "t=1,v1=2"}


async def test_a_new_event_is_due_at_once_and_rings(engine: AsyncEngine) -> None:
    assert await store(engine, delivery(event("evt_1"))) == [1]
    (row,) = await rows(engine, "SELECT *, next_look_at <= twintill_now() AS due FROM inbox")
    (bell,) = await rows(engine, "SELECT * FROM pgqueuer")
    assert (row.state, row.due) == ("new", True)
    assert read_bell(bell.entrypoint, bell.payload) == Bell(Kind.INBOX, SCOPE, str(row.inbox_id))


async def test_a_duplicate_keeps_its_raw_body_and_does_nothing_else(engine: AsyncEngine) -> None:
    await store(engine, delivery(event("evt_1")))
    assert await store(engine, delivery(event("evt_1"))) == [0]
    counts = "SELECT (SELECT count(*) FROM {}) AS n"
    for table, expected in (("deliveries", 2), ("inbox", 1), ("pgqueuer", 1)):
        assert (await rows(engine, counts.format(table)))[0].n == expected


async def test_duplicates_within_one_statement_are_one(engine: AsyncEngine) -> None:
    twice = [delivery(event("evt_1")), delivery(event("evt_1")), delivery(event("evt_2"))]
    assert await store(engine, *twice) == [1, 0, 1]


async def test_what_has_no_key_is_never_a_duplicate(engine: AsyncEngine) -> None:
    nameless = delivery(event(None), event(None, position=1), source="mollie:org_1")
    assert await store(engine, nameless, nameless) == [2, 2]


async def test_the_same_key_of_another_source_is_another_event(engine: AsyncEngine) -> None:
    mine, theirs = delivery(event("e1")), delivery(event("e1"), source="sandbox:acct_sandbox")
    assert await store(engine, mine, theirs) == [1, 1]


async def test_a_batch_becomes_one_row_an_event_in_its_order(engine: AsyncEngine) -> None:
    batch = [event(f"evt_{n}", position=n) for n in range(250)]
    assert await store(engine, delivery(*batch)) == [250]
    found = await rows(engine, "SELECT position FROM inbox ORDER BY inbox_id")
    assert [row.position for row in found] == list(range(250))


@pytest.mark.parametrize("state", [InboxState.PARKED, InboxState.IGNORED])
async def test_what_is_parked_or_ignored_does_not_ring(
    engine: AsyncEngine, state: InboxState
) -> None:
    await store(engine, delivery(event("evt_1", state=state, note="why")))
    (row,) = await rows(engine, "SELECT * FROM inbox")
    assert not await rows(engine, "SELECT * FROM pgqueuer")
    assert (row.state, row.note, row.next_look_at) == (state, "why", None)
    assert (row.parked_at is not None) == (state is InboxState.PARKED)
    assert (row.ended_at is not None) == (state is InboxState.IGNORED)


async def test_a_delivery_without_events_is_stored(engine: AsyncEngine) -> None:
    assert await store(engine, delivery()) == [0]
    assert len(await rows(engine, "SELECT 1 FROM deliveries")) == 1


async def test_a_parked_event_is_listed_and_can_be_put_back_to_work(engine: AsyncEngine) -> None:
    parked = event("evt_1", state=InboxState.PARKED, note="why")
    await store(engine, delivery(parked, event("evt_2")))
    async with engine.begin() as db:
        (row,) = await inbox_rows.list_parked(db, SCOPE, 10)
        await inbox_rows.replay(db, SCOPE, row.inbox_id)
        assert await inbox_rows.list_parked(db, SCOPE, 10) == []
        assert await work.claim(db, work.INBOX, SCOPE, row.inbox_id) is not None
        with pytest.raises(NotFoundError):
            await inbox_rows.replay(db, SCOPE, row.inbox_id)
    assert len(await rows(engine, "SELECT * FROM pgqueuer")) == 2


async def test_deliveries_that_arrive_together_share_a_commit(engine: AsyncEngine) -> None:
    async with Receiver(engine).running() as receiver:
        many = (receiver.receive(delivery(event(f"evt_{n}"))) for n in range(40))
        assert await asyncio.gather(*many) == [1] * 40
    commits = await rows(engine, "SELECT count(DISTINCT xmin::text) AS n FROM inbox")
    assert commits[0].n < 40


async def test_one_that_cannot_be_stored_takes_no_neighbour_along(engine: AsyncEngine) -> None:
    poison = delivery(Event("evt\x00", "invoice.finalized"))
    async with Receiver(engine).running() as receiver:
        good = (receiver.receive(delivery(event(f"evt_{n}"))) for n in range(9))
        *stored, failed = await asyncio.gather(
            *good, receiver.receive(poison), return_exceptions=True
        )
    assert stored == [1] * 9
    assert isinstance(failed, DBAPIError)


async def test_a_restart_of_the_database_between_two_deliveries_loses_none(
    private_cluster: postgres.Cluster,
) -> None:
    postgres.ensure_database(private_cluster, "receiver")
    migrate(private_cluster.url("receiver", postgres.OWNER))
    engine = open_database(private_cluster.url("receiver"))
    async with Receiver(engine).running() as receiver:
        assert await receiver.receive(delivery(event("evt_1"))) == 1
        postgres.crash(private_cluster)
        with pytest.raises((OSError, DBAPIError)):
            await receiver.receive(delivery(event("evt_2")))
        postgres.start(private_cluster.data_dir.parent, durable=False)
        assert await receiver.receive(delivery(event("evt_2"))) == 1
        assert await receiver.receive(delivery(event("evt_1"))) == 0
    await engine.dispose()
