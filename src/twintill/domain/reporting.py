"""What Stripe said of the money that is here: reported, refused, not yet (part of `decide`). Pure.

Only Stripe's answer to our own report strands money (DESIGN law 5); what it confirmed is reported,
anything beyond it is the customer's.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain import facts, hand_ledger, refunds
from twintill.domain.afterwards import at_rest, rest_or_go_on
from twintill.domain.decision import Decision, Notice, parked
from twintill.domain.hand_rules import with_receipts
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.late_failure import while_out
from twintill.domain.ledger import (
    UNAPPLIED,
    LedgerTransaction,
    reported,
    reported_though_failed,
    stranded,
)
from twintill.domain.partial import follow_on_of
from twintill.domain.payment import Payment, Reason, Receipt, State
from twintill.domain.policy import FailedAfterReport, Policy, pause_after
from twintill.errors import BrokenInvariant


def invoice_reported(
    payment: Payment, fact: facts.InvoiceReported, policy: Policy, now: datetime
) -> Decision:
    """Stripe confirmed an amount: that much is reported, anything beyond it is stranded."""
    if not payment.receipts:
        raise BrokenInvariant(f"{payment.id}: reported, and nothing was collected")
    told_again = payment.unapplied_minor == 0
    payment, postings = _split(payment, fact.confirmed_minor)
    if fact.confirmed_minor > payment.told_minor:
        return _more_confirmed(payment, fact, postings, policy, now)
    if told_again:
        return Decision(payment, note="reported already")
    if payment.stranded_minor == 0:
        payment = replace(_settled_state(payment, State.REPORTED), reason=None)
        rest = follow_on_of(payment)
        return Decision(payment, postings=postings, notices=(Notice.REPORTED,), follow_on=rest)
    why = "more was collected than Stripe confirmed: refund or credit the rest"
    payment, notices = refunds.strand(payment, Reason.MORE_THAN_DUE, why, policy, now)
    rest = follow_on_of(payment)
    return Decision(payment, postings=postings, notices=(Notice.REPORTED, *notices), follow_on=rest)


def _more_confirmed(
    payment: Payment,
    fact: facts.InvoiceReported,
    postings: tuple[LedgerTransaction, ...],
    policy: Policy,
    now: datetime,
) -> Decision:
    """A debit failed while its report was on the way: Stripe counts money that is not here."""
    counted, booked = _counted(payment, fact.confirmed_minor - payment.told_minor)
    by_itself = policy.failed_after_report is FailedAfterReport.REPLACE
    if counted is not None and by_itself and counted.unresolved_attempt is None:
        # As if it had failed after the report: a credit note, and a new invoice.
        counted = rest_or_go_on(replace(counted, state=State.REPORTED), now)
        return Decision(
            counted,
            postings=(*postings, *booked),
            notices=(Notice.REPORTED,),
            follow_on=follow_on_of(counted),
        )
    why = (
        f"Stripe confirmed {fact.confirmed_minor} and {payment.reported_minor} is here: a debit "
        "failed while it was reported; credit note and new invoice"
    )
    if postings:
        payment = replace(_settled_state(payment, State.REPORTED), reason=Reason.FAILED_LATE)
    notices = (Notice.REPORTED,) if postings else ()
    return Decision(
        parked(payment, why),
        postings=postings,
        notices=(*notices, Notice.NEEDS_PERSON),
        follow_on=follow_on_of(payment),
    )


def _counted(
    payment: Payment, over_minor: int
) -> tuple[Payment | None, tuple[LedgerTransaction, ...]]:
    """What Stripe counts of debits that failed: told, and not there; None: more than those."""
    receipts, postings = [], []
    for receipt in payment.receipts:
        untold_minor = receipt.collected_minor - receipt.reported_minor if receipt.failed else 0
        part_minor = min(untold_minor, over_minor)
        over_minor -= part_minor
        if part_minor:
            postings.append(reported_though_failed(receipt, part_minor))
        receipts.append(replace(receipt, reported_minor=receipt.reported_minor + part_minor))
    if over_minor:
        return None, ()
    return replace(payment, receipts=tuple(receipts)), tuple(postings)


def report_refused(
    payment: Payment, fact: facts.ReportRefused, policy: Policy, now: datetime
) -> Decision:
    """Stripe's readable answer to our own report is the only thing that strands money."""
    if payment.unapplied_minor == 0:
        return Decision(payment, note="nothing was left to report")
    if not fact.look.closed:
        raise BrokenInvariant(f"{payment.id}: a report is refused only by a closed invoice")
    payment, postings = _split(payment, 0)
    reason = _CLOSED_REASON.get(fact.look.status.value, Reason.PAID_ELSEWHERE)
    # Paid by others, but only what the credit note of the rest had left.
    rest = follow_on_of(payment) if fact.look.status is InvoiceStatus.PAID else None
    if not any(receipt.to_give_back_minor for receipt in payment.receipts):
        ended = _closed(payment, reason, now)
        told = () if ended.unresolved_attempt else (Notice.CANCELED,)
        return Decision(ended, postings=postings, notices=told, follow_on=rest)
    why = f"collected, but the invoice is closed ({reason}): refund or credit it"
    payment, notices = refunds.strand(payment, reason, why, policy, now)
    return Decision(payment, postings=postings, notices=notices, follow_on=rest)


