"""The only place where a payment changes state: (payment, fact, policy, now) -> Decision. Pure.

Each fact has one function below; answers to an attempt are in `answers`. A fact that means nothing
in the present state is noted in the history and changes nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import facts
from twintill.domain.answers import answered, failed_late, not_found_there
from twintill.domain.decision import Decision, Notice, Send, with_attempt
from twintill.domain.doubt import next_ask
from twintill.domain.facts import Fact
from twintill.domain.ledger import LedgerTransaction, reported, stranded
from twintill.domain.look import Chargeable, Closed, NeedsPerson, Verdict, Wait, judge_charge
from twintill.domain.payment import Attempt, Payment, Reason, Receipt, State
from twintill.domain.policy import Policy, pause_after
from twintill.money import Money


def decide(  # noqa: C901, PLR0912 -- one flat table, a case per fact
    payment: Payment, fact: Fact, policy: Policy, now: datetime
) -> Decision:
    """What this fact means for this payment. Raises BrokenInvariant only for a bug of ours."""
    match fact:
        case facts.InvoiceOpened():
            return _invoice_opened(payment, fact, now)
        case facts.InvoiceTouched():
            return _touched(payment, now)
        case facts.ChargeStarted():
            return _charge_started(payment, fact, policy, now)
        case facts.LookFailed():
            return _look_failed(payment, fact, policy, now)
        case facts.Answered():
            return answered(payment, fact, policy, now)
        case facts.NotFoundThere():
            return not_found_there(payment, fact, policy, now)
        case facts.ReplayStarted():
            return _replay_started(payment, fact, policy, now)
        case facts.FailedLate():
            return failed_late(payment, fact, now)
        case facts.InvoiceReported():
            return _invoice_reported(payment, fact)
        case facts.ReportRefused():
            return _report_refused(payment, fact)
        case facts.ReportFailed():
            return _report_failed(payment, fact, policy, now)
        case facts.AmountAgreed():
            return _amount_agreed(payment, fact, now)
        case facts.MethodAdded():
            return _method_added(payment, now)
        case facts.CheckoutExpired():
            return _checkout_expired(payment)
        case facts.LookGaveUp():
            return Decision(_parked(payment, fact.detail), notices=(Notice.NEEDS_PERSON,))
        case facts.Unparked():
            return Decision(replace(payment, parked_why=None, next_look_at=now))
    assert_never(fact)


def _invoice_opened(payment: Payment, fact: facts.InvoiceOpened, now: datetime) -> Decision:
    payment = replace(payment, due_at=fact.due_at or payment.due_at)
    if payment.state is not State.WAITING or payment.reason is not Reason.DRAFT:
        return Decision(payment, note="the invoice was open already")
    return Decision(_waiting(payment, Reason.READY, now))


def _touched(payment: Payment, now: datetime) -> Decision:
    """Look sooner, where looking is all that is to be done; never while an attempt is out."""
    if payment.ended or payment.unresolved_attempt is not None or payment.reason is Reason.RETRY:
        return Decision(payment, note="nothing to look at")
    return Decision(replace(payment, next_look_at=now))


def _charge_started(
    payment: Payment, fact: facts.ChargeStarted, policy: Policy, now: datetime
) -> Decision:
    if payment.state is not State.WAITING or payment.unresolved_attempt or payment.unapplied_minor:
        return Decision(payment, note="another attempt is out, or the money is here")
    payment = replace(payment, unreadable=0, due_at=fact.look.due_at or payment.due_at)
    verdict = judge_charge(payment, fact.look, fact.n, policy, now)
    if not isinstance(verdict, Chargeable):
        return _not_chargeable(payment, verdict)
    if fact.method is None:
        return Decision(_waiting(payment, Reason.NO_METHOD, now + policy.look_pause))
    if fact.refused is not None:
        why = f"cannot be charged with this processor: {fact.refused.detail}"
        return Decision(_parked(payment, why), notices=(Notice.NEEDS_PERSON,))
    if fact.n != payment.next_n:
        return Decision(replace(payment, next_look_at=now), note="prepared for an older attempt")
    return _send(payment, fact, verdict.amount_minor, now)


def _send(
    payment: Payment, fact: facts.ChargeStarted, amount_minor: int, now: datetime
) -> Decision:
    method = fact.method
    assert method is not None, "checked by the caller"
    attempt = Attempt(
        id=fact.attempt_id,
        n=fact.n,
        method_id=method.id,
        processor=method.processor,
        processor_account_id=method.processor_account_id,
        amount=Money(amount_minor, payment.currency),
        reference=fact.reference,
        idempotency_key=fact.idempotency_key,
        first_sent_at=now,
        sealed_body=fact.sealed_body,
    )
    payment = replace(
        with_attempt(payment, attempt),
        state=State.CHARGING,
        reason=None,
        # Should this worker die now, another asks for the outcome when the lease is over.
        next_look_at=now,
        ended=False,
    )
    return Decision(payment, send=Send(attempt), attempt_id=attempt.id)


def _not_chargeable(payment: Payment, verdict: Verdict) -> Decision:
    match verdict:
        case Wait(reason, until):
            return Decision(_waiting(payment, reason, until))
        case Closed(Reason.UNCOLLECTIBLE as reason):
            return Decision(_ended(payment, State.EXHAUSTED, reason), notices=(Notice.EXHAUSTED,))
        case Closed(reason):
            return Decision(_ended(payment, State.CANCELED, reason), notices=(Notice.CANCELED,))
        case NeedsPerson(why):
            return Decision(_parked(payment, why), notices=(Notice.NEEDS_PERSON,))
        case Chargeable():  # pragma: no cover -- the callers ask only otherwise
            raise AssertionError("chargeable")


def _look_failed(
    payment: Payment, fact: facts.LookFailed, policy: Policy, now: datetime
) -> Decision:
    """Stripe unreadable means wait: never charge without a last look."""
    later = now + pause_after(policy.stripe_pauses, payment.unreadable)
    payment = replace(payment, unreadable=payment.unreadable + 1, next_look_at=later)
    if payment.state is State.WAITING:
        payment = replace(payment, reason=Reason.STRIPE_UNREADABLE)
    return Decision(payment, note=fact.detail)


def _replay_started(
    payment: Payment, fact: facts.ReplayStarted, policy: Policy, now: datetime
) -> Decision:
    attempt = payment.unresolved_attempt
    if attempt is None or attempt.id != fact.attempt_id:
        return Decision(payment, note="this attempt is resolved already")
    verdict = judge_charge(payment, fact.look, attempt.n, policy, now)
    asked = replace(attempt, asked=attempt.asked + 1)
    if isinstance(verdict, NeedsPerson):
        return Decision(_parked(payment, verdict.why), notices=(Notice.NEEDS_PERSON,))
    if verdict != Chargeable(attempt.amount.minor):
        # Sending it again could charge what is no longer due: only look-ups from here on.
        payment = replace(with_attempt(payment, asked), next_look_at=next_ask(attempt, policy, now))
        return Decision(payment, attempt_id=attempt.id, note="not sent again: not chargeable now")
    sent = replace(asked, sendings=attempt.sendings + 1)
    payment = replace(with_attempt(payment, sent), next_look_at=now, unreadable=0)
    return Decision(payment, send=Send(sent), attempt_id=sent.id)


def _invoice_reported(payment: Payment, fact: facts.InvoiceReported) -> Decision:
    """Stripe confirmed an amount: that much is reported, anything beyond it is stranded."""
    if payment.unapplied_minor == 0:
        return Decision(payment, note="reported already")
    payment, postings = _split(payment, fact.confirmed_minor)
    excess = payment.stranded_minor > 0
    state = State.STRANDED if excess else State.REPORTED
    payment = replace(_settled_state(payment, state), reason=None)
    if not excess:
        return Decision(payment, postings=postings, notices=(Notice.REPORTED,))
    why = "more was collected than Stripe confirmed: refund or credit the rest"
    payment = _parked(replace(payment, reason=Reason.MORE_THAN_DUE), why)
    notices = (Notice.REPORTED, Notice.STRANDED, Notice.NEEDS_PERSON)
    return Decision(payment, postings=postings, notices=notices)


def _report_refused(payment: Payment, fact: facts.ReportRefused) -> Decision:
    """Stripe's readable answer to our own report is the only thing that strands money."""
    if payment.unapplied_minor == 0:
        return Decision(payment, note="nothing was left to report")
    payment, postings = _split(payment, 0)
    reason = _CLOSED_REASON.get(fact.look.status.value, Reason.PAID_ELSEWHERE)
    payment = replace(_settled_state(payment, State.STRANDED), reason=reason)
    why = f"collected, but the invoice is closed ({reason}): refund or credit it"
    notices = (Notice.STRANDED, Notice.NEEDS_PERSON)
    return Decision(_parked(payment, why), postings=postings, notices=notices)


