"""The ledger only grows, balances, and posts a fact once: the database itself says so."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.domain.ledger import LedgerTransaction, Posting
from twintill.ids import Scope
from twintill.store import ledger
from twintill.store.ledger import Balance

SCOPE = Scope("acct_1", False)


def moved(cause: str = "collected:rct_1", amount: int = 4900) -> LedgerTransaction:
    legs = (Posting("bank:a", "EUR", amount), Posting("customer:unapplied", "EUR", -amount))
    return LedgerTransaction(cause, "collected", legs)


async def post(engine: AsyncEngine, transaction: LedgerTransaction) -> None:
    async with engine.begin() as db:
        await ledger.post(db, SCOPE, transaction, payment_id=None)


async def test_what_is_posted_is_where_it_stands(engine: AsyncEngine) -> None:
    await post(engine, moved("a", 4900))
    await post(engine, moved("b", -900))
    async with engine.connect() as db:
        assert await ledger.balances(db, SCOPE) == [
            Balance("bank:a", "EUR", 4000),
            Balance("customer:unapplied", "EUR", -4000),
        ]


async def test_a_cause_posts_once(engine: AsyncEngine) -> None:
    await post(engine, moved())
    with pytest.raises(IntegrityError):
        await post(engine, moved())


@pytest.mark.parametrize("amount", [1, -1, 4901])
async def test_an_unbalanced_transaction_is_refused_at_commit(
    engine: AsyncEngine, amount: int
) -> None:
    with pytest.raises(DBAPIError, match="does not balance"):  # noqa: PT012 -- at commit
        async with engine.begin() as db:
            await ledger.post(db, SCOPE, moved(), payment_id=None)
            await db.execute(text(_LEG.format(n=3, amount=amount)))


async def test_a_transaction_without_postings_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError, match="does not balance"):
        async with engine.begin() as db:
            await db.execute(text(_TRANSACTION))


async def test_a_closed_transaction_takes_no_more_postings(engine: AsyncEngine) -> None:
    await post(engine, moved())
    with pytest.raises(DBAPIError, match="belongs to an earlier commit"):
        async with engine.begin() as db:
            await db.execute(text(_LEG.format(n=3, amount=5)))


GROWING = ["ledger_transactions", "postings", "payment_history", "deliveries"]
REWRITES = [
    "UPDATE {table} SET livemode = true",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
]


@pytest.mark.parametrize("table", GROWING)
@pytest.mark.parametrize("statement", REWRITES)
async def test_the_runtime_role_may_not_rewrite(
    engine: AsyncEngine, table: str, statement: str
) -> None:
    await post(engine, moved())
    with pytest.raises(DBAPIError, match="permission denied"):
        async with engine.begin() as db:
            await db.execute(text(statement.format(table=table)))


@pytest.mark.parametrize("statement", REWRITES)
async def test_even_the_owner_is_stopped(
    engine: AsyncEngine, owner: AsyncEngine, statement: str
) -> None:
    await post(engine, moved())
    with pytest.raises(DBAPIError, match="only grows"):
        async with owner.begin() as db:
            await db.execute(text(statement.format(table="postings")))


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE postings",
        "ALTER TABLE postings DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DELETE FROM payments",
        "UPDATE virtual_clocks SET shift = interval '1 day'",
    ],
)
async def test_the_runtime_role_may_not_go_round_the_rules(
    engine: AsyncEngine, statement: str
) -> None:
    with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
        async with engine.begin() as db:
            await db.execute(text(statement))


_TRANSACTION = (
    "INSERT INTO ledger_transactions (stripe_account_id, livemode, ledger_transaction_id, cause, "
    "kind, at) VALUES ('acct_1', false, 'ltx_x', 'x', 'collected', now())"
)
_LEG = (
    "INSERT INTO postings (stripe_account_id, livemode, ledger_transaction_id, n, account, "
    "currency, amount_minor) SELECT stripe_account_id, livemode, ledger_transaction_id, {n}, "
    "'loss', 'EUR', {amount} FROM ledger_transactions"
)
