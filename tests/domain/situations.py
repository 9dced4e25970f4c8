"""Every situation that a payment can be in, and every fact that can reach it there, by name.

A situation is made by the facts that lead to it, an hour apart; the fact under test comes at `NOW`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from twintill.domain import facts as f
from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.customer_facts import TryAsked
from twintill.domain.decide import decide
from twintill.domain.facts import Answered, Fact, Via
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.money_back import DisputeStage, SeenNote
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
from twintill.domain.payment import Payment, Reason, State, Usable
from twintill.domain.policy import AtEnd, Exhausted, Policy
from twintill.domain.return_facts import (
    DisputeNotSeen,
    DisputeTold,
    MoneyBackTold,
    NoteFailed,
    NoteMade,
    NoteRefused,
    NoteStarted,
    PaidAnotherWay,
    RefundAsked,
    RefundBraked,
    RefundSeenThere,
    SidesSeen,
)
from twintill.money import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUE = NOW + timedelta(days=30)
POLICY = Policy()
AMOUNT = Money(5000, "EUR")
METHOD = f.Method("pm_a", "sandbox", "acct_p")
DOLLARS = Money(5000, "USD")
OTHER_METHOD = f.Method("pm_b", "sandbox", "acct_p")
STORED = Usable("pm_a", NOW - timedelta(days=90))
ALSO_STORED = Usable("pm_b", NOW - timedelta(days=80))

LOOK = InvoiceLook(
    invoice_id="in_1",
    status=InvoiceStatus.OPEN,
    currency="EUR",
    amount_due_minor=5000,
    amount_paid_minor=0,
    amount_remaining_minor=5000,
    collection_method="send_invoice",
    livemode=False,
    due_at=DUE,
)
WRITTEN_OFF = replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE)
VOID = replace(LOOK, status=InvoiceStatus.VOID, amount_remaining_minor=0)
PAID = replace(LOOK, status=InvoiceStatus.PAID, amount_paid_minor=5000, amount_remaining_minor=0)


def new_payment(
    reason: Reason = Reason.READY,
    limit_minor: int | None = None,
    due_at: datetime | None = DUE,
    methods: tuple[Usable, ...] = (STORED,),
) -> Payment:
    return Payment(
        id="pay_1",
        invoice_id="in_1",
        customer_id="cus_1",
        currency="EUR",
        state=State.WAITING,
        reason=reason,
        next_look_at=NOW + timedelta(hours=5),
        due_at=due_at,
        limit_minor=limit_minor,
        methods=methods,
    )


def start(
    n: int = 1,
    *,
    look: InvoiceLook = LOOK,
    method: f.Method | None = METHOD,
    refused: NotSent | None = None,
    braked: str | None = None,
) -> f.ChargeStarted:
    names = (f"tw-{n}", f"key-{n}", f"att_{n}", b"")
    return f.ChargeStarted(look, method, n, *names, refused, braked)


def answer(outcome: ChargeOutcome, via: Via = Via.FIRST, n: int = 1) -> Answered:
    return Answered(f"att_{n}", outcome, via)


def found(payment: Payment, outcome: ChargeOutcome, *, amount: Money = AMOUNT) -> f.AttemptFound:
    """A charge of the lost time, under the payment's next number."""
    n = payment.next_n
    names = (f"att_{n}", n, f"tw-{n}", f"key-{n}")
    return f.AttemptFound(*names, "pm_a", "sandbox", "acct_p", amount, outcome)


APPROVED = Approved("ch_1", AMOUNT)
PROVISIONAL = Approved("ch_1", AMOUNT, Finality.PROVISIONAL)
IN_PART = Approved("ch_1", Money(3000, "EUR"), partial=True)
TOO_MUCH = Approved("ch_1", Money(6000, "EUR"))
SOFT = Declined(DeclineKind.SOFT, "insufficient_funds")
FRAUD = Declined(DeclineKind.FRAUD, "stolen_card")
HARD = Declined(DeclineKind.HARD, "invalid_account")
ACCEPTED = Accepted("ch_1")
NEEDS_CUSTOMER = NeedsCustomer("ch_1", "https://processor.test/approve")
NO_ANSWER = NoAnswer("timed out")
NOT_SENT = NotSent(NotSentReason.NETWORK, "connection refused")
NOT_CHARGED = NotSent(NotSentReason.PERSON, "a person says so")
INEXACT = NotSent(NotSentReason.INEXACT, "no such fraction there")


