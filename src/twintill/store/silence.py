"""What our own books say about Stripe's deliveries: the signs that `domain.silence` weighs.

Each query reads a bounded tail of its table: it runs every few minutes, for ever.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.silence import Signs
from twintill.ids import Scope

FETCHED = "fetched"  # the verdict of a delivery that we asked for ourselves


async def read_signs(db: AsyncConnection, scope: Scope) -> Signs:
    whose = {"account": scope.stripe_account_id, "live": scope.livemode}
    heard = (await db.execute(_HEARD, whose)).one()
    reported = (await db.execute(_REPORTED, whose)).one_or_none()
    rest = (await db.execute(_REST, whose)).one()
    return Signs(
        heard_at=heard.heard_at,
        gaps=tuple(heard.gaps or ()),
        reported_at=reported.ended_at if reported else None,
        echoed=bool(reported and reported.echoed),
        draft_since=rest.draft_since,
        expecting=rest.expecting,
    )


_HEARD = text(
    """
    WITH latest AS (
        SELECT source, verdict, received_at FROM deliveries
        WHERE stripe_account_id = :account AND livemode = :live
        ORDER BY delivery_id DESC LIMIT 2000
    ), heard AS (
        SELECT received_at, received_at - lag(received_at) OVER (ORDER BY received_at) AS gap
        FROM latest WHERE source = 'stripe' AND verdict <> 'fetched'
    )
    SELECT (SELECT max(received_at) FROM heard) AS heard_at,
           (SELECT array_agg(gap) FROM (
                SELECT gap FROM heard
                WHERE gap IS NOT NULL AND received_at > twintill_now() - interval '14 days'
                ORDER BY gap DESC LIMIT 3
            ) AS longest) AS gaps
    """
)
# Of the payments opened lately the one reported last, if that is not hours ago.
_REPORTED = text(
    """
    WITH latest AS (
        SELECT invoice_id, state, ended_at FROM payments
        WHERE stripe_account_id = :account AND livemode = :live
        ORDER BY created_at DESC, payment_id DESC LIMIT 500
    ), arrived AS (
        SELECT type, object_id, delivery_id FROM inbox
        WHERE stripe_account_id = :account AND livemode = :live AND source = 'stripe'
        ORDER BY inbox_id DESC LIMIT 2000
    )
    SELECT ended_at, EXISTS (
        SELECT FROM arrived JOIN deliveries d USING (delivery_id)
        WHERE d.stripe_account_id = :account AND d.livemode = :live AND d.verdict <> 'fetched'
            AND arrived.object_id = latest.invoice_id
            AND arrived.type IN ('invoice.paid', 'invoice.payment_succeeded', 'v1.invoice.paid')
    ) AS echoed
    FROM latest
    WHERE state = 'reported' AND ended_at BETWEEN twintill_now() - interval '6 hours'
                                              AND twintill_now() - interval '3 minutes'
    ORDER BY ended_at DESC LIMIT 1
    """
)
_REST = text(
    """
    SELECT (
        SELECT min(created_at) FROM invoices
        WHERE stripe_account_id = :account AND livemode = :live AND status = 'draft'
            AND collection_method = 'send_invoice' AND subscription_id IS NOT NULL
            AND created_at > twintill_now() - interval '6 hours'
            AND NOT EXISTS (  -- held for a review: it is finalized when somebody says so
                SELECT FROM invoice_reviews r
                WHERE r.stripe_account_id = :account AND r.livemode = :live
                    AND r.invoice_id = invoices.invoice_id AND r.ended_at IS NULL
            )
    ) AS draft_since,
    EXISTS (
        SELECT FROM payments
        WHERE stripe_account_id = :account AND livemode = :live AND ended_at IS NULL
    ) OR EXISTS (
        SELECT FROM subscriptions
        WHERE stripe_account_id = :account AND livemode = :live AND ended_at IS NULL
    ) AS expecting
    """
)