_CLOSED_REASON = {"void": Reason.INVOICE_VOID, "deleted": Reason.INVOICE_DELETED}


def _report_failed(
    payment: Payment, fact: facts.ReportFailed, policy: Policy, now: datetime
) -> Decision:
    if payment.unapplied_minor == 0:
        return Decision(payment, note=fact.detail)
    if fact.needs_person:
        return Decision(_parked(payment, fact.detail), notices=(Notice.NEEDS_PERSON,))
    later = now + pause_after(policy.stripe_pauses, max(payment.reports - 1, 0))
    return Decision(replace(payment, next_look_at=later), note=fact.detail)


def _amount_agreed(payment: Payment, fact: facts.AmountAgreed, now: datetime) -> Decision:
    """A limit only ever rises: an earlier, higher yes stays given."""
    limit = max(fact.limit_minor, payment.limit_minor or 0)
    payment = replace(payment, limit_minor=limit)
    if payment.state is not State.WAITING or payment.reason is Reason.RETRY:
        return Decision(payment)
    return Decision(_waiting(payment, Reason.READY, now))


def _method_added(payment: Payment, now: datetime) -> Decision:
    """A new method from the customer triggers a charge at once, also after dunning gave up."""
    held = payment.reason in (Reason.CHECKOUT, Reason.CONSENT)
    uncollectible = payment.reason is Reason.UNCOLLECTIBLE
    if payment.state not in (State.WAITING, State.EXHAUSTED) or held or uncollectible:
        return Decision(payment, note="no charge waits for a method")
    return Decision(_waiting(payment, Reason.READY, now))


