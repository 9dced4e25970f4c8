"""Cancelling a subscription because somebody asks for it: now, at the end of its period, or not.

    cancel -> settle -> refund -> done

In Stripe at once, so that no renewal comes in between; then a charge that is out is waited for, and
only then its money, the last that was paid, is given back.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.cancelling import At, Step
from twintill.errors import ConflictError, StripeRefused
from twintill.flows import ended, money_back
from twintill.flows.means import Means
from twintill.flows.money_back import Wish
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope, derived_id
from twintill.store import operations, subscriptions
from twintill.store.operations import Operation

KIND = "cancel_subscription"
_WAIT = timedelta(hours=6)  # a payment that moves rings before that
_GONE = "resource_missing"
# What is not so for ever: a debit becomes final, another refund ends, an hour passes.
_IN_TIME = ("not_final", "refund_under_way", "not_reported_yet", "being_compared", "refund_cap")


@dataclass(frozen=True, slots=True)
class CancelRequest:
    subscription_id: str
    at: At
    by: str
    refund_last_payment: bool = False


async def begin(means: Means, scope: Scope, operation_id: str, request: CancelRequest) -> None:
    """Commit the operation; `flows.operations.drive` makes it happen. Repeating it is harmless.

    Raises NotFoundError for a subscription that we do not collect, and ConflictError (nothing
    changed): it has ended, another cancellation of it runs, or there is nothing to give back.
    """
    asked = asdict(request)
    async with means.database.begin() as db:
        its = await subscriptions.lock(db, scope, request.subscription_id)
        known = await operations.find(db, scope, operation_id)
        if known is not None:
            _require_the_same(known, asked)
            return
        if its.ended_at is not None:
            raise ConflictError(f"{its.id} has ended already.", code="subscription_ended")
        await _require_alone(db, scope, its.id)
        if request.refund_last_payment:
            await _require_money(db, scope, its.id)
        await operations.add(
            db,
            scope,
            operation_id=operation_id,
            kind=KIND,
            customer_id=its.customer_id,
            step=Step.CANCEL,
            data={"asked": asked, "subscription_id": its.id},
            ring=False,
        )


async def cancel(operating: Operating) -> Operating | None:
    """One call to Stripe; what ended meanwhile, by whomever, has ended."""
    operating = await operating.with_good_key()
    try:
        await _call(operating)
    except StripeRefused as refused:
        return await _refused(operating, refused)
    async with operating.means.database.begin() as db:
        await _mirror(db, operating)
        return await operating.moved(db, Step.SETTLE)


async def settle(operating: Operating) -> Operating | None:
    """Money may be on its way: its end is waited for, also before anything is given back."""
    async with operating.means.database.connect() as db:
        out = await subscriptions.payments_under_way(db, operating.scope, _subscription(operating))
    if out and _at(operating) is not At.NEVER:
        await operating.pause(_WAIT)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.REFUND)


async def refund(operating: Operating) -> Operating | None:
    """Asked for under an id of its own: asked again after a crash, it is the same refund."""
    if not operating.data["asked"]["refund_last_payment"]:
        return await _done(operating)
    try:
        async with operating.means.database.begin() as db:
            return await _give_back(db, operating)
    except ConflictError as refused:
        if refused.code in _IN_TIME:
            await operating.pause(_WAIT, error=str(refused))
            return None
        await operating.park(f"The subscription is cancelled, but: {refused}")
    return None


async def _give_back(db: AsyncConnection, operating: Operating) -> Operating | None:
    scope = operating.scope
    payment_id = await subscriptions.last_paid(db, scope, _subscription(operating))
    if payment_id is None:
        await operating.end(db, Step.DONE)
        return None
    wish = Wish(payment_id, "The subscription was cancelled.", operating.data["asked"]["by"])
    refund_id = derived_id("rfd", scope, operating.id)
    asked = await money_back.ask_within(db, operating.means, scope, refund_id, wish)
    await operating.end(db, Step.DONE, refund_id=asked.id, payment_id=payment_id)
    return None


async def _call(operating: Operating) -> None:
    stripe, subscription_id = operating.means.stripe, _subscription(operating)
    if _at(operating) is At.NOW:
        await stripe.cancel_subscription(subscription_id)
        return
    ends = _at(operating) is At.PERIOD_END
    await stripe.cancel_at_period_end(subscription_id, operating.key, ends=ends)


async def _refused(operating: Operating, refused: StripeRefused) -> Operating | None:
    """Of one that has ended; anything else is told as Stripe says it."""
    try:
        look = await operating.means.stripe.read_subscription(_subscription(operating))
    except StripeRefused as missing:
        if missing.code != _GONE:
            raise
        return await _fail(operating, str(missing))
    if not look.ended or _at(operating) is At.NEVER:
        return await _fail(operating, str(refused))
    async with operating.means.database.begin() as db:
        await _ended(db, operating)
        return await operating.moved(db, Step.SETTLE)


async def _mirror(db: AsyncConnection, operating: Operating) -> None:
    if _at(operating) is At.NOW:
        await _ended(db, operating)
        return
    ends = _at(operating) is At.PERIOD_END
    await subscriptions.ends_at_period(db, operating.scope, _subscription(operating), ends=ends)


async def _ended(db: AsyncConnection, operating: Operating) -> None:
    customer_id, its = str(operating.operation.customer_id), _subscription(operating)
    await ended.subscription(
        db, operating.means, operating.scope, its, customer_id, actor=operating.id
    )


async def _done(operating: Operating) -> Operating | None:
    async with operating.means.database.begin() as db:
        await operating.end(db, Step.DONE)
    return None


async def _fail(operating: Operating, why: str) -> Operating | None:
    async with operating.means.database.begin() as db:
        await operating.end(db, Step.FAILED, failed_why=why)
    return None


def _require_the_same(known: Operation, asked: Mapping[str, object]) -> None:
    if known.kind != KIND or known.data["asked"] != asked:
        raise ConflictError(
            f"{known.id} was asked for with other values", code="idempotency_key_reused"
        )


async def _require_alone(db: AsyncConnection, scope: Scope, subscription_id: str) -> None:
    running = await operations.running(db, scope, KIND, subscription_id)
    if running is not None:
        raise ConflictError(
            f"{running} is at it already: see GET /v1/cancellations/{running}.",
            code="cancellation_runs",
            param="subscription",
        )


async def _require_money(db: AsyncConnection, scope: Scope, subscription_id: str) -> None:
    paid = await subscriptions.last_paid(db, scope, subscription_id)
    out = await subscriptions.payments_under_way(db, scope, subscription_id)
    if paid is None and not out:
        raise ConflictError(
            "Nothing was collected for this subscription that could be given back.",
            code="nothing_to_refund",
            param="refund_last_payment",
        )


def _at(operating: Operating) -> At:
    return At(operating.data["asked"]["at"])


def _subscription(operating: Operating) -> str:
    return str(operating.data["subscription_id"])


STEPS: Mapping[str, Walk] = {Step.CANCEL: cancel, Step.SETTLE: settle, Step.REFUND: refund}
