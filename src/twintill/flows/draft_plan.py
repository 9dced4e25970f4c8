"""Doing what a rule, or the user's app, says of a draft: held, added to, finalized, or left alone.

A hold comes first, so that Stripe cannot finalize what is half-done; all items are one call. What
cannot be done as it was said is as if the rule had said its default, and somebody is told.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.draft_answers import why_not_added
from twintill.domain.draft_events import DRAFT_RULE_FAILED
from twintill.domain.drafting import Draft, Item, Plan, Rule, Then
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused
from twintill.flows import review_queue
from twintill.flows.operating import Operating, Walk
from twintill.store import invoice_actions, mirror, outgoing, reviews
from twintill.store.draft_rules import item_json
from twintill.store.invoice_actions import Action
from twintill.store.reviews import Held

_HOLD, _ITEMS, _FINALIZE, _DONE = "hold", "items", "finalize", "done"


async def begin(operating: Operating, rule: Rule, draft: Draft, plan: Plan) -> Operating | None:
    """The plan is committed before anything of it is done; with it, a place in the queue."""
    wrong = why_not_added(plan.items, draft.currency, draft.lines)
    if wrong is not None:
        return await fall_back(operating, rule, draft, wrong)
    found: dict[str, Any] = {
        "rule_id": rule.id,
        "rule_version": rule.version,
        "by": plan.by,
        "then": plan.then.value,
        "why": plan.why,
        "items": [item_json(item) for item in plan.items],
        "default": rule.default.value,
        "needs_approval": rule.needs_approval,
        "finalizes_at": draft.finalizes_at and draft.finalizes_at.isoformat(),
        "currency": draft.currency,
        "total_minor": draft.total_minor,
        "subscription_id": draft.subscription_id,
    }
    async with operating.means.database.begin() as db:
        if plan.then is Then.HOLD:
            operating = await operating.moved(db, _HOLD, **found)
            await _queue(db, operating)
            return operating
        if plan.items:
            return await operating.moved(db, _ITEMS, **found)
        if plan.then is Then.FINALIZE:
            return await operating.moved(db, _FINALIZE, **found)
        operating = await operating.moved(db, _DONE, **found)
        await _act(db, operating, "left_to_stripe")
        await operating.end(db, _DONE, ended="left to Stripe")
    return None


async def fall_back(operating: Operating, rule: Rule, draft: Draft, why: str) -> Operating | None:
    await _tell_failed(operating, why, rule.default.value, rule)
    return await begin(operating, rule, draft, Plan(rule.default, f"rule:{rule.id}", why=why))


async def hold(operating: Operating) -> Operating | None:
    """It is in the queue already, in the commit before this."""
    if not await review_queue.hold_in_stripe(operating):
        return None
    async with operating.means.database.begin() as db:
        if operating.data["items"]:
            return await operating.moved(db, _ITEMS)
        await _held(db, operating)
    return None


async def items(operating: Operating) -> Operating | None:
    """All of them or none; refused ones are as if the rule had said its default."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    there = False
    if operating.key_is_doubtful:
        there = await stripe.has_lines_of(invoice_id, operating.id)
        operating = operating if there else await operating.with_next_key()
    elif not _is_held(operating) and _is_late(operating):
        there = await stripe.has_lines_of(invoice_id, operating.id)  # an answer may have been lost
        if not there:
            return await _failed(operating, "the window was over before the items could be added")
    if not there:
        try:
            added = [Item(**item) for item in operating.data["items"]]
            await stripe.add_items(invoice_id, added, operating.id, operating.key)
        except StripeRefused as refused:
            return await _failed(operating, f"Stripe refused the items: {refused}")
    await _note(operating, "items_added", {"items": operating.data["items"]})
    return await _after_items(operating)


