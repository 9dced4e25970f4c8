"""Another try at somebody's wish: judged under the payment's lock, then a worker charges."""

from dataclasses import dataclass

from twintill.domain.another_try import may_try_again
from twintill.domain.customer_facts import TryAsked
from twintill.domain.overrides import overlay
from twintill.domain.payment import Payment
from twintill.domain.refund_asks import Refused
from twintill.errors import ConflictError, NotFoundError
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import invoice_actions, methods, payments
from twintill.store.invoice_actions import Action


@dataclass(frozen=True, slots=True)
class Wish:
    """`method_id` None: the first of the customer's stored ones that may be charged."""

    payment_id: str
    by: str
    method_id: str | None = None
    why: str | None = None


async def ask(means: Means, scope: Scope, action_id: str, wish: Wish) -> Payment:
    """Commit the wish; told again before it was tried, it is one wish.

    Raises NotFoundError, and ConflictError with the rule that forbids it.
    """
    async with means.database.begin() as db:
        method = wish.method_id and await methods.read(db, scope, wish.method_id)
        locked = await payments.lock(db, scope, wish.payment_id)
        payment = locked.payment
        if method and method.customer_id != payment.customer_id:
            raise NotFoundError(f"No such payment method: {method.id}", param="payment_method")
        waiting = payment.method_asked_for
        if waiting is not None and wish.method_id in (None, waiting):
            return payment
        policy = overlay(means.policy, payment.overrides)
        chosen = may_try_again(payment, wish.method_id, policy, locked.now)
        if isinstance(chosen, Refused):
            raise ConflictError(f"Not tried again: {chosen.why}.", code=chosen.code)
        await invoice_actions.add(db, scope, _action(action_id, payment, wish, chosen))
        fact = TryAsked(chosen)
        decision = await learn_within(db, means, scope, payment.id, fact, actor=wish.by)
    return decision.payment


def _action(action_id: str, payment: Payment, wish: Wish, method_id: str) -> Action:
    return Action(
        id=action_id,
        did="asked for another try",
        actor=wish.by,
        invoice_id=payment.invoice_id,
        customer_id=payment.customer_id,
        why=wish.why,
        detail={"payment": payment.id, "payment_method": method_id},
    )
