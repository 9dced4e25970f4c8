"""/v1/draft_rules: what becomes of drafts before Stripe finalizes them."""

from typing import Annotated, Any

from starlette.requests import Request

from twintill.domain.drafting import Hook, Item, Rule, Then
from twintill.flows import draft_rules as flow
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import draft_rules
from twintill.store.draft_rules import RuleRow
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.draft_shapes import (
    ItemParams,
    JudgedShape,
    RemovedRuleShape,
    RuleChanges,
    RuleParams,
    RuleShape,
)
from twintill.web.idempotency import keep_instead
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds

router = api_router("drafts")
_ALL, _ONE = "/v1/draft_rules", "/v1/draft_rules/{rule}"
# The names of fields that are other ones in the domain.
_NAMES = {"customer": "customer_id", "min_amount": "min_minor", "max_amount": "max_minor"}


@router.post(_ALL, status_code=201, summary="Add a rule for drafts")
async def create(request: Request, params: RuleParams, means: TheMeans, caller: Admin) -> RuleShape:
    """It judges the drafts that come from now on: `send_invoice` invoices of customers of ours that
    would finalize by themselves, except a sign-up's first.

    The first rule that matches decides: the customer's own before the account's, each in the order
    of `place`. The `secret` of a hook is in this answer and in no other.
    """
    rule = _rule(caller.new_id("drl"), params)
    secret = await flow.add(means, caller.scope, rule, caller.actor)
    return await _shown_once(request, means, caller.scope, rule.id, secret)


@router.get(_ALL, summary="List rules for drafts")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    customer: Annotated[str | None, only("Those of this customer.")] = None,
) -> ListShape[RuleShape]:
    """Newest first; those that were removed are not listed."""
    async with means.database.connect() as db:
        rows, more = await draft_rules.page(db, caller.scope, page, customer)
    return as_list(request, [_shape(caller.scope, row) for row in rows], has_more=more)


@router.get(_ONE, summary="One rule for drafts")
async def get_one(rule: str, means: TheMeans, caller: Reader) -> RuleShape:
    """Without the secret of its hook."""
    async with means.database.connect() as db:
        return _shape(caller.scope, await draft_rules.read(db, caller.scope, rule))


@router.patch(_ONE, summary="Change a rule for drafts")
async def change(rule: str, params: RuleChanges, means: TheMeans, caller: Admin) -> RuleShape:
    """Under a new version. A rule that gets a hook which it did not have gets a secret, shown in
    this answer and in no other. What the rule has done to drafts already stays done.
    """
    changes = _changes(params)
    row, secret = await flow.change(means, caller.scope, rule, changes, caller.actor)
    return _shape(caller.scope, row).model_copy(update={"secret": secret})


@router.delete(_ONE, summary="Remove a rule for drafts")
async def remove(rule: str, means: TheMeans, caller: Admin) -> RemovedRuleShape:
    """It judges nothing more; drafts that it holds go on waiting."""
    async with means.database.begin() as db:
        await draft_rules.remove(db, caller.scope, rule, caller.actor)
    return RemovedRuleShape(id=rule)


@router.get("/v1/invoices/{invoice}/draft_rule", summary="Which rule would match an invoice")
async def judge(invoice: str, means: TheMeans, caller: Reader) -> JudgedShape:
    """As it is in Stripe now; nothing is done, and no hook is asked."""
    judged = await flow.judged(means, caller.scope, invoice)
    rule = judged.rule
    return JudgedShape(
        invoice=judged.draft.id,
        total=judged.draft.total_minor,
        currency=judged.draft.currency.lower(),
        rule=None if rule is None else rule.id,
        then=None if rule is None else rule.then.value,
        untouched=judged.untouched,
    )


def _rule(rule_id: str, params: RuleParams) -> Rule:
    values = _values(params, set(RuleChanges.model_fields))
    hook = None if params.hook_url is None else Hook(params.hook_url, params.hook_timeout_s)
    del values["hook_url"], values["hook_timeout_s"]
    return Rule(id=rule_id, version=1, hook=hook, **values)


def _changes(params: RuleChanges) -> dict[str, Any]:
    return _values(params, params.model_fields_set)


def _values(params: RuleChanges, names: set[str]) -> dict[str, Any]:
    """In the domain's names and types."""
    values = {_NAMES.get(name, name): getattr(params, name) for name in names}
    if values.get("currency"):
        values["currency"] = values["currency"].upper()
    for name in {"then", "default"} & names:
        values[name] = Then(values[name])
    if "add_items" in names:
        values["items"] = tuple(item.read() for item in values.pop("add_items"))
    return values


async def _shown_once(
    request: Request, means: Means, scope: Scope, rule_id: str, secret: str | None
) -> RuleShape:
    """What is kept for a repetition of the request is not the secret."""
    async with means.database.connect() as db:
        shown = _shape(scope, await draft_rules.read(db, scope, rule_id))
    keep_instead(request, shown.model_dump_json().encode())
    return shown.model_copy(update={"secret": secret})


def _shape(scope: Scope, row: RuleRow) -> RuleShape:
    rule = row.rule
    return RuleShape(
        id=rule.id,
        livemode=scope.livemode,
        version=rule.version,
        customer=rule.customer_id,
        place=rule.place,
        enabled=rule.enabled,
        min_amount=rule.min_minor,
        max_amount=rule.max_minor,
        currency=_lower(rule.currency),
        billing_reason=rule.billing_reason,
        then=rule.then.value,
        add_items=[_item(item) for item in rule.items],
        why=rule.why,
        needs_approval=rule.needs_approval,
        hook_url=rule.hook.url if rule.hook else None,
        hook_timeout_s=rule.hook.timeout_s if rule.hook else None,
        default=_default(rule),
        secret=None,
        made_by=row.made_by,
        changed_by=row.changed_by,
        changed=seconds(row.changed_at) or 0,
        created=seconds(row.created_at) or 0,
    )


def _default(rule: Rule) -> Any:
    return rule.default.value


def _item(item: Item) -> ItemParams:
    return ItemParams(
        description=item.description,
        amount=item.amount_minor,
        currency=_lower(item.currency),
        price=item.price,
        quantity=item.quantity,
    )


def _lower(currency: str | None) -> str | None:
    return None if currency is None else currency.lower()