async def finalize(operating: Operating) -> Operating | None:
    """Refused (its tax, say), it stays a draft, and what mends that finalizes it."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        look = await stripe.finalize(invoice_id, operating.key)
    except StripeRefused as refused:
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.DRAFT:
            await _tell_failed(operating, f"Stripe refused to finalize it: {refused}", "proceed")
            return await end(operating, "Stripe refused to finalize it")
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, operating.scope, look)
        await _act(db, operating, "finalized")
        await operating.end(db, _DONE, ended="finalized")
    return None


async def over(operating: Operating, why: str | None) -> Operating | None:
    """Somebody else was there before; a rule that had begun says that it could not go on."""
    if "then" in operating.data or operating.data.get("rule_id"):
        await _tell_failed(operating, why or "it is gone", "proceed")
    async with operating.means.database.begin() as db:
        if _is_held(operating):
            its_id = reviews.review_id(operating.scope, operating.data["invoice_id"])
            await reviews.rest(db, operating.scope, its_id)
        await operating.end(db, _DONE, ended=why)
    return None


async def end(operating: Operating, why: str) -> Operating | None:
    async with operating.means.database.begin() as db:
        await operating.end(db, _DONE, ended=why)
    return None


def margin_of(operating: Operating) -> timedelta:
    return operating.means.policy.draft_margin


async def _queue(db: AsyncConnection, operating: Operating) -> None:
    data = operating.data
    held = Held(
        invoice_id=data["invoice_id"],
        customer_id=str(operating.operation.customer_id),
        subscription_id=data["subscription_id"],
        currency=data["currency"],
        total_minor=data["total_minor"],
        by=data["by"],
        why=data["why"],
        rule_id=data["rule_id"],
        rule_version=data["rule_version"],
        needs_approval=data["needs_approval"],
        doing=operating.id,
    )
    await reviews.hold(db, operating.scope, held)


async def _after_items(operating: Operating) -> Operating | None:
    async with operating.means.database.begin() as db:
        if _is_held(operating):
            await _held(db, operating)
        elif operating.data["then"] == Then.FINALIZE:
            return await operating.moved(db, _FINALIZE)
        else:
            await operating.end(db, _DONE, ended="left to Stripe")
    return None


async def _held(db: AsyncConnection, operating: Operating) -> None:
    """It waits for a person from now on."""
    await _act(db, operating, "held")
    await review_queue.is_held(db, operating)
    await operating.end(db, _DONE, ended="held")


async def _failed(operating: Operating, why: str) -> Operating | None:
    """Nothing was added. What is held stays held; else it is as the rule's default says."""
    draft = await operating.means.stripe.read_draft(operating.data["invoice_id"])
    if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
        return await over(operating, why)
    held, default = _is_held(operating), operating.data["default"]
    await _tell_failed(operating, why, "hold" if held else default)
    async with operating.means.database.begin() as db:
        if held:
            its_id = reviews.review_id(operating.scope, draft.id)
            await reviews.update_row(db, operating.scope, its_id, why=why)
            await _held(db, operating)
        elif _is_late(operating) or default == Then.PROCEED:
            await operating.end(db, _DONE, ended=why)
        elif default == Then.HOLD:
            operating = await operating.moved(db, _HOLD, then="hold", items=[], why=why)
            await _queue(db, operating)
            return operating
        else:
            return await operating.moved(db, _FINALIZE, then="finalize", items=[])
    return None


async def _tell_failed(operating: Operating, why: str, did: str, rule: Rule | None = None) -> None:
    """Once for each draft: the app hears what happens instead, and the invoice's story tells it."""
    data = operating.data
    rule_id = rule.id if rule else data["rule_id"]
    version = rule.version if rule else data.get("rule_version")
    customer_id = str(operating.operation.customer_id)
    detail = {"rule": rule_id, "rule_version": version, "did": did}
    action = Action(
        id=f"{operating.id}:rule_failed",
        did="rule_failed",
        actor=f"rule:{rule_id}",
        invoice_id=data["invoice_id"],
        customer_id=customer_id,
        why=why,
        detail=detail,
    )
    async with operating.means.database.begin() as db:
        new = await invoice_actions.add(db, operating.scope, action)
        if new and operating.means.tells_app:
            told = {"id": data["invoice_id"], "object": "invoice", "customer": customer_id}
            told |= {"why": why, **detail}
            await outgoing.add(db, operating.scope, DRAFT_RULE_FAILED, data["invoice_id"], told)


async def _note(operating: Operating, did: str, more: Mapping[str, Any]) -> None:
    async with operating.means.database.begin() as db:
        await _act(db, operating, did, more)


async def _act(
    db: AsyncConnection, operating: Operating, did: str, more: Mapping[str, Any] | None = None
) -> None:
    data = operating.data
    action = Action(
        id=f"{operating.id}:{did}",
        did=did,
        actor=data["by"],
        invoice_id=data["invoice_id"],
        customer_id=str(operating.operation.customer_id),
        why=data["why"],
        detail={"rule": data["rule_id"], "rule_version": data["rule_version"], **(more or {})},
    )
    await invoice_actions.add(db, operating.scope, action)


def _is_held(operating: Operating) -> bool:
    return bool(operating.data.get("then") == Then.HOLD)


def _is_late(operating: Operating) -> bool:
    finalizes_at = operating.data["finalizes_at"]
    if finalizes_at is None:
        return False
    return datetime.fromisoformat(finalizes_at) - margin_of(operating) <= operating.now


STEPS: Mapping[str, Walk] = {_HOLD: hold, _ITEMS: items, _FINALIZE: finalize}