def after(payment: Payment, *told: Fact, at: datetime = NOW - timedelta(hours=12)) -> Payment:
    """The payment after these facts, an hour apart."""
    for hours, fact in enumerate(told):
        payment = decide(payment, fact, POLICY, at + timedelta(hours=hours)).payment
    return payment


def long_ago(*told: Fact) -> Payment:
    """As `after`, with the first 30 days and the last an hour ago."""
    payment = after(new_payment(), *told[:-1], at=NOW - timedelta(days=30))
    return after(payment, told[-1], at=NOW - timedelta(hours=1))


def _two_out(*told: Fact) -> Payment:
    """The first attempt was declined, the second is out, then these."""
    first = after(new_payment(), start(), answer(SOFT), at=NOW - timedelta(days=3))
    return after(first, start(2), *told)


def give_back(
    payment: Payment, amount_minor: int | None = None, **changes: object
) -> f.RefundStarted:
    """A refund of what is stranded first, under the next number."""
    n, receipt = payment.next_refund_n, payment.receipt_to_give_back
    stranded_minor = receipt.stranded_minor if receipt else 5000
    return f.RefundStarted(
        receipt.id if receipt else "rct_of_nobody",
        amount_minor or stranded_minor,
        n,
        f"ref_{n}",
        f"tw-ref-{n}",
        f"ref-key-{n}",
        **changes,  # type: ignore[arg-type]
    )


def refund_answer(outcome: ChargeOutcome, via: Via = Via.FIRST, n: int = 1) -> f.RefundAnswered:
    return f.RefundAnswered(f"ref_{n}", outcome, via)


def _refund(*told: Fact) -> Payment:
    """Stranded because of a void, a refund of it sent, then these."""
    stranded = after(new_payment(), start(), answer(APPROVED), f.ReportRefused(VOID))
    return after(stranded, give_back(stranded), *told, at=NOW - timedelta(hours=6))


REFUNDED = Approved("rfd_1", AMOUNT)
REFUND_REFUSED = Declined(DeclineKind.SOFT, "refund_exceeds_charge")
_RECORDED = answer(APPROVED, Via.RECORD)
_TWICE = (_RECORDED, answer(Approved("ch_2", AMOUNT), Via.RECORD, 2))
BRAKED = "60 charges in doubt"
_PARKED_WHY = "installation other charges this invoice too"

_TWO_STORED = new_payment(methods=(STORED, ALSO_STORED))

_ASKED = RefundAsked("rfd_ask", "rct_1", 2000, "not used", "person:ada")


def give_reported(payment: Payment, minor: int = 2000, **changes: object) -> f.RefundStarted:
    """A refund of the reported receipt, under the next number, for whoever asked for one."""
    n, ask = payment.next_refund_n, payment.next_ask
    names = (f"ref_{n}", f"tw-ref-{n}", f"ref-key-{n}")
    made = f.RefundStarted("rct_1", minor, n, *names, reported=True, ask_id=ask.id if ask else None)
    return replace(made, **changes)  # type: ignore[arg-type]


def seen_note(minor: int = 2000, note: str = "cn_1", our_id: str | None = None) -> SeenNote:
    return SeenNote(note, our_id, minor, minor)


def _back(*told: Fact, provisional: bool = False) -> Payment:
    """Reported, then these; a refund that is asked for is begun when it has to be."""
    outcome = PROVISIONAL if provisional else APPROVED
    reported = after(new_payment(), start(), answer(outcome), f.InvoiceReported(5000))
    return after(reported, *told, at=NOW - timedelta(hours=6))


def _asked_and(*told: Fact) -> Payment:
    asked = _back(_ASKED)
    return after(asked, give_reported(asked), *told, at=NOW - timedelta(hours=4))


