"""Rules for drafts: made, changed under a new version, removed, and tried without effect.

Judged when they are kept (`domain.draft_answers.why_not_a_rule`). The hook's address is judged as
those of the app's endpoints are, here and again at each asking.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.draft_answers import why_not_a_rule
from twintill.domain.drafting import Draft, Hook, Rule, Then, first_match, why_untouched
from twintill.errors import BadRequest, ConflictError, EndpointRefused, NotFoundError
from twintill.flows import outbound
from twintill.flows.draft_hook import seal_secret
from twintill.flows.endpoints import new_secret
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import clock, draft_rules, mirror
from twintill.store.draft_rules import RuleRow

_MOST = 100  # of the account, and as many of each customer


@dataclass(frozen=True, slots=True)
class Judged:
    """What would happen to a draft now. `untouched`: why no rule would be asked at all."""

    draft: Draft
    rule: Rule | None
    untouched: str | None


async def add(means: Means, scope: Scope, rule: Rule, actor: str) -> str | None:
    """Its hook's secret, this once; None: it has no hook, or it is there already.

    Raises BadRequest, EndpointRefused, NotFoundError (the customer), ConflictError (too many).
    """
    await _check(means, rule)
    secret = None if rule.hook is None else new_secret()
    sealed = None if secret is None else seal_secret(means, scope, rule.id, secret)
    async with means.database.begin() as db:
        await _require_customer(db, scope, rule.customer_id)
        if await draft_rules.count(db, scope, rule.customer_id) >= _MOST:
            raise ConflictError(f"There are {_MOST} rules: remove one.", code="too_many_rules")
        added = await draft_rules.add(db, scope, rule, sealed, actor)
    return secret if added else None


async def change(
    means: Means, scope: Scope, rule_id: str, changes: Mapping[str, Any], actor: str
) -> tuple[RuleRow, str | None]:
    """With the secret of a hook that it did not have before. `changes`: of `Rule`'s fields.

    What was begun under the former version goes on under the new one from its next step on.
    """
    async with means.database.connect() as db:
        former = (await draft_rules.read(db, scope, rule_id)).rule
    await _check(means, _changed(former, changes))
    async with means.database.begin() as db:
        row = await draft_rules.read(db, scope, rule_id, lock=True)
        rule = _changed(row.rule, changes)
        _require_fit(rule)
        await _require_customer(db, scope, rule.customer_id)
        secret = new_secret() if rule.hook is not None and row.secret is None else None
        sealed = row.secret if secret is None else seal_secret(means, scope, rule_id, secret)
        await draft_rules.change(db, scope, rule, sealed if rule.hook else None, actor)
        return await draft_rules.read(db, scope, rule_id), secret


async def judged(means: Means, scope: Scope, invoice_id: str) -> Judged:
    """Nothing is changed, and no hook asked. Raises NotFoundError."""
    draft = await means.stripe.read_draft(invoice_id)
    if draft is None:
        raise NotFoundError(f"No such invoice: {invoice_id}", param="invoice")
    async with means.database.connect() as db:
        await _require_customer(db, scope, draft.customer_id or "")
        rules = await draft_rules.of_customer(db, scope, draft.customer_id or "")
        now = await clock.now(db)
    untouched = why_untouched(draft, now, means.policy.draft_margin)
    return Judged(draft, first_match(draft, rules), untouched)


def _changed(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """A rule that asks no more has no hook; a hook's two halves change one by one."""
    given = dict(changes)
    url = given.pop("hook_url", rule.hook.url if rule.hook else None)
    timeout_s = given.pop("hook_timeout_s", rule.hook.timeout_s if rule.hook else 5)
    then = Then(given.get("then", rule.then))
    if then is not Then.ASK and "hook_url" not in changes:
        url = None
    hook = None if url is None else Hook(url, timeout_s)
    return replace(rule, **given, hook=hook, version=rule.version + 1)


async def _check(means: Means, rule: Rule) -> None:
    _require_fit(rule)
    if rule.hook is None:
        return
    try:
        await outbound.check(means.outbound, rule.hook.url)
    except EndpointRefused as refused:
        raise EndpointRefused(str(refused), param="hook_url") from None


def _require_fit(rule: Rule) -> None:
    wrong = why_not_a_rule(rule)
    if wrong is not None:
        param, why = wrong
        raise BadRequest(f"{param}: {why}.", code="draft_rule_invalid", param=param)


async def _require_customer(db: AsyncConnection, scope: Scope, customer_id: str | None) -> None:
    if customer_id is not None and not await mirror.customer_is_known(db, scope, customer_id):
        raise NotFoundError(f"No such customer here: {customer_id or '-'}", param="customer")
