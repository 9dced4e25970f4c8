"""`verify`: silent on true books, and each of its checks loud about what it is there for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from tests.flows.world import SCOPE, World
from tests.postgres import Database
from twintill.flows.verify import verify_books, verify_duty
from twintill.store import verifying
from twintill.store.verifying import CHECKS


async def broken(world: World) -> set[str]:
    report, _ = await verify_books(world.means.database, SCOPE, world.means.policy)
    return {name for name, of_it in report.items() if of_it.count}


async def falsify(database: Database, *statements: str) -> None:
    """Also what the guards of the database refuse: they are put aside meanwhile."""
    admin = await asyncpg.connect(database.admin_url)
    try:
        async with admin.transaction():
            await admin.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                await admin.execute(statement)
    finally:
        await admin.close()


async def test_true_books_of_every_kind_break_no_rule(world: World) -> None:
    for method in ("card_ok", "card_declines_once", "card_hard_declined", "debit_fails_late"):
        await world.collect(await world.customer(method))
    await world.break_processor("/v1/charges$", "timeout_before")
    await world.collect(await world.customer())
    assert await broken(world) == set()
    await world.advance(timedelta(days=8))
    await world.work()
    assert await broken(world) == set()


def _post(*legs: tuple[str, int], payment: str = "payment_id") -> str:
    """A ledger transaction with these legs, of the one payment (or of none: NULL)."""
    rows = " UNION ALL ".join(
        f"SELECT {n}, '{account}', {amount}" for n, (account, amount) in enumerate(legs, start=1)
    )
    return f"""
        WITH its AS (
            INSERT INTO ledger_transactions (stripe_account_id, livemode, ledger_transaction_id,
                cause, kind, at, payment_id, database_transaction)
            SELECT stripe_account_id, livemode, 'ltx_x', 'x', 'x', now(), {payment}, 0
            FROM payments RETURNING *)
        INSERT INTO postings (stripe_account_id, livemode, ledger_transaction_id, n, account,
            currency, amount_minor, payment_id)
        SELECT stripe_account_id, livemode, 'ltx_x', leg.n, account, 'EUR', amount, payment_id
        FROM its CROSS JOIN ({rows}) AS leg (n, account, amount)
    """


def _ends_in(state: str) -> tuple[str, str]:
    return (
        f"UPDATE payments SET state = '{state}'",
        f"UPDATE payment_history SET state_after = '{state}' WHERE seq = {_LAST}",
    )


_LAST = "(SELECT max(seq) FROM payment_history)"
_REPORTS = "SELECT ledger_transaction_id FROM ledger_transactions WHERE kind = 'reported'"
_OUT = "UPDATE attempts SET outcome = 'no_answer', first_sent_at = now() - interval '9 days'"
_DUE = "SET ended_at = NULL, parked_at = NULL, next_look_at = now() - interval '1 hour'"
_SLEEPS = "UPDATE payments SET ended_at = NULL, next_look_at = now() + interval '1 year'"
_INBOX = """
    WITH came AS (
        INSERT INTO deliveries (stripe_account_id, livemode, source, received_at, headers, body,
            verdict)
        VALUES ('acct_test', false, 'stripe', now(), '{}', '', 'ok') RETURNING *)
    INSERT INTO inbox (stripe_account_id, livemode, source, type, delivery_id, state, created_at,
        next_look_at)
    SELECT 'acct_test', false, 'stripe', 'x', delivery_id, 'new', now(),
        now() - interval '1 hour' FROM came
"""
_OPERATION = """
    INSERT INTO operations (stripe_account_id, livemode, operation_id, kind, step, data, created_at,
        next_look_at)
    VALUES ('acct_test', false, 'op_x', 'x', 'x', '{}', now(), now() - interval '1 hour')
"""
_OUTGOING = """
    INSERT INTO outgoing_events (stripe_account_id, livemode, event_id, type, object_id, payload,
        created_at, next_look_at)
    VALUES ('acct_test', false, 'evt_x', 'x', 'x', '{}', now(), now() - interval '1 hour')
