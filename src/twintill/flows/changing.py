"""Changing a subscription because somebody asks for it: prices, quantities, a coupon, a trial.

    change -> done

One call to Stripe, with the date of proration that was asked for, so that it bills what its preview
showed. What it bills at once is an invoice like any other: it is collected when it is finalized.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.changing import BILLED_A_DAY, CHANGED_AN_HOUR, Prorations, Step
from twintill.errors import BadRequest, ConflictError, StripeRefused
from twintill.flows import cancelling
from twintill.flows.means import Means
from twintill.flows.operating import Operating, Walk
from twintill.flows.previewing import now_s, with_only_item
from twintill.ids import Scope
from twintill.store import invoice_actions, operations, subscriptions, switches
from twintill.store.invoice_actions import Action
from twintill.store.operations import Operation
from twintill.store.subscriptions import SubscriptionRow
from twintill.stripe_billing.preview import Change, Changeable, ItemChange

KIND = "change_subscription"
_AN_HOUR, _A_DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """`only_item`: a change of the one item that it has, instead of `change.items`."""

    subscription_id: str
    change: Change
    by: str
    only_item: ItemChange | None = None


async def begin(means: Means, scope: Scope, operation_id: str, request: ChangeRequest) -> None:
    """Commit the operation; `flows.operations.drive` makes it happen. Repeating it is harmless.

    Raises BadRequest, NotFoundError for a subscription of nobody that we know, and ConflictError;
    then nothing was changed. One that Stripe collects may be changed too: what is billed is
    collected where its other invoices are.
    """
    asked = asdict(request)
    if await _is_known(means, scope, operation_id, asked):
        return
    if request.change == Change(prorations=request.change.prorations) and not request.only_item:
        raise BadRequest("Say what is to be changed: items, a coupon or the end of the trial.")
    async with means.database.connect() as db:
        _require_running(await subscriptions.read(db, scope, request.subscription_id))
    found = await means.stripe.read_changeable(request.subscription_id)
    change = await _complete(means, request)
    async with means.database.begin() as db:
        its = await subscriptions.lock(db, scope, request.subscription_id)
        _require_running(its)
        await _require_alone(db, scope, its)
        await _require_within_limits(db, scope, its, change)
        data = {
            "asked": asked,
            "subscription_id": its.id,
            "change": asdict(change),
            "invoice_before": found.latest_invoice_id,
        }
        await operations.add(
            db,
            scope,
            operation_id=operation_id,
            kind=KIND,
            customer_id=its.customer_id,
            step=Step.CHANGE,
            data=data,
            ring=False,
        )


async def change(operating: Operating) -> Operating | None:
    """Under one key; after a silence the subscription is asked whether it is changed already."""
    subscription_id = str(operating.data["subscription_id"])
    try:
        changed = await _changed(operating, subscription_id)
    except StripeRefused as refused:
        async with operating.means.database.begin() as db:
            why, code = str(refused), refused.code
            await operating.end(db, Step.FAILED, failed_why=why, failed_code=code)
        return None
    billed = _billed(operating, changed)
    async with operating.means.database.begin() as db:
        await invoice_actions.add(db, operating.scope, _action(operating, billed))
        await operating.end(db, Step.DONE, invoice_id=billed)
    return None


def change_of(row: Operation) -> Change:
    """What Stripe was asked for."""
    given = dict(row.data["change"])
    given["items"] = tuple(ItemChange(**item) for item in given["items"])
    given["prorations"] = given["prorations"] and Prorations(given["prorations"])
    return Change(**given)


async def _changed(operating: Operating, subscription_id: str) -> Changeable:
    stripe = operating.means.stripe
    if operating.key_is_doubtful:
        found = await stripe.read_changeable(subscription_id)
        if found.changed_by == operating.id:
            return found
        operating = await operating.with_next_key()
    asked = change_of(operating.operation)
    return await stripe.change_subscription(subscription_id, asked, operating.id, operating.key)


def _billed(operating: Operating, changed: Changeable) -> str | None:
    """The invoice that the change made at once, if it made one."""
    asked = change_of(operating.operation)
    at_once = asked.prorations is Prorations.AT_ONCE or asked.trial_end is not None
    is_new = changed.latest_invoice_id != operating.data["invoice_before"]
    return changed.latest_invoice_id if at_once and is_new else None


def _action(operating: Operating, invoice_id: str | None) -> Action:
    asked = {name: value for name, value in operating.data["change"].items() if value}
    return Action(
        id=operating.id,
        did="subscription changed",
        actor=operating.data["asked"]["by"],
        invoice_id=invoice_id,
        customer_id=operating.operation.customer_id,
        detail={"subscription": operating.data["subscription_id"], **asked},
    )


async def _require_within_limits(
    db: AsyncConnection, scope: Scope, its: SubscriptionRow, change: Change
) -> None:
    """Below Stripe's own limits of one subscription: beyond them it refuses renewals as well."""
    at_once = {"prorations": Prorations.AT_ONCE.value}
    lately = await operations.begun_within(db, scope, KIND, its.id, _AN_HOUR)
    billed = await operations.begun_within(db, scope, KIND, its.id, _A_DAY, at_once)
    bills = change.prorations is Prorations.AT_ONCE
    if lately >= CHANGED_AN_HOUR or (bills and billed >= BILLED_A_DAY):
        raise ConflictError(
            f"{its.id} was changed too often (it may be {CHANGED_AN_HOUR} times an hour, and "
            f"{BILLED_A_DAY} times a day with an invoice at once): change it later.",
            code="changed_too_often",
            param="subscription",
        )


