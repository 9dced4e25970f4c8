"""A customer's own policy: checked against every rule before it is kept."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.overrides import overlay
from twintill.domain.policy import Policy
from twintill.ids import Scope
from twintill.store import customer_policy


async def change(
    db: AsyncConnection,
    scope: Scope,
    account: Policy,
    customer_id: str,
    overrides: Mapping[str, Any],
) -> Policy:
    """What holds for this customer from the next decision on; a time that is set stays.

    Raises PolicyRefused, NotFoundError.
    """
    policy = overlay(account, overrides)
    await customer_policy.write(db, scope, customer_id, overrides)
    return policy
