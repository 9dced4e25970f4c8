"""After a world has come to rest: the three books agree, and nothing was lost or forgotten."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from tests.simulation import checks_afterwards, checks_by_hand, moved, twin
from tests.simulation.invoice import Invoice
from tests.simulation.processor import Bank
from tests.simulation.subscriptions import BY_US
from twintill.domain.invoice import InvoiceStatus, rank
from twintill.sandbox.processor.objects import Charge
from twintill.store.verifying import CHECKS

if TYPE_CHECKING:
    from tests.simulation.world import World

_POSTGRESQL = dialect()  # type: ignore[no-untyped-call]
_TIME_TO_ASK_S = 3 * 3600  # longer than the longest pause between two questions
_UNRESOLVED = ("started", "accepted", "no_answer", "needs_customer")

# What waits for a payment that waits for a person goes on waiting.
OPERATIONS_LEFT = (
    "SELECT * FROM operations o WHERE ended_at IS NULL AND parked_at IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM payments p WHERE p.customer_id = o.customer_id AND p.parked_at IS NOT NULL)"
)


def check(world: World) -> None:
    """Adds to the trace what was done, by Twintill's own history, and every rule that broke."""
    _tell_history(world)
    if world.trace.wrongs:
        return  # it was left as it stood
    rows = {row["invoice_id"]: row for row in world.database.fetch("SELECT * FROM payments")}
    if world.twin is not None:
        twin.check(world, world.twin)
    else:
        for invoice in world.stripe.invoices.values():
            _check_invoice(world, invoice, rows.get(invoice.id))
            _check_mirror(world, invoice)
    _check_ledger(world, rows)
    _check_inbox(world)
    moved.check(world)
    checks_by_hand.check(world)
    _check_guards(world)
    _check_by_verify(world)


def check_before_it_closes(world: World) -> None:
    """What still waits is voided in the end: by then nothing of ours may be open, and unknown."""
    moved.check_handed(world)
    known = {row["invoice_id"] for row in world.database.fetch("SELECT invoice_id FROM payments")}
    for invoice in world.stripe.invoices.values():
        if invoice.id not in known and world.twin is None:
            _check_taken_in(world, invoice)


def _tell_history(world: World) -> None:
    facts = world.database.fetch(
        "SELECT h.*, p.invoice_id FROM payment_history h JOIN payments p USING (payment_id) "
        "ORDER BY p.invoice_id, seq"
    )
    for f in facts:
        world.trace.lines.append(
            f"  {f['invoice_id']} {f['seq']:3} {f['at']:%m-%d %H:%M:%S} {f['fact']:15} "
            f"{f['state_before']} -> {f['state_after']} {f['reason_after'] or ''}"
        )


def _check_invoice(world: World, invoice: Invoice, row: Any) -> None:
    charges = world.rules.of(invoice.id)
    taken = [(bank, charge) for bank, charge in charges if charge.status == "succeeded"]
    if row is None:
        _wrong_if(world, invoice, bool(taken), "money was taken, and there is no payment")
        _check_taken_in(world, invoice)
        return
    parked, ended = row["parked_at"] is not None, row["ended_at"] is not None
    _wrong_if(world, invoice, not parked and not ended, f"forgotten in {row['state']}")
    attempts, receipts = _money_of(world, row["payment_id"])
    for bank, charge in taken:
        _check_taken(world, invoice, parked, attempts.get(charge.reference), bank, charge)
    _check_receipts(world, invoice, parked, receipts, attempts, taken)
    _check_report(world, invoice, row, receipts)
    _check_parking(world, invoice, row, attempts)
    checks_afterwards.check(world, invoice, row, taken)


def _check_taken_in(world: World, invoice: Invoice) -> None:
    """Of one without a payment."""
    open_for_us = invoice.status is InvoiceStatus.OPEN and invoice.collection_method == BY_US
    owed = open_for_us and not _pays_by_wire(world, invoice)
    _wrong_if(world, invoice, owed, "never taken in: its webhook was swallowed")


def _pays_by_wire(world: World, invoice: Invoice) -> bool:
    """Who has no method with us any more, or came back from Stripe without one."""
    gone_s = world.stripe.ended_customers.get(invoice.customer_id, math.inf)
    if invoice.customer_id in world.left or invoice.created_s >= gone_s:
        return True
    his = "SELECT 1 FROM payment_methods WHERE customer_id = $1 AND status != 'removed'"
    away = world.stripe.register.of(invoice.customer_id).was_away
    return away and not world.database.fetch(his, invoice.customer_id)


