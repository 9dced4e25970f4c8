"""The duty that announces drafts which wait for a review, before their subscription suffers.

After a day (`review_notice`), again each day, and in any case a day before the period ends: a held
draft is never charged, and the next period's invoice comes on top of it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from twintill.domain.draft_events import DRAFT_WAITING
from twintill.domain.drafting import next_notice
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.flows.review_queue import review_told
from twintill.ids import Scope
from twintill.store import clock, outgoing, reviews
from twintill.store.reviews import Review

_PAGE = 20  # each may take a read of Stripe
_AGAIN = timedelta(minutes=5)


async def announce_reviews(means: Means, scope: Scope, _: Mapping[str, Any]) -> Ran:
    """Event and next time are one commit: told once, whoever dies."""
    async with means.database.connect() as db:
        due = await reviews.due(db, scope, _PAGE)
    told = 0
    for review in due:
        told += await _announce(means, scope, await _with_its_period(means, scope, review))
    async with means.database.connect() as db:
        waiting, oldest_s = await reviews.standing(db, scope)
    result = {"told": told, "waiting": waiting, "oldest_s": oldest_s}
    return Ran(timedelta(0) if len(due) == _PAGE else _AGAIN, result, {})


async def _with_its_period(means: Means, scope: Scope, review: Review) -> Review:
    """Read once; Stripe's mirror of ours does not keep it."""
    if review.period_known:
        return review
    ends_at = None
    if review.subscription_id is not None:
        ends_at = await means.stripe.period_ends_at(review.subscription_id)
    async with means.database.begin() as db:
        await reviews.update_row(db, scope, review.id, period_ends_at=ends_at, period_known=True)
        return await reviews.read(db, scope, review.id)


async def _announce(means: Means, scope: Scope, review: Review) -> bool:
    """False: it is not time yet, or it was released meanwhile."""
    held_at, after = review.held_at, means.policy.review_notice
    async with means.database.begin() as db:
        now = await clock.now(db)
        if review.announced == 0:
            first = next_notice(now, 0, held_at, review.period_ends_at, after)
            if first > now:
                await reviews.announce_again(db, scope, review, first, told=False)
                return False
        told = review.announced + 1
        at = next_notice(now, told, held_at, review.period_ends_at, after)
        if not await reviews.announce_again(db, scope, review, at, told=True):
            return False
        if means.tells_app:
            waited_s = int((now - held_at).total_seconds())
            data = {**review_told(review), "waiting_for_s": waited_s}
            data["told_before"] = review.announced
            await outgoing.add(db, scope, DRAFT_WAITING, review.invoice_id, data)
    return True
