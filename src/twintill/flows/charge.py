"""Charging: the method, the last look, the intent committed, the request, its outcome.

read method and brake -> POST metadata to Stripe (the last look) -> learn(ChargeStarted) COMMIT
-> processor.charge, no transaction open -> learn(Answered) COMMIT -> report
"""

from dataclasses import dataclass

from twintill import ids
from twintill.domain.decision import Decision
from twintill.domain.dunning import choose
from twintill.domain.facts import (
    ChargeBraked,
    ChargeStarted,
    LookGaveUp,
    Method,
    NoMethodFound,
    Via,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.domain.payment import Attempt, Payment, Reason
from twintill.flows import report, resolve
from twintill.flows.looking import Looking
from twintill.money import Money
from twintill.processors import ChargeRequest, PreparedCharge, Processor, StoredMethod
from twintill.store import brakes, methods, mirror, operations, work
from twintill.store.methods import MethodRow
from twintill.store.work import PAYMENTS
from twintill.stripe_billing.marks import HANDED

_STILL_COLLECTABLE = (InvoiceStatus.DRAFT, InvoiceStatus.OPEN)
_UNKNOWN_SWITCH = (
    "handed over to Stripe by {by}, a switch that this database does not know of: was a backup "
    "restored, or does another copy run? If Stripe is not to charge it, take {mark} out of the "
    "invoice's metadata, then unpark"
)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What would be sent, and the names it would go under."""

    attempt_id: str
    n: int
    reference: str
    idempotency_key: str
    method: MethodRow | None
    prepared: PreparedCharge | NotSent | None
    sealed_body: bytes


async def charge(looking: Looking) -> None:
    """One charge of one invoice, if Stripe says a moment before that it is still due."""
    payment = looking.payment
    if await resolve.came_after_all(looking):
        return
    method, held = await _method(looking)
    if held is not None and not await _is_doubtful(looking):
        await looking.learn(held)
        return
    look = await looking.means.stripe.last_look(payment.invoice_id, payment.next_n)
    if look.handed_by is not None:
        seen = await _without_a_late_mark(looking, look, look.handed_by)
        if seen is None:
            return
        look = seen
    draft = _draft(looking, method, look)
    decision = await _start(looking, draft, look)
    if decision is None or decision.send is None:
        return
    assert isinstance(draft.prepared, PreparedCharge), "decide refused everything else"
    await send(looking, decision.send.attempt, draft.prepared)


async def send(looking: Looking, attempt: Attempt, prepared: PreparedCharge) -> None:
    """The first sending; an approval is reported in the same look."""
    processor = looking.means.processor(attempt.processor, attempt.processor_account_id)
    outcome = await processor.charge(prepared)
    collected = await looking.learn_answer(attempt, outcome, Via.FIRST, go_on=True)
    if collected is not None:
        await report.report(looking, collected)


async def _method(looking: Looking) -> tuple[MethodRow | None, NoMethodFound | ChargeBraked | None]:
    """The one that dunning's rules choose among the customer's, as they were read at the claim.

    And why Stripe need not be asked yet, if so.
    """
    chosen, scope = choose(looking.payment, looking.policy, looking.now), looking.lease.scope
    if chosen is None:
        return None, NoMethodFound()
    async with looking.means.database.connect() as db:
        method = await methods.active(db, scope, chosen)
        if method is None:
            return None, NoMethodFound()
        why = await brakes.why_on(db, scope, method.processor)
    return method, None if why is None else ChargeBraked(why)


async def _is_doubtful(looking: Looking) -> bool:
    """The invoice may be closed by now: then look, also without a method, to end it."""
    payment = looking.payment
    async with looking.means.database.connect() as db:
        seen = await mirror.invoice_seen(db, looking.lease.scope, payment.invoice_id)
    if seen is None:
        return False
    # A customer who is at the checkout has not agreed to what a look would ask him about.
    at_checkout = payment.reason in (Reason.CHECKOUT, Reason.CONSENT)
    return seen.status not in _STILL_COLLECTABLE or (seen.stale and not at_checkout)


async def _without_a_late_mark(looking: Looking, look: InvoiceLook, by: str) -> InvoiceLook | None:
    """A request of a switch may arrive after the switch has ended: then nobody takes its mark away.

    Of a switch that this database does not know, the mark stands. Nobody here will end it: unless
    Stripe is at it, a person is called (None).
    """
    async with looking.means.database.connect() as db:
        operation = await operations.find(db, looking.lease.scope, by)
    if operation is None and _is_left_lying(look):
        await looking.learn(LookGaveUp(_UNKNOWN_SWITCH.format(by=by, mark=HANDED)), look=look)
        return None
    if operation is None or operation.ended_at is None:
        return look
    return await looking.means.stripe.unmark_handed_over(looking.payment.invoice_id)


def _is_left_lying(look: InvoiceLook) -> bool:
    """To be sent, and not being paid at Stripe."""
    is_ours = look.status is InvoiceStatus.OPEN and look.collection_method == "send_invoice"
    return is_ours and look.stripe_payment is StripePayment.NONE


def _draft(looking: Looking, method: MethodRow | None, look: InvoiceLook) -> _Draft:
    """Names and bytes of the attempt that would be made: deterministic, and nothing is sent."""
    payment, scope, n = looking.payment, looking.lease.scope, looking.payment.next_n
    attempt_id = ids.attempt_id(scope, payment.invoice_id, "charge", n)
    reference = ids.reference(scope, payment.invoice_id, "charge", n)
    key = ids.idempotency_key(scope, payment.invoice_id, "charge", n)
    prepared: PreparedCharge | NotSent | None = None
    sealed = b""
    if method is not None and look.amount_remaining_minor > 0:
        request = _request(looking, method, payment, look, reference)
        processor = looking.means.processor(method.processor, method.processor_account_id)
        prepared = _too_small(processor, request.amount) or processor.prepare_charge(request, key)
        if isinstance(prepared, PreparedCharge):
            sealed = looking.means.vault.seal(prepared.body, scope, "attempts", attempt_id)
    return _Draft(attempt_id, n, reference, key, method, prepared, sealed)


def _too_small(processor: Processor, amount: Money) -> NotSent | None:
    """Known before anything is sent: a person voids it, or collects it otherwise."""
    least = processor.capabilities.minimum_minor.get(amount.currency, 1)
    if amount.minor >= least:
        return None
    name, minimum = processor.capabilities.display_name, Money(least, amount.currency)
    return NotSent(NotSentReason.INEXACT, f"{amount} is less than {name} takes ({minimum})")


def _request(
    looking: Looking, method: MethodRow, payment: Payment, look: InvoiceLook, reference: str
) -> ChargeRequest:
    return ChargeRequest(
        reference=reference,
        invoice_id=payment.invoice_id,
        amount=Money(look.amount_remaining_minor, look.currency),
        method=_stored(looking, method),
        description=f"Invoice {payment.invoice_id}",
        metadata={"invoice": payment.invoice_id, "payment": payment.id},
    )


def _stored(looking: Looking, method: MethodRow) -> StoredMethod:
    """With its token, for the adapter only."""
    token = methods.open_token(looking.means.vault, looking.lease.scope, method)
    return StoredMethod(method.processor_customer_id, token, method.kind)


async def _start(looking: Looking, draft: _Draft, look: InvoiceLook) -> Decision | None:
    """Commit the intent, with the method's row held: it cannot be removed under us.

    Two payments that begin with one method take turns, so that each counts the other's try.
    The brake is read in the same transaction: no intent begins after a brake was committed.
    """
    scope = looking.lease.scope
    async with looking.means.database.begin() as db:
        row = draft.method and await methods.hold_active(db, scope, draft.method.id)
        if row is None and draft.method is not None:
            await work.release(db, PAYMENTS, looking.lease)  # still due: it rings again
            return None
        braked = None if row is None else await brakes.why_on(db, scope, row.processor)
        return await looking.learn_start(db, _started(draft, look, row, braked), look)


def _started(
    draft: _Draft, look: InvoiceLook, row: MethodRow | None, braked: str | None
) -> ChargeStarted:
    method = None
    if row is not None:
        method = Method(row.id, row.processor, row.processor_account_id)
    return ChargeStarted(
        look=look,
        method=method,
        n=draft.n,
        reference=draft.reference,
        idempotency_key=draft.idempotency_key,
        attempt_id=draft.attempt_id,
        sealed_body=draft.sealed_body,
        refused=draft.prepared if isinstance(draft.prepared, NotSent) else None,
        braked=braked,
    )