def disputed(
    stage: DisputeStage = DisputeStage.OPENED, minor: int = 5000, **changes: object
) -> DisputeTold:
    """As the processor tells of it, the amount taken."""
    taken = stage is not DisputeStage.WON
    told = DisputeTold("dsp_1", "dp_1", "att_1", stage, Money(minor, "EUR"), taken, 1500)
    return replace(told, **changes)  # type: ignore[arg-type]


PART_GIVEN = Approved("rfd_1", Money(2000, "EUR"))
_NOTE = NoteStarted("note_1", 1, 2000)
_TOLD = MoneyBackTold("credit_note.created")
_REST = NoteStarted("note_1", 1, 2000, remaining_minor=7000)
_NOTED_BY_HAND = SidesSeen((seen_note(),))

SITUATIONS: dict[str, Payment] = {
    "waiting-draft": new_payment(Reason.DRAFT),
    "waiting-ready": new_payment(),
    "waiting-checkout": new_payment(Reason.CHECKOUT, limit_minor=0),
    "waiting-consent": new_payment(Reason.CONSENT, limit_minor=4000),
    "waiting-no-method": new_payment(Reason.NO_METHOD, methods=()),
    "waiting-stripe-unreadable": after(new_payment(), f.LookFailed("timed out")),
    "waiting-braked": after(new_payment(), f.ChargeBraked(BRAKED)),
    "waiting-retry": after(new_payment(), start(), answer(SOFT)),
    "waiting-not-sent": after(new_payment(), start(), answer(NOT_SENT)),
    "waiting-failed-late": after(
        new_payment(), start(), answer(PROVISIONAL), f.FailedLate("att_1", "nsf", "")
    ),
    # Its method was revoked while the retry waits; nothing else is stored.
    "waiting-lost": replace(after(new_payment(), start(), answer(SOFT)), methods=()),
    "waiting-lost-next-stored": replace(
        after(_TWO_STORED, start(), answer(SOFT)), methods=(ALSO_STORED,)
    ),
    "waiting-retry-two-stored": after(_TWO_STORED, start(), answer(SOFT)),
    "waiting-other-method": after(_TWO_STORED, start(), answer(HARD)),
    "waiting-parked": replace(new_payment(), parked_why=_PARKED_WHY),
    # Charged once more with the method that was refused for good: the new one is gone again.
    "waiting-refused-before": after(
        new_payment(), start(), answer(HARD), f.MethodAdded("pm_b"), at=NOW - timedelta(days=3)
    ),
    # Declined a while ago, and the customer asks for the same once more.
    "waiting-asked": after(
        new_payment(), start(), answer(SOFT), TryAsked("pm_a"), at=NOW - timedelta(hours=4)
    ),
    # Its subscription has ended, and the setting is to void what it left open.
    "waiting-closing": replace(new_payment(), closing=AtEnd.VOID, next_look_at=NOW),
    "charging-closing": replace(after(new_payment(), start()), closing=AtEnd.VOID),
    "exhausted-closing": replace(
        after(new_payment(), start(), answer(HARD)),
        closing=AtEnd.VOID,
        ended=False,
        next_look_at=NOW,
    ),
    "charging-started": after(new_payment(), start()),
    "charging-in-doubt": after(new_payment(), start(), answer(NO_ANSWER)),
    "charging-parked": long_ago(start(), answer(NO_ANSWER)),
    "charging-amount-differs": after(new_payment(), start(), answer(TOO_MUCH)),
    "charging-second": _two_out(answer(NO_ANSWER, n=2)),
    "pending-accepted": after(new_payment(), start(), answer(ACCEPTED)),
    "pending-needs-customer": after(new_payment(), start(), answer(NEEDS_CUSTOMER)),
    "pending-parked": long_ago(start(), answer(ACCEPTED), answer(ACCEPTED, Via.RECORD)),
    "collected": after(new_payment(), start(), answer(APPROVED)),
    "collected-provisional": after(new_payment(), start(), answer(PROVISIONAL)),
    "collected-parked": after(
        new_payment(), start(), answer(APPROVED), f.ReportFailed("more is due", needs_person=True)
    ),
    "collected-second-out": _two_out(answer(NO_ANSWER, n=2), _RECORDED),
    "collected-twice": _two_out(*_TWICE),
    "reported": after(new_payment(), start(), answer(APPROVED), f.InvoiceReported(5000)),
    "reported-provisional": after(
        new_payment(), start(), answer(PROVISIONAL), f.InvoiceReported(5000)
    ),
    "reported-second-out": _two_out(answer(NO_ANSWER, n=2), _RECORDED, f.InvoiceReported(5000)),
    "stranded": after(new_payment(), start(), answer(APPROVED), f.ReportRefused(VOID)),
    "stranded-provisional": after(
        new_payment(), start(), answer(PROVISIONAL), f.ReportRefused(VOID)
    ),
    "stranded-parked": after(
        new_payment(),
        start(),
        answer(APPROVED),
        f.ReportFailed("more is due", needs_person=True),
        f.ReportRefused(VOID),
    ),
    "refund-started": _refund(),
    "refund-in-doubt": _refund(refund_answer(NO_ANSWER)),
    "refund-under-way": _refund(refund_answer(Accepted("rfd_1"))),
    "refund-not-sent": _refund(refund_answer(NOT_SENT)),
    "refund-refused": _refund(refund_answer(REFUND_REFUSED)),
    "stranded-excess": after(new_payment(), start(), answer(APPROVED), f.InvoiceReported(4000)),
    "stranded-second": _two_out(_RECORDED, f.InvoiceReported(5000), _TWICE[1]),
    "exhausted": after(new_payment(), start(), answer(HARD)),
    "exhausted-fraud": after(_TWO_STORED, start(), answer(FRAUD)),
    # The setting wants something done in Stripe first.
    "exhausted-not-ended": replace(
        after(new_payment(), start(), answer(HARD)), ended=False, next_look_at=NOW
    ),
    "exhausted-uncollectible": after(
        new_payment(), start(look=replace(LOOK, status=InvoiceStatus.UNCOLLECTIBLE))
    ),
    "canceled": after(new_payment(), start(look=VOID)),
    "canceled-handed": after(new_payment(), f.HandedToStripe(LOOK, "swi_1")),
    "canceled-after-a-try": after(new_payment(), start(), answer(NOT_SENT), start(2, look=VOID)),
    "refunded": _refund(refund_answer(REFUNDED)),
    "rest-begun": after(new_payment(), start(), answer(APPROVED), _REST),
    "rest-made": after(
        new_payment(), start(), answer(APPROVED), _REST, NoteMade("note_1", "cn_1", 0)
    ),
    "back-compared-soon": after(_back(), _TOLD, at=NOW - timedelta(minutes=2)),
    "back-compared-now": _back(_TOLD),
    "back-asked": _back(_ASKED),
    "back-out": _asked_and(),
    "back-in-doubt": _asked_and(refund_answer(NO_ANSWER)),
    "back-under-way": _asked_and(refund_answer(Accepted("rfd_1"))),
    "back-given": _asked_and(refund_answer(PART_GIVEN)),
    "back-note-begun": _asked_and(refund_answer(PART_GIVEN), _NOTE),
    "back-note-refused": _asked_and(
        refund_answer(PART_GIVEN), _NOTE, NoteRefused("note_1", "the invoice is gone")
    ),
    "back-done": _asked_and(refund_answer(PART_GIVEN), _NOTE, NoteMade("note_1", "cn_1", 2000)),
    "disputed": _back(disputed()),
    "disputed-not-withheld": _back(disputed(withheld=False)),
    "disputed-lost": _back(disputed(DisputeStage.LOST)),
    "disputed-asked": _back(_ASKED, disputed()),
    "disputed-stranded": after(
        new_payment(), start(), answer(APPROVED), f.ReportRefused(VOID), disputed()
    ),
    "back-owed": _back(_TOLD, _NOTED_BY_HAND),
    "back-owed-provisional": _back(_TOLD, _NOTED_BY_HAND, provisional=True),
    "back-refused": after(
        _back(_TOLD, _NOTED_BY_HAND),
        give_reported(_back(_TOLD, _NOTED_BY_HAND)),
        refund_answer(REFUND_REFUSED),
        at=NOW - timedelta(hours=3),
    ),
}

