"""Every situation that a payment can be in, by name; the facts that can reach it are in `told`.

A situation is made by the facts that lead to it, an hour apart; the fact under test comes at `NOW`.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from twintill.domain import facts as f
from twintill.domain.customer_facts import TryAsked
from twintill.domain.decide import decide
from twintill.domain.facts import Answered, Fact, Via
from twintill.domain.hand import HandKind
from twintill.domain.hand_facts import (
    HandPaymentCorrected,
    PaidByHand,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
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
from twintill.domain.policy import AtEnd, Policy
from twintill.domain.return_facts import (
    DisputeTold,
    MoneyBackTold,
    NoteMade,
    NoteRefused,
    NoteStarted,
    RefundAsked,
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
RECORDED = answer(APPROVED, Via.RECORD)
_TWICE = (RECORDED, answer(Approved("ch_2", AMOUNT), Via.RECORD, 2))
BRAKED = "60 charges in doubt"
_PARKED_WHY = "installation other charges this invoice too"

_TWO_STORED = new_payment(methods=(STORED, ALSO_STORED))

ASKED = RefundAsked("rfd_ask", "rct_1", 2000, "not used", "person:ada")


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
    asked = _back(ASKED)
    return after(asked, give_reported(asked), *told, at=NOW - timedelta(hours=4))


def disputed(
    stage: DisputeStage = DisputeStage.OPENED, minor: int = 5000, **changes: object
) -> DisputeTold:
    """As the processor tells of it, the amount taken."""
    taken = stage is not DisputeStage.WON
    told = DisputeTold("dsp_1", "dp_1", "att_1", stage, Money(minor, "EUR"), taken, 1500)
    return replace(told, **changes)  # type: ignore[arg-type]


PART_GIVEN = Approved("rfd_1", Money(2000, "EUR"))
NOTE = NoteStarted("note_1", 1, 2000)
TOLD = MoneyBackTold("credit_note.created")
_REST = NoteStarted("note_1", 1, 2000, remaining_minor=7000)
_NOTED_BY_HAND = SidesSeen((seen_note(),))


def paid_by_hand(minor: int = 5000, hand_id: str = "hp_1") -> PaidByHand:
    return PaidByHand(hand_id, HandKind.CHEQUE, minor, NOW.date(), f"no {hand_id}", "person:ada")


CHEQUE = paid_by_hand()
BOUNCED = HandPaymentCorrected("hp_1", "it bounced", "person:ada")
_BY_HAND = f.InvoiceReported(5000)

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
    "collected-second-out": _two_out(answer(NO_ANSWER, n=2), RECORDED),
    "collected-twice": _two_out(*_TWICE),
    "reported": after(new_payment(), start(), answer(APPROVED), f.InvoiceReported(5000)),
    "reported-provisional": after(
        new_payment(), start(), answer(PROVISIONAL), f.InvoiceReported(5000)
    ),
    "reported-second-out": _two_out(answer(NO_ANSWER, n=2), RECORDED, f.InvoiceReported(5000)),
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
    "stranded-second": _two_out(RECORDED, f.InvoiceReported(5000), _TWICE[1]),
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
    "back-compared-soon": after(_back(), TOLD, at=NOW - timedelta(minutes=2)),
    "back-compared-now": _back(TOLD),
    "back-asked": _back(ASKED),
    "back-out": _asked_and(),
    "back-in-doubt": _asked_and(refund_answer(NO_ANSWER)),
    "back-under-way": _asked_and(refund_answer(Accepted("rfd_1"))),
    "back-given": _asked_and(refund_answer(PART_GIVEN)),
    "back-note-begun": _asked_and(refund_answer(PART_GIVEN), NOTE),
    "back-note-refused": _asked_and(
        refund_answer(PART_GIVEN), NOTE, NoteRefused("note_1", "the invoice is gone")
    ),
    "back-done": _asked_and(refund_answer(PART_GIVEN), NOTE, NoteMade("note_1", "cn_1", 2000)),
    "disputed": _back(disputed()),
    "disputed-not-withheld": _back(disputed(withheld=False)),
    "disputed-lost": _back(disputed(DisputeStage.LOST)),
    "disputed-asked": _back(ASKED, disputed()),
    "disputed-stranded": after(
        new_payment(), start(), answer(APPROVED), f.ReportRefused(VOID), disputed()
    ),
    "back-owed": _back(TOLD, _NOTED_BY_HAND),
    "back-owed-provisional": _back(TOLD, _NOTED_BY_HAND, provisional=True),
    "back-refused": after(
        _back(TOLD, _NOTED_BY_HAND),
        give_reported(_back(TOLD, _NOTED_BY_HAND)),
        refund_answer(REFUND_REFUSED),
        at=NOW - timedelta(hours=3),
    ),
    # A cheque, and the charge beside it; put on the invoice; told of; too much; bounced.
    "hand-beside-a-charge": after(new_payment(), start(), CHEQUE),
    "hand-beside-a-debit": after(new_payment(), start(), answer(ACCEPTED), CHEQUE),
    "hand-parked": after(replace(new_payment(), parked_why=_PARKED_WHY), CHEQUE),
    "hand-collected": after(new_payment(), CHEQUE),
    "hand-reported": after(new_payment(), CHEQUE, _BY_HAND),
    "hand-too-much": after(new_payment(), paid_by_hand(6000), _BY_HAND),
    "hand-credit": after(new_payment(), start(), answer(APPROVED), _BY_HAND, CHEQUE),
    "hand-corrected": after(new_payment(), CHEQUE, _BY_HAND, BOUNCED),
}
