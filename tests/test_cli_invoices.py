"""`twintill invoices`: lists, search, one invoice in words, its story."""

import asyncio

import asyncpg
import pytest

from tests.command_line import twintill
from tests.postgres import Database
from tests.test_cli import env

_WHOSE = "'acct_1Cli', false"
_ROWS = f"""
INSERT INTO customers (stripe_account_id, livemode, customer_id, created_at)
    VALUES ({_WHOSE}, 'cus_1', now());
INSERT INTO invoices (stripe_account_id, livemode, invoice_id, customer_id, number, status,
        collection_method, currency, amount_due_minor, amount_paid_minor, amount_remaining_minor,
        due_at, created_at, seen_at)
    SELECT {_WHOSE}, 'in_' || i, 'cus_1', 'N-' || i, 'open', 'send_invoice', 'EUR', 4900 * i, 0,
        4900 * i, now() - i * interval '1 day', now(), now() FROM generate_series(1, 2) AS i;
INSERT INTO payments (stripe_account_id, livemode, payment_id, invoice_id, customer_id, currency,
        state, reason, lane, history_seq, created_at, ended_at)
    VALUES ({_WHOSE}, 'pay_1', 'in_1', 'cus_1', 'EUR', 'exhausted', 'declined_for_good', 'sandbox',
        0, now(), now());
INSERT INTO attempts (stripe_account_id, livemode, attempt_id, payment_id, kind, n,
        payment_method_id, processor, processor_account_id, amount_minor, currency, reference,
        idempotency_key, first_sent_at, outcome, decline_kind, code, answered_at)
    VALUES ({_WHOSE}, 'att_1', 'pay_1', 'charge', 1, 'pm_1', 'sandbox', 'acct_sandbox', 4900, 'EUR',
        'tw-1', 'key-1', now() - interval '1 second', 'declined', 'hard', 'stolen_card', now());
"""
__all__ = ["env"]


@pytest.fixture
def two(database: Database) -> None:
    async def fill() -> None:
        connection = await asyncpg.connect(database.owner_url)
        await connection.execute(_ROWS)
        await connection.close()

    asyncio.run(fill())


def said(env: dict[str, str], *arguments: str) -> str:
    told = twintill("invoices", *arguments, env=env)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_an_invoice_is_found_and_its_story_is_told(env: dict[str, str], two: None) -> None:
    late = said(env, "list", "--overdue").splitlines()
    assert [line.split("\t")[0] for line in late] == ["in_1", "in_2"]
    dear = said(env, "list", "--from-amount", "90EUR")
    assert dear.split("\t")[:2] == ["in_2", "N-2"]
    for known in ("tw-1", "att_1", "pay_1", "N-1"):
        assert said(env, "find", known).startswith("in_1\tN-1\tcus_1\topen\t49.00 EUR"), known
    shown = said(env, "show", "in_1")
    assert "Open, 49.00 EUR to pay: nothing is tried any more by itself (refused for good" in shown
    assert "Declined once (stolen_card). Overdue since" in shown
    lines = said(env, "timeline", "in_1").splitlines()
    assert [line.split("\t")[1] for line in lines] == ["twintill", "processor"]
    refused = twintill("invoices", "show", "in_9", env=env)
    assert (refused.returncode, refused.stderr) == (1, "twintill: No such invoice: in_9\n")