Make = Callable[[Payment], Fact]


def _started(**changes: object) -> Make:
    look = replace(LOOK, **changes)  # type: ignore[arg-type]
    return lambda payment: start(payment.next_n, look=look)


def _attempt(payment: Payment) -> str:
    """The attempt that the fact is about: the last one."""
    return payment.attempts[-1].id if payment.attempts else "att_of_nobody"


def _answers(outcome: ChargeOutcome, vias: Sequence[Via] = tuple(Via)) -> dict[str, Make]:
    def make(via: Via) -> Make:
        return lambda payment: Answered(_attempt(payment), outcome, via)

    return {f"{type(outcome).__name__} via {via}": make(via) for via in vias}


def _says(outcome: Approved | NotSent) -> Make:
    return lambda payment: f.PersonSaid(_attempt(payment), outcome, "looked there", "no answer")


def _first(payment: Payment) -> str:
    """The attempt that a dispute is about: the first one."""
    return payment.attempts[0].id if payment.attempts else "att_of_nobody"


def _its_refund(payment: Payment) -> str:
    return payment.refunds[-1].id if payment.refunds else "ref_of_nobody"


def _tells(outcome: ChargeOutcome, via: Via = Via.FIRST) -> Make:
    return lambda payment: f.RefundAnswered(_its_refund(payment), outcome, via)


