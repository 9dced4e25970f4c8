"""One transaction on the installation's own data: what the small commands do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.app import open_means, open_settings_database, scope_of
from twintill.cli.embedded import with_database
from twintill.cli.logs import configure_logs
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.settings import Settings, read_settings

Answer = TypeVar("Answer")


def ask(do: Callable[[AsyncConnection, Scope], Awaitable[Answer]]) -> Answer:
    """`do` in a transaction, as the runtime role, for the Stripe account of the settings."""
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        return asyncio.run(_ask(settings, do))


def ask_means(do: Callable[[Means], Awaitable[Answer]]) -> Answer:
    """The same for what needs more than the database: the vault, Stripe, the processors."""
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        return asyncio.run(_ask_means(settings, do))


async def _ask_means(settings: Settings, do: Callable[[Means], Awaitable[Answer]]) -> Answer:
    async with open_means(settings, pool_size=2) as means:
        return await do(means)


async def _ask(
    settings: Settings, do: Callable[[AsyncConnection, Scope], Awaitable[Answer]]
) -> Answer:
    database = open_settings_database(settings)
    try:
        scope = await scope_of(settings, database)
        async with database.begin() as db:
            return await do(db, scope)
    finally:
        await database.dispose()
