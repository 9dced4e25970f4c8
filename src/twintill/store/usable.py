"""What a payment's read brings of its customer: his active methods, and his own policy.

Part of the statement that reads the payment under its lock, so that the decision sees one moment.
What was tried is counted per token, over all payments and all method rows that hold the same
token: card networks count that way.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Usable
from twintill.store.tables import customers, payments

# Correlated with the `payments` row of the statement it stands in. Not-sent ones were never seen
# by a network; unresolved ones may still be declined.
USABLE: Any = literal_column(
    """(
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', m.payment_method_id, 'given_at', m.created_at, 'same_token', t.same_token,
        'tried_at', t.tried_at, 'refused', t.refused, 'refused_at', t.refused_at
    ) ORDER BY m.is_default DESC, m.place NULLS LAST, m.created_at DESC, m.payment_method_id), '[]')
    FROM payment_methods m
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT s.payment_method_id) AS same_token,
            array_agg(a.first_sent_at ORDER BY a.first_sent_at) FILTER (
                WHERE a.outcome NOT IN ('approved', 'not_sent')
                AND a.first_sent_at > twintill_now() - interval '30 days') AS tried_at,
            (array_agg(a.decline_kind ORDER BY a.answered_at DESC) FILTER (
                WHERE a.outcome = 'declined'
                AND a.decline_kind IN ('hard', 'revoked', 'fraud')))[1] AS refused,
            max(a.answered_at) FILTER (
                WHERE a.outcome = 'declined'
                AND a.decline_kind IN ('hard', 'revoked', 'fraud')) AS refused_at
        FROM payment_methods s
        LEFT JOIN attempts a ON a.stripe_account_id = s.stripe_account_id
            AND a.livemode = s.livemode AND a.payment_method_id = s.payment_method_id
            AND a.kind = 'charge'
        WHERE s.stripe_account_id = m.stripe_account_id AND s.livemode = m.livemode
            AND s.processor_account_id = m.processor_account_id
            AND s.token_fingerprint = m.token_fingerprint
    ) t
    WHERE m.stripe_account_id = payments.stripe_account_id AND m.livemode = payments.livemode
        AND m.customer_id = payments.customer_id AND m.status = 'active'
    )""",
    JSONB,
).label("usable")
OVERRIDES: Any = customers.c.policy.label("overrides")
ITS_CUSTOMER = and_(
    customers.c.stripe_account_id == payments.c.stripe_account_id,
    customers.c.livemode == payments.c.livemode,
    customers.c.customer_id == payments.c.customer_id,
)


def usable(found: list[dict[str, Any]]) -> tuple[Usable, ...]:
    """What `USABLE` read, preferred first."""
    return tuple(
        Usable(
            id=one["id"],
            given_at=datetime.fromisoformat(one["given_at"]),
            same_token=frozenset(one["same_token"]),
            tried_at=tuple(datetime.fromisoformat(at) for at in one["tried_at"] or ()),
            refused=None if one["refused"] is None else DeclineKind(one["refused"]),
            refused_at=one["refused_at"] and datetime.fromisoformat(one["refused_at"]),
        )
        for one in found
    )