def _seen_there(minor: int = 2000, refund_id: str = "rfd_9") -> Make:
    def make(payment: Payment) -> Fact:
        receipt, n = payment.receipt_to_give_back, payment.next_refund_n
        return RefundSeenThere(
            receipt.id if receipt else "rct_of_nobody",
            refund_id,
            Money(minor, "EUR"),
            n,
            f"ref_{n}",
        )

    return make


def _by_hand(payment: Payment, minor: int) -> RefundSeenThere:
    n = payment.next_refund_n
    return RefundSeenThere("rct_1", "rfd_9", Money(minor, "EUR"), n, f"ref_{n}")


def _paid_another_way(minor: int = 2000) -> Make:
    def make(payment: Payment) -> Fact:
        n = payment.next_refund_n
        receipt = next((r.id for r in payment.receipts if r.stranded_minor), "rct_1")
        return PaidAnotherWay("rfd_w", f"ref_{n}", n, receipt, minor, "SEPA 7", "bank", "ada")

    return make


FACTS: dict[str, Make] = {
    "InvoiceOpened": lambda _: f.InvoiceOpened(DUE),
    "InvoiceTouched": lambda _: f.InvoiceTouched("invoice.updated"),
    "InvoiceTouched by its end": lambda _: f.InvoiceTouched("invoice.voided"),
    "ChargeStarted": lambda p: start(p.next_n),
    "ChargeStarted with another method": lambda p: start(p.next_n, method=OTHER_METHOD),
    "ChargeStarted without a method": lambda p: start(p.next_n, method=None),
    "ChargeStarted, refused by the adapter": lambda p: start(p.next_n, refused=INEXACT),
    "ChargeStarted, braked": lambda p: start(p.next_n, braked=BRAKED),
    "ChargeStarted, braked: void": lambda p: start(p.next_n, look=VOID, braked=BRAKED),
    "ChargeBraked": lambda _: f.ChargeBraked(BRAKED),
    "ChargeStarted, prepared for an older attempt": lambda p: start(p.next_n - 1),
    "ChargeStarted: draft": _started(status=InvoiceStatus.DRAFT),
    "ChargeStarted: void": _started(status=InvoiceStatus.VOID),
    "ChargeStarted: deleted": _started(status=InvoiceStatus.DELETED),
    "ChargeStarted: paid": _started(status=InvoiceStatus.PAID, amount_paid_minor=5000),
    "ChargeStarted: uncollectible": _started(status=InvoiceStatus.UNCOLLECTIBLE),
    "ChargeStarted: another installation": _started(foreign_installation="other"),
    "ChargeStarted: a higher n": _started(highest_n=9),
    "ChargeStarted: another currency": _started(currency="USD"),
    "ChargeStarted: handed to Stripe": _started(collection_method="charge_automatically"),
    "ChargeStarted: marked as handed over": _started(handed_by="swi_1"),
    "ChargeStarted: Stripe collects": _started(stripe_payment=StripePayment.PROCESSING),
    "ChargeStarted: nothing remains": _started(amount_remaining_minor=0),
    "NoMethodFound": lambda _: f.NoMethodFound(),
    "LookFailed": lambda _: f.LookFailed("timed out"),
    **_answers(APPROVED),
    "Approved, provisional": lambda p: Answered(_attempt(p), PROVISIONAL, Via.RECORD),
    "Approved, another amount": lambda p: Answered(_attempt(p), TOO_MUCH, Via.RECORD),
    "Approved, in part": lambda p: Answered(_attempt(p), IN_PART, Via.RECORD),
    "Approved, in part by its amount alone": lambda p: Answered(
        _attempt(p), replace(IN_PART, partial=False), Via.RECORD
    ),
    "Approved, the first attempt": lambda _: _RECORDED,
    **_answers(ACCEPTED),
    **_answers(NEEDS_CUSTOMER),
    **_answers(SOFT),
    "Declined for good": lambda p: Answered(_attempt(p), HARD, Via.FIRST),
    **_answers(NO_ANSWER),
    **_answers(NOT_SENT),
    "NotSent: inexact": lambda p: Answered(_attempt(p), INEXACT, Via.FIRST),
    "PersonSaid: charged": _says(APPROVED),
    "PersonSaid: not charged": _says(NOT_CHARGED),
    "PersonSaid: not charged, and it may still arrive for two hours": _says(
        replace(NOT_CHARGED, wait_s=7200)
    ),
    "NotFoundThere": lambda p: f.NotFoundThere(_attempt(p), conclusive=False),
    "NotFoundThere, conclusive": lambda p: f.NotFoundThere(_attempt(p), conclusive=True),
    "ReplayStarted": lambda p: f.ReplayStarted(_attempt(p), LOOK),
    "ReplayStarted, braked": lambda p: f.ReplayStarted(_attempt(p), LOOK, BRAKED),
    "ReplayStarted: void": lambda p: f.ReplayStarted(_attempt(p), VOID),
    "ReplayStarted: another installation": lambda p: f.ReplayStarted(
        _attempt(p), replace(LOOK, foreign_installation="other")
    ),
    "Withdrawn": lambda p: f.Withdrawn(_attempt(p), VOID),
    "AttemptFound, approved": lambda p: found(p, Approved("ch_9", AMOUNT)),
    "AttemptFound, declined": lambda p: found(p, SOFT),
    "AttemptFound, accepted": lambda p: found(p, Accepted("ch_9")),
    "AttemptFound, it is not there": lambda p: found(p, NOT_SENT),
    "AttemptFound, it cannot be asked for": lambda p: found(p, NO_ANSWER),
    "AttemptFound, in another currency": lambda p: found(
        p, Approved("ch_9", DOLLARS), amount=DOLLARS
    ),
    "AttemptFound that is known": lambda _: found(new_payment(), APPROVED),
    "FailedLate": lambda p: f.FailedLate(_attempt(p), "nsf", ""),
    "FailedLate, the first attempt": lambda _: f.FailedLate("att_1", "nsf", ""),
    "FailedLate for good": lambda p: f.FailedLate(
        _attempt(p), "mandate_cancelled", "", DeclineKind.REVOKED
    ),
    "RefundStarted": give_back,
    "RefundStarted, of another amount": lambda p: give_back(p, 4999),
    "RefundStarted, refused by the adapter": lambda p: give_back(p, refused=INEXACT),
    "RefundStarted, over a cap": lambda p: give_back(p, over_cap="20 refunds in an hour"),
    "PaidAnotherWay": _paid_another_way(),
    "PaidAnotherWay, more than is owed": _paid_another_way(6000),
    "RefundBraked": lambda _: RefundBraked(BRAKED),
    "RefundReplayStarted": lambda p: f.RefundReplayStarted(_its_refund(p)),
    "Refund approved": _tells(REFUNDED),
    "Refund approved, by a record": _tells(REFUNDED, Via.RECORD),
    "Refund approved, another one": _tells(Approved("rfd_2", AMOUNT)),
    "Refund approved, another amount": _tells(Approved("rfd_1", Money(6000, "EUR"))),
    "Refund accepted": _tells(Accepted("rfd_1")),
    "Refund declined": _tells(REFUND_REFUSED),
    "Refund declined, by a record": _tells(REFUND_REFUSED, Via.RECORD),
    "Refund declined, to a replay": _tells(REFUND_REFUSED, Via.REPLAY),
    "Refund asks for the customer": _tells(NEEDS_CUSTOMER),
    "Refund without an answer": _tells(NO_ANSWER),
    "Refund not sent": _tells(NOT_SENT),
    "Refund not sent, to a replay": _tells(NOT_SENT, Via.REPLAY),
    "RefundNotFoundThere": lambda p: f.RefundNotFoundThere(_its_refund(p), conclusive=False),
    "RefundNotFoundThere, conclusive": lambda p: f.RefundNotFoundThere(
        _its_refund(p), conclusive=True
    ),
    "RefundSeenThere": _seen_there(),
    "RefundSeenThere, all of it": _seen_there(5000),
    "RefundSeenThere, more than is stranded": _seen_there(6000),
    "RefundSeenThere, our own": _seen_there(5000, "rfd_1"),
    "RefundAsked": lambda _: replace(_ASKED, ask_id="rfd_new"),
    "RefundAsked, of more than is left": lambda _: replace(
        _ASKED, ask_id="rfd_new", amount_minor=5001
    ),
    "RefundAsked, told again": lambda _: _ASKED,
    "RefundAsked, of another receipt": lambda _: replace(
        _ASKED, ask_id="rfd_new", receipt_id="rct_9"
    ),
    "Reported RefundStarted": give_reported,
    "Reported RefundStarted, of another amount": lambda p: give_reported(p, 1999),
    "Reported RefundStarted, refused by the adapter": lambda p: give_reported(p, refused=INEXACT),
    "Reported RefundStarted, over a cap": lambda p: give_reported(p, over_cap="20 in an hour"),
    "Refund approved, of a part": _tells(PART_GIVEN),
    "MoneyBackTold": lambda _: _TOLD,
    "SidesSeen, nothing new": lambda _: SidesSeen(()),
    "SidesSeen, a note": lambda _: SidesSeen((seen_note(1000, "cn_9"),)),
    "SidesSeen, a note of more than was reported": lambda _: SidesSeen((seen_note(9000, "cn_9"),)),
    "SidesSeen, a void note": lambda _: SidesSeen((replace(seen_note(1000, "cn_9"), void=True),)),
    "SidesSeen, our note": lambda _: SidesSeen((seen_note(2000, "cn_1", "note_1"),)),
    "SidesSeen, a refund by hand": lambda p: SidesSeen((), (_by_hand(p, 2000),)),
    "SidesSeen, a refund by hand of too much": lambda p: SidesSeen((), (_by_hand(p, 9000),)),
    "SidesSeen, both by hand": lambda p: SidesSeen(
        (seen_note(1000, "cn_9"),), (_by_hand(p, 1000),)
    ),
    "NoteStarted": lambda p: NoteStarted(f"note_{p.next_note_n}", p.next_note_n, 2000),
    "NoteStarted, begun before": lambda _: _NOTE,
    "NoteStarted, of another amount": lambda p: NoteStarted(
        f"note_{p.next_note_n}", p.next_note_n, 1999
    ),
    "NoteStarted, of the rest": lambda p: NoteStarted(
        f"note_{p.next_note_n}", p.next_note_n, 2000, remaining_minor=7000
    ),
    "NoteStarted, of the rest, of another amount": lambda p: NoteStarted(
        f"note_{p.next_note_n}", p.next_note_n, 1999, remaining_minor=7000
    ),
    "NoteRefused, not wanted any more": lambda _: NoteRefused("note_1", "void by now", moot=True),
    "NoteMade, of the rest": lambda _: NoteMade("note_1", "cn_1", 0),
    "NoteFailed": lambda _: NoteFailed("note_1", "HTTP 500"),
    "NoteMade": lambda _: NoteMade("note_1", "cn_1", 2000),
    "DisputeTold: opened": lambda p: disputed(attempt_id=_first(p)),
    "DisputeTold: opened, not withheld": lambda p: disputed(
        attempt_id=_first(p), withheld=False, fee_minor=0
    ),
    "DisputeTold: won": lambda p: disputed(DisputeStage.WON, attempt_id=_first(p)),
    "DisputeTold: lost": lambda p: disputed(DisputeStage.LOST, attempt_id=_first(p)),
    "DisputeTold: lost, of another amount": lambda p: disputed(
        DisputeStage.LOST, 2000, attempt_id=_first(p)
    ),
    "DisputeNotSeen": lambda _: DisputeNotSeen("dsp_1", "timed out"),
    "NoteRefused": lambda _: NoteRefused("note_1", "the invoice is gone"),
    "InvoiceReported": lambda _: f.InvoiceReported(5000),
    "InvoiceReported, less": lambda _: f.InvoiceReported(4000),
    "InvoiceReported, more": lambda _: f.InvoiceReported(6000),
    "ReportRefused": lambda _: f.ReportRefused(VOID),
    "ReportRefused, paid elsewhere": lambda _: f.ReportRefused(PAID),
    "ReportRefused by an open invoice": lambda _: f.ReportRefused(LOOK),
    "ReportFailed": lambda _: f.ReportFailed("timed out"),
    "ReportFailed, before pay": lambda _: f.ReportFailed("timed out", began=False),
    "ReportFailed, for a person": lambda _: f.ReportFailed("more is due", needs_person=True),
    "AmountAgreed": lambda _: f.AmountAgreed(5000),
    "MethodAdded": lambda _: f.MethodAdded("pm_b"),
    "TryAsked": lambda _: TryAsked("pm_a"),
    "TryAsked with another method": lambda _: TryAsked("pm_b"),
    "MethodLost": lambda _: f.MethodLost("pm_lost"),
    "SubscriptionEnded": lambda _: f.SubscriptionEnded("sub_1"),
    "FirstPaymentGivenUp": lambda _: f.FirstPaymentGivenUp(),
    "ConclusionStarted": lambda _: f.ConclusionStarted(LOOK),
    "ConclusionStarted: void": lambda _: f.ConclusionStarted(VOID),
    "Concluded": lambda _: f.Concluded(Exhausted.MARK_UNCOLLECTIBLE, "uncollectible"),
    "Concluded by voiding": lambda _: f.Concluded(AtEnd.VOID, "void", VOID),
    "InvoiceClosed: void": lambda _: InvoiceClosed(VOID),
    "InvoiceClosed: uncollectible": lambda _: InvoiceClosed(WRITTEN_OFF),
    "InvoiceClosed: open": lambda _: InvoiceClosed(LOOK),
    "HandedToStripe": lambda _: f.HandedToStripe(LOOK, "swi_1"),
    "HandedToStripe: void": lambda _: f.HandedToStripe(VOID, "swi_1"),
    "HandOverEnded: open": lambda _: f.HandOverEnded(LOOK),
    "HandOverEnded: void": lambda _: f.HandOverEnded(VOID),
    "HandOverEnded: paid": lambda _: f.HandOverEnded(PAID),
    "HandOverEnded: uncollectible": lambda _: f.HandOverEnded(WRITTEN_OFF),
    "HandOverEnded: Stripe collects": lambda _: f.HandOverEnded(
        replace(LOOK, stripe_payment=StripePayment.PROCESSING)
    ),
    "HandOverEnded: our mark is on it": lambda _: f.HandOverEnded(replace(LOOK, handed_by="swi_1")),
    "CheckoutExpired": lambda _: f.CheckoutExpired(),
    "LookGaveUp": lambda _: f.LookGaveUp("KeyError"),
    "Unparked": lambda _: f.Unparked("looked at"),
}
