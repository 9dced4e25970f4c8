"""Rules for drafts: rows that are changed under a new version, and never deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.drafting import Hook, Item, Rule, Then
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.listing import Page, read_page
from twintill.store.scoped import key, mine, of, whose
from twintill.store.tables import draft_rules

_C = draft_rules.c


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule, and who made it; `secret` is sealed."""

    rule: Rule
    secret: bytes | None
    made_by: str
    changed_by: str
    created_at: datetime
    changed_at: datetime


async def add(
    db: AsyncConnection, scope: Scope, rule: Rule, secret: bytes | None, actor: str
) -> bool:
    """False: it is there already, and stays as it is."""
    who = {"made_by": actor, "changed_by": actor, "created_at": NOW, "changed_at": NOW}
    row = {**key(scope), "rule_id": rule.id, "hook_secret": secret, **_columns(rule), **who}
    added = await db.execute(
        insert(draft_rules).values(row).on_conflict_do_nothing().returning(_C.rule_id)
    )
    return added.one_or_none() is not None


async def change(
    db: AsyncConnection, scope: Scope, rule: Rule, secret: bytes | None, actor: str
) -> None:
    """The caller holds the row, and has counted the version up."""
    changes = {**_columns(rule), "hook_secret": secret, "changed_by": actor, "changed_at": NOW}
    await _update(db, scope, rule.id, changes | {"hook_failed_at": None})


async def remove(db: AsyncConnection, scope: Scope, rule_id: str, actor: str) -> None:
    """It judges nothing more, and its secret is forgotten. Raises NotFoundError."""
    gone = {"removed_at": NOW, "hook_secret": None, "enabled": False, "changed_by": actor}
    await _update(db, scope, rule_id, gone)


async def read(db: AsyncConnection, scope: Scope, rule_id: str, *, lock: bool = False) -> RuleRow:
    """Raises NotFoundError, also for one that was removed."""
    query = select(draft_rules).where(
        mine(draft_rules, scope), _C.rule_id == rule_id, _C.removed_at.is_(None)
    )
    row = (await db.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFoundError(f"No such rule for drafts: {rule_id}", param="rule")
    return _row(row)


async def page(
    db: AsyncConnection, scope: Scope, page: Page, customer_id: str | None = None
) -> tuple[list[RuleRow], bool]:
    """(newest first, whether there are more)."""
    where: list[Any] = [_C.removed_at.is_(None)]
    if customer_id is not None:
        where.append(_C.customer_id == customer_id)
    rows, more = await read_page(db, scope, draft_rules, "rule_id", page, *where)
    return [_row(row) for row in rows], more


async def there_are(db: AsyncConnection, scope: Scope, customer_id: str) -> bool:
    """Whether any rule could judge a draft of this customer."""
    found = await db.execute(_THERE_ARE, {**of(scope), "customer": customer_id})
    return bool(found.scalar_one())


async def of_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> list[Rule]:
    """Those that are on: his, and the account's."""
    found = await db.execute(
        select(draft_rules).where(
            mine(draft_rules, scope),
            or_(_C.customer_id.is_(None), _C.customer_id == customer_id),
            _C.enabled,
            _C.removed_at.is_(None),
        )
    )
    return [_row(row).rule for row in found]


async def count(db: AsyncConnection, scope: Scope, customer_id: str | None) -> int:
    """How many the customer has (None: the account), on or off."""
    its = _C.customer_id.is_not_distinct_from(customer_id)
    living = mine(draft_rules, scope), its, _C.removed_at.is_(None)
    found = await db.execute(select(func.count()).select_from(draft_rules).where(*living))
    return int(found.scalar_one())


async def hook_failed(db: AsyncConnection, scope: Scope, rule_id: str) -> None:
    """Others leave it alone for a while; nothing of a rule that was removed."""
    await _set_failed(db, scope, rule_id, NOW)


async def hook_answers(db: AsyncConnection, scope: Scope, rule_id: str) -> None:
    await _set_failed(db, scope, rule_id, None)


async def _set_failed(db: AsyncConnection, scope: Scope, rule_id: str, at: Any) -> None:
    its: list[Any] = [mine(draft_rules, scope), _C.rule_id == rule_id]
    if at is None:
        its.append(_C.hook_failed_at.is_not(None))
    await db.execute(update(draft_rules).where(*its).values(hook_failed_at=at))


async def _update(
    db: AsyncConnection, scope: Scope, rule_id: str, changes: Mapping[str, Any]
) -> None:
    changed = await db.execute(
        update(draft_rules)
        .where(mine(draft_rules, scope), _C.rule_id == rule_id, _C.removed_at.is_(None))
        .values(**changes)
    )
    if changed.rowcount != 1:
        raise NotFoundError(f"No such rule for drafts: {rule_id}", param="rule")


def _columns(rule: Rule) -> dict[str, Any]:
    return {
        "customer_id": rule.customer_id,
        "place": rule.place,
        "enabled": rule.enabled,
        "version": rule.version,
        "min_minor": rule.min_minor,
        "max_minor": rule.max_minor,
        "currency": rule.currency,
        "billing_reason": rule.billing_reason,
        "does": rule.then.value,
        "otherwise": rule.default.value,
        "items": [item_json(item) for item in rule.items],
        "why": rule.why,
        "needs_approval": rule.needs_approval,
        "hook_url": rule.hook.url if rule.hook else None,
        "hook_timeout_s": rule.hook.timeout_s if rule.hook else None,
    }


def item_json(item: Item) -> dict[str, Any]:
    """As rows and operations keep it."""
    named = {name: getattr(item, name) for name in Item.__dataclass_fields__}
    return {name: value for name, value in named.items() if value is not None}


def _row(row: Any) -> RuleRow:
    rule = Rule(
        id=row.rule_id,
        version=row.version,
        customer_id=row.customer_id,
        place=row.place,
        enabled=row.enabled,
        min_minor=row.min_minor,
        max_minor=row.max_minor,
        currency=row.currency,
        billing_reason=row.billing_reason,
        then=Then(row.does),
        items=tuple(Item(**item) for item in row.items),
        why=row.why,
        needs_approval=row.needs_approval,
        hook=None if row.hook_url is None else Hook(row.hook_url, row.hook_timeout_s),
        default=Then(row.otherwise),
        hook_failed_at=row.hook_failed_at,
    )
    return RuleRow(
        rule, row.hook_secret, row.made_by, row.changed_by, row.created_at, row.changed_at
    )


_THERE_ARE = select(
    exists().where(
        whose(draft_rules),
        or_(_C.customer_id.is_(None), _C.customer_id == bindparam("customer")),
        _C.enabled,
        _C.removed_at.is_(None),
    )
)
