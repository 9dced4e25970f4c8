"""`verify`: silent on true books, and loud about each kind of false ones."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.flows.world import SCOPE, World
from twintill.store import checks
from twintill.store.checks import CHECKS
from twintill.store.database import open_database


async def broken(world: World) -> set[str]:
    async with world.db() as db:
        found = await checks.find_all(db, SCOPE)
    return {name for name, findings in found.items() if findings}


async def test_true_books_of_every_kind_break_no_rule(world: World) -> None:
    for method in ("card_ok", "card_declines_once", "card_hard_declined", "debit_fails_late"):
        await world.collect(await world.customer(method))
    await world.advance(timedelta(days=8))
    await world.work()
    assert await broken(world) == set()


FALSE_BOOKS = {
    "UPDATE receipts SET reported_minor = 0": {"books_agree"},
    "UPDATE receipts SET stranded_minor = 1, reported_minor = reported_minor - 1": {
        "books_agree",
        "stranded_goes_back",
    },
    "UPDATE receipts SET refunded_minor = 1, reported_minor = reported_minor - 1": {
        "books_agree",
        "given_back",
    },
    "UPDATE payments SET state = 'waiting'": {"history_unbroken"},
    "UPDATE attempts SET outcome = 'no_answer', first_sent_at = now() - interval '9 days'": {
        "doubt_is_short"
    },
    "UPDATE payments SET ended_at = NULL, next_look_at = now() - interval '1 hour'": {
        "payments_on_time"
    },
}


@pytest.mark.parametrize("statement", FALSE_BOOKS)
async def test_false_books_are_noticed(world: World, statement: str) -> None:
    await world.collect(await world.customer())
    owner = open_database(world.owner_url, pool_size=1)
    async with owner.begin() as db:
        await db.execute(text(statement))
    await owner.dispose()
    assert await broken(world) == FALSE_BOOKS[statement]


async def test_money_that_no_receipt_knows_of_is_noticed(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    payment = await world.payment(invoice_id)
    async with world.db() as db:
        await db.execute(
            text(
                "INSERT INTO ledger_transactions (stripe_account_id, livemode, "
                "ledger_transaction_id, cause, kind, at, payment_id) "
                "VALUES ('acct_test', false, 'ltx_x', 'x', 'x', now(), :payment)"
            ),
            {"payment": payment.id},
        )
        for n, account, amount in ((1, "customer:unapplied", 5), (2, "loss", -5)):
            await db.execute(
                text(
                    "INSERT INTO postings (stripe_account_id, livemode, ledger_transaction_id, n, "
                    "account, currency, amount_minor, payment_id) "
                    "VALUES ('acct_test', false, 'ltx_x', :n, :account, 'EUR', :amount, :payment)"
                ),
                {"n": n, "account": account, "amount": amount, "payment": payment.id},
            )
    assert await broken(world) == {"books_agree", "nothing_left"}


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
