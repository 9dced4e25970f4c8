"""The ledger: append balanced transactions, read balances. The database holds the rest."""

from typing import NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.ledger import LedgerTransaction
from twintill.ids import Scope, derived_id
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import ledger_transactions, postings


class Balance(NamedTuple):
    """Where an account stands, in minor units: debits positive, credits negative."""

    account: str
    currency: str
    amount_minor: int


async def post(
    db: AsyncConnection, scope: Scope, posted: LedgerTransaction, *, payment_id: str | None
) -> None:
    """Append one; its cause is unique for ever, so posting a fact twice is an error."""
    transaction_id = derived_id("ltx", scope, posted.cause)
    row = {
        **key(scope),
        "ledger_transaction_id": transaction_id,
        "cause": posted.cause,
        "kind": posted.kind,
        "payment_id": payment_id,
    }
    await db.execute(_POST, row)
    legs = [
        {
            **key(scope),
            "ledger_transaction_id": transaction_id,
            "n": n,
            "account": leg.account,
            "currency": leg.currency,
            "amount_minor": leg.amount_minor,
            "payment_id": payment_id,
            "receipt_id": leg.receipt_id,
        }
        for n, leg in enumerate(posted.postings, start=1)
    ]
    await db.execute(_LEGS, legs)


_POST = insert(ledger_transactions).values(at=NOW)
_LEGS = insert(postings)


async def balances(
    db: AsyncConnection, scope: Scope, *, payment_id: str | None = None
) -> list[Balance]:
    """Every account that has postings, or only one payment's share of them."""
    c = postings.c
    query = select(c.account, c.currency, func.sum(c.amount_minor)).where(mine(postings, scope))
    if payment_id is not None:
        query = query.where(c.payment_id == payment_id)
    rows = await db.execute(query.group_by(c.account, c.currency).order_by(c.account, c.currency))
    return [Balance(account, currency, int(total)) for account, currency, total in rows]
