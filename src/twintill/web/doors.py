"""What every door is handed: the means, and what only doors need. Made once by the wiring."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import HTTPConnection

from twintill.flows.means import Means
from twintill.store.inbox import Receiver
from twintill.store.waker import Waker
from twintill.web.clock import BusinessClock


class Figures:
    """What is counted, for /metrics; of this app alone: two may share a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "twintill_webhooks_total",
            "Webhook requests, by source and by what became of them.",
            ["source", "verdict"],
            registry=self.registry,
        )
        self.requests = Counter(
            "twintill_http_answers_total",
            "Answers, by method and status.",
            ["method", "status"],
            registry=self.registry,
        )


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything that routes may use; `the_means` and `the_doors` hand it to them."""

    means: Means
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    clock: BusinessClock
    receiver: Receiver
    waker: Waker
    revisions: tuple[str, ...]  # the migrations that this version knows, the newest first
    figures: Figures = field(default_factory=Figures)


def the_doors(connection: HTTPConnection) -> Doors:
    doors: Doors = connection.app.state.doors
    return doors


def the_means(connection: HTTPConnection) -> Means:
    return the_doors(connection).means


# Async, although they wait for nothing: FastAPI runs what is not in a thread, at each request.
async def _doors_of(connection: HTTPConnection) -> Doors:
    return the_doors(connection)


async def _means_of(connection: HTTPConnection) -> Means:
    return the_means(connection)


TheDoors = Annotated[Doors, Depends(_doors_of)]
TheMeans = Annotated[Means, Depends(_means_of)]
