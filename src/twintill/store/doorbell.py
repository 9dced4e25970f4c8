"""Doorbells: "look at this row now", and nothing else. The first half of the port to pgqueuer.

A bell has no value: lost, doubled or stale, it is harmless, since all truth, times and exclusion
live in our own rows, and a sweep rings again. It is rung in the transaction that records the fact,
as a plain row of pgqueuer's table (see migration 03), so it exists exactly when the fact does.
"""

from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope

CHANNEL = "ch_pgqueuer"  # pgqueuer's default; woken once after commit, never inside it


class Kind(StrEnum):
    """Which kind of row; payments have a lane per processor, so that a slow one starves nobody."""

    INBOX = "inbox"
    PAYMENT = "payment"
    OPERATION = "operation"
    OUTGOING = "outgoing"
    DELIVERY = "delivery"
    DUTY = "duty"


class Bell(NamedTuple):
    """What a bell says: whose row, and which."""

    kind: Kind
    scope: Scope
    row_id: str
    lane: str = ""

    @property
    def entrypoint(self) -> str:
        return f"{self.kind}:{self.lane}" if self.lane else str(self.kind)

    @property
    def payload(self) -> bytes:
        mode = "live" if self.scope.livemode else "test"
        return f"{self.scope.stripe_account_id}|{mode}|{self.row_id}".encode()


def read_bell(entrypoint: str, payload: bytes) -> Bell:
    """The bell that was rung. Raises ValueError for what is not one."""
    kind, _, lane = entrypoint.partition(":")
    account, mode, row_id = payload.decode().split("|", 2)
    return Bell(Kind(kind), Scope(account, mode == "live"), row_id, lane)


_RING = text(
    "INSERT INTO pgqueuer (priority, entrypoint, payload, status) "
    "VALUES (:priority, :entrypoint, :payload, 'queued')"
)
# Higher first. Inbox before payments: what an event says may stop a charge.
PRIORITY = {
    Kind.INBOX: 3,
    Kind.PAYMENT: 2,
    Kind.OPERATION: 2,
    Kind.OUTGOING: 1,
    Kind.DELIVERY: 1,
    Kind.DUTY: 1,
}


async def enqueue(db: AsyncConnection, *bells: Bell) -> None:
    """Ring in the caller's transaction."""
    if bells:
        await db.execute(
            _RING,
            [
                {"priority": PRIORITY[b.kind], "entrypoint": b.entrypoint, "payload": b.payload}
                for b in bells
            ],
        )
