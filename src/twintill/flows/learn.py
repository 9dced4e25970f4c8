"""Learning: one fact, one database transaction, one decision. Every path to a state is this one.

    lock the payment row -> decide (pure) -> apply -> commit

The Decision is returned: only the caller whose Decision holds Send may call the processor.
"""

from dataclasses import asdict, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import hand_news
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.facts import Fact
from twintill.domain.follow_on import KIND as FOLLOW_ON
from twintill.domain.follow_on import READ, FollowOn
from twintill.domain.overrides import overlay
from twintill.domain.payment import Payment, Reason, State
from twintill.flows import brakes, consequences, payment_news
from twintill.flows.means import Means
from twintill.ids import Scope, derived_id
from twintill.store import operations, outgoing, payments

# Never into the history: sealed bytes are noise there, and pages with tokens in their address.
_LEFT_OUT = frozenset(("sealed_body", "action_url"))


async def learn(
    means: Means, scope: Scope, payment_id: str, fact: Fact, *, actor: str = "twintill"
) -> Decision:
    """Record the fact and everything that follows from it, in a transaction of its own.

    Raises NotFoundError for an unknown payment.
    """
    async with means.database.begin() as db:
        return await learn_within(db, means, scope, payment_id, fact, actor=actor)


async def learn_within(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    payment_id: str,
    fact: Fact,
    *,
    actor: str = "twintill",
) -> Decision:
    """The same inside the caller's transaction: for facts that come with rows of their own."""
    locked = await payments.lock(db, scope, payment_id)
    policy = overlay(means.policy, locked.payment.overrides)
    decision = decide(locked.payment, fact, policy, locked.now)
    await payments.apply(
        db,
        locked,
        decision,
        fact=type(fact).__name__,
        detail=observed(fact),
        actor=actor,
    )
    await brakes.trip_at_once(db, scope, locked.payment, fact, decision.payment)
    await consequences.follow(db, scope, policy, fact, decision)
    if decision.follow_on is not None:
        await follow(db, scope, decision.payment, decision.follow_on)
    if _moved(locked.payment, decision.payment):
        await operations.ring_for_payment(db, scope, payment_id)
    if means.tells_app:
        for notice in decision.notices:
            more = payment_news.more_of(notice, decision.payment, policy, locked.now)
            await outgoing.add_payment_event(db, scope, notice, decision.payment, more)
        for event_type, hand in hand_news.news(locked.payment, decision.payment):
            await outgoing.add_hand_event(db, scope, event_type, decision.payment, hand)
    return decision


async def follow(db: AsyncConnection, scope: Scope, payment: Payment, order: FollowOn) -> None:
    """Begin the operation that invoices it anew; twice for one cause is once."""
    data = {
        "payment_id": payment.id,
        "invoice_id": payment.invoice_id,
        "amount_minor": order.amount_minor,
        "currency": payment.currency,
        "why": order.why,
        "try_at": order.try_at and order.try_at.isoformat(),
        "never_charged": payment.limit_minor == 0,
    }
    await operations.add(
        db,
        scope,
        operation_id=derived_id("op", scope, FOLLOW_ON, payment.id, order.cause),
        kind=FOLLOW_ON,
        customer_id=payment.customer_id,
        step=READ,
        data=data,
    )


# On the way to somewhere: nobody waits for these.
_PASSING = frozenset((State.CHARGING, State.COLLECTED))


def _moved(before: Payment, after: Payment) -> bool:
    """What waits for this payment (a sign-up, the dropping of tokens) has something to see."""
    asks = after.reason is Reason.CONSENT and before.reason is not Reason.CONSENT
    moved = after.state is not before.state or after.ended is not before.ended
    return asks or (moved and after.state not in _PASSING)


def observed(fact: Any) -> dict[str, Any]:
    """A fact as JSON for the history, without secrets."""
    shown: dict[str, Any] = _plain(fact)
    return shown


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        fields = {k: getattr(value, k) for k in asdict(value) if k not in _LEFT_OUT}
        named = {k: _plain(v) for k, v in fields.items() if v is not None}
        return {"is": type(value).__name__, **named}
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