def _closed(payment: Payment, reason: Reason, now: datetime) -> Payment:
    """All of it was by hand, and is the customer's credit: nothing is left of this payment."""
    out = payment.unresolved_attempt
    if out is not None:
        return while_out(payment, out, now)
    return at_rest(replace(payment, state=State.CANCELED, reason=reason), now)


_CLOSED_REASON = {"void": Reason.INVOICE_VOID, "deleted": Reason.INVOICE_DELETED}


def report_failed(
    payment: Payment, fact: facts.ReportFailed, policy: Policy, now: datetime
) -> Decision:
    if payment.unapplied_minor == 0:
        return Decision(payment, note=fact.detail)
    if not fact.began:
        # `pay` was certainly not sent: it must not be taken for ours when somebody else marks it.
        reports = max(payment.reports - 1, 0)
        payment = replace(payment, reports=reports, unreadable=payment.unreadable + 1)
    if fact.needs_person:
        return Decision(parked(payment, fact.detail), notices=(Notice.NEEDS_PERSON,))
    tries = payment.reports + payment.unreadable
    later = now + pause_after(policy.stripe_pauses, max(tries - 1, 0))
    # Somebody should look at a key that stays wrong, but reports are never paused.
    notices = (Notice.NEEDS_PERSON,) if tries == policy.reports_before_notice else ()
    return Decision(replace(payment, next_look_at=later), notices=notices, note=fact.detail)


def _split(payment: Payment, confirmed_minor: int) -> tuple[Payment, tuple[LedgerTransaction, ...]]:
    """Spread what Stripe confirmed over the receipts, oldest first; strand the rest.

    No processor gives back what a person has in hand: that is the customer's credit.
    """
    receipts: list[Receipt] = []
    postings: list[LedgerTransaction] = []
    for receipt in payment.receipts:
        applied = min(receipt.unapplied_minor, confirmed_minor)
        rest = receipt.unapplied_minor - applied
        confirmed_minor -= applied
        if applied:
            postings.append(reported(receipt, applied))
        told = replace(receipt, reported_minor=receipt.reported_minor + applied)
        if not rest:
            receipts.append(told)
        elif receipt.attempt_id is None:
            postings.append(hand_ledger.kept(receipt, UNAPPLIED, rest))
            receipts.append(replace(told, credit_minor=told.credit_minor + rest))
        else:
            postings.append(stranded(receipt, rest))
            receipts.append(replace(told, stranded_minor=told.stranded_minor + rest))
    return with_receipts(payment, receipts), tuple(postings)


def _settled_state(payment: Payment, state: State) -> Payment:
    """The money's state, unended while another attempt is out or a person is called."""
    dispute = payment.open_dispute
    again_at = payment.compare_at or (None if dispute is None else dispute.ask_at)
    if payment.unresolved_attempt is None and again_at is not None:
        return at_rest(replace(payment, state=state), again_at)
    out = payment.unresolved_attempt is not None
    return replace(
        payment,
        state=state,
        ended=not out and payment.parked_why is None,
        next_look_at=payment.next_look_at if out else None,
    )
