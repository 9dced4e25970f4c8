"""What may never happen, checked when a charge, a refund or a credit note of ours arrives."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.simulation import rules_by_hand
from tests.simulation.database import SimDatabase
from tests.simulation.invoice import Invoice
from tests.simulation.processor import ALIVE, Bank
from tests.simulation.stripe import SimStripe
from tests.simulation.subscriptions import BY_US
from tests.simulation.trace import Trace
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.policy import Policy
from twintill.processors import LookUpBy
from twintill.sandbox.processor.objects import Charge, Method, Refund
from twintill.stripe_billing.switching import REPLACES

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
# Of a customer whose tokens go since no subscription needs them; nor does a dispute.
_OWED = """
    SELECT p.invoice_id FROM payments p JOIN payment_methods m USING (customer_id)
    JOIN operations o USING (customer_id)
    WHERE m.processor_customer_id = $1 AND m.processor = $2
    AND o.kind = 'drop_tokens' AND o.step = 'revoke' AND o.ended_at IS NULL
    AND p.ended_at IS NULL AND p.created_at < to_timestamp($3)
    AND p.state NOT IN ('reported', 'stranded', 'refunded')"""  # those only go back
_DECLINED = "SELECT reference FROM attempts WHERE outcome = 'declined'"
_HANDED = (
    "SELECT 1 FROM payments "
    "WHERE invoice_id = $1 AND reason = 'handed_to_stripe' AND state = 'canceled'"
)
_INTENTS = """
    SELECT reference, first_sent_at FROM attempts WHERE kind = 'refund'
    AND attempt_id NOT IN (SELECT attempt_id FROM refund_asks WHERE attempt_id IS NOT NULL)"""
_ASKED = """
    SELECT k.refund_ask_id, k.amount_minor FROM refund_asks k JOIN attempts a USING (attempt_id)
    WHERE a.reference = $1"""
_HELD = """
    SELECT d.processor_dispute_id FROM disputes d JOIN payments p USING (payment_id)
    WHERE p.invoice_id = $1 AND d.created_at < to_timestamp($2)
    AND d.stage IN ('opened', 'under_review')"""
_LISTED_S = 180.0  # what was done so long before is in the lists that we read first


@dataclass
class Consent:
    """A person put a payment back to work: one refund of it need not keep to the caps."""

    since_s: float
    until_s: float = math.inf


class Rules:
    """All charges of an invoice, over all processors."""

    banks: dict[str, Bank]

    def __init__(
        self, stripe: SimStripe, policy: Policy, database: SimDatabase, trace: Trace
    ) -> None:
        self._stripe, self._policy, self._database = stripe, policy, database
        self.databases = [database]  # of all copies that may charge
        self.forgotten_until_s = 0.0  # what nobody can be asked for, and a restore took away
        self.agreed: dict[str, list[Consent]] = {}  # of whose payment a person said: go on
        self.wishes: Counter[str] = Counter()  # tries that people asked for, of which invoice
        self.asks: dict[str, str | None] = {}  # what people asked for, and the request it became
        self.at_work: dict[str, float] = {}  # invoices of which somebody does both sides by hand
        self._trace = trace
        stripe.may_credit, stripe.may_pay = self.may_credit, self.may_pay

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
        self._side(invoice_id)
        beside = rules_by_hand.beside(self._database, invoice_id, sent_s)
        if beside:
            self._trace.blame(f"{invoice_id}: charged, and {beside}")
        same = [c for b, c in former if b is bank and c.token == order["token"]]
        self._dunning(invoice_id, [c for c in same if c.reference != order["reference"]], bank)

    def may_give_back(
        self, bank: Bank, charge: Charge, order: dict[str, Any], sent_s: float
    ) -> None:
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
        if charge.finality == "provisional" and bank.kind.shows_provisional:
            self._trace.blame(f"{invoice_id}: {charge.id} is given back, and is not final")
        if charge.disputed:
            self._dispute(invoice_id, sent_s)
        if charge.status != "succeeded" or charge.disputed:
            return  # refused in any case
        left = charge.taken - self._given_back(charge, sent_s)
        if order["amount"] > left:
            self._trace.blame(f"{invoice_id}: {order['amount']} is given back, {left} is left")
        if self._asked_for(invoice_id, order):
            return
        taken = [c for _, c in self.of(invoice_id) if c.status == "succeeded"]
        rest = sum(c.taken - self._given_back(c, sent_s) for c in taken) - order["amount"]
        told = self._stripe.invoices[invoice_id].told_minor - self._by_hand(invoice_id)
        if rest < told:
            self._trace.blame(f"{invoice_id}: {rest} would be left, and Stripe was told {told}")
        self._not_at_work(invoice_id, sent_s)
        if not same and len(self.databases) == 1 and not self._agreed_to(invoice_id, order):
            self._caps(invoice_id, charge, order)

    def agrees(self, invoice_id: str) -> None:
        """A person says: go on."""
        self.agreed.setdefault(invoice_id, []).append(Consent(self._now_s()))

    def has_not_agreed(self, invoice_id: str) -> None:
        """What he said changed nothing, or there was nothing to give back just then."""
        for consent in self.agreed[invoice_id]:
            consent.until_s = min(consent.until_s, self._now_s())

    def may_pay(self, invoice: Invoice) -> None:
        """Called before Stripe is told that it is paid: of all that Stripe showed as due."""
        charges = [c for _, c in self.of(invoice.id) if c.status in ("succeeded", "failed")]
        taken = sum(charge.taken for charge in charges) + self._by_hand(invoice.id)
        here = taken - invoice.paid_by_us_minor
        if here < invoice.shown_minor:
            self._trace.blame(f"{invoice.id}: {invoice.shown_minor} is paid, and {here} was taken")

    def may_credit(
        self, invoice: Invoice, amount_minor: int, out_of_band_minor: int, sent_s: float
    ) -> None:
        """Called before a credit note of ours is made: of money that is gone, or that never came.

        Somebody else may have made one just now, after we listed them.
        """
        if out_of_band_minor:
            self._not_at_work(invoice.id, sent_s)
        there = [(b, c) for b, c in self.of(invoice.id) if c.status == "succeeded"]
        by_hand = self._by_hand(invoice.id)
        kept = by_hand + sum(charge.taken - self._gone(bank, charge) for bank, charge in there)
        taken = by_hand + sum(charge.taken for _, charge in there)
        stranded = max(0, taken - invoice.paid_by_us_minor) if invoice.paid_by_us_minor else 0
        lately = sum(
            note.out_of_band_minor
            for note in self._stripe.shelf.notes.get(invoice.id, ())
            if note.our_id is None
            and self._stripe.shelf.made_s[note.credit_note_id] > sent_s - _LISTED_S
        )
        told = invoice.told_minor + invoice.paid_by_hand_minor + lately - out_of_band_minor
        if out_of_band_minor and told < kept - stranded:
            self._trace.blame(f"{invoice.id}: {told} is left in Stripe, {kept} at the processors")
        due = invoice.remaining_minor - (amount_minor - out_of_band_minor)
        if not out_of_band_minor and len(there) == 1 and due < kept - invoice.paid_by_us_minor:
            self._trace.blame(f"{invoice.id}: {due} is left to pay in Stripe, and {kept} is here")

    def may_drop(self, bank: Bank, method: Method) -> None:
        """Called before a method is revoked for us: whatever was sent with it has an answer.

        Of what another copy has sent, a copy knows nothing.
        """
        if len(self.databases) > 1:
            return
        out = self._database.fetch(
            "SELECT a.reference FROM attempts a JOIN payment_methods m USING (payment_method_id) "
            "WHERE a.kind = 'charge' AND m.processor_customer_id = $1 AND m.processor = $2 "
            "AND a.outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')",
            method.customer,
            bank.kind.name,
        )
        if out:
            self._trace.blame(f"a method is dropped, and {out[0]['reference']} is out with it")
        an_hour_ago_s = bank.now().timestamp() - 3600
        owed = self._database.fetch(_OWED, method.customer, bank.kind.name, an_hour_ago_s)
        if owed:
            self._trace.blame(
                f"a method is dropped, and {owed[0]['invoice_id']} is to be collected"
            )

    def _by_hand(self, invoice_id: str) -> int:
        return rules_by_hand.on_the_invoice(self._database, invoice_id)

    def _asked_for(self, invoice_id: str, order: dict[str, Any]) -> bool:
        """A person asked for just this, and it becomes one request."""
        for row in self._database.fetch(_ASKED, order["reference"]):
            ask, amount = row["refund_ask_id"], row["amount_minor"]
            if ask not in self.asks or amount != order["amount"]:
                self._trace.blame(f"{invoice_id}: {order['amount']} is given back for {ask}")
            former = self.asks.setdefault(ask, order["reference"])
            if former not in (None, order["reference"]):
                self._trace.blame(f"{invoice_id}: {ask} was given back before, as {former}")
            self.asks[ask] = order["reference"]
            return True
        return False

    def _agreed_to(self, invoice_id: str, order: dict[str, Any]) -> bool:
        """By the last word of a person before it was begun, and nothing went back on it since."""
        if self.forgotten_until_s:
            return invoice_id in self.agreed  # a restored database has forgotten what it gave
        rows = self._database.fetch(_INTENTS)
        began = {row["reference"]: row["first_sent_at"].timestamp() for row in rows}
        at_s = began.get(order["reference"], 0.0)
        for consent in reversed(self.agreed.get(invoice_id, ())):
            if consent.since_s - _FRESH_S <= at_s <= consent.until_s + _FRESH_S:
                given = [r.reference for r in self._refunds(invoice_id) if r.status == "succeeded"]
                return not any(consent.since_s <= began.get(str(r), 0.0) < at_s for r in given)
        return False

    def _refunds(self, invoice_id: str) -> list[Refund]:
        return [
            refund
            for bank, charge in self.of(invoice_id)
            for refund in bank.book.refunds.values()
            if refund.charge == charge.id
        ]

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _dispute(self, invoice_id: str, sent_s: float) -> None:
        for row in self._database.fetch(_HELD, invoice_id, sent_s - _FRESH_S):
            its_id = row["processor_dispute_id"]
            self._trace.blame(f"{invoice_id}: given back, and {its_id} has no end")

    def _not_at_work(self, invoice_id: str, sent_s: float) -> None:
        """The other side is left to whoever has begun with one by hand, for a while."""
        if sent_s < self.at_work.get(invoice_id, 0.0):
            self._trace.blame(f"{invoice_id}: done, while somebody does both sides by hand")

    def _given_back(self, charge: Charge, sent_s: float) -> int:
        """Without what a person gave back just now, or where we cannot see it."""
        bank = next(b for b, c in self.of(charge.metadata["invoice"]) if c is charge)
        seen_s = sent_s - bank.kind.lag_s - _LISTED_S
        return sum(
            refund.amount
            for refund in bank.book.refunds.values()
            if refund.charge == charge.id
            and refund.status != "failed"
            and (refund.reference or self._is_seen(bank, refund, seen_s))
        )

    def _is_seen(self, bank: Bank, refund: Refund, seen_s: float) -> bool:
        return bank.kind.look_up is not LookUpBy.NONE and refund.created.timestamp() <= seen_s

    def _gone(self, bank: Bank, charge: Charge) -> int:
        """Given back for good, or lost."""
        back = [r for r in bank.book.refunds.values() if r.charge == charge.id]
        lost = [d for d in bank.book.disputes.values() if d.charge == charge.id]
        return sum(r.amount for r in back if r.status == "succeeded") + sum(
            d.amount for d in lost if d.status in ("lost", "accepted")
        )

    def may_be_collected_by_stripe(self, invoice: Invoice) -> None:
        """Called before Stripe charges a method of its own, asked to or by itself."""
        for bank, charge in self.of(invoice.id):
            left = charge.amount - charge.refunded
            if charge.status in ALIVE and left and charge.id not in bank.late:
                self._trace.blame(f"{invoice.id}: Stripe charges, and {charge.id} is alive")
        if any(bank.on_its_way[invoice.id] for bank in self.banks.values()):
            self._trace.blame(f"{invoice.id}: Stripe charges, and a charge is on its way")
        again = [
            i for i in self._stripe.invoices.values() if i.metadata.get(REPLACES) == invoice.id
        ]
        if any(i.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID) for i in again):
            self._trace.blame(f"{invoice.id}: Stripe charges, and {again[0].id} asks for it again")

    def _side(self, invoice_id: str) -> None:
        """An invoice is collected by one side."""
        invoice = self._stripe.invoices[invoice_id]
        if invoice.collection_method != BY_US:
            self._trace.blame(f"{invoice_id}: charged, and Stripe collects it")
        if invoice.taken_by_stripe:
            self._trace.blame(f"{invoice_id}: charged, and Stripe has charged it")
        if len(self.databases) == 1 and self._database.fetch(_HANDED, invoice_id):
            self._trace.blame(f"{invoice_id}: charged, and it is handed over to Stripe")

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
        taken = sum(c.taken for c in charges if c.status == "succeeded")
        minor = order["amount"] + sum(r.amount for r in today)
        too_much = minor > self._policy.refund_share_of_day * taken
        if len(today) >= self._policy.refunds_without_share and too_much:
            self._trace.blame(f"{invoice_id}: {minor} given back in a day, {taken} ever taken")

    def _dunning(self, invoice_id: str, former: list[Charge], bank: Bank) -> None:
        """Only declines of other attempts with the same token."""
        if bank.kind.look_up is LookUpBy.NONE:
            former = [c for c in former if c.created.timestamp() > self.forgotten_until_s]
        if not bank.kind.shows_declines:
            told = {row["reference"] for row in self._database.fetch(_DECLINED)}
            former = [c for c in former if c.reference in told]
        declined = [c for c in former if c.status == "declined" and c.decline]
        if any(c.decline and c.decline.category != "retry_later" for c in declined):
            self._trace.blame(f"{invoice_id}: charged again after a decline for good")
        wished = self.wishes[invoice_id]  # no pause of dunning holds those
        tries_max = 1 + len(self._policy.retry_pauses) + wished
        if len({c.reference for c in declined}) >= tries_max:
            self._trace.blame(f"{invoice_id}: more than {tries_max} tries with one method")
        if wished or not declined:
            return
        if bank.now() - max(c.created for c in declined) < self._policy.retry_gap_min:
            self._trace.blame(f"{invoice_id}: tried again within a day")
