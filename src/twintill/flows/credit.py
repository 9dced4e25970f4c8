"""A customer's credit: what money by hand left over, put on another invoice or paid out.

Whoever uses it holds the customer's row first, then the payments by their ids: no credit is used
twice. The oldest is used first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.hand import HandKind
from twintill.domain.hand_facts import CreditTaken, PaidByHand
from twintill.domain.hand_rules import record_refusal
from twintill.domain.payment import Payment
from twintill.errors import BadRequest, ConflictError
from twintill.flows.invoice_payments import payment_for
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope, derived_id
from twintill.money import Money
from twintill.store import clock, hand_payments, invoice_actions, mirror, payments
from twintill.store.hand_payments import Recorded
from twintill.store.invoice_actions import Action


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody does with a customer's credit; `amount_minor` None: as much as fits."""

    customer_id: str
    currency: str
    why: str
    by: str
    amount_minor: int | None = None


async def apply(
    means: Means, scope: Scope, use_id: str, use: Use, invoice_id: str
) -> list[Recorded]:
    """Put credit on an invoice, as if it had been received for it today.

    None: as much as the invoice was last seen to ask for. Repeated under the same id it answers
    what was done. Raises NotFoundError, BadRequest and ConflictError.
    """
    opened = await payment_for(means, scope, invoice_id)
    async with means.database.begin() as db:
        await hand_payments.lock_customer(db, scope, use.customer_id)
        done = await _done(db, scope, use_id, invoice_id)
        if done:
            return done
        target_id = await opened.within(db)
        there = await _lock_credit(db, scope, use, target_id)
        target = await payments.read(db, scope, target_id)
        _require_his(target, use)
        refused = record_refusal(target)
        if refused is not None:
            raise ConflictError(f"Not applied: {refused.why}.", code=refused.code, param="invoice")
        asked_minor = use.amount_minor
        if asked_minor is None:
            due_minor = await _due_minor(db, scope, target)
            asked_minor = min(due_minor, _free_minor(there))
        parts = _parts(there, asked_minor, use.currency)
        for part in parts:
            hand_id = derived_id("hp", scope, use_id, part[0].hand.id)
            await _move(db, means, scope, hand_id, use, part, target_id)
        told = {"amount": asked_minor, "currency": use.currency.lower()}
        await _tell(db, scope, use_id, use, "credit_applied", target.invoice_id, told)
        return await _done(db, scope, use_id, invoice_id)


async def pay_out(means: Means, scope: Scope, use: Use, reference: str) -> tuple[int, bool]:
    """A person has paid it to the customer, outside Twintill, where `reference` names that payment.

    Answers how much it was, and whether it was known before. Raises NotFoundError, BadRequest and
    ConflictError.
    """
    use_id = derived_id("act", scope, "credit_paid_out", use.customer_id, reference)
    async with means.database.begin() as db:
        await hand_payments.lock_customer(db, scope, use.customer_id)
        known = await invoice_actions.find(db, scope, use_id)
        if known is not None:
            return _same_again(known.detail, use, reference), True
        there = await _lock_credit(db, scope, use)
        minor = _free_minor(there) if use.amount_minor is None else use.amount_minor
        for source, part_minor in _parts(there, minor, use.currency):
            fact = CreditTaken(source.hand.id, use_id, part_minor, use.by, paid_out=reference)
            await learn_within(db, means, scope, source.payment_id, fact, actor=use.by)
        told = {"amount": minor, "currency": use.currency.lower(), "reference": reference}
        await _tell(db, scope, use_id, use, "credit_paid_out", None, told)
    return minor, False


async def _lock_credit(db: AsyncConnection, scope: Scope, use: Use, *also: str) -> list[Recorded]:
    """The payments that it hangs on, and these, locked by their ids; what stands there then."""
    found = await hand_payments.with_credit(db, scope, use.customer_id, use.currency)
    locked = {of.payment_id for of in found}
    for payment_id in sorted({*locked, *also}):
        await payments.lock(db, scope, payment_id)
    now = await hand_payments.with_credit(db, scope, use.customer_id, use.currency)
    return [of for of in now if of.payment_id in locked]


