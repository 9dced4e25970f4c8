"""Idempotency at rest: one works, the others wait or get the first answer."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.ids import Scope
from twintill.store import api_requests
from twintill.store.api_requests import Claimed, InFlight, OtherRequest, Replay

SCOPE = Scope("acct_1", False)
Found = Claimed | Replay | InFlight | OtherRequest


async def claim(engine: AsyncEngine, key: str = "k", body: bytes = b"body") -> Found:
    async with engine.begin() as db:
        return await api_requests.claim(db, SCOPE, "key_1", key, body)


async def claimed(engine: AsyncEngine) -> Claimed:
    found = await claim(engine)
    assert isinstance(found, Claimed)
    return found


async def run(engine: AsyncEngine, sql: str) -> None:
    async with engine.begin() as db:
        await db.exec_driver_sql(sql)


async def test_of_many_at_once_one_works(engine: AsyncEngine) -> None:
    found = await asyncio.gather(*(claim(engine) for _ in range(8)))
    assert sorted(type(f).__name__ for f in found) == ["Claimed", *["InFlight"] * 7]


async def test_the_answer_is_kept(engine: AsyncEngine) -> None:
    ours = await claimed(engine)
    async with engine.begin() as db:
        await api_requests.finish(db, ours, 201, b"\x00answer")
    assert await claim(engine) == Replay(201, b"\x00answer")


async def test_another_body_is_another_request_whatever_became_of_the_first(
    engine: AsyncEngine,
) -> None:
    ours = await claimed(engine)
    assert isinstance(await claim(engine, body=b"other"), OtherRequest)
    async with engine.begin() as db:
        await api_requests.finish(db, ours, 200, b"")
    assert isinstance(await claim(engine, body=b"other"), OtherRequest)


async def test_a_released_one_is_claimed_again_with_its_first_time(engine: AsyncEngine) -> None:
    ours = await claimed(engine)
    async with engine.begin() as db:
        await api_requests.release(db, ours)
    assert (await claimed(engine)).first_asked_at == ours.first_asked_at


async def test_a_forgotten_key_may_carry_another_body(engine: AsyncEngine) -> None:
    ours = await claimed(engine)
    async with engine.begin() as db:
        await api_requests.forget(db, ours)
    assert isinstance(await claim(engine, body=b"other"), Claimed)


async def test_after_a_crash_the_lock_ends_and_the_late_answer_is_not_taken(
    engine: AsyncEngine,
) -> None:
    crashed = await claimed(engine)
    await run(engine, "UPDATE api_requests SET locked_until = now() - interval '1 s'")
    ours = await claimed(engine)
    async with engine.begin() as db:
        await api_requests.finish(db, crashed, 200, b"late")
        await api_requests.finish(db, ours, 200, b"ours")
    assert await claim(engine) == Replay(200, b"ours")


async def test_only_what_is_past_its_retention_is_purged(engine: AsyncEngine) -> None:
    await claim(engine, "old")
    await run(
        engine,
        "UPDATE api_requests SET created_at = now() - interval '49 h', "
        "locked_until = now() - interval '49 h'",
    )
    await claim(engine, "new")
    async with engine.begin() as db:
        assert await api_requests.purge(db) == 1
    assert isinstance(await claim(engine, "new"), InFlight)
    assert isinstance(await claim(engine, "old"), Claimed)
