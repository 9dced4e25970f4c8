"""What a decision leads to beyond its payment: operations, asked for in the decision's commit.

Only the asking: the steps of each are in a module of its own, and look again before they act.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.decision import Decision, Notice
from twintill.domain.facts import Answered, Fact, FailedLate
from twintill.domain.outcomes import Declined, DeclineKind
from twintill.domain.payment import Payment
from twintill.domain.policy import Fate, FirstPaymentFailed, Policy
from twintill.ids import Scope, derived_id
from twintill.store import methods, mirror, operations, subscriptions
from twintill.store.methods import MethodRow

REVOKED = "method_revoked"
FIRST_PAYMENT = "first_payment"
DISPUTE_FATE = "dispute_fate"


async def follow(
    db: AsyncConnection, scope: Scope, policy: Policy, fact: Fact, decision: Decision
) -> None:
    """In the transaction of the fact."""
    attempt_id = _of_a_revoked_method(fact)
    if attempt_id is not None:
        await _method_revoked(db, scope, decision.payment, attempt_id)
    if decision.fate is not Fate.NOTHING:
        await _disputed(db, scope, decision.payment, decision.fate)
    gave_up = Notice.EXHAUSTED in decision.notices
    if gave_up and policy.first_payment_failed is FirstPaymentFailed.CANCEL:
        await _first_payment(db, scope, decision.payment)


async def method_revoked(db: AsyncConnection, scope: Scope, method: MethodRow) -> None:
    """Somebody says so: one operation for this customer and this token, whatever its rows."""
    of_token = (method.processor_account_id, method.token_fingerprint.hex())
    operation_id = derived_id("op", scope, REVOKED, method.customer_id, *of_token)
    its = {"payment_method_id": method.id}
    new = await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind=REVOKED,
        customer_id=method.customer_id,
        step="check",
        data=its,
    )
    if not new:
        await operations.ask_again(db, scope, operation_id, first="check", data=its)


def _of_a_revoked_method(fact: Fact) -> str | None:
    """The attempt that was declined because its agreement or mandate is gone."""
    match fact:
        case Answered(attempt_id, Declined(kind=DeclineKind.REVOKED)):
            return attempt_id
        case FailedLate(attempt_id=attempt_id, kind=DeclineKind.REVOKED):
            return attempt_id
    return None


async def _method_revoked(
    db: AsyncConnection, scope: Scope, payment: Payment, attempt_id: str
) -> None:
    attempt = next((a for a in payment.attempts if a.id == attempt_id), None)
    if attempt is None:
        return
    method = await methods.active(db, scope, attempt.method_id)
    if method is not None:
        await method_revoked(db, scope, method)


async def _first_payment(db: AsyncConnection, scope: Scope, payment: Payment) -> None:
    """Of a subscription for which nothing was ever collected."""
    subscription_id = await mirror.subscription_of_invoice(db, scope, payment.invoice_id)
    if subscription_id is None or await subscriptions.was_ever_paid(db, scope, subscription_id):
        return
    operation_id = derived_id("op", scope, FIRST_PAYMENT, payment.id)
    new = await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind=FIRST_PAYMENT,
        customer_id=payment.customer_id,
        step="wait",
        data={"payment_id": payment.id, "subscription_id": subscription_id},
    )
    if not new:
        await operations.ask_again(db, scope, operation_id, first="wait")


async def _disputed(db: AsyncConnection, scope: Scope, payment: Payment, fate: Fate) -> None:
    """What the setting wants of the subscription; a one-off invoice has none."""
    subscription_id = await mirror.subscription_of_invoice(db, scope, payment.invoice_id)
    if subscription_id is None:
        return
    await operations.add(
        db,
        scope,
        operation_id=derived_id("op", scope, DISPUTE_FATE, payment.id, fate),
        kind=DISPUTE_FATE,
        customer_id=payment.customer_id,
        step="cancel",
        data={"subscription_id": subscription_id, "fate": fate, "payment_id": payment.id},
    )
