"""What may never happen at a processor, checked when a charge or a refund is made there."""

from datetime import timedelta
from typing import Any

from tests.simulation.database import SimDatabase
from tests.simulation.processor import ALIVE, Bank
from tests.simulation.stripe import SimStripe
from tests.simulation.trace import Trace
from twintill.domain.policy import Policy
from twintill.processors import LookUpBy
from twintill.sandbox.processor.objects import Charge, Method

_FRESH_S = 90.0
_HOUR = timedelta(hours=1)
# The last intent of this invoice that was committed before it was sent, while the brake was on.
_PAUSED = """
    SELECT b.why FROM brakes b WHERE b.processor = $1 AND EXISTS (
        SELECT FROM (
            SELECT max(h.at) AS at FROM payment_history h JOIN payments p USING (payment_id)
            WHERE p.invoice_id = $2 AND h.fact IN ('ChargeStarted', 'ReplayStarted')
            AND h.at <= to_timestamp($3)
        ) AS intent
        WHERE intent.at > b.tripped_at AND intent.at < coalesce(b.released_at, 'infinity')
    )"""
_INTENTS = "SELECT reference, first_sent_at FROM attempts WHERE kind = 'refund'"


class Rules:
    """All charges of an invoice, over all processors."""

    banks: dict[str, Bank]

    def __init__(
        self, stripe: SimStripe, policy: Policy, database: SimDatabase, trace: Trace
    ) -> None:
        self._stripe, self._policy, self._database = stripe, policy, database
        self.databases = [database]  # of all copies that may charge
        self.forgotten_until_s = 0.0  # what nobody can be asked for, and a restore took away
        self.agreed: set[str] = set()  # invoices whose payment a person put back to work
        self._trace = trace

    def of(self, invoice_id: str) -> list[tuple[Bank, Charge]]:
        return [
            (bank, charge)
            for bank in self.banks.values()
            for charge in bank.book.charges.values()
            if charge.metadata.get("invoice") == invoice_id
        ]

    def may_charge(self, order: dict[str, Any], sent_s: float, bank: Bank) -> None:
        """Called before the charge is made; a key that was used within its window never is."""
        invoice_id = order["metadata"]["invoice"]
        former = self.of(invoice_id)
        for its_bank, charge in former:
            if charge.status in ALIVE and charge.id not in its_bank.late:
                self._trace.blame(
                    f"{invoice_id}: charged again, and {charge.id} is {charge.status}"
                )
        self._intent(invoice_id, order["reference"])
        self._last_look(invoice_id, order["amount"], sent_s)
        self._brake(invoice_id, bank, sent_s)
        same = [c for b, c in former if b is bank and c.token == order["token"]]
        self._dunning(invoice_id, [c for c in same if c.reference != order["reference"]], bank)

    def may_give_back(self, bank: Bank, charge: Charge, order: dict[str, Any]) -> None:
        """Called before a refund is made there; a key that was used within its window never is."""
        invoice_id = charge.metadata["invoice"]
        self._intent(invoice_id, order["reference"])
        same = [
            refund
            for refund in bank.book.refunds.values()
            if refund.reference == order["reference"] and refund.status != "failed"
        ]
        if same:
            self._trace.blame(f"{invoice_id}: given back twice: {same[0].id} is {same[0].status}")
        if charge.finality == "provisional":
            self._trace.blame(f"{invoice_id}: {charge.id} is given back, and is not final")
        taken = [c for _, c in self.of(invoice_id) if c.status == "succeeded"]
        rest = sum(c.amount - c.refunded for c in taken) - order["amount"]
        told = self._stripe.invoices[invoice_id].told_minor
        if charge.status == "succeeded" and rest < told:
            self._trace.blame(f"{invoice_id}: {rest} would be left, and Stripe was told {told}")
        if not same and invoice_id not in self.agreed and len(self.databases) == 1:
            self._caps(invoice_id, charge, order)

    def may_drop(self, bank: Bank, method: Method) -> None:
        """Called before a method is revoked for us: whatever was sent with it has an answer."""
        out = self._database.fetch(
            "SELECT a.reference FROM attempts a JOIN payment_methods m USING (payment_method_id) "
            "WHERE a.kind = 'charge' AND m.processor_customer_id = $1 AND m.processor = $2 "
            "AND a.outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')",
            method.customer,
            bank.kind.name,
        )
        if out:
            self._trace.blame(f"a method is dropped, and {out[0]['reference']} is out with it")

    def _intent(self, invoice_id: str, reference: str) -> None:
        known = "SELECT 1 FROM attempts WHERE reference = $1"
        if not any(database.fetch(known, reference) for database in self.databases):
            self._trace.blame(f"{invoice_id}: charged before the intent was committed")

    def _last_look(self, invoice_id: str, amount: int, sent_s: float) -> None:
        """As it stood when the request was sent: it may arrive long after."""
        looks = self._stripe.invoices[invoice_id].looks
        before = [(at_s, look) for at_s, look in looks if at_s <= sent_s]
        if not before or sent_s - before[-1][0] > _FRESH_S:
            self._trace.blame(f"{invoice_id}: charged without a fresh look at Stripe")
            return
        look = before[-1][1]
        if look.closed or look.amount_remaining_minor != amount:
            self._trace.blame(
                f"{invoice_id}: charged {amount}, but Stripe showed {look.status} "
                f"{look.amount_remaining_minor}"
            )

    def _brake(self, invoice_id: str, bank: Bank, sent_s: float) -> None:
        for database in self.databases:
            for row in database.fetch(_PAUSED, bank.kind.name, invoice_id, sent_s):
                self._trace.blame(f"{invoice_id}: charged while it is paused: {row['why']}")

    def _caps(self, invoice_id: str, charge: Charge, order: dict[str, Any]) -> None:
        """Of what is in the processors' books by then, at the times at which we began it."""
        began = {row["reference"]: row["first_sent_at"] for row in self._database.fetch(_INTENTS)}
        now = began.get(order["reference"])
        refunds = [r for bank in self.banks.values() for r in bank.book.refunds.values()]
        ours = [r for r in refunds if r.reference in began and r.status != "failed"]
        if now is None:
            return
        lately = [r for r in ours if now - _HOUR < began[str(r.reference)] <= now]
        if len(lately) >= self._policy.refunds_per_hour:
            self._trace.blame(f"{invoice_id}: given back, the {len(lately) + 1}. of an hour")
        minor = order["amount"] + sum(r.amount for r in lately)
        if minor > self._policy.refund_minor_per_hour:
            self._trace.blame(f"{invoice_id}: given back, which makes it {minor} in an hour")
        today = [r for r in ours if now - 24 * _HOUR < began[str(r.reference)] <= now]
        charges = [c for bank in self.banks.values() for c in bank.book.charges.values()]
        taken = sum(c.amount for c in charges if c.status == "succeeded")
        minor = order["amount"] + sum(r.amount for r in today)
        too_much = minor > self._policy.refund_share_of_day * taken
        if len(today) >= self._policy.refunds_without_share and too_much:
            self._trace.blame(f"{invoice_id}: {minor} given back in a day, {taken} ever taken")

    def _dunning(self, invoice_id: str, former: list[Charge], bank: Bank) -> None:
        """Only declines of other attempts with the same token."""
        if bank.kind.look_up is LookUpBy.NONE:
            former = [c for c in former if c.created.timestamp() > self.forgotten_until_s]
        declined = [c for c in former if c.status == "declined" and c.decline]
        if any(c.decline and c.decline.category != "retry_later" for c in declined):
            self._trace.blame(f"{invoice_id}: charged again after a decline for good")
        tries_max = 1 + len(self._policy.retry_pauses)
        if len({c.reference for c in declined}) >= tries_max:
            self._trace.blame(f"{invoice_id}: more than {tries_max} tries with one method")
        if declined and bank.now() - max(c.created for c in declined) < self._policy.retry_gap_min:
            self._trace.blame(f"{invoice_id}: tried again within a day")
