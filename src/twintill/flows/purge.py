"""The duty that drops stored answers to API requests which are past their time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import api_requests

_EVERY = timedelta(minutes=10)


async def purge_answers(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:  # noqa: ARG001
    """One page of them; a full page is followed by the next at once."""
    async with means.database.begin() as db:
        purged = await api_requests.purge(db)
    full = purged >= api_requests.PURGE_PAGE
    return Ran(timedelta(0) if full else _EVERY, {"purged": purged}, {})
