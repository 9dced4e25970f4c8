"""Every fact that can reach a payment, by name; each is made for the payment it is told of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.domain.situations import (
    ACCEPTED,
    AMOUNT,
    APPROVED,
    ASKED,
    BOUNCED,
    BRAKED,
    CHEQUE,
    DOLLARS,
    DUE,
    HARD,
    IN_PART,
    INEXACT,
    LOOK,
    NEEDS_CUSTOMER,
    NO_ANSWER,
    NOT_CHARGED,
    NOT_SENT,
    NOTE,
    OTHER_METHOD,
    PAID,
    PART_GIVEN,
    PROVISIONAL,
    RECORDED,
    REFUND_REFUSED,
    REFUNDED,
    SOFT,
    TOLD,
    TOO_MUCH,
    VOID,
    WRITTEN_OFF,
    disputed,
    found,
    give_back,
    give_reported,
    new_payment,
    paid_by_hand,
    seen_note,
    start,
)
from twintill.domain import facts as f
from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.customer_facts import TryAsked
from twintill.domain.facts import Answered, Fact, Via
from twintill.domain.hand_facts import (
    CreditReturned,
    CreditTaken,
    HandPaymentUndone,
)
from twintill.domain.invoice import InvoiceStatus, StripePayment
from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    DeclineKind,
    NotSent,
)
from twintill.domain.payment import Payment
from twintill.domain.policy import AtEnd, Exhausted
from twintill.domain.return_facts import (
    DisputeNotSeen,
    NoteFailed,
    NoteMade,
    NoteRefused,
    NoteStarted,
    PaidAnotherWay,
    RefundBraked,
    RefundSeenThere,
    SidesSeen,
)
from twintill.money import Money

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


def _hand(payment: Payment) -> str:
    return payment.by_hand[0].id if payment.by_hand else "hp_of_nobody"


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
    "Approved, the first attempt": lambda _: RECORDED,
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
    "RefundAsked": lambda _: replace(ASKED, ask_id="rfd_new"),
    "RefundAsked, of more than is left": lambda _: replace(
        ASKED, ask_id="rfd_new", amount_minor=5001
    ),
    "RefundAsked, told again": lambda _: ASKED,
    "RefundAsked, of another receipt": lambda _: replace(
        ASKED, ask_id="rfd_new", receipt_id="rct_9"
    ),
    "Reported RefundStarted": give_reported,
    "Reported RefundStarted, of another amount": lambda p: give_reported(p, 1999),
    "Reported RefundStarted, refused by the adapter": lambda p: give_reported(p, refused=INEXACT),
    "Reported RefundStarted, over a cap": lambda p: give_reported(p, over_cap="20 in an hour"),
    "Refund approved, of a part": _tells(PART_GIVEN),
    "MoneyBackTold": lambda _: TOLD,
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
    "NoteStarted, begun before": lambda _: NOTE,
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
    "PaidByHand": lambda _: paid_by_hand(hand_id="hp_2"),
    "PaidByHand, recorded before": lambda _: CHEQUE,
    "HandPaymentUndone": lambda p: HandPaymentUndone(_hand(p), "a mistake", "person:ada"),
    "HandPaymentCorrected": lambda p: replace(BOUNCED, hand_id=_hand(p)),
    "CreditTaken": lambda p: CreditTaken(_hand(p), "hp_use", 1000, "person:ada"),
    "CreditTaken, paid out": lambda p: CreditTaken(_hand(p), "act_1", 1000, "person:ada", "SEPA 7"),
    "CreditReturned": lambda p: CreditReturned(_hand(p), "hp_use", 1000),
    "LookGaveUp": lambda _: f.LookGaveUp("KeyError"),
    "Unparked": lambda _: f.Unparked("looked at"),
}
