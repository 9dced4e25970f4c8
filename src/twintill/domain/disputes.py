"""Disputes: what the processor tells of a customer's claim to his money (part of `decide`). Pure.

Told by webhook and by its record, in any order and more than once: a stage only moves forward, the
amount is taken once and ends once. Whose the money was, is booked at the end:

    won                              it is ours again
    lost, and Stripe was credited    what was owed to the customer is paid by it
    lost, and it was stranded        it was his anyway
    lost, and it was reported        a credit note is due (or, by setting, it is our loss)
    lost, and it had gone back       our loss: the customer has it twice

The credit note is made only then: one on a paid invoice cannot be voided.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import ledger
from twintill.domain.afterwards import rest_or_go_on
from twintill.domain.decision import Decision, Notice, look_again, parked
from twintill.domain.ledger import LedgerTransaction
from twintill.domain.money_back import DECIDED, LOSSES, Dispute, DisputeStage, ToldEarly
from twintill.domain.payment import Attempt, Payment, Reason, Receipt, State
from twintill.domain.policy import Fate, LostDispute, Policy
from twintill.domain.return_facts import DisputeNotSeen, DisputeTold
from twintill.money import Money

_RANK = {DisputeStage.OPENED: 0, DisputeStage.UNDER_REVIEW: 1}
_DECIDED_RANK = 2


DisputeFact = DisputeTold | DisputeNotSeen


def dispute_told(payment: Payment, fact: DisputeFact, policy: Policy, now: datetime) -> Decision:
    """What contradicts is for a person, and nothing of it is booked."""
    match fact:
        case DisputeTold():
            return _told(payment, fact, policy, now)
        case DisputeNotSeen():
            return _not_seen(payment, fact, policy, now)
    assert_never(fact)


def _told(payment: Payment, fact: DisputeTold, policy: Policy, now: datetime) -> Decision:
    attempt = next((a for a in payment.attempts if a.id == fact.attempt_id), None)
    receipt = next((r for r in payment.receipts if r.attempt_id == fact.attempt_id), None)
    known = next((d for d in payment.disputes if d.id == fact.dispute_id), None)
    before = known or _new(fact, policy, now)
    wrong = _wrong(attempt, receipt, before, fact)
    if wrong is not None:
        return Decision(parked(payment, wrong), notices=(Notice.NEEDS_PERSON,))
    fact = _with_what_was_told(before, fact)
    told = ToldEarly(fact.stage, fact.withheld, fact.fee_minor)
    if attempt is None or receipt is None:
        # Asked for again as soon as it is known what the charge brought.
        payment = look_again(_with(payment, replace(before, told=told, ask_at=now)), now)
        return Decision(payment, note="booked when it is known what the charge brought")
    early = _too_early(payment, receipt, fact)
    if early:
        fact = replace(fact, stage=before.stage)
    booked, receipt, postings = _book(before, receipt, attempt, fact, policy)
    ask_at = now if early else now + policy.dispute_pause
    booked = replace(booked, told=told if early else None, ask_at=ask_at)
    receipts = tuple(receipt if r.id == receipt.id else r for r in payment.receipts)
    after = _rest(replace(_with(payment, booked), receipts=receipts), now)
    notices, fate = _consequences(known, booked, policy)
    over = known is not None and not notices and not postings and booked.is_open
    if over and now > booked.opened_at + policy.dispute_deadline:
        return Decision(parked(after, _no_end(booked)), notices=(Notice.NEEDS_PERSON,))
    return Decision(after, postings=postings, notices=notices, attempt_id=attempt.id, fate=fate)


def _not_seen(payment: Payment, fact: DisputeNotSeen, policy: Policy, now: datetime) -> Decision:
    dispute = next((d for d in payment.disputes if d.id == fact.dispute_id), None)
    if dispute is None or not dispute.is_open:
        return Decision(payment, note="it has ended")
    kept = _kept(payment, dispute)
    if kept is not None:
        return _told(payment, kept, policy, now)
    payment = _rest(_with(payment, replace(dispute, ask_at=now + policy.dispute_pause)), now)
    if now > dispute.opened_at + policy.dispute_deadline:
        return Decision(parked(payment, _no_end(dispute)), notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, note=fact.detail)


def _kept(payment: Payment, dispute: Dispute) -> DisputeTold | None:
    """What was told too early, when it can be booked by now: nobody may tell it again."""
    receipt = next((r for r in payment.receipts if r.id == dispute.receipt_id), None)
    if dispute.told is None or receipt is None or receipt.attempt_id is None:
        return None
    fact = DisputeTold(
        dispute_id=dispute.id,
        processor_dispute_id=dispute.processor_dispute_id,
        attempt_id=receipt.attempt_id,
        stage=dispute.told.stage,
        amount=Money(dispute.amount_minor, receipt.currency),
        withheld=dispute.told.withheld,
        fee_minor=dispute.told.fee_minor,
        reason=dispute.reason,
    )
    return None if _too_early(payment, receipt, fact) else fact


def _with_what_was_told(before: Dispute, fact: DisputeTold) -> DisputeTold:
    """An old word does not take back a newer one that was kept."""
    told = before.told
    if told is None:
        return fact
    return replace(
        fact,
        stage=max(fact.stage, told.stage, key=_rank),
        withheld=fact.withheld or told.withheld,
        fee_minor=max(fact.fee_minor, told.fee_minor),
    )


def _new(fact: DisputeTold, policy: Policy, now: datetime) -> Dispute:
    return Dispute(
        id=fact.dispute_id,
        processor_dispute_id=fact.processor_dispute_id,
        receipt_id=fact.attempt_id.replace("att_", "rct_", 1),
        amount_minor=fact.amount.minor,
        opened_at=now,
        ask_at=now + policy.dispute_pause,
        reason=fact.reason,
    )


def _wrong(
    attempt: Attempt | None, receipt: Receipt | None, before: Dispute, fact: DisputeTold
) -> str | None:
    its = fact.processor_dispute_id
    if attempt is None or (receipt is None and not attempt.unresolved):
        return f"dispute {its} is of a charge that brought no money: compare with the processor"
    if fact.amount.currency != attempt.amount.currency or fact.amount.minor != before.amount_minor:
        return f"dispute {its} is told to be of {fact.amount} now: book it by hand"
    if receipt is not None and receipt.failed:
        return f"dispute {its} is of a debit that failed: compare with the processor"
    was = before.told.stage if before.told is not None else before.stage
    if was in DECIDED and fact.stage in DECIDED and (was in LOSSES) != (fact.stage in LOSSES):
        return (
            f"dispute {its} was {was} and is told to be {fact.stage} (a second review?): "
            "compare with the processor"
        )
    return None


def _too_early(payment: Payment, receipt: Receipt, fact: DisputeTold) -> bool:
    """Its end is booked when it is known whose the money is: reported, stranded, or given back."""
    out = payment.unresolved_refund
    moves = receipt.unapplied_minor > 0 or (out is not None and out.receipt_id == receipt.id)
    return moves and fact.stage in LOSSES


def _book(
    before: Dispute, receipt: Receipt, attempt: Attempt, fact: DisputeTold, policy: Policy
) -> tuple[Dispute, Receipt, tuple[LedgerTransaction, ...]]:
    """Each step once, whatever was told before it."""
    stage = fact.stage if _rank(fact.stage) > _rank(before.stage) else before.stage
    now, postings = replace(before, stage=stage), []
    if fact.fee_minor > before.fee_minor:
        more_minor = fact.fee_minor - before.fee_minor
        postings.append(ledger.dispute_fee(before, receipt, attempt.processor, more_minor))
        now = replace(now, fee_minor=fact.fee_minor)
    if fact.withheld and not before.withheld and stage is not DisputeStage.WON:
        postings.append(ledger.dispute_withheld(now, receipt))
        receipt = _withhold(receipt, now.amount_minor)
        now = replace(now, withheld=True)
    if stage is DisputeStage.WON and now.withheld:
        postings.append(ledger.dispute_won(now, receipt))
        receipt = _withhold(receipt, -now.amount_minor)
        now = replace(now, withheld=False)
    if stage in LOSSES and before.stage not in LOSSES:
        receipt, lost = _lose(now, receipt, policy)
        postings += lost
    return now, receipt, tuple(postings)


def _lose(
    dispute: Dispute, receipt: Receipt, policy: Policy
) -> tuple[Receipt, list[LedgerTransaction]]:
    """The amount over what it stands for; what is over that had gone back already."""
    left_minor, postings = dispute.amount_minor, []
    for against, most_minor in _stands_for(receipt, policy):
        part_minor = min(left_minor, most_minor)
        if part_minor > 0:
            left_minor -= part_minor
            postings.append(ledger.dispute_lost(dispute, receipt, against, part_minor))
            receipt = _lost(receipt, against, part_minor)
    return _withhold(receipt, -dispute.amount_minor), postings


def _stands_for(receipt: Receipt, policy: Policy) -> tuple[tuple[str, int], ...]:
    """Against which account, and at most how much; in this order."""
    told_minor = receipt.reported_minor + min(receipt.refund_due_minor, 0) + receipt.note_due_minor
    told_minor -= receipt.loss_minor
    credits_it = policy.lost_dispute is LostDispute.CREDIT_NOTE
    return (
        (ledger.REFUND_DUE, receipt.refund_due_minor),
        (ledger.STRANDED, receipt.stranded_minor),
        (ledger.NOTE_DUE, told_minor if credits_it else 0),
        (ledger.LOSS, 2**63),
    )


def _lost(receipt: Receipt, against: str, minor: int) -> Receipt:
    if against == ledger.LOSS:
        return replace(receipt, loss_minor=receipt.loss_minor + minor)
    receipt = replace(receipt, disputed_minor=receipt.disputed_minor + minor)
    if against == ledger.REFUND_DUE:
        return replace(receipt, refund_due_minor=receipt.refund_due_minor - minor)
    if against == ledger.STRANDED:
        return replace(receipt, stranded_minor=receipt.stranded_minor - minor)
    return replace(receipt, note_due_minor=receipt.note_due_minor - minor)


def _withhold(receipt: Receipt, minor: int) -> Receipt:
    return replace(receipt, withheld_minor=receipt.withheld_minor + minor)


def _rest(payment: Payment, now: datetime) -> Payment:
    """Money that is to be reported, or an attempt that is out, goes on as it was."""
    if payment.unapplied_minor or payment.unresolved_attempt is not None or not payment.receipts:
        return payment
    if payment.state is State.STRANDED and payment.receipt_to_give_back is None:
        payment = _nothing_stranded(payment)
    goes_back = payment.receipt_to_give_back is not None
    again_at = max(now, payment.next_look_at or now) if goes_back else now
    return rest_or_go_on(payment, again_at)


def _nothing_stranded(payment: Payment) -> Payment:
    """The dispute gave it back: nobody has to pay the customer another way."""
    if payment.reason is Reason.REFUND_REFUSED:
        payment = replace(payment, parked_why=None)
    return replace(payment, state=State.REPORTED if payment.reported_minor else State.REFUNDED)


def _consequences(
    known: Dispute | None, after: Dispute, policy: Policy
) -> tuple[tuple[Notice, ...], Fate]:
    """The app is told of its beginning and of its end, once each."""
    news: list[Notice] = []
    fate = Fate.NOTHING
    if known is None:
        news.append(Notice.DISPUTED)
        fate = policy.dispute_opened
    ended_before = known is not None and known.stage in DECIDED
    if after.stage in LOSSES and not ended_before:
        news.append(Notice.DISPUTE_LOST)
        fate = _harder(fate, policy.dispute_lost)
    if after.stage is DisputeStage.WON and not ended_before:
        news.append(Notice.DISPUTE_WON)
    return tuple(news), fate


def _harder(one: Fate, other: Fate) -> Fate:
    order = tuple(Fate)
    return max(one, other, key=order.index)


def _with(payment: Payment, dispute: Dispute) -> Payment:
    others = tuple(d for d in payment.disputes if d.id != dispute.id)
    return replace(payment, disputes=(*others, dispute))


def _rank(stage: DisputeStage) -> int:
    return _RANK.get(stage, _DECIDED_RANK)


def _no_end(dispute: Dispute) -> str:
    return (
        f"dispute {dispute.processor_dispute_id} is without an end since "
        f"{dispute.opened_at:%Y-%m-%d}: ask the processor"
    )
