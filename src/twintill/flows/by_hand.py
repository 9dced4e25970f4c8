"""Money that did not come through a processor: recorded, undone, corrected, by people.

Its payment is locked, the rules are asked under that lock, the fact is learned: one commit. An
invoice that nothing of ours collects gets a payment then; it is never charged by us.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.hand import TAKEN_BACK, HandKind, HandPayment, HandState
from twintill.domain.hand_facts import (
    CreditReturned,
    HandPaymentCorrected,
    HandPaymentUndone,
    PaidByHand,
)
from twintill.domain.hand_rules import (
    correct_refusal,
    credit_refusal,
    find,
    record_refusal,
    undo_refusal,
)
from twintill.domain.payment import Payment
from twintill.domain.refund_asks import Refused
from twintill.errors import BadRequest, ConflictError
from twintill.flows.invoice_payments import payment_for
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope, derived_id
from twintill.money import Money, is_expressible
from twintill.store import clock, hand_payments, invoice_actions, payments, work
from twintill.store.hand_payments import Recorded
from twintill.store.invoice_actions import Action
from twintill.store.work import PAYMENTS


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says that he has in hand, in minor units.

    `as_credit`: he knows that Stripe shows the invoice as paid by somebody else.
    """

    kind: HandKind
    amount_minor: int
    currency: str
    received_on: date
    reference: str
    by: str
    note: str | None = None
    as_credit: bool = False


async def record(means: Means, scope: Scope, invoice_id: str, hand_id: str, word: Word) -> Recorded:
    """Book it, and put it on the invoice; repeated under the same id it answers what is known.

    It waits while a charge is out, and is the customer's credit if the invoice is closed. Raises
    NotFoundError, BadRequest and ConflictError, with the rule that forbids it.
    """
    opened = await payment_for(means, scope, invoice_id)
    async with means.database.begin() as db:
        known = await hand_payments.find(db, scope, hand_id)
        if known is not None:
            return known
        payment_id = await opened.within(db)
        payment = (await payments.lock(db, scope, payment_id)).payment
        _require_sense(payment, word, (await clock.now(db)).date())
        _require_new(payment, word)
        _require(record_refusal(payment), "Not recorded", "invoice")
        if not word.as_credit:
            _require(credit_refusal(payment), "Not recorded", "as_credit")
        await learn_within(db, means, scope, payment_id, _fact(hand_id, word), actor=word.by)
        told = {"amount": word.amount_minor, "currency": word.currency.lower(), "kind": word.kind}
        action = Action(
            derived_id("act", scope, "paid_by_hand", hand_id),
            "paid_by_hand",
            word.by,
            invoice_id,
            payment.customer_id,
            word.note,
            {**told, "hand_payment": hand_id, "reference": word.reference},
        )
        await invoice_actions.add(db, scope, action)
        return await hand_payments.read(db, scope, hand_id)


async def undo(means: Means, scope: Scope, hand_id: str, why: str, by: str) -> Recorded:
    """It was a mistake: taken back before Stripe is told; repeated it answers what is known.

    Under the payment's lease, so that no report begins meanwhile. Raises NotFoundError, and
    ConflictError with the rule that forbids it.
    """
    async with means.database.begin() as db:
        payment, hand = await _locked(db, scope, hand_id)
        if hand.state is HandState.UNDONE:
            return await hand_payments.read(db, scope, hand_id)
        _require(undo_refusal(payment, hand), "Not undone", "hand_payment")
        lease = await work.hold(db, PAYMENTS, scope, payment.id)
        if lease is None:
            raise ConflictError(
                f"A worker is looking at {payment.id} right now: try again in a minute.",
                code="payment_busy",
            )
        fact = HandPaymentUndone(hand_id, why, by)
        await learn_within(db, means, scope, payment.id, fact, actor=by)
        await _return_credit(db, means, scope, hand, by)
        await work.release(db, PAYMENTS, lease)
        return await _told(db, scope, hand_id, "hand_payment_undone", why, by)


