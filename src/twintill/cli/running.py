"""Running a process until it is asked to end: the worker; and the migrations."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import structlog
from uvicorn.loops.auto import auto_loop_factory

from twintill import app
from twintill.cli.embedded import owner_url, runtime_url, with_database
from twintill.cli.logs import configure_logs
from twintill.settings import DatabaseSettings, Settings
from twintill.store import migrations

_log = structlog.get_logger(__name__)


def work(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what is in flight is finished."""
    configure_logs(settings.log_level)
    with with_database(settings) as ready:
        run(_work(ready))


def migrate(settings: DatabaseSettings) -> None:
    configure_logs("info")
    if settings.migrate_database_url is not None:
        asyncio.run(migrations.migrate(owner_url(settings)))
    else:
        with with_database(settings) as ready:
            asyncio.run(migrations.migrate(owner_url(ready)))
    _log.info("migrated", to=migrations.revisions()[0])


def run(process: Coroutine[Any, Any, None]) -> None:
    """On the fastest event loop that is installed: uvloop, except on Windows."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(process)


async def _work(settings: Settings) -> None:
    from twintill import worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    direct = settings.database_direct_url
    pool_size = max(10, settings.worker_concurrency)
    async with app.open_means(settings, pool_size=pool_size) as means:
        _log.info("working", stripe_account=means.scope.stripe_account_id)
        await worker.run(
            means,
            database_url=direct.get_secret_value() if direct else runtime_url(settings),
            concurrency=settings.worker_concurrency,
            stop=stop,
            app=app.app_to_tell(settings),
        )
    _log.info("stopped")
