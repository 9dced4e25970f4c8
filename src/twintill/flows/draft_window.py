"""The draft window: what a rule, or the user's app, does with a draft before Stripe finalizes it.

    judge -> (ask) -> hold -> items -> finalize -> done

Begun in the commit of the event; nothing of it is done while Stripe waits for its 2xx. When
the window is over, or a rule cannot be done as it says, the invoice goes its way and somebody is
told.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.drafting import (
    WINDOW,
    Draft,
    Plan,
    Rule,
    Then,
    asks_again_in,
    first_match,
    rests_for,
    why_untouched,
)
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import NotFoundError
from twintill.flows import draft_hook, draft_plan, review_queue
from twintill.flows.draft_hook import Unanswered
from twintill.flows.draft_plan import begin, end, fall_back, margin_of, over
from twintill.flows.means import Means
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope, derived_id
from twintill.store import clock, draft_rules, mirror, operations, reviews
from twintill.store.draft_rules import RuleRow
from twintill.stripe_billing.events import StripeEvent

_JUDGE, _ASK = "judge", "ask"


async def saw(db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent) -> None:
    """In the intake's transaction: a draft of a customer of ours is judged, or followed."""
    invoice, status = event.invoice, event.invoice_status
    if invoice is None or invoice.customer_id is None or status is None:
        return
    if status is not InvoiceStatus.DRAFT:
        await review_queue.left(db, means, scope, invoice.id, status, event.id)
    elif invoice.collection_method == "send_invoice" and event.type == "invoice.created":
        if invoice.auto_advance is not False:
            await _open(db, scope, invoice.id, invoice.customer_id)
    elif "auto_advance" in event.changed:
        on = invoice.auto_advance is not False
        known = await mirror.customer_is_known(db, scope, invoice.customer_id)
        if known and (on or not await reviews.waits(db, scope, invoice.id)):
            await review_queue.follow(db, scope, invoice.id, invoice.customer_id)


async def _open(db: AsyncConnection, scope: Scope, invoice_id: str, customer_id: str) -> None:
    if not await draft_rules.there_are(db, scope, customer_id):
        return
    if not await mirror.customer_is_known(db, scope, customer_id):
        return
    await operations.add(
        db,
        scope,
        operation_id=derived_id("dwn", scope, invoice_id),
        kind=WINDOW,
        customer_id=customer_id,
        step=_JUDGE,
        data={"invoice_id": invoice_id, "asked": 0},
    )


async def judge(operating: Operating) -> Operating | None:
    """The first rule that matches the draft as it is now."""
    draft, untouched = await _read(operating)
    if draft is None or untouched is not None:
        return await over(operating, untouched)
    async with operating.means.database.connect() as db:
        customer_id = str(operating.operation.customer_id)
        rules = await draft_rules.of_customer(db, operating.scope, customer_id)
    rule = first_match(draft, rules)
    if rule is None:
        return await end(operating, "no rule matches it")
    if rule.then is Then.ASK:
        async with operating.means.database.begin() as db:
            return await operating.moved(db, _ASK, rule_id=rule.id)
    plan = Plan(rule.then, f"rule:{rule.id}", rule.items, rule.why)
    return await begin(operating, rule, draft, plan)


async def ask(operating: Operating) -> Operating | None:
    """Each asking is counted before it is made: a worker may die of waiting."""
    row, wall = await _rule(operating)
    if row is None or row.rule.hook is None:  # removed or changed meanwhile
        async with operating.means.database.begin() as db:
            return await operating.moved(db, _JUDGE)
    draft, untouched = await _read(operating)
    if draft is None or untouched is not None:
        return await over(operating, untouched)
    pause = rests_for(row.rule, operating.now)
    if pause and why_untouched(draft, operating.now + pause, margin_of(operating)) is None:
        await operating.pause(pause)
        return None
    if pause:
        return await fall_back(operating, row.rule, draft, "its hook answers nobody just now")
    async with operating.means.database.begin() as db:
        operating = await operating.moved(db, _ASK, asked=operating.data["asked"] + 1)
    said = await draft_hook.ask(operating.means, operating.scope, row, draft, operating.id, wall)
    if isinstance(said, Unanswered):
        return await _unanswered(operating, row.rule, draft, said)
    async with operating.means.database.begin() as db:
        await draft_rules.hook_answers(db, operating.scope, row.rule.id)
    return await begin(operating, row.rule, draft, said)


async def _read(operating: Operating) -> tuple[Draft | None, str | None]:
    """(The draft, why it is not touched.)"""
    draft = await operating.means.stripe.read_draft(operating.data["invoice_id"])
    if draft is None:
        return None, "it was deleted"
    if draft.customer_id != operating.operation.customer_id:
        return draft, "it is another customer's"
    return draft, why_untouched(draft, operating.now, margin_of(operating))


async def _rule(operating: Operating) -> tuple[RuleRow | None, datetime]:
    async with operating.means.database.connect() as db:
        wall = await clock.wall(db)
        try:
            row = await draft_rules.read(db, operating.scope, operating.data["rule_id"])
        except NotFoundError:
            return None, wall
    return (row if row.rule.enabled else None), wall


async def _unanswered(
    operating: Operating, rule: Rule, draft: Draft, said: Unanswered
) -> Operating | None:
    if said.lied:
        return await fall_back(operating, rule, draft, said.why)
    async with operating.means.database.begin() as db:
        await draft_rules.hook_failed(db, operating.scope, rule.id)
    asked = operating.data["asked"]
    again_in = asks_again_in(asked, draft, operating.now, margin_of(operating))
    if again_in is None:
        return await fall_back(operating, rule, draft, f"asked {asked} times: {said.why}")
    await operating.pause(again_in)
    return None


STEPS: Mapping[str, Walk] = {
    _JUDGE: judge,
    _ASK: ask,
    **draft_plan.STEPS,
}