"""
_DELIVERY = f"""
    {_OUTGOING.replace("created_at, next_look_at)", "created_at, ended_at)")};
    INSERT INTO webhook_endpoints (stripe_account_id, livemode, endpoint_id, url, description,
        source, status, secret, created_at)
    VALUES ('acct_test', false, 'we_x', 'x', 'x', 'api', 'enabled', '', now());
    INSERT INTO outgoing_deliveries (stripe_account_id, livemode, delivery_id, event_id,
        endpoint_id, state, created_at, next_look_at)
    VALUES ('acct_test', false, 'dlv_x', 'evt_x', 'we_x', 'pending', now(),
        now() - interval '1 hour')
"""
_DUTY = """
    INSERT INTO duties (stripe_account_id, livemode, name, cursor, created_at, next_look_at)
    VALUES ('acct_test', false, 'dance', '{}', now(), now() - interval '1 hour')
"""

_HAND = """
    INSERT INTO hand_payments (stripe_account_id, livemode, hand_payment_id, payment_id, invoice_id,
        customer_id, amount_minor, currency, received_on, reference, recorded_by, recorded_at,
        state, credit_minor, receipt_id, kind, source_id)
    SELECT stripe_account_id, livemode, 'hp_x', payment_id, invoice_id, customer_id, 4900, 'EUR',
        now(), 'x', 'x', now(),
"""


def _line(line_id: str, kind: str, minor: int, ours: bool = True, **more: str) -> str:
    """A line of a processor's report that was read long ago; its postings are another matter."""
    names = ("payment_id", "attempt_id", "our_currency") if ours else ()
    values = {
        "stripe_account_id": "stripe_account_id",
        "livemode": "livemode",
        "settlement_line_id": f"'stl_{line_id}'",
        "processor": "'sandbox'",
        "processor_account_id": "'acct_sandbox'",
        "line_id": f"'{line_id}'",
        "kind": f"'{kind}'",
        "raw_type": "'x'",
        "amount_minor": str(minor),
        "currency": "'EUR'",
        "whose": "'ours'" if ours else "'account'",
        "occurred_at": "now()",
        "created_at": "now() - interval '9 days'",
        **{name: name if name != "our_currency" else "'EUR'" for name in names},
        **more,
    }
    columns = ", ".join(values)
    return (
        f"INSERT INTO settlement_lines ({columns}) SELECT {', '.join(values.values())} "
        "FROM attempts"
    )


_CLEARED = "processor:acct_sandbox:clearing"
_SETTLED = "UPDATE receipts SET settled_minor = 4900"

