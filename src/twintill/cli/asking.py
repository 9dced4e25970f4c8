"""One transaction on the installation's own data: what the small commands do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.app import open_settings_database, scope_of
from twintill.cli.embedded import with_database
from twintill.cli.logs import configure_logs
from twintill.ids import Scope
from twintill.settings import Settings, read_settings

Answer = TypeVar("Answer")


def ask(do: Callable[[AsyncConnection, Scope], Awaitable[Answer]]) -> Answer:
    """`do` in a transaction, as the runtime role, for the Stripe account of the settings."""
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        return asyncio.run(_ask(settings, do))


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
