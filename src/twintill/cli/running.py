"""Running the processes: web, worker, migrations; they end when asked to, and finish their work."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

import structlog
import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from twintill import app, worker
from twintill.cli.embedded import owner_url, runtime_url, with_database
from twintill.cli.logs import configure_logs
from twintill.settings import DatabaseSettings, Settings
from twintill.store import migrations
from twintill.web.frame import create_app

# Longer than a request may take, shorter than what orchestrators wait before they kill.
_GRACE_S = 25
# Above it, 503 at once: better than running out of file descriptors (1024 is a common limit).
_CONNECTIONS_MAX = 900
_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; requests in flight are answered."""
    configure_logs(settings.log_level)
    with with_database(settings) as ready:
        _run(_serve(ready))


def work(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what is in flight is finished."""
    configure_logs(settings.log_level)
    with with_database(settings) as ready:
        _run(_work(ready))


def migrate(settings: DatabaseSettings) -> None:
    configure_logs("info")
    if settings.migrate_database_url is not None:
        asyncio.run(migrations.migrate(owner_url(settings)))
    else:
        with with_database(settings) as ready:
            asyncio.run(migrations.migrate(owner_url(ready)))
    _log.info("migrated", to=migrations.revisions()[0])


def _run(process: Coroutine[Any, Any, None]) -> None:
    """On the fastest event loop that is installed: uvloop, except on Windows."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(process)


async def _serve(settings: Settings) -> None:
    async with app.open_doors(settings) as doors:
        config = uvicorn.Config(
            create_app(contextlib.nullcontext(doors)),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,  # the frame logs each request, with its id
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=_GRACE_S,
            limit_concurrency=_CONNECTIONS_MAX,
        )
        scope = doors.means.scope
        _log.info("serving", stripe_account=scope.stripe_account_id, livemode=scope.livemode)
        await _Server(config).serve()


class _Server(uvicorn.Server):
    """Ends with exit code 0: uvicorn's own would let the signal kill us before we have closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def _work(settings: Settings) -> None:
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
