"""A small pure world round one payment: an ideal store, a processor, a Stripe, and a clock.

The store applies each decision and checks what must hold after every one. The processor acts at
most once per key, loses answers, and tells old news. Nothing here knows how `decide` decides.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tests.domain.giving_back import GivingBack
from tests.domain.hands import Hands
from tests.domain.situations import LOOK, NOW, POLICY, new_payment
from twintill.domain import facts as f
from twintill.domain.afterwards import to_note_minor
from twintill.domain.customer_facts import TryAsked
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.doubt import Window, may_replay, nothing_can_appear
from twintill.domain.dunning import choose
from twintill.domain.facts import (
    Answered,
    Fact,
    Via,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.ledger import (
    REPORTED,
    UNAPPLIED,
    LedgerTransaction,
    balance_per_payment,
)
from twintill.domain.money_back import SeenNote
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    NeedsCustomer,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Attempt, Outcome, Payment, State, Usable
from twintill.domain.policy import AtEnd, Exhausted
from twintill.domain.report import Pay, judge_paid, judge_report
from twintill.domain.return_facts import NoteMade, NoteStarted, SidesSeen
from twintill.domain.steps import (
    Ask,
    AskRefund,
    Charge,
    Conclude,
    Credit,
    GiveBack,
    Report,
    Resolve,
    Rest,
    next_step,
)

_GIVEN = {"pm_a": NOW - timedelta(days=90), "pm_b": NOW - timedelta(days=80)}


# How others close an invoice, and facts that may come at any moment.
CLOSED = (
    (InvoiceStatus.VOID, StripePayment.NONE),
    (InvoiceStatus.DELETED, StripePayment.NONE),
    (InvoiceStatus.UNCOLLECTIBLE, StripePayment.NONE),
    (InvoiceStatus.PAID, StripePayment.PAID),
    (InvoiceStatus.PAID, StripePayment.NONE),
)
TOLD: tuple[Fact, ...] = (
    f.InvoiceTouched("invoice.updated"),
    f.InvoiceTouched("invoice.voided"),
    f.InvoiceOpened(None),
    f.MethodAdded("pm_b"),
    f.MethodLost("pm_c"),
    TryAsked("pm_a"),
    TryAsked("pm_b"),
    f.ConclusionStarted(LOOK),
    f.Concluded(Exhausted.MARK_UNCOLLECTIBLE, "uncollectible"),
    f.AmountAgreed(5000),
    f.CheckoutExpired(),
    f.FirstPaymentGivenUp(),
    f.NoMethodFound(),
    f.LookFailed("timed out"),
    f.ReportFailed("timed out"),
)


class Does(StrEnum):
    """What the processor does with a request that it sees for the first time."""

    APPROVE = "approve"
    APPROVE_FOR_NOW = "approve for now"
    ACCEPT = "accept"
    ASK_CUSTOMER = "ask the customer"
    DECLINE = "decline"
    DECLINE_FOR_GOOD = "decline for good"


class Line(StrEnum):
    """What becomes of a request and its answer on the wire."""

    FINE = "fine"
    NEVER_LEFT = "never left"
    LOST_BEFORE = "lost before it arrived"
    LOST_AFTER = "the answer was lost"
    LATE = "the answer came after the lease"


@dataclass
class There:
    """One charge at the processor: its states, oldest first."""

    attempt: Attempt
    states: list[ChargeOutcome]

    @property
    def now(self) -> ChargeOutcome:
        return self.states[-1]

    @property
    def holds_money(self) -> bool:
        return isinstance(self.now, Approved)


@dataclass
class World:
    """Everything outside `decide`, and the rules that hold after each decision."""

    payment: Payment = field(default_factory=new_payment)
    now: datetime = NOW
    invoice: InvoiceLook = LOOK
    there: dict[str, There] = field(default_factory=dict)  # by idempotency key
    ledger: list[LedgerTransaction] = field(default_factory=list)
    flips: int = 0  # declines that the processor turned into approvals, on its own account
    looks_up: bool = True  # whether the processor can be asked by our reference
    replays_first_answer: bool = True  # or calls every repetition a duplicate, and declines it
    preferred: str = "pm_a"
    taken: list[f.ChargeStarted | f.ReplayStarted] = field(default_factory=list)  # last looks
    braked: bool = False  # charging through the processor is paused
    notes: list[SeenNote] = field(default_factory=list)  # Stripe's
    followed: dict[str, int] = field(default_factory=dict)  # what was invoiced anew, by its cause
    at_end: AtEnd = AtEnd.COLLECT  # the setting

    def __post_init__(self) -> None:
        self.back = GivingBack(self)
        self.hands = Hands(self)

    # The store

    def learn(self, fact: Fact) -> Decision:
        before = self.payment = replace(self.payment, methods=self.methods())
        policy = replace(POLICY, open_invoices_at_end=self.at_end)
        decision = decide(before, fact, policy, self.now)
        self._check_send(before, fact, decision)
        self.payment = decision.payment
        self.ledger += decision.postings
        self.check()
        return decision

    def methods(self) -> tuple[Usable, ...]:
        """Both that the customer stored, the preferred one first, as the store reads them."""
        return tuple(self._usable(method) for method in sorted(_GIVEN, key=self._order))

    def _order(self, method: str) -> bool:
        return method != self.preferred

    def _usable(self, method: str) -> Usable:
        mine = [a for a in self.payment.attempts if a.method_id == method]
        tried = [a for a in mine if a.outcome not in (Outcome.APPROVED, Outcome.NOT_SENT)]
        month = self.now - timedelta(days=30)
        no = [a for a in tried if a.decline_kind is DeclineKind.HARD]
        return Usable(
            id=method,
            given_at=_GIVEN[method],
            same_token=frozenset((method,)),
            tried_at=tuple(a.first_sent_at for a in tried if a.first_sent_at > month),
            refused=DeclineKind.HARD if no else None,
            refused_at=max((a.answered_at for a in no if a.answered_at), default=None),
        )

    def _check_send(self, before: Payment, fact: Fact, decision: Decision) -> None:
        if decision.send is None:
            return
        sent = decision.send.attempt
        assert not self.braked, "charging is paused"
        assert isinstance(fact, f.ChargeStarted | f.ReplayStarted), "only these may send"
        assert not any(not r.failed for r in before.receipts), "the money is here"
        assert before.parked_why is None, "a person looks at it"
        assert not before.ended
        assert before.closing is None, "to be closed, not charged"
        assert before.waiting_by_hand is None, "the money is in somebody's hand"
        assert decision.payment.unresolved_attempt == sent
        assert sent.amount.minor == fact.look.amount_remaining_minor, "not what is due"
        if isinstance(fact, f.ReplayStarted):
            return
        assert sent.n == 1 + max((a.n for a in before.attempts), default=0), "n has a gap"
        closed = {Outcome.DECLINED, Outcome.NOT_SENT}
        assert {a.outcome for a in before.attempts} <= closed, "n rose without a definite no"
        declines = [
            a
            for a in before.attempts
            if a.method_id == sent.method_id and a.outcome is Outcome.DECLINED
        ]
        (token,) = [m for m in before.methods if m.id == sent.method_id]
        for window, limit in ((timedelta(days=1), 7), (timedelta(days=30), 15)):
            recent = [at for at in token.tried_at if at > self.now - window]
            assert len(recent) < limit, "more than the card networks allow"
        asked_for = before.method_asked_for == sent.method_id
        assert asked_for or len(declines) < 4, "a fifth try with one method"
        for old in declines:
            assert old.decline_kind is DeclineKind.SOFT, "charged again after a hard decline"
            if asked_for:
                continue
            assert sent.first_sent_at - old.first_sent_at >= POLICY.retry_gap_min, "too soon"
            assert before.due_at is None or self.now <= before.due_at - POLICY.due_margin

    def check(self) -> None:
        payment = self.payment
        unresolved = [a for a in payment.attempts if a.unresolved]
        assert len(unresolved) <= 1
        assert payment.ended or payment.next_look_at is not None or payment.parked_why is not None
        if payment.ended:
            assert payment.parked_why is None
            assert not unresolved
            assert payment.unapplied_minor == 0
        told = payment.reported_minor or payment.stranded_minor
        if unresolved and not told and all(r.failed for r in payment.receipts):
            assert payment.state in (State.CHARGING, State.PENDING), "an attempt is out"
        assert len({a.n for a in payment.attempts}) == len(payment.attempts)
        next_step(payment)
        self._check_money()

    def _check_money(self) -> None:
        receipts = self.payment.receipts
        for r in receipts:
            assert (
                min(r.collected_minor, r.reported_minor, r.stranded_minor, r.unapplied_minor) >= 0
            )
        assert balance_per_payment(self.payment) == 0
        assert len({t.cause for t in self.ledger}) == len(self.ledger), "a fact posted twice"
        stands: dict[str, int] = {}
        for leg in (leg for t in self.ledger for leg in t.postings):
            stands[leg.account] = stands.get(leg.account, 0) + leg.amount_minor
        assert -stands.get(UNAPPLIED, 0) == self.payment.unapplied_minor
        assert -stands.get(REPORTED, 0) == self.payment.reported_minor
        self.back.check(stands)
        self.hands.check(stands)
        live = [r for r in receipts if not r.failed and r.attempt_id]
        clearing = sum(v for k, v in stands.items() if k.startswith("processor:"))
        here = sum(r.collected_minor for r in live) - sum(r.refunded_minor for r in receipts)
        assert clearing == here
        assert self.payment.reported_minor <= self.invoice.amount_paid_minor
        holding = [c for c in self.there.values() if c.holds_money]
        assert len(holding) <= 1 + self.flips, "charged twice by us"
        assert sum(1 for r in live if r.reported_minor) <= 1, "two receipts reported"
        noted = sum(n.out_of_band_minor for n in self.payment.notes if n.credit_note_id)
        assert sum(self.followed.values()) <= noted, "invoiced anew before it was credited"
        told = sum(r.reported_minor for r in self.payment.receipts)
        assert told + noted <= self.invoice.amount_paid_minor

    # The worker

    @property
    def due(self) -> bool:
        at = self.payment.next_look_at
        waits = self.payment.ended or self.payment.parked_why is not None
        return not waits and at is not None and at <= self.now

    def look(self, does: Does, line: Line, method: str, *, readable: bool = True) -> None:
        """One look of a worker, if it is due."""
        if not self.due:
            return
        match next_step(self.payment):
            case Charge():
                self._charge(does, line, method, readable=readable)
            case Report():
                # Claiming it commits "a report may have been begun".
                self.payment = replace(self.payment, reports=self.payment.reports + 1)
                self.report(line, readable=readable)
            case Resolve(attempt):
                self._resolve(attempt, does, line, readable=readable)
            case Ask(attempt):
                self._ask(attempt, line)
            case GiveBack(receipt):
                self.back.look(receipt, does, line, readable=readable)
            case AskRefund(refund):
                self.back.ask(refund, does, line)
            case Credit():
                self._credit(line, readable=readable)
            case Conclude():
                self._conclude()
            case Rest():
                raise AssertionError("due, and nothing to do")

    def _conclude(self) -> None:
        how = self.learn(f.ConclusionStarted(self.invoice)).conclude
        if how is None:
            return
        assert not [a for a in self.payment.attempts if a.unresolved], "closed under a charge"
        assert self.payment.unapplied_minor == 0, "closed although the money is here"
        status = InvoiceStatus.VOID if how == AtEnd.VOID else InvoiceStatus.UNCOLLECTIBLE
        self.closed_by_others(status, StripePayment.NONE)
        self.learn(f.Concluded(how, self.invoice.status, self.invoice))

    def _credit(self, line: Line, *, readable: bool) -> None:
        """The credit note of a debit that failed after its report."""
        payment = self.payment
        new = tuple(
            n
            for n in self.notes
            if n.our_id not in {m.id for m in payment.notes if m.credit_note_id}
        )
        if new:
            self._follow(self.learn(SidesSeen(new)))
            return
        begun, n = payment.started_note, payment.next_note_n
        minor = to_note_minor(payment) if begun is None else begun.amount_minor
        name = f"note_{n}" if begun is None else begun.id
        note = self.learn(NoteStarted(name, n if begun is None else begun.n, minor)).make_note
        if note is None:
            return
        if not readable or line in (Line.NEVER_LEFT, Line.LOST_BEFORE):
            self.learn(f.LookFailed("timed out"))
            return
        made = SeenNote(f"cn_{note.n}", note.id, note.amount_minor, note.amount_minor)
        self.notes.append(made)
        if line is Line.LOST_AFTER:
            self.learn(f.LookFailed("timed out"))
        else:
            told = NoteMade(note.id, made.credit_note_id, made.out_of_band_minor)
            self._follow(self.learn(told))

    def _follow(self, decision: Decision) -> None:
        if decision.follow_on is not None:
            self.followed[decision.follow_on.cause] = decision.follow_on.amount_minor

    def _ask(self, attempt: Attempt, line: Line) -> None:
        told = self._record(attempt, line)
        if not attempt.unresolved and not isinstance(told, Approved | Declined):
            self.learn(f.LookFailed("could not ask whether it is final"))
        else:
            self.learn(Answered(attempt.id, told, Via.RECORD))

    def _charge(self, does: Does, line: Line, method: str, *, readable: bool) -> None:
        if self.braked and line is Line.FINE:
            self.learn(f.ChargeBraked("paused"))
            return
        if not readable:
            self.learn(f.LookFailed("timed out"))
            return
        self.preferred = method
        fact = self.prepared(self._chosen())
        self.come(fact, does, line)
        if line is Line.FINE and self.payment.unapplied_minor and self.payment.parked_why is None:
            self.report(line, readable=readable)

    def take_look(self, method: str) -> None:
        """The last look is taken; what it prepared is learned after whatever comes between."""
        attempt = self.payment.unresolved_attempt
        if attempt is None:
            self.preferred = method
            self.taken.append(self.prepared(self._chosen()))
        else:
            self.taken.append(f.ReplayStarted(attempt.id, self.invoice))

    def come(self, fact: f.ChargeStarted | f.ReplayStarted, does: Does, line: Line) -> None:
        """What was prepared is learned; sent, if that may be; and so is the answer."""
        send = self.learn(replace(fact, braked="paused" if self.braked else None)).send
        if send is None:
            return
        answer = self._request(send.attempt, does, line)
        via = Via.EXACT_REPLAY if self.replays_first_answer else Via.REPLAY
        if isinstance(fact, f.ChargeStarted):
            via = Via.FIRST
        self.learn(Answered(send.attempt.id, answer, Via.STALE if line is Line.LATE else via))

    def _chosen(self) -> str:
        chosen = choose(replace(self.payment, methods=self.methods()), POLICY, self.now)
        assert chosen is not None, "two are stored"
        return chosen

    def prepared(self, method: str) -> f.ChargeStarted:
        n = self.payment.next_n
        row = f.Method(method, "sandbox", "acct_p")
        return f.ChargeStarted(self.invoice, row, n, f"tw-{n}", f"key-{n}", f"att_{n}")

    def report(self, line: Line, *, readable: bool) -> None:
        if not readable or line in (Line.NEVER_LEFT, Line.LOST_BEFORE):
            self.learn(f.ReportFailed("timed out"))
            return
        verdict = judge_report(self.payment, self.invoice)
        if not isinstance(verdict, Pay):
            self.learn(verdict)
            return
        rest = self.invoice.amount_remaining_minor
        paid = self.invoice.amount_paid_minor + rest
        self.invoice = replace(
            self.invoice,
            status=InvoiceStatus.PAID,
            amount_paid_minor=paid,
            amount_remaining_minor=0,
        )
        if line is Line.LOST_AFTER:
            self.learn(f.ReportFailed("timed out"))
        else:
            self.learn(judge_paid(self.payment, self.invoice, told_by_us=True))

    def _resolve(self, attempt: Attempt, does: Does, line: Line, *, readable: bool) -> None:
        window = Window(timedelta(days=1), timedelta(hours=1), self.looks_up)
        known = self.there.get(attempt.idempotency_key)
        if self.looks_up and (known is not None or line is Line.LOST_AFTER):
            self.learn(Answered(attempt.id, self._record(attempt, line), Via.RECORD))
        elif not may_replay(attempt, window, POLICY, self.now):
            conclusive = nothing_can_appear(attempt, window, self.now)
            self.learn(f.NotFoundThere(attempt.id, conclusive))
        elif not readable:
            self.learn(f.LookFailed("timed out"))
        else:
            self.come(f.ReplayStarted(attempt.id, self.invoice), does, line)

    # The processor

    def _request(self, attempt: Attempt, does: Does, line: Line) -> ChargeOutcome:
        if line is Line.NEVER_LEFT:
            return NotSent(NotSentReason.NETWORK, "connection refused")
        if line is Line.LOST_BEFORE:
            return NoAnswer("reset")
        key = attempt.idempotency_key
        if key not in self.there:
            self.there[key] = There(attempt, [_first(attempt, does)])
        elif not self.replays_first_answer:
            return Declined(DeclineKind.SOFT, "duplicate")
        return NoAnswer("timed out") if line is Line.LOST_AFTER else self.there[key].now

    def _record(self, attempt: Attempt, line: Line) -> ChargeOutcome:
        known = self.there.get(attempt.idempotency_key)
        if line is Line.NEVER_LEFT:
            return NotSent(NotSentReason.RATE, "could not look")
        return NoAnswer("could not look") if known is None or line is Line.LOST_AFTER else known.now

    def settle(self, charge: There, *, kindly: bool) -> None:
        """The processor makes up its mind, or changes it."""
        attempt = charge.attempt
        if isinstance(charge.now, Accepted | NeedsCustomer):
            does = Does.APPROVE_FOR_NOW if kindly else Does.DECLINE
            charge.states.append(_first(attempt, does))
        elif isinstance(charge.now, Declined) and kindly and len(charge.states) == 1:
            self.flips += 1
            does = Does.APPROVE if self.looks_up else Does.APPROVE_FOR_NOW
            charge.states.append(_first(attempt, does))

    def make_final(self, charge: There) -> None:
        now = charge.now
        if isinstance(now, Approved) and now.finality is Finality.PROVISIONAL:
            charge.states.append(replace(now, finality=Finality.FINAL))

    def fail_late(self, charge: There) -> None:
        """A debit that was approved for now comes back; told as what it is."""
        now = charge.now
        if isinstance(now, Approved) and now.finality is Finality.PROVISIONAL:
            charge.states.append(Declined(DeclineKind.SOFT, "nsf"))
            self.learn(f.FailedLate(charge.attempt.id, "nsf", ""))

    def closed_by_others(self, status: InvoiceStatus, stripe_payment: StripePayment) -> None:
        """Somebody else voids it, pays it, or gives it up; only an open invoice can be."""
        if self.invoice.status is not InvoiceStatus.OPEN:
            return
        paid = self.invoice.amount_remaining_minor if status is InvoiceStatus.PAID else 0
        self.invoice = replace(
            self.invoice, status=status, amount_paid_minor=paid, stripe_payment=stripe_payment
        )
        if status is not InvoiceStatus.UNCOLLECTIBLE:
            self.invoice = replace(self.invoice, amount_remaining_minor=0)

    def credited(self, minor: int) -> None:
        if self.invoice.amount_remaining_minor > minor:
            rest = self.invoice.amount_remaining_minor - minor
            self.invoice = replace(self.invoice, amount_remaining_minor=rest)


def _first(attempt: Attempt, does: Does) -> ChargeOutcome:
    name = f"ch_{attempt.n}"
    match does:
        case Does.APPROVE:
            return Approved(name, attempt.amount)
        case Does.APPROVE_FOR_NOW:
            return Approved(name, attempt.amount, Finality.PROVISIONAL)
        case Does.ACCEPT:
            return Accepted(name)
        case Does.ASK_CUSTOMER:
            return NeedsCustomer(name, "https://processor.test/approve")
        case Does.DECLINE:
            return Declined(DeclineKind.SOFT, "insufficient_funds")
        case Does.DECLINE_FOR_GOOD:
            return Declined(DeclineKind.HARD, "stolen_card")