# What is done to the books of one payment that was collected and reported; which checks say so.
FALSE_BOOKS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "a leg too many": ((_post(("loss", 5)),), {"books_agree", "ledger_balances"}),
    "a leg too many, of no payment": (
        (_post(("loss", 5), payment="NULL"),),
        {"ledger_rest_balances"},
    ),
    "money that no receipt knows of": (
        (_post(("customer:unapplied", 5), ("loss", -5)),),
        {"books_agree", "nothing_left"},
    ),
    "withheld by a dispute that is over": (
        (_post(("dispute:withheld", 5), ("loss", -5)),),
        {"books_agree", "nothing_left"},
    ),
    "a report that the ledger does not know of": (
        (
            "UPDATE receipts SET reported_minor = reported_minor - 1, collected_minor = 4899",
            "UPDATE attempts SET amount_minor = 4899",
        ),
        {"books_agree"},
    ),
    "stranded, and nobody gives it back": (
        (
            "UPDATE receipts SET stranded_minor = 1, reported_minor = reported_minor - 1",
            _post(("stripe:reported", 1), ("customer:stranded", -1)),
        ),
        {"stranded_goes_back"},
    ),
    "refunded, and by no refund": (
        (
            "UPDATE receipts SET refunded_minor = 1, reported_minor = reported_minor - 1",
            _post(("stripe:reported", 1), ("processor:acct_sandbox:clearing", -1)),
        ),
        {"given_back"},
    ),
    "an approval without its money": (
        ("DELETE FROM receipts", "DELETE FROM postings", "DELETE FROM ledger_transactions"),
        {"receipt_for_each"},
    ),
    "money without its approval": (
        ("UPDATE attempts SET outcome = 'declined'",),
        {"attempt_for_each"},
    ),
    "money of another amount than was asked for": (
        ("UPDATE attempts SET amount_minor = amount_minor - 1",),
        {"attempt_for_each"},
    ),
    "more given away than was collected": (
        (
            "ALTER TABLE receipts DROP CONSTRAINT ck_receipts_not_more_than_collected",
            "UPDATE receipts SET refunded_minor = collected_minor + 1",
        ),
        {"adds_up", "books_agree", "given_back", "guards_stand"},
    ),
    "two charges kept for one invoice": (
        (
            "CREATE TEMPORARY TABLE second AS SELECT * FROM receipts",
            "UPDATE second SET receipt_id = 'rct_x', attempt_id = NULL",
            "INSERT INTO receipts SELECT * FROM second",
        ),
        {"collected_once", "books_agree", "attempt_for_each"},
    ),
    "a state that its money contradicts": (
        (*_ends_in("collected"),),
        {"state_fits_money"},
    ),
    "a charge that is out and was dropped": (
        (
            *_ends_in("canceled"),
            "UPDATE attempts SET outcome = 'no_answer'",
            "DELETE FROM receipts",
            "DELETE FROM postings",
        ),
        {"state_fits_money"},
    ),
    "a state without a history": (
        ("UPDATE payments SET state = 'stranded'",),
        {"history_unbroken"},
    ),
    "a fact taken out of the history": (
        ("DELETE FROM payment_history WHERE seq = 1",),
        {"history_unbroken"},
    ),
    "the end of the history cut off": (
        ("DELETE FROM payment_history WHERE seq = (SELECT max(seq) FROM payment_history)",),
        {"history_unbroken"},
    ),
    "a fact that the payment does not know of": (
        ("UPDATE payments SET history_seq = history_seq - 1",),
        {"history_unbroken"},
    ),
    "in doubt for ever": (
        (_OUT, "DELETE FROM receipts", "DELETE FROM postings"),
        {"doubt_is_short"},
    ),
    "collected, and kept for oneself": (
        (
            *_ends_in("collected"),
            "UPDATE payments SET ended_at = NULL, next_look_at = now()",
            "UPDATE receipts SET reported_minor = 0, collected_at = now() - interval '2 days'",
            f"DELETE FROM postings WHERE ledger_transaction_id IN ({_REPORTS})",
        ),
        {"reported_soon"},
    ),
    "asleep for a year": ((_SLEEPS,), {"none_forgotten"}),
    "neither due nor parked nor ended": (
        (
            "ALTER TABLE payments DROP CONSTRAINT ck_payments_not_forgotten",
            "UPDATE payments SET ended_at = NULL, next_look_at = NULL",
        ),
        {"none_forgotten", "guards_stand"},
    ),
    "a payment due, and nobody looks": ((f"UPDATE payments {_DUE}",), {"payments_on_time"}),
    "an event due, and nobody looks": ((_INBOX,), {"inbox_on_time"}),
    "an operation due, and nobody looks": ((_OPERATION,), {"operations_on_time"}),
    "an outgoing event due, and nobody looks": ((_OUTGOING,), {"outgoing_events_on_time"}),
    "a delivery due, and nobody looks": (
        tuple(_DELIVERY.split(";")),
        {"outgoing_deliveries_on_time"},
    ),
    "a duty due, and nobody looks": ((_DUTY,), {"duties_on_time"}),
    "a cheque in two places": (
        (f"{_HAND} 'credit', 4800, NULL, 'cheque', NULL FROM payments",),
        {"by_hand_once", "books_agree"},
    ),
    "a cheque that waits for nothing": (
        (
            f"{_HAND} 'waiting', 4900, NULL, 'cheque', NULL FROM payments",
            _post(("hand:undeposited", 4900), ("customer:credit", -4900)),
        ),
        {"by_hand_waits"},
    ),
    "money by hand that nobody recorded": (
        ("UPDATE receipts SET source = 'hand'",),
        {"by_hand_for_each"},
    ),
    "credit that left and never came": (
        (_post(("credit:moved", 5), ("loss", -5)),),
        {"books_agree", "credit_moved"},
    ),
    "a payout that was not booked": (
        (_line("1", "payout", -4900, ours=False),),
        {"settlements_booked"},
    ),
    "a balance moved that no report shows": (
        (_post((_CLEARED, -5), ("bank:transit", 5), payment="NULL"),),
        {"settlements_booked"},
    ),
    "the report shows more than the receipt": (
        (_line("1", "charge", 4901), "UPDATE receipts SET settled_minor = 4901"),
        {"settlements_agree"},
    ),
    "a charge that the report shows twice": (
        (
            _line("1", "charge", 4900),
            _line("2", "charge", 4900),
            "UPDATE receipts SET settled_minor = 9800",
        ),
        {"settlements_agree"},
    ),
    "charged by the report, declined here": (
        (
            _line("1", "charge", 4900),
            "UPDATE attempts SET outcome = 'declined'",
            "DELETE FROM receipts",
            "DELETE FROM postings",
        ),
        {"settlements_agree"},
    ),
    "a debit that came back, and nobody knows": (
        (_line("1", "charge_failed", -4900),),
        {"settlements_agree"},
    ),
    "a refund that nobody knows": ((_line("1", "refund", -900),), {"settlements_agree"}),
    "a dispute that nobody knows": ((_line("1", "dispute", -900),), {"settlements_agree"}),
    "settled, and by no line": ((_SETTLED,), {"settled_adds_up"}),
    "a line that changed": (
        (
            _line("1", "charge", 4900, changed="""'{"amount_minor": 4800}'""", changed_at="now()"),
            _SETTLED,
        ),
        {"settlements_unchanged"},
    ),
    "a payout that is not the sum of its lines": (
        (
            _line("1", "charge", 4900, payout_id="'po_1'"),
            _line("2", "payout", -4899, ours=False, payout_id="'po_1'"),
            _post((_CLEARED, -4899), ("bank:transit", 4899), payment="NULL"),
            _SETTLED,
        ),
        {"payouts_add_up"},
    ),
    "a trigger switched off": (
        ("ALTER TABLE postings DISABLE TRIGGER postings_balance",),
        {"guards_stand"},
    ),
    "a unique index gone": (("DROP INDEX uq_attempts_unresolved",), {"guards_stand"}),
    "a credit note may be begun twice": (("DROP INDEX uq_credit_notes_started",), {"guards_stand"}),
    "an amount may be nothing": (
        ("ALTER TABLE attempts DROP CONSTRAINT ck_attempts_amount",),
        {"guards_stand"},
    ),
}


