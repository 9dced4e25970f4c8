"""What the web process needs besides: apart, so that a command starts without its libraries."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from twintill.app import app_to_tell, open_means
from twintill.flows.endpoints import keep_in_step
from twintill.settings import Settings
from twintill.store.inbox import Receiver
from twintill.store.migrations import revisions
from twintill.store.waker import Waker
from twintill.web.clock import BusinessClock
from twintill.web.doors import Doors
from twintill.web.frame import create_app


@contextlib.asynccontextmanager
async def open_doors(settings: Settings) -> AsyncIterator[Doors]:
    """What the web process works with. Raises SettingsError."""
    async with (
        open_means(settings) as means,
        Receiver(means.database).running() as receiver,
        Waker(means.database).running() as waker,
    ):
        await keep_in_step(means, means.scope, app_to_tell(settings))
        yield Doors(
            means=means,
            stripe_webhook_secrets=tuple(
                s.get_secret_value() for s in settings.stripe_webhook_secrets
            ),
            clock=BusinessClock(means.database, livemode=settings.livemode),
            receiver=receiver,
            waker=waker,
            revisions=revisions(),
        )


def create_web(settings: Settings) -> FastAPI:
    """The web process's app: it opens its means when the server starts."""
    return create_app(open_doors(settings))
