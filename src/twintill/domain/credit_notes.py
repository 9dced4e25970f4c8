"""Stripe's credit notes, and comparing them with refunds: what each fact means. Pure.

A credit note made out of band lowers what we reported. What it stands for is taken in this order:
a debit that failed, a lost dispute, a refund that was given; what is left over is owed to the
customer, and goes back through the processor.

What somebody else did on one side is acted on after a pause: Stripe's guide tells people to do
both by hand.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import ledger
from twintill.domain.afterwards import at_rest, rest_or_go_on, to_note_minor
from twintill.domain.decision import Decision, Notice, parked
from twintill.domain.follow_on import FollowOn, FollowOnWhy
from twintill.domain.ledger import LedgerTransaction
from twintill.domain.money_back import CreditNote, NoteFor, NoteState, SeenNote
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Payment, Reason, Receipt, State
from twintill.domain.policy import Policy
from twintill.domain.refunds import seen_there
from twintill.domain.return_facts import (
    MoneyBackTold,
    NoteFailed,
    NoteMade,
    NoteRefused,
    NoteStarted,
    SidesSeen,
)

NoteFact = MoneyBackTold | SidesSeen | NoteStarted | NoteFailed | NoteMade | NoteRefused


def note_told(payment: Payment, fact: NoteFact, policy: Policy, now: datetime) -> Decision:
    """Raises nothing: what fits nowhere is noted, what contradicts is for a person."""
    match fact:
        case MoneyBackTold():
            return _told(payment, policy, now)
        case SidesSeen():
            return _sides_seen(payment, fact, policy, now)
        case NoteStarted():
            return _started(payment, fact, now)
        case NoteFailed():
            return _failed(payment, fact)
        case NoteMade():
            return _made(payment, fact, policy, now)
        case NoteRefused():
            return _refused(payment, fact, now)
    assert_never(fact)


def _told(payment: Payment, policy: Policy, now: datetime) -> Decision:
    """Compare in a while: whoever did one side by hand may be doing the other.

    What is told meanwhile has its own while: it may be listed later than what was told before it.
    """
    if not any(r.reported_minor or r.unapplied_minor for r in payment.receipts):
        return Decision(payment, note="no money that was reported")
    payment = replace(payment, compare_at=now + policy.pair_pause)
    if payment.unapplied_minor or payment.unresolved_refund or payment.parked_why is not None:
        return Decision(payment)
    return Decision(rest_or_go_on(payment, now))


def _sides_seen(payment: Payment, fact: SidesSeen, policy: Policy, now: datetime) -> Decision:
    """Book what is new on either side; then only the difference is left to be done."""
    if not payment.told_minor:
        # Compared for nothing: what comes next does not wait for it.
        return Decision(_compared_for_nothing(payment, now), note="no money that was reported")
    unexplained = _unexplained(payment, fact)
    if unexplained is not None and (payment.compare_at is None or now < payment.compare_at):
        # What it stands for may show later than it: seen again at the end of the pause.
        payment = replace(payment, compare_at=payment.compare_at or now + policy.pair_pause)
        return Decision(payment if payment.unapplied_minor else rest_or_go_on(payment, now))
    postings: list[LedgerTransaction] = []
    notices: list[Notice] = []
    strangers, follow_on = False, None
    for seen in fact.notes:
        before = payment
        payment, posted, wrong = _note_seen(payment, seen, now)
        follow_on = _replaces(before, payment, policy) or follow_on
        postings += posted
        strangers = strangers or (bool(posted) and payment.notes[-1].purpose is NoteFor.FOREIGN)
        payment = _contradicted(payment, wrong, notices)
    for refund in fact.refunds:
        known = len(payment.refunds)
        decision = seen_there(payment, refund, policy, now)
        payment = decision.payment
        postings += decision.postings
        notices += decision.notices
        strangers = strangers or len(payment.refunds) > known
    payment = _contradicted(payment, unexplained, notices)
    payment = replace(payment, compare_at=_compare_again(payment, policy, now, strangers=strangers))
    if payment.unapplied_minor == 0:
        payment = rest_or_go_on(payment, now)
    return Decision(
        payment,
        postings=tuple(postings),
        notices=tuple(dict.fromkeys(notices)),
        follow_on=follow_on,
    )


def _unexplained(payment: Payment, fact: SidesSeen) -> str | None:
    """Our own note, of a lost time, of money that nothing shows to have left us.

    It was made after the money had left: taken for somebody else's, it would be given back twice.
    """
    lost = [n for n in fact.notes if n.n and not n.void]
    lost_minor = sum(n.out_of_band_minor for n in lost)
    gone_minor = to_note_minor(payment) + sum(r.amount.minor for r in fact.refunds)
    if lost_minor <= gone_minor:
        return None
    names = ", ".join(n.credit_note_id for n in lost)
    return (
        f"our own credit note of a lost time ({names}) stands for money that had left us, and "
        f"{lost_minor - gone_minor} of it is not seen: was it a refund, or a dispute? Unparked, it "
        "is given back"
    )


def _compared_for_nothing(payment: Payment, now: datetime) -> Payment:
    was_to, payment = payment.compare_at, replace(payment, compare_at=None)
    if was_to is None or payment.state not in _AFTER_MONEY or payment.unapplied_minor:
        return payment
    return at_rest(payment, max(now, payment.next_look_at or now))


_AFTER_MONEY = frozenset((State.STRANDED, State.REFUNDED, State.REPORTED, State.CANCELED))


def _compare_again(
    payment: Payment, policy: Policy, now: datetime, *, strangers: bool
) -> datetime | None:
    """The pause begins when the first side is told or seen."""
    if payment.unresolved_refund is not None:
        return payment.compare_at  # what is listed may be that one
    if payment.compare_at is None:
        return now + policy.pair_pause if strangers else None
    return payment.compare_at if now < payment.compare_at else None


def _note_seen(
    payment: Payment, seen: SeenNote, now: datetime
) -> tuple[Payment, list[LedgerTransaction], str | None]:
    """A note of Stripe's list: known, ours whose answer was lost, or somebody else's."""
    if seen.void or any(n.credit_note_id == seen.credit_note_id for n in payment.notes):
        return payment, [], None
    ours = next((n for n in payment.notes if n.id == seen.our_id), None)
    note = ours or CreditNote(
        id=seen.our_id or seen.credit_note_id,
        n=seen.n,
        purpose=NoteFor.GIVEN_BACK if seen.n else NoteFor.FOREIGN,
        amount_minor=seen.amount_minor,
        out_of_band_minor=seen.out_of_band_minor,
        started_at=now,
    )
    note = replace(
        note,
        state=NoteState.MADE,
        credit_note_id=seen.credit_note_id,
        out_of_band_minor=seen.out_of_band_minor,
    )
    return _book(payment, note)


def _started(payment: Payment, fact: NoteStarted, now: datetime) -> Decision:
    """May it be made? One that was begun is made again under its own key, with its own amount."""
    begun = payment.started_note
    if fact.remaining_minor is not None and payment.unapplied_minor:
        # This look does not get as far as `pay`: see `ReportFailed.began`.
        payment = replace(payment, reports=max(payment.reports - 1, 0))
    compares = payment.compare_at is not None and not payment.unapplied_minor
    if payment.parked_why is not None or compares:
        return Decision(payment, note="parked, or to be compared first")
    if begun is not None and begun.id == fact.note_id:
        if begun.purpose is NoteFor.GIVEN_BACK and begun.amount_minor > to_note_minor(payment):
            return _not_wanted(payment, begun, "it is credited by now, or came back", now)
        return Decision(replace(payment, next_look_at=now), make_note=begun)
    if begun is not None or fact.n != payment.next_note_n:
        return Decision(payment, note="prepared for something older")
    note = _of_the_rest(payment, fact, now) or _of_what_is_gone(payment, fact, now)
    if note is None:
        return Decision(payment, note="another amount by now")
    payment = replace(payment, notes=(*payment.notes, note), next_look_at=now, unreadable=0)
    return Decision(payment, make_note=note)


def _not_wanted(payment: Payment, note: CreditNote, why: str, now: datetime) -> Decision:
    """It is not in Stripe (the list was read just before), and must not be made any more."""
    payment = _with_note(payment, replace(note, state=NoteState.REFUSED, detail=why))
    if payment.unapplied_minor:
        return Decision(replace(payment, next_look_at=now))
    return Decision(rest_or_go_on(payment, now))


def _of_what_is_gone(payment: Payment, fact: NoteStarted, now: datetime) -> CreditNote | None:
    """After the report: out of band, so that it lowers what Stripe counts as paid."""
    same = fact.amount_minor == to_note_minor(payment)
    if fact.remaining_minor is not None or payment.unresolved_refund is not None or not same:
        return None
    minor = fact.amount_minor
    return CreditNote(fact.note_id, fact.n, NoteFor.GIVEN_BACK, minor, minor, now)


def _of_the_rest(payment: Payment, fact: NoteStarted, now: datetime) -> CreditNote | None:
    """Before the report: it lowers what is due, and nothing was paid of it yet."""
    here_minor, due_minor = payment.unapplied_minor, fact.remaining_minor
    if due_minor is None or payment.unresolved_attempt is not None:
        return None
    if here_minor == 0 or fact.amount_minor != due_minor - here_minor:
        return None
    return CreditNote(fact.note_id, fact.n, NoteFor.REST, fact.amount_minor, 0, now)


def _failed(payment: Payment, fact: NoteFailed) -> Decision:
    """Its next request has another key; before that it is looked for by its mark, as ever."""
    begun = payment.started_note
    if begun is None or begun.id != fact.note_id:
        return Decision(payment, note=f"answered already: {fact.detail}")
    return Decision(_with_note(payment, replace(begun, key_n=begun.key_n + 1)), note=fact.detail)


def _made(payment: Payment, fact: NoteMade, policy: Policy, now: datetime) -> Decision:
    note = next((n for n in payment.notes if n.id == fact.note_id), None)
    if note is None or note.state is NoteState.MADE:
        return Decision(payment, note="made already")
    made = replace(
        note,
        state=NoteState.MADE,
        credit_note_id=fact.credit_note_id,
        out_of_band_minor=fact.out_of_band_minor,
    )
    before = payment
    payment, postings, wrong = _book(payment, made)
    follow_on = _replaces(before, payment, policy)
    if payment.reason is Reason.CREDIT_NOTE_REFUSED:
        payment = replace(payment, parked_why=None)
    notices: list[Notice] = []
    payment = _contradicted(payment, wrong, notices)
    if payment.unapplied_minor:
        payment = replace(payment, next_look_at=now)  # what is here is reported next
    else:
        payment = rest_or_go_on(payment, now)
    return Decision(payment, postings=tuple(postings), notices=tuple(notices), follow_on=follow_on)


def _replaces(before: Payment, after: Payment, policy: Policy) -> FollowOn | None:
    """A debit failed after its report, and our note is made: it is invoiced and collected anew.

    Not for a note that somebody else made: who credits it may have forgiven it.
    """
    note = after.notes[-1] if after.notes else None
    minor = _failed_minor(before) - _failed_minor(after)
    if not minor or note is None or note.purpose is NoteFor.FOREIGN:
        return None
    attempt = _whose_debit(before, after)
    if attempt is None:
        return FollowOn(note.id, minor, FollowOnWhy.CORRECTED)
    try_at = None  # with another method, if there is one
    if attempt.decline_kind is DeclineKind.SOFT and attempt.answered_at is not None:
        pause = policy.retry_pauses[0] if policy.retry_pauses else policy.retry_gap_min
        try_at = attempt.answered_at + pause
    return FollowOn(note.id, minor, FollowOnWhy.FAILED_LATE, try_at)


def _whose_debit(before: Payment, after: Payment) -> Attempt | None:
    """The latest whose reported money the note took away; None: that was money by hand."""
    left = {receipt.id: receipt.reported_minor for receipt in after.receipts}
    credited = {r.attempt_id for r in before.receipts if r.failed and left[r.id] < r.reported_minor}
    return next((a for a in reversed(after.attempts) if a.id in credited), None)


def _failed_minor(payment: Payment) -> int:
    return sum(receipt.reported_minor for receipt in payment.receipts if receipt.failed)


def _refused(payment: Payment, fact: NoteRefused, now: datetime) -> Decision:
    note = next((n for n in payment.notes if n.id == fact.note_id), None)
    void = note is not None and fact.moot and note.purpose is NoteFor.REST
    if note is None or (note.state is not NoteState.STARTED and not void):
        return Decision(payment, note=f"answered already: {fact.detail}")
    refused = replace(note, state=NoteState.REFUSED, detail=fact.detail)
    if fact.moot:
        return _not_wanted(payment, note, fact.detail, now)
    payment = _with_note(payment, refused)
    payment = replace(payment, reason=Reason.CREDIT_NOTE_REFUSED)
    why = f"Stripe does not take the credit note of {note.amount_minor}: {fact.detail}"
    return Decision(parked(payment, why), notices=(Notice.NEEDS_PERSON,))


def _book(
    payment: Payment, note: CreditNote
) -> tuple[Payment, list[LedgerTransaction], str | None]:
    """The note, what it takes off each receipt, and what is wrong with it."""
    receipts = {r.id: r for r in payment.receipts}
    taken: Counter[tuple[str, str]] = Counter()
    left_minor = note.out_of_band_minor
    for against, most in _PARTS:
        for receipt in tuple(receipts.values()):
            part_minor = min(left_minor, most(receipt))
            if part_minor > 0:
                left_minor -= part_minor
                taken[receipt.id, against] += part_minor
                receipts[receipt.id] = _credit(receipt, against, part_minor)
    postings = [
        ledger.credited(note.id, receipts[receipt_id], minor, against)
        for (receipt_id, against), minor in taken.items()
    ]
    payment = replace(_with_note(payment, note), receipts=tuple(receipts.values()))
    if not left_minor:
        return payment, postings, None
    wrong = (
        f"credit note {note.credit_note_id} takes {note.out_of_band_minor} off out of band, "
        f"{left_minor} more than was reported: compare by hand"
    )
    return payment, postings, wrong


# What a note stands for, and at most how much of a receipt that is; in this order.
_PARTS: tuple[tuple[str, Callable[[Receipt], int]], ...] = (
    (ledger.FAILED, lambda r: r.reported_minor if r.failed else 0),
    (ledger.NOTE_DUE, lambda r: 0 if r.failed else min(-r.note_due_minor, r.reported_minor)),
    (ledger.REFUND_DUE, lambda r: 0 if r.failed else min(-r.refund_due_minor, r.reported_minor)),
    (ledger.REFUND_DUE, lambda r: 0 if r.failed else r.reported_minor),
)


def _credit(receipt: Receipt, against: str, minor: int) -> Receipt:
    receipt = replace(receipt, reported_minor=receipt.reported_minor - minor)
    if against == ledger.NOTE_DUE:
        return replace(receipt, note_due_minor=receipt.note_due_minor + minor)
    if against == ledger.REFUND_DUE:
        return replace(receipt, refund_due_minor=receipt.refund_due_minor + minor)
    return receipt


def _with_note(payment: Payment, note: CreditNote) -> Payment:
    others = tuple(n for n in payment.notes if n.id != note.id)
    return replace(payment, notes=(*others, note))


def _contradicted(payment: Payment, wrong: str | None, notices: list[Notice]) -> Payment:
    if wrong is None:
        return payment
    notices.append(Notice.NEEDS_PERSON)
    return parked(payment, payment.parked_why or wrong)
