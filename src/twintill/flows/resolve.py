"""In doubt: find out what became of an attempt. Never a new charge.

Look up by our own reference first; replay the same key only inside the window and only after a
fresh last look; "not found" is a proof only when nothing can appear any more; then a person.
"""

from datetime import timedelta

from twintill.domain.doubt import Window, may_replay, nothing_can_appear
from twintill.domain.facts import (
    ChargeBraked,
    LookFailed,
    LookGaveUp,
    NotFoundThere,
    ReplayStarted,
    Via,
    Withdrawn,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    LookUp,
    NeedsCustomer,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Attempt
from twintill.flows.looking import Looking
from twintill.flows.searching import search_of
from twintill.processors import Capabilities, LookUpBy, PreparedCharge
from twintill.store import brakes, mirror

_CLOSED = (InvoiceStatus.VOID, InvoiceStatus.DELETED, InvoiceStatus.PAID)


async def resolve(looking: Looking, attempt: Attempt) -> None:
    """An attempt without an answer."""
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    window = window_of(processor.capabilities)
    if window.reliable_look_up:
        search = search_of(looking.means, looking.lease.scope, attempt)
        found = await processor.find_charge(search)
        if not isinstance(found, NotFound):
            await looking.learn_answer(attempt, _seen(found), Via.RECORD)
            return
    known = bool(attempt.sealed_body)  # else it was found after a restore: nothing to send again
    if known and may_replay(attempt, window, looking.policy, looking.now):
        await _replay(looking, attempt)
        return
    conclusive = nothing_can_appear(attempt, window, looking.now)
    await looking.learn(NotFoundThere(attempt.id, conclusive))


async def ask(looking: Looking, attempt: Attempt) -> None:
    """One that was accepted, waits for the customer, or is not final: a webhook may be lost."""
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    if attempt.processor_payment_id is None:
        await resolve(looking, attempt)
        return
    if attempt.unresolved and processor.capabilities.can_cancel_pending:
        closed = await _closed_meanwhile(looking)
        if closed is not None:
            await _withdraw(looking, attempt, attempt.processor_payment_id, closed)
            return
    found = await processor.get_charge(attempt.processor_payment_id)
    seen = _seen(found)
    if isinstance(seen, NoAnswer) and not attempt.unresolved:
        await looking.learn(LookFailed(seen.detail))  # asked whether it is final by now
        return
    await looking.learn_answer(attempt, seen, Via.RECORD)


async def came_after_all(looking: Looking) -> bool:
    """A person said that the last one was not charged; before a new charge it is asked for again.

    Its webhook may have been lost; nothing else would notice that it arrived late.
    """
    last = looking.payment.attempts[-1] if looking.payment.attempts else None
    if last is None or last.code != NotSentReason.PERSON:
        return False
    processor = looking.means.processor(last.processor, last.processor_account_id)
    if processor.capabilities.look_up is not LookUpBy.REFERENCE:
        return False
    match await processor.find_charge(search_of(looking.means, looking.lease.scope, last)):
        case NotFound() | Declined():
            return False
        case Approved() as approved:
            await looking.learn_answer(last, approved, Via.RECORD)
        case Accepted(there) | NeedsCustomer(there):
            why = f"{there} is under way at {last.processor}, and a person said it was not charged"
            await looking.learn(LookGaveUp(why))
        case NoAnswer(detail) | NotSent(_, detail):
            await looking.learn(LookFailed(f"could not ask for {last.reference}: {detail}"))
    return True


async def _closed_meanwhile(looking: Looking) -> InvoiceLook | None:
    """An event said that the invoice is closed: what Stripe itself says, when it is so.

    Not when it was marked as paid by hand: a debit may have been taken for money that had come.
    """
    scope, invoice_id = looking.lease.scope, looking.payment.invoice_id
    async with looking.means.database.connect() as db:
        seen = await mirror.invoice_seen(db, scope, invoice_id)
    if seen is None or seen.status not in _CLOSED:
        return None
    look = await looking.means.stripe.read_invoice(invoice_id)
    reported = look.closed and looking.payment.reported_minor > 0
    return look if look.closed_by_others or reported else None


async def _withdraw(
    looking: Looking, attempt: Attempt, processor_payment_id: str, look: InvoiceLook
) -> None:
    """Cancel it while that is possible; too late, and its answer counts as any other."""
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    seen = _seen(await processor.cancel_charge(processor_payment_id))
    if isinstance(seen, Declined):
        await looking.learn(Withdrawn(attempt.id, look), look=look)
    else:
        await looking.learn_answer(attempt, seen, Via.RECORD)


async def _replay(looking: Looking, attempt: Attempt) -> None:
    """The same key and the same bytes, once, after a fresh last look; it may charge, as the first.

    So the brake holds it too.
    """
    scope = looking.lease.scope
    async with looking.means.database.connect() as db:
        braked = await brakes.why_on(db, scope, attempt.processor)
    if braked is not None:
        await looking.learn(ChargeBraked(braked))
        return
    look = await looking.means.stripe.last_look(looking.payment.invoice_id, attempt.n)
    async with looking.means.database.begin() as db:
        braked = await brakes.why_on(db, scope, attempt.processor)
        started = ReplayStarted(attempt.id, look, braked)
        decision = await looking.learn_start(db, started, look)
    if decision is None or decision.send is None:
        return
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    body = looking.means.vault.open(
        attempt.sealed_body, looking.lease.scope, "attempts", attempt.id
    )
    outcome = await processor.charge(
        PreparedCharge(attempt.reference, attempt.idempotency_key, body)
    )
    exact = processor.capabilities.replays_first_answer
    await looking.learn_answer(attempt, outcome, Via.EXACT_REPLAY if exact else Via.REPLAY)


def _seen(found: LookUp) -> ChargeOutcome:
    """A look-up that failed, or found nothing, says nothing about the charge."""
    match found:
        case NotFound():
            return NoAnswer("the processor does not know it")
        case NotSent(reason, detail):
            return NoAnswer(f"could not look it up ({reason}): {detail}")
        case _:
            return found


def window_of(capabilities: Capabilities) -> Window:
    """How long the processor honours a key, and how surely a charge is found again."""
    return Window(
        key_window=timedelta(seconds=capabilities.key_window_s),
        look_up_lag=timedelta(seconds=capabilities.look_up_lag_s),
        reliable_look_up=capabilities.look_up is LookUpBy.REFERENCE,
    )