@pytest.mark.parametrize("what", FALSE_BOOKS)
async def test_false_books_are_noticed(world: World, database: Database, what: str) -> None:
    statements, said = FALSE_BOOKS[what]
    await world.collect(await world.customer())
    await falsify(database, *statements)
    assert await broken(world) == said


def test_each_check_has_a_name_of_its_own_and_books_that_break_it() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert set().union(*(said for _, said in FALSE_BOOKS.values())) == set(names)


async def test_pages_miss_no_payment(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PAGE", 2)
    for _ in range(5):
        await world.collect(await world.customer("card_hard_declined"))
    await falsify(database, "UPDATE payments SET state = 'waiting'")
    report, payments = await verify_books(world.means.database, SCOPE, world.means.policy)
    assert (payments, report["history_unbroken"].count) == (5, 5)


async def told(world: World) -> list[Any]:
    async with world.db() as db:
        rows = await db.execute(
            text("SELECT payload FROM outgoing_events WHERE type = 'verify.broken' ORDER BY 1")
        )
        return [row.payload for row in rows]


async def test_the_duty_tells_the_app_once_when_a_rule_newly_breaks(
    world: World, database: Database
) -> None:
    means = replace(world.means, tells_app=True)
    await world.collect(await world.customer())
    first = await verify_duty(means, SCOPE, {})
    assert (first.again_in, first.result["broken_rules"]) == (timedelta(hours=1), 0)
    await falsify(database, "UPDATE payments SET state = 'stranded'")
    second = await verify_duty(means, SCOPE, first.cursor)
    third = await verify_duty(means, SCOPE, second.cursor)
    assert second.result["broken_history_unbroken"] == third.result["broken_rules"] == 1
    (event,) = await told(world)
    assert [rule["check"] for rule in event["broken"]] == ["history_unbroken"]


async def test_the_duty_goes_on_where_it_was(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "PAGE", 1)
    monkeypatch.setattr("twintill.flows.verify._PAGES_A_RUN", 2)
    for _ in range(3):
        await world.collect(await world.customer("card_hard_declined"))
    await falsify(database, "UPDATE payments SET state = 'stranded'")
    first = await verify_duty(world.means, SCOPE, {})
    assert (first.again_in, first.result) == (timedelta(0), {})
    second = await verify_duty(world.means, SCOPE, first.cursor)
    assert second.result["broken_history_unbroken"] == second.result["payments"] == 3