async def _complete(means: Means, request: ChangeRequest) -> Change:
    """With the item and the time that it is about: a repetition days later says the same."""
    asked = request.change
    if request.only_item is not None:
        asked = await with_only_item(means, request.subscription_id, asked, request.only_item)
    if asked.prorates and asked.proration_date is None:
        asked = replace(asked, proration_date=await now_s(means))
    return asked


async def _is_known(means: Means, scope: Scope, operation_id: str, asked: Any) -> bool:
    async with means.database.connect() as db:
        known = await operations.find(db, scope, operation_id)
    if known is None:
        return False
    if known.kind != KIND or known.data["asked"] != _as_json(asked):
        raise ConflictError(
            f"{known.id} was asked for with other values", code="idempotency_key_reused"
        )
    return True


def _as_json(asked: Any) -> Any:
    return {**asked, "change": {**asked["change"], "items": list(asked["change"]["items"])}}


def _require_running(its: SubscriptionRow) -> None:
    if its.ended_at is not None:
        raise ConflictError(f"{its.id} has ended already.", code="subscription_ended")
    if its.status == "incomplete":
        raise ConflictError(
            f"{its.id} is incomplete: its first invoice is not paid yet.",
            code="subscription_incomplete",
        )


async def _require_alone(db: AsyncConnection, scope: Scope, its: SubscriptionRow) -> None:
    """What runs was asked for on what the subscription was."""
    unfinished = await switches.unfinished_signup(db, scope, its.customer_id, its.id)
    if unfinished is not None:
        raise ConflictError(
            f"The customer is being shown what {unfinished} costs: wait for its end.",
            code="signup_unfinished",
        )
    switch = await switches.running(db, scope, its.customer_id, its.id)
    if switch is not None:
        raise ConflictError(f"{switch} is switching it: wait for its end.", code="switch_running")
    ending = await operations.running(db, scope, cancelling.KIND, its.id)
    if ending is not None:
        raise ConflictError(f"{ending} is cancelling it.", code="cancellation_runs")
    other = await operations.running(db, scope, KIND, its.id)
    if other is not None:
        raise ConflictError(
            f"{other} is changing it: see GET /v1/subscription_changes/{other}.",
            code="change_running",
        )


STEPS: Mapping[str, Walk] = {Step.CHANGE: change}
