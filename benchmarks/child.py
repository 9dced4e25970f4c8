"""One process of the benchmarks' stage: `python -m benchmarks.child web|worker|stripe|processor`.

It ends when asked to, and also when whoever started it is gone (its standard input ends then).
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.loops.auto import auto_loop_factory

from twintill.app import serving
from twintill.cli import running
from twintill.cli.embedded import runtime_url
from twintill.cli.logs import configure_logs
from twintill.sandbox import processor, stripe
from twintill.sandbox.clock import SystemClock
from twintill.sandbox.processor.app import serve as serve_processor
from twintill.sandbox.stripe.app import serve as serve_stripe
from twintill.settings import Settings, read_settings
from twintill.store.database import open_database
from twintill.store.inbox import Receiver
from twintill.web.frame import create_app

NOOP = "/webhooks/nothing/to/do"  # under /webhooks, so that the frame treats it the same


def main() -> None:
    """The rest of the command line is the part's own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    part, *arguments = sys.argv[1:]
    _PARTS[part](*arguments)


def web(port: str, commit: str, connections: str) -> None:
    """`commit`: "shared" as `twintill serve` does it, "each" for one commit a delivery."""
    changes = {"port": int(port), "log_level": "warning"}
    settings = read_settings().model_copy(update=changes)
    configure_logs(settings.log_level)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_web(settings, commit, int(connections)))


def worker() -> None:
    """As `twintill worker`."""
    running.work(read_settings())


def stripe_sandbox(port: str, account_id: str) -> None:
    settings = stripe.StripeSandboxSettings(account_id=account_id)
    asyncio.run(serve_stripe("127.0.0.1", int(port), SystemClock(), settings))


def processor_sandbox(port: str, api_key: str, webhook_url: str, secret: str) -> None:
    settings = processor.ProcessorSandboxSettings(
        api_key=api_key, webhook_url=webhook_url, webhook_secret=secret
    )
    asyncio.run(serve_processor("127.0.0.1", int(port), SystemClock(), settings))


_PARTS: dict[str, Callable[..., None]] = {
    "web": web,
    "worker": worker,
    "stripe": stripe_sandbox,
    "processor": processor_sandbox,
}


async def _web(settings: Settings, commit: str, connections: int) -> None:
    async with contextlib.AsyncExitStack() as closing:
        doors = await closing.enter_async_context(serving.open_doors(settings))
        if commit == "each":
            url = runtime_url(settings)
            engine = open_database(url, pool_size=connections)
            closing.push_async_callback(engine.dispose)
            receiver = Receiver(engine, batch_max=1, flushers=connections)
            await closing.enter_async_context(receiver.running())
            doors = dataclasses.replace(doors, receiver=receiver)
        served = create_app(contextlib.nullcontext(doors))
        served.add_api_route(NOOP, _nothing, methods=["POST"])
        await uvicorn.Server(_config(served, settings)).serve()


def _config(served: Any, settings: Settings) -> uvicorn.Config:
    """As `twintill serve` has it."""
    return uvicorn.Config(
        served,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
    )


async def _nothing(request: Request) -> Response:
    """The same server and the same body, read; nothing verified, nothing stored."""
    await request.body()
    return Response(b'{"received": true}', media_type="application/json")


def _end_with_parent() -> None:
    while os.read(0, 1):  # the file itself: a buffered reader would be locked at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