def _money_of(world: World, payment: str) -> tuple[dict[str, Any], list[Any]]:
    fetch = world.database.fetch
    attempts = fetch("SELECT * FROM attempts WHERE kind = 'charge' AND payment_id = $1", payment)
    receipts = fetch("SELECT * FROM receipts WHERE payment_id = $1", payment)
    return {a["reference"]: a for a in attempts}, receipts


def _check_taken(
    world: World, invoice: Invoice, parked: bool, attempt: Any, bank: Bank, charge: Charge
) -> None:
    """Money at a processor is known to us, or a person is looking for it."""
    if attempt is None:
        _wrong_if(world, invoice, True, f"{charge.id} was taken, and no intent was committed")
    elif attempt["outcome"] in _UNRESOLVED:
        _wrong_if(world, invoice, not parked, f"{charge.id} was taken; nobody asks for it")
    elif attempt["outcome"] != "approved":
        what = f"{charge.id} was taken, we say {attempt['outcome']}"
        _wrong_if(world, invoice, not parked, what)
    else:
        other = attempt["processor_payment_id"] != charge.id and not parked
        _wrong_if(world, invoice, other, f"{charge.id} was taken too, under the same reference")


def _check_receipts(
    world: World,
    invoice: Invoice,
    parked: bool,
    receipts: list[Any],
    attempts: dict[str, Any],
    taken: list[tuple[Bank, Charge]],
) -> None:
    """What we book as collected is there."""
    there = {charge.reference: charge.taken for _, charge in taken}
    names = {a["attempt_id"]: reference for reference, a in attempts.items()}
    twice = checks_afterwards.failed_and_disputed(world)
    for receipt in receipts:
        if receipt["attempt_id"] is None:
            continue  # by hand
        _check_given_back(world, invoice, parked, receipt, names[receipt["attempt_id"]], taken)
        minor = there.get(names[receipt["attempt_id"]])
        missing = not receipt["failed"] and minor is None and receipt["payment_id"] not in twice
        _wrong_if(world, invoice, missing, "collected in our books, and not at the processor")
        ours = receipt["collected_minor"]
        other = minor is not None and minor != ours
        _wrong_if(world, invoice, other, f"{minor} was taken, our books say {ours}")


def _check_given_back(
    world: World,
    invoice: Invoice,
    parked: bool,
    receipt: Any,
    reference: str,
    taken: list[tuple[Bank, Charge]],
) -> None:
    there = sum(charge.refunded for _, charge in taken if charge.reference == reference)
    ours = receipt["refunded_minor"]
    settled = receipt["failed"] or parked or checks_afterwards.is_explained(world, invoice)
    differs = there != ours and not settled
    _wrong_if(world, invoice, differs, f"{there} was given back, our books say {ours}")
    left = receipt["stranded_minor"] > 0 and not receipt["failed"] and not parked
    _wrong_if(world, invoice, left, f"{receipt['stranded_minor']} stranded, and nobody cares")


def _check_report(world: World, invoice: Invoice, row: Any, receipts: list[Any]) -> None:
    reported = sum(r["reported_minor"] for r in receipts)
    stranded = checks_afterwards.ever_stranded_minor(world, receipts)
    held = sum(checks_afterwards.unapplied_minor(r) for r in receipts)
    parked = row["parked_at"] is not None
    us = invoice.told_minor
    parked = parked or checks_afterwards.is_explained(world, invoice)
    # What a merchant marks by hand looks like our own report, where that may have been sent.
    died = world.weather.deaths or world.weather.cuts
    may_be_ours = invoice.pay_calls > 0 or (died and row["reports"] > 1)
    seen = (us, us + invoice.paid_by_hand_minor) if may_be_ours else (us,)
    differs = reported not in seen and not parked
    _wrong_if(world, invoice, differs, f"Stripe was told {us}, our books say {reported}")
    _wrong_if(world, invoice, held > 0 and not parked, f"{held} was collected and not reported")
    collected = sum(r["collected_minor"] for r in receipts)
    too_much = us > 0 and stranded > max(0, collected - invoice.paid_by_us_minor)
    _wrong_if(world, invoice, too_much, f"{stranded} stranded although Stripe was told {us}")
    elsewhere = invoice.paid_by_stripe_minor or invoice.paid_by_hand_minor
    closed = invoice.status is InvoiceStatus.VOID or elsewhere or invoice.credited_minor
    needless = stranded > 0 and not invoice.paid_by_us_minor and not closed
    _wrong_if(world, invoice, needless, f"{stranded} stranded although nobody else closed it")


