"""Holding an operation: the lease, the row as it stands, and how a step of it is committed.

A step function does at most one thing outside, commits what it found together with the next step,
and answers with the operation to go on with, or None when it gave the lease back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import operations, work
from twintill.store.operations import Claimed, Operation
from twintill.store.work import PAYMENTS, Lease

# Stripe keeps a key for a day; near its end, what we made under it is looked for first.
_KEY_IS_OLD = timedelta(hours=20)
# So many failures in a row, minutes apart by then: whatever was sent has ended.
_KEY_IS_STUCK = 4
_TRY_AGAIN_S = 0.5  # a look may be about to end
_PAYMENT_HELD = timedelta(seconds=5)  # a worker looks at the payment right now


@dataclass(frozen=True, slots=True)
class Operating:
    """Ours until released; nobody else makes a network call for this operation meanwhile."""

    means: Means
    claimed: Claimed

    @property
    def scope(self) -> Scope:
        return self.claimed.lease.scope

    @property
    def operation(self) -> Operation:
        return self.claimed.operation

    @property
    def id(self) -> str:
        return self.operation.id

    @property
    def data(self) -> Any:
        """What was asked for, and the ids found so far: JSON."""
        return self.operation.data

    @property
    def now(self) -> datetime:
        """Business time at the claim."""
        return self.claimed.now

    @property
    def failures(self) -> int:
        """In a row, since the last step that was committed."""
        return int(self.data.get("failures", 0))

    @property
    def key(self) -> str:
        """The idempotency key of this step at Stripe."""
        return f"{self.id}:{self.operation.step}:{self.data.get('key_n', 0)}"

    @property
    def key_is_doubtful(self) -> bool:
        """Look for what may exist before creating it under this key, or under a next one.

        Stripe stores a 500 of its own under the key and answers it again; after no answer at all
        the same key is the safe one, and only a long silence makes us look.
        """
        if self.data.get("answered"):
            return True
        began = datetime.fromisoformat(self.data.get("key_began", self._created))
        return self.failures >= _KEY_IS_STUCK or self.now - began > _KEY_IS_OLD

    @property
    def _created(self) -> str:
        return self.operation.created_at.isoformat()

    async def with_next_key(self) -> "Operating":
        """Nothing was found under the old key: commit to another one."""
        async with self.means.database.begin() as db:
            began = self.now.isoformat()
            step = self.operation.step
            return await self.moved(db, step, key_n=self.next_key_n, key_began=began)

    async def with_good_key(self) -> "Operating":
        """For a call that may be made twice: a failure that Stripe keeps is not asked for again."""
        return await self.with_next_key() if self.key_is_doubtful else self

    @property
    def next_key_n(self) -> int:
        """Stripe would answer the old key as it did before, also with its refusal."""
        return int(self.data.get("key_n", 0)) + 1

    async def moved(self, db: AsyncConnection, step: str, **found: Any) -> "Operating":
        """Commit the step with what was found, in the caller's transaction; the lease stays."""
        if step != self.operation.step:
            found.setdefault("key_began", self.now.isoformat())
        data = {**self.data, **found, "failures": 0, "answered": False}
        moved = await operations.move(db, self.claimed.lease, step, data)
        return replace(self, claimed=replace(self.claimed, operation=moved))

    async def pause(
        self, wait: timedelta, *, error: str | None = None, answered: bool = False
    ) -> None:
        """Nothing to do now: give the lease back and look again after `wait`."""
        async with self.means.database.begin() as db:
            await operations.pause(db, self.claimed, wait, error=error, answered=answered)

    async def is_beside(self, kind: str) -> bool:
        """Somebody works just now on an operation of this kind of the customer's: wait for it.

        Both were claimed before either asks, so never do both of them go on.
        """
        customer_id = str(self.operation.customer_id)
        async with self.means.database.connect() as db:
            return await operations.another_is_held(db, self.scope, customer_id, self.id, kind)

    @contextlib.asynccontextmanager
    async def holding(self, payment_id: str) -> AsyncIterator[Lease | None]:
        """Under a payment's lease, so that no call for its invoice runs beside ours.

        None: somebody else holds it, and the operation pauses for as long as that may last.
        """
        async with self.held(payment_id) as lease:
            if lease is None:
                await self.pause(_PAYMENT_HELD)
            yield lease

    @contextlib.asynccontextmanager
    async def held(self, payment_id: str, *, tries: int = 1) -> AsyncIterator[Lease | None]:
        """The same, and what to do about None is the caller's. `tries`: half a second apart."""
        lease = await self._hold(payment_id)
        for _ in range(tries - 1):
            if lease is not None:
                break
            await asyncio.sleep(_TRY_AGAIN_S)
            lease = await self._hold(payment_id)
        try:
            yield lease
        finally:  # nothing happens where the commit gave it back
            if lease is not None:
                async with self.means.database.begin() as db:
                    await work.release(db, PAYMENTS, lease)

    async def _hold(self, payment_id: str) -> Lease | None:
        async with self.means.database.begin() as db:
            return await work.hold(db, PAYMENTS, self.scope, payment_id)

    async def park(self, why: str) -> None:
        async with self.means.database.begin() as db:
            await operations.park(db, self.claimed.lease, why)

    async def end(self, db: AsyncConnection, step: str, **found: Any) -> None:
        """The last step, in the caller's transaction."""
        await operations.end(db, self.claimed.lease, step, {**self.data, **found})

    async def end_or_again(self, step: str, first: str, **found: Any) -> "Operating | None":
        """The last step, unless somebody asked for it anew meanwhile: then from the first on."""
        async with self.means.database.begin() as db:
            if await operations.was_rung(db, self.claimed):
                await self.moved(db, first, **found)
                await operations.pause(db, self.claimed, timedelta(0))
            else:
                await self.end(db, step, **found)
        return None


# One step of an operation.
Walk = Callable[[Operating], Awaitable[Operating | None]]