def _checkout_expired(payment: Payment) -> Decision:
    """Only a payment that nothing was attempted on can be called off."""
    if payment.state is not State.WAITING or payment.attempts:
        return Decision(payment, note="the checkout had gone further")
    payment = _ended(payment, State.CANCELED, Reason.CHECKOUT_EXPIRED)
    return Decision(payment, notices=(Notice.CANCELED,))


def _split(payment: Payment, confirmed_minor: int) -> tuple[Payment, tuple[LedgerTransaction, ...]]:
    """Spread what Stripe confirmed over the receipts, oldest first; strand the rest."""
    receipts: list[Receipt] = []
    postings: list[LedgerTransaction] = []
    for receipt in payment.receipts:
        applied = min(receipt.unapplied_minor, confirmed_minor)
        rest = receipt.unapplied_minor - applied
        confirmed_minor -= applied
        if applied:
            postings.append(reported(receipt, applied))
        if rest:
            postings.append(stranded(receipt, rest))
        receipts.append(
            replace(
                receipt,
                reported_minor=receipt.reported_minor + applied,
                stranded_minor=receipt.stranded_minor + rest,
            )
        )
    return replace(payment, receipts=tuple(receipts)), tuple(postings)


def _settled_state(payment: Payment, state: State) -> Payment:
    """The money's state, unended while another attempt is still out."""
    out = payment.unresolved_attempt
    next_look_at = payment.next_look_at if out else None
    return replace(payment, state=state, ended=out is None, next_look_at=next_look_at)


def _waiting(payment: Payment, reason: Reason, until: datetime) -> Payment:
    return replace(payment, state=State.WAITING, reason=reason, next_look_at=until, ended=False)


def _ended(payment: Payment, state: State, reason: Reason) -> Payment:
    return replace(payment, state=state, reason=reason, next_look_at=None, ended=True)


def _parked(payment: Payment, why: str) -> Payment:
    return replace(payment, parked_why=why, ended=False)
