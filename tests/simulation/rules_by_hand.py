"""What money by hand forbids, and what there is of it by Twintill's own books."""

from __future__ import annotations

from tests.simulation.database import SimDatabase

# Of this invoice, what was recorded before its last intent that was committed before it was sent.
_BESIDE = """
    SELECT h.hand_payment_id, h.state FROM hand_payments h
    WHERE h.invoice_id = $1 AND h.state IN ('waiting', 'applied') AND h.recorded_at < (
        SELECT max(p.at) FROM payment_history p WHERE p.payment_id = h.payment_id
        AND p.fact IN ('ChargeStarted', 'ReplayStarted') AND p.at <= to_timestamp($2))"""
_ON_THE_INVOICE = """
    SELECT coalesce(sum(r.collected_minor - r.credit_minor), 0)::bigint AS minor
    FROM receipts r JOIN payments p USING (payment_id)
    WHERE p.invoice_id = $1 AND r.attempt_id IS NULL AND NOT r.failed"""


def beside(database: SimDatabase, invoice_id: str, sent_s: float) -> str | None:
    """Which money by hand a charge was begun beside; what came after its intent comes too late."""
    rows = database.fetch(_BESIDE, invoice_id, sent_s)
    return f"{rows[0]['hand_payment_id']} is {rows[0]['state']}" if rows else None


def on_the_invoice(database: SimDatabase, invoice_id: str) -> int:
    """Minor units of money by hand that stand for it, told to Stripe or not yet."""
    return int(database.fetch(_ON_THE_INVOICE, invoice_id)[0]["minor"])
