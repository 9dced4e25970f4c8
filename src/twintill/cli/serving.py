"""Running the web process: it ends when asked to, and answers what is in flight first."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import structlog
import uvicorn

from twintill.app.serving import open_doors
from twintill.cli.embedded import with_database
from twintill.cli.logs import configure_logs
from twintill.cli.running import run
from twintill.settings import Settings
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
        run(_serve(ready))


async def _serve(settings: Settings) -> None:
    async with open_doors(settings) as doors:
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