async def correct(means: Means, scope: Scope, hand_id: str, why: str, by: str) -> Recorded:
    """It was wrong, or the cheque came back, after Stripe was told: a credit note follows.

    Then a new invoice, or a person, as `failed_after_report` says. Repeated it answers what is
    known. Raises NotFoundError, and ConflictError with the rule that forbids it.
    """
    async with means.database.begin() as db:
        payment, hand = await _locked(db, scope, hand_id)
        if hand.state is HandState.CORRECTED:
            return await hand_payments.read(db, scope, hand_id)
        _require(correct_refusal(payment, hand), "Not corrected", "hand_payment")
        fact = HandPaymentCorrected(hand_id, why, by)
        await learn_within(db, means, scope, payment.id, fact, actor=by)
        await _return_credit(db, means, scope, hand, by)
        return await _told(db, scope, hand_id, "hand_payment_corrected", why, by)


async def _locked(db: AsyncConnection, scope: Scope, hand_id: str) -> tuple[Payment, HandPayment]:
    """The customer first, then his payments by their ids: credit moves between two of them."""
    of = await hand_payments.read(db, scope, hand_id)
    await hand_payments.lock_customer(db, scope, of.customer_id)
    both = {of.payment_id}
    if of.hand.source_id is not None:
        both.add((await hand_payments.read(db, scope, of.hand.source_id)).payment_id)
    locked = {each: (await payments.lock(db, scope, each)).payment for each in sorted(both)}
    payment = locked[of.payment_id]
    return payment, find(payment, hand_id)


async def _return_credit(
    db: AsyncConnection, means: Means, scope: Scope, hand: HandPayment, by: str
) -> None:
    """What was credit before is credit again, where it came from."""
    if hand.source_id is None:
        return
    source = await hand_payments.read(db, scope, hand.source_id)
    fact = CreditReturned(hand.source_id, hand.id, hand.amount_minor)
    await learn_within(db, means, scope, source.payment_id, fact, actor=by)


async def _told(
    db: AsyncConnection, scope: Scope, hand_id: str, did: str, why: str, by: str
) -> Recorded:
    now = await hand_payments.read(db, scope, hand_id)
    detail = {"hand_payment": hand_id, "reference": now.hand.reference}
    action_id = derived_id("act", scope, did, hand_id)
    action = Action(action_id, did, by, now.invoice_id, now.customer_id, why, detail)
    await invoice_actions.add(db, scope, action)
    return now


def _fact(hand_id: str, word: Word) -> PaidByHand:
    return PaidByHand(
        hand_id,
        word.kind,
        word.amount_minor,
        word.received_on,
        word.reference,
        word.by,
        word.note,
    )


def _require_sense(payment: Payment, word: Word, today: date) -> None:
    if word.currency != payment.currency:
        raise BadRequest(
            f"The invoice is in {payment.currency.lower()}, not in {word.currency.lower()}.",
            code="currency_differs",
            param="currency",
        )
    if not is_expressible(Money(word.amount_minor, word.currency)) or word.amount_minor <= 0:
        raise BadRequest(
            f"{word.amount_minor} is not an amount that {word.currency} has.",
            code="amount_invalid",
            param="amount",
        )
    if word.received_on > today:
        raise BadRequest("It cannot have been received after today.", param="received_on")


def _require_new(payment: Payment, word: Word) -> None:
    """What a cheque says is on it once: pressed twice, it is not two cheques."""
    for hand in payment.by_hand:
        if hand.reference == word.reference and hand.state not in TAKEN_BACK:
            raise ConflictError(
                f"Not recorded: {word.reference} is recorded for this invoice, as {hand.id}.",
                code="reference_used",
                param="reference",
            )


def _require(refused: Refused | None, what: str, param: str) -> None:
    if refused is not None:
        raise ConflictError(f"{what}: {refused.why}.", code=refused.code, param=param)
