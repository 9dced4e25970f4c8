"""Asking the user's app what becomes of a draft: one signed question, one answer or none.

Signed as events are (Standard Webhooks), to an address that is judged like theirs; the id is the
same each time the same draft is asked about. No redirect is followed;
of the answer 64 KiB are read.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

from twintill.domain.draft_answers import read_answer
from twintill.domain.drafting import Draft, Plan, Rule
from twintill.errors import VaultError
from twintill.flows import outbound
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store.draft_rules import RuleRow

ASKED = "judge.draft"
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Unanswered:
    """`lied`: it answered something that cannot be done: asking again would not help."""

    why: str
    lied: bool = False


async def ask(
    means: Means, scope: Scope, row: RuleRow, draft: Draft, question_id: str, wall: datetime
) -> Plan | Unanswered:
    """`wall`: the machine's time, which the app compares with its own."""
    rule, hook = row.rule, row.rule.hook
    assert hook is not None, "only rules with a hook ask"
    body = json.dumps(_question(rule, draft, question_id, wall), separators=(",", ":"))
    try:
        secret = open_secret(means, scope, row)
    except VaultError as error:
        return Unanswered(f"its secret cannot be used: {error}")
    headers = {
        "content-type": "application/json",
        "user-agent": "Twintill",
        "webhook-id": question_id,
        "webhook-timestamp": str(int(wall.timestamp())),
        "webhook-signature": Webhook(secret).sign(question_id, wall, body),
    }
    async with outbound.open_transport(means.outbound) as transport:
        said = await outbound.post(
            means.outbound,
            transport,
            hook.url,
            body.encode(),
            headers,
            trusted=False,
            timeout_s=hook.timeout_s,
            keep=_MOST_BYTES + 1,
        )
    return Unanswered(said) if isinstance(said, str) else _read(said, draft, f"hook:{rule.id}")


def seal_secret(means: Means, scope: Scope, rule_id: str, secret: str) -> bytes:
    return means.vault.seal(secret.encode(), scope, "draft_rule", rule_id)


def open_secret(means: Means, scope: Scope, row: RuleRow) -> str:
    """Raises VaultError."""
    return means.vault.open(row.secret or b"", scope, "draft_rule", row.rule.id).decode()


def _read(said: outbound.Answer, draft: Draft, by: str) -> Plan | Unanswered:
    if not 200 <= said.status < 300:
        return Unanswered(f"the app answered {said.status}")
    if len(said.beginning.encode()) > _MOST_BYTES:
        return Unanswered(f"its answer has more than {_MOST_BYTES} bytes", lied=True)
    try:
        told: Any = json.loads(said.beginning)
    except (ValueError, RecursionError):
        return Unanswered("its answer is not JSON that can be read", lied=True)
    plan = read_answer(told, draft, by)
    if isinstance(plan, str):
        return Unanswered(f"its answer cannot be done: {plan}", lied=True)
    return plan


def _question(rule: Rule, draft: Draft, question_id: str, wall: datetime) -> dict[str, Any]:
    assert rule.hook is not None, "only rules with a hook ask"
    finalizes_at, due_at = draft.finalizes_at, draft.look.due_at
    return {
        "id": question_id,
        "type": ASKED,
        "timestamp": wall.isoformat(),
        "data": {
            "object": "draft",
            "invoice": draft.id,
            "customer": draft.customer_id,
            "subscription": draft.subscription_id,
            "billing_reason": draft.billing_reason,
            "currency": draft.currency.lower(),
            "total": draft.total_minor,
            "amount_due": draft.look.amount_due_minor,
            "lines": draft.lines,
            "due_date": None if due_at is None else int(due_at.timestamp()),
            "finalizes_at": None if finalizes_at is None else int(finalizes_at.timestamp()),
            "rule": rule.id,
            "rule_version": rule.version,
            "answer_within_s": rule.hook.timeout_s,
            "default": rule.default.value,
        },
    }
