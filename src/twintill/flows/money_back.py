"""Asking for a refund: the rules are checked under the payment's lock, then a worker does it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.caps import over_asked_cap
from twintill.domain.money_back import RefundAsk
from twintill.domain.paid_another_way import choose_paid
from twintill.domain.payment import Payment
from twintill.domain.refund_asks import Refused, choose
from twintill.domain.return_facts import PaidAnotherWay, RefundAsked
from twintill.errors import BadRequest, ConflictError, SettingsError
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope, attempt_id, derived_id
from twintill.money import Money, is_expressible
from twintill.processors import Refunds
from twintill.store import payments, refunds


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to go back to the customer, in minor units; None: all that is left."""

    payment_id: str
    why: str
    by: str
    amount_minor: int | None = None
    currency: str | None = None  # must be the payment's
    over_the_cap: bool = False  # a person's explicit word


async def ask(means: Means, scope: Scope, ask_id: str, wish: Wish) -> RefundAsk:
    """Commit the wish; repeated under the same id it answers what was asked for before.

    No more than the caps of an hour allow (`domain.caps`), unless a person insists. The processor
    gives it back first, then the credit note is made in Stripe. Raises NotFoundError,
    BadRequest (another currency) and ConflictError, with the rule that forbids it.
    """
    async with means.database.begin() as db:
        return await ask_within(db, means, scope, ask_id, wish)


async def ask_within(
    db: AsyncConnection, means: Means, scope: Scope, ask_id: str, wish: Wish
) -> RefundAsk:
    """The same, in the caller's transaction."""
    payment = (await payments.lock(db, scope, wish.payment_id)).payment
    known = next((a for a in payment.asks if a.id == ask_id), None)
    if known is not None:
        return known
    _require_the_same_money(payment, wish)
    chosen = choose(payment, wish.amount_minor)
    if isinstance(chosen, Refused):
        raise ConflictError(f"Not refunded: {chosen.why}.", code=chosen.code, param="payment")
    receipt, amount_minor = chosen
    _require_refunds(means, payment, receipt.attempt_id)
    if not wish.over_the_cap:
        await _require_room(db, means, scope, Money(amount_minor, payment.currency))
    fact = RefundAsked(ask_id, receipt.id, amount_minor, wish.why, wish.by)
    decision = await learn_within(db, means, scope, payment.id, fact, actor=wish.by)
    return next(a for a in decision.payment.asks if a.id == ask_id)


async def paid_another_way(means: Means, scope: Scope, wish: Wish, reference: str) -> RefundAsk:
    """A person gave it back outside the processor, where `reference` names that payment.

    Ends what is owed; of reported money the credit note is made in Stripe. Told again it answers
    what is known. Raises as `ask`, and ConflictError where that reference is known of another
    amount.
    """
    ask_id = derived_id("rfd", scope, wish.payment_id, "another way", reference)
    async with means.database.begin() as db:
        payment = (await payments.lock(db, scope, wish.payment_id)).payment
        _require_the_same_money(payment, wish)
        known = next((a for a in payment.asks if a.id == ask_id), None)
        if known is not None:
            _require_the_same_amount(payment, known, wish, reference)
            return known
        chosen = choose_paid(payment, wish.amount_minor)
        if isinstance(chosen, Refused):
            raise ConflictError(f"Not booked: {chosen.why}.", code=chosen.code, param="payment")
        receipt, amount_minor = chosen
        n = payment.next_refund_n
        fact = PaidAnotherWay(
            ask_id,
            attempt_id(scope, payment.invoice_id, "refund", n),
            n,
            receipt.id,
            amount_minor,
            reference,
            wish.why,
            wish.by,
        )
        decision = await learn_within(db, means, scope, payment.id, fact, actor=wish.by)
        return next(a for a in decision.payment.asks if a.id == ask_id)


async def _require_room(db: AsyncConnection, means: Means, scope: Scope, amount: Money) -> None:
    so_far = await refunds.asked_for(db, scope, amount.currency)
    over = over_asked_cap(so_far, amount, means.policy)
    if over is not None:
        code = "refund_cap" if over.in_time else "refund_over_cap"
        why = f"Not refunded: {over.why}; `--over-the-cap` is a person's word."
        raise ConflictError(why, code=code, param="amount")


def _require_the_same_amount(
    payment: Payment, known: RefundAsk, wish: Wish, reference: str
) -> None:
    if wish.amount_minor not in (None, known.amount_minor):
        was = Money(known.amount_minor, payment.currency)
        why = f"Not booked: {reference} is known as {was} of this payment."
        raise ConflictError(why, code="reference_used", param="reference")


def _require_the_same_money(payment: Payment, wish: Wish) -> None:
    if wish.currency not in (None, payment.currency):
        raise BadRequest(
            f"{payment.id} is in {payment.currency.lower()}, not in {str(wish.currency).lower()}.",
            code="currency_differs",
            param="currency",
        )
    amount = None if wish.amount_minor is None else Money(wish.amount_minor, payment.currency)
    if amount is not None and not is_expressible(amount):
        raise BadRequest(
            f"{amount} is no amount that Stripe can credit.", code="amount_invalid", param="amount"
        )


def _require_refunds(means: Means, payment: Payment, attempt_id: str | None) -> None:
    attempt = next(a for a in payment.attempts if a.id == attempt_id)
    try:
        processor = means.processor(attempt.processor, attempt.processor_account_id)
    except SettingsError as error:
        raise ConflictError(str(error), code="processor_unknown", param="payment") from None
    if not isinstance(processor, Refunds):
        name = processor.capabilities.display_name
        why = f"{name} takes no refunds by its API: give it back there, Twintill follows it."
        raise ConflictError(why, code="no_refunds_by_api", param="payment")
