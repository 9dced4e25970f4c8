"""The duty that compares our books with Stripe's and the processors': daily, for two days back.

A run is one page. When the day's reads of Stripe are used up it waits for more; a difference that
the pass before did not have is told to the user's app.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from twintill.flows import compare
from twintill.flows.compare import Part, Walk
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import outgoing

_EVERY = timedelta(days=1)
_BACK = timedelta(days=2)
_EXAMPLES = 20
# Left for what cannot wait: the reads that follow a charge.
_RESERVE = 30
_READS_STRIPE = frozenset((Part.LISTING, Part.UNLISTED))


async def verify_remote(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page of a pass; what the last whole pass found stays the result meanwhile."""
    if "walk" in cursor:
        walk = Walk.restored(cursor["walk"])
    else:
        walk = await compare.begin(means, _BACK)
    result = cursor.get("result", {})
    if walk.part in _READS_STRIPE and await compare.reads_left(means, scope) <= _RESERVE:
        return Ran(timedelta(hours=1), result, {**cursor, "walk": walk.saved()})
    walk = await compare.step(means, scope, walk)
    if walk.part is not Part.DONE:
        return Ran(timedelta(0), result, {**cursor, "walk": walk.saved()})
    return await _passed(means, scope, cursor, walk)


async def _passed(means: Means, scope: Scope, cursor: Mapping[str, Any], walk: Walk) -> Ran:
    known = cursor.get("known", [])
    news = [d for d in walk.differences if _named(d) not in known]
    if news and means.tells_app:
        data = {"object": "verification", "count": walk.differ, "differences": news[:_EXAMPLES]}
        async with means.database.begin() as db:
            await outgoing.add(db, scope, "verify.differs", "remote", data)
    result = {
        "invoices": walk.invoices,
        "payments": walk.payments,
        "attempts": walk.attempts,
        "not_asked": walk.not_asked,
        "differ": walk.differ,
        "examples": [f"{d['invoice_id']}: {d['says']}" for d in walk.differences[:_EXAMPLES]],
    }
    return Ran(_EVERY, result, {"result": result, "known": [_named(d) for d in walk.differences]})


def _named(difference: Mapping[str, Any]) -> str:
    """The same difference in the next pass has the same name."""
    names = ("processor_refund_id", "attempt_id", "payment_id", "invoice_id")
    which = next(difference[name] for name in names if difference.get(name))
    return f"{difference['kind']} {which}"
