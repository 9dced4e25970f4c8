"""A small pure world round a reported payment: Stripe's credit notes, a processor's refunds.

Both books are kept as their owners keep them; people act on either; answers are lost. Nothing here
knows how `decide` decides.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tests.domain.situations import APPROVED, NOW, POLICY, after, answer, new_payment, start
from twintill.domain import facts as f
from twintill.domain import ledger
from twintill.domain.afterwards import to_note_minor, wanted
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.facts import Fact, Via
from twintill.domain.money_back import DECIDED, LOSSES, DisputeStage, SeenNote
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Outcome, Payment, Refund
from twintill.domain.refund_asks import Refused, choose
from twintill.domain.return_facts import (
    DisputeNotSeen,
    DisputeTold,
    MoneyBackTold,
    NoteMade,
    NoteRefused,
    NoteStarted,
    RefundAsked,
    RefundSeenThere,
    SidesSeen,
)
from twintill.domain.steps import (
    AskDispute,
    AskRefund,
    Compare,
    Credit,
    GiveReportedBack,
    next_step,
)
from twintill.money import Money

ALL_MINOR = 5000
FEE_MINOR = 1500


class Line(StrEnum):
    FINE = "fine"
    NEVER_LEFT = "never left"
    LOST_BEFORE = "lost before it arrived"
    LOST_AFTER = "the answer was lost"


@dataclass
class Given:
    """One refund at the processor."""

    amount_minor: int
    state: str = "done"  # done, pending, failed
    refund: Refund | None = None  # None: by hand


@dataclass
class Claim:
    """One dispute at the processor; its states, oldest first."""

    minor: int
    states: list[tuple[DisputeStage, bool]]  # how far it is, whether the amount is taken

    @property
    def is_open(self) -> bool:
        return self.states[-1][0] not in DECIDED

    def then(self, stage: DisputeStage | None = None, *, taken: bool | None = None) -> None:
        was, had = self.states[-1]
        self.states.append((stage or was, had if taken is None else taken))


@dataclass
class Sides:
    payment: Payment = field(
        default_factory=lambda: after(
            new_payment(), start(), answer(APPROVED), f.InvoiceReported(ALL_MINOR)
        )
    )
    now: datetime = NOW
    notes: list[SeenNote] = field(default_factory=list)
    given: dict[str, Given] = field(default_factory=dict)
    asked_minor: int = 0
    by_hand: Counter[str] = field(default_factory=Counter)
    claims: dict[str, Claim] = field(default_factory=dict)
    posted: list[ledger.LedgerTransaction] = field(default_factory=list)

    def learn(self, fact: Fact) -> Decision:
        decision = decide(self.payment, fact, POLICY, self.now)
        self.payment = decision.payment
        self.posted += decision.postings
        self.check()
        return decision

    # People

    def ask(self, minor: int) -> None:
        """Through our API."""
        chosen = choose(self.payment, minor)
        if not isinstance(chosen, Refused):
            self.asked_minor += minor
            name = f"rfd_{len(self.payment.asks)}"
            self.learn(RefundAsked(name, chosen[0].id, minor, "not used", "ada"))

    def credit_by_hand(self, minor: int) -> None:
        if minor <= ALL_MINOR - self._noted_minor:
            self.by_hand["notes"] += minor
            self.notes.append(SeenNote(f"cn_hand_{len(self.notes)}", None, minor, minor))

    def refund_by_hand(self, minor: int) -> None:
        if minor <= ALL_MINOR - self._given_minor and not self._is_disputed:
            self.by_hand["refunds"] += minor
            self.given[f"rf_hand_{len(self.given)}"] = Given(minor)

    def told(self) -> None:
        self.learn(MoneyBackTold("one side"))

    def dispute(self, minor: int, *, taken: bool) -> None:
        """The customer goes to the bank, which does not know what he was given back."""
        if not self._is_disputed:
            claim = Claim(minor, [(DisputeStage.OPENED, taken)])
            self.claims[f"dp_{len(self.claims)}"] = claim

    def judge(self, stage: DisputeStage) -> None:
        for claim in self.claims.values():
            if claim.is_open:
                taken = False if stage is DisputeStage.WON else None
                claim.then(stage, taken=taken)

    def take(self) -> None:
        """The bank takes what it left with the merchant so far."""
        for claim in self.claims.values():
            if claim.states[-1][0] is not DisputeStage.WON:
                claim.then(taken=True)

    def tell_of(self, name: str, age: int = 0) -> None:
        """By webhook, news old or new; or in the processor's record."""
        stage, taken = self.claims[name].states[-1 - age % len(self.claims[name].states)]
        amount = Money(self.claims[name].minor, "EUR")
        self.learn(DisputeTold(f"dsp_{name}", name, "att_1", stage, amount, taken, FEE_MINOR))

    @property
    def _is_disputed(self) -> bool:
        """No refund of it, and no other dispute."""
        return any(c.states[-1][0] is not DisputeStage.WON for c in self.claims.values())

    def settle(self, *, kindly: bool) -> None:
        for name, given in self.given.items():
            if given.state == "pending" and given.refund is not None:
                given.state = "done" if kindly else "failed"
                self.learn(f.RefundAnswered(given.refund.id, self._now(name, given), Via.RECORD))

    def fail_late(self) -> None:
        """The bank takes the debit back, whatever was given back or credited of it."""
        self.learn(f.FailedLate("att_1", "nsf", "no money was there after all"))

    # The worker

    def look(self, line: Line, does: str, *, readable: bool = True) -> None:
        payment = self.payment
        if payment.ended or payment.parked_why is not None or not self._is_due():
            return
        if not readable:
            self.learn(f.LookFailed("timed out"))
            return
        match next_step(payment):
            case Compare():
                self.learn(self._seen())
            case GiveReportedBack(receipt):
                ask = wanted(payment)
                minor = receipt.refund_due_minor if ask is None else ask.amount_minor
                self._give(minor, None if ask is None else ask.id, line, does)
            case Credit():
                self._credit(line)
            case AskRefund(refund):
                self._ask(refund)
            case AskDispute(dispute):
                if line is Line.FINE:
                    self.tell_of(dispute.processor_dispute_id)
                else:
                    self.learn(DisputeNotSeen(dispute.id, "timed out"))
            case other:
                raise AssertionError(f"due, and nothing of this world is to be done: {other}")

    def _is_due(self) -> bool:
        at = self.payment.next_look_at
        return at is not None and at <= self.now

    def _seen(self) -> SidesSeen:
        known = {n.credit_note_id for n in self.payment.notes}
        there = {r.processor_refund_id for r in self.payment.refunds}
        strangers = [k for k, g in self.given.items() if g.refund is None and k not in there]
        n = self.payment.next_refund_n
        refunds = tuple(
            RefundSeenThere(
                "rct_1", name, Money(self.given[name].amount_minor, "EUR"), n + i, f"ref_{n + i}"
            )
            for i, name in enumerate(strangers)
        )
        return SidesSeen(tuple(n for n in self.notes if n.credit_note_id not in known), refunds)

    def _nothing_new(self) -> bool:
        seen = self._seen()
        if seen.notes or seen.refunds:
            self.learn(seen)
            return False
        return True

    def _give(self, minor: int, ask_id: str | None, line: Line, does: str) -> None:
        if not self._nothing_new():
            return
        n = self.payment.next_refund_n
        names = (f"ref_{n}", f"tw-{n}", f"key-{n}")
        fact = f.RefundStarted("rct_1", minor, n, *names, reported=True, ask_id=ask_id)
        refund = self.learn(fact).give_back
        if refund is not None:
            answer = self._request(refund, line, does)
            self.learn(f.RefundAnswered(refund.id, answer, Via.FIRST))

    def _request(self, refund: Refund, line: Line, does: str) -> ChargeOutcome:
        if line is Line.NEVER_LEFT:
            return NotSent(NotSentReason.NETWORK, "refused")
        if line is Line.LOST_BEFORE:
            return NoAnswer("reset")
        if (
            does == "declines"
            or self._is_disputed
            or refund.amount.minor > ALL_MINOR - self._given_minor
        ):
            return Declined(DeclineKind.SOFT, "refund_refused")
        name = f"rf_{refund.n}"
        state = "pending" if does == "takes its time" else "done"
        self.given[name] = Given(refund.amount.minor, state, refund)
        return (
            NoAnswer("timed out") if line is Line.LOST_AFTER else self._now(name, self.given[name])
        )

    def _ask(self, refund: Refund) -> None:
        found = [(k, g) for k, g in self.given.items() if g.refund and g.refund.id == refund.id]
        if found:
            self.learn(f.RefundAnswered(refund.id, self._now(*found[0]), Via.RECORD))
        else:
            conclusive = self.now > refund.first_sent_at + timedelta(days=2)
            self.learn(f.RefundNotFoundThere(refund.id, conclusive))

    def _credit(self, line: Line) -> None:
        if not self._nothing_new():
            return
        begun = self.payment.started_note
        n = self.payment.next_note_n if begun is None else begun.n
        minor = to_note_minor(self.payment) if begun is None else begun.amount_minor
        note = self.learn(NoteStarted(f"note_{n}", n, minor)).make_note
        if note is None:
            return
        if line in (Line.NEVER_LEFT, Line.LOST_BEFORE):
            self.learn(f.LookFailed("timed out"))
        elif note.amount_minor > ALL_MINOR - self._noted_minor:
            self.learn(NoteRefused(note.id, "more than is left"))
        else:
            made = SeenNote(f"cn_{len(self.notes)}", note.id, note.amount_minor, note.amount_minor)
            self.notes.append(made)
            lost = line is Line.LOST_AFTER
            told = NoteMade(note.id, made.credit_note_id, made.out_of_band_minor)
            self.learn(f.LookFailed("timed out") if lost else told)

    def _now(self, name: str, given: Given) -> ChargeOutcome:
        if given.state == "pending":
            return Accepted(name)
        if given.state == "failed":
            return Declined(DeclineKind.SOFT, "account_closed", processor_payment_id=name)
        return Approved(name, Money(given.amount_minor, "EUR"))

    # What must hold

    @property
    def _given_minor(self) -> int:
        return sum(g.amount_minor for g in self.given.values() if g.state != "failed")

    @property
    def _noted_minor(self) -> int:
        return sum(n.out_of_band_minor for n in self.notes)

    def check(self) -> None:
        payment, (receipt,) = self.payment, self.payment.receipts
        assert payment.ended or payment.next_look_at is not None or payment.parked_why is not None
        assert len({t.cause for t in self.posted}) == len(self.posted), "a fact posted twice"
        stands: Counter[str] = Counter()
        for leg in (leg for t in self.posted for leg in t.postings):
            stands[leg.account] += leg.amount_minor
        under_way = [r for r in payment.refunds if r.outcome is Outcome.ACCEPTED]
        out_minor = sum(r.amount.minor for r in under_way)
        assert stands[ledger.REPORTED] == ALL_MINOR - receipt.reported_minor
        due_minor = 0 if receipt.failed else out_minor - receipt.refund_due_minor
        assert stands[ledger.REFUND_DUE] == due_minor
        assert stands[ledger.IN_FLIGHT] == -out_minor
        fees_minor = sum(d.fee_minor for d in payment.disputes)
        gone_minor = receipt.refunded_minor + receipt.disputed_minor + receipt.loss_minor
        held_minor = receipt.withheld_minor + fees_minor
        back_minor = ALL_MINOR if receipt.failed else 0
        assert stands[ledger.clearing("acct_p")] == -gone_minor - held_minor - back_minor
        # What Stripe does not know yet, and what the customer has twice.
        twice_minor = receipt.refunded_minor + out_minor
        owes_minor = receipt.reported_minor + twice_minor if receipt.failed else 0
        assert stands[ledger.FAILED] == owes_minor
        assert stands[ledger.fee("sandbox")] == fees_minor
        assert stands[ledger.WITHHELD] == receipt.withheld_minor
        assert stands[ledger.NOTE_DUE] == -receipt.note_due_minor
        assert stands[ledger.LOSS] == receipt.loss_minor
        assert receipt.unapplied_minor == 0
        assert min(receipt.reported_minor, receipt.refunded_minor) >= 0
        ours_minor = self._given_minor - self.by_hand["refunds"]
        assert ours_minor <= self.asked_minor + self.by_hand["notes"], "nobody wanted that refund"
        assert len([r for r in payment.refunds if r.unresolved]) <= 1

    def check_the_end(self) -> None:
        """Both sides say the same, unless a person was called."""
        if self.payment.parked_why is None:
            assert self.payment.ended
            (receipt,) = self.payment.receipts
            if receipt.failed:
                assert (receipt.reported_minor, self._noted_minor) == (0, ALL_MINOR)
                return
            assert receipt.refund_due_minor == receipt.note_due_minor == 0
            assert receipt.withheld_minor == 0
            told = receipt.refunded_minor == self._given_minor
            gone_minor = self._given_minor + receipt.disputed_minor
            assert not told or self._noted_minor == gone_minor, "the two sides differ"
            lost_minor = sum(c.minor for c in self.claims.values() if c.states[-1][0] in LOSSES)
            heard = len(payment_disputes := self.payment.disputes) == len(self.claims)
            assert not heard or receipt.disputed_minor + receipt.loss_minor == lost_minor
            assert not any(d.is_open for d in payment_disputes)