async def _move(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    hand_id: str,
    use: Use,
    part: tuple[Recorded, int],
    target_id: str,
) -> None:
    """From one payment to another, in one commit."""
    source, minor = part
    today = (await clock.now(db)).date()
    taken = CreditTaken(source.hand.id, hand_id, minor, use.by)
    await learn_within(db, means, scope, source.payment_id, taken, actor=use.by)
    given = PaidByHand(
        hand_id,
        HandKind.CREDIT,
        minor,
        today,
        source.hand.reference,
        use.by,
        use.why,
        source.hand.id,
    )
    await learn_within(db, means, scope, target_id, given, actor=use.by)


async def _done(db: AsyncConnection, scope: Scope, use_id: str, invoice_id: str) -> list[Recorded]:
    """What was put on the invoice under this id."""
    return [
        of
        for of in await hand_payments.of_invoice(db, scope, invoice_id)
        if of.hand.source_id and of.hand.id == derived_id("hp", scope, use_id, of.hand.source_id)
    ]


async def _due_minor(db: AsyncConnection, scope: Scope, target: Payment) -> int:
    """What is still asked for, less what is here for it, of which Stripe is yet to be told.

    Raises ConflictError: nothing is.
    """
    seen_minor = await mirror.remaining_minor(db, scope, target.invoice_id)
    waiting_minor = sum(hand.amount_minor for hand in target.by_hand if hand.waits)
    here_minor = target.unapplied_minor + waiting_minor
    if seen_minor > here_minor:
        return seen_minor - here_minor
    raise ConflictError(
        "Not applied: the invoice asks for no more money.",
        code="nothing_to_collect",
        param="invoice",
    )


def _parts(there: list[Recorded], minor: int, currency: str) -> list[tuple[Recorded, int]]:
    """Of which, and how much; raises ConflictError where there is not so much."""
    if minor <= 0 or minor > _free_minor(there):
        raise ConflictError(
            f"Not used: the customer has {Money(_free_minor(there), currency)} of credit.",
            code="credit_too_small",
            param="amount",
        )
    parts = []
    for source in there:
        part_minor = min(minor, source.hand.free_minor)
        minor -= part_minor
        if part_minor:
            parts.append((source, part_minor))
    return parts


def _free_minor(there: list[Recorded]) -> int:
    return sum(of.hand.free_minor for of in there)


async def _tell(
    db: AsyncConnection,
    scope: Scope,
    use_id: str,
    use: Use,
    did: str,
    invoice_id: str | None,
    detail: Mapping[str, Any],
) -> None:
    action_id = use_id if invoice_id is None else derived_id("act", scope, did, use_id)
    action = Action(action_id, did, use.by, invoice_id, use.customer_id, use.why, detail)
    await invoice_actions.add(db, scope, action)


def _require_his(payment: Payment, use: Use) -> None:
    if payment.customer_id != use.customer_id:
        raise BadRequest("The invoice is another customer's.", param="invoice")
    if payment.currency != use.currency:
        raise BadRequest(
            f"The invoice is in {payment.currency.lower()}, not in {use.currency.lower()}.",
            code="currency_differs",
            param="currency",
        )


def _same_again(known: Mapping[str, Any], use: Use, reference: str) -> int:
    """Told again it is known; of another amount it is a slip of the pen."""
    same = use.currency.lower() == known["currency"]
    if not same or use.amount_minor not in (None, known["amount"]):
        what = f"{known['amount']} {known['currency']}"
        raise ConflictError(
            f"Not booked: {reference} is known as {what} of this customer's credit.",
            code="reference_used",
            param="reference",
        )
    return int(known["amount"])