def _check_parking(world: World, invoice: Invoice, row: Any, attempts: dict[str, Any]) -> None:
    """A person is called only for what a person must decide."""
    why = row["parked_why"] or ""
    if row["parked_at"] is None:
        return
    by_hand = invoice.paid_by_hand_minor > 0
    # Of a report that was lost with the database, only `recover` can tell whose it was.
    lost = world.restored and world.database.fetch(
        "SELECT 1 FROM payment_history WHERE payment_id = $1 AND fact = 'PersonSaid'",
        row["payment_id"],
    )
    needless = "marked paid by somebody else" in why and not by_hand and not lost
    _wrong_if(world, invoice, needless, "our own report was taken for somebody else's")
    in_doubt = why.startswith("in doubt")
    names = {a["processor"] for a in attempts.values() if a["outcome"] in _UNRESOLVED}
    in_calm = row["parked_at"].timestamp() > world.network.calm_from_s + _TIME_TO_ASK_S
    could_ask = in_doubt and names == {"exact"} and in_calm
    _wrong_if(world, invoice, could_ask, "in doubt for ever, and could ask")
    for sign in ("another installation", "installation ", "a database that this one"):
        _wrong_if(world, invoice, why.startswith(sign), f"parked: {why}")


def _check_mirror(world: World, invoice: Invoice) -> None:
    """Once every event has arrived, it shows what Stripe shows; or it is known to be doubtful."""
    told = [e for e in world.stripe.events if e["data"]["object"]["id"] == invoice.id]
    if world.restored or any(e["id"] in world.stripe.undelivered for e in told):
        return
    sql = "SELECT status FROM invoices WHERE invoice_id = $1 AND NOT stale"
    for row in world.database.fetch(sql, invoice.id):
        behind = rank(InvoiceStatus(row["status"])) < rank(invoice.status)
        what = f"{row['status']} in the mirror, {invoice.status} in Stripe, and nobody doubts it"
        _wrong_if(world, invoice, behind, what)


def check_mirror_moves_up(world: World) -> None:
    """At every moment: whoever writes an older answer leaves what an event has told since."""
    for row in world.database.fetch("SELECT invoice_id, status FROM invoices"):
        its_id, shown = row["invoice_id"], InvoiceStatus(row["status"])
        before = world.mirrored.get(its_id, shown)
        if rank(shown) < rank(before):
            world.trace.blame(f"{its_id}: the mirror showed {before}, and shows {shown} again")
        world.mirrored[its_id] = shown


def _check_ledger(world: World, rows: dict[str, Any]) -> None:
    for account, expected in _expected_balances(world).items():
        found = world.database.fetch(
            "SELECT coalesce(sum(amount_minor), 0)::bigint AS total FROM postings "
            "WHERE account = $1",
            account,
        )[0]["total"]
        if found != expected:
            world.trace.blame(f"ledger: {account} stands at {found}, should be {expected}")
    total = world.database.fetch("SELECT sum(amount_minor) AS total FROM postings")[0]["total"]
    if total:
        world.trace.blame(f"ledger: out of balance by {total}")


def _expected_balances(world: World) -> dict[str, int]:
    """From the receipts, which were compared with the processors' own books one by one."""
    sums = world.database.fetch(
        "SELECT coalesce(sum(reported_minor), 0)::bigint AS reported, "
        "coalesce(sum(collected_minor - reported_minor - stranded_minor - refunded_minor "
        "- disputed_minor - refund_due_minor - note_due_minor - credit_minor) "
        "FILTER (WHERE NOT failed), 0)::bigint AS unapplied, "
        "coalesce(sum(stranded_minor) FILTER (WHERE NOT failed), 0)::bigint AS stranded "
        "FROM receipts"
    )[0]
    refunds_out = world.database.fetch(
        "SELECT coalesce(sum(a.amount_minor), 0)::bigint AS total, "
        "coalesce(sum(a.amount_minor) FILTER (WHERE NOT r.failed "
        "AND a.refund_of IS DISTINCT FROM 'reported'), 0)::bigint AS owed "
        "FROM attempts a JOIN receipts r USING (receipt_id) "
        "WHERE a.kind = 'refund' AND a.outcome = 'accepted'"
    )[0]
    expected = {
        "stripe:reported": -sums["reported"],
        "customer:unapplied": -sums["unapplied"],
        "customer:stranded": -sums["stranded"] + refunds_out["owed"],
        "refund:in_flight": -refunds_out["total"],
    }
    collected = world.database.fetch(
        "SELECT processor_account_id AS account, "
        "(coalesce(sum(collected_minor) FILTER (WHERE NOT failed), 0) - sum(refunded_minor "
        "+ disputed_minor + withheld_minor + loss_minor))::bigint AS total FROM receipts "
        "WHERE attempt_id IS NOT NULL GROUP BY 1"
    )
    expected |= {f"processor:acct_{name}:clearing": 0 for name in world.banks}
    expected |= checks_by_hand.balances(world)
    return expected | {f"processor:{row['account']}:clearing": row["total"] for row in collected}


