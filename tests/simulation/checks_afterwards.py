"""After a world has come to rest: of money that went back, the three books say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation import checks_by_hand, rules_by_hand
from tests.simulation.houses import SCOPE
from tests.simulation.invoice import Invoice
from tests.simulation.letters import FORGED
from tests.simulation.processor import Bank
from twintill.domain.policy import LostDispute
from twintill.ids import payment_id
from twintill.processors import LookUpBy
from twintill.sandbox.processor.objects import Charge, Dispute

if TYPE_CHECKING:
    from tests.simulation.world import World

Taken = list[tuple[Bank, Charge]]
_STRANDED_BACK = """
    SELECT coalesce(sum(amount_minor), 0)::bigint AS total FROM attempts
    WHERE kind = 'refund' AND outcome = 'approved' AND refund_of IS DISTINCT FROM 'reported'
    AND receipt_id = ANY($1::text[])"""
_ASKS_S = 3 * 3600  # longer than the longest pause between two questions
_STAGES = {"open": "opened"}


def check(world: World, invoice: Invoice, row: Any, taken: Taken) -> None:
    """Of an invoice that no person has before him; or a person was called for a good reason."""
    _check_parking(world, invoice, row)
    if row["parked_at"] is not None or is_explained(world, invoice):
        return
    _check_asks(world, invoice)
    _check_both_books(world, invoice, taken)
    for bank, charge in taken:
        for dispute in bank.book.disputes.values():
            if dispute.charge == charge.id:
                _check_dispute(world, invoice, bank, dispute)


def is_explained(world: World, invoice: Invoice) -> bool:
    """Where our books may be behind: what nobody can tell us any more."""
    its_id = payment_id(SCOPE, invoice.id)
    told = "SELECT 1 FROM inbox WHERE parked_why IS NOT NULL AND type LIKE 'refund.%'"
    blind = any(b.kind.look_up is LookUpBy.NONE for b, _ in world.rules.of(invoice.id))
    by_hand = blind and (world.restored or bool(world.database.fetch(told)))
    if its_id in failed_and_disputed(world) | checks_by_hand.lost(world):
        return True
    return by_hand


def left_to_people(world: World) -> set[str]:
    """Payments of which a person was told that the books cannot agree by themselves."""
    parked = world.database.fetch("SELECT payment_id FROM payments WHERE parked_at IS NOT NULL")
    theirs = failed_and_disputed(world) | checks_by_hand.lost(world)
    return theirs | {row["payment_id"] for row in parked}


def ever_stranded_minor(world: World, receipts: list[Any]) -> int:
    """Also what was given back by now."""
    ids = [r["receipt_id"] for r in receipts]
    back = world.database.fetch(_STRANDED_BACK, ids)[0]["total"]
    return int(sum(r["stranded_minor"] for r in receipts) + back)


def unapplied_minor(receipt: Any) -> int:
    """Collected, and neither reported nor anything else."""
    parts = ("reported", "stranded", "refunded", "disputed", "refund_due", "note_due", "credit")
    gone = sum(receipt[f"{part}_minor"] for part in parts)
    return 0 if receipt["failed"] else int(receipt["collected_minor"] - gone)


def failed_and_disputed(world: World) -> set[str]:
    """Payments of such debits: nothing of the failure is booked."""
    return {
        payment_id(SCOPE, charge.metadata["invoice"])
        for bank in world.banks.values()
        for dispute in bank.book.disputes.values()
        if (charge := bank.book.charges[dispute.charge]).status == "failed"
    }


def _check_parking(world: World, invoice: Invoice, row: Any) -> None:
    why = row["parked_why"] or ""
    its = [(b, c.id) for b, c in world.rules.of(invoice.id)]
    refunds = [r for b, its_id in its for r in b.book.refunds.values() if r.charge == its_id]
    by_hand = any(refund.reference is None for refund in refunds)
    foreign = any(not note.our_id for note in world.stripe.shelf.notes.get(invoice.id, ()))
    reasons = {
        "at the processor by hand": by_hand,
        "more than was reported": foreign,
        "a credit note says more": foreign,
        "twice under one reference": FORGED in why,
        "is told to be": False,
        "that brought no money": False,
        "a refund without an end": not _could_ask(world, row),
    }
    for sign, is_so in reasons.items():
        if sign in why and not is_so:
            _blame(world, invoice, f"parked: {why}")


def _could_ask(world: World, row: Any) -> bool:
    """A processor that answers at once says what became of a refund, once all is calm."""
    out = world.database.fetch(
        "SELECT processor FROM attempts WHERE payment_id = $1 AND kind = 'refund' "
        "AND outcome IN ('started', 'no_answer')",
        row["payment_id"],
    )
    in_calm = (
        row["parked_at"] and row["parked_at"].timestamp() > world.network.calm_from_s + _ASKS_S
    )
    return bool(out) and bool(in_calm) and {r["processor"] for r in out} == {"exact"}


def _check_asks(world: World, invoice: Invoice) -> None:
    left = world.database.fetch(
        "SELECT k.* FROM refund_asks k JOIN payments p USING (payment_id) "
        "WHERE p.invoice_id = $1 AND k.state NOT IN ('done', 'refused')",
        invoice.id,
    )
    for ask in left:
        _blame(world, invoice, f"{ask['refund_ask_id']} was asked for, and is {ask['state']}")


def _check_both_books(world: World, invoice: Invoice, taken: Taken) -> None:
    """What Stripe counts as paid by us is what the processors kept for it."""
    told = invoice.told_minor
    by_hand = rules_by_hand.on_the_invoice(world.database, invoice.id)
    kept = by_hand + sum(charge.taken - charge.refunded for _, charge in taken)
    lost = sum(_lost(bank, charge) for bank, charge in taken)
    least, most = max(0, kept - lost), max(0, kept - lost)
    if world.policy.lost_dispute is LostDispute.LOSS:
        most = kept
    marked = invoice.paid_by_hand_minor  # which looks like our own report
    if not least <= told <= most and not marked:
        _blame(
            world,
            invoice,
            f"{kept} was kept ({by_hand} by hand) and {lost} lost to disputes, "
            f"Stripe counts {told}",
        )


def _lost(bank: Bank, charge: Charge) -> int:
    of = [d for d in bank.book.disputes.values() if d.charge == charge.id]
    return sum(d.amount for d in of if d.status in ("lost", "accepted"))


def _check_dispute(world: World, invoice: Invoice, bank: Bank, dispute: Dispute) -> None:
    rows = world.database.fetch(
        "SELECT * FROM disputes WHERE processor_dispute_id = $1 AND processor_account_id = $2",
        dispute.id,
        f"acct_{bank.kind.name}",
    )
    ours = [(row["stage"], row["withheld"]) for row in rows]
    theirs = (_STAGES.get(dispute.status, dispute.status), dispute.withheld)
    if ours != [theirs]:
        _blame(world, invoice, f"{dispute.id} is {theirs} there, our books say {ours}")


def _blame(world: World, invoice: Invoice, what: str) -> None:
    world.trace.blame(f"{invoice.id}: {what}")
