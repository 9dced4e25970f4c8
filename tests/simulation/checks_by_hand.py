"""After a world has come to rest: what people had in hand is where they were told that it is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

_GONE = ("undone", "corrected")
_ROWS = """
    SELECT h.*, p.ended_at, p.parked_at,
           coalesce(r.collected_minor - r.credit_minor, 0) AS kept_minor,
           coalesce(r.failed, false) AS failed
    FROM hand_payments h JOIN payments p USING (payment_id) LEFT JOIN receipts r USING (receipt_id)
    ORDER BY hand_payment_id"""


def check(world: World) -> None:
    """Adds to the trace every rule that broke."""
    rows = {row["hand_payment_id"]: row for row in world.database.fetch(_ROWS)}
    for row in rows.values():
        _check_row(world, row)
    _check_references(world, list(rows.values()))
    for customer_id in {row["customer_id"] for row in rows.values()}:
        _check_customer(
            world, customer_id, [r for r in rows.values() if r["customer_id"] == customer_id]
        )
    if not world.restored:
        _check_what_was_heard(world, rows)


def lost(world: World) -> set[str]:
    """Payments of which a person was told: the database that knew their money by hand is gone."""
    sql = "SELECT payment_id FROM payment_history WHERE detail::text LIKE '%lost database knew%'"
    return {row["payment_id"] for row in world.database.fetch(sql)} if world.restored else set()


def balances(world: World) -> dict[str, int]:
    """What the ledger's accounts should stand at, from the rows."""
    sums = world.database.fetch(
        "SELECT coalesce(sum(credit_minor), 0)::bigint AS credit, "
        "coalesce(sum(paid_out_minor), 0)::bigint AS paid_out, "
        "coalesce(sum(amount_minor) FILTER (WHERE source_id IS NULL "
        "AND state NOT IN ('undone', 'corrected')), 0)::bigint AS undeposited FROM hand_payments"
    )[0]
    return {
        "customer:credit": -sums["credit"],
        "hand:undeposited": sums["undeposited"],
        "hand:paid_out": -sums["paid_out"],
        "credit:moved": 0,
    }


def _check_row(world: World, row: Any) -> None:
    """It is in one place; and what still waits has something to wait for."""
    its_id = row["hand_payment_id"]
    if row["source_id"] is None and its_id not in world.in_hand:
        world.trace.blame(f"{its_id} was never recorded by anybody")
    if row["state"] == "waiting" and row["ended_at"] is not None and row["parked_at"] is None:
        world.trace.blame(f"{its_id} waits, and nothing goes on")
    kept = 0 if row["failed"] else row["kept_minor"]
    there = kept + row["credit_minor"] + row["moved_minor"] + row["paid_out_minor"]
    wanted = row["paid_out_minor"] if row["state"] in _GONE else row["amount_minor"]
    if there != wanted:
        world.trace.blame(f"{its_id} of {row['amount_minor']} is {row['state']}: {there} is there")


def _check_references(world: World, rows: list[Any]) -> None:
    """One cheque is recorded once for its invoice, however often somebody presses."""
    there = [r for r in rows if r["source_id"] is None and r["state"] not in _GONE]
    known = Counter((r["invoice_id"], r["reference"]) for r in there)
    for (invoice_id, reference), times in known.items():
        if times > 1:
            world.trace.blame(f"{invoice_id}: {reference} is recorded {times} times")


def _check_customer(world: World, customer_id: str, rows: list[Any]) -> None:
    """All that was received for him is on his invoices, his credit, or back with him."""
    received = sum(
        world.in_hand[r["hand_payment_id"]].minor
        for r in rows
        if r["source_id"] is None and r["state"] not in _GONE
    )
    on_invoices = sum(r["kept_minor"] for r in rows if not r["failed"])
    credit = sum(r["credit_minor"] for r in rows)
    lost = sum(r["paid_out_minor"] for r in rows if r["state"] in _GONE)
    back = sum(r["paid_out_minor"] for r in rows)
    if received != on_invoices + credit + back - lost:
        world.trace.blame(
            f"{customer_id}: {received} received by hand, {on_invoices} on invoices, {credit} "
            f"credit, {back} paid out"
        )
    heard = {k: out for k, out in world.paid_out.items() if out.customer_id == customer_id}
    known = sum(out.heard_minor for out in heard.values() if out.heard_minor is not None)
    if back < known and not world.restored:
        world.trace.blame(f"{customer_id}: {known} paid out by hand, our books say {back}")


def _check_what_was_heard(world: World, rows: dict[str, Any]) -> None:
    for one in world.in_hand.values():
        row = rows.get(one.id)
        if one.heard and (row is None or row["amount_minor"] != one.minor):
            world.trace.blame(f"{one.id} was recorded, and is not known")
        if row is not None and one.gone != (row["state"] in _GONE) and one.gone:
            world.trace.blame(f"{one.id} was taken back, and is {row['state']}")
    told = "SELECT 1 FROM invoice_actions WHERE action = 'credit_paid_out'"
    if len(world.database.fetch(told)) > len(world.paid_out):
        world.trace.blame("credit was paid out more often than anybody did")