def _check_inbox(world: World) -> None:
    # What was forged, and what somebody gave back by hand, may wait for a person.
    left = world.database.fetch(
        "SELECT * FROM inbox WHERE ended_at IS NULL AND NOT (parked_why IS NOT NULL AND "
        "(coalesce(object_id, '') LIKE '%forged%' OR type LIKE 'refund.%'))"
    )
    for row in left:
        world.trace.blame(f"inbox: {row['type']} of {row['object_id']} {row['parked_why']}")
    for row in world.database.fetch(OPERATIONS_LEFT):
        world.trace.blame(f"operation {row['kind']} never ended: {row['step']}")


# Each must be refused, and for its own reason.
_GUARDS = {
    ("a second unresolved attempt of one payment", "uq_attempts_unresolved"): """
        INSERT INTO attempts SELECT (jsonb_populate_record(NULL::attempts, to_jsonb(a) ||
            jsonb_build_object('attempt_id', 'att_' || i, 'n', 90 + i, 'reference', 'r' || i,
                'idempotency_key', 'k' || i, 'outcome', 'started', 'processor_payment_id', NULL))).*
        FROM (SELECT * FROM attempts LIMIT 1) AS a, generate_series(1, 2) AS i""",
    ("a posting that comes after its commit", "belongs to an earlier commit"): """
        INSERT INTO postings SELECT (jsonb_populate_record(NULL::postings, to_jsonb(p) ||
            jsonb_build_object('n', 99))).* FROM (SELECT * FROM postings LIMIT 1) AS p""",
    ("a change of the ledger", "only grows"): "UPDATE postings SET amount_minor = amount_minor + 1",
    ("a fact that is posted twice", "livemode_cause"): """
        INSERT INTO ledger_transactions SELECT (jsonb_populate_record(NULL::ledger_transactions,
            to_jsonb(t) || jsonb_build_object('ledger_transaction_id', 'ltx_again'))).*
        FROM (SELECT * FROM ledger_transactions ORDER BY cause LIMIT 1) AS t;
        INSERT INTO postings SELECT (jsonb_populate_record(NULL::postings,
            to_jsonb(p) || jsonb_build_object('ledger_transaction_id', 'ltx_again'))).*
        FROM postings p WHERE ledger_transaction_id = (SELECT ledger_transaction_id
            FROM ledger_transactions WHERE ledger_transaction_id <> 'ltx_again'
            ORDER BY cause LIMIT 1)""",
}


def _check_guards(world: World) -> None:
    """What the database itself refuses, whatever the code does."""
    if not world.database.fetch("SELECT 1 FROM postings LIMIT 1"):
        return
    charged = world.database.fetch("SELECT 1 FROM attempts LIMIT 1")
    for (what, why), sql in _GUARDS.items():
        if "INTO attempts" in sql and not charged:
            continue  # all of it was by hand
        refusal = world.database.refusal(sql)
        if why not in refusal:
            world.trace.blame(f"the database does not refuse {what}: {refusal}")


def _check_by_verify(world: World) -> None:
    """What `twintill verify` asks of every database: here of all payments in one page."""
    asked = {
        "account": "acct_simulated",
        "live": False,
        "after": "",
        "upto": "zzzz",
        "doubt_s": 3.0 * 86400,
        "pending_s": 21.0 * 86400,
    }
    for check in CHECKS:
        if check.name == "duties_on_time":
            continue  # in a world they run when they are rung
        query = text(check.query)
        query = query.bindparams(**{name: asked[name] for name in query.compile().params})
        sql = query.compile(dialect=_POSTGRESQL, compile_kwargs={"literal_binds": True})
        for row in world.database.fetch(str(sql)):
            world.trace.blame(f"verify {check.name}: {row['object_id']} {row['detail']}")


def _wrong_if(world: World, invoice: Invoice, wrong: bool, what: str) -> None:
    if wrong:
        world.trace.blame(f"{invoice.id}: {what}")
